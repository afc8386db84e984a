/*
 * test_anthwrite.c - answers for Anthropic clients.
 */
#include "deal.h"

#include "proto/anthropic.h"

#define ASK(tools)                                                                             \
    "{'model':'mine','max_tokens':9,'stream':true,'messages':[{'role':'user','content':'q'}]," \
    "'tools':[" tools "]}"

/* Blocks in a row: thinking without a signature, text, a call; the usage is told at the end. */
Test(anthwrite, stream)
{
    static const char *const events[] = {
        "{'id':'x','choices':[{'index':0,'delta':{'reasoning_content':'hm'}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{'content':'a'}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'id':'c1','function':{"
        "'name':'f','arguments':'{\\'x\\':'}}]}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'function':{"
        "'arguments':'1}'}}]}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{},'finish_reason':'tool_calls'}]}",
        "{'id':'x','choices':[],'usage':{'prompt_tokens':12,'completion_tokens':7,"
        "'prompt_tokens_details':{'cached_tokens':5}}}",
        "[DONE]",
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             ASK("{'name':'f','input_schema':{'type':'object'}}"));
    deal_stream(&deal, events);
    HAS(deal.seen, "event: message_start\n");
    HAS(deal.seen, "'model':'mine'");
    HAS(deal.seen, "'index':0,'content_block':{'type':'thinking','thinking':'','signature':''}");
    LACKS(deal.seen, "signature_delta");
    HAS(deal.seen, "'index':1,'content_block':{'type':'text'");
    HAS(deal.seen, "'index':2,'content_block':{'type':'tool_use','id':'c1','name':'f'");
    HAS(deal.seen, "'partial_json':'1}'");
    cr_expect_eq(deal_count(&deal.seen, "event: content_block_stop\n"), 3);
    HAS(deal.seen, "'stop_reason':'tool_use'");
    HAS(deal.seen, "'input_tokens':7");
    HAS(deal.seen, "'cache_read_input_tokens':5");
    HAS(deal.seen, "event: message_stop\n");
    deal_fini(&deal);
}

Test(anthwrite, error)
{
    static const char *const events[] = {
        "{'id':'x','choices':[{'index':0,'delta':{'content':'a'}}]}", NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT, ASK(""));
    deal_stream(&deal, events);
    struct answer *answer = translate_answer(deal.translate);
    cr_assert_eq(answer->state, ANSWER_FAILED);
    struct error_info info = { .status = 503, .code = "x", .message = STR("it broke") };
    answer_fail(answer, &info);
    HAS(answer->out, "event: error\n");
    HAS(answer->out, "'message':'it broke'");
    LACKS(answer->out, "message_stop");
    deal_fini(&deal);
}

Test(anthwrite, count)
{
    struct buf to;
    buf_init(&to, 1024);
    cr_assert_eq(anthwrite_count(&to, 12), ERR_OK);
    cr_expect(str_equal(buf_str(&to), STR("{\"input_tokens\":12}")));
    buf_fini(&to);
}
