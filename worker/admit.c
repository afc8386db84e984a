#include "worker/admit.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/header.h"
#include "proto/splice.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "worker/attempt.h"
#include "worker/dispatch.h"
#include "worker/gatekeeper.h"
#include "worker/relay.h"
#include "worker/workerconf.h"

/* --- the body --- */

static void
refuse_peek(struct relay *relay, const struct peek_error *error)
{
    relay_refuse(relay, &(struct reply){ .status = (uint16_t)error->status,
                                         .code = error->code,
                                         .message = str_of(error->message),
                                         .param = error->param });
}

static bool
is_multipart(struct str type)
{
    struct str want = STR("multipart/form-data");
    return type.len >= want.len && str_equal_nocase(str_make(type.data, want.len), want);
}

/* Looks at the body. False: refused. */
static bool
peek_body(struct relay *relay)
{
    struct server_request *request = relay->request;
    relay->peek = arena_alloc_raw(&request->arena, sizeof *relay->peek); /* peek fills all of it */
    if (relay->peek == NULL) {
        relay_refuse(relay, &(struct reply){ .status = 503,
                                             .code = "overloaded",
                                             .message = STR("Out of memory for this request") });
        return false;
    }
    struct str type = header_find(&request->head.headers, STR("content-type"));
    static struct peek_error error;
    enum err err;
    if (is_multipart(type)) {
        if ((relay->row->flags & ENDPOINT_MULTIPART) == 0) {
            relay_refuse(relay, &(struct reply){ .status = 415,
                                                 .code = "unsupported_media_type",
                                                 .message = STR("This endpoint takes JSON") });
            return false;
        }
        err = peek_multipart(relay->row->endpoint, request->body, type, relay->peek, &error);
    } else {
        err = peek_json(relay->row->endpoint, request->body, relay->peek, &error);
    }
    if (err != ERR_OK) {
        refuse_peek(relay, &error);
        return false;
    }
    return true;
}

/* The model from the path (Gemini) or the body. False: refused. */
static bool
find_model(struct relay *relay)
{
    relay->model = str_of(relay->peek->model);
    if ((relay->row->flags & ENDPOINT_MODEL_PATH) == 0) {
        return true;
    }
    char *model = arena_alloc_raw(&relay->request->arena, MODEL_NAME_BYTES);
    size_t length = 0;
    if (model == NULL ||
        endpoint_model_decode(relay->hit.model, model, MODEL_NAME_BYTES, &length) != ERR_OK) {
        relay_refuse(relay, &(struct reply){ .status = 400,
                                             .code = "missing_model",
                                             .message = STR("The path names no usable model"),
                                             .param = "model" });
        return false;
    }
    relay->model = str_make(model, length);
    return true;
}

static void
find_streaming(struct relay *relay)
{
    uint32_t flags = relay->row->flags;
    bool always = (flags & ENDPOINT_STREAM_ALWAYS) != 0;
    relay->wants_stream = always || ((flags & ENDPOINT_STREAM) != 0 && relay->peek->stream);
    relay->wants_sse = relay->wants_stream && !relay->wants_array;
    relay->stream.input_tokens = relay->peek->input_tokens;
}

/* --- the lease --- */

static void
fill_lease(const struct relay *relay, const struct catalog_key *key, struct lease_data *data)
{
    *data = (struct lease_data){ .key_id = relay->key_id,
                                 .user_id = relay->user_id,
                                 .group_id = relay->group_id,
                                 .start_ms = relay->request->started_ms,
                                 .start_wall_ms = clock_wall_ms(),
                                 .bytes_in = relay->request->bytes_in,
                                 .gate_user = GATE_INDEX_NONE,
                                 .gate_key = GATE_INDEX_NONE,
                                 .gate_group = GATE_INDEX_NONE,
                                 .gate_account = GATE_INDEX_NONE,
                                 .endpoint = (uint8_t)relay->row->endpoint,
                                 .client_dialect = (uint8_t)relay->row->dialect,
                                 .upstream_dialect = (uint8_t)relay->row->dialect,
                                 .is_stream = relay->wants_stream };
    memcpy(data->request_id, relay->id, sizeof data->request_id);
    if (relay->repeat != NULL) {
        memcpy(data->claim, relay->repeat->name.bytes, sizeof data->claim);
    }
    memcpy(data->key_name, key->key.name, sizeof data->key_name);
    size_t model =
        relay->model.len < sizeof data->model ? relay->model.len : sizeof data->model - 1;
    if (model > 0) {
        memcpy(data->model, relay->model.data, model);
    }
    str_copy(data->address, sizeof data->address, relay->request->address);
}

static bool
take_lease(struct relay *relay, const struct catalog_key *key)
{
    struct worker *worker = relay->worker;
    static struct lease_data data;
    fill_lease(relay, key, &data);
    const char *why = NULL;
    if (ring_reserve(&worker->ring, 1) != ERR_OK) {
        why = "The gateway cannot record requests now (its store does not keep up)";
    } else if (lease_take(&worker->leases, &data, &relay->lease) != ERR_OK) {
        ring_unreserve(&worker->ring, 1);
        relay->lease = LEASE_NONE;
        why = "The gateway has too many requests under way ([shm] leases)";
    }
    if (why != NULL) {
        counter_add(worker->segment, worker->slot, COUNTER_REFUSED_OVERLOADED, 1);
        relay_refuse(relay, &(struct reply){ .status = 503,
                                             .code = "overloaded",
                                             .message = str_of(why),
                                             .retry_after_s = 1 });
        return false;
    }
    worker->by_lease[relay->lease] = relay;
    return true;
}

/* --- gates --- */

/* The lease names what is held, also while it waits for the next: `slots` compares the two. */
static void
note_gates(struct relay *relay)
{
    struct lease_data *data = lease_edit(&relay->worker->leases, relay->lease);
    const struct relay_hold *holds = relay->holds;
    data->gate_key = holds[RELAY_GATE_KEY].is_held ? holds[RELAY_GATE_KEY].gate : GATE_INDEX_NONE;
    data->gate_user =
        holds[RELAY_GATE_USER].is_held ? holds[RELAY_GATE_USER].gate : GATE_INDEX_NONE;
    data->gate_group =
        holds[RELAY_GATE_GROUP].is_held ? holds[RELAY_GATE_GROUP].gate : GATE_INDEX_NONE;
    data->gate_account = relay->has_choice ? relay->choice.gate : GATE_INDEX_NONE;
    lease_done(&relay->worker->leases, relay->lease);
}

static void
refuse_waiting(struct relay *relay, const char *code, enum relay_gate at, uint32_t limit)
{
    struct worker *worker = relay->worker;
    const char *limiter = gatekeeper_limiter(at);
    struct str message;
    if (strcmp(code, "queue_timeout") == 0) {
        message = arena_printf(&relay->request->arena,
                               "No slot of the %s became free in time (limit %u in flight)",
                               limiter, limit);
    } else if (strcmp(code, "queue_full") == 0) {
        message = arena_printf(&relay->request->arena,
                               "Too many requests wait for a slot of the %s (limit %u in flight)",
                               limiter, limit);
    } else {
        message =
            arena_printf(&relay->request->arena,
                         "The %s's limit of %u requests in flight is reached", limiter, limit);
    }
    counter_add(worker->segment, worker->slot,
                strcmp(code, "concurrency_limit_exceeded") == 0 ? COUNTER_REFUSED_CONCURRENCY
                                                                : COUNTER_REFUSED_QUEUE,
                1);
    relay_refuse(relay, &(struct reply){
                            .status = 429, .code = code, .message = message, .retry_after_s = 1 });
}

/* May one more wait there? False: refused. */
static bool
may_wait(struct relay *relay, uint32_t gate, uint32_t limit)
{
    const struct workerconf *conf = relay->worker->heritage->worker_conf;
    bool is_shared = relay->waits_at == RELAY_GATE_GROUP || relay->waits_at == RELAY_GATES;
    uint32_t places = is_shared ? conf->queue_per_group : conf->queue_per_user;
    if (places == 0) {
        refuse_waiting(relay, "concurrency_limit_exceeded", relay->waits_at, limit);
        return false;
    }
    if (gate_waiting(relay->worker->segment, gate) >= places) {
        refuse_waiting(relay, "queue_full", relay->waits_at, limit);
        return false;
    }
    return true;
}

static void
on_turn(struct gate_waiter *waiter)
{
    struct relay *relay = LIST_OWNER(waiter, struct relay, waiter);
    if (relay->waits_at != RELAY_GATES) {
        relay->holds[relay->waits_at].is_held = true;
    } else if (relay->waits_bound) {
        list_remove(&relay->waits_link);
        relay->has_choice = true;
        select_wake(relay->worker->segment, relay->view, &relay->choice);
    }
    note_gates(relay);
    loop_defer(relay->worker->loop, &relay->resume);
}

/* Who waits in vain for the same reasons: what was tried already is one of them. */
static uint64_t
class_of(const struct relay *relay)
{
    const struct hash_key *key = &relay->worker->segment->hash_key;
    uint64_t hash = hash_bytes(key, dispatch_model(relay)) ^ (uint64_t)bridge_row(relay)->dialect;
    for (uint32_t i = 0; i < relay->tried_count; i++) {
        hash = hash_u64(key, hash ^ relay->tried[i]);
    }
    return hash;
}

static uint32_t
wait_ms_of(const struct relay *relay)
{
    const struct workerconf *conf = relay->worker->heritage->worker_conf;
    if (relay->waits_at != RELAY_GATES) {
        return conf->queue_user_ms;
    }
    return relay->waits_bound ? conf->queue_bound_ms : conf->queue_account_ms;
}

/* Queues; there is a place. */
static void
wait_at(struct relay *relay, uint32_t gate, uint32_t limit, gate_try_fn on_try,
        gate_undo_fn on_undo)
{
    struct worker *worker = relay->worker;
    note_gates(relay);
    relay_set_state(relay, RELAY_WAIT);
    lease_set_action(&worker->leases, relay->lease, LEASE_WAITING);
    counter_add(worker->segment, worker->slot, COUNTER_QUEUED, 1);
    gate_waiter_init(&relay->waiter);
    relay->waiter.limit = limit;
    relay->waiter.arrived_ns = relay->arrived_ns;
    relay->waiter.on_try = on_try;
    relay->waiter.on_undo = on_undo;
    relay->waiter.on_turn = on_turn;
    relay->waiter.class_hash = class_of(relay);
    loop_timer_set(worker->loop, &relay->deadline, loop_now_ms(worker->loop) + wait_ms_of(relay));
    relay_watch_half(relay);
    /* True: the second try, after publishing, took it at once. */
    if (gate_wait(&worker->gates, gate, &relay->waiter)) {
        on_turn(&relay->waiter);
    }
}

void
admit_wait_account(struct relay *relay, gate_try_fn on_try, gate_undo_fn on_undo)
{
    uint32_t pool = 0;
    relay->waits_at = RELAY_GATES;
    relay->waits_bound = false;
    if (gate_find(relay->worker->segment, GATE_POOL, relay->group_id, &pool) != ERR_OK) {
        refuse_waiting(relay, "queue_full", RELAY_GATES, 0);
        return;
    }
    if (may_wait(relay, pool, 0)) {
        wait_at(relay, pool, 0, on_try, on_undo);
    }
}

bool
admit_wait_bound(struct relay *relay)
{
    const struct workerconf *conf = relay->worker->heritage->worker_conf;
    uint32_t gate = relay->choice.gate;
    CHECK(!relay->has_choice && relay->choice.account != NULL);
    if (conf->queue_bound_ms == 0 ||
        gate_waiting(relay->worker->segment, gate) >= conf->queue_per_group) {
        return false;
    }
    relay->waits_at = RELAY_GATES;
    relay->waits_bound = true;
    list_push_tail(&relay->worker->bound, &relay->waits_link);
    wait_at(relay, gate, relay->choice.account->account.concurrency, NULL, NULL);
    return true;
}

void
admit_leave(struct relay *relay)
{
    bool waits = gate_waiter_waits(&relay->waiter);
    gate_leave(&relay->worker->gates, &relay->waiter);
    if (waits && relay->waits_bound) {
        list_remove(&relay->waits_link);
        select_wake(relay->worker->segment, relay->view, &relay->choice);
    }
}

void
admit_review(struct worker *worker)
{
    struct list *link = worker->bound.next;
    while (link != &worker->bound) {
        struct relay *relay = LIST_OWNER(link, struct relay, waits_link);
        link = link->next;
        CHECK(relay->state == RELAY_WAIT && relay->waits_bound && !relay->has_choice);
        if (!attempt_is_worth_waiting(relay)) {
            admit_leave(relay);
            relay->waits_bound = false;
            relay->affinity.has_left = true;
            loop_timer_clear(worker->loop, &relay->deadline);
            loop_defer(worker->loop, &relay->resume);
        }
    }
}

/* Takes the gates one after another; stops where it must wait. */
static void
take_gates(struct relay *relay)
{
    struct worker *worker = relay->worker;
    for (uint32_t i = 0; i < RELAY_GATES; i++) {
        struct relay_hold *hold = &relay->holds[i];
        if (hold->is_held) {
            continue;
        }
        CHECK(hold->gate != GATE_INDEX_NONE);
        if (gate_take(worker->segment, worker->slot, hold->gate, hold->limit, relay->arrived_ns) ==
            ERR_OK) {
            hold->is_held = true;
            continue;
        }
        relay->waits_at = (enum relay_gate)i;
        relay->waits_bound = false;
        if (may_wait(relay, hold->gate, hold->limit)) {
            wait_at(relay, hold->gate, hold->limit, NULL, NULL);
        }
        return;
    }
    note_gates(relay);
    attempt_pick(relay);
}

void
admit_resume(struct loop_task *task)
{
    struct relay *relay = LIST_OWNER(task, struct relay, resume);
    CHECK(relay->state == RELAY_WAIT);
    loop_timer_clear(relay->worker->loop, &relay->deadline);
    relay_watch_half(relay);
    const struct catalog_key *key = NULL;
    struct reply refusal;
    /* A key that was revoked while its request waited gets nothing; the view of the wait stays
     * valid for the account that may be held already. */
    if (!relay->has_choice && gatekeeper_again(relay, &key, &refusal) != ERR_OK) {
        relay_refuse(relay, &refusal);
        return;
    }
    if (relay->has_choice && relay->waits_bound) {
        attempt_enter(relay);
    } else if (relay->has_choice) {
        attempt_start(relay);
    } else {
        /* In the next queue it stands behind those who were not held up by limits of their own, or
         * a key that floods would delay them all with what it was not allowed to send. */
        relay->arrived_ns = clock_now_ns();
        take_gates(relay);
    }
}

void
admit_timeout(struct relay *relay)
{
    CHECK(relay->state == RELAY_WAIT);
    uint32_t limit = 0;
    if (relay->waits_at != RELAY_GATES) {
        limit = relay->holds[relay->waits_at].limit;
    } else if (relay->waits_bound) {
        limit = relay->choice.account->account.concurrency;
    }
    admit_leave(relay);
    if (relay->waits_at == RELAY_GATES && relay->tried_count > 0) {
        /* It waited for another account after a failure: that failure is the better answer. */
        relay_refuse(relay, &(struct reply){ .status = relay->failure.status,
                                             .code = relay->failure.code,
                                             .message = str_of(relay->failure.message),
                                             .retry_after_s = relay->retry_after_s });
        return;
    }
    refuse_waiting(relay, "queue_timeout", relay->waits_at, limit);
}

void
admit_request(struct relay *relay)
{
    relay_set_state(relay, RELAY_ADMIT);
    if (!peek_body(relay) || !find_model(relay)) {
        return;
    }
    find_streaming(relay);
    admit_again(relay);
}

void
admit_again(struct relay *relay)
{
    const struct catalog_key *key = NULL;
    struct reply refusal;
    CHECK(relay->state == RELAY_ADMIT && relay->lease == LEASE_NONE);
    if (gatekeeper_again(relay, &key, &refusal) != ERR_OK ||
        gatekeeper_rules(relay, key, &refusal) != ERR_OK) {
        relay_refuse(relay, &refusal);
        return;
    }
    if (!repeat_enter(relay)) {
        return;
    }
    if (charge_begin(relay, key, &refusal) != ERR_OK) {
        relay_refuse(relay, &refusal);
        return;
    }
    if (!take_lease(relay, key)) {
        return;
    }
    if (gatekeeper_limits(relay, key, &refusal) != ERR_OK) {
        relay_refuse(relay, &refusal);
        return;
    }
    relay->arrived_ns = clock_now_ns();
    const struct workerconf *conf = relay->worker->heritage->worker_conf;
    if (relay->wants_sse && conf->ping_interval_ms != 0) {
        loop_timer_set(relay->worker->loop, &relay->ping,
                       loop_now_ms(relay->worker->loop) + conf->ping_interval_ms);
    }
    affinity_find(relay);
    take_gates(relay);
}
