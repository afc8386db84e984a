/*
 * test_anthblock.c - content blocks of Anthropic requests.
 */
#include "deal.h"

#include "proto/anthblock.h"

Test(anthblock, kinds)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':["
             "{'type':'text','text':'t'},"
             "{'type':'image','source':{'type':'base64','media_type':'image/png','data':"
             "'iVBORw0KGgo='}},{'type':'image','source':{'type':'url','url':'https://x/y.png'}},"
             "{'type':'document','title':'T','context':'C','source':{'type':'text','media_type':"
             "'text/plain','data':'D'}},{'type':'search_result','title':'R','source':'https://r',"
             "'content':[{'type':'text','text':'found'}]}]}]}");
    HAS(deal.body, "data:image/png;base64,iVBORw0KGgo=");
    HAS(deal.body, "https://x/y.png");
    HAS(deal.body, "T\\nC\\nD");
    HAS(deal.body, "R\\nhttps://r\\nfound");
    deal_fini(&deal);
}

/* What ran at Anthropic is told as text; a call to answer it is not. */
Test(anthblock, server_tools)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'q'},{'role':"
             "'assistant','content':[{'type':'server_tool_use','id':'s','name':'web_search',"
             "'input':{'query':'k'}},{'type':'web_search_tool_result','tool_use_id':'s','content':"
             "[{'type':'web_search_result','title':'T','url':'https://u'}]},{'type':'text','text':"
             "'a'}]},{'role':'user','content':'next'}]}");
    LACKS(deal.body, "tool_calls");
    HAS(deal.body, "T https://u");
    deal_fini(&deal);
}

/* Several results, an error among them, and what the user says behind them. */
Test(anthblock, results)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_ANTHROPIC, DIALECT_CHAT,
             "{'model':'m','max_tokens':9,'tools':[{'name':'f','input_schema':{'type':'object'}}],"
             "'messages':[{'role':'user','content':'q'},{'role':'assistant','content':[{'type':"
             "'tool_use','id':'a','name':'f','input':{'x':1.50}},{'type':'tool_use','id':'b',"
             "'name':'f','input':{}}]},{'role':'user','content':[{'type':'tool_result',"
             "'tool_use_id':'a','content':'one'},{'type':'tool_result','tool_use_id':'b',"
             "'is_error':true,'content':[{'type':'text','text':'two'}]},{'type':'text','text':"
             "'go on'}]}]}");
    HAS(deal.body, "'arguments':'{\\'x\\':1.50}'");
    HAS(deal.body, "{'role':'tool','tool_call_id':'a','content':'one'},{'role':'tool',"
                   "'tool_call_id':'b','content':'two'},{'role':'user','content':'go on'}");
    deal_fini(&deal);
}
