/*
 * test_anthtalk.c - conversations for Anthropic providers.
 */
#include "deal.h"

#include "proto/anthtalk.h"

/* Turns of one role are one message; results stand first in the message behind their calls. */
Test(anthtalk, turns_merge)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC,
             "{'model':'m','tools':[{'type':'function','function':{'name':'f'}}],'messages':["
             "{'role':'user','content':'a'},{'role':'user','content':'b'},"
             "{'role':'assistant','content':'','tool_calls':[{'id':'c.1','type':'function',"
             "'function':{'name':'f','arguments':''}}]},"
             "{'role':'user','content':'wait'},{'role':'tool','tool_call_id':'c.1','content':'r'}"
             "]}");
    HAS(deal.body, "{'role':'user','content':[{'type':'text','text':'a'},{'type':'text','text':"
                   "'b'}]}");
    HAS(deal.body, "'input':{}");
    cr_expect_eq(deal_count(&deal.body, "'role':'user'"), 2);
    HAS(deal.body, "'type':'tool_result','tool_use_id':'toolu_");
    HAS(deal.body, "'text':'wait'");
    LACKS(deal.body, "'text':''");
    deal_fini(&deal);
}

/* The first turn is the user's, and there is one. */
Test(anthtalk, first_turn)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC,
             "{'model':'m','messages':[{'role':'assistant','content':'a'},{'role':'user','content':"
             "'q'}]}");
    HAS(deal.body, "(conversation continued)");
    deal_fini(&deal);
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC,
             "{'model':'m','messages':[{'role':'system','content':'only'}]}");
    HAS(deal.body, "'role':'user'");
    HAS(deal.body, "only");
    deal_fini(&deal);
}

Test(anthtalk, prefill_needs_the_capability)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC,
             "{'model':'m','messages':[{'role':'user','content':'q'},{'role':'assistant','content':"
             "'begin'}]}");
    HAS(deal.body, "begin");
    deal.caps.prefill = false;
    cr_expect(!deal_encode(&deal));
    deal_fini(&deal);
}
