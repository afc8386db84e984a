/*
 * test_anthin.c - Anthropic requests: members of the body.
 */
#include "deal.h"

#include "proto/anthropic.h"

Test(anthin, members_find_their_counterparts)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','max_tokens':50,'system':[{'type':'text','text':"
             "'x-anthropic-billing-header: cc_version=1'},{'type':'text','text':'S'}],"
             "'messages':[{'role':'user','content':'q'}],'temperature':0.50,'top_p':0.9,"
             "'stop_sequences':['a','b','c','d','e'],'thinking':{'type':'enabled','budget_tokens':"
             "1024},'service_tier':'standard_only'}");
    HAS(deal.body, "{'role':'system','content':'S'}");
    HAS(deal.body, "'max_completion_tokens':50");
    HAS(deal.body, "'temperature':0.50");
    HAS(deal.body, "'stop':['a','b','c','d']");
    HAS(deal.body, "'reasoning_effort':'low'");
    HAS(deal.body, "'service_tier':'default'");
    deal_fini(&deal);
}

/* Claude Code puts system text between the turns, and sends members nobody else knows. */
Test(anthin, claude_code)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','max_tokens':50,'messages':[{'role':'user','content':'q'},{'role':"
             "'system','content':[{'type':'text','text':'remember','cache_control':{'type':"
             "'ephemeral'}}]}],'thinking':{'type':'adaptive','display':'omitted'},'safeguards':{},"
             "'context_management':{'edits':[]},'output_config':{'effort':'medium'}}");
    HAS(deal.body, "{'role':'user','content':'q'},{'role':'system','content':'remember'}");
    HAS(deal.body, "'reasoning_effort':'medium'");
    LACKS(deal.body, "safeguards");
    char text[256];
    struct str dropped = translate_dropped(deal.translate, text, sizeof text);
    cr_expect(str_equal(dropped, STR("safeguards,context_management")), "%.*s", (int)dropped.len,
              dropped.data);
    deal_fini(&deal);
}

Test(anthin, refused)
{
    static const char *const cases[][2] = {
        { "{'model':'m','messages':[{'role':'user','content':'q'}]}", "max_tokens" },
        { "{'model':'m','max_tokens':9,'messages':'q'}", "messages" },
        { "{'model':'m','max_tokens':9,'messages':[{'role':'tool','content':'q'}]}",
          "messages[0].role" },
        { "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'q'}],"
          "'mcp_servers':[{}]}",
          "mcp_servers" },
        { "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'q'}],"
          "'container':'c'}",
          "container" },
        { "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'q'}],"
          "'temperature':'hot'}",
          "temperature" },
        { "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'hologram'}"
          "]}]}",
          "messages[0].content[0]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT, cases[i][0]);
        cr_expect_null(deal.translate, "%s", cases[i][0]);
        cr_expect_eq(deal.problem.status, 400);
        cr_expect_str_eq(deal.problem.param, cases[i][1]);
        deal_fini(&deal);
    }
}
