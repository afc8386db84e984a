/*
 * test_respout.c - requests for Responses providers.
 */
#include "deal.h"

#include "proto/responses.h"

Test(respout, members)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
             "{'model':'m','messages':[{'role':'user','content':'q'}],'max_tokens':5,"
             "'temperature':0.50,'seed':1,'stop':['x'],'frequency_penalty':1,'logprobs':true,"
             "'top_logprobs':2,'reasoning_effort':'low','verbosity':'high','service_tier':'flex',"
             "'metadata':{'a':'b'},'prompt_cache_retention':'24h','response_format':{'type':"
             "'json_schema','json_schema':{'schema':{'type':'object'}}}}");
    HAS(deal.body, "'max_output_tokens':16");
    HAS(deal.body, "'temperature':0.50");
    LACKS(deal.body, "seed");
    LACKS(deal.body, "stop");
    LACKS(deal.body, "penalty");
    HAS(deal.body, "'top_logprobs':2");
    HAS(deal.body, "'include':['reasoning.encrypted_content','message.output_text.logprobs']");
    HAS(deal.body, "'reasoning':{'effort':'low'}");
    HAS(deal.body, "'text':{'format':{'type':'json_schema','name':'response','schema':{'type':"
                   "'object'},'strict':false},'verbosity':'high'}");
    HAS(deal.body, "'store':false,'stream':true");
    HAS(deal.body, "'prompt_cache_retention':'24h'");
    HAS(deal.body, "'metadata':{'a':'b'}");
    deal_fini(&deal);
}

/* Accounts of the Codex kind refuse members that others take. */
Test(respout, members_the_account_refuses)
{
    struct deal deal;
    deal_open(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
              "{'model':'m','messages':[{'role':'user','content':'q'}],'max_tokens':50,"
              "'temperature':1,'user':'u'}");
    cr_assert(str_copy(deal.caps.deleted[0], CAPS_FIELD_BYTES, STR("max_output_tokens")));
    cr_assert(str_copy(deal.caps.deleted[1], CAPS_FIELD_BYTES, STR("temperature")));
    deal.caps.safety_identifier = false;
    cr_assert(deal_encode(&deal));
    LACKS(deal.body, "max_output_tokens");
    LACKS(deal.body, "temperature");
    HAS(deal.body, "'user':'u'");
    deal_fini(&deal);
}

Test(respout, what_cannot_cross)
{
    static const char *const cases[][2] = {
        { "{'model':'m','messages':[{'role':'user','content':'q'}],'n':2}", "n" },
        { "{'model':'m','messages':[{'role':'user','content':'q'}],'modalities':['audio']}",
          "modalities" },
        { "{'model':'m','messages':[{'role':'user','content':'q'}],'max_completion_tokens':0}",
          "max_completion_tokens" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_CHAT, DIALECT_RESPONSES, cases[i][0]);
        cr_expect(!deal_encode(&deal));
        cr_expect_str_eq(deal.problem.param, cases[i][1]);
        deal_fini(&deal);
    }
}
