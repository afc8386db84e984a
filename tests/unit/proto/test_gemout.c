/*
 * test_gemout.c - requests for Gemini providers: members of the body.
 */
#include "deal.h"

#include <stdio.h>

#include "proto/gemini.h"

#define ASK(members) "{'model':'m','messages':[{'role':'user','content':'q'}]," members "}"
#define TOOLS "'tools':[{'type':'function','function':{'name':'f'}}]"

Test(gemout, members_find_their_counterparts)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_GEMINI,
             ASK("'temperature':0.50,'top_p':0.9,'max_tokens':50,'seed':7,'n':2,'logprobs':true,"
                 "'top_logprobs':3,'frequency_penalty':0.1,'service_tier':'flex',"
                 "'stop':['a','b'],'logit_bias':{'1':2},'metadata':{'a':'b'},'user':'u'"));
    HAS(deal.body, "'contents':[{'role':'user','parts':[{'text':'q'}]}]");
    HAS(deal.body, "'temperature':0.50,'topP':0.9");
    HAS(deal.body, "'maxOutputTokens':50");
    HAS(deal.body, "'seed':7");
    HAS(deal.body, "'candidateCount':2");
    HAS(deal.body, "'responseLogprobs':true,'logprobs':3");
    HAS(deal.body, "'stopSequences':['a','b']");
    HAS(deal.body, "'serviceTier':'flex'");
    LACKS(deal.body, "'model'");
    LACKS(deal.body, "thinkingConfig");
    char text[256];
    struct str dropped = translate_dropped(deal.translate, text, sizeof text);
    cr_expect(str_equal(dropped, STR("logit_bias,metadata,user")), "%.*s", (int)dropped.len,
              dropped.data);
    deal_fini(&deal);
}

/* Older models take a number of tokens within their bounds, newer ones a word. */
Test(gemout, thinking)
{
    static const struct {
        const char *effort;
        bool budget;
        bool zero;
        const char *want;
    } cases[] = {
        { "none", true, true, "'thinkingBudget':0" },
        { "none", true, false, "'thinkingBudget':128" },
        { "xhigh", true, false, "'thinkingBudget':1000" },
        { "none", false, false, "'thinkingLevel':'LOW'" },
        { "minimal", false, false, "'thinkingLevel':'LOW'" },
        { "low", false, false, "'thinkingLevel':'LOW'" },
        { "medium", false, false, "'thinkingLevel':'MEDIUM'" },
        { "xhigh", false, false, "'thinkingLevel':'HIGH'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, ASK("'reasoning_effort':'%s'"), cases[i].effort);
        struct deal deal;
        deal_open(&deal, DIALECT_CHAT, DIALECT_GEMINI, body);
        deal.caps.budget = cases[i].budget;
        deal.caps.budget_zero = cases[i].zero;
        deal.caps.budget_min = 128;
        deal.caps.budget_max = 1000;
        deal.caps.level_minimal = false;
        cr_assert(deal_encode(&deal));
        HAS(deal.body, cases[i].want);
        cr_expect_eq(deal_count(&deal.body, "thinkingBudget"), cases[i].budget ? 1 : 0);
        deal_fini(&deal);
    }
}

/* A model that cannot have JSON mode beside functions is told in words. */
Test(gemout, structured_output)
{
    struct deal deal;
    deal_open(&deal, DIALECT_CHAT, DIALECT_GEMINI,
              ASK(TOOLS ",'response_format':{'type':'json_schema','json_schema':{'name':'n',"
                        "'schema':{'type':'object','properties':{'a':{'type':'string'}}}}}"));
    deal.caps.json_with_tools = false;
    cr_assert(deal_encode(&deal));
    LACKS(deal.body, "responseMimeType");
    HAS(deal.body, "Answer with a single JSON object");
    deal.caps.json_with_tools = true;
    deal.caps.json_schema = false;
    cr_assert(deal_encode(&deal));
    LACKS(deal.body, "Answer with a single JSON object");
    HAS(deal.body, "'responseMimeType':'application/json','responseSchema':{");
    HAS(deal.body, "'STRING'");
    deal.caps.json_schema = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'responseJsonSchema':{");
    deal_fini(&deal);
}

Test(gemout, an_answer_of_nothing_cannot_be_asked_for)
{
    struct deal deal;
    deal_open(&deal, DIALECT_ANTHROPIC, DIALECT_GEMINI,
              "{'model':'m','max_tokens':0,'messages':[{'role':'user','content':'q'}]}");
    cr_assert_not_null(deal.translate);
    cr_expect(!deal_encode(&deal));
    cr_expect_str_eq(deal.problem.param, "max_tokens");
    deal_fini(&deal);
}
