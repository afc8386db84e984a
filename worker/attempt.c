#include "worker/attempt.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "proto/error.h"
#include "shm/counter.h"
#include "shm/health.h"
#include "shm/heritage.h"
#include "upstream/bound.h"
#include "upstream/hint.h"
#include "upstream/reach.h"
#include "worker/admit.h"
#include "worker/counting.h"
#include "worker/culprit.h"
#include "worker/dispatch.h"
#include "worker/gatekeeper.h"
#include "worker/relay.h"
#include "worker/settle.h"
#include "worker/workerconf.h"

/* A limit that a success used up fills again all the time: then it is better to ask. */
#define REST_MS_MAX 60000u
#define REFUSED "The upstream refused the request and said no more that could be passed on"

/* --- choosing --- */

struct select_want
attempt_want(struct relay *relay)
{
    return (struct select_want){
        .segment = relay->worker->segment,
        .slot = relay->worker->slot,
        .view = relay->view,
        .group = relay->group,
        .dialect = bridge_row(relay)->dialect,
        .is_side = !endpoint_is_generation(relay->row->endpoint) && !counting_is(relay),
        .model = dispatch_model(relay),
        .tried = relay->tried,
        .tried_count = relay->tried_count,
        .skips_tried = relay->is_astray,
        .now_ms = loop_now_ms(relay->worker->loop),
        .arrived_ns = relay->arrived_ns,
        .tokens = relay->minute.tokens,
        .bound = relay->affinity.has_left ? 0 : relay->affinity.bound,
        .slow_ms = relay->worker->reach->conf->slow_first_byte_ms,
        .failing_ppm = relay->worker->reach->conf->failing_percent * 10000
    };
}

/* A place in the pool may be served: try what this request can use. */
static enum gate_turn
on_try(struct gate_waiter *waiter)
{
    struct relay *relay = LIST_OWNER(waiter, struct relay, waiter);
    gatekeeper_renew(relay); /* an account may have been added for it */
    struct select_want want = attempt_want(relay);
    enum select_result result = bound_take(&want, false, &relay->choice);
    if (result != SELECT_OK) {
        result = select_take(&want, &relay->choice);
    }
    if (result == SELECT_OK) {
        relay->has_choice = true;
        return GATE_TURN_TAKEN;
    }
    return result == SELECT_FULL ? GATE_TURN_FULL : GATE_TURN_PASS;
}

/* What it took is an elder's. */
static void
on_undo(struct gate_waiter *waiter)
{
    struct relay *relay = LIST_OWNER(waiter, struct relay, waiter);
    struct select_want want = attempt_want(relay);
    CHECK(relay->has_choice);
    relay->has_choice = false;
    select_undo(&want, &relay->choice);
}

/* Whole seconds, as clients are told; a part of one is one. */
static uint32_t
seconds_of(uint64_t ms)
{
    return (uint32_t)((ms + 999) / 1000);
}

/* When it is worth asking us again: the first account that will be there, in seconds. */
static void
note_wait(struct relay *relay)
{
    /* An only account is asked again whenever its client likes: its provider's word is the best. */
    if (relay->retry_after_s > 0 && relay->view->groups[relay->group].account_count == 1) {
        return;
    }
    struct select_want want = attempt_want(relay);
    uint64_t wait_ms = select_wait_ms(&want);
    if (wait_ms > 0) {
        relay->retry_after_s = seconds_of(wait_ms);
    }
}

/* The last failure, as the client hears it. */
static void
refuse_exhausted(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    const struct retry_decision *failure = &relay->failure;
    struct error_found found = { .message = "" };
    if (counting_is(relay) && relay->request != NULL) {
        counting_estimate(relay);
        return;
    }
    if (stream->is_error) {
        error_read(bridge_row(relay)->dialect, stream->status, buf_str(&stream->tail), &found);
    }
    if (failure->status == 429 || failure->status == 503) {
        note_wait(relay);
        relay->retry_after_s = relay->retry_after_s > 0 ? relay->retry_after_s : 1;
    }
    bool is_shaped = found.type[0] != '\0' || found.code[0] != '\0';
    if (failure->status == 429 && stream->is_error && stream->is_whole && is_shaped &&
        !stream->is_begun && relay->request != NULL) {
        stream_pass_error(relay);
        relay_finish(relay, failure->code);
        return;
    }
    char cleaned[EXCERPT_BYTES + 1] = "";
    error_clean(str_of(found.message), cleaned, sizeof cleaned);
    struct str message = str_of(failure->message);
    if (cleaned[0] != '\0' && relay->request != NULL && !stream->is_begun) {
        message = arena_printf(&relay->request->arena, "%s: %s", failure->message, cleaned);
    }
    relay_refuse(relay, &(struct reply){ .status = failure->status,
                                         .code = failure->code,
                                         .message = message,
                                         .retry_after_s = relay->retry_after_s });
}

static bool
is_limited(struct relay *relay)
{
    struct select_want want = attempt_want(relay);
    return select_is_limited(&want);
}

static void
refuse_selection(struct relay *relay, enum select_result result)
{
    struct arena *arena = &relay->request->arena;
    struct worker *worker = relay->worker;
    note_wait(relay);
    struct reply reply = { .status = 503,
                           .code = "no_channel_available",
                           .retry_after_s = relay->retry_after_s > 0 ? relay->retry_after_s : 5 };
    if (result == SELECT_MODEL || result == SELECT_DIALECT || result == SELECT_ENDPOINT ||
        result == SELECT_MODEL_MISSING) {
        reply = (struct reply){ .status = 404, .code = "model_not_found", .param = "model" };
        /* Where nothing is translated, the dialect may be why. */
        const char *dialect = dialect_name(relay->row->dialect);
        bool is_any = endpoint_is_generation(relay->row->endpoint) || counting_is(relay);
        reply.message = arena_printf(
            arena, "No account of your group serves the model '%.*s'%s%s%s", STR_ARG(relay->model),
            is_any ? "" : " in the ", is_any ? "" : dialect, is_any ? "" : " dialect");
    } else if (counting_is(relay)) {
        counting_estimate(relay);
        return;
    } else if (result == SELECT_RATE) {
        reply.status = 429;
        reply.code = "rate_limit_exceeded";
        reply.message = STR("All accounts of your group have used up their minute");
    } else if (result == SELECT_MODEL_COOLING || (result == SELECT_BENCHED && is_limited(relay))) {
        reply.status = 429;
        reply.code = "rate_limit_exceeded";
        reply.message = arena_printf(
            arena,
            "All accounts that could serve the model '%.*s' have reached a limit of their "
            "provider",
            STR_ARG(relay->model));
    } else {
        reply.message =
            arena_printf(arena, "No account is available now (%s)", select_text(result));
    }
    counter_add(worker->segment, worker->slot, COUNTER_REFUSED_NO_CHANNEL, 1);
    relay_refuse(relay, &reply);
}

void
attempt_pick(struct relay *relay)
{
    struct worker *worker = relay->worker;
    relay_set_state(relay, RELAY_PICK);
    lease_set_action(&worker->leases, relay->lease, LEASE_PICKING);
    struct select_want want = attempt_want(relay);
    bridge_choose(relay, &want);
    if (counting_is_blind(relay)) {
        counting_estimate(relay);
        return;
    }
    uint32_t pool = 0;
    bool has_elders = gate_peek(worker->segment, GATE_POOL, relay->group_id, &pool) == ERR_OK &&
                      gate_is_waited(worker->segment, pool, relay->arrived_ns);
    enum select_result result = bound_take(&want, has_elders, &relay->choice);
    if (result == SELECT_FULL && admit_wait_bound(relay)) {
        return;
    }
    if (result != SELECT_OK) {
        result = has_elders ? SELECT_FULL : select_take(&want, &relay->choice);
    }
    if (result == SELECT_OK) {
        relay->has_choice = true;
        attempt_start(relay);
    } else if (result == SELECT_FULL) {
        admit_wait_account(relay, on_try, on_undo);
    } else if (relay->tried_count > 0) {
        refuse_exhausted(relay);
    } else {
        refuse_selection(relay, result);
    }
}

bool
attempt_is_worth_waiting(struct relay *relay)
{
    struct select_want want = attempt_want(relay);
    enum select_result result = bound_judge(&want);
    return result == SELECT_OK || result == SELECT_FULL;
}

void
attempt_enter(struct relay *relay)
{
    CHECK(relay->has_choice && relay->waits_bound);
    struct select_want want = attempt_want(relay);
    relay->waits_bound = false;
    if (select_enter(&want, &relay->choice) == SELECT_OK) {
        attempt_start(relay);
        return;
    }
    /* It failed while the session waited for it. */
    relay->has_choice = false;
    relay->affinity.has_left = true;
    attempt_pick(relay);
}

/* --- starting --- */

static void note_failure(struct relay *relay, const struct retry_decision *decision,
                         enum exchange_phase phase, bool is_models, struct str why);
static void go_on(struct relay *relay);

/* The account's provider lacks the client's endpoint, and in another dialect the request cannot be
 * asked: another account may take it as it is. */
static bool
goes_to_native(struct relay *relay, enum err err, const struct hub_problem *problem)
{
    if (err != ERR_BAD || relay->detour.missing == 0 || !bridge_is_on(relay) ||
        !culprit_has_native(relay)) {
        return false;
    }
    struct retry_decision decision = { .verdict = RETRY_SWITCH,
                                       .status = 400,
                                       .code = "invalid_request",
                                       .message = "The request cannot be translated" };
    note_failure(relay, &decision, EXCHANGE_DONE, false, str_of(problem->message));
    go_on(relay);
    return true;
}

/* To the held account, in the dialect that the bridge says. */
static void
send_request(struct relay *relay)
{
    relay_set_state(relay, RELAY_ATTEMPT);
    relay->retry_after_s = 0; /* what another account's provider said is not this one's word */
    struct str pieces[CLIENT_PIECES_MAX];
    uint32_t count = 0;
    struct hub_problem problem = { .status = 0 };
    enum err err = dispatch_make(relay, pieces, &count, &problem);
    if (err != ERR_OK) {
        if (!goes_to_native(relay, err, &problem)) {
            dispatch_refuse(relay, err, &problem);
        }
        return;
    }
    exchange_start(&relay->exchange, relay->choice.account->extra, pieces, count, false);
}

void
attempt_start(struct relay *relay)
{
    CHECK(relay->has_choice && relay->request != NULL);
    detour_begin(relay);
    if (relay->tried_count > 0) {
        settle_attempt(relay);
        stream_reset(relay);
        counter_add(relay->worker->segment, relay->worker->slot, COUNTER_SWITCHES, 1);
    } else if (bridge_is_on(relay)) {
        stream_reset(relay); /* it was made for the client's dialect */
    }
    send_request(relay);
}

/* --- failing --- */

/* Its slot is given back, and the lease names it no more. */
static void
give_account(struct relay *relay)
{
    struct worker *worker = relay->worker;
    lease_edit(&worker->leases, relay->lease)->gate_account = GATE_INDEX_NONE;
    lease_done(&worker->leases, relay->lease);
    select_give(worker->segment, worker->slot, relay->view, &relay->choice);
    relay->has_choice = false;
}

/* The account failed: judged, logged, given back, not tried again by this request. */
static void
note_failure(struct relay *relay, const struct retry_decision *decision, enum exchange_phase phase,
             bool is_models, struct str why)
{
    struct worker *worker = relay->worker;
    counter_add(worker->segment, worker->slot, COUNTER_UPSTREAM_FAILURES, 1);
    culprit_note(relay, decision, phase, is_models, why);
    CHECK(relay->tried_count < ATTEMPTS_MAX);
    relay->tried[relay->tried_count++] = relay->choice.account->account.id;
    relay->failure = *decision;
    relay->charge.was_silent = decision->blame == RETRY_BLAME_SLOW && phase == EXCHANGE_HEAD;
    give_account(relay);
}

/* After a failed attempt: the next account, or the end. */
static void
go_on(struct relay *relay)
{
    if (relay->stream.is_answered || relay->request == NULL) {
        stream_break(relay, relay->failure.status, relay->failure.code,
                     str_of(relay->failure.message));
        return;
    }
    if (relay->tried_count > relay->worker->reach->conf->max_switches) {
        refuse_exhausted(relay);
        return;
    }
    attempt_pick(relay);
}

/* --- what the exchange tells --- */

/* When the provider can be asked again, in seconds; 0 = it does not say. */
static uint32_t
retry_after_of(const struct relay *relay, const struct parser_head *head)
{
    if (head->status < 300) {
        return 0;
    }
    uint64_t max_ms = relay->worker->reach->conf->bench_ms_max;
    return seconds_of(hint_refused_ms(&head->headers, clock_wall_ms(), max_ms));
}

/* The answer is good, and was the last that the account's limit allowed. */
static void
note_used_up(struct relay *relay, const struct parser_head *head)
{
    struct worker *worker = relay->worker;
    if (head->status >= 300 || !relay->has_choice) {
        return;
    }
    uint64_t rest_ms = hint_used_up_ms(&head->headers, clock_wall_ms(), REST_MS_MAX);
    uint64_t max_ms = worker->reach->conf->bench_ms_max;
    if (rest_ms > 0) {
        health_rest(worker->segment, relay->choice.account->account.index,
                    rest_ms > max_ms ? max_ms : rest_ms, loop_now_ms(worker->loop));
    }
}

static struct relay *
relay_of(struct exchange *exchange)
{
    return LIST_OWNER(exchange, struct relay, exchange);
}

static void
on_head(struct exchange *exchange, const struct parser_head *head)
{
    struct relay *relay = relay_of(exchange);
    relay->retry_after_s = retry_after_of(relay, head);
    relay_set_state(relay, RELAY_STREAM);
    if (head->status >= 200 && head->status < 300) {
        detour_prove(relay);
    }
    stream_head(relay, head);
    note_used_up(relay, head); /* behind stream_head, which calls the account healthy */
}

static void
on_turn(struct exchange *exchange)
{
    struct relay *relay = relay_of(exchange);
    uint64_t bound = relay->worker->heritage->worker_conf->drain_bytes;
    if (relay->request == NULL && relay->stream.body_bytes > relay->drained_from + bound) {
        relay_abort(relay);
        return;
    }
    stream_turn(relay);
}

/* When the body says that the provider can be asked again, in seconds; 0 = it does not. */
static uint32_t
body_retry_after(const struct relay *relay, const struct error_found *found)
{
    uint64_t max_ms = relay->worker->reach->conf->bench_ms_max;
    uint64_t ms = found->retry_after_ms;
    if (ms == 0) {
        ms = hint_body_ms(buf_str(&relay->stream.tail), clock_wall_ms(), max_ms);
    }
    return seconds_of(ms > max_ms ? max_ms : ms);
}

/* What came says nothing about how the account is. */
static void
end_probe(struct relay *relay)
{
    if (relay->choice.is_probe) {
        health_abandon(relay->worker->segment, relay->choice.account->account.index,
                       loop_now_ms(relay->worker->loop));
    }
}

/* A provider's whole error answer. */
static void
judge_error(struct relay *relay)
{
    struct stream *stream = &relay->stream;
    struct error_found found;
    error_read(bridge_row(relay)->dialect, stream->status, buf_str(&stream->tail), &found);
    if (detour_take(relay, &found)) {
        stream_reset(relay);
        send_request(relay);
        return;
    }
    detour_hear(relay, &found);
    char cleaned[EXCERPT_BYTES + 1];
    size_t length = error_clean(str_of(found.message), cleaned, sizeof cleaned);
    bool is_models = false;
    if (counting_is_missing(relay, &found) && relay->request != NULL) {
        end_probe(relay);
        counting_estimate(relay);
        return;
    }
    struct retry_decision decision = culprit_decide(relay, &found, &is_models);
    if (decision.verdict == RETRY_SWITCH) {
        if (relay->retry_after_s == 0) {
            relay->retry_after_s = body_retry_after(relay, &found);
        }
        note_failure(relay, &decision, EXCHANGE_DONE, is_models, str_make(cleaned, length));
        go_on(relay);
        return;
    }
    end_probe(relay);
    if (stream->is_begun || relay->request == NULL) {
        stream_break(relay, stream->status, "upstream_rejected", str_make(cleaned, length));
        return;
    }
    if (!stream->is_whole) {
        struct str said = str_make(cleaned, length);
        relay_refuse(relay, &(struct reply){ .status = stream->status,
                                             .code = "upstream_rejected",
                                             .message = length > 0 ? said : STR(REFUSED) });
        return;
    }
    stream_pass_error(relay);
    relay_finish(relay, "upstream_rejected");
}

/* A translated answer that failed in its events, or made no sense. */
static void
judge_answer(struct relay *relay)
{
    const struct answer_failure failure = *bridge_failure(relay);
    struct stream *stream = &relay->stream;
    char cleaned[EXCERPT_BYTES + 1];
    size_t length = error_clean(str_of(failure.found.message), cleaned, sizeof cleaned);
    exchange_stop(&relay->exchange);
    uint16_t status = failure.status >= 400 ? (uint16_t)failure.status : 502;
    struct retry_decision decision = retry_of_error(status, &failure.found);
    if (stream->is_answered || relay->request == NULL || failure.is_ours) {
        bool is_overload = failure.is_ours && failure.status == 503;
        relay_refuse(relay, &(struct reply){ .status = is_overload ? 503 : 502,
                                             .code = is_overload ? "overloaded" : "upstream_error",
                                             .message = str_make(cleaned, length),
                                             .retry_after_s = is_overload ? 1 : 0 });
    } else if (decision.verdict == RETRY_SWITCH) {
        note_failure(relay, &decision, EXCHANGE_DONE, false, str_make(cleaned, length));
        go_on(relay);
    } else {
        relay_refuse(relay, &(struct reply){ .status = status,
                                             .code = "upstream_rejected",
                                             .message = str_make(cleaned, length) });
    }
}

/* The provider said all it had to say. */
static void
end_answer(struct relay *relay)
{
    if (counting_is(relay) && bridge_is_on(relay) && relay->request != NULL &&
        !relay->stream.is_begun) {
        counting_finish(relay);
        return;
    }
    enum bridge_end end = bridge_is_on(relay) ? bridge_finish(relay) : BRIDGE_DONE;
    if (end == BRIDGE_FAILED) {
        judge_answer(relay);
    } else if (end == BRIDGE_DONE) {
        stream_end(relay);
    } else {
        server_flush(relay->request);
    }
}

static void
on_body(struct exchange *exchange, struct str bytes)
{
    struct relay *relay = relay_of(exchange);
    bool is_error = relay->stream.is_error; /* otherwise the relay may be gone behind the call */
    bool is_translated = !is_error && bridge_is_on(relay);
    stream_body(relay, bytes);
    if (is_translated && bridge_failure(relay) != NULL) {
        judge_answer(relay);
    } else if (is_error && !relay->stream.is_whole) {
        /* Longer than there is a reason for: what was heard of it tells enough. */
        exchange_stop(exchange);
        judge_error(relay);
    }
}

static void
on_end(struct exchange *exchange)
{
    struct relay *relay = relay_of(exchange);
    if (relay->stream.is_error) {
        judge_error(relay);
    } else {
        end_answer(relay);
    }
}

static void
on_fail(struct exchange *exchange, const struct exchange_failure *failure)
{
    struct relay *relay = relay_of(exchange);
    struct retry_decision decision = retry_of_failure(failure);
    /* After its last event a stream that is cut has said all there is to say. */
    if (stream_is_complete(relay)) {
        end_answer(relay);
        return;
    }
    note_failure(relay, &decision, failure->phase, false, str_of(failure->why));
    go_on(relay);
}

static void
on_phase(struct exchange *exchange)
{
    struct relay *relay = relay_of(exchange);
    enum lease_action action = LEASE_SENT;
    switch (exchange->phase) {
    case EXCHANGE_RESOLVE:
        action = LEASE_RESOLVING;
        break;
    case EXCHANGE_CONNECT:
        action = exchange->target->is_tls ? LEASE_HANDSHAKE : LEASE_CONNECTING;
        break;
    case EXCHANGE_SEND:
    case EXCHANGE_HEAD:
        break;
    case EXCHANGE_IDLE:
    case EXCHANGE_BODY:
    case EXCHANGE_DONE:
    case EXCHANGE_FAILED:
        return;
    }
    lease_set_action(&relay->worker->leases, relay->lease, action);
}

const struct exchange_hooks attempt_hooks = { .on_head = on_head,
                                              .on_body = on_body,
                                              .on_turn = on_turn,
                                              .on_end = on_end,
                                              .on_fail = on_fail,
                                              .on_phase = on_phase };
