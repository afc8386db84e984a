/*
 * pairs.c - build/bench-pairs: what translation costs by itself, for each client's dialect and each
 * provider's, beside what the same dialect at both ends costs.
 *
 *   request   a coding agent's request (system text, tools, turns with calls and results): looked
 *             at and spliced when the dialects are the same; looked at, decoded, ordered and
 *             encoded when not
 *   event     a word of a stream: framed and read for usage; when the dialects differ also decoded,
 *             filtered and written for the client
 *   memory    what a stream in its middle holds beside its connections, the request forgotten: the
 *             mean of many at once
 *
 * Processor time of this process, the median of several runs. The real code, no network.
 *
 * Runs in: itself.
 */
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "http/sse.h"
#include "proto/caps.h"
#include "proto/peek.h"
#include "proto/splice.h"
#include "proto/translate.h"
#include "proto/usage.h"

#define TURNS 20
#define TOOLS 12
#define DELTAS 2000
#define RUNS 7
#define LANES 500
#define RUN_NS 20000000ull /* processor time of one measured run */
#define READ_BYTES 4096u   /* a stream comes in reads of so many */
#define BODY_BYTES_MAX (1u << 22)

static const enum dialect dialects[] = { DIALECT_CHAT, DIALECT_RESPONSES, DIALECT_ANTHROPIC,
                                         DIALECT_GEMINI };
#define DIALECTS (sizeof dialects / sizeof dialects[0])

static struct buf requests[DIALECT_COUNT]; /* what a client of each dialect asks */
static struct buf streams[DIALECT_COUNT];  /* what a provider of each dialect answers */

static void
must(bool is_good, const char *what)
{
    if (!is_good) {
        fprintf(stderr, "bench-pairs: %s\n", what);
        exit(1);
    }
}

/* Appends a template in which ' stands for ". */
static void __attribute__((format(printf, 2, 3))) add(struct buf *to, const char *template, ...)
{
    char text[4096];
    va_list list;
    va_start(list, template);
    int n = vsnprintf(text, sizeof text, template, list);
    va_end(list);
    must(n >= 0 && (size_t)n < sizeof text, "a template is too long");
    for (int i = 0; i < n; i++) {
        text[i] = text[i] == '\'' ? '"' : text[i];
    }
    must(buf_append(to, str_make(text, (size_t)n)) == ERR_OK, "no memory");
}

/* So many bytes of plain text with an escape now and then. */
static void
add_text(struct buf *to, uint32_t bytes)
{
    static const char words[] = "the quick brown fox said \\\"no\\\" and went on;\\n ";
    for (uint32_t done = 0; done < bytes; done += sizeof words - 1) {
        add(to, "%s", words);
    }
}

#define SCHEMA                                                                                    \
    "{'type':'object','properties':{'path':{'type':'string','description':'Which file.'},"        \
    "'lines':{'type':'array','items':{'type':'integer','minimum':1}},'mode':{'type':'string',"    \
    "'enum':['read','write','append']},'options':{'type':'object','properties':{'force':{'type':" \
    "'boolean'},'encoding':{'type':'string'}},'required':['force']}},'required':['path','mode']}"

/* What each dialect calls things: templates with the tool's or turn's number. */
static const struct shape {
    const char *head;   /* up to the system text */
    const char *turns;  /* behind it, before the turns */
    const char *user;   /* around the user's text */
    const char *call;   /* the assistant's words and its call; the number twice */
    const char *result; /* around the result's text */
    const char *close;  /* of a text */
    const char *tools;  /* behind the turns */
    const char *tool;   /* the number once */
    const char *end;
} shapes[] = {
    [DIALECT_CHAT] = { "{'model':'m-1','stream':true,'messages':[{'role':'system','content':'",
                       "'}", ",{'role':'user','content':'",
                       ",{'role':'assistant','content':'I look.','tool_calls':[{'id':'call_%d',"
                       "'type':'function','function':{'name':'tool_%d','arguments':'{\\'path\\':"
                       "\\'a.c\\',\\'mode\\':\\'read\\'}'}}]}",
                       ",{'role':'tool','tool_call_id':'call_%d','content':'", "'}", "],'tools':[",
                       "{'type':'function','function':{'name':'tool_%d','description':'Does one "
                       "thing to a file.','parameters':" SCHEMA "}}",
                       "],'temperature':0.5,'max_completion_tokens':4000}" },
    [DIALECT_RESPONSES] = { "{'model':'m-1','stream':true,'store':false,'instructions':'",
                            "','input':[{'role':'user','content':'begin'}",
                            ",{'role':'user','content':'",
                            ",{'type':'function_call','call_id':'call_%d','name':'tool_%d',"
                            "'arguments':'{\\'path\\':\\'a.c\\',\\'mode\\':\\'read\\'}'}",
                            ",{'type':'function_call_output','call_id':'call_%d','output':'", "'}",
                            "],'tools':[",
                            "{'type':'function','name':'tool_%d','description':'Does one thing to "
                            "a file.','strict':false,'parameters':" SCHEMA "}",
                            "],'max_output_tokens':4000}" },
    [DIALECT_ANTHROPIC] = { "{'model':'m-1','stream':true,'max_tokens':4000,'system':'",
                            "','messages':[{'role':'user','content':'begin'}",
                            ",{'role':'user','content':'",
                            ",{'role':'assistant','content':[{'type':'text','text':'I look.'},"
                            "{'type':'tool_use','id':'call_%d','name':'tool_%d','input':{'path':"
                            "'a.c','mode':'read'}}]}",
                            ",{'role':'user','content':[{'type':'tool_result','tool_use_id':"
                            "'call_%d','content':'",
                            "'}]}", "],'tools':[",
                            "{'name':'tool_%d','description':'Does one thing to a file.',"
                            "'input_schema':" SCHEMA "}",
                            "]}" },
    [DIALECT_GEMINI] = { "{'systemInstruction':{'parts':[{'text':'",
                         "'}]},'contents':[{'role':'user','parts':[{'text':'begin'}]}",
                         ",{'role':'user','parts':[{'text':'",
                         ",{'role':'model','parts':[{'text':'I look.'},{'functionCall':{'id':"
                         "'call_%d','name':'tool_%d','args':{'path':'a.c','mode':'read'}}}]}",
                         ",{'role':'user','parts':[{'functionResponse':{'id':'call_%d','name':"
                         "'tool_0','response':{'output':'",
                         "'}}}]}", "],'tools':[{'functionDeclarations':[",
                         "{'name':'tool_%d','description':'Does one thing to a file.',"
                         "'parametersJsonSchema':" SCHEMA "}",
                         "]}],'generationConfig':{'maxOutputTokens':4000}}" },
};

/* The templates are this file's own, but no literals where they are used. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void
make_request(enum dialect dialect, struct buf *to)
{
    const struct shape *shape = &shapes[dialect];
    const char *user_close = dialect == DIALECT_GEMINI ? "'}]}" : "'}";
    buf_init(to, BODY_BYTES_MAX);
    add(to, "%s", shape->head);
    add_text(to, 8000);
    add(to, "%s", shape->turns);
    for (int turn = 0; turn < TURNS; turn++) {
        add(to, "%s", shape->user);
        add_text(to, 400);
        add(to, "%s", user_close);
        add(to, shape->call, turn, 0);
        add(to, shape->result, turn);
        add_text(to, 1000);
        add(to, "%s", shape->close);
    }
    add(to, "%s", shape->user);
    add_text(to, 400);
    add(to, "%s%s", user_close, shape->tools);
    for (int tool = 0; tool < TOOLS; tool++) {
        add(to, "%s", tool == 0 ? "" : ",");
        add(to, shape->tool, tool);
    }
    add(to, "%s", shape->end);
}
#pragma GCC diagnostic pop

static void
make_chat_stream(struct buf *to)
{
    static const char head[] = "data: {'id':'c1','object':'chat.completion.chunk','created':1,"
                               "'model':'m-1','choices':[{'index':0,'delta':";
    add(to, "%s{'role':'assistant','content':''},'finish_reason':null}]}\n\n", head);
    for (int i = 0; i < DELTAS; i++) {
        add(to, "%s{'content':' word %06d'},'finish_reason':null}]}\n\n", head, i);
    }
    add(to, "%s{},'finish_reason':'stop'}]}\n\n", head);
    add(to, "data: {'id':'c1','object':'chat.completion.chunk','created':1,'model':'m-1',"
            "'choices':[],'usage':{'prompt_tokens':9000,'completion_tokens':2000,'total_tokens':"
            "11000}}\n\ndata: [DONE]\n\n");
}

static void
add_response(struct buf *to, const char *type, const char *status, bool has_text)
{
    add(to,
        "event: %s\ndata: {'type':'%s','response':{'id':'resp_1','object':'response',"
        "'created_at':1,'model':'m-1','status':'%s','output':[",
        type, type, status);
    if (has_text) {
        add(to, "{'id':'msg_1','type':'message','role':'assistant','status':'completed','content':"
                "[{'type':'output_text','annotations':[],'text':'");
        for (int i = 0; i < DELTAS; i++) {
            add(to, " word %06d", i);
        }
        add(to, "'}]}],'usage':{'input_tokens':9000,'output_tokens':2000,'total_tokens':11000}");
    } else {
        add(to, "],'usage':null");
    }
    add(to, "}}\n\n");
}

static void
make_responses_stream(struct buf *to)
{
    add_response(to, "response.created", "in_progress", false);
    add(to, "event: response.output_item.added\ndata: {'type':'response.output_item.added',"
            "'output_index':0,'item':{'id':'msg_1','type':'message','role':'assistant','status':"
            "'in_progress','content':[]}}\n\n");
    for (int i = 0; i < DELTAS; i++) {
        add(to,
            "event: response.output_text.delta\ndata: {'type':'response.output_text.delta',"
            "'sequence_number':%d,'item_id':'msg_1','output_index':0,'content_index':0,"
            "'delta':' word %06d','logprobs':[]}\n\n",
            i + 2, i);
    }
    add_response(to, "response.completed", "completed", true);
}

static void
make_anthropic_stream(struct buf *to)
{
    add(to, "event: message_start\ndata: {'type':'message_start','message':{'id':'msg_1','type':"
            "'message','role':'assistant','model':'m-1','content':[],'stop_reason':null,"
            "'stop_sequence':null,'usage':{'input_tokens':9000,'output_tokens':1}}}\n\n");
    add(to, "event: content_block_start\ndata: {'type':'content_block_start','index':0,"
            "'content_block':{'type':'text','text':''}}\n\n");
    for (int i = 0; i < DELTAS; i++) {
        add(to,
            "event: content_block_delta\ndata: {'type':'content_block_delta','index':0,'delta':"
            "{'type':'text_delta','text':' word %06d'}}\n\n",
            i);
    }
    add(to, "event: content_block_stop\ndata: {'type':'content_block_stop','index':0}\n\n");
    add(to, "event: message_delta\ndata: {'type':'message_delta','delta':{'stop_reason':"
            "'end_turn','stop_sequence':null},'usage':{'output_tokens':2000}}\n\n"
            "event: message_stop\ndata: {'type':'message_stop'}\n\n");
}

static void
make_gemini_stream(struct buf *to)
{
    static const char tail[] = "'modelVersion':'m-1','responseId':'g1'}\n\n";
    for (int i = 0; i < DELTAS; i++) {
        add(to,
            "data: {'candidates':[{'content':{'parts':[{'text':' word %06d'}],'role':'model'},"
            "'index':0}],'usageMetadata':{'promptTokenCount':9000,'totalTokenCount':9000},%s",
            i, tail);
    }
    add(to,
        "data: {'candidates':[{'content':{'parts':[{'text':''}],'role':'model'},'finishReason':"
        "'STOP','index':0}],'usageMetadata':{'promptTokenCount':9000,'candidatesTokenCount':2000,"
        "'totalTokenCount':11000},%s",
        tail);
}

static void
make_stream(enum dialect dialect, struct buf *to)
{
    buf_init(to, BODY_BYTES_MAX);
    switch (dialect) {
    case DIALECT_CHAT:
        make_chat_stream(to);
        break;
    case DIALECT_RESPONSES:
        make_responses_stream(to);
        break;
    case DIALECT_ANTHROPIC:
        make_anthropic_stream(to);
        break;
    case DIALECT_GEMINI:
        make_gemini_stream(to);
        break;
    case DIALECT_COUNT:
        break;
    }
}

/* --- one request --- */

static struct translate *
open_request(struct arena *arena, enum dialect client, enum dialect upstream)
{
    static struct caps caps;
    struct hub_problem problem = { 0 };
    struct translate *translate;
    struct translate_setup setup = { .client = client,
                                     .body = buf_str(&requests[client]),
                                     .model = STR(""),
                                     .stream = true,
                                     .seed = 7,
                                     .now_s = 1760000000 };
    if (client == DIALECT_GEMINI) {
        setup.model = STR("m-1");
    }
    must(translate_open(arena, &setup, &translate, &problem) == ERR_OK, problem.message);
    caps_default(&caps, upstream);
    struct hub_target target = {
        .dialect = upstream, .model = STR("m-2"), .caps = &caps, .stream = true
    };
    struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    must(translate_encode(translate, &target, &body, &problem) == ERR_OK, problem.message);
    must(buf_len(&body) > 10000, "a body is too short");
    buf_fini(&body);
    return translate;
}

static enum endpoint
endpoint_of(enum dialect dialect)
{
    return translate_endpoint(dialect, true, false);
}

static void
one_request(enum dialect client, enum dialect upstream)
{
    struct peek peek;
    struct peek_error error = { 0 };
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    must(peek_json(endpoint_of(client), buf_str(&requests[client]), &peek, &error) == ERR_OK,
         error.message);
    if (client == upstream) {
        struct splice splice;
        struct splice_want want = { .model = STR("m-2"), .include_usage = client == DIALECT_CHAT };
        must(splice_make(buf_str(&requests[client]), &peek, &want, &arena, &splice) == ERR_OK,
             "a splice failed");
    } else {
        translate_close(open_request(&arena, client, upstream));
    }
    arena_reset(&arena);
}

/* --- one stream --- */

struct lane {
    struct usage_stream usage;
    struct sse sse;
    struct arena arena;
    struct translate *translate; /* NULL: the same dialect */
    uint64_t bytes;              /* for the client */
};

static void
on_event(void *context, const struct sse_event *event)
{
    struct lane *lane = context;
    (void)usage_event(&lane->usage, event->name, event->data);
    if (lane->translate == NULL) {
        lane->bytes += event->raw.len;
        return;
    }
    struct answer *answer = translate_answer(lane->translate);
    answer_event(answer, event->name, event->data);
    lane->bytes += buf_len(&answer->out);
    buf_consume(&answer->out, buf_len(&answer->out));
}

static void
lane_begin(struct lane *lane, enum dialect client, enum dialect upstream)
{
    *lane = (struct lane){ 0 };
    arena_init(&lane->arena, REQUEST_ARENA_BYTES_MAX);
    usage_stream_init(&lane->usage, upstream);
    sse_init(&lane->sse);
    if (client != upstream) {
        lane->translate = open_request(&lane->arena, client, upstream);
        must(translate_begin(lane->translate) == ERR_OK, "an answer did not begin");
        translate_forget(lane->translate);
    }
}

static void
lane_feed(struct lane *lane, struct str bytes)
{
    while (bytes.len > 0) {
        struct str part = str_make(bytes.data, bytes.len < READ_BYTES ? bytes.len : READ_BYTES);
        sse_feed(&lane->sse, part, on_event, lane);
        bytes = str_skip(bytes, part.len);
    }
}

static void
lane_close(struct lane *lane)
{
    if (lane->translate != NULL) {
        translate_close(lane->translate);
    }
    sse_fini(&lane->sse);
    arena_reset(&lane->arena);
}

static void
one_stream(enum dialect client, enum dialect upstream)
{
    struct lane lane;
    lane_begin(&lane, client, upstream);
    lane_feed(&lane, buf_str(&streams[upstream]));
    sse_finish(&lane.sse, on_event, &lane);
    if (lane.translate != NULL) {
        answer_end(translate_answer(lane.translate));
        must(translate_answer(lane.translate)->state == ANSWER_DONE, "an answer did not end");
    }
    must(lane.bytes > (uint64_t)20 * DELTAS, "too little for the client");
    lane_close(&lane);
}

/* --- memory --- */

static uint64_t
heap(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Bytes of one stream with half of its words behind it, of many: what the process keeps for the
 * next request does not count. */
static double
bytes_of(enum dialect client, enum dialect upstream)
{
    struct lane *lanes = calloc(LANES, sizeof *lanes);
    must(lanes != NULL, "no memory");
    struct str half = buf_str(&streams[upstream]);
    half.len /= upstream == DIALECT_RESPONSES ? 3 : 2; /* its end repeats the text */
    uint64_t before = heap();
    for (size_t i = 0; i < LANES; i++) {
        lane_begin(&lanes[i], client, upstream);
        lane_feed(&lanes[i], half);
    }
    uint64_t after = heap();
    for (size_t i = 0; i < LANES; i++) {
        lane_close(&lanes[i]);
    }
    free(lanes);
    return after > before ? (double)(after - before) / LANES : 0;
}

/* --- time --- */

static uint64_t
spent_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Nanoseconds of one call, the median of the runs. */
static double
time_of(void (*once)(enum dialect, enum dialect), enum dialect client, enum dialect upstream)
{
    double runs[RUNS];
    once(client, upstream);
    for (int run = 0; run < RUNS; run++) {
        uint64_t calls = 0;
        uint64_t begin = spent_ns();
        uint64_t end = begin;
        while (end - begin < RUN_NS) {
            once(client, upstream);
            calls++;
            end = spent_ns();
        }
        runs[run] = (double)(end - begin) / (double)calls;
    }
    qsort(runs, RUNS, sizeof runs[0], compare);
    return runs[RUNS / 2];
}

static void
print_pair(enum dialect client, enum dialect upstream)
{
    char name[64];
    double request = time_of(one_request, client, upstream);
    double same_request = client == upstream ? request : time_of(one_request, client, client);
    /* A stream begins with its request: without it, what its events cost. */
    double opening = client == upstream ? 0 : time_of(one_request, client, upstream);
    double event = (time_of(one_stream, client, upstream) - opening) / DELTAS;
    double same_event =
        client == upstream ? event : time_of(one_stream, upstream, upstream) / DELTAS;
    snprintf(name, sizeof name, "%s->%s", dialect_name(client), dialect_name(upstream));
    printf("%-22s %9.0f %6.1fx %11.0f %6.1fx %9.1f\n", name, 1e9 / request, request / same_request,
           1e9 / event, event / same_event, bytes_of(client, upstream) / 1024);
}

int
main(void)
{
    for (size_t i = 0; i < DIALECTS; i++) {
        make_request(dialects[i], &requests[dialects[i]]);
        make_stream(dialects[i], &streams[dialects[i]]);
    }
    printf("requests of %u to %u bytes, streams of %d words; x: times the same dialect\n",
           buf_len(&requests[DIALECT_RESPONSES]), buf_len(&requests[DIALECT_GEMINI]), DELTAS);
    printf("%-22s %9s %7s %11s %7s %9s\n", "client->provider", "req/s", "", "events/s", "",
           "KiB held");
    for (size_t i = 0; i < DIALECTS; i++) {
        for (size_t j = 0; j < DIALECTS; j++) {
            print_pair(dialects[i], dialects[j]);
        }
    }
    for (size_t i = 0; i < DIALECTS; i++) {
        buf_fini(&requests[dialects[i]]);
        buf_fini(&streams[dialects[i]]);
    }
    return 0;
}
