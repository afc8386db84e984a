/*
 * test_resptalk.c - conversations for Responses providers.
 */
#include "deal.h"

#include "proto/resptalk.h"

Test(resptalk, items_in_order)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_RESPONSES,
             "{'model':'m','max_tokens':99,'system':'S','messages':["
             "{'role':'user','content':'q'},"
             "{'role':'assistant','content':[{'type':'thinking','thinking':'hm','signature':'Eq'},"
             "{'type':'text','text':'a'},{'type':'tool_use','id':'t1','name':'f','input':{}}]},"
             "{'role':'user','content':[{'type':'tool_result','tool_use_id':'t1','content':[{'type'"
             ":'text','text':'r'},{'type':'image','source':{'type':'base64','media_type':"
             "'image/png','data':'iVBORw0KGgo='}}]},{'type':'text','text':'next'}]}],"
             "'tools':[{'name':'f','input_schema':{'type':'object'}}]}");
    HAS(deal.body, "'instructions':'S'");
    LACKS(deal.body, "hm");
    HAS(deal.body, "{'type':'message','role':'assistant','content':[{'type':'output_text','text':"
                   "'a','annotations':[]}]},{'type':'function_call','call_id':'t1','name':'f',"
                   "'arguments':'{}'},{'type':'function_call_output','call_id':'t1','output':[{"
                   "'type':'input_text','text':'r'},{'type':'input_image'");
    HAS(deal.body, "{'type':'message','role':'user','content':[{'type':'input_text','text':'next'");
    deal_fini(&deal);
}

/* An input must not be empty: system text alone becomes an item. */
Test(resptalk, system_alone)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
             "{'model':'m','messages':[{'role':'system','content':'S'}]}");
    LACKS(deal.body, "instructions");
    HAS(deal.body, "'role':'developer','content':[{'type':'input_text','text':'S'}]");
    deal_fini(&deal);
}

Test(resptalk, cache_marks_need_the_capability)
{
    static const char body[] =
        "{'model':'m','max_tokens':9,'system':[{'type':'text','text':'S','cache_control':{'type':"
        "'ephemeral'}}],'messages':[{'role':'user','content':'q'}]}";
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_RESPONSES, body);
    LACKS(deal.body, "prompt_cache_breakpoint");
    deal.caps.cache_breakpoints = true;
    cr_assert(deal_encode(&deal));
    HAS(deal.body, "'text':'S','prompt_cache_breakpoint':{'mode':'explicit'}");
    deal_fini(&deal);
}

Test(resptalk, what_cannot_be_seen_is_refused)
{
    struct deal deal;
    deal_open(&deal, DIALECT_CHAT, DIALECT_RESPONSES,
              "{'model':'m','messages':[{'role':'user','content':[{'type':'text','text':'t'},{"
              "'type':'input_audio','input_audio':{'data':'AA==','format':'mp3'}}]}]}");
    cr_expect(!deal_encode(&deal));
    cr_expect_str_eq(deal.problem.param, "messages[0].content[1]");
    deal_fini(&deal);
    deal_open(&deal, DIALECT_ANTHROPIC, DIALECT_RESPONSES,
              "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':[{'type':'image',"
              "'source':{'type':'file','file_id':'f'}}]}]}");
    cr_expect(!deal_encode(&deal));
    deal_fini(&deal);
}

/* Documents: a plain one is text with its title, a file goes as a file. */
Test(resptalk, documents)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_RESPONSES,
             "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':["
             "{'type':'document','title':'T','source':{'type':'text','media_type':'text/plain',"
             "'data':'D'}},{'type':'document','source':{'type':'base64','media_type':"
             "'application/pdf','data':'JVBERi0x'}},{'type':'document','source':{'type':'url',"
             "'url':'https://x/a.pdf'}}]}]}");
    HAS(deal.body, "'text':'T\\nD'");
    HAS(deal.body, "'filename':'document.pdf','file_data':'data:application/pdf;base64,JVBERi0x'");
    HAS(deal.body, "'file_url':'https://x/a.pdf'");
    deal_fini(&deal);
}
