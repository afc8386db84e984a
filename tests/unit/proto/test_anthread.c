/*
 * test_anthread.c - answers of Anthropic providers.
 */
#include "deal.h"

#include "proto/anthropic.h"

#define ASK                                                                  \
    "{'model':'m','messages':[{'role':'user','content':'q'}],'stream':true," \
    "'stream_options':{'include_usage':true}}"
#define START                                                                              \
    "{'type':'message_start','message':{'id':'msg','model':'c','usage':{'input_tokens':9," \
    "'cache_read_input_tokens':4}}}"

Test(anthread, stream)
{
    static const char *const events[] = {
        START,
        "{'type':'ping'}",
        "{'type':'content_block_start','index':0,'content_block':{'type':'thinking','thinking':''}"
        "}",
        "{'type':'content_block_delta','index':0,'delta':{'type':'thinking_delta','thinking':'hm'}"
        "}",
        "{'type':'content_block_stop','index':0}",
        "{'type':'content_block_start','index':1,'content_block':{'type':'text','text':''}}",
        "{'type':'content_block_delta','index':1,'delta':{'type':'text_delta','text':'a\\ud83d'}}",
        "{'type':'content_block_delta','index':1,'delta':{'type':'text_delta','text':'\\ude00'}}",
        "{'type':'content_block_stop','index':1}",
        "{'type':'content_block_start','index':2,'content_block':{'type':'tool_use','id':'t1',"
        "'name':'f','input':{}}}",
        "{'type':'content_block_stop','index':2}",
        "{'type':'message_delta','delta':{'stop_reason':'tool_use'},'usage':{'output_tokens':3}}",
        "{'type':'message_stop'}",
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, ASK);
    deal_stream(&deal, events);
    HAS(deal.seen, "'reasoning_content':'hm'");
    HAS(deal.seen, "\xf0\x9f\x98\x80");
    HAS(deal.seen, "'arguments':'{}'");
    HAS(deal.seen, "'finish_reason':'tool_calls'");
    HAS(deal.seen, "'prompt_tokens':13");
    HAS(deal.seen, "'completion_tokens':3");
    deal_fini(&deal);
}

Test(anthread, failures)
{
    static const char *const last[] = {
        "{'type':'error','error':{'type':'overloaded_error','message':'m'}}",
        "{'type':'content_block_stop','index':0}", /* and then nothing */
        "{'type'",
    };
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        const char *events[] = { START, last[i], NULL };
        struct deal deal;
        deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, ASK);
        deal_stream(&deal, events);
        cr_expect_eq(translate_answer(deal.translate)->state, ANSWER_FAILED, "case %zu", i);
        deal_fini(&deal);
    }
}

Test(anthread, counts)
{
    uint64_t tokens = 0;
    cr_expect(anthread_count(STR("{\"input_tokens\":12}"), &tokens));
    cr_expect_eq(tokens, 12);
    cr_expect(!anthread_count(STR("{}"), &tokens));
}
