/*
 * other.c - vectors that ask for usage, for what the gateway says itself, for counts and lists, and
 * those with the same dialect at both ends.
 */
#include <string.h>

#include "base/jsonw.h"
#include "http/sse.h"
#include "proto/blame.h"
#include "proto/codec.h"
#include "proto/embedding.h"
#include "proto/estimate.h"
#include "proto/listing.h"
#include "proto/peek.h"
#include "proto/splice.h"
#include "proto/usage.h"
#include "tests/tools/vector.h"

static void
finish(struct jsonw *w)
{
    if (jsonw_end(w) != ERR_OK) {
        vector_die("the output cannot be written");
    }
}

/* --- usage --- */

static void
output_usage(struct vector *vector, const struct usage *usage, bool is_partial)
{
    struct jsonw w;
    jsonw_begin(&w, &vector->out);
    jsonw_object(&w);
    jsonw_put_u64(&w, "in_fresh", usage->in_fresh);
    jsonw_put_u64(&w, "in_cache_read", usage->in_cache_read);
    jsonw_put_u64(&w, "in_cache_write_5m", usage->in_cache_write_5m);
    jsonw_put_u64(&w, "in_cache_write_1h", usage->in_cache_write_1h);
    jsonw_put_u64(&w, "out_total", usage->out_total);
    jsonw_put_u64(&w, "out_reasoning", usage->out_reasoning);
    jsonw_put_u64(&w, "in_tool_prompt", usage->in_tool);
    jsonw_put_u64(&w, "in_audio", usage->in_audio);
    jsonw_put_u64(&w, "web_search", usage->web_searches);
    if (usage->service_tier[0] != '\0') {
        jsonw_put_text(&w, "service_tier", usage->service_tier);
    }
    jsonw_name(&w, "flags");
    jsonw_array(&w);
    if (usage->source == USAGE_ESTIMATED) {
        jsonw_text(&w, "ESTIMATED");
    }
    if (is_partial) {
        jsonw_text(&w, "PARTIAL");
    }
    jsonw_close(&w);
    jsonw_close(&w);
    finish(&w);
}

static void
on_usage(void *context, const struct sse_event *event)
{
    if (!event->is_comment) {
        (void)usage_event(context, event->name, event->data);
    }
}

void
usage_run(struct vector *vector)
{
    if (!vector->is_stream) {
        struct usage usage;
        if (!usage_read_body(vector->from, walk_raw(vector->input), &usage)) {
            usage_estimate(&usage, 0, walk_raw(vector->input));
        }
        output_usage(vector, &usage, false);
        return;
    }
    struct usage_stream stream;
    usage_stream_init(&stream, vector->from);
    struct vector_reads reads = reads_of(vector);
    struct sse sse;
    sse_init(&sse);
    for (uint32_t i = 0; i < reads.count; i++) {
        sse_feed(&sse, reads.reads[i], on_usage, &stream);
    }
    sse_finish(&sse, on_usage, &stream);
    sse_fini(&sse);
    bool is_complete = (stream.seen & (USAGE_EVENT_DONE | USAGE_EVENT_END)) != 0;
    usage_finish(&stream, 0, is_complete);
    output_usage(vector, &stream.usage, !is_complete);
}

/* --- what the gateway says itself --- */

static const struct kind {
    const char *name;
    uint32_t status;
    const char *code;
} kinds[] = {
    { "BAD_REQUEST", 400, "invalid_request" },
    { "UNSUPPORTED", 400, "unsupported_parameter" },
    { "CONTEXT_TOO_LONG", 400, "context_length_exceeded" },
    { "CONTENT_POLICY", 400, "content_policy_violation" },
    { "AUTH", 401, "invalid_api_key" },
    { "BILLING", 402, "insufficient_quota" },
    { "PERMISSION", 403, "forbidden" },
    { "NOT_FOUND", 404, "model_not_found" },
    { "METHOD", 405, "method_not_allowed" },
    { "CONFLICT", 409, "conflict" },
    { "TOO_LARGE", 413, "request_too_large" },
    { "UNPROCESSABLE", 422, "invalid_request" },
    { "RATE_LIMIT", 429, "rate_limit_exceeded" },
    { "INTERNAL", 500, "internal_error" },
    { "UPSTREAM_BAD", 502, "upstream_error" },
    { "UNAVAILABLE", 503, "server_is_overloaded" },
    { "TIMEOUT", 504, "timeout" },
};

/* An empty purse is a 402 to Anthropic's clients and a 429 to the others, who retry no 402; an
 * overloaded service is Anthropic's 529. */
static uint32_t
status_for(enum dialect client, uint32_t status)
{
    if (status == 402 && client != DIALECT_ANTHROPIC) {
        return 429;
    }
    return status == 503 && client == DIALECT_ANTHROPIC ? 529 : status;
}

static void
gateway_error(struct vector *vector)
{
    struct str name = walk_string(walk_get(vector->input, STR("kind")), &vector->arena);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!str_equal(name, str_of(kinds[i].name))) {
            continue;
        }
        struct str param = walk_string(walk_get(vector->input, STR("param")), &vector->arena);
        uint64_t retry_after_s = 0;
        (void)walk_u64(walk_get(vector->input, STR("retry_after")), &retry_after_s);
        struct error_info info = {
            .status = status_for(vector->to, kinds[i].status),
            .code = kinds[i].code,
            .message = walk_string(walk_get(vector->input, STR("message")), &vector->arena),
            .param = param.len > 0 ? arena_dup(&vector->arena, param).data : NULL,
        };
        output_error(vector, vector->to, &info, retry_after_s);
        return;
    }
    vector_die("an unknown kind of error");
}

static void
gateway_models(struct vector *vector)
{
    struct walk routes = walk_get(vector->input, STR("routes"));
    uint32_t count = walk_count(routes);
    struct listing_model *models = arena_alloc(&vector->arena, (count + 1) * sizeof(*models));
    uint32_t i = 0;
    for (struct walk at = walk_first(routes); walk_is_there(at); at = walk_next(at)) {
        models[i].id = walk_string(walk_get(at, STR("id")), &vector->arena);
        models[i].name = walk_string(walk_get(at, STR("display_name")), &vector->arena);
        models[i].owned_by = walk_string(walk_get(at, STR("owned_by")), &vector->arena);
        (void)walk_u64(walk_get(at, STR("created")), &models[i].created_s);
        i++;
    }
    struct listing_page page = { .limit = 0 };
    if (listing_write(&vector->out, vector->to, models, count, &page) != ERR_OK) {
        vector_die("the list cannot be written");
    }
}

void
gateway_run(struct vector *vector)
{
    bool is_models = walk_is_text(walk_get(vector->input, STR("endpoint")), STR("models"));
    if (is_models) {
        gateway_models(vector);
    } else {
        gateway_error(vector);
    }
}

/* --- counts --- */

static void
count_answer(struct vector *vector)
{
    struct walk body = walk_get(vector->input, STR("body"));
    struct str text = walk_is_there(body) ? walk_raw(body) : walk_raw(vector->input);
    bool is_estimated;
    if (translate_count(vector->to, vector->from, &text, 0, &vector->out, &is_estimated) !=
        ERR_OK) {
        vector_die("the answer has no count");
    }
}

/* --- embeddings --- */

/* The client's request, for what its answer must know. */
static struct embedding
ask_embedding(struct vector *vector, enum dialect client, struct str body, struct buf *to)
{
    struct embedding embedding = { .inputs = 0 };
    struct hub_problem problem = { .status = 0 };
    struct walk given = walk_get(vector->context, STR("client_request"));
    struct str path = walk_string(walk_get(vector->input, STR("path")), &vector->arena);
    bool is_batch = walk_is_text(walk_get(given, STR("method")), STR("batchEmbedContents")) ||
                    walk_is_there(walk_get(given, STR("requests"))) ||
                    str_ends(path, STR(":batchEmbedContents")) ||
                    walk_is_there(walk_get(vector->input, STR("requests")));
    struct walk root;
    if (walk_parse(body, &vector->arena, &root) != ERR_OK) {
        vector_die("the request is no JSON");
    }
    struct str model = walk_string(walk_get(root, STR("model")), &vector->arena);
    struct walk mapped = walk_get(walk_get(vector->context, STR("model_map")), model);
    model = walk_is_there(mapped) ? walk_string(mapped, &vector->arena) : model;
    if (str_starts(model, STR("models/"))) {
        model = str_skip(model, 7);
    }
    enum err err =
        client == DIALECT_GEMINI
            ? embedding_to_chat(body, model, is_batch, &vector->arena, to, &embedding, &problem)
            : embedding_to_gemini(body, model, &vector->arena, to, &embedding, &problem);
    if (err != ERR_OK) {
        buf_clear(to);
        output_problem(vector, client, &problem);
    }
    return embedding;
}

static void
embedding_answer(struct vector *vector)
{
    struct buf unused;
    buf_init(&unused, UINT32_MAX);
    struct walk given = walk_get(vector->context, STR("client_request"));
    struct embedding embedding =
        ask_embedding(vector, vector->to, vector_text(vector, given), &unused);
    buf_fini(&unused);
    struct str body = walk_raw(vector->input);
    enum err err =
        vector->to == DIALECT_GEMINI
            ? embedding_answer_to_gemini(&embedding, body, &vector->arena, &vector->out)
            : embedding_answer_to_chat(&embedding, body,
                                       walk_string(walk_get(given, STR("model")), &vector->arena),
                                       &vector->arena, &vector->out);
    if (err != ERR_OK) {
        vector_die("the answer has no embeddings");
    }
}

void
endpoint_run(struct vector *vector, struct str endpoint)
{
    bool is_request = walk_is_text(walk_get(vector->root, STR("kind")), STR("request"));
    bool is_count = str_equal(endpoint, STR("count_tokens"));
    if (is_count && is_request) {
        request_run(vector);
    } else if (is_count) {
        count_answer(vector);
    } else if (str_equal(endpoint, STR("embeddings")) && is_request) {
        struct walk body = walk_get(vector->input, STR("body"));
        struct walk request = walk_is_there(body) ? body : vector->input;
        (void)ask_embedding(vector, vector->from, vector_text(vector, request), &vector->out);
    } else if (str_equal(endpoint, STR("embeddings"))) {
        embedding_answer(vector);
    } else {
        vector_die("no such endpoint");
    }
}

/* --- the same dialect at both ends: the worker's own path --- */

static void
same_request(struct vector *vector)
{
    static const enum endpoint endpoints[] = { ENDPOINT_CHAT, ENDPOINT_RESPONSES, ENDPOINT_MESSAGES,
                                               ENDPOINT_GEMINI_GENERATE };
    struct walk raw = walk_get(vector->input, STR("raw"));
    struct str body =
        walk_is_there(raw) ? walk_string(raw, &vector->arena) : vector_text(vector, vector->input);
    struct peek peek;
    struct peek_error error;
    if (peek_json(endpoints[vector->from], body, &peek, &error) != ERR_OK) {
        struct error_info info = { .status = error.status,
                                   .code = error.code,
                                   .param = error.param,
                                   .message = str_of(error.message) };
        output_error(vector, vector->from, &info, 0);
        return;
    }
    struct walk mapped = walk_get(walk_get(vector->context, STR("model_map")), str_of(peek.model));
    struct splice_want want = { .model = walk_string(mapped, &vector->arena),
                                .include_usage = vector->from == DIALECT_CHAT && peek.stream };
    struct splice splice;
    if (splice_make(body, &peek, &want, &vector->arena, &splice) != ERR_OK) {
        vector_die("the body cannot be spliced");
    }
    for (uint32_t i = 0; i < splice.count; i++) {
        if (buf_append(&vector->out, splice.pieces[i]) != ERR_OK) {
            vector_die("the output is too large");
        }
    }
}

struct same {
    struct usage_stream stream;
    bool hides_usage;
    struct buf out;
};

static void
on_same(void *context, const struct sse_event *event)
{
    struct same *same = context;
    uint32_t seen = usage_event(&same->stream, event->name, event->data);
    bool is_hidden = same->hides_usage && (seen & USAGE_EVENT_ONLY) != 0;
    if (!is_hidden && buf_append(&same->out, event->raw) != ERR_OK) {
        vector_die("the output is too large");
    }
}

static void
same_stream(struct vector *vector)
{
    struct walk options =
        walk_get(walk_get(vector->context, STR("client_request")), STR("stream_options"));
    struct same same = { .hides_usage = !walk_is_true(walk_get(options, STR("include_usage"))) };
    usage_stream_init(&same.stream, vector->from);
    buf_init(&same.out, UINT32_MAX);
    struct vector_reads reads = reads_of(vector);
    struct sse sse;
    sse_init(&sse);
    for (uint32_t i = 0; i < reads.count; i++) {
        sse_feed(&sse, reads.reads[i], on_same, &same);
    }
    sse_finish(&sse, on_same, &same);
    sse_fini(&sse);
    output_stream(vector, vector->to, false, buf_str(&same.out));
    buf_fini(&same.out);
}

void
same_run(struct vector *vector)
{
    bool is_request = walk_is_text(walk_get(vector->root, STR("kind")), STR("request"));
    if (is_request) {
        same_request(vector);
    } else if (vector->is_stream) {
        same_stream(vector);
    } else {
        struct str body = walk_raw(vector->input);
        if (buf_append(&vector->out, body) != ERR_OK) {
            vector_die("the output is too large");
        }
    }
}
