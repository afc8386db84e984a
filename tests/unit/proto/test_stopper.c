/* Stop sequences that the upstream could not be told. */
#include "proto/stopper.h"

#include "tests/unit/proto/tape.h"

struct bench {
    struct arena arena;
    struct hub_plan plan;
    struct tape tape;
    struct stopper stopper;
    struct hub_sink to;
};

static struct bench *
set_up(const char *first, const char *second)
{
    static struct bench bench;
    arena_init(&bench.arena, 1 << 20);
    bench.plan = (struct hub_plan){ .arena = &bench.arena };
    FED(plan_watch(&bench.plan, str_of(first)));
    if (second != NULL) {
        FED(plan_watch(&bench.plan, str_of(second)));
    }
    stopper_init(&bench.stopper, &bench.plan, &bench.arena, tape_sink(&bench.tape));
    bench.to = (struct hub_sink){ .fn = stopper_event, .context = &bench.stopper };
    return &bench;
}

static void
tear_down(struct bench *bench)
{
    stopper_fini(&bench->stopper);
    arena_reset(&bench->arena);
}

/* All that a text part said, its deltas joined. */
static void
said(const struct tape *tape, char out[256])
{
    size_t len = 0;
    for (const char *at = strchr(tape->text, '+'); at != NULL; at = strchr(at, '+')) {
        for (at++; *at != '\0' && *at != ' '; at++) {
            out[len++] = *at;
        }
    }
    out[len] = '\0';
}

Test(stopper, ends_the_answer_wherever_the_sequence_is_cut)
{
    static const char text[] = "one<st<stop>two";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        char head[32], all[256];
        struct bench *bench = set_up("<stop>", "never");
        snprintf(head, sizeof head, "%.*s", (int)cut, text);
        FED(tape_open(bench->to, 1, HUB_TEXT));
        FED(tape_say(bench->to, 1, HUB_TEXT, head));
        FED(tape_say(bench->to, 1, HUB_TEXT, text + cut));
        FED(tape_say(bench->to, 1, HUB_TEXT, "three"));
        FED(tape_close(bench->to, 1, HUB_TEXT));
        FED(tape_call(bench->to, 2, "f", "c2"));
        FED(tape_close(bench->to, 2, HUB_CALL));
        FED(tape_finish(bench->to, 0, HUB_FINISH_TOOL_CALLS));
        said(&bench->tape, all);
        cr_expect_str_eq(all, "one<st", "cut at %zu: %s", cut, bench->tape.text);
        const char *end = strstr(bench->tape.text, " 1]");
        cr_assert_not_null(end);
        cr_expect_str_eq(end, " 1] F0=1<stop>", "cut at %zu", cut);
        tear_down(bench);
    }
}

Test(stopper, lets_everything_go_that_is_no_sequence)
{
    struct bench *bench = set_up("<stop>", NULL);
    char all[256];
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_say(bench->to, 1, HUB_TEXT, "a<sto"));
    FED(tape_say(bench->to, 1, HUB_TEXT, "p<stop"));
    FED(tape_close(bench->to, 1, HUB_TEXT));
    FED(tape_finish(bench->to, 0, HUB_FINISH_STOP));
    said(&bench->tape, all);
    cr_expect_str_eq(all, "a<stop<stop");
    cr_expect_not_null(strstr(bench->tape.text, "1] F0=0"));
    tear_down(bench);
}

Test(stopper, takes_the_first_sequence_and_of_two_at_a_place_the_longer)
{
    struct bench *bench = set_up("\n\n", "\n\nUser:");
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(tape_say(bench->to, 1, HUB_TEXT, "a\n\nUser:b"));
    FED(tape_finish(bench->to, 0, HUB_FINISH_STOP));
    HEARD(&bench->tape, "[1T 1+a 1] F0=1\n\nUser:");
    tear_down(bench);
}

Test(stopper, never_cuts_a_character_nor_looks_at_other_parts)
{
    struct bench *bench = set_up("STOP", NULL);
    FED(tape_open(bench->to, 1, HUB_REASONING));
    FED(tape_say(bench->to, 1, HUB_REASONING, "STOP"));
    FED(tape_close(bench->to, 1, HUB_REASONING));
    FED(tape_call(bench->to, 2, "f", "c"));
    FED(tape_say(bench->to, 2, HUB_CALL, "\"STOP\""));
    FED(tape_close(bench->to, 2, HUB_CALL));
    HEARD(&bench->tape, "[1K 1+STOP 1] [2C:fc 2+\"STOP\" 2]");
    FED(tape_open(bench->to, 3, HUB_TEXT));
    FED(tape_say(bench->to, 3, HUB_TEXT, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80"));
    FED(tape_say(bench->to, 3, HUB_TEXT, "b\xc3\xa4\xc3\xa4"));
    struct str rest = str_of(strchr(bench->tape.text + 44, '[') == NULL ? "" : bench->tape.text);
    for (size_t i = 0; i + 1 < rest.len; i++) {
        bool is_delta_end = rest.data[i + 1] == ' ' && (uint8_t)rest.data[i] >= 0xc0;
        cr_expect_not(is_delta_end, "a lead byte ends a delta: %s", rest.data);
        cr_expect_not(rest.data[i] == '+' && ((uint8_t)rest.data[i + 1] & 0xc0) == 0x80,
                      "a delta begins inside of a character: %s", rest.data);
    }
    tear_down(bench);
}

Test(stopper, silences_one_choice_only_and_goes_on_counting)
{
    struct usage usage = { .out_total = 7 };
    struct bench *bench = set_up("X", NULL);
    struct hub_event other = { .kind = HUB_OPEN, .part = 2, .choice = 1, .part_kind = HUB_TEXT };
    FED(tape_open(bench->to, 1, HUB_TEXT));
    FED(hub_emit(bench->to, &other));
    FED(tape_say(bench->to, 1, HUB_TEXT, "X"));
    other.kind = HUB_DELTA;
    other.text = STR("b");
    FED(hub_emit(bench->to, &other));
    FED(hub_emit(bench->to, &(struct hub_event){ .kind = HUB_USAGE, .usage = &usage }));
    FED(tape_finish(bench->to, 0, HUB_FINISH_LENGTH));
    FED(tape_finish(bench->to, 1, HUB_FINISH_LENGTH));
    HEARD(&bench->tape, "[1T [2T 1] 2+b U7 F0=1X F1=3");
    tear_down(bench);
}
