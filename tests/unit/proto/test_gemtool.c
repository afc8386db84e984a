/*
 * test_gemtool.c - tools of Gemini requests, both ways.
 */
#include "deal.h"

#include <stdio.h>

#include "proto/gemtool.h"

#define Q "'contents':[{'parts':[{'text':'q'}]}]"
#define TWO "'tools':[{'functionDeclarations':[{'name':'f'},{'name':'g'}]}]"
#define CHAT "{'model':'m','messages':[{'role':'user','content':'q'}],"

Test(gemtool, declarations_read)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT,
             "{" Q ",'tools':[{'function_declarations':[{'name':'f','description':'D','parameters':"
             "{'type':'OBJECT','properties':{'a':{'type':'INTEGER'}}}},{'name':'g',"
             "'parametersJsonSchema':{'type':'object','title':'T'}}],'googleMaps':{}}],"
             "'tool_config':{'function_calling_config':{'mode':'ANY',"
             "'allowed_function_names':['g']}}}");
    HAS(deal.body, "'name':'f','description':'D'");
    HAS(deal.body, "'a':{'type':'integer'}");
    HAS(deal.body, "'title':'T'");
    HAS(deal.body, "'tool_choice':{'type':'function','function':{'name':'g'}}");
    LACKS(deal.body, "googleMaps");
    deal_fini(&deal);
}

Test(gemtool, modes_read)
{
    static const char *const cases[][2] = {
        { "'mode':'NONE'", "'tool_choice':'none'" },
        { "'mode':'AUTO'", "'tool_choice':'auto'" },
        { "'mode':'ANY'", "'tool_choice':'required'" },
        { "'mode':'ANY','allowedFunctionNames':['f','g']", "'mode':'required','tools':[" },
        { "'mode':'VALIDATED','allowedFunctionNames':['f']", "'mode':'auto','tools':[" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[512];
        snprintf(body, sizeof body, "{" Q "," TWO ",'toolConfig':{'functionCallingConfig':{%s}}}",
                 cases[i][0]);
        struct deal deal;
        deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT, body);
        HAS(deal.body, cases[i][1]);
        deal_fini(&deal);
    }
}

Test(gemtool, refused)
{
    static const char *const tools[] = {
        "[{'functionDeclarations':[{'description':'no name'}]}]",
        "[{'functionDeclarations':[{'name':''}]}]",
        "[{'functionDeclarations':[7]}]",
        "{'functionDeclarations':[{'name':'f','parameters':7}]}",
    };
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{" Q ",'tools':%s}", tools[i]);
        struct deal deal;
        deal_open(&deal, DIALECT_GEMINI, DIALECT_CHAT, body);
        cr_expect_null(deal.translate, "%s", body);
        cr_expect_eq(deal.problem.status, 400);
        cr_expect_str_eq(deal.problem.param, "tools.functionDeclarations[0]");
        deal_fini(&deal);
    }
}

/* What a model cannot be told is done by leaving tools out. */
Test(gemtool, written)
{
    struct deal deal;
    deal_open(&deal, DIALECT_CHAT, DIALECT_GEMINI,
              CHAT "'web_search_options':{},'tools':[{'type':'function','function':{'name':'f',"
                   "'parameters':{'type':'object','properties':{'a':{'type':'string'}}}}},"
                   "{'type':'function','function':{'name':'g'}}],'tool_choice':{'type':"
                   "'allowed_tools','allowed_tools':{'mode':'auto','tools':[{'type':'function',"
                   "'function':{'name':'f'}}]}}}");
    deal.caps.validated = deal.caps.json_schema = deal.caps.mixed_tools = false;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'tools':[{'functionDeclarations':[{'name':'f','parameters':{");
    LACKS(deal.body, "'name':'g'");
    LACKS(deal.body, "googleSearch");
    HAS(deal.body, "'functionCallingConfig':{'mode':'AUTO'}");
    deal.caps.validated = deal.caps.json_schema = deal.caps.mixed_tools = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'parametersJsonSchema':{");
    HAS(deal.body, "'name':'g'");
    HAS(deal.body, "{'googleSearch':{}}");
    HAS(deal.body, "{'mode':'VALIDATED','allowedFunctionNames':['f']}");
    deal_fini(&deal);
}
