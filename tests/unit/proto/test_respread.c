/*
 * test_respread.c - answers of Responses providers.
 */
#include "deal.h"

#include "proto/responses.h"

#define ASK "{'model':'m','messages':[{'role':'user','content':'q'}],'stream':true}"
#define WHOLE "{'model':'m','messages':[{'role':'user','content':'q'}]}"
#define CREATED \
    "{'type':'response.created','response':{'id':'resp_1','status':'in_progress','output':[]}}"

static void
streamed(struct deal *deal, const char *const *events)
{
    deal_ask(deal, DIALECT_CHAT, DIALECT_RESPONSES, ASK);
    deal_stream(deal, events);
}

static void
expect_state(struct deal *deal, enum answer_state state)
{
    cr_expect_eq(translate_answer(deal->translate)->state, state);
}

/* Some relays tell the texts in the terminal event alone, and call it response.done. */
Test(respread, only_the_end_tells)
{
    static const char *const events[] = {
        CREATED,
        "{'type':'response.done','response':{'id':'resp_1','status':'completed','output':[{'type':"
        "'reasoning','id':'rs','summary':[{'type':'summary_text','text':'hm'}]},{'type':'message',"
        "'content':[{'type':'output_text','text':'hi'}]},{'type':'function_call','call_id':'c',"
        "'name':'f','arguments':'{}'}],'usage':{'input_tokens':3,'output_tokens':2}}}",
        NULL
    };
    struct deal deal;
    streamed(&deal, events);
    expect_state(&deal, ANSWER_DONE);
    HAS(deal.seen, "'reasoning_content':'hm'");
    HAS(deal.seen, "'content':'hi'");
    HAS(deal.seen, "'id':'c','type':'function','function':{'name':'f'");
    HAS(deal.seen, "'finish_reason':'tool_calls'");
    deal_fini(&deal);
}

Test(respread, ways_to_end)
{
    static const struct {
        const char *end;
        const char *seen; /* NULL: it failed */
    } cases[] = {
        { "{'type':'response.completed','response':{'status':'completed'}}", "'stop'" },
        { "{'type':'response.incomplete','response':{'status':'incomplete','incomplete_details':{"
          "'reason':'max_output_tokens'}}}",
          "'length'" },
        { "{'type':'response.incomplete','response':{'incomplete_details':{'reason':"
          "'content_filter'}}}",
          "'content_filter'" },
        { "{'type':'response.incomplete','response':{'status':'incomplete'}}", "'stop'" },
        { "{'type':'response.failed','response':{'status':'failed','error':{'code':"
          "'rate_limit_exceeded','message':'slow'}}}",
          NULL },
        { "{'type':'response.completed','response':{'status':'cancelled'}}", NULL },
        { "{'type':'error','message':'broken'}", NULL },
        { "{'error':{'message':'broken'}}", NULL },
        { "{'type':'response.in_progress'}", NULL }, /* the stream just stops */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *events[] = {
            CREATED,
            "{'type':'response.output_text.delta','output_index':0,'delta':'a'}",
            "{'type':'keepalive'}",
            cases[i].end,
            "{'type':'response.output_text.delta','output_index':0,'delta':'late'}",
            NULL,
        };
        struct deal deal;
        streamed(&deal, events);
        expect_state(&deal, cases[i].seen == NULL ? ANSWER_FAILED : ANSWER_DONE);
        if (cases[i].seen != NULL) {
            HAS(deal.seen, cases[i].seen);
            LACKS(deal.seen, "late");
        }
        deal_fini(&deal);
    }
}

Test(respread, nonsense_fails)
{
    static const char *const nonsense[] = { "{'type'", "[1]", "7" };
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        const char *events[] = { CREATED, nonsense[i], NULL };
        struct deal deal;
        streamed(&deal, events);
        expect_state(&deal, ANSWER_FAILED);
        deal_fini(&deal);
    }
}

Test(respread, whole_answers)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES, WHOLE);
    deal_whole(&deal,
               "{'id':'resp_1','status':'completed','error':null,'output':[{'type':'message',"
               "'content':[{'type':'output_text','text':'hi','annotations':[{'type':"
               "'url_citation','url':'https://x','title':'X','start_index':0,'end_index':2}]}]}],"
               "'usage':{'input_tokens':30,'input_tokens_details':{'cached_tokens':10},"
               "'output_tokens':9}}");
    HAS(deal.seen, "'content':'hi'");
    HAS(deal.seen, "'url':'https://x'");
    HAS(deal.seen, "'prompt_tokens':30");
    HAS(deal.seen, "'cached_tokens':10");
    deal_fini(&deal);
    static const char *const bad[] = {
        "{'id':'r','status':'failed','error':{'code':'server_error','message':'m'},'output':[]}",
        "{'id':'r','status':'in_progress','output':[]}",
        "{'hello':1}",
        "<html>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES, WHOLE);
        deal_whole(&deal, bad[i]);
        expect_state(&deal, ANSWER_FAILED);
        deal_fini(&deal);
    }
}

Test(respread, counts)
{
    uint64_t tokens = 0;
    cr_expect(
        respread_count(STR("{\"object\":\"response.input_tokens\",\"input_tokens\":12}"), &tokens));
    cr_expect_eq(tokens, 12);
    cr_expect(!respread_count(STR("{}"), &tokens));
    cr_expect(!respread_count(STR("nothing"), &tokens));
}
