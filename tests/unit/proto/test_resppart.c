/*
 * test_resppart.c - output items and their pieces.
 */
#include "deal.h"

#include "proto/resppart.h"

#define ASK "{'model':'m','messages':[{'role':'user','content':'q'}],'stream':true}"
#define END "{'type':'response.completed','response':{'status':'completed'}}"

static void
streamed(struct deal *deal, const char *const *events)
{
    deal_ask(deal, DIALECT_CHAT, DIALECT_RESPONSES, ASK);
    deal_stream(deal, events);
    cr_assert_eq(translate_answer(deal->translate)->state, ANSWER_DONE);
}

/* What deltas left out is told by `done`, and nothing twice. */
Test(resppart, tails)
{
    static const char *const events[] = {
        "{'type':'response.output_item.added','output_index':0,'item':{'type':'message','id':'a'}}",
        "{'type':'response.output_text.delta','output_index':0,'content_index':0,'delta':'one'}",
        "{'type':'response.output_text.done','output_index':0,'content_index':0,'text':'one two'}",
        "{'type':'response.content_part.done','output_index':0,'content_index':0,'part':{'type':"
        "'output_text','text':'one two three'}}",
        "{'type':'response.output_item.done','output_index':0,'item':{'type':'message','content':[{"
        "'type':'output_text','text':'one two three'},{'type':'output_text','text':' four'}]}}",
        END,
        NULL
    };
    struct deal deal;
    streamed(&deal, events);
    cr_expect_eq(deal_count(&deal.seen, "'content':'one'"), 1);
    cr_expect_eq(deal_count(&deal.seen, "'content':' two'"), 1);
    cr_expect_eq(deal_count(&deal.seen, "'content':' three'"), 1);
    cr_expect_eq(deal_count(&deal.seen, "'content':' four'"), 1);
    deal_fini(&deal);
}

/* Calls: arguments as deltas, in `done` only, or only in the item; named late; without an id. */
Test(resppart, calls)
{
    static const char *const events[] = {
        "{'type':'response.output_item.added','output_index':0,'item':{'type':'function_call','id':"
        "'fc','call_id':'c1','name':'f','arguments':''}}",
        "{'type':'response.function_call_arguments.delta','output_index':0,'delta':'{}'}",
        "{'type':'response.function_call_arguments.done','output_index':0,'arguments':'{}'}",
        "{'type':'response.output_item.done','output_index':0,'item':{'type':'function_call',"
        "'call_id':'c1','name':'f','arguments':'{}'}}",
        "{'type':'response.function_call_arguments.delta','output_index':1,'delta':'{1'}",
        "{'type':'response.output_item.done','output_index':1,'item':{'type':'function_call',"
        "'call_id':'c2','name':'g','arguments':'[1]'}}",
        "{'type':'response.output_item.done','output_index':2,'item':{'type':'function_call',"
        "'status':'completed','name':'h','arguments':{'a':1}}}",
        END,
        NULL
    };
    struct deal deal;
    streamed(&deal, events);
    cr_expect_eq(deal_count(&deal.seen, "'arguments':'{}'"), 1);
    HAS(deal.seen, "'index':1,'id':'c2'");
    cr_expect_eq(deal_count(&deal.seen, "'arguments':'[1]'"), 1);
    HAS(deal.seen, "'index':2,'id':'call_");
    HAS(deal.seen, "'finish_reason':'tool_calls'");
    deal_fini(&deal);
}

/* A character whose halves come in two deltas. */
Test(resppart, halves_of_a_character)
{
    static const char *const events[] = {
        "{'type':'response.refusal.delta','output_index':0,'delta':'a\\ud83d'}",
        "{'type':'response.refusal.delta','output_index':0,'delta':'\\ude00'}",
        "{'type':'response.refusal.delta','output_index':0,'delta':'\\ud83d'}", END, NULL
    };
    struct deal deal;
    streamed(&deal, events);
    HAS(deal.seen, "\xf0\x9f\x98\x80");
    LACKS(deal.seen, "\\ud83d");
    deal_fini(&deal);
}

/* Summary entries are segments; the encrypted content goes to the client and comes back. */
Test(resppart, reasoning)
{
    static const char *const events[] = {
        "{'type':'response.output_item.added','output_index':0,'item':{'type':'reasoning','id':"
        "'rs_1','summary':[]}}",
        "{'type':'response.reasoning_summary_text.delta','output_index':0,'summary_index':0,"
        "'delta':'one'}",
        "{'type':'response.reasoning_summary_text.delta','output_index':0,'summary_index':1,"
        "'delta':'two'}",
        "{'type':'response.output_item.done','output_index':0,'item':{'type':'reasoning','id':"
        "'rs_1','encrypted_content':'gAAAA','summary':[{'text':'one'},{'text':'two'},{'text':"
        "'three'}]}}",
        END,
        NULL
    };
    struct deal deal;
    deal_ask(
        &deal, DIALECT_ANTHROPIC, DIALECT_RESPONSES,
        "{'model':'m','max_tokens':9,'stream':true,'messages':[{'role':'user','content':'q'}]}");
    deal_stream(&deal, events);
    HAS(deal.seen, "'thinking':'one'");
    HAS(deal.seen, "'thinking':'two'");
    HAS(deal.seen, "'thinking':'three'");
    HAS(deal.seen, "'signature':'gw1.oai.");
    deal_fini(&deal);
}

/* Deltas of one kind for an item of another are no part of it. */
Test(resppart, kinds_do_not_mix)
{
    static const char *const events[] = {
        "{'type':'response.output_item.added','output_index':0,'item':{'type':'function_call',"
        "'call_id':'c1','name':'f'}}",
        "{'type':'response.reasoning_summary_text.delta','output_index':0,'delta':'x'}",
        "{'type':'response.output_item.done','output_index':0,'item':{'type':'reasoning','id':"
        "'rs_1','encrypted_content':'g','summary':[]}}",
        "{'type':'response.output_item.added','output_index':1,'item':{'type':'message'}}",
        "{'type':'response.function_call_arguments.delta','output_index':1,'delta':'{}'}",
        "{'type':'response.output_text.annotation.added','output_index':1,'annotation':{'type':"
        "'url_citation','url':'u'}}",
        END,
        NULL
    };
    struct deal deal;
    streamed(&deal, events);
    LACKS(deal.seen, "'x'");
    LACKS(deal.seen, "annotations");
    deal_fini(&deal);
}

/* Images and searches of the provider's own. */
Test(resppart, hosted_items)
{
    static const char *const events[] = {
        "{'type':'response.output_item.added','output_index':0,'item':{'type':'web_search_call',"
        "'id':'ws'}}",
        "{'type':'response.output_item.done','output_index':0,'item':{'type':'web_search_call',"
        "'id':'ws','action':{'type':'search','query':'k'}}}",
        "{'type':'response.output_item.done','output_index':1,'item':{'type':"
        "'image_generation_call','result':'iVBORw0KGgo='}}",
        "{'type':'response.output_item.done','output_index':2,'item':{'type':'hologram_call'}}",
        END,
        NULL
    };
    struct deal deal;
    streamed(&deal, events);
    LACKS(deal.seen, "tool_calls");
    HAS(deal.seen, "data:image/png;base64,iVBORw0KGgo=");
    deal_fini(&deal);
}
