/*
 * test_respextra.c - items that are there at once.
 */
#include "deal.h"

#include "proto/respextra.h"

#define FINISH(reason) "{'id':'x','choices':[{'index':0,'delta':{},'finish_reason':'" reason "'}]}"

/* Codex needs exactly one item of type compaction. */
Test(respextra, compaction)
{
    static const char *const events[] = {
        "{'id':'x','choices':[{'index':0,'delta':{'reasoning_content':'hm'}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{'content':'all '}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{'content':'of it'}}]}",
        FINISH("stop"),
        "[DONE]",
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','stream':true,'input':[{'role':'user','content':'q'},{'type':"
             "'compaction_trigger'}]}");
    deal_stream(&deal, events);
    cr_expect_eq(deal_count(&deal.seen, "event: response.output_item.done\n"), 1);
    cr_expect_eq(deal_count(&deal.seen, "'type':'compaction','encrypted_content':'gw1.gw."), 3);
    HAS(deal.seen, "event: response.completed\n");
    LACKS(deal.seen, "output_text");
    deal_fini(&deal);
    static const char *const silent[] = { FINISH("stop"), "[DONE]", NULL };
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','stream':true,'input':[{'role':'user','content':'q'},{'type':"
             "'compaction_trigger'}]}");
    deal_stream(&deal, silent);
    LACKS(deal.seen, "response.completed");
    deal_fini(&deal);
}

Test(respextra, searches_and_images)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_ANTHROPIC, "{'model':'m','input':'q'}");
    deal_whole(&deal,
               "{'id':'msg','type':'message','role':'assistant','model':'c','content':[{'type':"
               "'server_tool_use','id':'s','name':'web_search','input':{'query':'k'}},{'type':"
               "'text','text':'t'}],'stop_reason':'end_turn','usage':{'input_tokens':1,"
               "'output_tokens':1}}");
    HAS(deal.seen, "'type':'web_search_call','status':'completed','action':{'type':'search',"
                   "'query':'k'}");
    LACKS(deal.seen, "function_call");
    deal_fini(&deal);
    static const char *const events[] = {
        "{'candidates':[{'index':0,'content':{'role':'model','parts':[{'inlineData':{'mimeType':"
        "'image/png','data':'iVBORw0KGgo='}}]},'finishReason':'STOP'}],'responseId':'r'}",
        NULL
    };
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_GEMINI, "{'model':'m','input':'q','stream':true}");
    deal_stream(&deal, events);
    HAS(deal.seen, "event: response.image_generation_call.completed\n");
    HAS(deal.seen, "'type':'image_generation_call','status':'completed','result':'iVBORw0KGgo='");
    deal_fini(&deal);
}
