/*
 * answer.c - vectors of the kinds response and stream, and the same dialect at both ends.
 */
#include <string.h>

#include "base/jsonw.h"
#include "http/sse.h"
#include "proto/blame.h"
#include "proto/codec.h"
#include "proto/media.h"
#include "tests/tools/vector.h"

/* --- what the upstream sent --- */

static void
put(struct buf *to, struct str bytes)
{
    if (buf_append(to, bytes) != ERR_OK) {
        vector_die("the input is too large");
    }
}

/* Events as the dialect frames them. */
static struct str
framed(struct vector *vector, struct walk events)
{
    struct buf text;
    buf_init(&text, UINT32_MAX);
    for (struct walk event = walk_first(events); walk_is_there(event); event = walk_next(event)) {
        struct walk name = walk_get(event, STR("event"));
        struct walk data = walk_get(event, STR("data"));
        if (walk_is_value(name)) {
            put(&text, STR("event: "));
            put(&text, walk_string(name, &vector->arena));
            put(&text, STR("\n"));
        }
        if (walk_is_there(data)) {
            put(&text, STR("data: "));
            struct str value = walk_kind(data) == JSON_STRING ? walk_string(data, &vector->arena)
                                                              : vector_text(vector, data);
            /* The vector's own line breaks are blanks of its JSON. */
            for (size_t i = 0; i < value.len; i++) {
                put(&text, value.data[i] == '\n' ? STR(" ") : str_make(value.data + i, 1));
            }
            put(&text, STR("\n"));
        }
        put(&text, STR("\n"));
    }
    struct str copy = arena_dup(&vector->arena, buf_str(&text));
    buf_fini(&text);
    return copy;
}

static struct vector_reads
cut(struct vector *vector, struct str all, size_t bytes)
{
    uint32_t count = (uint32_t)((all.len + bytes - 1) / bytes);
    struct vector_reads reads = { arena_alloc(&vector->arena, (count + 1) * sizeof(struct str)),
                                  count };
    for (uint32_t i = 0; i < count; i++) {
        struct str rest = str_skip(all, i * bytes);
        reads.reads[i] = str_make(rest.data, rest.len < bytes ? rest.len : bytes);
    }
    return reads;
}

struct vector_reads
reads_of(struct vector *vector)
{
    struct walk chunks = walk_get(vector->input, STR("chunks_b64"));
    struct walk events = walk_get(vector->input, STR("events"));
    if (!walk_is_there(chunks)) {
        struct str all = framed(vector, events);
        return cut(vector, all, vector->cut > 0 ? vector->cut : all.len + 1);
    }
    struct vector_reads reads = {
        arena_alloc(&vector->arena, (walk_count(chunks) + 1) * sizeof(struct str)), 0
    };
    struct buf all;
    buf_init(&all, UINT32_MAX);
    for (struct walk at = walk_first(chunks); walk_is_there(at); at = walk_next(at)) {
        struct str bytes;
        if (media_decode(walk_string(at, &vector->arena), &vector->arena, &bytes) != ERR_OK) {
            vector_die("chunks_b64 is no base64");
        }
        reads.reads[reads.count++] = bytes;
        put(&all, bytes);
    }
    struct str whole = arena_dup(&vector->arena, buf_str(&all));
    buf_fini(&all);
    return vector->cut > 0 ? cut(vector, whole, vector->cut) : reads;
}

/* --- the client's request, as far as the vector tells --- */

/* What every request of the dialect must have. */
static void
put_missing(struct jsonw *w, enum dialect client, struct walk given)
{
    static const struct {
        enum dialect dialect;
        const char *name;
        const char *json;
    } wanted[] = {
        { DIALECT_CHAT, "model", "\"client-model\"" },
        { DIALECT_CHAT, "messages", "[{\"role\":\"user\",\"content\":\"q\"}]" },
        { DIALECT_RESPONSES, "model", "\"client-model\"" },
        { DIALECT_RESPONSES, "input", "\"q\"" },
        { DIALECT_ANTHROPIC, "model", "\"client-model\"" },
        { DIALECT_ANTHROPIC, "max_tokens", "1000" },
        { DIALECT_ANTHROPIC, "messages", "[{\"role\":\"user\",\"content\":\"q\"}]" },
        { DIALECT_GEMINI, "contents", "[{\"role\":\"user\",\"parts\":[{\"text\":\"q\"}]}]" },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (wanted[i].dialect == client &&
            !walk_is_there(walk_get(given, str_of(wanted[i].name)))) {
            jsonw_name(w, wanted[i].name);
            jsonw_raw(w, str_of(wanted[i].json));
        }
    }
}

static struct str
client_body(struct vector *vector, struct walk given, bool *stream)
{
    enum dialect client = vector->to;
    struct buf text;
    buf_init(&text, UINT32_MAX);
    struct jsonw w;
    jsonw_begin(&w, &text);
    jsonw_object(&w);
    struct str name;
    *stream = vector->is_stream;
    for (struct walk at = walk_first_member(given, &vector->arena, &name); walk_is_there(at);
         at = walk_next_member(at, &vector->arena, &name)) {
        if (str_equal(name, STR("stream"))) {
            *stream = walk_is_true(at);
        } else if (!str_equal(name, STR("method")) && !str_equal(name, STR("alt")) &&
                   !str_equal(name, STR("path"))) {
            jsonw_name(&w, arena_dup(&vector->arena, name).data);
            jsonw_raw(&w, vector_text(vector, at));
        }
    }
    put_missing(&w, client, given);
    if (client != DIALECT_GEMINI) {
        jsonw_put_bool(&w, "stream", *stream);
    }
    jsonw_close(&w);
    if (jsonw_end(&w) != ERR_OK) {
        vector_die("the client's request cannot be made");
    }
    struct str copy = arena_dup(&vector->arena, buf_str(&text));
    buf_fini(&text);
    return copy;
}

/* Decoded and encoded once, as before any answer. */
static struct translate *
ask(struct vector *vector)
{
    struct walk given = walk_get(vector->context, STR("client_request"));
    struct translate_setup setup = vector_setup(vector, vector->to);
    bool stream;
    setup.body = client_body(vector, given, &stream);
    if (vector->to == DIALECT_GEMINI) {
        struct walk alt = walk_get(given, STR("alt"));
        bool says = walk_is_there(walk_get(given, STR("method")));
        setup.model = STR("client-model");
        setup.stream = stream;
        setup.is_array = stream && says && !walk_is_text(alt, STR("sse"));
    }
    struct translate *translate;
    struct hub_problem problem;
    if (translate_open(&vector->arena, &setup, &translate, &problem) != ERR_OK) {
        vector_die("the client's request: %s", problem.message);
    }
    vector_caps(vector, vector->from);
    struct hub_target target = {
        .dialect = vector->from,
        .model = STR("up-model"),
        .caps = &vector->caps,
        .stream = stream,
        .single_call = walk_is_true(walk_get(vector->context, STR("enforce_single_call"))),
    };
    struct buf body;
    buf_init(&body, UINT32_MAX);
    if (translate_encode(translate, &target, &body, &problem) != ERR_OK) {
        vector_die("the client's request: %s", problem.message);
    }
    buf_fini(&body);
    return translate;
}

/* --- the answer --- */

static void
output_failure(struct vector *vector, const struct answer *answer)
{
    struct blame blame;
    struct error_info info;
    blame_found(vector->to, &answer->failure.found, answer->failure.status, &blame, &info);
    uint64_t retry_after_s = (answer->failure.found.retry_after_ms + 999) / 1000;
    output_error(vector, vector->to, &info, retry_after_s);
}

static void
print(struct vector *vector, struct translate *translate, struct answer *answer)
{
    if (answer->state == ANSWER_FAILED && !answer->has_output) {
        output_failure(vector, answer);
        return;
    }
    if (answer->state == ANSWER_FAILED) {
        struct blame blame;
        struct error_info info;
        blame_found(vector->to, &answer->failure.found, answer->failure.status, &blame, &info);
        answer_fail(answer, &info);
    }
    if (answer->state != ANSWER_DONE) {
        vector_die("the answer has not ended");
    }
    struct hub_shape shape = answer->plan->shape;
    if (shape.stream) {
        output_stream(vector, vector->to, shape.is_array, buf_str(&answer->out));
    } else {
        put(&vector->out, buf_str(&answer->out));
    }
    (void)translate;
}

static void
on_sse(void *context, const struct sse_event *event)
{
    struct answer *answer = context;
    if (event->is_cut) {
        answer_lose(answer);
    } else if (!event->is_comment) {
        answer_event(answer, event->name, event->data);
    }
}

static void
feed_stream(struct vector *vector, struct answer *answer)
{
    struct vector_reads reads = reads_of(vector);
    struct sse sse;
    sse_init(&sse);
    for (uint32_t i = 0; i < reads.count; i++) {
        sse_feed(&sse, reads.reads[i], on_sse, answer);
    }
    sse_finish(&sse, on_sse, answer);
    sse_fini(&sse);
    answer_end(answer);
}

/* {status, headers, body}: an HTTP error. */
static bool
run_http_error(struct vector *vector)
{
    uint64_t status;
    if (!walk_u64(walk_get(vector->input, STR("status")), &status) || status < 400) {
        return false;
    }
    struct walk body = walk_get(vector->input, STR("body"));
    struct str text =
        walk_kind(body) == JSON_STRING ? walk_string(body, &vector->arena) : walk_raw(body);
    struct blame blame;
    struct error_info info;
    blame_body(vector->to, vector->from, (uint32_t)status, text, &blame, &info);
    struct error_found found;
    error_read(vector->from, (uint32_t)status, text, &found);
    uint64_t retry_after_s = (found.retry_after_ms + 999) / 1000;
    struct walk headers = walk_get(vector->input, STR("headers"));
    uint64_t said = 0;
    if (walk_u64(walk_get(headers, STR("retry-after")), &said)) {
        retry_after_s = said;
    } else if (walk_u64(walk_get(headers, STR("retry-after-ms")), &said)) {
        retry_after_s = (said + 999) / 1000;
    }
    bool may_tell = info.status == 429 || info.status == 503 || info.status == 529;
    output_error(vector, vector->to, &info, may_tell ? retry_after_s : 0);
    return true;
}

void
answer_run(struct vector *vector)
{
    if (run_http_error(vector)) {
        return;
    }
    struct translate *translate = ask(vector);
    if (translate_begin(translate) != ERR_OK) {
        vector_die("the answer cannot begin");
    }
    translate_forget(translate);
    struct answer *answer = translate_answer(translate);
    bool has_reads = walk_is_there(walk_get(vector->input, STR("events"))) ||
                     walk_is_there(walk_get(vector->input, STR("chunks_b64")));
    uint64_t status;
    if (has_reads) {
        feed_stream(vector, answer);
    } else if (walk_u64(walk_get(vector->input, STR("status")), &status)) {
        struct walk body = walk_get(vector->input, STR("body"));
        answer_body(answer, walk_kind(body) == JSON_STRING ? walk_string(body, &vector->arena)
                                                           : walk_raw(body));
    } else {
        answer_body(answer, walk_raw(vector->input));
    }
    print(vector, translate, answer);
    translate_close(translate);
}
