/*
 * test_gemin.c - Gemini requests: members of the body.
 */
#include "deal.h"

#include "proto/gemini.h"

#define Q "'contents':[{'parts':[{'text':'q'}]}]"

Test(gemin, members_find_their_counterparts)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT,
             "{'systemInstruction':{'parts':[{'text':'S'}]}," Q
             ",'generationConfig':{'temperature':0.50,'topP':0.9,'maxOutputTokens':50,"
             "'stopSequences':['a','','b'],'seed':7,'responseMimeType':'application/json',"
             "'responseSchema':{'type':'OBJECT','properties':{'a':{'type':'STRING'}}},"
             "'thinkingConfig':{'thinkingBudget':1024}}}");
    HAS(deal.body, "{'role':'system','content':'S'},{'role':'user','content':'q'}");
    HAS(deal.body, "'temperature':0.50");
    HAS(deal.body, "'top_p':0.9");
    HAS(deal.body, "'max_completion_tokens':50");
    HAS(deal.body, "'stop':['a','b']");
    HAS(deal.body, "'seed':7");
    HAS(deal.body, "'type':'json_schema'");
    HAS(deal.body, "'a':{'type':'string'}");
    HAS(deal.body, "'reasoning_effort':'low'");
    deal_fini(&deal);
}

/* Either spelling of a member, contents of any shape, and what countTokens wraps. */
Test(gemin, other_spellings)
{
    static const char *const bodies[] = {
        "{'system_instruction':'S','contents':'q','generation_config':{'max_output_tokens':50}}",
        "{'system_instruction':{'parts':{'text':'S'}},'contents':{'parts':[{'text':'q'}]},"
        "'generation_config':{'maxOutputTokens':50}}",
        "{'generateContentRequest':{'model':'models/m','systemInstruction':'S'," Q
        ",'generationConfig':{'maxOutputTokens':50}}}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct deal deal;
        deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT, bodies[i]);
        HAS(deal.body, "{'role':'system','content':'S'},{'role':'user','content':'q'}");
        HAS(deal.body, "'max_completion_tokens':50");
        deal_fini(&deal);
    }
}

Test(gemin, refused)
{
    static const char *const cases[][2] = {
        { "{" Q ",'cachedContent':'cachedContents/c'}", "cachedContent" },
        { "{}", "contents" },
        { "{'contents':7}", "contents" },
        { "{" Q ",'generationConfig':{'temperature':'hot'}}", "generationConfig.temperature" },
        { "{" Q ",'generationConfig':{'maxOutputTokens':-1}}", "generationConfig.maxOutputTokens" },
        { "{" Q ",'generationConfig':{'candidateCount':0}}", "generationConfig.candidateCount" },
        { "{" Q ",'generationConfig':{'responseSchema':7}}", "generationConfig.responseSchema" },
        { "[" Q "]", "" },
        { "[]", "" },
        { "{'contents'", "" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_GEMINI, DIALECT_CHAT, cases[i][0]);
        cr_expect_null(deal.translate, "%s", cases[i][0]);
        cr_expect_eq(deal.problem.status, 400);
        cr_expect_str_eq(deal.problem.param, cases[i][1], "%s: %s", cases[i][0],
                         deal.problem.param);
        deal_fini(&deal);
    }
}

/* What nobody else has is named, never refused. */
Test(gemin, unknown_members_are_dropped)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_GEMINI, DIALECT_CHAT,
             "{" Q ",'safetySettings':[{'category':'x'}],'labels':{},'nothing':null,"
             "'generationConfig':{'mediaResolution':'LOW'}}");
    char text[256];
    struct str dropped = translate_dropped(deal.translate, text, sizeof text);
    cr_expect(str_equal(dropped, STR("mediaResolution,safetySettings,labels")), "%.*s",
              (int)dropped.len, dropped.data);
    deal_fini(&deal);
}
