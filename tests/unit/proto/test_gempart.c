/*
 * test_gempart.c - parts of Gemini requests.
 */
#include "deal.h"

#include "proto/gempart.h"

#define PARTS(parts) "{'contents':[{'role':'user','parts':[" parts "]}]}"

Test(gempart, media_and_text_in_base64)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT,
             PARTS("{'text':'q'},{'inlineData':{'mimeType':'image/png','data':'AAAA'}},"
                   "{'inline_data':{'mime_type':'text/plain','data':'aGVsbG8='}}"));
    HAS(deal.body, "{'type':'text','text':'q'}");
    HAS(deal.body, "data:image/png;base64,AAAA");
    HAS(deal.body, "hello");
    LACKS(deal.body, "aGVsbG8");
    deal_fini(&deal);
}

/* Calls and responses find each other without ids; a response says whether it is an error. */
Test(gempart, calls_and_responses)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_ANTHROPIC,
             "{'tools':[{'functionDeclarations':[{'name':'f'},{'name':'g'}]}],'contents':["
             "{'role':'user','parts':[{'text':'q'}]},{'role':'model','parts':["
             "{'functionCall':{'name':'f','args':{'a':1}}},{'functionCall':{'name':'g'}}]},"
             "{'role':'user','parts':[{'functionResponse':{'name':'g','response':{'error':'no'}}},"
             "{'functionResponse':{'name':'f','response':{'x':{'y':2}}}}]}],"
             "'generationConfig':{'maxOutputTokens':50}}");
    HAS(deal.body, "'name':'f','input':{'a':1}");
    HAS(deal.body, "'name':'g','input':{}");
    HAS(deal.body, "'is_error':true");
    cr_expect_eq(deal_count(&deal.body, "'is_error':true"), 1);
    cr_expect_eq(deal_count(&deal.body, "'type':'tool_result'"), 2);
    HAS(deal.body, "{\\'x\\':{\\'y\\':2}}");
    deal_fini(&deal);
}

/* Code that ran at Google is text to everybody else; a thought is no text. */
Test(gempart, code_and_thoughts)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT,
             "{'contents':[{'role':'user','parts':[{'text':'q'}]},{'role':'model','parts':["
             "{'text':'secret musing','thought':true},"
             "{'executableCode':{'language':'PYTHON','code':'print(7)'}},"
             "{'codeExecutionResult':{'outcome':'OUTCOME_OK','output':'seven'}}]},"
             "{'role':'user','parts':[{'text':'r'}]}]}");
    HAS(deal.body, "```PYTHON\\nprint(7)\\n```");
    HAS(deal.body, "seven");
    LACKS(deal.body, "secret musing");
    deal_fini(&deal);
}

Test(gempart, refused)
{
    static const char *const parts[] = {
        PARTS("{'text':'q'},{'hologram':{}}"),
        PARTS("{'text':'q'},{}"),
        PARTS("{'text':'q'},7"),
        PARTS("{'text':'q'},{'text':7}"),
        PARTS("{'text':'q'},{'functionCall':{'args':{}}}"),
        PARTS("{'text':'q'},{'functionCall':7}"),
        PARTS("{'text':'q'},{'fileData':{'mimeType':'image/png'}}"),
        PARTS("{'text':'q'},{'inlineData':{'mimeType':'text/plain','data':'?'}}"),
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_GEMINI, DIALECT_CHAT, parts[i]);
        cr_expect_null(deal.translate, "%s", parts[i]);
        cr_expect_eq(deal.problem.status, 400, "%s", parts[i]);
        cr_expect_str_eq(deal.problem.param, "contents[0].parts[1]", "%s: %s", parts[i],
                         deal.problem.param);
        deal_fini(&deal);
    }
}
