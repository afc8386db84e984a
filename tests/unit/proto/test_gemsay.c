/*
 * test_gemsay.c - whole answers for Gemini clients.
 */
#include "deal.h"

#include "proto/gemsay.h"

#define ASK "{'contents':[{'parts':[{'text':'q'}]}]}"

Test(gemsay, whole)
{
    struct deal deal;
    deal_gemini(&deal, DIALECT_CHAT, ASK, DEAL_WHOLE);
    deal_whole(&deal,
               "{'id':'x','choices':[{'index':0,'finish_reason':'tool_calls','message':{'role':"
               "'assistant','reasoning_content':'hm','content':'hi','annotations':[{'type':"
               "'url_citation','url_citation':{'url':'https://x','title':'X','start_index':0,"
               "'end_index':2}}],'tool_calls':[{'id':'c','type':'function','function':{'name':'f',"
               "'arguments':''}}]}}],'usage':{'prompt_tokens':1,'completion_tokens':2}}");
    LACKS(deal.seen, "data: ");
    HAS(deal.seen, "'parts':[{'text':'hm','thought':true},{'text':'hi'},{'functionCall':{'name':"
                   "'f','args':{},'id':'c'}}],'role':'model'},'finishReason':'STOP','index':0");
    HAS(deal.seen, "'groundingMetadata':{'groundingChunks':[{'web':{'uri':'https://x','title':'X'"
                   "}}]}");
    HAS(deal.seen, "'usageMetadata':{'promptTokenCount':1,'candidatesTokenCount':2,"
                   "'totalTokenCount':3}");
    HAS(deal.seen, "'modelVersion':'m','responseId':'");
    deal_fini(&deal);
}

/* Another family's signature is carried in base64, never shown as Gemini's own. */
Test(gemsay, carried_signature)
{
    struct deal deal;
    deal_gemini(&deal, DIALECT_ANTHROPIC, ASK, DEAL_WHOLE);
    deal_whole(&deal, "{'id':'msg','type':'message','role':'assistant','model':'c','content':["
                      "{'type':'thinking','thinking':'hm','signature':'c2lnbmVk'},{'type':'text',"
                      "'text':'hi'}],'stop_reason':'end_turn','usage':{'input_tokens':1,"
                      "'output_tokens':1}}");
    HAS(deal.seen, "{'text':'hm','thought':true,'thoughtSignature':'");
    LACKS(deal.seen, "c2lnbmVk");
    deal_fini(&deal);
}

Test(gemsay, reasons)
{
    static const struct {
        enum hub_finish finish;
        const char *word;
    } cases[] = {
        { HUB_FINISH_STOP, "STOP" },
        { HUB_FINISH_STOP_SEQUENCE, "STOP" },
        { HUB_FINISH_TOOL_CALLS, "STOP" },
        { HUB_FINISH_LENGTH, "MAX_TOKENS" },
        { HUB_FINISH_CONTEXT_FULL, "MAX_TOKENS" },
        { HUB_FINISH_REFUSAL, "SAFETY" },
        { HUB_FINISH_RECITATION, "RECITATION" },
        { HUB_FINISH_MALFORMED_TOOL, "MALFORMED_FUNCTION_CALL" },
        { HUB_FINISH_CANCELLED, "OTHER" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_str_eq(gemsay_finish(cases[i].finish), cases[i].word);
    }
}

/* More thoughts than output is a provider's mistake: the numbers never wrap around. */
Test(gemsay, usage_of_a_liar)
{
    struct usage usage = { .out_total = 3, .out_reasoning = 9 };
    struct buf to;
    struct jsonw w;
    buf_init(&to, 1024);
    jsonw_begin(&w, &to);
    jsonw_object(&w);
    gemsay_usage(&w, &usage);
    jsonw_close(&w);
    cr_assert_eq(jsonw_end(&w), ERR_OK);
    HAS(to, "{'usageMetadata':{'promptTokenCount':0,'candidatesTokenCount':0,"
            "'thoughtsTokenCount':3,'totalTokenCount':3}}");
    buf_fini(&to);
}
