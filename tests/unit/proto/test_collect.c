/* The events of an answer, folded into the whole. */
#include "proto/collect.h"

#include "tests/unit/proto/tape.h"

static struct collect collect;

static enum err
feed(void *context, const struct hub_event *event)
{
    return collect_event(context, event);
}

Test(collect, puts_parts_where_they_began_whatever_ends_first)
{
    collect_init(&collect, 1 << 20);
    struct hub_sink to = { .fn = feed, .context = &collect };
    FED(tape_open(to, 1, HUB_TEXT));
    FED(tape_call(to, 2, "f", "c2"));
    FED(tape_say(to, 2, HUB_CALL, "{\"a\":"));
    FED(tape_say(to, 1, HUB_TEXT, "one"));
    FED(tape_say(to, 2, HUB_CALL, "1}"));
    cr_expect(str_equal(collect_text(&collect, 2), STR("{\"a\":1}")));
    FED(tape_close(to, 2, HUB_CALL));
    cr_expect_eq(collect_text(&collect, 2).len, 0, "it is open no more");
    FED(tape_close(to, 1, HUB_TEXT));
    FED(tape_finish(to, 1, HUB_FINISH_LENGTH));
    FED(tape_finish(to, 0, HUB_FINISH_TOOL_CALLS));
    const struct hub_choice_answer *choice = collect_answer(&collect)->choices;
    cr_assert(choice->index == 0 && choice->next->index == 1 && choice->next->next == NULL);
    cr_expect(choice->finish == HUB_FINISH_TOOL_CALLS && choice->next->finish == HUB_FINISH_LENGTH);
    cr_expect(str_equal(choice->parts->text, STR("one")));
    const struct hub_part *call = choice->parts->next;
    cr_expect(call->kind == HUB_CALL && str_equal(call->call.arguments, STR("{\"a\":1}")));
    cr_expect(str_equal(call->call.name, STR("f")) && str_equal(call->call.id, STR("c2")));
    collect_fini(&collect);
}

Test(collect, keeps_segments_signatures_and_probabilities)
{
    collect_init(&collect, 1 << 20);
    struct hub_sink to = { .fn = feed, .context = &collect };
    struct hub_signature signature = { .family = HUB_FAMILY_OPENAI,
                                       .bytes = STR("s"),
                                       .id = STR("rs") };
    struct hub_event event = { .kind = HUB_SEGMENT, .part = 1, .part_kind = HUB_REASONING };
    FED(tape_open(to, 1, HUB_REASONING));
    FED(tape_say(to, 1, HUB_REASONING, "first"));
    FED(hub_emit(to, &event));
    FED(tape_say(to, 1, HUB_REASONING, "second"));
    event.kind = HUB_SIGNATURE;
    event.signature = &signature;
    FED(hub_emit(to, &event));
    FED(tape_close(to, 1, HUB_REASONING));
    event = (struct hub_event){ .kind = HUB_LOGPROBS, .part = 2, .part_kind = HUB_TEXT };
    FED(tape_open(to, 2, HUB_TEXT));
    event.text = STR("{\"a\":1}");
    FED(hub_emit(to, &event));
    FED(hub_emit(to, &event));
    FED(tape_close(to, 2, HUB_TEXT));
    const struct hub_part *part = collect_answer(&collect)->choices->parts;
    cr_expect(str_equal(part->reasoning.segments->text, STR("first")));
    cr_expect(str_equal(part->reasoning.segments->next->text, STR("second")));
    cr_expect(str_equal(part->reasoning.signature.id, STR("rs")));
    cr_expect(str_equal(part->next->logprobs_json, STR("[{\"a\":1},{\"a\":1}]")));
    collect_fini(&collect);
}

Test(collect, bounds_all_texts_together_and_gives_back_what_was_open)
{
    collect_init(&collect, 10);
    struct hub_sink to = { .fn = feed, .context = &collect };
    FED(tape_open(to, 1, HUB_TEXT));
    FED(tape_open(to, 2, HUB_TEXT));
    FED(tape_say(to, 1, HUB_TEXT, "12345"));
    FED(tape_say(to, 2, HUB_TEXT, "12345"));
    cr_expect_eq(tape_say(to, 1, HUB_TEXT, "6"), ERR_FULL);
    cr_expect_eq(tape_say(to, 1, HUB_TEXT, ""), ERR_OK);
    cr_expect_eq(tape_call(to, 3, "f", ""), ERR_FULL);
    cr_expect_eq(collect_answer(&collect)->choices->parts->text.len, 0, "no text yet");
    collect_fini(&collect);
}
