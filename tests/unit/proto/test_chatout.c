/*
 * test_chatout.c - requests for Chat Completions providers.
 */
#include "deal.h"

#include "proto/chat.h"

#define Q "'max_tokens':9,'messages':[{'role':'user','content':'q'}]"

Test(chatout, members)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_CHAT,
             "{'model':'m'," Q ",'temperature':0.50,'top_p':1.0,'seed':1,'n':2,'logprobs':true,"
             "'top_logprobs':2,'logit_bias':{'5':-1},'metadata':{'a':'b'},'store':true,"
             "'prompt_cache_retention':'24h','frequency_penalty':1,'response_format':{'type':"
             "'json_schema','json_schema':{'schema':{'type':'object'},'strict':false}}}");
    HAS(deal.body, "'model':'up'");
    HAS(deal.body, "'max_completion_tokens':9");
    HAS(deal.body, "'temperature':0.50,'top_p':1.0");
    HAS(deal.body, "'seed':1");
    HAS(deal.body, "'n':2");
    HAS(deal.body, "'logprobs':true,'top_logprobs':2");
    HAS(deal.body, "'logit_bias':{'5':-1}");
    HAS(deal.body, "'metadata':{'a':'b'}");
    HAS(deal.body, "'store':true");
    HAS(deal.body, "'prompt_cache_retention':'24h'");
    HAS(deal.body, "'json_schema':{'name':'response','schema':{'type':'object'},'strict':false}");
    HAS(deal.body, "'stream':true,'stream_options':{'include_usage':true}");
    deal_fini(&deal);
}

/* Models that reason take no sampling and no stops; other servers know the limit of old. */
Test(chatout, what_the_account_takes)
{
    struct deal deal;
    deal_open(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
              "{'model':'m'," Q ",'system':'I','temperature':0.5,'top_k':4,'stop_sequences':["
              "'a','b','c','d','e']}");
    deal.caps.top_k = true;
    deal.caps.max_tokens = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'max_tokens':9");
    HAS(deal.body, "'top_k':4");
    HAS(deal.body, "'stop':['a','b','c','d']");
    HAS(deal.body, "'role':'system'");
    deal.caps.reasoning_model = true;
    deal.caps.top_k = false;
    cr_assert(deal_encode(&deal));
    LACKS(deal.body, "temperature");
    LACKS(deal.body, "top_k");
    LACKS(deal.body, "'stop'");
    HAS(deal.body, "'role':'developer'");
    char text[256];
    struct str dropped = translate_dropped(deal.translate, text, sizeof text);
    cr_expect_not_null(memmem(dropped.data, dropped.len, "temperature", 11));
    deal_fini(&deal);
}

/* The fifth stop sequence is not sent, but the client's answer ends there. */
Test(chatout, stops_behind_the_fourth)
{
    static const char *const events[] = {
        "{'id':'x','choices':[{'index':0,'delta':{'content':'good EN'}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{'content':'D bad'}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{},'finish_reason':'stop'}]}", NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','stream':true," Q ",'stop_sequences':['a1','b1','c1','d1','END']}");
    deal_stream(&deal, events);
    HAS(deal.seen, "good");
    LACKS(deal.seen, "bad");
    HAS(deal.seen, "'stop_sequence':'END'");
    deal_fini(&deal);
}

Test(chatout, what_cannot_cross)
{
    static const char *const cases[][2] = {
        { "{'model':'m','messages':[{'role':'user','content':'q'}],'max_completion_tokens':0}",
          "max_completion_tokens" },
        { "{'model':'m'," Q ",'modalities':['text','image']}", "modalities" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_CHAT, DIALECT_CHAT, cases[i][0]);
        cr_expect(!deal_encode(&deal), "%s", cases[i][0]);
        cr_expect_str_eq(deal.problem.param, cases[i][1]);
        deal_fini(&deal);
    }
}
