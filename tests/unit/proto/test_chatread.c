/*
 * test_chatread.c - answers of Chat Completions providers.
 */
#include "tape.h"

#include "proto/chat.h"

struct bench {
    struct tape tape;
    struct arena arena;
    struct hub_plan plan;
    void *reader;
};

static void
bench_open(struct bench *bench)
{
    *bench = (struct bench){ .reader = NULL };
    arena_init(&bench->arena, 1 << 22);
    struct codec_source source = { .sink = tape_sink(&bench->tape),
                                   .plan = &bench->plan,
                                   .arena = &bench->arena };
    bench->reader = chatread_open(&source);
    cr_assert_not_null(bench->reader);
}

static enum err
fed(struct bench *bench, const char *json)
{
    size_t len = strlen(json);
    char *text = arena_alloc(&bench->arena, len + 1);
    cr_assert_not_null(text);
    for (size_t i = 0; i < len; i++) {
        text[i] = json[i] == '\'' ? '"' : json[i];
    }
    return chatread_event(bench->reader, STR(""), str_make(text, len));
}

static void
bench_fini(struct bench *bench)
{
    chatread_close(bench->reader);
    arena_reset(&bench->arena);
}

/* A chunk of choice 0 with this delta. */
#define D(delta) "{'id':'x','choices':[{'index':0,'delta':" delta "}]}"
#define STOPPED(why) "{'choices':[{'index':0,'delta':{},'finish_reason':'" why "'}]}"

/* A part ends where another kind begins; the end is [DONE], and usage comes behind the finish. */
Test(chatread, stream)
{
    static const char *const events[] = {
        D("{'role':'assistant','content':''}"),
        D("{'reasoning_content':'hm'}"),
        D("{'content':'a\\ud83d'}"),
        D("{'content':'\\ude00'}"),
        D("{'content':null,'tool_calls':[{'index':0,'id':'c','function':{'name':'f',"
          "'arguments':'{}'}}]}"),
        STOPPED("tool_calls"),
        "{'choices':[],'usage':{'prompt_tokens':3,'completion_tokens':2}}",
        " [DONE]\r",
        D("{'content':'late'}"),
    };
    struct bench bench;
    bench_open(&bench);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        FED(fed(&bench, events[i]));
    }
    FED(chatread_end(bench.reader));
    struct tape wanted;
    (void)tape_sink(&wanted);
    tape_put(&wanted, "Sx [1K 1+hm 1] [2T 2+a 2+\xf0\x9f\x98\x80 2] [3C:fc 3+{} 3] F0=%d U2 E",
             HUB_FINISH_TOOL_CALLS);
    HEARD(&bench.tape, wanted.text);
    bench_fini(&bench);
}

/* The spellings of compatible servers. */
Test(chatread, dialects_of_the_dialect)
{
    static const char *const cases[][2] = {
        { D("{'reasoning':'hm'}"), "Sx [1K 1+hm" },
        { D("{'reasoning_details':[{'text':'a'},{'summary':'b'}]}"), "Sx [1K 1+a 1+b" },
        { D("{'content':[{'type':'thinking','thinking':[{'text':'t'}]},{'type':'text','text':"
            "'a'},'b']}"),
          "Sx [1K 1+t 1] [2T 2+a 2+b" },
        { "{'id':'x','choices':[{'index':0,'delta':null,'message':{'content':'a'},"
          "'finish_reason':''}]}",
          "Sx [1T 1+a" },
        { "{'id':'x','choices':[{'delta':{'content':'a'}}]}", "Sx [1T 1+a" },
        { "{'id':'x','choices':null}", "Sx" },
        { "{'id':'x','choices':[],'x_groq':{'usage':{'prompt_tokens':1,'completion_tokens':7}}}",
          "Sx U7" },
        { D("{'content':'a','annotations':[{'type':'url_citation','url_citation':{'url':'u'}},"
            "{'url':7}]}"),
          "Sx [1T 1+a 1@u" },
        { D("{'annotations':[{'url_citation':{'url':'u'}}],'content':7,'refusal':null}"), "Sx" },
        { D("{'images':[{'image_url':{'url':'data:image/png;base64,QUJD'}},{'image_url':{'url':"
            "'https://x'}}]}"),
          "Sx [1I 1*QUJD 1]" },
        { "  ", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open(&bench);
        FED(fed(&bench, cases[i][0]));
        HEARD(&bench.tape, cases[i][1]);
        bench_fini(&bench);
    }
}

Test(chatread, reasons_to_end)
{
    static const struct {
        const char *word;
        enum hub_finish finish;
    } cases[] = {
        { "stop", HUB_FINISH_STOP },
        { "eos", HUB_FINISH_STOP },
        { "length", HUB_FINISH_LENGTH },
        { "function_call", HUB_FINISH_TOOL_CALLS },
        { "content_filter", HUB_FINISH_CONTENT_FILTER },
        { "whim", HUB_FINISH_OTHER },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open(&bench);
        struct str json = arena_printf(
            &bench.arena, "{'choices':[{'index':0,'finish_reason':'%s'}]}", cases[i].word);
        FED(fed(&bench, json.data));
        FED(chatread_end(bench.reader));
        struct tape wanted;
        (void)tape_sink(&wanted);
        tape_put(&wanted, "S F0=%d E", cases[i].finish);
        HEARD(&bench.tape, wanted.text);
        bench_fini(&bench);
    }
    struct bench bench;
    bench_open(&bench);
    FED(fed(&bench, D("{'refusal':'no'}")));
    FED(fed(&bench, STOPPED("stop")));
    struct tape wanted;
    (void)tape_sink(&wanted);
    tape_put(&wanted, "Sx [1F 1+no 1] F0=%d", HUB_FINISH_REFUSAL);
    HEARD(&bench.tape, wanted.text);
    bench_fini(&bench);
}

/* An error inside the stream ends it; nonsense is told; a stream that just stops has no END. */
Test(chatread, failures)
{
    static const char *const errors[] = { "{'error':{'message':'broken','code':'c'}}",
                                          STOPPED("error") };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct bench bench;
        bench_open(&bench);
        FED(fed(&bench, D("{'content':'a'}")));
        FED(fed(&bench, errors[i]));
        FED(fed(&bench, D("{'content':'late'}")));
        FED(chatread_end(bench.reader));
        cr_expect_not_null(strstr(bench.tape.text, "1+a X"), "%s", bench.tape.text);
        cr_expect_null(strstr(bench.tape.text, "late"));
        cr_expect_null(strstr(bench.tape.text, " E"));
        bench_fini(&bench);
    }
    static const char *const nonsense[] = { "{'choices'", "[1]", "7", "<html>" };
    struct bench bench;
    bench_open(&bench);
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        cr_expect_eq(fed(&bench, nonsense[i]), ERR_BAD, "%s", nonsense[i]);
    }
    cr_expect_eq(fed(&bench, "{'choices':[{'index':4294967296,'delta':{}}]}"), ERR_FULL);
    FED(fed(&bench, D("{'content':'a'}")));
    FED(fed(&bench, "[DONE]"));
    FED(chatread_end(bench.reader));
    cr_expect_null(strstr(bench.tape.text, " E"), "%s", bench.tape.text);
    bench_fini(&bench);
}

/* Only with the cap: who writes about tags without it is quoted. */
Test(chatread, reasoning_between_tags)
{
    static const char *const events[] = {
        D("{'role':'assistant','content':' \\n<th'}"),
        D("{'content':'ink>pl\\ud83d'}"),
        D("{'content':'\\ude00an</thi'}"),
        D("{'content':'nk>\\n\\nHi <think>'}"),
        STOPPED("stop"),
    };
    struct bench bench;
    bench_open(&bench);
    bench.plan.caps.inline_think = true;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        FED(fed(&bench, events[i]));
    }
    HEARD(&bench.tape, "Sx [1K 1+pl 1+\xf0\x9f\x98\x80"
                       "an 1] [2T 2+Hi <think> 2] F0=0");
    bench_fini(&bench);
}
