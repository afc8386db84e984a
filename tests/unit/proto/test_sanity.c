/* Whatever a provider sends, what comes out is an answer in good order. */
#include "proto/sanity.h"

#include "tests/unit/proto/tape.h"

struct bench {
    struct arena arena;
    struct tape tape;
    struct sanity sanity;
    struct hub_sink to;
};

static struct bench *
set_up(void)
{
    static struct bench bench;
    arena_init(&bench.arena, 1 << 22);
    sanity_init(&bench.sanity, &bench.arena, tape_sink(&bench.tape));
    bench.to = (struct hub_sink){ .fn = sanity_event, .context = &bench.sanity };
    return &bench;
}

Test(sanity, makes_a_start_and_holds_the_finish_until_the_parts_are_over)
{
    struct bench *bench = set_up();
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_finish(bench->to, 0, HUB_FINISH_STOP));
    FED(tape_say(bench->to, 1, HUB_TEXT, "late"));
    FED(tape_simple(bench->to, HUB_START));
    FED(tape_simple(bench->to, HUB_END));
    FED(tape_simple(bench->to, HUB_END));
    FED(tape_say(bench->to, 1, HUB_TEXT, "too late"));
    HEARD(&bench->tape, "S [1T 1+late 1] F0=0 E");
    arena_reset(&bench->arena);
}

Test(sanity, corrects_a_reason_that_does_not_fit_what_was_said)
{
    struct bench *bench = set_up();
    FED(tape_call(bench->to, 1, "f", "c1"));
    FED(tape_close(bench->to, 1, HUB_CALL));
    FED(tape_finish(bench->to, 0, HUB_FINISH_STOP));
    FED(tape_simple(bench->to, HUB_END));
    HEARD(&bench->tape, "S [1C:fc1 1] F0=2 E");
    arena_reset(&bench->arena);
    bench = set_up();
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_finish(bench->to, 0, HUB_FINISH_TOOL_CALLS));
    FED(tape_simple(bench->to, HUB_END));
    HEARD(&bench->tape, "S [1T 1] F0=0 E");
    arena_reset(&bench->arena);
    bench = set_up();
    FED(tape_call(bench->to, 1, "f", "c1"));
    FED(tape_finish(bench->to, 0, HUB_FINISH_LENGTH));
    FED(tape_simple(bench->to, HUB_END));
    HEARD(&bench->tape, "S [1C:fc1 1]! F0=3 E");
    arena_reset(&bench->arena);
}

Test(sanity, finishes_every_choice_in_order_and_none_twice)
{
    struct bench *bench = set_up();
    FED(tape_finish(bench->to, 1, HUB_FINISH_LENGTH));
    FED(tape_finish(bench->to, 0, HUB_FINISH_STOP));
    FED(tape_finish(bench->to, 1, HUB_FINISH_STOP));
    FED(tape_simple(bench->to, HUB_END));
    HEARD(&bench->tape, "S F0=0 F1=0 E");
    cr_expect_eq(tape_finish(bench->to, 0, HUB_FINISH_STOP), ERR_OK, "it is over");
    arena_reset(&bench->arena);
    bench = set_up();
    cr_expect_eq(tape_finish(bench->to, HUB_CHOICES_MAX, HUB_FINISH_STOP), ERR_FULL);
    arena_reset(&bench->arena);
}

Test(sanity, sees_that_an_answer_broke_off)
{
    struct bench *bench = set_up();
    FED(tape_open(bench->to, 1, HUB_TEXT));
    cr_expect_eq(tape_simple(bench->to, HUB_END), ERR_BAD, "no finish");
    arena_reset(&bench->arena);
    bench = set_up();
    cr_expect_eq(tape_simple(bench->to, HUB_END), ERR_BAD, "nothing at all");
    arena_reset(&bench->arena);
    bench = set_up();
    FED(tape_finish(bench->to, 0, HUB_FINISH_MALFORMED_TOOL));
    FED(tape_simple(bench->to, HUB_END));
    HEARD(&bench->tape, "S Xupstream_malformed_tool_call");
    arena_reset(&bench->arena);
    bench = set_up();
    FED(tape_finish(bench->to, 0, HUB_FINISH_OTHER));
    FED(tape_simple(bench->to, HUB_END));
    HEARD(&bench->tape, "S X");
    arena_reset(&bench->arena);
}

Test(sanity, lets_an_error_through_at_once_and_nothing_behind_it)
{
    struct bench *bench = set_up();
    struct error_found found = { .kind = ERROR_OVERLOADED, .code = "busy" };
    struct hub_event error = { .kind = HUB_ERROR, .error = &found };
    FED(hub_emit(bench->to, &error));
    FED(hub_emit(bench->to, &error));
    FED(tape_open(bench->to, 1, HUB_TEXT));
    HEARD(&bench->tape, "Xbusy");
    arena_reset(&bench->arena);
}

Test(sanity, bounds_the_parts_that_are_open)
{
    struct bench *bench = set_up();
    bench->sanity.next = (struct hub_sink){ .fn = tape_event, .context = &bench->tape };
    for (uint32_t i = 1; i <= HUB_OPEN_MAX; i++) {
        FED(tape_open(bench->to, i, HUB_TEXT));
    }
    cr_expect_eq(tape_open(bench->to, HUB_OPEN_MAX + 1, HUB_TEXT), ERR_FULL);
    FED(tape_close(bench->to, 1, HUB_TEXT));
    FED(tape_open(bench->to, HUB_OPEN_MAX + 2, HUB_TEXT));
    arena_reset(&bench->arena);
}
