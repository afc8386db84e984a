#include "worker/stream.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "http/server.h"
#include "proto/error.h"
#include "shm/counter.h"
#include "shm/health.h"
#include "upstream/reach.h"
#include "worker/bridge.h"
#include "worker/carbon.h"
#include "worker/pricetag.h"
#include "worker/relay.h"
#include "worker/tokens.h"
#include "worker/workerconf.h"

/* An error event: a sentence and its envelope. */
#define EVENT_BYTES_MAX 16384u

/* Fields of a provider's answer that are for the client, sorted; a prefix ends in '-'. */
static const struct str passed_fields[] = {
    { "anthropic-ratelimit-", 20 }, { "content-disposition", 19 },
    { "content-encoding", 16 },     { "content-language", 16 },
    { "content-type", 12 },         { "openai-model", 12 },
    { "openai-processing-ms", 20 }, { "retry-after", 11 },
    { "retry-after-ms", 14 },       { "x-codex-", 8 },
    { "x-models-etag", 13 },        { "x-ratelimit-", 12 },
    { "x-reasoning-included", 20 }, { "x-should-retry", 14 },
};

static bool
field_passes(struct str name)
{
    char first = name.len == 0 ? '\0' : str_lower(name.data[0]);
    for (size_t i = 0; i < sizeof passed_fields / sizeof passed_fields[0]; i++) {
        struct str row = passed_fields[i];
        if (row.data[0] > first) {
            break;
        }
        bool is_prefix = row.data[row.len - 1] == '-';
        if (row.data[0] != first || name.len < row.len || (!is_prefix && name.len != row.len)) {
            continue;
        }
        if (str_equal_nocase(str_make(name.data, row.len), row)) {
            return true;
        }
    }
    return false;
}

static uint64_t
now_of(const struct relay *relay)
{
    return loop_now_ms(relay->worker->loop);
}

void
stream_init(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    sse_init(&stream->sse);
    buf_init(&stream->tail, STREAM_TAIL_BYTES);
    usage_stream_init(&stream->usage, relay->row->dialect);
    stream->sent_ms = now_of(relay);
}

void
stream_fini(struct relay *relay)
{
    sse_fini(&relay->stream.sse);
    buf_fini(&relay->stream.tail);
}

void
stream_reset(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    CHECK(!stream->has_content && !stream->is_answered);
    buf_fini(&stream->tail);
    buf_init(&stream->tail, STREAM_TAIL_BYTES);
    sse_fini(&stream->sse);
    sse_init(&stream->sse);
    usage_stream_init(&stream->usage, bridge_row(relay)->dialect);
    stream->is_error = false;
    pricetag_drop(relay);
    stream->reads_sse = false;
    stream->is_careful = false;
    stream->is_paused = false;
    stream->body_bytes = 0;
    stream->status = 0;
}

bool
stream_is_complete(const struct relay *relay)
{
    const struct stream *stream = &relay->stream;
    return stream->is_begun && stream->reads_sse && (stream->usage.seen & USAGE_EVENT_END) != 0;
}

/* --- towards the client --- */

/* A turn may bring more than may wait for a slow client: nothing more is read until it has. */
static void
pause_if_high(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    if (!stream->is_paused && server_pending(relay->request) > CONN_OUT_HIGH_BYTES) {
        stream->is_paused = true;
        exchange_pause(&relay->exchange, true);
    }
}

void
stream_pass(struct relay *relay, struct str bytes)
{
    struct stream *stream = &relay->stream;
    if (bytes.len == 0) {
        return;
    }
    if (stream->is_held && pricetag_keep(relay, bytes)) {
        return;
    }
    stream->has_content = true;
    carbon_body(relay, bytes);
    if (relay->request == NULL || relay->is_client_gone) {
        return;
    }
    enum err err = server_write(relay->request, bytes);
    if (err == ERR_OK) {
        stream->turn_bytes += bytes.len;
        stream->sent_ms = now_of(relay);
        pause_if_high(relay);
    } else if (err != ERR_GONE) {
        /* One read's worth of tiny pieces, or one huge event: better cut than with a hole. */
        stream->is_lossy = true;
        log_event(LOG_ERROR, "stream", "req=%s err=%s", relay->id, err_name(err));
    }
}

/* Pieces of a head, counted before they are written. */
static struct str
join_fields(struct relay *relay, const struct parser_head *head, struct str more)
{
    struct arena *arena = &relay->request->arena;
    size_t bytes = more.len;
    for (uint32_t i = 0; i < head->headers.count; i++) {
        bytes += head->headers.items[i].name.len + head->headers.items[i].value.len + 4;
    }
    char *text = arena_alloc_raw(arena, bytes + 1);
    if (text == NULL) {
        return more;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < head->headers.count; i++) {
        const struct header *header = &head->headers.items[i];
        /* An error's is ours to write: in whole seconds, within the operator's maximum. */
        if (!field_passes(header->name) || minute_replaces(relay, header->name) ||
            (relay->stream.is_error && str_equal_nocase(header->name, STR("retry-after")))) {
            continue;
        }
        memcpy(text + at, header->name.data, header->name.len);
        at += header->name.len;
        memcpy(text + at, ": ", 2);
        at += 2;
        if (header->value.len > 0) {
            memcpy(text + at, header->value.data, header->value.len);
            at += header->value.len;
        }
        memcpy(text + at, "\r\n", 2);
        at += 2;
    }
    memcpy(text + at, more.data, more.len);
    return str_make(text, at + more.len);
}

struct str
stream_own_fields(struct relay *relay)
{
    struct reply_to to = relay_reply_to(relay);
    struct str ids = reply_id_fields(&to);
    if (!relay->stream.is_sse) {
        return ids;
    }
    return arena_printf(&relay->request->arena,
                        "%.*sCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n", STR_ARG(ids));
}

void
stream_note_status(struct relay *relay, uint16_t status)
{
    relay->stream.is_begun = true;
    relay->status = status;
    struct lease_data *data = lease_edit(&relay->worker->leases, relay->lease);
    data->status = status;
    lease_done(&relay->worker->leases, relay->lease);
}

void
stream_begin(struct relay *relay, uint16_t status, struct str fields, uint64_t body_bytes)
{
    CHECK(!relay->stream.is_begun && relay->request != NULL);
    if (pricetag_hold(relay, status, fields)) {
        return;
    }
    carbon_head(relay, status, fields);
    stream_note_status(relay, status);
    server_begin(relay->request, status, fields, body_bytes);
    relay->stream.sent_ms = now_of(relay);
}

void
stream_open(struct relay *relay)
{
    if (relay->stream.is_begun || relay->request == NULL || relay->is_client_gone) {
        return;
    }
    relay->stream.is_sse = true;
    struct str fields =
        arena_printf(&relay->request->arena, "Content-Type: text/event-stream\r\n%.*s",
                     STR_ARG(stream_own_fields(relay)));
    stream_begin(relay, 200, fields, SERVER_CHUNKED);
    server_flush(relay->request);
}

void
stream_ping(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    if (relay->request == NULL || relay->is_client_gone || stream_is_complete(relay)) {
        return;
    }
    stream_open(relay);
    if (!stream->is_sse || (!stream->is_careful && sse_is_inside(&stream->sse)) ||
        server_pending(relay->request) > 0) {
        return;
    }
    if (server_write(relay->request, STR(": ping\n\n")) == ERR_OK) {
        stream->sent_ms = now_of(relay);
        counter_add(relay->worker->segment, relay->worker->slot, COUNTER_PINGS, 1);
        server_flush(relay->request);
    }
}

/* --- the provider's head --- */

static bool
is_event_stream(const struct parser_head *head)
{
    struct str type = header_find(&head->headers, STR("content-type"));
    struct str want = STR("text/event-stream");
    return type.len >= want.len && str_equal_nocase(str_make(type.data, want.len), want);
}

static void
note_first_byte(struct relay *relay)
{
    struct worker *worker = relay->worker;
    uint64_t now_ms = now_of(relay);
    uint64_t waited_ms = now_ms - relay->exchange.started_ms;
    if (relay->has_choice) {
        health_success(worker->segment, relay->choice.account->account.index, now_ms,
                       waited_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)waited_ms);
        affinity_bind(relay);
    }
    struct lease_data *data = lease_edit(&worker->leases, relay->lease);
    data->first_byte_ms = now_ms;
    data->last_byte_ms = now_ms;
    lease_done(&worker->leases, relay->lease);
    lease_set_action(&worker->leases, relay->lease, LEASE_STREAMING);
}

/* What the client's answer may be said to be long: a stream may get comments and an error event
 * besides the provider's bytes, and loses the usage chunk, so it never has a length. */
static uint64_t
length_of(const struct relay *relay, const struct parser_head *head)
{
    bool is_array = relay->row->endpoint == ENDPOINT_GEMINI_STREAM;
    if (relay->stream.is_sse || is_array || head->framing == PARSER_UNTIL_CLOSE ||
        head->framing == PARSER_CHUNKED) {
        return SERVER_CHUNKED;
    }
    return head->framing == PARSER_LENGTH ? head->content_length : 0;
}

void
stream_note_answer(struct relay *relay)
{
    if (relay->stream.is_held) {
        return;
    }
    relay->stream.is_answered = true;
    if (exchange_is_sent(&relay->exchange)) {
        relay->peek = NULL;
        relay->model = STR("");
        server_release(relay->request);
    }
}

void
stream_head(struct relay *relay, const struct parser_head *head)
{
    struct stream *stream = &relay->stream;
    stream->status = head->status;
    stream->body_bytes = 0;
    stream->is_whole = true;
    stream->is_error = head->status < 200 || head->status >= 300;
    if (stream->is_error) {
        buf_fini(&stream->tail);
        buf_init(&stream->tail, REFUSAL_BYTES_MAX);
        stream->is_sse = stream->is_begun;
        if (relay->request != NULL && !stream->is_begun) {
            stream->held_fields = join_fields(relay, head, stream_own_fields(relay));
        }
        return;
    }
    note_first_byte(relay);
    stream->counts_usage = (relay->row->flags & ENDPOINT_USAGE) != 0;
    bool is_sse = is_event_stream(head);
    stream->reads_sse = is_sse;
    if (bridge_is_on(relay)) {
        bridge_head(relay);
        return;
    }
    if (relay->request == NULL) {
        stream->is_sse = is_sse;
        carbon_head_unseen(relay, head);
        return;
    }
    if (stream->is_begun && !is_sse) {
        exchange_stop(&relay->exchange);
        stream_break(relay, 502, "upstream_error",
                     STR("The upstream answered a streaming request without a stream"));
        return;
    }
    stream->is_sse = is_sse;
    if (!stream->is_begun) {
        stream_begin(relay, head->status, join_fields(relay, head, stream_own_fields(relay)),
                     length_of(relay, head));
    }
    stream_note_answer(relay);
}

/* --- the provider's body --- */

/* Where in one piece of the body the callbacks are. */
struct feed {
    struct relay *relay;
    struct str bytes;
    size_t passed; /* of bytes */
};

static void
on_event(void *context, const struct sse_event *event)
{
    struct feed *feed = context;
    struct relay *relay = feed->relay;
    struct stream *stream = &relay->stream;
    bool was_careful = stream->is_careful;
    uint32_t bits = 0;
    if (!event->is_comment) {
        bits = usage_event(&stream->usage, event->name, event->data);
    }
    if (was_careful) {
        /* Too long to be kept whole, it cannot be passed any more: better cut than falsified. */
        stream->is_lossy = stream->is_lossy || event->is_cut;
        if ((bits & USAGE_EVENT_ONLY) == 0) {
            stream_pass(relay, event->raw);
        }
    } else {
        stream_pass(relay, str_make(feed->bytes.data + feed->passed, event->end - feed->passed));
        stream->is_careful = relay->added_usage && (bits & USAGE_EVENT_DONE) != 0;
    }
    feed->passed = event->end;
}

static void
body_of_stream(struct relay *relay, struct str bytes)
{
    struct feed feed = { .relay = relay, .bytes = bytes };
    sse_feed(&relay->stream.sse, bytes, on_event, &feed);
    if (!relay->stream.is_careful) {
        stream_pass(relay, str_skip(bytes, feed.passed));
    }
}

/* Keeps the end of an answer: usage stands there. */
static void
keep_tail(struct stream *stream, struct str bytes)
{
    if (bytes.len >= STREAM_TAIL_BYTES) {
        stream->is_whole =
            stream->is_whole && buf_len(&stream->tail) == 0 && bytes.len == STREAM_TAIL_BYTES;
        buf_clear(&stream->tail);
        bytes = str_skip(bytes, bytes.len - STREAM_TAIL_BYTES);
    }
    if (bytes.len > buf_room(&stream->tail)) {
        stream->is_whole = false;
        buf_consume(&stream->tail, (uint32_t)(bytes.len - buf_room(&stream->tail)));
    }
    enum err err = buf_append(&stream->tail, bytes);
    stream->is_whole = stream->is_whole && err == ERR_OK;
}

/* Keeps an error answer from its first byte: it is passed on whole, or it is not passed on. */
static void
keep_error(struct stream *stream, struct str bytes)
{
    uint32_t room = buf_room(&stream->tail);
    bool fits = bytes.len <= room;
    enum err err = buf_append(&stream->tail, fits ? bytes : str_make(bytes.data, room));
    stream->is_whole = stream->is_whole && fits && err == ERR_OK;
}

void
stream_body(struct relay *relay, struct str bytes)
{
    struct stream *stream = &relay->stream;
    stream->body_bytes += bytes.len;
    if (stream->is_error) {
        keep_error(stream, bytes);
        return;
    }
    if (bridge_is_on(relay)) {
        bridge_body(relay, bytes);
        return;
    }
    if (stream->is_sse) {
        body_of_stream(relay, bytes);
        return;
    }
    if (stream->counts_usage) {
        keep_tail(stream, bytes);
    }
    stream_pass(relay, bytes);
    if (stream->body_bytes > relay->worker->reach->conf->answer_bytes_max) {
        relay_refuse(relay,
                     &(struct reply){ .status = 502,
                                      .code = "upstream_error",
                                      .message = STR("The upstream's answer is too large") });
    }
}

/* The lease knows what has passed and what it used, for `top` and in case we die. */
static void
note_progress(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    struct worker *worker = relay->worker;
    lease_add_bytes(&worker->leases, relay->lease, 0, stream->turn_bytes, now_of(relay));
    stream->turn_bytes = 0;
    tokens_note(relay);
}

void
stream_turn(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    if (!stream->is_begun) {
        return;
    }
    note_progress(relay);
    if (stream->is_lossy) {
        exchange_stop(&relay->exchange);
        stream_break(relay, 502, "upstream_error",
                     STR("The upstream sent more than can be passed on"));
        return;
    }
    if (relay->request == NULL || relay->is_client_gone) {
        return;
    }
    server_flush(relay->request);
    /* The flush may have found out that the client is gone. */
    if (relay->request != NULL && !relay->is_client_gone) {
        pause_if_high(relay);
    }
}

void
stream_room(struct relay *relay)
{
    if (bridge_room(relay) && relay->stream.is_paused) {
        relay->stream.is_paused = false;
        exchange_pause(&relay->exchange, false);
    }
}

/* --- the end --- */

/* Endpoints whose event streams have a terminal event that a client waits for. */
static bool
has_terminal(const struct relay *relay)
{
    enum endpoint endpoint = relay->row->endpoint;
    return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_RESPONSES ||
           endpoint == ENDPOINT_MESSAGES || endpoint == ENDPOINT_GEMINI_STREAM;
}

void
stream_end(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    CHECK(!stream->is_error);
    /* A translated one was judged by its events. */
    if (stream->reads_sse && !bridge_is_on(relay)) {
        struct feed feed = { .relay = relay };
        sse_finish(&stream->sse, on_event, &feed);
        uint32_t ends = USAGE_EVENT_DONE | USAGE_EVENT_END | USAGE_EVENT_FAILED;
        if (has_terminal(relay) && (stream->usage.seen & ends) == 0) {
            stream_break(relay, 502, "upstream_error",
                         STR("The upstream's stream ended before its last event"));
            return;
        }
    }
    bool has_failed = (stream->usage.seen & USAGE_EVENT_FAILED) != 0;
    tokens_close(relay, !has_failed);
    carbon_end(relay);
    pricetag_show(relay);
    note_progress(relay);
    if (relay->request != NULL) {
        struct server_request *request = relay->request;
        relay->request = NULL;
        server_end(request, !relay->is_client_gone);
    }
    const char *gone = relay->status == 499 ? "client_gone" : NULL;
    relay_finish(relay, has_failed ? "upstream_error" : gone);
}

static void
write_error_event(struct relay *relay, const struct error_info *info)
{
    struct stream *stream = &relay->stream;
    struct error_place place = { .is_array = !stream->is_sse,
                                 .is_first = !stream->has_content,
                                 .sequence = bridge_is_on(relay) ? 0 : stream->usage.events,
                                 .response_id =
                                     bridge_is_on(relay) ? "" : stream->usage.response_id };
    struct buf event;
    buf_init(&event, EVENT_BYTES_MAX);
    /* Bytes of a cut event end here: an empty line keeps the error event apart from them. */
    enum err err = ERR_OK;
    if (stream->is_sse && !stream->is_careful && sse_is_inside(&stream->sse)) {
        err = buf_append(&event, STR("\n\n"));
    }
    if (err == ERR_OK) {
        err = error_event(&event, relay->row->dialect, info, &place);
    }
    if (err == ERR_OK) {
        err = server_write(relay->request, buf_str(&event));
    }
    if (err != ERR_OK && err != ERR_GONE) {
        log_event(LOG_WARN, "stream", "req=%s why=\"error event not sent\" err=%s", relay->id,
                  err_name(err));
    }
    buf_fini(&event);
}

void
stream_break(struct relay *relay, uint16_t status, const char *code, struct str message)
{
    struct stream *stream = &relay->stream;
    CHECK(stream->is_begun || relay->request == NULL);
    tokens_close(relay, false);
    if (relay->request != NULL) {
        bool has_event = (stream->is_sse || relay->wants_array) && !relay->is_client_gone;
        bool is_whole = has_event;
        struct error_info info = {
            .status = status, .code = code, .message = message, .request_id = relay->id
        };
        if (has_event && !bridge_break(relay, &info, &is_whole)) {
            write_error_event(relay, &info);
        }
        struct server_request *request = relay->request;
        relay->request = NULL;
        server_end(request, is_whole);
    }
    relay_finish(relay, code);
}

void
stream_pass_error(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    CHECK(stream->is_error && stream->is_whole && !stream->is_begun && relay->request != NULL);
    if (bridge_is_on(relay)) {
        bridge_pass_error(relay);
        return;
    }
    struct server_request *request = relay->request;
    stream->is_begun = true;
    relay->status = stream->status;
    relay->request = NULL;
    struct str fields = stream->held_fields;
    if (relay->retry_after_s > 0) {
        fields = arena_printf(&request->arena, "%.*sretry-after: %u\r\n", STR_ARG(fields),
                              relay->retry_after_s);
    }
    server_answer(request, stream->status, fields, buf_str(&stream->tail));
}
