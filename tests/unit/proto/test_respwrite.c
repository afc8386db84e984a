/*
 * test_respwrite.c - answers for Responses clients.
 */
#include "deal.h"

#include <stdio.h>

#include "proto/responses.h"

#define ASK "{'model':'m','input':'q','stream':true}"
#define TEXT(text) "{'id':'x','choices':[{'index':0,'delta':{'content':'" text "'}}]}"
#define FINISH(reason) "{'id':'x','choices':[{'index':0,'delta':{},'finish_reason':'" reason "'}]}"
#define USAGE                                                                              \
    "{'id':'x','choices':[],'usage':{'prompt_tokens':12,'completion_tokens':7,"            \
    "'prompt_tokens_details':{'cached_tokens':5},'completion_tokens_details':{'reasoning_" \
    "tokens':3}}}"

/* The terminal event comes last, behind the usage, and repeats everything. */
Test(respwrite, lifecycle)
{
    static const char *const events[] = { TEXT("Hel"), TEXT("lo"), FINISH("stop"),
                                          USAGE,       "[DONE]",   NULL };
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'mine','input':'q','stream':true,'instructions':'I','metadata':{'a':'b'}}");
    deal_stream(&deal, events);
    HAS(deal.seen, "event: response.created\ndata: {'type':'response.created','sequence_number':0");
    HAS(deal.seen, "'delta':'Hel','logprobs':[]");
    HAS(deal.seen, "'text':'Hello','logprobs':[]");
    cr_expect_eq(deal_count(&deal.seen, "event: response.completed\n"), 1);
    HAS(deal.seen, "'content':[{'type':'output_text','text':'Hello','annotations':[],'logprobs':[]"
                   "}]}],'instructions':'I'");
    HAS(deal.seen, "'usage':{'input_tokens':12,'input_tokens_details':{'cached_tokens':5},"
                   "'output_tokens':7,'output_tokens_details':{'reasoning_tokens':3},"
                   "'total_tokens':19}");
    cr_expect_eq(deal_count(&deal.seen, "'model':'mine'"), 3);
    cr_expect_eq(deal_count(&deal.seen, "'metadata':{'a':'b'}"), 3);
    LACKS(deal.seen, "[DONE]");
    deal_fini(&deal);
}

Test(respwrite, ends)
{
    static const char *const cases[][3] = {
        { "length", "event: response.incomplete\n", "'reason':'max_output_tokens'" },
        { "content_filter", "event: response.incomplete\n", "'reason':'content_filter'" },
        { "stop", "event: response.completed\n", "'incomplete_details':null" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char finish[128];
        snprintf(finish, sizeof finish, FINISH("%s"), cases[i][0]);
        const char *events[] = { TEXT("a"), finish, "[DONE]", NULL };
        struct deal deal;
        deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT, ASK);
        deal_stream(&deal, events);
        HAS(deal.seen, cases[i][1]);
        HAS(deal.seen, cases[i][2]);
        deal_fini(&deal);
    }
}

/* Anthropic's refusal ends the answer; its explanation is a refusal part. */
Test(respwrite, refusal_with_an_explanation)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_ANTHROPIC, "{'model':'m','input':'q'}");
    deal_whole(&deal, "{'id':'msg','type':'message','role':'assistant','model':'c','content':[],"
                      "'stop_reason':'refusal','stop_details':{'explanation':'because'},"
                      "'usage':{'input_tokens':1,'output_tokens':1}}");
    HAS(deal.seen, "'status':'incomplete'");
    HAS(deal.seen, "{'type':'refusal','refusal':'because'}");
    deal_fini(&deal);
}

/* An error in mid-stream ends what is open and fails the response under its own id. */
Test(respwrite, error)
{
    static const char *const events[] = { TEXT("a"), "{'error':{'message':'m'}}", NULL };
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT, ASK);
    deal_stream(&deal, events);
    struct answer *answer = translate_answer(deal.translate);
    cr_assert_eq(answer->state, ANSWER_FAILED);
    buf_clear(&deal.seen);
    struct error_info info = { .status = 502,
                               .code = "upstream_error",
                               .message = STR("it broke") };
    answer_fail(answer, &info);
    cr_expect_eq(answer->state, ANSWER_DONE);
    HAS(answer->out, "event: response.output_item.done\n");
    HAS(answer->out, "event: response.failed\n");
    HAS(answer->out, "'message':'it broke'");
    LACKS(answer->out, "response.completed");
    deal_fini(&deal);
}

/* A whole answer has the same items as a stream. */
Test(respwrite, whole)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','input':'q','tools':[{'type':'function','name':'f'}]}");
    deal_whole(&deal,
               "{'id':'x','choices':[{'index':0,'finish_reason':'tool_calls','message':{'role':"
               "'assistant','reasoning_content':'hm','content':'hi','tool_calls':[{'id':'c',"
               "'type':'function','function':{'name':'f','arguments':'{}'}}]}}],'usage':{"
               "'prompt_tokens':1,'completion_tokens':2}}");
    LACKS(deal.seen, "event:");
    HAS(deal.seen, "'summary':[{'type':'summary_text','text':'hm'}]");
    HAS(deal.seen, "'text':'hi'");
    HAS(deal.seen, "'type':'function_call','call_id':'c','name':'f','arguments':'{}','status':"
                   "'completed'");
    HAS(deal.seen, "'status':'completed'");
    HAS(deal.seen, "'total_tokens':3");
    deal_fini(&deal);
}

Test(respwrite, count)
{
    struct buf to;
    buf_init(&to, 1024);
    cr_assert_eq(respwrite_count(&to, 12), ERR_OK);
    cr_expect(
        str_equal(buf_str(&to), STR("{\"object\":\"response.input_tokens\",\"input_tokens\":12}")));
    buf_fini(&to);
}
