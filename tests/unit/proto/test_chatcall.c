/*
 * test_chatcall.c - tool calls out of deltas, as servers send them.
 */
#include "tape.h"

#include "proto/chatcall.h"

struct bench {
    struct tape tape;
    struct arena arena;
    struct hub_plan plan;
    struct codec_source source;
    struct chatcalls calls;
    struct chatcall_common common;
    uint32_t next_part;
    uint32_t call_count;
};

static void
bench_open(struct bench *bench)
{
    *bench = (struct bench){ .next_part = 1 };
    arena_init(&bench->arena, 1 << 22);
    bench->source = (struct codec_source){ .sink = tape_sink(&bench->tape),
                                           .plan = &bench->plan,
                                           .arena = &bench->arena };
    bench->common = (struct chatcall_common){ .source = &bench->source,
                                              .scratch = &bench->arena,
                                              .next_part = &bench->next_part,
                                              .call_count = &bench->call_count };
}

static struct walk
parsed(struct bench *bench, const char *json)
{
    size_t len = strlen(json);
    char *text = arena_alloc(&bench->arena, len + 1);
    cr_assert_not_null(text);
    for (size_t i = 0; i < len; i++) {
        text[i] = json[i] == '\'' ? '"' : json[i];
    }
    struct walk root;
    FED(walk_parse(str_make(text, len), &bench->arena, &root));
    return root;
}

/* Deltas up to NULL, then the end. */
static void
run(struct bench *bench, const char *const *deltas, const char *want)
{
    for (size_t i = 0; deltas[i] != NULL; i++) {
        FED(chatcall_delta(&bench->calls, &bench->common, parsed(bench, deltas[i])));
    }
    FED(chatcall_finish(&bench->calls, &bench->common));
    HEARD(&bench->tape, want);
    arena_reset(&bench->arena);
}

/* By index, interleaved; without an index by id; a new id and name on a used index. */
Test(chatcall, calls_are_told_apart)
{
    static const struct {
        const char *deltas[5];
        const char *want;
    } cases[] = {
        { { "{'index':0,'id':'a','function':{'name':'f','arguments':'{'}}",
            "{'index':1,'id':'b','function':{'name':'g','arguments':'{'}}",
            "{'index':0,'function':{'arguments':'}'}}",
            "{'index':1,'function':{'arguments':'}'}}" },
          "[1C:fa 1+{ [2C:gb 2+{ 1+} 2+} 1] 2]" },
        { { "{'id':'a','function':{'name':'f','arguments':'{'}}", "{'function':{'arguments':'}'}}",
            "{'id':'b','function':{'name':'f','arguments':'{}'}}" },
          "[1C:fa 1+{ 1+} 1] [2C:fb 2+{} 2]" },
        { { "{'index':0,'id':'a','function':{'name':'f','arguments':'{}'}}",
            "{'index':0,'id':'b','function':{'name':'g','arguments':'{}'}}" },
          "[1C:fa 1+{} 1] [2C:gb 2+{} 2]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open(&bench);
        run(&bench, cases[i].deltas, cases[i].want);
    }
}

/* A name may come in pieces or again and again; arguments as an object; free text. */
Test(chatcall, names_and_arguments)
{
    static const struct {
        const char *deltas[5];
        const char *want;
    } cases[] = {
        { { "{'index':0,'id':'a','function':{'name':'get_'}}",
            "{'index':0,'function':{'name':'time','arguments':''}}",
            "{'index':0,'function':{'arguments':'{}'}}" },
          "[1C:get_timea 1+{} 1]" },
        { { "{'index':0,'id':'a','function':{'name':'f','arguments':'{'}}",
            "{'index':0,'id':'a','function':{'name':'f','arguments':'}'}}" },
          "[1C:fa 1+{ 1+} 1]" },
        { { "{'index':0,'id':'a','function':{'name':'f','arguments':{'x':1.50}}}" },
          "[1C:fa 1+{\"x\":1.50} 1]" },
        { { "{'index':0,'id':'a','custom':{'name':'f','input':'{}'}}",
            "{'index':0,'custom':{'input':'more'}}" },
          "[1C:fa 1+{} 1+more" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open(&bench);
        run(&bench, cases[i].deltas, cases[i].want);
    }
}

/* What is cut off stays open, what comes too late is not heard, nonsense does no harm. */
Test(chatcall, hostile_deltas)
{
    static const struct {
        const char *deltas[5];
        const char *want;
    } cases[] = {
        { { "{'index':0,'id':'a','function':{'name':'f','arguments':'{\\\"x'}}" },
          "[1C:fa 1+{\"x" },
        { { "{'index':0,'id':'a','function':{'name':'f','arguments':'{}'}}",
            "{'index':1,'id':'b','function':{'name':'g'}}",
            "{'index':0,'function':{'arguments':'late'}}" },
          "[1C:fa 1+{} 1] [2C:gb" },
        { { "{'index':0,'id':'a','function':{'name':'f','arguments':7}}" }, "[1C:fa" },
        { { "{'index':-1,'id':7,'function':{'name':'f','arguments':'{}'}}" }, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench bench;
        bench_open(&bench);
        const char *want = cases[i].want;
        if (want != NULL) {
            run(&bench, cases[i].deltas, want);
            continue;
        }
        FED(chatcall_delta(&bench.calls, &bench.common, parsed(&bench, cases[i].deltas[0])));
        FED(chatcall_finish(&bench.calls, &bench.common));
        cr_expect_eq(strncmp(bench.tape.text, "[1C:f", 5), 0, "%s", bench.tape.text);
        cr_expect_gt(bench.tape.len, strlen("[1C:f 1+{} 1]"), "no id was made up");
        arena_reset(&bench.arena);
    }
}

/* There is a bound on calls, and the call of old is one, whatever its chunks say. */
Test(chatcall, how_many)
{
    struct bench bench;
    bench_open(&bench);
    bench.call_count = HUB_PARTS_MAX;
    struct walk delta = parsed(&bench, "{'index':0,'id':'a','function':{'name':'f'}}");
    cr_expect_eq(chatcall_delta(&bench.calls, &bench.common, delta), ERR_FULL);
    arena_reset(&bench.arena);
    bench_open(&bench);
    const char *const pieces[] = { "{'name':'f','arguments':''}", "{'arguments':'{'}",
                                   "{'arguments':'}'}" };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        FED(chatcall_legacy(&bench.calls, &bench.common, parsed(&bench, pieces[i])));
    }
    cr_expect_eq(bench.call_count, 1);
    cr_expect_not_null(strstr(bench.tape.text, "1+{ 1+}"), "%s", bench.tape.text);
    arena_reset(&bench.arena);
}
