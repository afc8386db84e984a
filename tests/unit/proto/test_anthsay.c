/*
 * test_anthsay.c - pieces of Anthropic answers.
 */
#include "deal.h"

#include "proto/anthsay.h"

/* Every word comes back as the reason it stands for. */
Test(anthsay, reasons)
{
    static const struct {
        enum hub_finish finish;
        const char *word;
    } cases[] = {
        { HUB_FINISH_STOP, "end_turn" },
        { HUB_FINISH_TOOL_CALLS, "tool_use" },
        { HUB_FINISH_LENGTH, "max_tokens" },
        { HUB_FINISH_CONTEXT_FULL, "model_context_window_exceeded" },
        { HUB_FINISH_REFUSAL, "refusal" },
        { HUB_FINISH_PAUSE, "pause_turn" },
    };
    struct arena arena;
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct walk word;
        struct str json = arena_printf(&arena, "\"%s\"", cases[i].word);
        cr_assert_eq(walk_parse(json, &arena, &word), ERR_OK);
        cr_expect_eq(anthsay_finish(word), cases[i].finish, "%s", cases[i].word);
        cr_expect_str_eq(anthsay_stop(cases[i].finish, false), cases[i].word);
    }
    cr_expect_str_eq(anthsay_stop(HUB_FINISH_STOP_SEQUENCE, true), "stop_sequence");
    cr_expect_str_eq(anthsay_stop(HUB_FINISH_STOP_SEQUENCE, false), "end_turn");
    cr_expect_str_eq(anthsay_stop(HUB_FINISH_CONTENT_FILTER, false), "refusal");
    arena_reset(&arena);
}

/* A whole answer: arguments are an object, and nothing empty is in it. */
Test(anthsay, whole)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'q'}]}");
    deal_whole(&deal, "{'id':'x','choices':[{'index':0,'finish_reason':'stop','message':{'role':"
                      "'assistant','content':null,'tool_calls':[{'id':'c','type':'function',"
                      "'function':{'name':'f','arguments':'{\\'a\\':1.50}'}}]}}],'usage':{"
                      "'prompt_tokens':3,'completion_tokens':2}}");
    HAS(deal.seen, "'id':'msg_");
    HAS(deal.seen, "'input':{'a':1.50}");
    LACKS(deal.seen, "'type':'text'");
    HAS(deal.seen, "'stop_reason':'tool_use'");
    HAS(deal.seen, "'input_tokens':3");
    deal_fini(&deal);
}
