/*
 * facet.c - one schema with everything that counts for it (see facet.h).
 */
#include "proto/facet.h"

#include <string.h>

#define MERGE_DEPTH_MAX 8u

struct make {
    struct facet *facet;
    struct walk root;
    struct arena *arena;
    uint32_t trail_count;
};

bool
facet_is_null(struct walk schema)
{
    struct walk type = walk_get(schema, STR("type"));
    struct walk values = walk_get(schema, STR("enum"));
    bool is_null_enum = walk_count(values) == 1 && walk_kind(walk_first(values)) == JSON_NULL;
    struct walk constant = walk_get(schema, STR("const"));
    return walk_is_text(type, STR("null")) || is_null_enum ||
           (walk_is_there(constant) && walk_kind(constant) == JSON_NULL);
}

/* One step of a JSON pointer: ~1 is '/', ~0 is '~'. */
static struct str
unescape(struct arena *arena, struct str step)
{
    if (step.len == 0 || memchr(step.data, '~', step.len) == NULL) {
        return step;
    }
    char *to = arena_alloc_raw(arena, step.len);
    size_t len = 0;
    for (size_t i = 0; to != NULL && i < step.len; i++) {
        bool is_escape = step.data[i] == '~' && i + 1 < step.len;
        if (is_escape) {
            i++;
            to[len++] = step.data[i] == '1' ? '/' : '~';
        } else {
            to[len++] = step.data[i];
        }
    }
    return str_make(to, len);
}

/* "#/$defs/node": nowhere when it leads out of the document or to nothing. */
static struct walk
resolve(const struct make *make, struct str pointer)
{
    struct walk at = make->root;
    if (str_equal(pointer, STR("#"))) {
        return at;
    }
    if (!str_starts(pointer, STR("#/"))) {
        return (struct walk){ .doc = NULL };
    }
    struct str rest = str_skip(pointer, 2);
    while (rest.len > 0 && walk_is_there(at)) {
        at = walk_get(at, unescape(make->arena, str_cut(&rest, '/')));
    }
    return at;
}

static void add(struct make *make, struct walk schema, uint32_t depth);

static void
follow(struct make *make, struct walk reference, uint32_t depth)
{
    struct facet *facet = make->facet;
    struct walk target = resolve(make, walk_string(reference, make->arena));
    if (!walk_is_there(target)) {
        return;
    }
    for (const struct facet_trail *at = facet->inner; at != NULL; at = at->before) {
        if (at->node == target.node) {
            facet->is_cycle = true;
            return;
        }
    }
    if (make->trail_count == FACET_NODES_MAX) {
        facet->is_cycle = true;
        return;
    }
    struct facet_trail *step = &facet->trail[make->trail_count++];
    *step = (struct facet_trail){ .before = facet->inner, .node = target.node };
    facet->inner = step;
    add(make, target, depth + 1);
}

/* Alternatives less null; the only one left is part of the schema itself. */
static void
add_alternatives(struct make *make, struct walk list, uint32_t depth)
{
    struct walk only = { .doc = NULL };
    uint32_t count = 0;
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        if (facet_is_null(at)) {
            make->facet->is_nullable = true;
        } else {
            only = at;
            count++;
        }
    }
    if (count == 1) {
        add(make, only, depth + 1);
    } else if (count > 1 && !walk_is_there(make->facet->alternatives)) {
        make->facet->alternatives = list;
    }
}

static void
add(struct make *make, struct walk schema, uint32_t depth)
{
    struct facet *facet = make->facet;
    if (walk_kind(schema) != JSON_OBJECT || facet->node_count == FACET_NODES_MAX ||
        depth == MERGE_DEPTH_MAX) {
        return;
    }
    facet->nodes[facet->node_count++] = schema;
    struct walk reference = walk_get(schema, STR("$ref"));
    if (walk_kind(reference) == JSON_STRING) {
        follow(make, reference, depth);
    }
    struct walk all = walk_get(schema, STR("allOf"));
    for (struct walk at = walk_first(all); walk_is_there(at); at = walk_next(at)) {
        add(make, at, depth + 1);
    }
    add_alternatives(make, walk_get(schema, STR("anyOf")), depth);
    add_alternatives(make, walk_get(schema, STR("oneOf")), depth);
    facet->is_nullable = facet->is_nullable || walk_is_true(walk_get(schema, STR("nullable")));
}

static void
add_type(struct facet *facet, struct walk type, struct arena *arena)
{
    struct str name = walk_string(type, arena);
    if (str_equal_nocase(name, STR("null"))) {
        facet->is_nullable = true;
    } else if (name.len > 0 && facet->type_count < FACET_TYPES_MAX) {
        facet->types[facet->type_count++] = name;
    }
}

struct walk
facet_get(const struct facet *facet, struct str name)
{
    for (uint32_t i = 0; i < facet->node_count; i++) {
        struct walk found = walk_get(facet->nodes[i], name);
        if (walk_is_there(found)) {
            return found;
        }
    }
    return (struct walk){ .doc = NULL };
}

bool
facet_has_property(const struct facet *facet, uint32_t index, struct str name)
{
    for (uint32_t i = 0; i < index; i++) {
        struct walk properties = walk_get(facet->nodes[i], STR("properties"));
        if (walk_is_there(walk_get(properties, name))) {
            return true;
        }
    }
    return false;
}

void
facet_make(struct facet *facet, struct walk root, struct walk schema,
           const struct facet_trail *trail, struct arena *arena)
{
    *facet = (struct facet){ .inner = trail };
    struct make make = { .facet = facet, .root = root, .arena = arena };
    add(&make, schema, 0);
    struct walk type = facet_get(facet, STR("type"));
    if (walk_kind(type) == JSON_STRING) {
        add_type(facet, type, arena);
    }
    for (struct walk at = walk_first(type); walk_is_there(at); at = walk_next(at)) {
        add_type(facet, at, arena);
    }
}
