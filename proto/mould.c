/*
 * mould.c - JSON Schemas as Anthropic wants them (see mould.h).
 */
#include "proto/mould.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "proto/walk.h"

/* A finished text moves into the arena. */
static enum err
keep(struct buf *buf, struct jsonw *w, struct arena *arena, struct str *out)
{
    enum err err = jsonw_end(w);
    if (err == ERR_OK) {
        *out = arena_dup(arena, buf_str(buf));
        err = out->data == NULL ? ERR_FULL : ERR_OK;
    }
    buf_fini(buf);
    return err;
}

static void
put_member(struct jsonw *w, struct arena *arena, struct str name, struct walk value)
{
    struct str terminated = arena_dup(arena, name);
    jsonw_name(w, terminated.data == NULL ? "" : terminated.data);
    jsonw_raw(w, walk_raw(value));
}

/* --- the root of a tool's schema --- */

static const char *const alternatives[] = { "anyOf", "oneOf", "allOf" };

static bool
is_plain_root(struct walk root)
{
    for (size_t i = 0; i < 3; i++) {
        if (walk_is_there(walk_get(root, str_of(alternatives[i])))) {
            return false;
        }
    }
    struct walk properties = walk_get(root, STR("properties"));
    struct walk required = walk_get(root, STR("required"));
    return walk_is_text(walk_get(root, STR("type")), STR("object")) &&
           (!walk_is_there(properties) || walk_kind(properties) == JSON_OBJECT) &&
           (!walk_is_there(required) || walk_kind(required) == JSON_ARRAY);
}

/* The properties of the root and of its alternatives; the first of a name counts. */
static void
put_properties(struct jsonw *w, struct arena *arena, struct walk root, struct walk seen_in)
{
    struct str name;
    struct walk properties = walk_get(root, STR("properties"));
    for (struct walk at = walk_first_member(properties, arena, &name); walk_is_there(at);
         at = walk_next_member(at, arena, &name)) {
        if (!walk_is_there(walk_get(walk_get(seen_in, STR("properties")), name))) {
            put_member(w, arena, name, at);
        }
    }
}

static void
put_all_properties(struct jsonw *w, struct arena *arena, struct walk root)
{
    jsonw_name(w, "properties");
    jsonw_object(w);
    put_properties(w, arena, root, (struct walk){ .doc = NULL });
    for (size_t i = 0; i < 3; i++) {
        struct walk list = walk_get(root, str_of(alternatives[i]));
        struct walk first = walk_first(list);
        for (struct walk at = first; walk_is_there(at); at = walk_next(at)) {
            struct str name;
            struct walk properties = walk_get(at, STR("properties"));
            struct walk member = walk_first_member(properties, arena, &name);
            for (; walk_is_there(member); member = walk_next_member(member, arena, &name)) {
                bool is_taken = walk_is_there(walk_get(walk_get(root, STR("properties")), name));
                for (struct walk before = first; before.node != at.node && !is_taken;
                     before = walk_next(before)) {
                    is_taken = walk_is_there(walk_get(walk_get(before, STR("properties")), name));
                }
                if (!is_taken) {
                    put_member(w, arena, name, member);
                }
            }
        }
    }
    jsonw_close(w);
}

/* Required stays what the root demands, and what every part of an allOf demands. */
static void
put_required(struct jsonw *w, struct walk root)
{
    jsonw_name(w, "required");
    jsonw_array(w);
    for (struct walk at = walk_first(walk_get(root, STR("required"))); walk_is_there(at);
         at = walk_next(at)) {
        jsonw_raw(w, walk_raw(at));
    }
    struct walk all = walk_get(root, STR("allOf"));
    for (struct walk part = walk_first(all); walk_is_there(part); part = walk_next(part)) {
        struct walk names = walk_get(part, STR("required"));
        for (struct walk at = walk_first(names); walk_is_there(at); at = walk_next(at)) {
            jsonw_raw(w, walk_raw(at));
        }
    }
    jsonw_close(w);
}

/* The alternatives in words, since the root may not have them. */
static void
put_description(struct jsonw *w, struct arena *arena, struct walk root)
{
    struct str said = walk_string(walk_get(root, STR("description")), arena);
    struct walk any = walk_get(root, STR("anyOf"));
    any = walk_is_there(any) ? any : walk_get(root, STR("oneOf"));
    struct str text = said;
    if (walk_is_there(any)) {
        text = arena_printf(arena, "%.*s%sOne of: %.*s", STR_ARG(said), said.len > 0 ? "\n" : "",
                            STR_ARG(walk_raw(any)));
    }
    if (text.len > 0) {
        jsonw_put_str(w, "description", text);
    }
}

static bool
is_rebuilt(struct str name)
{
    static const char *const names[] = { "type",  "properties", "required", "description",
                                         "anyOf", "oneOf",      "allOf" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_equal(name, str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

enum err
mould_root(struct str schema_json, struct arena *arena, struct str *out)
{
    struct walk root;
    if (schema_json.len == 0) {
        *out = STR("{\"type\":\"object\",\"properties\":{}}");
        return ERR_OK;
    }
    enum err err = walk_parse(schema_json, arena, &root);
    if (err != ERR_OK || walk_kind(root) != JSON_OBJECT) {
        return err == ERR_FULL ? err : ERR_BAD;
    }
    *out = schema_json;
    if (is_plain_root(root)) {
        return ERR_OK;
    }
    struct buf buf;
    struct jsonw w;
    buf_init(&buf, SCHEMA_BYTES_MAX);
    jsonw_begin(&w, &buf);
    jsonw_object(&w);
    jsonw_put_text(&w, "type", "object");
    put_description(&w, arena, root);
    put_all_properties(&w, arena, root);
    put_required(&w, root);
    struct str name;
    for (struct walk at = walk_first_member(root, arena, &name); walk_is_there(at);
         at = walk_next_member(at, arena, &name)) {
        if (!is_rebuilt(name)) {
            put_member(&w, arena, name, at);
        }
    }
    jsonw_close(&w);
    return keep(&buf, &w, arena, out);
}

/* --- schemas that bind --- */

struct mould {
    struct jsonw w;
    struct arena *arena;
    bool is_impossible;
};

static bool
is_kept(struct str name)
{
    static const char *const names[] = { "enum",     "const", "type",   "title",
                                         "required", "$ref",  "default" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_equal(name, str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool
is_known_format(struct walk format)
{
    static const char *const names[] = { "date-time", "time", "date", "duration", "email",
                                         "hostname",  "uri",  "ipv4", "ipv6",     "uuid" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (walk_is_text(format, str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool
is_zero_or_one(struct walk value)
{
    uint64_t number;
    return walk_u64(value, &number) && number <= 1;
}

static void write_schema(struct mould *mould, struct walk schema, uint32_t depth);

static void
write_map(struct mould *mould, const char *name, struct walk map, uint32_t depth)
{
    struct str key;
    jsonw_name(&mould->w, name);
    jsonw_object(&mould->w);
    for (struct walk at = walk_first_member(map, mould->arena, &key); walk_is_there(at);
         at = walk_next_member(at, mould->arena, &key)) {
        struct str terminated = arena_dup(mould->arena, key);
        jsonw_name(&mould->w, terminated.data == NULL ? "" : terminated.data);
        write_schema(mould, at, depth);
    }
    jsonw_close(&mould->w);
}

static void
write_list(struct mould *mould, const char *name, struct walk list, uint32_t depth)
{
    jsonw_name(&mould->w, name);
    jsonw_array(&mould->w);
    for (struct walk at = walk_first(list); walk_is_there(at); at = walk_next(at)) {
        write_schema(mould, at, depth);
    }
    jsonw_close(&mould->w);
}

/* A keyword that holds schemas. false: it is none of them. */
static bool
write_inner(struct mould *mould, struct str name, struct walk value, uint32_t depth)
{
    if (str_equal(name, STR("properties")) || str_equal(name, STR("$defs")) ||
        str_equal(name, STR("definitions"))) {
        write_map(mould,
                  str_equal(name, STR("properties")) ? "properties"
                  : str_equal(name, STR("$defs"))    ? "$defs"
                                                     : "definitions",
                  value, depth);
    } else if (str_equal(name, STR("anyOf")) || str_equal(name, STR("oneOf"))) {
        write_list(mould, "anyOf", value, depth);
    } else if (str_equal(name, STR("allOf"))) {
        write_list(mould, "allOf", value, depth);
    } else if (str_equal(name, STR("items"))) {
        jsonw_name(&mould->w, "items");
        write_schema(mould, value, depth);
    } else {
        return false;
    }
    return true;
}

/* "minimum: 1" and the like, one after another. */
static void
add_note(struct mould *mould, struct str *notes, struct str name, struct walk value)
{
    *notes = arena_printf(mould->arena, "%.*s%s%.*s: %.*s", STR_ARG(*notes),
                          notes->len > 0 ? "; " : "", STR_ARG(name), STR_ARG(walk_raw(value)));
}

static bool
is_silent(struct str name)
{
    static const char *const names[] = { "description", "additionalProperties",
                                         "$schema",     "$id",
                                         "$comment",    "$anchor" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_equal(name, str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static void
write_members(struct mould *mould, struct walk schema, uint32_t depth, struct str *notes)
{
    struct str name;
    for (struct walk at = walk_first_member(schema, mould->arena, &name); walk_is_there(at);
         at = walk_next_member(at, mould->arena, &name)) {
        bool is_plain = is_kept(name) || (str_equal(name, STR("format")) && is_known_format(at)) ||
                        (str_equal(name, STR("minItems")) && is_zero_or_one(at));
        if (is_plain) {
            put_member(&mould->w, mould->arena, name, at);
        } else if (!is_silent(name) && !write_inner(mould, name, at, depth + 1)) {
            add_note(mould, notes, name, at);
        }
    }
}

static bool
is_object(struct walk schema)
{
    struct walk type = walk_get(schema, STR("type"));
    for (struct walk at = walk_first(type); walk_is_there(at); at = walk_next(at)) {
        if (walk_is_text(at, STR("object"))) {
            return true;
        }
    }
    return walk_is_text(type, STR("object")) || walk_is_there(walk_get(schema, STR("properties")));
}

static void
write_schema(struct mould *mould, struct walk schema, uint32_t depth)
{
    bool is_empty = walk_kind(schema) != JSON_OBJECT || walk_count(schema) == 0;
    if (is_empty || depth >= JSONW_DEPTH_MAX / 2 - 4) {
        mould->is_impossible = true;
        jsonw_raw(&mould->w, STR("{}"));
        return;
    }
    struct str notes = str_make(NULL, 0);
    jsonw_object(&mould->w);
    write_members(mould, schema, depth, &notes);
    if (is_object(schema)) {
        jsonw_put_bool(&mould->w, "additionalProperties", false);
    }
    struct str said = walk_string(walk_get(schema, STR("description")), mould->arena);
    if (notes.len > 0) {
        said = arena_printf(mould->arena, "%.*s%s%.*s", STR_ARG(said), said.len > 0 ? " (" : "(",
                            STR_ARG(notes));
        said = arena_printf(mould->arena, "%.*s)", STR_ARG(said));
    }
    if (said.len > 0) {
        jsonw_put_str(&mould->w, "description", said);
    }
    jsonw_close(&mould->w);
}

enum err
mould_output(struct str schema_json, struct arena *arena, struct str *out)
{
    struct walk root;
    enum err err = walk_parse(schema_json, arena, &root);
    if (err != ERR_OK) {
        return err;
    }
    struct mould mould = { .arena = arena };
    struct buf buf;
    buf_init(&buf, SCHEMA_BYTES_MAX);
    jsonw_begin(&mould.w, &buf);
    write_schema(&mould, root, 0);
    if (mould.is_impossible) {
        buf_fini(&buf);
        return ERR_BAD;
    }
    return keep(&buf, &mould.w, arena, out);
}
