/*
 * test_anthout.c - requests for Anthropic providers.
 */
#include "deal.h"

#include "proto/anthropic.h"

Test(anthout, members)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC,
             "{'model':'m','messages':[{'role':'system','content':'S'},{'role':'user','content':"
             "'q'}],'temperature':1.7,'stop':'x','seed':1,'top_p':0.5,'logit_bias':{},'user':'u'}");
    HAS(deal.body, "'max_tokens':32000");
    HAS(deal.body, "'system':'S'");
    HAS(deal.body, "'temperature':1,");
    HAS(deal.body, "'stop_sequences':['x']");
    HAS(deal.body, "'metadata':{'user_id':'u'}");
    LACKS(deal.body, "seed");
    LACKS(deal.body, "logit_bias");
    HAS(deal.body, "'stream':true");
    deal_fini(&deal);
}

/* Thinking by budget excludes sampling; an adaptive model is given the effort. */
Test(anthout, thinking)
{
    static const char body[] = "{'model':'m','input':'q','reasoning':{'effort':'high'},"
                               "'max_output_tokens':30000,'temperature':0.3}";
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_ANTHROPIC, body);
    HAS(deal.body, "'thinking':{'type':'enabled','budget_tokens':24576}");
    LACKS(deal.body, "temperature");
    deal.caps.thinking = CAPS_NO_THINKING;
    cr_assert(deal_encode(&deal));
    LACKS(deal.body, "thinking");
    HAS(deal.body, "'temperature':0.3");
    deal_fini(&deal);
}

Test(anthout, what_cannot_cross)
{
    static const char *const cases[][2] = {
        { "{'model':'m','messages':[{'role':'user','content':'q'}],'n':2}", "n" },
        { "{'model':'m','messages':[{'role':'user','content':'q'}],'modalities':['audio']}",
          "modalities" },
        { "{'model':'m','messages':[{'role':'user','content':[{'type':'input_audio','input_audio':"
          "{'data':'AA==','format':'wav'}}]}]}",
          "messages[0].content[0]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, cases[i][0]);
        cr_expect(!deal_encode(&deal), "%s", cases[i][0]);
        cr_expect_str_eq(deal.problem.param, cases[i][1]);
        deal_fini(&deal);
    }
}
