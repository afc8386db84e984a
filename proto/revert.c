/*
 * revert.c - Gemini's schemas as JSON Schemas (see revert.h).
 */
#include "proto/revert.h"

#include "base/buf.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "proto/walk.h"

#define DEPTH_MAX 12u /* two to four levels of the writer each */

/* Names of a propertyOrdering; a longer one orders nothing, because each name is looked for in it.
 */
#define ORDER_MAX 256u

struct out {
    struct jsonw w;
    struct arena *arena;
};

static void
put_name(struct out *out, struct str name)
{
    struct str terminated = arena_dup(out->arena, name);
    jsonw_name(&out->w, terminated.data == NULL ? "" : terminated.data);
}

static struct str
lower(struct out *out, struct str type)
{
    char *to = arena_alloc_raw(out->arena, type.len + 1);
    for (size_t i = 0; to != NULL && i < type.len; i++) {
        to[i] = str_lower(type.data[i]);
    }
    return to == NULL ? type : str_make(to, type.len);
}

/* Lower-case types, numbers out of strings: what everybody else understands. */
static void restore_schema(struct out *out, struct walk schema, uint32_t depth);

static void
restore_type(struct out *out, struct walk schema)
{
    struct str type = lower(out, walk_string(walk_get(schema, STR("type")), out->arena));
    if (type.len == 0 || str_equal(type, STR("type_unspecified"))) {
        return;
    }
    if (!walk_is_true(walk_get(schema, STR("nullable")))) {
        jsonw_put_str(&out->w, "type", type);
        return;
    }
    jsonw_name(&out->w, "type");
    jsonw_array(&out->w);
    jsonw_str(&out->w, type);
    jsonw_text(&out->w, "null");
    jsonw_close(&out->w);
}

/* Does a list of names have it before `end` (not there: anywhere)? */
static bool
is_named(struct walk list, struct str name, struct walk end)
{
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        if (walk_is_there(end) && at.node == end.node) {
            return false;
        }
        if (walk_is_text(at, name)) {
            return true;
        }
    }
    return false;
}

/* The order that propertyOrdering asks for, then the others; each once. */
static void
restore_properties(struct out *out, struct walk schema, struct walk properties, uint32_t depth)
{
    struct walk order = walk_get_camel(schema, STR("propertyOrdering"));
    if (walk_count(order) > ORDER_MAX) {
        order = (struct walk){ .doc = NULL };
    }
    jsonw_object(&out->w);
    for (struct walk at = walk_first(order); walk_is_there(at); at = walk_next(at)) {
        struct str name = walk_string(at, out->arena);
        struct walk property = walk_get(properties, name);
        if (walk_is_there(property) && !is_named(order, name, at)) {
            put_name(out, name);
            restore_schema(out, property, depth + 1);
        }
    }
    struct str name;
    for (struct walk at = walk_first_member(properties, out->arena, &name); walk_is_there(at);
         at = walk_next_member(at, out->arena, &name)) {
        if (!is_named(order, name, (struct walk){ .doc = NULL })) {
            put_name(out, name);
            restore_schema(out, at, depth + 1);
        }
    }
    jsonw_close(&out->w);
}

static void
restore_member(struct out *out, struct walk schema, struct str name, struct walk value,
               uint32_t depth)
{
    static const char *const numbers[] = { "minItems",  "maxItems",      "minLength",
                                           "maxLength", "minProperties", "maxProperties",
                                           "minimum",   "maximum" };
    struct jsonw *w = &out->w;
    uint64_t number;
    if (str_equal(name, STR("properties"))) {
        put_name(out, name);
        restore_properties(out, schema, value, depth);
    } else if (str_equal(name, STR("items"))) {
        put_name(out, name);
        restore_schema(out, value, depth + 1);
    } else if (str_equal(name, STR("anyOf")) || str_equal(name, STR("any_of"))) {
        jsonw_name(w, "anyOf");
        jsonw_array(w);
        for (struct walk at = walk_first(value); walk_is_there(at); at = walk_next(at)) {
            restore_schema(out, at, depth + 2);
        }
        jsonw_close(w);
    } else if (str_equal(name, STR("example"))) {
        jsonw_name(w, "examples");
        jsonw_array(w);
        jsonw_raw(w, walk_raw(value));
        jsonw_close(w);
    } else {
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            if (str_equal(name, str_of(numbers[i])) && walk_kind(value) == JSON_STRING &&
                walk_u64(value, &number)) {
                jsonw_put_u64(w, numbers[i], number);
                return;
            }
        }
        put_name(out, name);
        jsonw_raw(w, walk_raw(value));
    }
}

static void
restore_schema(struct out *out, struct walk schema, uint32_t depth)
{
    if (walk_kind(schema) != JSON_OBJECT || depth >= DEPTH_MAX) {
        jsonw_raw(&out->w, STR("{}"));
        return;
    }
    jsonw_object(&out->w);
    restore_type(out, schema);
    struct str name;
    for (struct walk at = walk_first_member(schema, out->arena, &name); walk_is_there(at);
         at = walk_next_member(at, out->arena, &name)) {
        bool is_done = str_equal(name, STR("type")) || str_equal(name, STR("nullable")) ||
                       str_equal(name, STR("propertyOrdering")) ||
                       str_equal(name, STR("property_ordering"));
        if (!is_done) {
            restore_member(out, schema, name, at, depth);
        }
    }
    jsonw_close(&out->w);
}

enum err
revert_schema(struct str schema_json, struct arena *arena, struct str *out)
{
    struct out to = { .arena = arena };
    struct walk root;
    enum err err = walk_parse(schema_json, arena, &root);
    if (err != ERR_OK || walk_kind(root) != JSON_OBJECT) {
        return err == ERR_FULL ? err : ERR_BAD;
    }
    struct buf buf;
    buf_init(&buf, SCHEMA_BYTES_MAX);
    jsonw_begin(&to.w, &buf);
    restore_schema(&to, root, 0);
    err = jsonw_end(&to.w);
    if (err == ERR_OK) {
        *out = arena_dup(arena, buf_str(&buf));
        err = out->data == NULL ? ERR_FULL : ERR_OK;
    }
    buf_fini(&buf);
    return err;
}
