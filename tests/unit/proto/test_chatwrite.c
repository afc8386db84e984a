/*
 * test_chatwrite.c - streamed answers for Chat Completions clients.
 */
#include "deal.h"

#include "proto/chat.h"

#define ASK "{'model':'m','messages':[{'role':'user','content':'q'}],'stream':true"
#define START \
    "{'type':'message_start','message':{'id':'msg','model':'c','usage':{'input_tokens':9}}}"
#define STOP(why)                                                                             \
    "{'type':'message_delta','delta':{'stop_reason':'" why "'},'usage':{'output_tokens':3}}", \
        "{'type':'message_stop'}"
#define TEXT "{'type':'content_block_start','index':0,'content_block':{'type':'text','text':''}}"
#define CLOSE "{'type':'content_block_stop','index':0}"

/* The role first, one finish, usage only for who asked, and null in every chunk before it. */
Test(chatwrite, frame)
{
    static const char *const events[] = {
        START,
        TEXT,
        "{'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':'a\\nb'}}",
        CLOSE,
        STOP("end_turn"),
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, ASK "}");
    deal_stream(&deal, events);
    HAS(deal.seen, "'delta':{'role':'assistant','content':''},'finish_reason':null}]}\n\n");
    HAS(deal.seen, "'delta':{'content':'a\\nb'},'finish_reason':null}]}\n\n");
    HAS(deal.seen, "'delta':{},'finish_reason':'stop'}]}\n\ndata: [DONE]\n\n");
    LACKS(deal.seen, "usage");
    LACKS(deal.seen, "event:");
    cr_expect_eq(deal_count(&deal.seen, "'role'"), 1);
    cr_expect_eq(deal_count(&deal.seen, "'object':'chat.completion.chunk'"), 3);
    deal_fini(&deal);
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC,
             ASK ",'stream_options':{'include_usage':true}}");
    deal_stream(&deal, events);
    cr_expect_eq(deal_count(&deal.seen, "'usage':null"), 3);
    HAS(deal.seen, "'choices':[],'usage':{'prompt_tokens':9,'completion_tokens':3");
    deal_fini(&deal);
}

/* Who a call is comes once, then its arguments under its index. */
Test(chatwrite, calls)
{
    static const char *const events[] = {
        START,
        "{'type':'content_block_start','index':0,'content_block':{'type':'tool_use','id':'t1',"
        "'name':'f','input':{}}}",
        "{'type':'content_block_delta','index':0,'delta':{'type':'input_json_delta',"
        "'partial_json':'{\\'a\\':1}'}}",
        CLOSE,
        "{'type':'content_block_start','index':1,'content_block':{'type':'tool_use','id':'t2',"
        "'name':'g','input':{}}}",
        "{'type':'content_block_stop','index':1}",
        STOP("tool_use"),
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, ASK "}");
    deal_stream(&deal, events);
    HAS(deal.seen, "{'tool_calls':[{'index':0,'id':'t1','type':'function','function':{'name':'f',"
                   "'arguments':''}}]}");
    HAS(deal.seen, "{'tool_calls':[{'index':0,'function':{'arguments':'{\\'a\\':1}'}}]}");
    HAS(deal.seen, "{'index':1,'id':'t2'");
    HAS(deal.seen, "{'tool_calls':[{'index':1,'function':{'arguments':'{}'}}]}");
    HAS(deal.seen, "'finish_reason':'tool_calls'");
    deal_fini(&deal);
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, ASK ",'functions':[{'name':'f'}]}");
    deal_stream(&deal, events);
    HAS(deal.seen, "{'function_call':{'name':'f','arguments':''}}");
    HAS(deal.seen, "{'function_call':{'arguments':'{\\'a\\':1}'}}");
    HAS(deal.seen, "'finish_reason':'function_call'");
    LACKS(deal.seen, "'g'");
    LACKS(deal.seen, "tool_calls");
    deal_fini(&deal);
}

/* Paragraphs of reasoning are told apart; signatures of others never go out. */
Test(chatwrite, reasoning)
{
    static const char *const events[] = {
        START,
        "{'type':'content_block_start','index':0,'content_block':{'type':'thinking','thinking':"
        "''}}",
        "{'type':'content_block_delta','index':0,'delta':{'type':'thinking_delta','thinking':'x'}"
        "}",
        "{'type':'content_block_delta','index':0,'delta':{'type':'signature_delta','signature':"
        "'U0VDUkVU'}}",
        CLOSE,
        "{'type':'content_block_start','index':1,'content_block':{'type':'thinking','thinking':"
        "''}}",
        "{'type':'content_block_delta','index':1,'delta':{'type':'thinking_delta','thinking':'y'}"
        "}",
        "{'type':'content_block_stop','index':1}",
        STOP("max_tokens"),
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, ASK "}");
    deal_stream(&deal, events);
    HAS(deal.seen, "{'reasoning_content':'x'}");
    cr_expect_eq(deal_count(&deal.seen, "{'reasoning_content':'\\n\\n'}"), 1);
    HAS(deal.seen, "{'reasoning_content':'y'}");
    HAS(deal.seen, "'finish_reason':'length'");
    LACKS(deal.seen, "U0VDUkVU");
    deal_fini(&deal);
}

/* A broken stream ends with an error the client can see, and never as if it were whole. */
Test(chatwrite, errors)
{
    struct hub_plan plan = { .shape = { .model = STR("m") } };
    struct arena arena;
    struct buf to;
    arena_init(&arena, 1 << 16);
    buf_init(&to, 4096);
    struct codec_outlet outlet = { .plan = &plan, .arena = &arena, .to = &to };
    void *writer = chatwrite_open(&outlet);
    cr_assert_not_null(writer);
    cr_assert_eq(chatwrite_event(writer, &(struct hub_event){ .kind = HUB_START }), ERR_OK);
    struct error_info info = { .code = "upstream_error",
                               .status = 502,
                               .message = STR("it \"broke\"") };
    cr_assert_eq(chatwrite_error(writer, &info), ERR_OK);
    HAS(to, "data: {'error':{");
    HAS(to, "it \\'broke\\'");
    LACKS(to, "finish_reason");
    chatwrite_close(writer);
    buf_fini(&to);
    buf_init(&to, 16);
    writer = chatwrite_open(&outlet);
    cr_assert_not_null(writer);
    cr_expect_eq(chatwrite_error(writer, &info), ERR_FULL);
    buf_fini(&to);
    arena_reset(&arena);
}
