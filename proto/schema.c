/*
 * schema.c - JSON Schemas for Gemini and back (see schema.h).
 */
#include "proto/schema.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "proto/facet.h"
#include "proto/walk.h"

/* A schema takes two levels of the writer (itself and its properties), an alternative four. */
#define DEPTH_MAX 12u

struct out {
    struct jsonw w;
    struct arena *arena;
    struct walk root;
    bool is_json;       /* the JSON Schema fields: lower-case types, unions as they are */
    bool keeps_pattern; /* and default */
};

static void
write_schema(struct out *out, struct walk schema, const struct facet_trail *trail, uint32_t depth);

static void
put_name(struct out *out, struct str name)
{
    struct str terminated = arena_dup(out->arena, name);
    jsonw_name(&out->w, terminated.data == NULL ? "" : terminated.data);
}

/* --- types --- */

/* STRING, INTEGER, ...: the name in the case that is wanted. */
static struct str
cased(struct out *out, struct str type)
{
    char *to = arena_alloc_raw(out->arena, type.len + 1);
    if (to == NULL) {
        return type;
    }
    for (size_t i = 0; i < type.len; i++) {
        char c = str_lower(type.data[i]);
        to[i] = !out->is_json && c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
    }
    return str_make(to, type.len);
}

static bool
is_type(const struct facet *facet, const char *name)
{
    return facet->type_count == 1 && str_equal_nocase(facet->types[0], str_of(name));
}

/* What a schema without a type is. */
static struct str
guessed_type(const struct facet *facet)
{
    if (walk_is_there(facet_get(facet, STR("properties"))) || facet->is_cycle) {
        return STR("object");
    }
    if (walk_is_there(facet_get(facet, STR("items"))) ||
        walk_is_there(facet_get(facet, STR("prefixItems")))) {
        return STR("array");
    }
    return STR("string");
}

static void
put_type(struct out *out, const struct facet *facet, struct str type)
{
    struct jsonw *w = &out->w;
    if (out->is_json && facet->is_nullable) {
        jsonw_name(w, "type");
        jsonw_array(w);
        jsonw_str(w, cased(out, type));
        jsonw_text(w, "null");
        jsonw_close(w);
        return;
    }
    jsonw_put_str(w, "type", cased(out, type));
    if (facet->is_nullable) {
        jsonw_put_bool(w, "nullable", true);
    }
}

/* --- notes --- */

struct notes {
    struct str text;
};

static void
note(struct out *out, struct notes *notes, struct str what, struct walk value)
{
    struct str raw = walk_raw(value);
    raw.len = raw.len > 200 ? 200 : raw.len;
    notes->text = arena_printf(out->arena, "%.*s%s%.*s: %.*s", STR_ARG(notes->text),
                               notes->text.len > 0 ? "; " : "", STR_ARG(what), STR_ARG(raw));
}

/* Keywords Gemini does not have; what they say is told in words. */
static void
note_unknown(struct out *out, const struct facet *facet, struct notes *notes)
{
    static const char *const names[] = {
        "multipleOf",
        "uniqueItems",
        "minContains",
        "maxContains",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "patternProperties",
        "propertyNames",
        "unevaluatedProperties",
        "unevaluatedItems",
        "contentEncoding",
        "contentMediaType",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct walk value = facet_get(facet, str_of(names[i]));
        if (walk_is_there(value)) {
            note(out, notes, str_of(names[i]), value);
        }
    }
    struct walk pattern = facet_get(facet, STR("pattern"));
    struct walk preset = facet_get(facet, STR("default"));
    if (walk_is_there(pattern) && !out->keeps_pattern) {
        note(out, notes, STR("pattern"), pattern);
    }
    if (walk_is_there(preset) && !out->keeps_pattern) {
        note(out, notes, STR("default"), preset);
    }
}

static void
put_description(struct out *out, const struct facet *facet, const struct notes *notes)
{
    struct str said = walk_string(facet_get(facet, STR("description")), out->arena);
    struct str text = said;
    if (notes->text.len > 0) {
        text = arena_printf(out->arena, "%.*s%s(%.*s)", STR_ARG(said), said.len > 0 ? " " : "",
                            STR_ARG(notes->text));
    }
    if (text.len > 0) {
        jsonw_put_str(&out->w, "description", text);
    }
    struct str title = walk_string(facet_get(facet, STR("title")), out->arena);
    if (title.len > 0) {
        jsonw_put_str(&out->w, "title", title);
    }
}

/* --- values --- */

static bool
is_number_type(const struct facet *facet)
{
    return is_type(facet, "integer") || is_type(facet, "number");
}

/* Every value as a string; null makes the schema nullable before this is called. */
static void
put_enum(struct out *out, struct walk values, bool is_one)
{
    jsonw_name(&out->w, "enum");
    jsonw_array(&out->w);
    struct walk at = is_one ? values : walk_first(values);
    for (; walk_is_there(at); at = is_one ? (struct walk){ .doc = NULL } : walk_next(at)) {
        if (walk_kind(at) == JSON_STRING || out->is_json) {
            jsonw_raw(&out->w, walk_raw(at));
        } else if (walk_kind(at) != JSON_NULL) {
            jsonw_str(&out->w, walk_raw(at));
        }
    }
    jsonw_close(&out->w);
}

/* Numbers have no enum at Gemini. */
static void
write_values(struct out *out, const struct facet *facet, struct notes *notes)
{
    struct walk values = facet_get(facet, STR("enum"));
    struct walk constant = facet_get(facet, STR("const"));
    bool is_barred = is_number_type(facet) || is_type(facet, "boolean");
    if (is_barred && !out->is_json) {
        if (walk_is_there(values)) {
            note(out, notes, STR("one of"), values);
        }
        if (walk_is_there(constant)) {
            note(out, notes, STR("always"), constant);
        }
    } else if (walk_count(values) > 0) {
        put_enum(out, values, false);
    } else if (walk_is_there(constant)) {
        put_enum(out, constant, true);
    }
}

static bool
has_null_value(const struct facet *facet)
{
    struct walk values = facet_get(facet, STR("enum"));
    for (struct walk at = walk_first(values); walk_is_there(at); at = walk_next(at)) {
        if (walk_kind(at) == JSON_NULL) {
            return true;
        }
    }
    return false;
}

static void
write_format(struct out *out, const struct facet *facet, struct notes *notes)
{
    static const struct {
        const char *type;
        const char *format;
    } kept[] = { { "integer", "int32" }, { "integer", "int64" },    { "number", "float" },
                 { "number", "double" }, { "string", "date-time" }, { "string", "enum" } };
    struct walk format = facet_get(facet, STR("format"));
    if (walk_kind(format) != JSON_STRING) {
        return;
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (is_type(facet, kept[i].type) && walk_is_text(format, str_of(kept[i].format))) {
            jsonw_put_text(&out->w, "format", kept[i].format);
            return;
        }
    }
    note(out, notes, STR("format"), format);
}

/* Exclusive bounds become plain ones; of integers the next one. */
static void
write_exclusive(struct out *out, const struct facet *facet, const char *from, const char *to,
                int64_t step)
{
    struct walk bound = facet_get(facet, str_of(from));
    int64_t number;
    if (walk_kind(bound) != JSON_NUMBER || walk_is_there(facet_get(facet, str_of(to)))) {
        return; /* the boolean of draft 4 says nothing alone */
    }
    if (is_type(facet, "integer") && json_i64(walk_value(bound), &number) == ERR_OK &&
        number > INT64_MIN && number < INT64_MAX) {
        jsonw_put_i64(&out->w, to, number + step);
        return;
    }
    jsonw_name(&out->w, to);
    jsonw_raw(&out->w, walk_raw(bound));
}

static void
write_bounds(struct out *out, const struct facet *facet)
{
    static const char *const names[] = {
        "minimum",   "maximum",   "minItems",      "maxItems",
        "minLength", "maxLength", "minProperties", "maxProperties"
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct walk value = facet_get(facet, str_of(names[i]));
        if (walk_kind(value) == JSON_NUMBER) {
            jsonw_name(&out->w, names[i]);
            jsonw_raw(&out->w, walk_raw(value));
        }
    }
    write_exclusive(out, facet, "exclusiveMinimum", "minimum", 1);
    write_exclusive(out, facet, "exclusiveMaximum", "maximum", -1);
    struct walk pattern = facet_get(facet, STR("pattern"));
    struct walk preset = facet_get(facet, STR("default"));
    if (out->keeps_pattern && walk_kind(pattern) == JSON_STRING) {
        jsonw_name(&out->w, "pattern");
        jsonw_raw(&out->w, walk_raw(pattern));
    }
    if (out->keeps_pattern && walk_is_there(preset)) {
        jsonw_name(&out->w, "default");
        jsonw_raw(&out->w, walk_raw(preset));
    }
}

/* --- objects and arrays --- */

static void
write_properties(struct out *out, const struct facet *facet, uint32_t depth)
{
    bool is_begun = false;
    for (uint32_t i = 0; i < facet->node_count; i++) {
        struct walk properties = walk_get(facet->nodes[i], STR("properties"));
        struct str name;
        for (struct walk at = walk_first_member(properties, out->arena, &name); walk_is_there(at);
             at = walk_next_member(at, out->arena, &name)) {
            if (facet_has_property(facet, i, name)) {
                continue;
            }
            if (!is_begun) {
                is_begun = true;
                jsonw_name(&out->w, "properties");
                jsonw_object(&out->w);
            }
            put_name(out, name);
            write_schema(out, at, facet->inner, depth + 1);
        }
    }
    if (is_begun) {
        jsonw_close(&out->w);
    }
}

static void
put_required(struct out *out, const struct facet *facet, struct walk name, bool *is_begun)
{
    struct str text = walk_string(name, out->arena);
    if (!facet_has_property(facet, facet->node_count, text)) {
        return;
    }
    if (!*is_begun) {
        *is_begun = true;
        jsonw_name(&out->w, "required");
        jsonw_array(&out->w);
    }
    jsonw_str(&out->w, text);
}

/* Only names of properties that are there; `required: true` inside a property counts too. */
static void
write_required(struct out *out, const struct facet *facet)
{
    bool is_begun = false;
    for (uint32_t i = 0; i < facet->node_count; i++) {
        struct walk list = walk_get(facet->nodes[i], STR("required"));
        for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
            put_required(out, facet, at, &is_begun);
        }
    }
    if (is_begun) {
        jsonw_close(&out->w);
    }
}

static void
write_items(struct out *out, const struct facet *facet, uint32_t depth)
{
    struct walk items = facet_get(facet, STR("items"));
    struct walk prefix = facet_get(facet, STR("prefixItems"));
    prefix = walk_kind(items) == JSON_ARRAY ? items : prefix;
    jsonw_name(&out->w, "items");
    if (walk_kind(items) == JSON_OBJECT) {
        write_schema(out, items, facet->inner, depth + 1);
    } else if (walk_count(prefix) > 1) {
        jsonw_object(&out->w);
        jsonw_name(&out->w, "anyOf");
        jsonw_array(&out->w);
        for (struct walk at = walk_first(prefix); walk_is_there(at); at = walk_next(at)) {
            write_schema(out, at, facet->inner, depth + 2);
        }
        jsonw_close(&out->w);
        jsonw_close(&out->w);
    } else if (walk_count(prefix) == 1) {
        write_schema(out, walk_first(prefix), facet->inner, depth + 1);
    } else {
        jsonw_raw(&out->w,
                  out->is_json ? STR("{\"type\":\"string\"}") : STR("{\"type\":\"STRING\"}"));
    }
}

static void
write_object(struct out *out, const struct facet *facet, uint32_t depth)
{
    write_properties(out, facet, depth);
    write_required(out, facet);
    struct walk extra = facet_get(facet, STR("additionalProperties"));
    if (out->is_json && walk_is_there(extra) && walk_kind(extra) != JSON_OBJECT) {
        jsonw_name(&out->w, "additionalProperties");
        jsonw_raw(&out->w, walk_raw(extra));
    }
}

/* --- alternatives --- */

static void
write_alternatives(struct out *out, const struct facet *facet, uint32_t depth)
{
    jsonw_name(&out->w, "anyOf");
    jsonw_array(&out->w);
    for (struct walk at = walk_first(facet->alternatives); walk_is_there(at); at = walk_next(at)) {
        if (!facet_is_null(at)) {
            write_schema(out, at, facet->inner, depth + 2);
        }
    }
    if (out->is_json && facet->is_nullable) {
        jsonw_raw(&out->w, STR("{\"type\":\"null\"}"));
    }
    jsonw_close(&out->w);
    if (!out->is_json && facet->is_nullable) {
        jsonw_put_bool(&out->w, "nullable", true);
    }
}

/* One schema of one type. */
static void
write_typed(struct out *out, const struct facet *facet, struct str type, uint32_t depth)
{
    struct notes notes = { { NULL, 0 } };
    put_type(out, facet, type);
    write_values(out, facet, &notes);
    write_format(out, facet, &notes);
    write_bounds(out, facet);
    if (str_equal_nocase(type, STR("object"))) {
        write_object(out, facet, depth);
    } else if (str_equal_nocase(type, STR("array"))) {
        write_items(out, facet, depth);
    }
    note_unknown(out, facet, &notes);
    put_description(out, facet, &notes);
}

/* ["string","integer"]: each type by itself, with what belongs to it. */
static void
write_union(struct out *out, const struct facet *facet, uint32_t depth)
{
    jsonw_name(&out->w, "anyOf");
    jsonw_array(&out->w);
    for (uint32_t i = 0; i < facet->type_count; i++) {
        struct facet one = *facet;
        one.types[0] = facet->types[i];
        one.type_count = 1;
        one.is_nullable = false;
        jsonw_object(&out->w);
        write_typed(out, &one, one.types[0], depth + 2);
        jsonw_close(&out->w);
    }
    jsonw_close(&out->w);
    if (facet->is_nullable && !out->is_json) {
        jsonw_put_bool(&out->w, "nullable", true);
    }
}

static void
write_schema(struct out *out, struct walk schema, const struct facet_trail *trail, uint32_t depth)
{
    struct facet *facet = arena_alloc_raw(out->arena, sizeof(*facet));
    struct jsonw *w = &out->w;
    if (facet == NULL || depth >= DEPTH_MAX || w->err != ERR_OK) {
        w->err = facet == NULL && w->err == ERR_OK ? ERR_FULL : w->err;
        jsonw_raw(w, out->is_json ? STR("{\"type\":\"object\"}") : STR("{\"type\":\"OBJECT\"}"));
        return;
    }
    facet_make(facet, out->root, schema, trail, out->arena);
    facet->is_nullable = facet->is_nullable || has_null_value(facet);
    jsonw_object(w);
    bool has_alternatives =
        walk_is_there(facet->alternatives) && !walk_is_there(facet_get(facet, STR("properties")));
    if (facet->is_cycle) {
        jsonw_put_text(w, "type", out->is_json ? "object" : "OBJECT");
        jsonw_put_text(w, "description", "As above: the schema refers to itself.");
    } else if (has_alternatives) {
        struct notes notes = { { NULL, 0 } };
        write_alternatives(out, facet, depth);
        put_description(out, facet, &notes);
    } else if (facet->type_count > 1) {
        write_union(out, facet, depth);
    } else {
        struct str type = facet->type_count == 1 ? facet->types[0] : guessed_type(facet);
        facet->types[0] = type;
        facet->type_count = 1;
        write_typed(out, facet, type, depth);
    }
    jsonw_close(w);
}

/* A map of properties where a schema should be: no type, and all members are objects. */
static bool
is_bare_map(struct walk root, struct arena *arena)
{
    static const char *const words[] = { "type", "properties", "anyOf", "oneOf", "allOf",
                                         "$ref", "enum",       "const", "items" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct walk value = walk_get(root, str_of(words[i]));
        if (walk_is_there(value) && (i > 0 || walk_kind(value) != JSON_OBJECT)) {
            return false;
        }
    }
    struct str name;
    uint32_t count = 0;
    for (struct walk at = walk_first_member(root, arena, &name); walk_is_there(at);
         at = walk_next_member(at, arena, &name)) {
        if (walk_kind(at) != JSON_OBJECT) {
            return false;
        }
        count++;
    }
    return count > 0;
}

static enum err
transform(struct str schema_json, struct out *out, struct str *result)
{
    struct walk root;
    enum err err = walk_parse(schema_json, out->arena, &root);
    if (err != ERR_OK || walk_kind(root) != JSON_OBJECT) {
        return err == ERR_FULL ? err : ERR_BAD;
    }
    if (is_bare_map(root, out->arena)) {
        struct str wrapped = arena_printf(out->arena, "{\"type\":\"object\",\"properties\":%.*s}",
                                          STR_ARG(schema_json));
        err = wrapped.data == NULL ? ERR_FULL : walk_parse(wrapped, out->arena, &root);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct buf buf;
    buf_init(&buf, SCHEMA_BYTES_MAX);
    jsonw_begin(&out->w, &buf);
    out->root = root;
    write_schema(out, root, NULL, 0);
    err = jsonw_end(&out->w);
    if (err == ERR_OK) {
        *result = arena_dup(out->arena, buf_str(&buf));
        err = result->data == NULL ? ERR_FULL : ERR_OK;
    }
    buf_fini(&buf);
    return err;
}

enum err
schema_to_gemini(struct str schema_json, const struct caps *caps, struct arena *arena,
                 struct str *out)
{
    struct out to = { .arena = arena, .keeps_pattern = caps->family >= 30 };
    return transform(schema_json, &to, out);
}

enum err
schema_to_gemini_json(struct str schema_json, struct arena *arena, struct str *out)
{
    struct out to = { .arena = arena, .is_json = true, .keeps_pattern = true };
    return transform(schema_json, &to, out);
}
