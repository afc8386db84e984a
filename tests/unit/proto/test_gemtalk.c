/*
 * test_gemtalk.c - conversations for Gemini providers.
 */
#include "deal.h"

#include "proto/gemtalk.h"

#define CALLS                                                                                  \
    "{'model':'m','tools':[{'type':'function','function':{'name':'f'}},{'type':'function',"    \
    "'function':{'name':'g'}}],'messages':[{'role':'user','content':'q'},{'role':'assistant'," \
    "'tool_calls':[{'id':'c1','type':'function','function':{'name':'f','arguments':'{}'}},"    \
    "{'id':'c2','type':'function','function':{'name':'g','arguments':''}}]},"                  \
    "{'role':'tool','tool_call_id':'c2','content':'two'},"                                     \
    "{'role':'tool','tool_call_id':'c1','content':'{\\'a\\':1}'},"                             \
    "{'role':'user','content':'next'}]}"

/* One content behind the calls; the first call of a step says that nobody signed it. */
Test(gemtalk, calls_and_results)
{
    struct deal deal;
    deal_open(&deal, DIALECT_CHAT, DIALECT_GEMINI, CALLS);
    deal.caps.fc_id = deal.caps.sig_required = false;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "{'role':'model','parts':[{'functionCall':{'name':'f','args':{}}},"
                   "{'functionCall':{'name':'g','args':{}}}]}");
    HAS(deal.body, "{'role':'user','parts':[{'functionResponse':{'name':'f','response':{'a':1}}},"
                   "{'functionResponse':{'name':'g','response':{'output':'two'}}},"
                   "{'text':'next'}]}");
    deal.caps.fc_id = deal.caps.sig_required = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "{'functionCall':{'name':'f','args':{},'id':'c1'},"
                   "'thoughtSignature':'skip_thought_signature_validator'}");
    HAS(deal.body, "{'functionCall':{'name':'g','args':{},'id':'c2'}}");
    cr_expect_eq(deal_count(&deal.body, "thoughtSignature"), 1);
    deal_fini(&deal);
}

/* System text goes where the model can take it; the first turn is the user's. */
Test(gemtalk, system_and_first_turn)
{
    struct deal deal;
    deal_open(&deal, DIALECT_CHAT, DIALECT_GEMINI,
              "{'model':'m','messages':[{'role':'system','content':'S'},{'role':'assistant',"
              "'content':'a'},{'role':'system','content':'late'},{'role':'user','content':'q'}]}");
    deal.caps.system_instruction = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'systemInstruction':{'parts':[{'text':'S'}]}");
    HAS(deal.body, "[{'role':'user','parts':[{'text':'(conversation continued)'}]},{'role':'model'"
                   ",'parts':[{'text':'a'}]}");
    HAS(deal.body, "<system-reminder>\\nlate\\n</system-reminder>");
    deal.caps.system_instruction = false;
    cr_assert(deal_encode(&deal));
    LACKS(deal.body, "systemInstruction");
    HAS(deal.body, "[{'role':'user','parts':[{'text':'S'}]},{'role':'model'");
    deal_fini(&deal);
    deal_ask(&deal, DIALECT_CHAT, DIALECT_GEMINI,
             "{'model':'m','messages':[{'role':'system','content':'only'}]}");
    HAS(deal.body, "'contents':[{'role':'user','parts':[{'text':'only'}]}]");
    deal_fini(&deal);
}

/* Gemini loads its own files and videos, no others; a failed tool is an error. */
Test(gemtalk, media_and_errors)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_GEMINI,
             "{'contents':[{'parts':[{'fileData':{'fileUri':'https://youtu.be/x'}},"
             "{'inlineData':{'mimeType':'image/png','data':'AAAA'}}]}]}");
    HAS(deal.body, "{'fileData':{'fileUri':'https://youtu.be/x'}}");
    HAS(deal.body, "'data':'AAAA'");
    deal_fini(&deal);
    deal_open(&deal, DIALECT_CHAT, DIALECT_GEMINI,
              "{'model':'m','messages':[{'role':'user','content':[{'type':'image_url','image_url':"
              "{'url':'https://example.com/a.png'}}]}]}");
    cr_expect(!deal_encode(&deal));
    cr_expect_str_eq(deal.problem.param, "messages[0].content[0]");
    deal_fini(&deal);
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_GEMINI,
             "{'model':'m','max_tokens':9,'tools':[{'name':'f','input_schema':{'type':'object'}}],"
             "'messages':[{'role':'user','content':'q'},{'role':'assistant','content':[{'type':"
             "'tool_use','id':'t','name':'f','input':{}}]},{'role':'user','content':[{'type':"
             "'tool_result','tool_use_id':'t','is_error':true,'content':'{}'}]}]}");
    HAS(deal.body, "'response':{'error':'{}'}");
    deal_fini(&deal);
}
