/*
 * test_mould.c - schemas for Anthropic.
 */
#include <criterion/criterion.h>

#include "proto/mould.h"
#include "proto/walk.h"

static struct walk
root_of(struct arena *arena, const char *schema)
{
    struct str out;
    struct walk root;
    cr_assert_eq(mould_root(str_of(schema), arena, &out), ERR_OK, "%s", schema);
    cr_assert_eq(walk_parse(out, arena, &root), ERR_OK);
    return root;
}

/* The root is a plain object, whatever came. */
Test(mould, roots)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    static const char *const schemas[] = {
        "",
        "{}",
        "{\"properties\":{\"a\":{\"type\":\"string\"}}}",
        "{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"a\":{}}},{\"type\":\"object\","
        "\"properties\":{\"b\":{}}}]}",
        "{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{}},\"required\":[\"a\"]}]}",
    };
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        struct walk root = root_of(&arena, schemas[i]);
        cr_expect(walk_is_text(walk_get(root, STR("type")), STR("object")), "%s", schemas[i]);
        cr_expect(!walk_is_there(walk_get(root, STR("anyOf"))));
        cr_expect(!walk_is_there(walk_get(root, STR("allOf"))));
    }
    struct walk both = root_of(&arena, schemas[3]);
    struct walk properties = walk_get(both, STR("properties"));
    cr_expect(walk_is_there(walk_get(properties, STR("a"))));
    cr_expect(walk_is_there(walk_get(properties, STR("b"))));
    cr_expect_eq(walk_count(walk_get(both, STR("required"))), 0);
    struct str out;
    cr_expect_eq(mould_root(STR("[]"), &arena, &out), ERR_BAD);
    arena_reset(&arena);
}

/* Structured output: closed objects, known keywords, the others as words; names are data. */
Test(mould, outputs)
{
    struct arena arena;
    struct str out;
    struct walk root;
    arena_init(&arena, 1 << 20);
    cr_assert_eq(mould_output(STR("{\"type\":\"object\",\"properties\":{\"maximum\":{\"type\":"
                                  "\"integer\",\"maximum\":5},\"e\":{\"oneOf\":[{\"type\":"
                                  "\"string\"},{\"type\":\"null\"}]}}}"),
                              &arena, &out),
                 ERR_OK);
    cr_assert_eq(walk_parse(out, &arena, &root), ERR_OK);
    cr_expect_eq(walk_tri(walk_get(root, STR("additionalProperties"))), HUB_NO);
    struct walk named = walk_get(walk_get(root, STR("properties")), STR("maximum"));
    cr_expect(walk_is_text(walk_get(named, STR("type")), STR("integer")));
    cr_expect(!walk_is_there(walk_get(named, STR("maximum"))));
    struct str note = walk_string(walk_get(named, STR("description")), &arena);
    cr_expect_not_null(memmem(note.data, note.len, "maximum", 7));
    struct walk either = walk_get(walk_get(root, STR("properties")), STR("e"));
    cr_expect_eq(walk_count(walk_get(either, STR("anyOf"))), 2);
    cr_expect_eq(
        mould_output(STR("{\"type\":\"object\",\"properties\":{\"a\":true}}"), &arena, &out),
        ERR_BAD);
    arena_reset(&arena);
}
