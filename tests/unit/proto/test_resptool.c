/*
 * test_resptool.c - tools of Responses requests.
 */
#include "deal.h"

#include "proto/resptool.h"

/* Codex's kinds: functions in a namespace, free text with a grammar, tools of the provider. */
Test(resptool, kinds_read)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','input':'q','tools':[{'type':'function','name':'f','strict':true,"
             "'parameters':{'type':'object'}},"
             "{'type':'namespace','name':'ns','tools':[{'type':'function','name':'g'}]},"
             "{'type':'custom','name':'p','format':{'type':'grammar','syntax':'lark','definition':"
             "'start'}},{'type':'web_search'},{'type':'tool_search'}],"
             "'tool_choice':{'type':'function','name':'g','namespace':'ns'},"
             "'parallel_tool_calls':false}");
    HAS(deal.body, "'name':'f','parameters':{'type':'object'},'strict':true");
    HAS(deal.body, "'name':'ns__g'");
    HAS(deal.body, "'grammar':{'definition':'start','syntax':'lark'}");
    LACKS(deal.body, "web_search");
    HAS(deal.body, "'tool_choice':{'type':'function','function':{'name':'ns__g'}}");
    HAS(deal.body, "'parallel_tool_calls':false");
    deal_fini(&deal);
}

Test(resptool, tools_that_come_later)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','tools':[{'type':'function','name':'f'}],'input':["
             "{'type':'additional_tools','tools':[{'type':'function','name':'f'},{'type':"
             "'function','name':'late'}]},{'role':'user','content':'q'}]}");
    cr_expect_eq(deal_count(&deal.body, "'name':'f'"), 1);
    HAS(deal.body, "'name':'late'");
    deal_fini(&deal);
}

Test(resptool, choices_refused)
{
    static const char *const bodies[] = {
        "{'model':'m','input':'q','tools':[{'type':'function','name':'f'}],"
        "'tool_choice':{'type':'function','name':'g'}}",
        "{'model':'m','input':'q','tools':[{'type':'function','name':'f'}],'tool_choice':7}",
        "{'model':'m','input':'q','tools':[{'type':'function'}]}",
        "{'model':'m','input':'q','tools':[{'type':'custom'}]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_RESPONSES, DIALECT_CHAT, bodies[i]);
        cr_expect_null(deal.translate, "%s", bodies[i]);
        deal_fini(&deal);
    }
    /* A forced tool that only OpenAI has cannot be forced elsewhere. */
    struct deal deal;
    deal_open(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
              "{'model':'m','input':'q','tools':[{'type':'file_search'}],"
              "'tool_choice':{'type':'file_search'}}");
    cr_expect(!deal_encode(&deal));
    deal_fini(&deal);
}

/* This dialect is strict unless told otherwise. */
Test(resptool, written)
{
    struct deal deal;
    deal_open(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
              "{'model':'m','messages':[{'role':'user','content':'q'}],'web_search_options':{},"
              "'tools':[{'type':'function','function':{'name':'f'}},{'type':'custom','custom':{"
              "'name':'p'}}],'tool_choice':{'type':'allowed_tools','allowed_tools':{'mode':'auto',"
              "'tools':[{'type':'function','function':{'name':'f'}},{'type':'custom','custom':{"
              "'name':'p'}}]}}}");
    deal.caps.web_search = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "{'type':'function','name':'f','parameters':{'type':'object','properties':{}},"
                   "'strict':false},{'type':'custom','name':'p'},{'type':'web_search'}");
    HAS(deal.body, "'tool_choice':{'type':'allowed_tools','mode':'auto','tools':[{'type':"
                   "'function','name':'f'},{'type':'custom','name':'p'}]}");
    deal_fini(&deal);
}
