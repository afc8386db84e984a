/*
 * test_anthtool.c - tools of Anthropic requests.
 */
#include "deal.h"

#include "proto/anthtool.h"

/* Tools that the client runs are functions to other models; what runs at Anthropic is left out. */
Test(anthtool, kinds_read)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'q'}],'tools':["
             "{'name':'f','description':'d','input_schema':{'type':'object'},'strict':true},"
             "{'type':'bash_20250124','name':'bash'},"
             "{'type':'text_editor_20250728','name':'str_replace_based_edit_tool'},"
             "{'type':'web_search_20250305','name':'web_search'}],"
             "'tool_choice':{'type':'any','disable_parallel_tool_use':true}}");
    HAS(deal.body, "'name':'f','description':'d','parameters':{'type':'object'},'strict':true");
    HAS(deal.body, "'name':'bash'");
    HAS(deal.body, "'restart'");
    HAS(deal.body, "'name':'str_replace_based_edit_tool'");
    LACKS(deal.body, "web_search");
    HAS(deal.body, "'tool_choice':'required'");
    HAS(deal.body, "'parallel_tool_calls':false");
    deal_fini(&deal);
}

Test(anthtool, written)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC,
             "{'model':'m','messages':[{'role':'user','content':'q'}],'tools':[{'type':'function',"
             "'function':{'name':'f.g','parameters':{'properties':{}}}},{'type':'custom','custom':"
             "{'name':'p','description':'d'}}],'tool_choice':{'type':'function','function':{'name':"
             "'f.g'}},'parallel_tool_calls':false}");
    HAS(deal.body, "'name':'f_g_");
    HAS(deal.body, "'type':'object'");
    HAS(deal.body, "'name':'p'");
    HAS(deal.body, "'required':['input']");
    HAS(deal.body, "'tool_choice':{'type':'tool','name':'f_g_");
    HAS(deal.body, "'disable_parallel_tool_use':true");
    deal_fini(&deal);
}
