/*
 * test_chatin.c - Chat Completions requests: members of the body and messages.
 */
#include "deal.h"

#include "proto/chat.h"

#define Q "'messages':[{'role':'user','content':'q'}]"

Test(chatin, members_find_their_counterparts)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
             "{'model':'m','max_completion_tokens':50,'temperature':0.50,'top_p':0.9,"
             "'reasoning_effort':'low','verbosity':'low','prompt_cache_key':'k',"
             "'safety_identifier':'u','user':'other','response_format':{'type':'json_object'},"
             "'messages':[{'role':'system','content':'I'},{'role':'user','content':["
             "{'type':'text','text':'a json'},{'type':'image_url','image_url':{'url':"
             "'https://x/y.png','detail':'low'}}]}]}");
    HAS(deal.body, "'max_output_tokens':50");
    HAS(deal.body, "'temperature':0.50");
    HAS(deal.body, "'effort':'low'");
    HAS(deal.body, "'verbosity':'low'");
    HAS(deal.body, "'type':'json_object'");
    HAS(deal.body, "'prompt_cache_key':'k'");
    HAS(deal.body, "'safety_identifier':'u'");
    HAS(deal.body, "https://x/y.png");
    LACKS(deal.body, "other");
    deal_fini(&deal);
}

/* The answer names the member that is wrong, down to the part. */
Test(chatin, malformed_requests_are_refused)
{
    static const char *const cases[][2] = {
        { "[]", "" },
        { "{'model':'m'", "" },
        { "{'model':'m'}", "messages" },
        { "{'model':'m','messages':{}}", "messages" },
        { "{'model':'m','messages':[7]}", "messages[0].role" },
        { "{'model':'m','messages':[{'role':'user','content':'q'},{'role':'king'}]}",
          "messages[1].role" },
        { "{'model':'m','messages':[{'role':'user','content':7}]}", "messages[0].content" },
        { "{'model':'m','messages':[{'role':'user','content':[{'type':'text','text':'a'},"
          "{'type':'hologram'}]}]}",
          "messages[0].content[1]" },
        { "{'model':'m','messages':[{'role':'user','content':[{'type':'image_url'}]}]}",
          "messages[0].content[0]" },
        { "{'model':'m','messages':[{'role':'user','content':[{'type':'file','file':{}}]}]}",
          "messages[0].content[0]" },
        { "{'model':'m','messages':[{'role':'assistant','tool_calls':[{'id':'c'}]}]}",
          "messages[0].tool_calls" },
        { "{'model':'m','messages':[{'role':'assistant','function_call':{'arguments':'{}'}},"
          "{'role':'function','name':'f','content':'r'}]}",
          "messages[0].function_call" },
        { "{'model':'m'," Q ",'temperature':'hot'}", "temperature" },
        { "{'model':'m'," Q ",'max_tokens':1.5}", "max_tokens" },
        { "{'model':'m'," Q ",'max_completion_tokens':-1}", "max_completion_tokens" },
        { "{'model':'m'," Q ",'n':0}", "n" },
        { "{'model':'m'," Q ",'response_format':{'type':'grammar'}}", "response_format" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_open(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, cases[i][0]);
        cr_expect_null(deal.translate, "%s", cases[i][0]);
        cr_expect_eq(deal.problem.status, 400, "%s", cases[i][0]);
        cr_expect_str_eq(deal.problem.param, cases[i][1]);
        deal_fini(&deal);
    }
}

/* Clients in use: arguments as an object, roles and members of old, members nobody knows. */
Test(chatin, habits_of_clients)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC,
             "{'model':'m','stop':null,'temperature':null,'my_own':1,'their_own':null,'messages':["
             "{'role':'user','content':'q'},{'role':'assistant','content':null,'tool_calls':["
             "{'id':'c1','type':'function','function':{'name':'f','arguments':{'a':1.50}}}]},"
             "{'role':'tool','tool_call_id':'c1','content':[{'type':'text','text':'r'}]}]}");
    HAS(deal.body, "'input':{'a':1.50}");
    HAS(deal.body, "'tool_use_id':'c1'");
    char text[256];
    struct str dropped = translate_dropped(deal.translate, text, sizeof text);
    cr_expect(str_equal(dropped, STR("my_own")), "%.*s", (int)dropped.len, dropped.data);
    deal_fini(&deal);
}

/* Empty stop sequences are none; more or longer ones than there is room for are refused. */
Test(chatin, stop_sequences)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, "{'model':'m'," Q ",'stop':['','x','y']}");
    HAS(deal.body, "'stop_sequences':['x','y']");
    deal_fini(&deal);
    struct buf body;
    buf_init(&body, 1 << 16);
    cr_assert_eq(buf_append(&body, STR("{'model':'m'," Q ",'stop':['s'")), ERR_OK);
    for (size_t i = 0; i < HUB_STOPS_MAX; i++) {
        cr_assert_eq(buf_append(&body, STR(",'s'")), ERR_OK);
    }
    cr_assert_eq(buf_append(&body, str_make("]}", 3)), ERR_OK); /* with its NUL */
    deal_open(&deal, DIALECT_CHAT, DIALECT_ANTHROPIC, buf_str(&body).data);
    cr_expect_null(deal.translate);
    cr_expect_str_eq(deal.problem.param, "stop");
    deal_fini(&deal);
    buf_fini(&body);
}
