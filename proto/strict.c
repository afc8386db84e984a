/*
 * strict.c - schemas that OpenAI takes as strict (see strict.h).
 */
#include "proto/strict.h"

#include "proto/walk.h"

static bool is_fine(struct walk schema, struct arena *arena, uint32_t depth);

static bool
is_required(struct walk required, struct str name)
{
    for (struct walk at = walk_first(required); walk_is_there(at); at = walk_next(at)) {
        if (walk_is_text(at, name)) {
            return true;
        }
    }
    return false;
}

/* Every schema of a map of schemas. */
static bool
all_fine(struct walk map, struct arena *arena, uint32_t depth)
{
    struct str name;
    for (struct walk at = walk_first_member(map, arena, &name); walk_is_there(at);
         at = walk_next_member(at, arena, &name)) {
        if (!is_fine(at, arena, depth)) {
            return false;
        }
    }
    return true;
}

static bool
list_is_fine(struct walk list, struct arena *arena, uint32_t depth)
{
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        if (!is_fine(at, arena, depth)) {
            return false;
        }
    }
    return true;
}

static bool
object_is_closed(struct walk schema, struct arena *arena)
{
    struct walk properties = walk_get(schema, STR("properties"));
    struct walk required = walk_get(schema, STR("required"));
    if (walk_kind(walk_get(schema, STR("additionalProperties"))) != JSON_FALSE) {
        return false;
    }
    struct str name;
    for (struct walk at = walk_first_member(properties, arena, &name); walk_is_there(at);
         at = walk_next_member(at, arena, &name)) {
        if (!is_required(required, name)) {
            return false;
        }
    }
    return true;
}

static bool
is_fine(struct walk schema, struct arena *arena, uint32_t depth)
{
    if (walk_kind(schema) != JSON_OBJECT || depth == SCHEMA_DEPTH_MAX) {
        return false;
    }
    bool is_object = walk_is_text(walk_get(schema, STR("type")), STR("object")) ||
                     walk_is_there(walk_get(schema, STR("properties")));
    struct walk items = walk_get(schema, STR("items"));
    return (!is_object || object_is_closed(schema, arena)) &&
           (!walk_is_there(items) || is_fine(items, arena, depth + 1)) &&
           all_fine(walk_get(schema, STR("properties")), arena, depth + 1) &&
           all_fine(walk_get(schema, STR("$defs")), arena, depth + 1) &&
           list_is_fine(walk_get(schema, STR("anyOf")), arena, depth + 1) &&
           !walk_is_there(walk_get(schema, STR("allOf"))) &&
           !walk_is_there(walk_get(schema, STR("oneOf")));
}

bool
strict_is(struct str schema_json, struct arena *arena)
{
    struct walk root;
    return walk_parse(schema_json, arena, &root) == ERR_OK && is_fine(root, arena, 0);
}
