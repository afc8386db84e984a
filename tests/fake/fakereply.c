/* fakereply.c - see fakereply.h. */
#include "tests/fake/fakereply.h"

#include "tests/fake/fakeanthropic.h"
#include "tests/fake/fakechat.h"
#include "tests/fake/fakegemini.h"
#include "tests/fake/fakejson.h"
#include "tests/fake/fakeother.h"
#include "tests/fake/fakeresponses.h"
#include "tests/fake/fakeshape.h"

#include <stdlib.h>
#include <string.h>

#define CHUNKS_MAX 1000000u        /* pieces of one stream */
#define FILL_BYTES (1024u * 1024)  /* the largest piece */
#define TEXT_BYTES_MAX (64u << 20) /* of an answer that is built whole */
#define CHUNKS_DEFAULT 7u          /* pieces when nothing else is said: the 7 tokens */

static char fill[FILL_BYTES];

static uint64_t
mix(uint64_t hash, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ (unsigned char)p[i]) * 0x100000001b3ull;
    }
    return hash;
}

/* Follows from what was asked only; the same question in a longer dialogue has another id. */
static uint64_t
make_id(const struct fakeask *ask)
{
    uint64_t hash = mix(0xcbf29ce484222325ull, ask->model, strlen(ask->model));
    hash = mix(hash, ask->text, ask->text_len);
    hash = (hash ^ ask->messages) * 0x100000001b3ull;
    return hash ^ (hash >> 29);
}

static void
make_fill(void)
{
    static const char words[] = "the quick brown fox jumps over the lazy dog ";
    if (fill[0] != '\0') {
        return;
    }
    for (size_t i = 0; i < sizeof(fill); i++) {
        fill[i] = words[i % (sizeof(words) - 1)];
    }
}

/* Name and schema of a tool, each dialect in its own place; false when it is no function. */
static bool
read_tool(enum fakedialect dialect, struct fakespan tool, struct fakespan *name,
          struct fakespan *schema)
{
    static const char *const keys[] = { "name", "parameters", "input_schema",
                                        "parametersJsonSchema" };
    struct fakespan seen[4];
    if (dialect == FAKEDIALECT_CHAT) {
        tool = fakejson_get(tool, "function");
    } else if (dialect == FAKEDIALECT_RESPONSES &&
               !fakejson_is(fakejson_get(tool, "type"), "function")) {
        return false;
    }
    (void)fakejson_pick(tool, keys, 4, seen);
    *name = seen[0];
    *schema = seen[1].n > 0 ? seen[1] : seen[2].n > 0 ? seen[2] : seen[3];
    return fakejson_is_string(*name);
}

static void
make_calls(struct fakereply *r, const struct fakeask *ask)
{
    uint64_t want = r->plan.tool > 0 ? (uint64_t)r->plan.tool : 1;
    struct fakejson walk = fakejson_walk(ask->tools);
    struct fakespan key;
    struct fakespan tool;
    struct fakespan name;
    struct fakespan schema;
    while (r->call_count < want && r->call_count < FAKEREPLY_CALLS_MAX &&
           fakejson_next(&walk, &key, &tool)) {
        if (!read_tool(r->dialect, tool, &name, &schema)) {
            continue;
        }
        struct fakecall *call = &r->calls[r->call_count++];
        fakejson_text(name, call->name, sizeof(call->name));
        fakeshape_value(schema, &call->args);
    }
    if (r->call_count > 0) {
        fakebuf_put(&r->text, r->calls[0].args.data, r->calls[0].args.len);
    }
}

static void
make_text(struct fakereply *r, const struct fakeask *ask)
{
    bool wants_tool = r->plan.tool > 0 || strcasestr(ask->text, "use tool") != NULL;
    if (ask->tools.n > 2 && wants_tool && !ask->from_tool) {
        make_calls(r, ask);
        if (r->call_count > 0) {
            return;
        }
    }
    if (r->plan.empty != 0) {
        return;
    }
    if (ask->json) {
        fakeshape_value(ask->schema, &r->text);
        return;
    }
    const char *lead = ask->from_tool ? "Tool said: " : "You said: ";
    fakebuf_put(&r->text, lead, strlen(lead));
    fakebuf_put(&r->text, ask->text, ask->text_len);
    if (strcasestr(ask->text, "see image") != NULL) {
        fakebuf_add(&r->text, " (%u image%s, %u bytes)", ask->images, ask->images == 1 ? "" : "s",
                    ask->image_bytes);
    }
    while (r->plan.size > 0 && r->text.len < (size_t)r->plan.size && r->text.len < TEXT_BYTES_MAX) {
        size_t more = (size_t)r->plan.size - r->text.len;
        fakebuf_put(&r->text, fill, more < FILL_BYTES ? more : FILL_BYTES);
    }
}

static void
make_pieces(struct fakereply *r, bool fixed)
{
    r->pieces = FAKEPIECES_EVEN;
    r->chunks = r->plan.n > 0 ? (uint64_t)r->plan.n : CHUNKS_DEFAULT;
    if (r->chunks > CHUNKS_MAX) {
        r->chunks = CHUNKS_MAX;
    }
    if (fixed) {
        r->chunks = r->chunks > r->text.len ? r->text.len : r->chunks;
    } else if (r->plan.bigchunk > 0) {
        r->pieces = FAKEPIECES_FILL;
        r->plan.bigchunk = r->plan.bigchunk > FILL_BYTES ? FILL_BYTES : r->plan.bigchunk;
    } else if (r->plan.size > 0) {
        r->chunks = r->plan.n > 0 ? r->chunks : (r->text.len + 4095) / 4096;
    } else if (r->plan.n > 0) {
        r->pieces = FAKEPIECES_TOKENS;
    } else if (r->chunks > r->text.len) {
        r->chunks = r->text.len;
    }
    if (r->call_count > 0 && r->dialect == FAKEDIALECT_GEMINI) {
        r->chunks = 1;
    }
}

void
fakereply_init(struct fakereply *r, const struct fakeask *ask, const struct fakeplan *plan)
{
    *r = (struct fakereply){ .dialect = ask->dialect,
                             .op = ask->op,
                             .stream = ask->stream,
                             .array = ask->array,
                             .include_usage = ask->include_usage,
                             .compaction = ask->compaction,
                             .plan = *plan,
                             .id = make_id(ask) };
    memcpy(r->model, ask->model, sizeof(r->model));
    make_fill();
    make_text(r, ask);
    make_pieces(r, r->call_count > 0 || ask->json || plan->empty != 0);
}

void
fakereply_free(struct fakereply *r)
{
    fakebuf_free(&r->text);
    for (uint32_t i = 0; i < r->call_count; i++) {
        fakebuf_free(&r->calls[i].args);
    }
}

static size_t
even_edge(const struct fakereply *r, uint64_t index)
{
    size_t at = (size_t)((uint64_t)r->text.len * index / r->chunks);
    while (at < r->text.len && (r->text.data[at] & 0xc0) == 0x80) {
        at++; /* Never inside a character. */
    }
    return at;
}

struct fakespan
fakereply_piece(struct fakereply *r, uint64_t index)
{
    if (r->pieces == FAKEPIECES_FILL) {
        return (struct fakespan){ fill, (size_t)r->plan.bigchunk };
    }
    if (r->pieces == FAKEPIECES_EVEN) {
        size_t from = even_edge(r, index - 1);
        return (struct fakespan){ r->text.data + from, even_edge(r, index) - from };
    }
    if (index == 1) {
        return (struct fakespan){ r->text.data, r->text.len };
    }
    uint64_t number = index % 100000;
    r->token[0] = ' ';
    r->token[1] = 't';
    for (size_t i = 0; i < 5; i++) {
        r->token[6 - i] = (char)('0' + number % 10);
        number /= 10;
    }
    return (struct fakespan){ r->token, 7 };
}

void
fakereply_text(struct fakereply *r, struct fakebuf *out)
{
    for (uint64_t i = 1; i <= r->chunks && out->len < TEXT_BYTES_MAX; i++) {
        struct fakespan piece = fakereply_piece(r, i);
        fakebuf_put(out, piece.p, piece.n);
    }
}

uint64_t
fakereply_fresh(const struct fakereply *r)
{
    int64_t fresh = r->plan.in - r->plan.cached - r->plan.write - r->plan.write1h;
    return fresh > 0 ? (uint64_t)fresh : 0;
}

static uint64_t
thinking_bytes(const struct fakereply *r)
{
    return r->op == FAKEOP_GENERATE && r->plan.reason > 0 ? sizeof("Thinking.") - 1 : 0;
}

static void
write_step(struct fakereply *r, uint64_t step, struct fakebuf *out)
{
    struct fakespan piece = { "", 0 };
    bool last = step > r->chunks;
    if (step > 0 && !last) {
        piece = fakereply_piece(r, step);
    }
    r->text_bytes += piece.n + (step == 0 ? thinking_bytes(r) : 0);
    if (r->op != FAKEOP_GENERATE) {
        fakeother_step(r, step, piece, out);
    } else if (r->dialect == FAKEDIALECT_CHAT) {
        fakechat_step(r, step, piece, out);
    } else if (r->dialect == FAKEDIALECT_RESPONSES) {
        fakeresponses_step(r, step, piece, out);
    } else if (r->dialect == FAKEDIALECT_ANTHROPIC) {
        fakeanthropic_step(r, step, piece, out);
    } else {
        fakegemini_step(r, step, piece, out);
    }
}

static void
to_crlf(struct fakebuf *out, size_t from)
{
    struct fakebuf copy = { 0 };
    fakebuf_put(&copy, out->data + from, out->len - from);
    out->len = from;
    for (size_t i = 0; i < copy.len; i++) {
        fakebuf_put(out, copy.data[i] == '\n' ? "\r\n" : copy.data + i,
                    copy.data[i] == '\n' ? 2 : 1);
    }
    fakebuf_free(&copy);
}

bool
fakereply_step(struct fakereply *r, struct fakebuf *out)
{
    size_t from = out->len;
    if (r->plan.comment != 0 && !r->array) {
        fakebuf_add(out, ": a comment\n\n");
    }
    write_step(r, r->step, out);
    if (r->plan.crlf != 0) {
        to_crlf(out, from);
    }
    return r->step++ <= r->chunks;
}

/* Half of a whole body is cut before its usage. */
static enum fakestated
stated_by(const struct fakereply *r)
{
    bool says_usage =
        r->plan.nousage == 0 && (r->dialect != FAKEDIALECT_CHAT || !r->stream || r->include_usage);
    if (!r->stream) {
        return says_usage && r->text_bytes > 0 && r->plan.cut < 0 ? FAKESTATED_ALL
                                                                  : FAKESTATED_NONE;
    }
    if (!says_usage || r->step == 0) {
        return FAKESTATED_NONE;
    }
    if (r->step > r->chunks + 1) {
        return FAKESTATED_ALL;
    }
    bool has_said = r->dialect == FAKEDIALECT_ANTHROPIC ||
                    (r->dialect == FAKEDIALECT_GEMINI && (r->step > 1 || r->plan.reason > 0));
    return has_said ? FAKESTATED_INPUT : FAKESTATED_NONE;
}

void
fakereply_served(const struct fakereply *r, struct fakeserved *served)
{
    static const char *const dialects[] = {
        [FAKEDIALECT_CHAT] = "chat",
        [FAKEDIALECT_RESPONSES] = "responses",
        [FAKEDIALECT_ANTHROPIC] = "anthropic",
        [FAKEDIALECT_GEMINI] = "gemini",
    };
    const struct fakeplan *plan = &r->plan;
    uint64_t written = (uint64_t)(plan->write + plan->write1h);
    served->dialect = dialects[r->dialect];
    served->stream = r->stream;
    served->stated = stated_by(r);
    served->text_bytes = r->text_bytes;
    if (served->stated == FAKESTATED_NONE) {
        return;
    }
    /* Gemini speaks of no writes, OpenAI of one kind only. */
    bool is_anthropic = r->dialect == FAKEDIALECT_ANTHROPIC;
    bool is_gemini = r->dialect == FAKEDIALECT_GEMINI;
    served->cached = (uint64_t)plan->cached;
    served->write = is_gemini ? 0 : is_anthropic ? (uint64_t)plan->write : written;
    served->write1h = is_anthropic ? (uint64_t)plan->write1h : 0;
    served->fresh = fakereply_fresh(r) + (is_gemini ? written : 0);
    if (served->stated == FAKESTATED_ALL) {
        served->out = (uint64_t)plan->out;
        served->reason = (uint64_t)plan->reason;
    }
}

void
fakereply_whole(struct fakereply *r, struct fakebuf *out)
{
    r->text_bytes = thinking_bytes(r);
    for (uint64_t i = 1; i <= r->chunks; i++) {
        r->text_bytes += fakereply_piece(r, i).n;
    }
    bool generates = r->op == FAKEOP_GENERATE || r->op == FAKEOP_COMPACT;
    if (!generates) {
        fakeother_whole(r, out);
    } else if (r->dialect == FAKEDIALECT_CHAT) {
        fakechat_whole(r, out);
    } else if (r->dialect == FAKEDIALECT_RESPONSES) {
        fakeresponses_whole(r, out);
    } else if (r->dialect == FAKEDIALECT_ANTHROPIC) {
        fakeanthropic_whole(r, out);
    } else {
        fakegemini_whole(r, out);
    }
}

struct error_words {
    uint64_t status;
    const char *openai;
    const char *anthropic;
    const char *gemini;
};

static const struct error_words *
words_of(uint64_t status)
{
    static const struct error_words table[] = {
        { 400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT" },
        { 401, "authentication_error", "authentication_error", "UNAUTHENTICATED" },
        { 402, "insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED" },
        { 403, "permission_error", "permission_error", "PERMISSION_DENIED" },
        { 404, "invalid_request_error", "not_found_error", "NOT_FOUND" },
        { 413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT" },
        { 429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED" },
        { 503, "server_error", "overloaded_error", "UNAVAILABLE" },
        { 504, "server_error", "timeout_error", "DEADLINE_EXCEEDED" },
        { 529, "server_error", "overloaded_error", "UNAVAILABLE" },
        { 500, "server_error", "api_error", "INTERNAL" },
    };
    size_t i = 0;
    while (table[i].status != status && table[i].status != 500) {
        i++;
    }
    return status < 500 && table[i].status == 500 ? &table[0] : &table[i];
}

void
fakereply_error(enum fakedialect dialect, uint64_t status, const char *code, const char *message,
                struct fakebuf *out)
{
    const struct error_words *words = words_of(status);
    size_t len = strlen(message);
    if (dialect == FAKEDIALECT_ANTHROPIC) {
        fakebuf_add(out,
                    "{'type':'error','error':{'type':'%s','message':%j},'request_id':'req_fake'}",
                    words->anthropic, message, len);
    } else if (dialect == FAKEDIALECT_GEMINI) {
        fakebuf_add(out, "{'error':{'code':%u,'message':%j,'status':'%s'}}", status, message, len,
                    words->gemini);
    } else if (code != NULL) {
        fakebuf_add(out, "{'error':{'message':%j,'type':'%s','param':null,'code':'%s'}}", message,
                    len, words->openai, code);
    } else {
        fakebuf_add(out, "{'error':{'message':%j,'type':'%s','param':null,'code':null}}", message,
                    len, words->openai);
    }
}

void
fakereply_error_event(struct fakereply *r, struct fakebuf *out)
{
    static const char message[] = "fake \"error\" inside the stream\nwith a second line";
    struct fakebuf body = { 0 };
    fakereply_error(r->dialect, 503, "server_is_overloaded", message, &body);
    if (r->dialect == FAKEDIALECT_ANTHROPIC) {
        fakebuf_add(out, "event: error\ndata: %b\n\n", &body);
    } else if (r->dialect == FAKEDIALECT_RESPONSES) {
        fakeresponses_failed(r, "server_is_overloaded", message, out);
    } else if (r->array) {
        fakebuf_add(out, ",\r\n%b]", &body);
    } else {
        fakebuf_add(out, "data: %b\n\n", &body);
    }
    fakebuf_free(&body);
}
