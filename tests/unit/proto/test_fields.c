/* Bodies open as objects, and what nobody knows is listed. */
#include <criterion/criterion.h>

#include "proto/fields.h"

static struct arena arena;
static struct hub_problem problem;
static struct hub_losses losses;
static struct hub_request request;

static enum err
opened(const char *body, struct walk *root)
{
    arena_init(&arena, 65536);
    problem = (struct hub_problem){ 0 };
    losses = (struct hub_losses){ .problem = &problem };
    request = (struct hub_request){ .arena = &arena, .losses = &losses };
    return fields_open(&request, str_of(body), &problem, root);
}

Test(fields, only_an_object_opens)
{
    static const char *const bad[] = { "", "[]", "1", "\"x\"", "{", "{}x", "null" };
    struct walk root;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(opened(bad[i], &root), ERR_BAD, "%s", bad[i]);
        cr_expect_eq(problem.status, 400);
        cr_expect_str_eq(problem.code, "invalid_request");
        arena_reset(&arena);
    }
    cr_expect_eq(opened(" {} ", &root), ERR_OK);
    cr_expect_eq(problem.status, 0);
    arena_reset(&arena);
}

Test(fields, unknown_members_are_listed_and_null_is_none)
{
    static const char *const known[] = { "model", "input" };
    struct walk root;
    cr_assert_eq(
        opened("{\"model\":1,\"a\":{\"b\":2},\"c\":null,\"input\":[],\"\\u0064\":0,\"a\":1}",
               &root),
        ERR_OK);
    fields_drop(&request, root, known, 2);
    cr_assert_eq(losses.count, 2);
    cr_expect(str_equal(losses.fields[0], STR("a")));
    cr_expect(str_equal(losses.fields[1], STR("d")));
    arena_reset(&arena);
}
