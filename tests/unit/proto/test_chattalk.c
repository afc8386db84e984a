/*
 * test_chattalk.c - conversations for Chat Completions providers.
 */
#include "deal.h"

#include "proto/chattalk.h"

#define HEAD "{'model':'m','max_tokens':9,"

/* Leading system texts are one message; several break the templates of self-hosted models. */
Test(chattalk, system_texts)
{
    struct deal deal;
    deal_open(&deal, DIALECT_CHAT, DIALECT_CHAT,
              HEAD "'messages':[{'role':'system','content':'a'},{'role':'developer','content':'b'},"
                   "{'role':'user','name':'eve','content':'q'}]}");
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'messages':[{'role':'system','content':'a\\n\\nb'},{'role':'user','name':'eve',"
                   "'content':'q'}]");
    deal_fini(&deal);
    deal_open(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
              HEAD "'system':[{'type':'text','text':'a','cache_control':{'type':'ephemeral'}}],"
                   "'messages':[{'role':'user','content':'q'}]}");
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "{'role':'system','content':'a'}");
    deal.caps.cache_breakpoints = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'content':[{'type':'text','text':'a','prompt_cache_breakpoint':{'mode':"
                   "'explicit'}}]");
    deal_fini(&deal);
}

/* Images of a tool's result have no place in its message; they follow as the user's. */
Test(chattalk, calls_and_results)
{
    static const char ask[] =
        HEAD "'tools':[{'name':'f','input_schema':{'type':'object'}}],'messages':["
             "{'role':'user','content':'q'},{'role':'assistant','content':[{'type':'thinking',"
             "'thinking':'hm','signature':''},{'type':'tool_use','id':'t1','name':'f','input':{}}]"
             "},{'role':'user','content':[{'type':'tool_result','tool_use_id':'t1','content':["
             "{'type':'text','text':'seen'},{'type':'image','source':{'type':'base64',"
             "'media_type':'image/png','data':'QUJD'}}]}]}]}";
    struct deal deal;
    deal_open(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT, ask);
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "{'role':'assistant','content':null,'tool_calls':[{'id':'t1','type':'function',"
                   "'function':{'name':'f','arguments':'{}'}}]}");
    HAS(deal.body, "{'role':'tool','tool_call_id':'t1','content':'seen\\n[image attached below]'},"
                   "{'role':'user','content':[{'type':'image_url','image_url':{'url':"
                   "'data:image/png;base64,QUJD'}}]}");
    LACKS(deal.body, "hm");
    deal.caps.reasoning_in_history = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'reasoning_content':'hm'");
    deal_fini(&deal);
}

/* Free text that the account does not take goes as a function's one string. */
Test(chattalk, free_text_is_wrapped)
{
    struct deal deal;
    deal_open(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
              "{'model':'m','tools':[{'type':'custom','name':'p'}],'input':[{'role':'user',"
              "'content':'q'},{'type':'custom_tool_call','call_id':'c','name':'p','input':'a b'},"
              "{'type':'custom_tool_call_output','call_id':'c','output':'r'}]}");
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'type':'custom','custom':{'name':'p','input':'a b'}");
    deal.caps.custom_tools = false;
    cr_assert(deal_encode(&deal));
    LACKS(deal.body, "'custom'");
    HAS(deal.body, "'function':{'name':'p','arguments':'{");
    HAS(deal.body, "a b");
    deal_fini(&deal);
}

/* What this dialect has no form for is refused with its place in the client's request. */
Test(chattalk, what_cannot_cross)
{
    static const struct {
        enum dialect client;
        const char *ask;
        const char *param;
    } cases[] = {
        { DIALECT_RESPONSES,
          "{'model':'m','input':[{'role':'user','content':[{'type':'input_image','file_id':'f'}]}]"
          "}",
          "input[0].content[0]" },
        { DIALECT_ANTHROPIC,
          HEAD "'messages':[{'role':'user','content':[{'type':'document','source':{'type':'url',"
               "'url':'https://x/y.pdf'}}]}]}",
          "messages[0].content[0]" },
        { DIALECT_CHAT,
          HEAD "'messages':[{'role':'user','content':[{'type':'video_url','video_url':{'url':"
               "'https://x/y.mp4'}}]}]}",
          "messages[0].content[0]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct deal deal;
        deal_open(&deal, cases[i].client, DIALECT_CHAT, cases[i].ask);
        cr_expect(!deal_encode(&deal), "%s", cases[i].ask);
        cr_expect_str_eq(deal.problem.param, cases[i].param);
        deal_fini(&deal);
    }
}
