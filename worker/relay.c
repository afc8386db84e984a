#include "worker/relay.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/rand.h"
#include "http/header.h"
#include "http/httpconf.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "upstream/reach.h"
#include "worker/admit.h"
#include "worker/attempt.h"
#include "worker/gatekeeper.h"
#include "worker/local.h"
#include "worker/settle.h"
#include "worker/workerconf.h"

/* After the last event of a stream its client may leave: the provider gets this long to end too, so
 * that its connection can be kept. */
#define TAIL_MS 1000u
#define ID_CHARS 24u

const char *
relay_state_text(enum relay_state state)
{
    switch (state) {
#define RELAY_TEXT(name, text) \
    case RELAY_##name:         \
        return text;
        RELAY_STATE_ROWS(RELAY_TEXT)
#undef RELAY_TEXT
    }
    return "unknown";
}

/* Which states may follow; SETTLED may follow any. */
static bool
may_go(enum relay_state from, enum relay_state to)
{
    switch (to) {
    case RELAY_HEAD:
        return false;
    case RELAY_BODY:
        return from == RELAY_HEAD;
    case RELAY_ADMIT:
        return from == RELAY_BODY;
    case RELAY_WAIT:
        return from == RELAY_ADMIT || from == RELAY_WAIT || from == RELAY_PICK;
    case RELAY_PICK:
        return from == RELAY_ADMIT || from == RELAY_WAIT || from == RELAY_ATTEMPT ||
               from == RELAY_STREAM;
    case RELAY_ATTEMPT:
        return from == RELAY_PICK || from == RELAY_WAIT || from == RELAY_STREAM;
    case RELAY_STREAM:
        return from == RELAY_ATTEMPT;
    case RELAY_SETTLED:
        return true;
    }
    return false;
}

void
relay_set_state(struct relay *relay, enum relay_state state)
{
    CHECK(may_go(relay->state, state));
    relay->state = state;
}

struct reply_to
relay_reply_to(struct relay *relay)
{
    return (struct reply_to){ .request = relay->request,
                              .dialect = relay->hit.dialect,
                              .request_id = relay->id,
                              .more = bridge_fields(relay, minute_fields(relay)),
                              .is_array = relay->wants_array };
}

void
relay_free(struct relay *relay)
{
    pool_give(&relay->worker->relays, relay);
}

void
relay_finish(struct relay *relay, const char *code)
{
    CHECK(relay->request == NULL);
    relay->code = code;
    settle_relay(relay);
}

void
relay_refuse(struct relay *relay, const struct reply *reply)
{
    exchange_stop(&relay->exchange);
    if (relay->stream.is_begun || relay->request == NULL) {
        stream_break(relay, reply->status, reply->code, reply->message);
        return;
    }
    struct reply_to to = relay_reply_to(relay);
    relay->status = reply->status;
    relay->request = NULL;
    reply_error(&to, reply);
    relay_finish(relay, reply->code);
}

/* Has an account's provider all of the request, and not refused it? */
static bool
is_asked(const struct relay *relay)
{
    bool is_out = relay->state == RELAY_STREAM ||
                  (relay->state == RELAY_ATTEMPT && relay->exchange.phase == EXCHANGE_HEAD);
    return is_out && !relay->stream.is_error && exchange_is_sent(&relay->exchange);
}

void
relay_abort(struct relay *relay)
{
    relay->charge.was_left = is_asked(relay);
    exchange_stop(&relay->exchange);
    relay->is_client_gone = true;
    relay->status = 499;
    if (relay->request != NULL && !relay->stream.is_begun) {
        struct server_request *request = relay->request;
        relay->request = NULL;
        server_close_after(request);
        server_end(request, false);
        relay_finish(relay, "client_gone");
        return;
    }
    stream_break(relay, 499, "client_gone", STR(""));
}

void
relay_kill(struct relay *relay)
{
    log_event(LOG_WARN, "kill", "req=%s state=\"%s\"", relay->id, relay_state_text(relay->state));
    relay_refuse(relay, &(struct reply){ .status = 503,
                                         .code = "killed",
                                         .message = STR("The operator ended this request") });
}

static void leave(struct relay *relay);

/* --- timers --- */

static void
on_deadline(struct loop_timer *timer)
{
    struct relay *relay = LIST_OWNER(timer, struct relay, deadline);
    bool is_waiting = relay->state == RELAY_WAIT && gate_waiter_waits(&relay->waiter);
    if (relay->is_client_gone) {
        /* Reading on for the usage took too long; what is known is billed. */
        if (stream_is_complete(relay)) {
            exchange_stop(&relay->exchange);
            stream_end(relay);
        } else {
            relay_abort(relay);
        }
    } else if (relay->repeat != NULL && relay->repeat->is_waiting) {
        admit_again(relay);
    } else if (relay->is_half_gone && !relay->stream.is_begun) {
        leave(relay);
    } else if (is_waiting) {
        admit_timeout(relay);
    }
}

/* Something is sent when nothing was sent for an interval, while somebody is at work on it. */
static void
on_ping(struct loop_timer *timer)
{
    struct relay *relay = LIST_OWNER(timer, struct relay, ping);
    struct loop *loop = relay->worker->loop;
    uint32_t interval_ms = relay->worker->heritage->worker_conf->ping_interval_ms;
    uint64_t due_ms = relay->stream.sent_ms + interval_ms;
    if (loop_now_ms(loop) >= due_ms) {
        if (relay->state == RELAY_WAIT || exchange_is_running(&relay->exchange)) {
            stream_ping(relay);
        }
        due_ms = loop_now_ms(loop) + interval_ms;
    }
    loop_timer_set(loop, timer, due_ms);
}

/* --- the client leaves --- */

static void
let_go(struct relay *relay)
{
    struct server_request *request = relay->request;
    relay->request = NULL;
    /* What stands in the request's memory goes with it. */
    relay->peek = NULL;
    relay->model = STR("");
    bridge_close(relay);
    exchange_forget(&relay->exchange);
    server_end(request, false);
}

/* May the provider's answer be read on without its client? */
static bool
may_drain(const struct relay *relay)
{
    const struct workerconf *conf = relay->worker->heritage->worker_conf;
    bool is_wanted = conf->on_client_gone == WORKERCONF_DRAIN || repeat_wants_rest(relay);
    return is_wanted && is_asked(relay);
}

/* Nobody reads the answer any more: it is read on for its usage, or cut. */
static void
leave(struct relay *relay)
{
    struct loop *loop = relay->worker->loop;
    bool is_complete = stream_is_complete(relay);
    if (!is_complete && !may_drain(relay)) {
        relay_abort(relay);
        return;
    }
    uint32_t ms = is_complete ? TAIL_MS : relay->worker->heritage->worker_conf->drain_ms;
    relay->is_client_gone = true;
    relay->status = relay->stream.is_begun ? relay->status : 499;
    lease_set_action(&relay->worker->leases, relay->lease, LEASE_DRAINING);
    relay->drained_from = relay->stream.body_bytes;
    let_go(relay);
    stream_room(relay);
    loop_timer_set(loop, &relay->deadline, loop_now_ms(loop) + ms);
}

void
relay_watch_half(struct relay *relay)
{
    struct loop *loop = relay->worker->loop;
    if (!relay->is_half_gone || relay->stream.is_begun) {
        return;
    }
    uint64_t at_ms = loop_now_ms(loop) + relay->worker->heritage->worker_conf->half_close_ms;
    if (relay->deadline.at_ms == 0 || relay->deadline.at_ms > at_ms) {
        loop_timer_set(loop, &relay->deadline, at_ms);
    }
}

static void
on_gone_task(struct loop_task *task)
{
    struct relay *relay = LIST_OWNER(task, struct relay, gone);
    if (relay->request == NULL) {
        return;
    }
    if (!relay->is_client_gone) {
        CHECK(relay->is_half_gone);
        if (!relay->stream.is_begun) {
            relay_watch_half(relay);
        } else {
            /* A client that closed answers this with a reset; one that only half closed reads on.
             */
            stream_ping(relay);
        }
        return;
    }
    leave(relay);
}

/* --- what the server tells --- */

static void
make_id(char id[REQUEST_ID_BYTES])
{
    memset(id, 0, REQUEST_ID_BYTES);
    memcpy(id, "req_", 4);
    rand_text(id + 4, ID_CHARS);
}

static struct relay *
make_relay(struct worker *worker, struct server_request *request)
{
    struct relay *relay = pool_take(&worker->relays);
    if (relay == NULL) {
        return NULL;
    }
    relay->worker = worker;
    relay->request = request;
    relay->lease = LEASE_NONE;
    for (uint32_t i = 0; i < RELAY_GATES; i++) {
        relay->holds[i].gate = GATE_INDEX_NONE;
    }
    gate_waiter_init(&relay->waiter);
    list_init(&relay->waits_link);
    relay->deadline.on_due = on_deadline;
    relay->ping.on_due = on_ping;
    loop_task_init(&relay->resume, admit_resume);
    loop_task_init(&relay->gone, on_gone_task);
    bridge_init(relay);
    exchange_init(&relay->exchange, worker->reach, &attempt_hooks);
    make_id(relay->id);
    request->owner = relay;
    return relay;
}

/* Only Gemini's clients send their key in the query. */
static bool
has_query_key(struct str query)
{
    while (query.len > 0) {
        struct str pair = str_cut(&query, '&');
        if (str_equal(str_cut(&pair, '='), STR("key"))) {
            return true;
        }
    }
    return false;
}

static bool
query_asks_sse(struct str query)
{
    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');
        if ((str_equal(name, STR("alt")) || str_equal(name, STR("$alt")) ||
             str_equal(name, STR("%24alt"))) &&
            str_equal(value, STR("sse"))) {
            return true;
        }
    }
    return false;
}

/* Google answers a stream that is not asked for as events with one JSON array, whatever happens. */
static bool
wants_array(const struct server_request *request, const struct endpoint_hit *hit)
{
    return hit->endpoint == ENDPOINT_GEMINI_STREAM && !query_asks_sse(request->head.query);
}

/* Model lists are asked for under one path by three kinds of clients. */
static void
find_shape(struct relay *relay)
{
    const struct header_list *headers = &relay->request->head.headers;
    if (relay->hit.endpoint != ENDPOINT_MODELS_LIST && relay->hit.endpoint != ENDPOINT_MODEL_GET) {
        return;
    }
    if (relay->hit.is_gemini_path || header_has(headers, STR("x-goog-api-key")) ||
        has_query_key(relay->request->head.query)) {
        relay->hit.dialect = DIALECT_GEMINI;
    } else if (header_has(headers, STR("anthropic-version"))) {
        relay->hit.dialect = DIALECT_ANTHROPIC;
    }
}

static void
refuse_route(struct relay *relay, enum endpoint_result result)
{
    struct str path = relay->request->head.path;
    struct arena *arena = &relay->request->arena;
    if (result == ENDPOINT_WRONG_METHOD) {
        struct str message = arena_printf(arena, "Use %s on this path", relay->hit.allow);
        relay_refuse(relay, &(struct reply){ .status = 405,
                                             .code = "method_not_allowed",
                                             .message = message,
                                             .allow = relay->hit.allow });
        return;
    }
    struct str message =
        arena_printf(arena, "There is no endpoint %.*s", (int)(path.len > 200 ? 200 : path.len),
                     path.data == NULL ? "" : path.data);
    relay_refuse(relay, &(struct reply){ .status = 404, .code = "not_found", .message = message });
}

/* There is no memory for a relay: an answer like all others, without one. */
static void
refuse_without_relay(struct server_request *request, const struct reply *reply)
{
    struct endpoint_hit hit = { .dialect = DIALECT_CHAT };
    bool is_array =
        request->head.path.len > 0 &&
        endpoint_match(request->head.method, request->head.path, &hit) == ENDPOINT_FOUND &&
        wants_array(request, &hit);
    char id[REQUEST_ID_BYTES];
    make_id(id);
    struct reply_to to = {
        .request = request, .dialect = hit.dialect, .request_id = id, .is_array = is_array
    };
    reply_error(&to, reply);
}

static void
relay_on_head(struct server_request *request)
{
    struct worker *worker = server_context(request);
    struct relay *relay = make_relay(worker, request);
    if (relay == NULL) {
        server_close_after(request);
        counter_add(worker->segment, worker->slot, COUNTER_REFUSED_OVERLOADED, 1);
        refuse_without_relay(request,
                             &(struct reply){ .status = 503,
                                              .code = "overloaded",
                                              .message = STR("Too many requests are under way"),
                                              .retry_after_s = 1 });
        return;
    }
    worker->requests++;
    enum endpoint_result result =
        endpoint_match(request->head.method, request->head.path, &relay->hit);
    relay->row = endpoint_row(result == ENDPOINT_NOT_FOUND ? ENDPOINT_ROOT : relay->hit.endpoint);
    relay->wants_array = result == ENDPOINT_FOUND && wants_array(request, &relay->hit);
    stream_init(relay);
    if (result != ENDPOINT_FOUND) {
        refuse_route(relay, result);
        return;
    }
    find_shape(relay);
    if ((relay->row->flags & ENDPOINT_NO_KEY) != 0) {
        local_open(relay);
        return;
    }
    const struct catalog_key *key = NULL;
    struct reply refusal;
    if (gatekeeper_key(relay, &key, &refusal) != ERR_OK) {
        relay_refuse(relay, &refusal);
        return;
    }
    if ((relay->row->flags & ENDPOINT_LOCAL) != 0) {
        local_keyed(relay, key);
        return;
    }
    if (worker_is_stopping(worker)) {
        counter_add(worker->segment, worker->slot, COUNTER_REFUSED_OVERLOADED, 1);
        relay_refuse(relay, &(struct reply){ .status = 503,
                                             .code = "draining",
                                             .message = STR("The gateway is stopping"),
                                             .retry_after_s = 1 });
        return;
    }
    relay_set_state(relay, RELAY_BODY);
    server_take_body(request, worker->heritage->http->body_bytes_max);
}

static void
relay_on_body(struct server_request *request)
{
    struct relay *relay = request->owner;
    CHECK(relay != NULL && relay->request == request);
    admit_request(relay);
}

static void
relay_on_gone(struct server_request *request, bool is_half)
{
    struct relay *relay = request->owner;
    if (relay == NULL || relay->request != request) {
        return;
    }
    if (is_half) {
        relay->is_half_gone = true;
    } else {
        relay->is_client_gone = true;
    }
    loop_defer(relay->worker->loop, &relay->gone);
}

static void
relay_on_room(struct server_request *request)
{
    struct relay *relay = request->owner;
    if (relay != NULL && relay->request == request) {
        stream_room(relay);
    }
}

/* A request that http/server refuses: in the dialect of its path when that is known. */
static void
relay_on_bad(struct server_request *request, const struct parser_error *error)
{
    struct worker *worker = server_context(request);
    struct relay *relay = request->owner;
    counter_add(worker->segment, worker->slot, COUNTER_REFUSED_HTTP, 1);
    struct reply reply = { .status = error->status,
                           .code = error->code,
                           .message = str_of(error->message) };
    if (relay != NULL) {
        relay_refuse(relay, &reply);
        return;
    }
    relay = make_relay(worker, request);
    if (relay == NULL) {
        refuse_without_relay(request, &reply);
        return;
    }
    if (request->head.path.len > 0) {
        /* Only how an error looks is of interest. */
        relay->wants_array = endpoint_match(request->head.method, request->head.path,
                                            &relay->hit) == ENDPOINT_FOUND &&
                             wants_array(request, &relay->hit);
    }
    relay->row = endpoint_row(ENDPOINT_ROOT);
    stream_init(relay);
    relay_refuse(relay, &reply);
}

const struct server_hooks relay_server_hooks = { .on_head = relay_on_head,
                                                 .on_body = relay_on_body,
                                                 .on_gone = relay_on_gone,
                                                 .on_room = relay_on_room,
                                                 .on_bad = relay_on_bad };
