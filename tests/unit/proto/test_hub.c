/* The neutral form: problems, losses, lists. */
#include <criterion/criterion.h>

#include "proto/hub.h"

static struct arena arena;

Test(hub, keeps_the_first_problem_and_cuts_long_ones)
{
    struct hub_problem problem = { .status = 0 };
    cr_expect_eq(hub_refuse(&problem, "is no list", "messages[%d]", 3), ERR_BAD);
    cr_expect_eq(hub_reject(&problem, "later", "tools"), ERR_BAD);
    cr_expect_eq(problem.status, 400);
    cr_expect_str_eq(problem.code, "invalid_request");
    cr_expect_str_eq(problem.param, "messages[3]");
    cr_expect_str_eq(problem.message, "messages[3]: is no list");
    struct hub_problem whole = { .status = 0 };
    char longest[1000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_expect_eq(hub_reject(&whole, longest, "%s", longest), ERR_BAD);
    cr_expect_str_eq(whole.code, "unsupported_parameter");
    cr_expect_lt(strlen(whole.param), sizeof whole.param);
}

Test(hub, lists_losses_once_each_and_counts_the_rest)
{
    static char names[HUB_LOSSES_MAX + 2][8];
    struct hub_losses losses = { .count = 0 };
    for (uint32_t i = 0; i < HUB_LOSSES_MAX + 2; i++) {
        memset(names[i], 'a' + (int)(i % 26), 1 + i / 26);
        hub_drop(&losses, str_of(names[i]));
        hub_drop(&losses, str_of(names[0]));
    }
    cr_expect_eq(losses.count, HUB_LOSSES_MAX);
    cr_expect_eq(losses.uncounted, 2);
    struct hub_problem problem = { .status = 0 };
    struct hub_losses strict = { .is_strict = true, .problem = &problem };
    hub_drop(&strict, STR("seed"));
    cr_expect_eq(problem.status, 400);
    cr_expect_str_eq(problem.param, "seed");
}

Test(hub, appends_in_order_and_joins_texts)
{
    arena_init(&arena, 1 << 20);
    struct hub_request request = { .arena = &arena, .shape = { .dialect = DIALECT_GEMINI } };
    struct hub_message *message = hub_message_add(&request, HUB_USER, 3);
    struct str out;
    cr_assert_eq(hub_join_texts(&arena, message->parts, STR("-"), &out), ERR_OK);
    cr_expect_eq(out.len, 0);
    struct hub_part *first = hub_text_to(&arena, &message->parts, STR("one"));
    cr_assert_eq(hub_join_texts(&arena, message->parts, STR("-"), &out), ERR_OK);
    cr_expect_eq(out.data, first->text.data, "one text is returned as it is");
    (void)hub_part_to(&arena, &message->parts, HUB_IMAGE);
    struct hub_part *last = hub_text_to(&arena, &message->parts, STR(""));
    cr_expect_eq(message->parts->tail, last);
    cr_assert_eq(hub_join_texts(&arena, message->parts, STR("-"), &out), ERR_OK);
    cr_expect(str_equal(out, STR("one-")), "%.*s", STR_ARG(out));
    char path[HUB_PATH_BYTES];
    last->index = UINT32_MAX;
    message->index = UINT32_MAX;
    cr_expect_str_eq(hub_part_path(&request, message, last, path),
                     "contents[4294967295].parts[4294967295]");
    cr_expect_str_eq(hub_path(&request, message, path), "contents[4294967295]");
    arena_reset(&arena);
}

Test(hub, bounds_tools_and_finds_them_by_name_and_space)
{
    arena_init(&arena, 1 << 22);
    struct hub_request request = { .arena = &arena };
    for (uint32_t i = 0; i < HUB_TOOLS_MAX; i++) {
        cr_assert_not_null(hub_tool_add(&request, HUB_TOOL_FUNCTION));
    }
    cr_expect_null(hub_tool_add(&request, HUB_TOOL_FUNCTION));
    request.last_tool->name = STR("f");
    request.last_tool->space = STR("s");
    cr_expect_eq(hub_tool_find(&request, STR("f"), STR("s")), request.last_tool);
    cr_expect_null(hub_tool_find(&request, STR("f"), STR("")));
    arena_reset(&arena);
}
