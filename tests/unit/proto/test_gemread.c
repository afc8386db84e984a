/*
 * test_gemread.c - answers of Gemini providers.
 */
#include "deal.h"

#include "proto/gemini.h"

#define ASK                                                                  \
    "{'model':'m','messages':[{'role':'user','content':'q'}],'stream':true," \
    "'stream_options':{'include_usage':true}}"
#define WHOLE "{'model':'m','messages':[{'role':'user','content':'q'}]}"
#define PARTS(parts) "{'responseId':'r','candidates':[{'content':{'parts':[" parts "]}}]}"
#define FINISH(reason) "{'candidates':[{'finishReason':'" reason "'}]}"

static enum answer_state
state_of(const struct deal *deal)
{
    return translate_answer(deal->translate)->state;
}

/* Text goes on, a call comes whole, an escape may be cut; usage may follow the reason. */
Test(gemread, stream)
{
    static const char *const events[] = {
        PARTS("{'text':'hm','thought':true}"),
        PARTS("{'text':'a\\ud83d'}"),
        PARTS("{'text':'\\ude00'}"),
        PARTS("{'functionCall':{'name':'f','args':{'b':1}}},{'functionCall':{'name':'g'}}"),
        FINISH("STOP"),
        "{'usageMetadata':{'promptTokenCount':13,'cachedContentTokenCount':4,"
        "'candidatesTokenCount':3,'thoughtsTokenCount':2,'totalTokenCount':18}}",
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_GEMINI, ASK);
    deal_stream(&deal, events);
    cr_expect_eq(state_of(&deal), ANSWER_DONE);
    HAS(deal.seen, "'reasoning_content':'hm'");
    HAS(deal.seen, "\xf0\x9f\x98\x80");
    HAS(deal.seen, "'name':'f'");
    HAS(deal.seen, "{\\'b\\':1}");
    HAS(deal.seen, "'arguments':'{}'");
    HAS(deal.seen, "'finish_reason':'tool_calls'");
    HAS(deal.seen, "'prompt_tokens':13");
    HAS(deal.seen, "'completion_tokens':5");
    deal_fini(&deal);
}

Test(gemread, ways_to_end)
{
    static const char *const cases[][2] = {
        { FINISH("STOP"), "'finish_reason':'stop'" },
        { FINISH("MAX_TOKENS"), "'finish_reason':'length'" },
        { FINISH("SAFETY"), "'finish_reason':'content_filter'" },
        { FINISH("PROHIBITED_CONTENT"), "'finish_reason':'content_filter'" },
        { "{'error':{'code':503,'message':'busy','status':'UNAVAILABLE'}}", NULL },
        { PARTS("{'text':'and then nothing'}"), NULL },
        { "{'candidates':[{'index':4000000000,'finishReason':'STOP'}]}", NULL },
        { "{'candidates'", NULL },
        { "7", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *events[] = { PARTS("{'text':'a'}"), cases[i][0], NULL };
        struct deal deal;
        deal_ask(&deal, DIALECT_CHAT, DIALECT_GEMINI, ASK);
        deal_stream(&deal, events);
        bool is_done = cases[i][1] != NULL;
        cr_expect_eq(state_of(&deal), is_done ? ANSWER_DONE : ANSWER_FAILED, "case %zu", i);
        if (is_done) {
            HAS(deal.seen, cases[i][1]);
        }
        deal_fini(&deal);
    }
}

/* One object, the array of a stream, or either one wrapped; a blocked prompt has no candidate. */
Test(gemread, whole_answers)
{
    static const char *const cases[][2] = {
        { "{'candidates':[{'content':{'parts':[{'text':'hi'}]},'finishReason':'STOP'}]}",
          "'content':'hi'" },
        { "[" PARTS("{'text':'h'}") "," PARTS("{'text':'i'}") "," FINISH("STOP") "]",
          "'content':'hi'" },
        { "{'response':{'candidates':[{'content':{'parts':[{'text':'hi'}]},"
          "'finishReason':'STOP'}]}}",
          "'content':'hi'" },
        { "{'promptFeedback':{'blockReason':'SAFETY'},'usageMetadata':{'promptTokenCount':1}}",
          "'finish_reason':'content_filter'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_ask(&deal, DIALECT_CHAT, DIALECT_GEMINI, WHOLE);
        deal_whole(&deal, cases[i][0]);
        HAS(deal.seen, cases[i][1]);
        deal_fini(&deal);
    }
    static const char *const bad[] = { "{}", "[]", "<html>", "{'candidates':[]}", "[7]", "" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct deal deal;
        deal_ask(&deal, DIALECT_CHAT, DIALECT_GEMINI, WHOLE);
        deal_whole(&deal, bad[i]);
        cr_expect_eq(state_of(&deal), ANSWER_FAILED, "%s", bad[i]);
        deal_fini(&deal);
    }
}

Test(gemread, counts)
{
    uint64_t tokens = 0;
    cr_expect(gemread_count(STR("{\"totalTokens\":12,\"x\":1}"), &tokens));
    cr_expect_eq(tokens, 12);
    cr_expect(!gemread_count(STR("{\"totalTokens\":-1}"), &tokens));
    cr_expect(!gemread_count(STR("{\"totalTokens\":\"12\"}"), &tokens));
    cr_expect(!gemread_count(STR("{}"), &tokens));
    cr_expect(!gemread_count(STR("nothing"), &tokens));
}
