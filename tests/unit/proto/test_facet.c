/* One schema with everything that counts for it. */
#include <criterion/criterion.h>

#include "proto/facet.h"

static struct arena arena;
static struct facet facet;

static void
make(const char *schema)
{
    struct walk root;
    arena_reset(&arena);
    arena_init(&arena, 1 << 20);
    cr_assert_eq(walk_parse(str_of(schema), &arena, &root), ERR_OK, "%s", schema);
    facet_make(&facet, root, root, NULL, &arena);
}

Test(facet, follows_references_and_merges)
{
    arena_init(&arena, 1 << 20);
    make("{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/"
         "b\":{\"type\":\"object\",\"properties\":{\"x\":{}}}}}");
    cr_expect(facet.type_count == 1 && str_equal(facet.types[0], STR("object")));
    cr_expect(facet_has_property(&facet, facet.node_count, STR("x")));
    cr_expect_not(facet_has_property(&facet, facet.node_count, STR("type")));
    cr_expect_not(facet.is_cycle);
    make("{\"allOf\":[{\"title\":\"one\"},{\"title\":\"two\",\"type\":[\"string\",\"null\"]}]}");
    cr_expect(walk_is_text(facet_get(&facet, STR("title")), STR("one")), "the first counts");
    cr_expect(facet.is_nullable && facet.type_count == 1);
    make("{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"integer\"}]}");
    cr_expect(facet.is_nullable && !walk_is_there(facet.alternatives));
    cr_expect(facet.type_count == 1 && str_equal(facet.types[0], STR("integer")));
    make("{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}");
    cr_expect(walk_count(facet.alternatives) == 2 && facet.type_count == 0);
    arena_reset(&arena);
}

Test(facet, ends_whatever_refers_to_whatever)
{
    static const char *const hostile[] = {
        "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/"
        "$defs/a\"}}}",
        "{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
        "a\"}]}}}",
    };
    static const char *const dead[] = { "{\"$ref\":\"#/nowhere\"}",
                                        "{\"$ref\":\"https://a/b\"}",
                                        "{\"$ref\":\"#/~\"}",
                                        "{\"$ref\":7}",
                                        "{\"allOf\":7,\"anyOf\":{}}",
                                        "{\"type\":[7,\"\",null]}",
                                        "7" };
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        make(hostile[i]);
        cr_expect(facet.is_cycle, "%s", hostile[i]);
        cr_expect_leq(facet.node_count, FACET_NODES_MAX);
    }
    for (size_t i = 0; i < sizeof dead / sizeof dead[0]; i++) {
        make(dead[i]);
        cr_expect(!facet.is_cycle && facet.type_count == 0, "%s", dead[i]);
    }
    arena_reset(&arena);
}
