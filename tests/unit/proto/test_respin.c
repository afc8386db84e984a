/*
 * test_respin.c - Responses requests: members of the body.
 */
#include "deal.h"

#include "proto/responses.h"

Test(respin, members_find_their_counterparts)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','instructions':'I','input':'hello','max_output_tokens':50,"
             "'temperature':0.50,'top_p':0.9,'top_logprobs':3,"
             "'include':['message.output_text.logprobs'],'reasoning':{'effort':'low'},"
             "'text':{'verbosity':'low','format':{'type':'json_schema','name':'n','schema':{'type':"
             "'object'},'strict':true}},'prompt_cache_key':'k','user':'u','store':false}");
    HAS(deal.body, "{'role':'system','content':'I'},{'role':'user','content':'hello'}");
    HAS(deal.body, "'max_completion_tokens':50");
    HAS(deal.body, "'temperature':0.50");
    HAS(deal.body, "'logprobs':true,'top_logprobs':3");
    HAS(deal.body, "'reasoning_effort':'low'");
    HAS(deal.body, "'verbosity':'low'");
    HAS(deal.body, "'json_schema':{'name':'n','schema':{'type':'object'},'strict':true}");
    HAS(deal.body, "'prompt_cache_key':'k'");
    HAS(deal.body, "'safety_identifier':'u'");
    deal_fini(&deal);
}

/* What lies at the provider under an id cannot be had elsewhere; the answer names the member. */
Test(respin, state_is_refused)
{
    static const char *const cases[][2] = {
        { "{'model':'m','input':'q','previous_response_id':'resp_1'}", "previous_response_id" },
        { "{'model':'m','input':'q','conversation':'c'}", "conversation" },
        { "{'model':'m','prompt':{'id':'p'}}", "prompt" },
        { "{'model':'m','input':'q','background':true}", "background" },
        { "{'model':'m','input':[{'type':'item_reference','id':'i'}]}", "input[0]" },
        { "{'model':'m','input':'q','max_output_tokens':'x'}", "max_output_tokens" },
        { "{'model':'m','input':'q','temperature':'x'}", "temperature" },
        { "{'model':'m','input':'q','instructions':['x']}", "instructions" },
        { "{'model':'m','input':'q','text':{'format':{'type':'grammar'}}}", "text.format" },
        { "{'model':'m'}", "input" },
        { "[]", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_RESPONSES, DIALECT_CHAT, cases[i][0]);
        cr_expect_null(deal.translate, "%s", cases[i][0]);
        cr_expect_eq(deal.problem.status, 400);
        cr_expect_str_eq(deal.problem.param, cases[i][1]);
        deal_fini(&deal);
    }
}

/* Codex sends members nobody else knows: they are listed, never refused. */
Test(respin, unknown_members_are_dropped)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','input':'q','client_metadata':{'a':'b'},'truncation':'auto',"
             "'max_tool_calls':3,'context_management':[],'background':false}");
    char text[256];
    struct str dropped = translate_dropped(deal.translate, text, sizeof text);
    cr_expect(
        str_equal(dropped, STR("client_metadata,truncation,max_tool_calls,context_management")),
        "%.*s", (int)dropped.len, dropped.data);
    deal_fini(&deal);
}
