/*
 * test_chatsay.c - whole Chat Completions answers, and pieces of them.
 */
#include "deal.h"

#include "proto/chatsay.h"

#define WHOLE "{'model':'m','messages':[{'role':'user','content':'q'}]}"

Test(chatsay, reasons)
{
    static const struct {
        enum hub_finish finish;
        bool has_refusal;
        const char *word;
    } cases[] = {
        { HUB_FINISH_STOP, false, "stop" },
        { HUB_FINISH_STOP_SEQUENCE, false, "stop" },
        { HUB_FINISH_MALFORMED_TOOL, false, "stop" },
        { HUB_FINISH_OTHER, false, "stop" },
        { HUB_FINISH_TOOL_CALLS, false, "tool_calls" },
        { HUB_FINISH_LENGTH, false, "length" },
        { HUB_FINISH_CONTEXT_FULL, false, "length" },
        { HUB_FINISH_PAUSE, false, "length" },
        { HUB_FINISH_CONTENT_FILTER, false, "content_filter" },
        { HUB_FINISH_RECITATION, false, "content_filter" },
        { HUB_FINISH_REFUSAL, false, "content_filter" },
        { HUB_FINISH_REFUSAL, true, "stop" },
    };
    struct hub_plan plan = { .shape = { .legacy_functions = false } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_str_eq(chatsay_finish(&plan, cases[i].finish, cases[i].has_refusal),
                         cases[i].word);
    }
    plan.shape.legacy_functions = true;
    cr_expect_str_eq(chatsay_finish(&plan, HUB_FINISH_TOOL_CALLS, false), "function_call");
}

/* Input of every kind is in prompt_tokens; only Gemini's signatures have a place here. */
Test(chatsay, pieces)
{
    struct usage usage = { .in_fresh = 5,
                           .in_cache_read = 3,
                           .in_cache_write_5m = 1,
                           .in_cache_write_1h = 1,
                           .out_total = 7,
                           .out_reasoning = 2 };
    struct hub_annotation cite = { .url = STR("u\""), .title = STR("t"), .start = 1, .end = 2 };
    struct hub_signature google = { .family = HUB_FAMILY_GEMINI, .bytes = STR("sig") };
    struct hub_signature other = { .family = HUB_FAMILY_ANTHROPIC, .bytes = STR("secret") };
    struct buf to;
    struct jsonw w;
    buf_init(&to, 4096);
    jsonw_begin(&w, &to);
    jsonw_object(&w);
    chatsay_usage(&w, &usage);
    chatsay_signature(&w, &google);
    chatsay_signature(&w, &other);
    jsonw_name(&w, "annotations");
    jsonw_array(&w);
    chatsay_annotation(&w, &cite);
    jsonw_close(&w);
    jsonw_close(&w);
    cr_assert_eq(jsonw_end(&w), ERR_OK);
    HAS(to, "'prompt_tokens':10,'completion_tokens':7,'total_tokens':17");
    HAS(to, "'cached_tokens':3,'cache_write_tokens':2");
    HAS(to, "'reasoning_tokens':2");
    HAS(to, "'extra_content':{'google':{'thought_signature':'sig'}}");
    LACKS(to, "secret");
    HAS(to, "{'type':'url_citation','url_citation':{'url':'u\\'','title':'t','start_index':1,"
            "'end_index':2}}");
    buf_fini(&to);
}

/* content and refusal are always there, null when there is none of them. */
Test(chatsay, whole)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, WHOLE);
    deal_whole(&deal, "{'id':'msg_1','type':'message','role':'assistant','content':[{'type':"
                      "'thinking','thinking':'hm','signature':'s'},{'type':'tool_use','id':'t1',"
                      "'name':'f','input':{'a':1.50}}],'stop_reason':'tool_use','usage':{"
                      "'input_tokens':3,'output_tokens':2}}");
    HAS(deal.seen, "'object':'chat.completion'");
    HAS(deal.seen, "'content':null,'refusal':null,'reasoning_content':'hm'");
    HAS(deal.seen, "'arguments':'{\\'a\\':1.50}'");
    HAS(deal.seen, "'logprobs':null,'finish_reason':'tool_calls'");
    HAS(deal.seen, "'total_tokens':5");
    deal_fini(&deal);
}

/* Texts that were cut around a citation are one text, and its places count characters of it. */
Test(chatsay, citations_move)
{
    struct hub_annotation cite = { .url = STR("u"), .title = STR("t"), .start = 0, .end = 1 };
    struct hub_part second = { .kind = HUB_TEXT, .text = STR("b"), .annotations = &cite };
    struct hub_part first = { .kind = HUB_TEXT, .text = STR("\xc3\xa4 "), .next = &second };
    struct hub_choice_answer choice = { .parts = &first, .finish = HUB_FINISH_STOP };
    struct hub_answer answer = { .choices = &choice };
    struct hub_plan plan = { .shape = { .model = STR("m") } };
    struct arena arena;
    struct buf to;
    arena_init(&arena, 1 << 16);
    buf_init(&to, 4096);
    cr_assert_eq(chatsay_answer(&to, &arena, &plan, &answer), ERR_OK);
    HAS(to, "'content':'\xc3\xa4 b'");
    HAS(to, "'start_index':2,'end_index':3");
    buf_fini(&to);
    buf_init(&to, 16);
    cr_expect_eq(chatsay_answer(&to, &arena, &plan, &answer), ERR_FULL);
    buf_fini(&to);
    arena_reset(&arena);
}
