/* JSON Schemas for Gemini. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/schema.h"
#include "proto/walk.h"

static struct arena arena;
static struct caps caps;

static struct walk
cleaned(const char *schema)
{
    struct str out;
    struct walk root;
    arena_reset(&arena);
    arena_init(&arena, 1 << 24);
    caps_default(&caps, DIALECT_GEMINI);
    cr_assert_eq(schema_to_gemini(str_of(schema), &caps, &arena, &out), ERR_OK, "%s", schema);
    cr_assert_eq(walk_parse(out, &arena, &root), ERR_OK, "%s: %.*s", schema, STR_ARG(out));
    return root;
}

static struct walk
property(struct walk schema, struct str name)
{
    return walk_get(walk_get(schema, STR("properties")), name);
}

Test(schema, types_become_gemini_s_and_null_becomes_nullable)
{
    arena_init(&arena, 1 << 20);
    struct walk root =
        cleaned("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]},"
                "\"b\":{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}},"
                "\"required\":[\"a\"],\"additionalProperties\":false,\"$schema\":\"x\"}");
    cr_expect(walk_is_text(walk_get(root, STR("type")), STR("OBJECT")));
    cr_expect(walk_is_text(walk_get(property(root, STR("a")), STR("type")), STR("STRING")));
    cr_expect(walk_is_true(walk_get(property(root, STR("a")), STR("nullable"))));
    cr_expect(walk_is_text(walk_get(property(root, STR("b")), STR("type")), STR("INTEGER")));
    cr_expect(walk_is_true(walk_get(property(root, STR("b")), STR("nullable"))));
    cr_expect_not(walk_is_there(walk_get(root, STR("$schema"))));
    cr_expect_not(walk_is_there(walk_get(root, STR("additionalProperties"))));
    cr_expect(walk_is_text(walk_first(walk_get(root, STR("required"))), STR("a")));
    arena_reset(&arena);
}

Test(schema, keeps_properties_whatever_they_are_called)
{
    arena_init(&arena, 1 << 20);
    struct walk root =
        cleaned("{\"type\":\"object\",\"properties\":{\"$ref\":{\"type\":\"string\"},"
                "\"properties\":{\"type\":\"integer\"},\"type\":{\"type\":\"boolean\"},"
                "\"a\\\"b\":{\"type\":\"number\"}}}");
    cr_expect(walk_is_text(walk_get(property(root, STR("$ref")), STR("type")), STR("STRING")));
    cr_expect(
        walk_is_text(walk_get(property(root, STR("properties")), STR("type")), STR("INTEGER")));
    cr_expect(walk_is_text(walk_get(property(root, STR("type")), STR("type")), STR("BOOLEAN")));
    cr_expect(walk_is_text(walk_get(property(root, STR("a\"b")), STR("type")), STR("NUMBER")));
    arena_reset(&arena);
}

Test(schema, puts_references_in_place_and_ends_cycles)
{
    arena_init(&arena, 1 << 20);
    struct walk root =
        cleaned("{\"type\":\"object\",\"properties\":{\"n\":{\"$ref\":\"#/$defs/"
                "node\"}},\"$defs\":{\"node\":"
                "{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/$defs/node\"},\"v\":"
                "{\"type\":\"integer\"}}}}}");
    struct walk node = property(root, STR("n"));
    cr_expect(walk_is_text(walk_get(property(node, STR("v")), STR("type")), STR("INTEGER")));
    cr_expect(walk_is_text(walk_get(property(node, STR("next")), STR("type")), STR("OBJECT")));
    cr_expect_not(walk_is_there(walk_get(root, STR("$defs"))));
    arena_reset(&arena);
}

/* References that double at each step: what they grow to is bounded. */
Test(schema, bounds_what_references_grow_to)
{
    static char text[8192];
    size_t len = (size_t)snprintf(text, sizeof text, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (int i = 0; i < 40; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "\"d%d\":{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":"
                                "\"#/$defs/d%d\"},\"b\":{\"$ref\":\"#/$defs/d%d\"}}},",
                                i, i + 1, i + 1);
    }
    snprintf(text + len, sizeof text - len, "\"d40\":{\"type\":\"string\"}}}");
    struct str out;
    arena_init(&arena, 1 << 26);
    caps_default(&caps, DIALECT_GEMINI);
    enum err err = schema_to_gemini(str_of(text), &caps, &arena, &out);
    cr_expect(err == ERR_FULL || (err == ERR_OK && out.len <= SCHEMA_BYTES_MAX), "%d", (int)err);
    arena_reset(&arena);
}

Test(schema, refuses_what_is_no_object_and_takes_any_that_is)
{
    static const char *const bad[] = { "", "[]", "true", "7", "{\"type\":" };
    static const char *const odd[] = { "{}",
                                       "{\"type\":7}",
                                       "{\"properties\":[]}",
                                       "{\"items\":true}",
                                       "{\"enum\":7}",
                                       "{\"required\":{}}",
                                       "{\"anyOf\":[7,null]}",
                                       "{\"$ref\":\"#/nothing\"}",
                                       "{\"type\":[]}",
                                       "{\"const\":null}" };
    struct str out;
    struct walk root;
    arena_init(&arena, 1 << 22);
    caps_default(&caps, DIALECT_GEMINI);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(schema_to_gemini(str_of(bad[i]), &caps, &arena, &out), ERR_BAD, "%s", bad[i]);
        cr_expect_eq(schema_to_gemini_json(str_of(bad[i]), &arena, &out), ERR_BAD, "%s", bad[i]);
    }
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        cr_expect_eq(schema_to_gemini(str_of(odd[i]), &caps, &arena, &out), ERR_OK, "%s", odd[i]);
        cr_expect_eq(walk_parse(out, &arena, &root), ERR_OK, "%s: %.*s", odd[i], STR_ARG(out));
        cr_expect_eq(schema_to_gemini_json(str_of(odd[i]), &arena, &out), ERR_OK, "%s", odd[i]);
        cr_expect_eq(walk_parse(out, &arena, &root), ERR_OK, "%s: %.*s", odd[i], STR_ARG(out));
    }
    arena_reset(&arena);
}
