/*
 * test_gemwrite.c - streams for Gemini clients.
 */
#include "deal.h"

#include "proto/gemini.h"

#define ASK "{'contents':[{'parts':[{'text':'q'}]}]}"
#define DELTA(delta) "{'id':'x','choices':[{'index':0,'delta':{" delta "}}]}"
#define FINISH(reason) "{'id':'x','choices':[{'index':0,'delta':{},'finish_reason':'" reason "'}]}"
#define CALL(name, args)                                                                       \
    DELTA("'tool_calls':[{'index':0,'id':'c','function':{'name':'" name "','arguments':'" args \
          "'}}]")
#define MORE(args) DELTA("'tool_calls':[{'index':0,'function':{'arguments':'" args "'}}]")

/* Text goes out as it comes, a call as a whole, and one last chunk has the reason and usage. */
Test(gemwrite, stream)
{
    static const char *const events[] = {
        DELTA("'reasoning_content':'hm'"),
        DELTA("'content':'Hel'"),
        DELTA("'content':'lo'"),
        CALL("f", "{\\'a\\'"),
        MORE(":1}"),
        FINISH("tool_calls"),
        "{'id':'x','choices':[],'usage':{'prompt_tokens':12,'completion_tokens':7,"
        "'prompt_tokens_details':{'cached_tokens':5},'completion_tokens_details':{'reasoning_"
        "tokens':3}}}",
        "[DONE]",
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT, ASK);
    deal_stream(&deal, events);
    HAS(deal.seen, "data: {'candidates':[{'content':{'parts':[{'text':'hm','thought':true}],"
                   "'role':'model'},'index':0}]");
    HAS(deal.seen, "[{'text':'Hel'}]");
    HAS(deal.seen, "[{'text':'lo'}]");
    HAS(deal.seen, "[{'functionCall':{'name':'f','args':{'a':1},'id':'c'}}]");
    cr_expect_eq(deal_count(&deal.seen, "'finishReason':'STOP'"), 1);
    HAS(deal.seen, "'usageMetadata':{'promptTokenCount':12,'cachedContentTokenCount':5,"
                   "'candidatesTokenCount':4,'thoughtsTokenCount':3,'totalTokenCount':19}");
    cr_expect_eq(deal_count(&deal.seen, "'modelVersion':'m'"), deal_count(&deal.seen, "data: "));
    cr_expect_eq(deal_count(&deal.seen, "\n\n"), deal_count(&deal.seen, "data: "));
    LACKS(deal.seen, "[DONE]");
    LACKS(deal.seen, "event:");
    deal_fini(&deal);
}

/* A call that was cut off has no place here: its arguments are no object. */
Test(gemwrite, a_cut_off_call_is_left_out)
{
    static const char *const events[] = { DELTA("'content':'a'"), CALL("f", "{\\'a\\'"),
                                          FINISH("length"), "[DONE]", NULL };
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT, ASK);
    deal_stream(&deal, events);
    LACKS(deal.seen, "functionCall");
    HAS(deal.seen, "'finishReason':'MAX_TOKENS'");
    deal_fini(&deal);
}

/* An error in mid-stream is a frame of its own, and no chunk claims an end. */
Test(gemwrite, error)
{
    static const char *const events[] = { DELTA("'content':'a'"), "{'error':{'message':'m'}}",
                                          NULL };
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT, ASK);
    deal_stream(&deal, events);
    struct answer *answer = translate_answer(deal.translate);
    cr_assert_eq(answer->state, ANSWER_FAILED);
    LACKS(deal.seen, "finishReason");
    struct error_info info = { .status = 502,
                               .code = "upstream_error",
                               .message = STR("it broke") };
    answer_fail(answer, &info);
    cr_expect_eq(answer->state, ANSWER_DONE);
    HAS(answer->out, "data: {'error':{'code':502,'message':'it broke'");
    LACKS(answer->out, "finishReason");
    deal_fini(&deal);
}

/* Without alt=sse the chunks are the elements of one array. */
Test(gemwrite, array)
{
    static const char *const events[] = { DELTA("'content':'a'"), FINISH("stop"), "[DONE]", NULL };
    struct deal deal;
    deal_gemini(&deal, DIALECT_CHAT, ASK, DEAL_ARRAY);
    deal_stream(&deal, events);
    struct json_value top;
    cr_expect_eq(json_read(buf_str(&deal.seen), &top, NULL), ERR_OK);
    cr_expect_eq(top.kind, JSON_ARRAY);
    HAS(deal.seen, "}\n,\n{'candidates'");
    LACKS(deal.seen, "data: ");
    deal_fini(&deal);
}

Test(gemwrite, count)
{
    struct buf to;
    buf_init(&to, 1024);
    cr_assert_eq(gemwrite_count(&to, 12), ERR_OK);
    cr_expect(str_equal(buf_str(&to), STR("{\"totalTokens\":12}")));
    buf_fini(&to);
}
