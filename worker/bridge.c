#include "worker/bridge.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "http/header.h"
#include "http/server.h"
#include "proto/blame.h"
#include "proto/caps.h"
#include "proto/lineage.h"
#include "worker/counting.h"
#include "worker/relay.h"
#include "worker/reply.h"

/* One write towards the client: what is left waits until it has read. */
#define WRITE_BYTES_MAX 65536u
/* From this version on Anthropic's clients know the newer shapes; dates compare as text. */
#define NEW_ANTHROPIC "2026-10-21"

/* Names of fields that were left out, in one field of the answer's head; the rest is not told. */
#define DROPPED_BYTES_MAX 512u

static void on_rest(struct loop_task *task);

void
bridge_init(struct relay *relay)
{
    loop_task_init(&relay->bridge.rest, on_rest);
}

/* --- its memory --- */

static uint64_t
held_bytes(const struct relay *relay)
{
    const struct bridge *bridge = &relay->bridge;
    uint64_t bytes = (uint64_t)relay->stream.sse.kept.cap + relay->stream.tail.cap;
    if (bridge->translate != NULL) {
        bytes += bridge->arena.used_bytes + bridge->body.cap + translate_held(bridge->translate);
    }
    return bytes;
}

/* What is held and `more`. ERR_FULL: the pool has not so much. */
static enum err
count(struct relay *relay, uint64_t more)
{
    uint64_t bytes = held_bytes(relay) + more;
    bytes = bytes > TRANSLATE_SMALL_BYTES ? bytes : 0;
    uint64_t *counted = &relay->bridge.counted_bytes;
    return bytes == *counted ? ERR_OK : server_count(relay->worker->server, counted, bytes);
}

/* Some or all was given back. */
static void
recount(struct relay *relay)
{
    /* It may have grown a little since: then the old count stands. */
    if (relay->bridge.counted_bytes > 0 && count(relay, 0) == ERR_FULL) {
        CHECK(held_bytes(relay) > 0);
    }
}

void
bridge_close(struct relay *relay)
{
    struct bridge *bridge = &relay->bridge;
    loop_undefer(&bridge->rest);
    if (bridge->translate != NULL) {
        translate_close(bridge->translate);
        bridge->translate = NULL;
        arena_reset(&bridge->arena);
        buf_fini(&bridge->body);
    }
    recount(relay);
}

/* What the buffer would grow by. */
static uint64_t
growth(const struct buf *buf, size_t bytes)
{
    size_t room = buf->cap - buf_len(buf);
    return bytes <= room ? 0 : bytes > buf->cap ? bytes : buf->cap;
}

/* Nothing more of the answer can be kept: what there is goes back, and the answer ends. */
static void
starve(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    sse_drop(&stream->sse);
    buf_fini(&stream->tail);
    stream->is_whole = false;
    if (relay->bridge.translate != NULL) {
        answer_starve(translate_answer(relay->bridge.translate));
    }
    log_event(LOG_WARN, "bridge",
              "req=%s why=\"no memory for the answer ([http] body_pool_bytes)\"", relay->id);
}

/* --- which dialect --- */

static const struct endpoint_row *
row_for(const struct relay *relay, enum dialect dialect)
{
    return dialect == relay->row->dialect
               ? relay->row
               : endpoint_row(translate_endpoint(dialect, relay->wants_stream, counting_is(relay)));
}

bool
bridge_can_turn(const struct relay *relay, enum dialect dialect)
{
    return dialect == relay->row->dialect || translate_is_possible(relay->row->dialect, dialect);
}

void
bridge_turn(struct relay *relay, enum dialect dialect)
{
    CHECK(bridge_can_turn(relay, dialect));
    relay->bridge.row = row_for(relay, dialect);
}

void
bridge_choose(struct relay *relay, struct select_want *want)
{
    /* Chat first: of an account that says it speaks both of OpenAI's, it is what is there. */
    static const enum dialect order[] = { DIALECT_CHAT, DIALECT_RESPONSES, DIALECT_ANTHROPIC,
                                          DIALECT_GEMINI };
    enum dialect own = relay->row->dialect;
    relay->bridge.row = relay->row;
    want->dialect = own;
    bool is_count = counting_is(relay);
    if ((!endpoint_is_generation(relay->row->endpoint) && !is_count) || select_speaks(want, true)) {
        return;
    }
    for (size_t i = 0; i < DIALECT_COUNT; i++) {
        /* Chat has no endpoint that counts: it comes last then. */
        want->dialect = order[(i + (is_count ? 1 : 0)) % DIALECT_COUNT];
        if (translate_is_possible(own, want->dialect) && select_speaks(want, false)) {
            relay->bridge.row = row_for(relay, want->dialect);
            return;
        }
    }
    want->dialect = own;
}

const struct endpoint_row *
bridge_row(const struct relay *relay)
{
    return relay->bridge.row == NULL ? relay->row : relay->bridge.row;
}

bool
bridge_is_on(const struct relay *relay)
{
    return bridge_row(relay)->dialect != relay->row->dialect;
}

struct str
bridge_fields(struct relay *relay, struct str more)
{
    if (relay->row == NULL || relay->request == NULL || !bridge_is_on(relay)) {
        return more;
    }
    struct arena *arena = &relay->request->arena;
    char text[DROPPED_BYTES_MAX];
    struct str dropped = STR("");
    if (relay->bridge.translate != NULL) {
        dropped = translate_dropped(relay->bridge.translate, text, sizeof text);
    }
    const char *pair = translate_pair(relay->row->dialect, bridge_row(relay)->dialect);
    const char *name = dropped.len == 0 ? "" : "x-sub2api-dropped: ";
    struct str fields =
        arena_printf(arena, "x-protocol-translation: %s\r\n%s%.*s%s%.*s", pair, name,
                     STR_ARG(dropped), dropped.len == 0 ? "" : "\r\n", STR_ARG(more));
    return fields.data == NULL ? more : fields;
}

/* --- the request --- */

static bool
is_new_anthropic(const struct relay *relay)
{
    struct str version = header_find(&relay->request->head.headers, STR("anthropic-version"));
    struct str since = STR(NEW_ANTHROPIC);
    return version.len == since.len && memcmp(version.data, since.data, since.len) >= 0;
}

static enum err
open_translation(struct relay *relay, struct hub_problem *problem)
{
    struct bridge *bridge = &relay->bridge;
    const struct group *group = &relay->view->groups[relay->group].group;
    struct translate_setup setup = {
        .client = relay->row->dialect,
        .body = relay->request->body,
        .model = relay->row->dialect == DIALECT_GEMINI ? relay->model : STR(""),
        .stream = relay->wants_stream,
        .is_count = counting_is(relay),
        .is_array = relay->wants_array,
        .new_anthropic = is_new_anthropic(relay),
        .is_strict = group->translate_mode == MODEL_STRICT,
        .effort_map = str_of(group->effort_map),
        /* The group's accounts are those that can read back what they signed. */
        .carrier = { .key = relay->worker->carrier_key, .scope = (uint32_t)relay->group_id },
        .seed = rand_u64(),
        .now_s = clock_wall_ms() / 1000,
    };
    arena_init(&bridge->arena, REQUEST_ARENA_BYTES_MAX);
    buf_init(&bridge->body, TRANSLATE_ANSWER_BYTES_MAX);
    enum err err = translate_open(&bridge->arena, &setup, &bridge->translate, problem);
    if (err != ERR_OK) {
        bridge->translate = NULL;
        arena_reset(&bridge->arena);
        buf_fini(&bridge->body);
    }
    return err;
}

enum err
bridge_encode(struct relay *relay, struct str model, struct str *out, struct hub_problem *problem)
{
    struct bridge *bridge = &relay->bridge;
    CHECK(bridge_is_on(relay) && relay->request != NULL);
    enum err err = ERR_OK;
    if (bridge->translate == NULL) {
        err = open_translation(relay, problem);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct caps caps;
    enum dialect spoken = bridge_row(relay)->dialect;
    const struct group *group = &relay->view->groups[relay->group].group;
    caps_default(&caps, spoken);
    lineage_apply(&caps, spoken, model);
    caps_apply(&caps, spoken, str_of(relay->choice.account->account.caps));
    struct str instructions = str_of(spoken == DIALECT_RESPONSES ? group->instructions : "");
    struct hub_target target = { .dialect = spoken,
                                 .instructions = instructions,
                                 .model = model,
                                 .caps = &caps,
                                 .stream = relay->wants_stream || caps.must_stream };
    bridge->asks_stream = target.stream;
    buf_clear(&bridge->body);
    err = translate_encode(bridge->translate, &target, &bridge->body, problem);
    if (err == ERR_OK) {
        err = translate_begin(bridge->translate);
    }
    *out = buf_str(&bridge->body);
    return err == ERR_OK ? count(relay, 0) : err;
}

/* --- towards the client --- */

static struct answer *
answer_of(const struct relay *relay)
{
    return translate_answer(relay->bridge.translate);
}

/* The first words go out: the answer is this account's from here on. */
static void
begin_answer(struct relay *relay, uint64_t body_bytes)
{
    struct stream *stream = &relay->stream;
    if (!stream->is_begun) {
        stream->is_sse = relay->wants_sse;
        struct str fields = arena_printf(&relay->request->arena, "Content-Type: %s\r\n%.*s",
                                         stream->is_sse ? "text/event-stream" : "application/json",
                                         STR_ARG(stream_own_fields(relay)));
        stream_begin(relay, 200, fields, body_bytes);
    }
    stream_note_answer(relay);
    if (exchange_is_sent(&relay->exchange)) {
        translate_forget(relay->bridge.translate);
        buf_fini(&relay->bridge.body);
        buf_init(&relay->bridge.body, TRANSLATE_ANSWER_BYTES_MAX);
    }
}

/* What was made goes out, as far as the client reads. */
static void
deliver(struct relay *relay)
{
    struct buf *out = &answer_of(relay)->out;
    if (buf_len(out) == 0 || relay->request == NULL || relay->is_client_gone) {
        return;
    }
    if (!relay->stream.is_answered) {
        begin_answer(relay, relay->wants_stream ? SERVER_CHUNKED : buf_len(out));
    }
    while (buf_len(out) > 0 && server_pending(relay->request) <= CONN_OUT_HIGH_BYTES &&
           !relay->is_client_gone && !relay->stream.is_lossy) {
        uint32_t bytes = buf_len(out) < WRITE_BYTES_MAX ? buf_len(out) : WRITE_BYTES_MAX;
        stream_pass(relay, str_make(buf_str(out).data, bytes));
        buf_consume(out, bytes);
    }
}

/* --- the answer --- */

void
bridge_head(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    stream->is_careful = true; /* what the client gets are whole events */
    if (stream->reads_sse) {
        sse_bound(&stream->sse, TRANSLATE_EVENT_BYTES_MAX);
    } else {
        buf_fini(&stream->tail);
        buf_init(&stream->tail, TRANSLATE_ANSWER_BYTES_MAX);
    }
}

static void
on_event(void *context, const struct sse_event *event)
{
    struct relay *relay = context;
    if (event->is_comment) {
        return;
    }
    usage_event(&relay->stream.usage, event->name, event->data);
    if (relay->bridge.translate == NULL) {
        return;
    }
    if (event->is_cut) {
        answer_lose(answer_of(relay));
    } else {
        answer_event(answer_of(relay), event->name, event->data);
    }
    deliver(relay);
}

void
bridge_body(struct relay *relay, struct str bytes)
{
    struct stream *stream = &relay->stream;
    const struct buf *grows = stream->reads_sse ? &stream->sse.kept : &stream->tail;
    if (count(relay, growth(grows, bytes.len)) != ERR_OK) {
        starve(relay);
        recount(relay);
        return;
    }
    if (stream->reads_sse) {
        sse_feed(&stream->sse, bytes, on_event, relay);
        if (count(relay, 0) != ERR_OK) {
            starve(relay);
        }
        return;
    }
    /* Also when its client is gone: its usage stands at the end. */
    if (buf_append(&stream->tail, bytes) != ERR_OK) {
        stream->is_whole = false;
        if (relay->bridge.translate != NULL) {
            answer_lose(answer_of(relay));
        }
    }
}

const struct answer_failure *
bridge_failure(const struct relay *relay)
{
    if (!bridge_is_on(relay) || relay->bridge.translate == NULL) {
        return NULL;
    }
    const struct answer *answer = answer_of(relay);
    return answer->state == ANSWER_FAILED ? &answer->failure : NULL;
}

enum bridge_end
bridge_finish(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    if (stream->reads_sse) {
        sse_finish(&stream->sse, on_event, relay);
    }
    if (relay->bridge.translate == NULL) {
        return BRIDGE_DONE;
    }
    struct answer *answer = answer_of(relay);
    if (stream->reads_sse) {
        answer_end(answer);
    } else if (answer->state != ANSWER_FAILED) {
        answer_body(answer, buf_str(&stream->tail));
    }
    deliver(relay);
    if (answer->state == ANSWER_FAILED) {
        return BRIDGE_FAILED;
    }
    bool has_rest = buf_len(&answer->out) > 0 && relay->request != NULL && !relay->is_client_gone &&
                    !stream->is_lossy;
    relay->bridge.is_over = has_rest;
    return has_rest ? BRIDGE_WAITS : BRIDGE_DONE;
}

/* The client has read: more of what was made goes out, and at last the answer's end. */
static void
on_rest(struct loop_task *task)
{
    struct relay *relay = LIST_OWNER(task, struct relay, bridge.rest);
    if (relay->bridge.translate == NULL || relay->request == NULL || relay->is_client_gone) {
        return;
    }
    deliver(relay);
    server_flush(relay->request);
    if (buf_len(&answer_of(relay)->out) > 0) {
        return;
    }
    if (relay->bridge.is_over) {
        stream_end(relay);
    } else {
        stream_room(relay);
    }
}

bool
bridge_room(struct relay *relay)
{
    struct bridge *bridge = &relay->bridge;
    if (bridge->translate == NULL || relay->request == NULL ||
        (buf_len(&answer_of(relay)->out) == 0 && !bridge->is_over)) {
        return true;
    }
    /* Within http/server's call a flush would not call again. */
    loop_defer(relay->worker->loop, &bridge->rest);
    return false;
}

bool
bridge_break(struct relay *relay, const struct error_info *info, bool *out_whole)
{
    const struct answer_failure *failure = bridge_failure(relay);
    if (!bridge_is_on(relay) || relay->bridge.translate == NULL) {
        return false;
    }
    struct answer *answer = answer_of(relay);
    if (!answer->has_output) {
        return false;
    }
    struct blame blame;
    struct error_info told = *info;
    if (failure != NULL && !failure->is_ours) {
        blame_found(relay->row->dialect, &failure->found, failure->status, &blame, &told);
        told.request_id = relay->id;
    }
    if (answer->state != ANSWER_DONE && answer->writer != NULL) {
        answer_fail(answer, &told);
    }
    deliver(relay);
    *out_whole = answer->state == ANSWER_DONE && !answer->is_torn && buf_len(&answer->out) == 0;
    return true;
}

void
bridge_pass_error(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    struct blame blame;
    struct error_info info;
    blame_body(relay->row->dialect, bridge_row(relay)->dialect, stream->status,
               buf_str(&stream->tail), &blame, &info);
    struct reply_to to = relay_reply_to(relay);
    struct reply reply = { .status = (uint16_t)info.status,
                           .code = info.code,
                           .message = info.message,
                           .param = info.param,
                           .retry_after_s = relay->retry_after_s };
    stream->is_begun = true;
    relay->status = reply.status;
    relay->request = NULL;
    reply_error(&to, &reply);
}
