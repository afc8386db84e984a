/*
 * test_chattool.c - tools of Chat Completions requests.
 */
#include "deal.h"

#include "proto/chattool.h"

#define Q "'messages':[{'role':'user','content':'q'}]"

/* Functions keep their schema, free text its grammar, and what others run gets no function. */
Test(chattool, kinds_read)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
             "{'model':'m'," Q ",'tools':[{'type':'function','function':{'name':'f',"
             "'description':'d','strict':true,'parameters':{'type':'object','properties':{},"
             "'additionalProperties':false}}},{'type':'custom','custom':{'name':'p','format':{"
             "'type':'grammar','grammar':{'definition':'start','syntax':'lark'}}}}],"
             "'tool_choice':{'type':'custom','custom':{'name':'p'}},'parallel_tool_calls':false}");
    HAS(deal.body, "'type':'function','name':'f','description':'d'");
    HAS(deal.body, "'additionalProperties':false},'strict':true");
    HAS(deal.body, "'type':'custom','name':'p'");
    HAS(deal.body, "'definition':'start'");
    HAS(deal.body, "'tool_choice':{'type':'custom','name':'p'}");
    HAS(deal.body, "'parallel_tool_calls':false");
    deal_fini(&deal);
}

/* `functions` of old: one call at a time, and answers in the form of old. */
Test(chattool, functions_of_old)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
             "{'model':'m'," Q ",'functions':[{'name':'f','parameters':{'type':'object'}}],"
             "'function_call':{'name':'f'}}");
    HAS(deal.body, "'tool_choice':{'type':'function','name':'f'}");
    HAS(deal.body, "'parallel_tool_calls':false");
    deal_whole(&deal, "{'id':'r','status':'completed','output':[{'type':'function_call','call_id':"
                      "'c','name':'f','arguments':'{}'}]}");
    HAS(deal.seen, "'function_call':{'name':'f','arguments':'{}'}");
    HAS(deal.seen, "'finish_reason':'function_call'");
    LACKS(deal.seen, "tool_calls");
    deal_fini(&deal);
}

Test(chattool, nonsense_is_refused)
{
    static const char *const bodies[] = {
        "{'model':'m'," Q ",'tools':[{'type':'function','function':{}}]}",
        "{'model':'m'," Q ",'tools':[{'type':'function','function':{'name':7}}]}",
        "{'model':'m'," Q ",'tools':[{'type':'custom','custom':{}}]}",
        "{'model':'m'," Q ",'functions':[{}]}",
        "{'model':'m'," Q ",'functions':[7]}",
        "{'model':'m'," Q ",'tools':[{'type':'function','function':{'name':'f'}}],"
        "'tool_choice':7}",
        "{'model':'m'," Q ",'tools':[{'type':'function','function':{'name':'f'}}],"
        "'tool_choice':'perhaps'}",
        "{'model':'m'," Q ",'tools':[{'type':'function','function':{'name':'f'}}],"
        "'tool_choice':{'type':'function','function':{'name':'g'}}}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, bodies[i]);
        cr_expect_null(deal.translate, "%s", bodies[i]);
        cr_expect_eq(deal.problem.status, 400);
        deal_fini(&deal);
    }
    struct deal deal;
    deal_open(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
              "{'model':'m','input':'q','tools':[{'type':'function','name':'f','parameters':[]}]}");
    cr_expect(deal.translate == NULL || !deal_encode(&deal), "a list is no schema");
    deal_fini(&deal);
}

/* An account that takes no free text gets a function with one string instead. */
Test(chattool, written)
{
    static const char ask[] =
        "{'model':'m','input':'q','tools':[{'type':'function','name':'f','strict':false},"
        "{'type':'custom','name':'p'},{'type':'web_search'}],'tool_choice':{'type':"
        "'allowed_tools','mode':'required','tools':[{'type':'function','name':'f'},{'type':"
        "'custom','name':'p'}]}}";
    struct deal deal;
    deal_open(&deal, DIALECT_RESPONSES, DIALECT_CHAT, ask);
    deal.caps.web_search = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'web_search_options':{}");
    HAS(deal.body, "{'type':'custom','custom':{'name':'p'}}");
    HAS(deal.body, "'tool_choice':{'type':'allowed_tools','allowed_tools':{'mode':'required',"
                   "'tools':[{'type':'function','function':{'name':'f'}},{'type':'custom',"
                   "'custom':{'name':'p'}}]}}");
    deal.caps.custom_tools = false;
    deal.caps.web_search = false;
    cr_assert(deal_encode(&deal));
    LACKS(deal.body, "web_search");
    LACKS(deal.body, "'custom'");
    HAS(deal.body, "{'type':'function','function':{'name':'p'");
    deal_fini(&deal);
}
