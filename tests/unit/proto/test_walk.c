/* Reading JSON member by member: what is not there is nowhere, never an error. */
#include <criterion/criterion.h>

#include "proto/walk.h"

static struct arena arena;

static struct walk
parsed(const char *text)
{
    struct walk root;
    arena_init(&arena, 1 << 16);
    cr_assert_eq(walk_parse(str_of(text), &arena, &root), ERR_OK, "%s", text);
    return root;
}

Test(walk, finds_the_last_member_of_a_name_however_it_is_spelled)
{
    struct walk root = parsed("{\"a\":1,\"\\u0061\":{\"b\":[2,\"x\\ny\"]},\"c\":null}");
    struct walk a = walk_get(root, STR("a"));
    cr_expect_eq(walk_kind(a), JSON_OBJECT);
    struct walk second = walk_next(walk_first(walk_get(a, STR("b"))));
    cr_expect(str_equal(walk_string(second, &arena), STR("x\ny")));
    cr_expect(walk_is_text(second, STR("x\ny")) && !walk_is_text(second, STR("x")));
    cr_expect_not(walk_is_there(walk_next(second)));
    cr_expect(walk_is_there(walk_get(root, STR("c"))) && !walk_is_value(walk_get(root, STR("c"))));
    cr_expect(str_equal(walk_raw(walk_get(root, STR("c"))), STR("null")));
    cr_expect_eq(walk_raw_value(walk_get(root, STR("c"))).len, 0);
    cr_expect_eq(walk_count(root), 3);
    arena_reset(&arena);
}

Test(walk, finds_both_spellings_of_gemini)
{
    struct walk root = parsed("{\"max_output_tokens\":1,\"topK\":2,\"top_k\":3,\"top_\":4}");
    uint64_t number = 0;
    cr_expect(walk_u64(walk_get_camel(root, STR("maxOutputTokens")), &number) && number == 1);
    cr_expect(walk_u64(walk_get_camel(root, STR("topK")), &number) && number == 2);
    cr_expect_not(walk_is_there(walk_get_camel(root, STR("topP"))));
    cr_expect_not(walk_is_there(walk_get_camel(root, STR("maxOutputTokensMore"))));
    cr_expect_not(walk_is_there(walk_get(root, STR("maxOutputTokens"))));
    arena_reset(&arena);
}

Test(walk, from_nowhere_leads_nowhere)
{
    struct walk root = parsed("[[],{},\"text\"]");
    struct str name, text;
    uint64_t number;
    struct walk nowhere = walk_get(walk_get(root, STR("a")), STR("b"));
    cr_expect_not(walk_is_there(nowhere));
    cr_expect_not(walk_is_there(walk_first(nowhere)));
    cr_expect_not(walk_is_there(walk_next(nowhere)));
    cr_expect_not(walk_is_there(walk_first_member(nowhere, &arena, &name)));
    cr_expect_not(walk_is_there(walk_next_member(nowhere, &arena, &name)));
    cr_expect_eq(walk_kind(nowhere), JSON_NULL);
    cr_expect_eq(walk_count(nowhere), 0);
    cr_expect_eq(walk_raw(nowhere).len, 0);
    cr_expect_not(walk_text(nowhere, &arena, &text) || walk_u64(nowhere, &number));
    cr_expect_eq(walk_tri(nowhere), HUB_UNSET);
    struct walk empty = walk_first(root);
    cr_expect_not(walk_is_there(walk_first(empty)));
    cr_expect_not(walk_is_there(walk_first_member(walk_next(empty), &arena, &name)));
    cr_expect_not(walk_is_there(walk_first(walk_next(walk_next(empty)))), "a text has no elements");
    arena_reset(&arena);
}

Test(walk, goes_through_members_in_order)
{
    struct walk root = parsed("{\"a\":{\"x\":[1,2]},\"b\\u0063\":true,\"\":false}");
    static const char *const names[] = { "a", "bc", "" };
    struct str name;
    size_t count = 0;
    for (struct walk at = walk_first_member(root, &arena, &name); walk_is_there(at);
         at = walk_next_member(at, &arena, &name)) {
        cr_assert_lt(count, 3);
        cr_expect(str_equal(name, str_of(names[count])), "%.*s", STR_ARG(name));
        cr_expect_eq(walk_tri(at), count == 0 ? HUB_UNSET : count == 1 ? HUB_YES : HUB_NO);
        cr_expect_eq(walk_is_true(at), count == 1);
        count++;
    }
    cr_expect_eq(count, 3);
    arena_reset(&arena);
}

Test(walk, reads_numbers_as_relays_write_them)
{
    struct walk at = walk_first(parsed("[7,12.0,\"34\",18446744073709551615,0]"));
    static const uint64_t want[] = { 7, 12, 34, UINT64_MAX, 0 };
    for (size_t i = 0; i < 5; i++, at = walk_next(at)) {
        uint64_t number = 99;
        cr_expect(walk_u64(at, &number) && number == want[i], "number %zu", i);
    }
    arena_reset(&arena);
    at = walk_first(parsed("[-1,1.5,\"\",\"x\",\"1 \",18446744073709551616,null,true,[1]]"));
    for (size_t i = 0; i < 9; i++, at = walk_next(at)) {
        uint64_t number;
        cr_expect_not(walk_u64(at, &number), "value %zu", i);
    }
    arena_reset(&arena);
}

Test(walk, refuses_what_is_no_json_and_what_does_not_fit)
{
    static const char *const bad[] = { "", " ", "{", "{\"a\":1}x", "{\"a\":01}", "[1,]", "\"\n\"" };
    struct walk root;
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(walk_parse(str_of(bad[i]), &arena, &root), ERR_BAD, "%s", bad[i]);
        cr_expect_not(walk_is_there(root));
    }
    arena_reset(&arena);
    static char wide[60001];
    memset(wide, ',', sizeof wide);
    for (size_t i = 1; i < sizeof wide; i += 2) {
        wide[i] = '1';
    }
    wide[0] = '[';
    wide[sizeof wide - 1] = ']';
    arena_init(&arena, 4096);
    cr_expect_eq(walk_parse(str_make(wide, sizeof wide), &arena, &root), ERR_FULL);
    cr_expect_not(walk_is_there(root));
    arena_reset(&arena);
}
