/* Names and ids as the upstream sees them, and back. */
#include <criterion/criterion.h>
#include <ctype.h>

#include "proto/plan.h"

static struct arena arena;
static struct caps caps;

static struct hub_plan
planned(enum dialect client, enum dialect upstream, struct hub_tool *tools)
{
    struct hub_request request = { .tools = tools, .shape = { .dialect = client } };
    struct hub_target target = { .dialect = upstream, .caps = &caps };
    struct hub_plan plan = { .arena = &arena, .shape = request.shape, .seed = 42 };
    arena_init(&arena, 1 << 20);
    caps_default(&caps, upstream);
    cr_assert_eq(plan_make(&plan, &request, &target), ERR_OK);
    return plan;
}

static bool
is_legal(struct str name, size_t bytes_max)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!isalnum((uint8_t)name.data[i]) && name.data[i] != '_' && name.data[i] != '-') {
            return false;
        }
    }
    return name.len > 0 && name.len <= bytes_max;
}

Test(plan, makes_every_name_legal_and_none_twice)
{
    static char longest[300];
    memset(longest, 'n', sizeof longest - 1);
    struct hub_tool tools[] = {
        { .name = STR("plain") },
        { .name = STR("a.b") },
        { .name = STR("a:b") },
        { .name = STR("a_b") },
        { .name = str_of(longest) },
        { .name = STR("\xc3\xa4\xf0\x9f\x98\x80") },
        { .name = STR("b"), .space = STR("a_") },
        { .name = STR("a___b") },
        { .name = STR("") },
        { .name = STR("plain"), .space = STR("x") },
    };
    enum { COUNT = sizeof tools / sizeof tools[0] };
    for (size_t i = 0; i + 1 < COUNT; i++) {
        tools[i].next = &tools[i + 1];
    }
    for (int upstream = 0; upstream < DIALECT_GEMINI; upstream++) {
        struct hub_plan plan = planned(DIALECT_RESPONSES, (enum dialect)upstream, tools);
        size_t max = upstream == DIALECT_RESPONSES ? 128
                     : upstream == DIALECT_CHAT    ? 64
                                                   : caps.name_max;
        for (size_t i = 0; i < COUNT; i++) {
            struct str wire;
            cr_assert_eq(plan_wire(&plan, tools[i].name, tools[i].space, &wire), ERR_OK);
            cr_expect(is_legal(wire, max), "%.*s", STR_ARG(wire));
            const struct plan_tool *back = plan_tool_of(&plan, wire);
            cr_assert_not_null(back);
            cr_expect(str_equal(back->name, tools[i].name), "%.*s", STR_ARG(wire));
            cr_expect(str_equal(back->space, tools[i].space), "%.*s", STR_ARG(wire));
        }
        struct str wire;
        cr_assert_eq(plan_wire(&plan, STR("gone tool"), STR(""), &wire), ERR_OK);
        cr_expect(is_legal(wire, max) && plan_tool_of(&plan, wire) == NULL, "of a history");
        arena_reset(&arena);
    }
}

Test(plan, lets_legal_names_of_gemini_stay)
{
    struct hub_tool tools[] = { { .name = STR("a.b:c-d") }, { .name = STR("1st") } };
    tools[0].next = &tools[1];
    struct hub_plan plan = planned(DIALECT_CHAT, DIALECT_GEMINI, tools);
    struct str wire;
    cr_assert_eq(plan_wire(&plan, STR("a.b:c-d"), STR(""), &wire), ERR_OK);
    cr_expect(str_equal(wire, STR("a.b:c-d")));
    cr_assert_eq(plan_wire(&plan, STR("1st"), STR(""), &wire), ERR_OK);
    cr_expect(str_starts(wire, STR("_1st_")), "a digit cannot begin it: %.*s", STR_ARG(wire));
    arena_reset(&arena);
}

Test(plan, maps_ids_always_alike_and_only_when_it_must)
{
    char out[PLAN_ID_BYTES], again[PLAN_ID_BYTES];
    static char longest[300];
    memset(longest, 'i', sizeof longest - 1);
    cr_expect(str_equal(plan_call_id(DIALECT_ANTHROPIC, STR("toolu_1"), out), STR("toolu_1")));
    struct str hostile[] = { STR(""), STR("a b"), STR("\xc3\xa4"), str_of(longest) };
    for (size_t i = 0; i < 4; i++) {
        struct str id = plan_call_id(DIALECT_ANTHROPIC, hostile[i], out);
        cr_expect(is_legal(id, 64) && str_starts(id, STR("toolu_")), "%.*s", STR_ARG(id));
        cr_expect(str_equal(id, plan_call_id(DIALECT_ANTHROPIC, hostile[i], again)));
    }
    cr_expect_leq(plan_call_id(DIALECT_CHAT, str_of(longest), out).len, 40);
    struct hub_plan plan = planned(DIALECT_CHAT, DIALECT_GEMINI, NULL);
    struct str first = plan_fresh_call(&plan, 0, out);
    struct str second = plan_fresh_call(&plan, 1, again);
    cr_expect(str_starts(first, STR("call_")) && !str_equal(first, second));
    first = plan_answer_id(&plan, STR("up"), out);
    second = plan_answer_id(&plan, STR(""), again);
    cr_expect(str_starts(first, STR("chatcmpl-")) && first.len == 9 + 24);
    cr_expect(str_starts(second, STR("chatcmpl-")) && !str_equal(first, second));
    arena_reset(&arena);
}

Test(plan, wraps_free_text_tools_where_the_upstream_has_none)
{
    struct hub_tool tool = { .name = STR("patch"),
                             .kind = HUB_TOOL_CUSTOM,
                             .description = STR("Edits."),
                             .grammar = STR("start: x"),
                             .grammar_syntax = STR("lark") };
    struct hub_plan plan = planned(DIALECT_RESPONSES, DIALECT_ANTHROPIC, &tool);
    cr_expect(plan.tools->is_wrapped && plan.tools->kind == HUB_CUSTOM);
    struct str text;
    cr_assert_eq(plan_custom_description(&arena, &tool, &text), ERR_OK);
    cr_expect(str_starts(text, STR("Edits.")) && str_ends(text, STR("lark grammar:\nstart: x")));
    arena_reset(&arena);
    plan = planned(DIALECT_CHAT, DIALECT_RESPONSES, &tool);
    cr_expect_not(plan.tools->is_wrapped);
    tool.kind = HUB_TOOL_HOSTED;
    arena_reset(&arena);
    plan = planned(DIALECT_RESPONSES, DIALECT_CHAT, &tool);
    cr_expect_null(plan.tools, "hosted tools have no name to map");
    arena_reset(&arena);
}
