/* What the plan did to a request is undone in its answer. */
#include "proto/restore.h"

#include "tests/unit/proto/tape.h"

struct bench {
    struct arena arena;
    struct hub_plan plan;
    struct plan_tool tools[2];
    struct tape tape;
    struct restore restore;
    struct hub_sink to;
};

/* Two tools: "wire" is space's "name"; "patch" is a free-text tool that went out as a function. */
static struct bench *
set_up(void)
{
    static struct bench bench;
    arena_init(&bench.arena, 1 << 20);
    bench.tools[0] = (struct plan_tool){
        .next = &bench.tools[1], .name = STR("name"), .space = STR("space"), .wire = STR("wire")
    };
    bench.tools[1] = (struct plan_tool){
        .name = STR("patch"), .wire = STR("patch"), .kind = HUB_CUSTOM, .is_wrapped = true
    };
    bench.plan = (struct hub_plan){ .arena = &bench.arena,
                                    .upstream = DIALECT_CHAT,
                                    .shape = { .dialect = DIALECT_ANTHROPIC },
                                    .tools = &bench.tools[0] };
    restore_init(&bench.restore, &bench.plan, &bench.arena, tape_sink(&bench.tape));
    bench.to = (struct hub_sink){ .fn = restore_event, .context = &bench.restore };
    return &bench;
}

static void
tear_down(struct bench *bench)
{
    restore_fini(&bench->restore);
    arena_reset(&bench->arena);
}

Test(restore, gives_names_and_ids_back_and_arguments_to_a_call_without_any)
{
    struct bench *bench = set_up();
    FED(tape_call(bench->to, 1, "wire", "toolu_1"));
    FED(tape_close(bench->to, 1, HUB_CALL));
    FED(tape_call(bench->to, 2, "unknown", "toolu_2"));
    FED(tape_say(bench->to, 2, HUB_CALL, "{\"a\":1}"));
    FED(tape_close(bench->to, 2, HUB_CALL));
    HEARD(&bench->tape, "[1Cspace:nametoolu_1 1+{} 1] [2C:unknowntoolu_2 2+{\"a\":1} 2]");
    FED(tape_call(bench->to, 3, "wire", "an id / of another"));
    cr_expect_null(strstr(bench->tape.text, "of another"), "%s", bench->tape.text);
    cr_expect_not_null(strstr(bench->tape.text, "[3Cspace:nametoolu_"), "%s", bench->tape.text);
    tear_down(bench);
}

Test(restore, unwraps_free_text_as_it_streams)
{
    struct bench *bench = set_up();
    FED(tape_call(bench->to, 1, "patch", "toolu_1"));
    FED(tape_say(bench->to, 1, HUB_CALL, "{\"inp"));
    FED(tape_say(bench->to, 1, HUB_CALL, "ut\": \"a\\"));
    FED(tape_say(bench->to, 1, HUB_CALL, "nb\"}"));
    FED(tape_close(bench->to, 1, HUB_CALL));
    HEARD(&bench->tape, "[1C:patchtoolu_1 1+a 1+\nb 1]");
    tear_down(bench);
    bench = set_up();
    FED(tape_call(bench->to, 1, "patch", "toolu_1"));
    FED(tape_say(bench->to, 1, HUB_CALL, "{\"patch\":"));
    FED(tape_say(bench->to, 1, HUB_CALL, "\"a\"}"));
    FED(tape_close(bench->to, 1, HUB_CALL));
    HEARD(&bench->tape, "[1C:patchtoolu_1 1+{\"patch\":\"a\"} 1]");
    tear_down(bench);
    bench = set_up();
    FED(tape_call(bench->to, 1, "patch", "toolu_1"));
    FED(tape_say(bench->to, 1, HUB_CALL, "{\"input\":\"\"}"));
    FED(tape_close(bench->to, 1, HUB_CALL));
    HEARD(&bench->tape, "[1C:patchtoolu_1 1]");
    tear_down(bench);
}

Test(restore, makes_the_forced_tool_of_structured_output_the_text)
{
    struct bench *bench = set_up();
    bench->plan.json_tool = true;
    FED(tape_call(bench->to, 1, PLAN_JSON_TOOL, "toolu_1"));
    FED(tape_say(bench->to, 1, HUB_CALL, "{\"a\":"));
    FED(tape_say(bench->to, 1, HUB_CALL, "1}"));
    FED(tape_close(bench->to, 1, HUB_CALL));
    FED(tape_finish(bench->to, 0, HUB_FINISH_TOOL_CALLS));
    HEARD(&bench->tape, "[1T 1+{\"a\": 1+1} 1] F0=0");
    tear_down(bench);
    bench = set_up();
    bench->plan.json_tool = true;
    FED(tape_call(bench->to, 1, PLAN_JSON_TOOL, "toolu_1"));
    FED(tape_close(bench->to, 1, HUB_CALL));
    FED(tape_call(bench->to, 2, "wire", "toolu_2"));
    FED(tape_close(bench->to, 2, HUB_CALL));
    FED(tape_finish(bench->to, 0, HUB_FINISH_TOOL_CALLS));
    HEARD(&bench->tape, "[1T 1] [2Cspace:nametoolu_2 2+{} 2] F0=2");
    tear_down(bench);
    bench = set_up();
    FED(tape_call(bench->to, 1, PLAN_JSON_TOOL, "toolu_1"));
    HEARD(&bench->tape, "[1C:" PLAN_JSON_TOOL "toolu_1");
    tear_down(bench);
}

Test(restore, keeps_the_first_call_of_a_reply_that_may_have_one)
{
    struct bench *bench = set_up();
    bench->plan.single_call = true;
    FED(tape_call(bench->to, 1, "wire", "toolu_1"));
    FED(tape_call(bench->to, 2, "wire", "toolu_2"));
    FED(tape_say(bench->to, 2, HUB_CALL, "{\"b\":2}"));
    FED(tape_say(bench->to, 1, HUB_CALL, "{}"));
    FED(tape_close(bench->to, 2, HUB_CALL));
    FED(tape_close(bench->to, 1, HUB_CALL));
    FED(tape_finish(bench->to, 0, HUB_FINISH_TOOL_CALLS));
    HEARD(&bench->tape, "[1Cspace:nametoolu_1 1+{} 1] F0=2");
    tear_down(bench);
}

Test(restore, lets_everything_else_pass)
{
    struct bench *bench = set_up();
    FED(tape_simple(bench->to, HUB_START));
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_say(bench->to, 1, HUB_TEXT, "wire"));
    FED(tape_close(bench->to, 1, HUB_TEXT));
    FED(tape_finish(bench->to, 0, HUB_FINISH_LENGTH));
    FED(tape_simple(bench->to, HUB_END));
    HEARD(&bench->tape, "S [1T 1+wire 1] F0=3 E");
    bench->tape.answer = ERR_FULL;
    cr_expect_eq(tape_call(bench->to, 2, "wire", "toolu_1"), ERR_FULL);
    tear_down(bench);
}
