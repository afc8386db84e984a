/*
 * test_respitem.c - input items.
 */
#include "deal.h"

#include "proto/carrier.h"
#include "proto/respitem.h"

/* One answer's items are one turn; results find their calls. */
Test(respitem, items_of_a_turn)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_ANTHROPIC,
             "{'model':'m','tools':[{'type':'function','name':'f'},{'type':'custom','name':'p'}],"
             "'input':[{'role':'user','content':'q'},"
             "{'type':'reasoning','id':'rs_1','summary':[],'encrypted_content':'gAAAA'},"
             "{'type':'message','role':'assistant','content':[{'type':'output_text','text':'ok'}]},"
             "{'type':'function_call','call_id':'c1','name':'f','arguments':'{}'},"
             "{'type':'custom_tool_call','call_id':'c2','name':'p','input':'free'},"
             "{'type':'custom_tool_call_output','call_id':'c2','output':'two'},"
             "{'type':'function_call_output','call_id':'c1','output':[{'type':'input_text','text':"
             "'one'}]},{'role':'user','content':'next'}]}");
    HAS(deal.body, "{'role':'assistant','content':[{'type':'text','text':'ok'},{'type':'tool_use',"
                   "'id':'c1','name':'f','input':{}},{'type':'tool_use','id':'c2','name':'p',"
                   "'input':{'input':'free'}}]}");
    LACKS(deal.body, "gAAAA");
    cr_expect_eq(deal_count(&deal.body, "'tool_use_id':'c1'"), 1);
    HAS(deal.body, "next");
    deal_fini(&deal);
}

Test(respitem, parts)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','input':[{'role':'user','content':["
             "{'type':'input_image','image_url':'https://x/y.png','detail':'original'},"
             "{'type':'input_image','image_url':{'url':'data:image/png;base64,iVBORw0KGgo='}},"
             "{'type':'input_file','filename':'a.pdf','file_data':'JVBERi0x'},"
             "{'type':'input_audio','input_audio':{'data':'AAAA','format':'mp3'}}]}]}");
    HAS(deal.body, "'url':'https://x/y.png','detail':'high'");
    HAS(deal.body, "'url':'data:image/png;base64,iVBORw0KGgo='");
    HAS(deal.body, "'filename':'a.pdf','file_data':'data:application/pdf;base64,JVBERi0x'");
    HAS(deal.body, "'format':'mp3'");
    deal_fini(&deal);
    static const char *const odd[][2] = {
        { "{'model':'m','input':[{'role':'user','content':[{'type':'hologram'}]}]}",
          "input[0].content[0]" },
        { "{'model':'m','input':[{'role':'user','content':[{'type':'input_image'}]}]}",
          "input[0].content[0]" },
        { "{'model':'m','input':[{'role':'user','content':7}]}", "input[0].content" },
        { "{'model':'m','input':[{'role':'nobody','content':'q'}]}", "input[0].role" },
        { "{'model':'m','input':[{'type':'function_call','call_id':'c'}]}", "input[0].name" },
        { "{'model':'m','input':[{'type':'computer_call'}]}", "input[0]" },
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        deal_open(&deal, DIALECT_RESPONSES, DIALECT_CHAT, odd[i][0]);
        cr_expect_null(deal.translate);
        cr_expect_str_eq(deal.problem.param, odd[i][1]);
        deal_fini(&deal);
    }
}

/* OpenAI's client tools are functions to others, with their history. */
Test(respitem, shells_and_patches)
{
    struct deal deal;
    deal_ask(
        &deal, DIALECT_RESPONSES, DIALECT_CHAT,
        "{'model':'m','tools':[{'type':'local_shell'},{'type':'shell'},{'type':'apply_patch'}],"
        "'input':[{'role':'user','content':'q'},"
        "{'type':'local_shell_call','call_id':'a','action':{'type':'exec','command':['ls']}},"
        "{'type':'local_shell_call_output','id':'a','output':'x'},"
        "{'type':'shell_call','call_id':'b','action':{'commands':['pwd']}},"
        "{'type':'shell_call_output','call_id':'b','output':[{'stdout':'y','stderr':''}]},"
        "{'type':'apply_patch_call','call_id':'c','operation':{'type':'delete_file','path':"
        "'p'}},{'type':'apply_patch_call_output','call_id':'c','status':'failed',"
        "'output':'no'}]}");
    HAS(deal.body, "'name':'local_shell','arguments':'{\\'type\\':\\'exec\\'");
    HAS(deal.body, "'tool_call_id':'a','content':'x'");
    HAS(deal.body, "\\'stdout\\':\\'y\\'");
    HAS(deal.body, "'tool_call_id':'c','content':'no'");
    deal_fini(&deal);
}

/* A conversation that the gateway folded is read again; OpenAI's own cannot be. */
Test(respitem, compactions)
{
    struct deal deal;
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
             "{'model':'m','tools':[{'type':'function','name':'f'}],'tool_choice':'required',"
             "'input':[{'role':'user','content':'q'},{'type':'compaction_trigger'}]}");
    HAS(deal.body, "Write that summary now");
    HAS(deal.body, "'tool_choice':'none'");
    deal_fini(&deal);
    struct carrier carrier = { .key = { 1, 2 }, .scope = 7 };
    struct hub_signature folded = { .family = HUB_FAMILY_GATEWAY, .bytes = STR("all of it") };
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct str opaque;
    cr_assert_eq(carrier_wrap(&carrier, &folded, NULL, &arena, &opaque), ERR_OK);
    struct str body = arena_printf(&arena,
                                   "{'model':'m','input':[{'type':'compaction',"
                                   "'encrypted_content':'%.*s'},{'role':'user','content':'go'}]}",
                                   STR_ARG(opaque));
    deal_ask(&deal, DIALECT_RESPONSES, DIALECT_CHAT, body.data);
    HAS(deal.body, "Summary of the conversation so far:\\n\\nall of it");
    deal_fini(&deal);
    arena_reset(&arena);
    deal_open(&deal, DIALECT_RESPONSES, DIALECT_CHAT,
              "{'model':'m','input':[{'type':'compaction','encrypted_content':'gAAAA'}]}");
    cr_expect_null(deal.translate);
    deal_fini(&deal);
    deal_open(
        &deal, DIALECT_RESPONSES, DIALECT_CHAT,
        "{'model':'m','input':[{'type':'compaction_trigger'},{'role':'user','content':'q'}]}");
    cr_expect_null(deal.translate);
    deal_fini(&deal);
}
