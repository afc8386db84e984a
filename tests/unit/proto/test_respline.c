/*
 * test_respline.c - output items, one behind the other.
 */
#include "deal.h"

#include "proto/respline.h"

#define ASK(tools) "{'model':'m','input':'q','stream':true,'tools':[" tools "]}"
#define CALL(name, arguments)                                                             \
    "{'id':'x','choices':[{'index':0,'delta':{'tool_calls':[{'index':0,'id':'c1','type':" \
    "'function','function':{'name':'" name "','arguments':'" arguments "'}}]}}]}"
#define FINISH(reason) "{'id':'x','choices':[{'index':0,'delta':{},'finish_reason':'" reason "'}]}"

static void
called(struct deal *deal, const char *ask, const char *call)
{
    const char *events[] = { call, FINISH("tool_calls"), "[DONE]", NULL };
    deal_ask(deal, DIALECT_RESPONSES, DIALECT_CHAT, ask);
    deal_stream(deal, events);
    cr_assert_eq(translate_answer(deal->translate)->state, ANSWER_DONE);
}

/* Reasoning, text and a refusal: two items, the second with two parts. */
Test(respline, kinds_in_a_row)
{
    static const char *const events[] = {
        "{'id':'x','choices':[{'index':0,'delta':{'reasoning_content':'hm'}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{'content':'a'}}]}",
        "{'id':'x','choices':[{'index':0,'delta':{'refusal':'b'}}]}",
        FINISH("stop"),
        "[DONE]",
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT, ASK(""));
    deal_stream(&deal, events);
    cr_expect_eq(deal_count(&deal.seen, "event: response.output_item.added\n"), 2);
    HAS(deal.seen, "'summary_index':0,'delta':'hm'");
    HAS(deal.seen, "'output_index':1,'content_index':1,'delta':'b'");
    HAS(deal.seen, "'refusal':'b'}");
    HAS(deal.seen, "event: response.completed\n");
    deal_fini(&deal);
}

/* OpenAI's client tools come back as the items their clients know. */
Test(respline, client_tools)
{
    struct deal deal;
    called(&deal, ASK("{'type':'local_shell'}"),
           CALL("local_shell", "{\\'command\\':[\\'ls\\',\\n \\'-l\\']}"));
    HAS(deal.seen, "'type':'local_shell_call','call_id':'c1','action':{'type':'exec','command':["
                   "'ls','-l'],'env':{}},'status':'completed'");
    LACKS(deal.seen, "function_call");
    deal_fini(&deal);
    called(&deal, ASK("{'type':'apply_patch'}"),
           CALL("apply_patch", "{\\'type\\':\\'delete_file\\',\\'path\\':\\'p\\'}"));
    HAS(deal.seen, "'type':'apply_patch_call','call_id':'c1','operation':{'type':'delete_file',"
                   "'path':'p'}");
    deal_fini(&deal);
    called(&deal, ASK("{'type':'shell'}"), CALL("shell", "no object"));
    HAS(deal.seen, "'type':'function_call','call_id':'c1','name':'shell','arguments':'no object'");
    deal_fini(&deal);
}

/* Free text and namespaces, as Codex has them. */
Test(respline, custom_and_namespaced_calls)
{
    struct deal deal;
    called(&deal, ASK("{'type':'namespace','name':'ns','tools':[{'type':'function','name':'f'}]}"),
           CALL("ns__f", "{}"));
    HAS(deal.seen, "'name':'f','namespace':'ns','arguments':'{}'");
    deal_fini(&deal);
    static const char *const events[] = {
        "{'type':'message_start','message':{'id':'msg','model':'c','usage':{'input_tokens':1}}}",
        "{'type':'content_block_start','index':0,'content_block':{'type':'tool_use','id':'t1',"
        "'name':'p','input':{}}}",
        "{'type':'content_block_delta','index':0,'delta':{'type':'input_json_delta',"
        "'partial_json':'{\\'input\\':\\'ab\\'}'}}",
        "{'type':'content_block_stop','index':0}",
        "{'type':'message_delta','delta':{'stop_reason':'tool_use'},'usage':{'output_tokens':3}}",
        "{'type':'message_stop'}",
        NULL
    };
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_ANTHROPIC, ASK("{'type':'custom','name':'p'}"));
    deal_stream(&deal, events);
    HAS(deal.seen, "'delta':'ab'");
    HAS(deal.seen, "'type':'custom_tool_call','call_id':'t1','name':'p','input':'ab'");
    LACKS(deal.seen, "function_call_arguments");
    deal_fini(&deal);
}

/* A signature of another family is wrapped, so that it comes back to where it means something. */
Test(respline, foreign_signatures)
{
    static const char *const thinking[] = {
        "{'type':'message_start','message':{'id':'msg','model':'c','usage':{'input_tokens':1}}}",
        "{'type':'content_block_start','index':0,'content_block':{'type':'thinking','thinking':''}"
        "}",
        "{'type':'content_block_delta','index':0,'delta':{'type':'thinking_delta','thinking':'hm'}"
        "}",
        "{'type':'content_block_delta','index':0,'delta':{'type':'signature_delta','signature':"
        "'EqQB'}}",
        "{'type':'content_block_stop','index':0}",
        "{'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':{'output_tokens':3}}",
        "{'type':'message_stop'}",
        NULL
    };
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_ANTHROPIC, ASK(""));
    deal_stream(&deal, thinking);
    HAS(deal.seen, "'encrypted_content':'gw1.ant.");
    deal_fini(&deal);
    static const char *const call[] = {
        "{'candidates':[{'index':0,'content':{'role':'model','parts':[{'functionCall':{'name':'f',"
        "'args':{}},'thoughtSignature':'c2ln'}]},'finishReason':'STOP'}],'responseId':'r'}",
        NULL
    };
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_GEMINI, ASK("{'type':'function','name':'f'}"));
    deal_stream(&deal, call);
    HAS(deal.seen, "'encrypted_content':'gw1.gem.");
    HAS(deal.seen, "'output_index':1,'item':{'id':'fc_");
    deal_fini(&deal);
}
