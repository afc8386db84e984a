#include "worker/settle.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "proto/usage.h"
#include "shm/counter.h"
#include "shm/health.h"
#include "shm/heritage.h"
#include "store/ledger.h"
#include "upstream/bill.h"
#include "worker/admit.h"
#include "worker/relay.h"
#include "worker/workerconf.h"

_Static_assert(LEDGER_RECORD_BYTES == RING_PAYLOAD_BYTES, "a record is a ring cell");

static uint64_t
now_of(const struct relay *relay)
{
    return loop_now_ms(relay->worker->loop);
}

/* Copies as much as fits, always terminated. */
static void
copy_cut(char *to, size_t to_bytes, const char *from)
{
    size_t length = strnlen(from, to_bytes - 1);
    memcpy(to, from, length);
    to[length] = '\0';
}

static uint32_t
cap32(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* An attempt, as it ended for the client: with this status and code (NULL = success). */
static void
fill_record(struct relay *relay, const struct lease_data *data, uint16_t status, const char *code,
            struct ledger_record *record)
{
    const struct usage *usage = &relay->stream.usage.usage;
    *record =
        (struct ledger_record){ .version = LEDGER_RECORD_VERSION,
                                .status = status,
                                .endpoint = (uint8_t)relay->row->endpoint,
                                .source = (uint8_t)usage->source,
                                .key_id = data->key_id,
                                .user_id = data->user_id,
                                .group_id = data->group_id,
                                .account_id = data->account_id,
                                .start_wall_ms = data->start_wall_ms,
                                .duration_ms = cap32(now_of(relay) - data->start_ms),
                                .in_fresh = usage->in_fresh,
                                .in_cache_read = usage->in_cache_read,
                                .in_cache_write_5m = usage->in_cache_write_5m,
                                .in_cache_write_1h = usage->in_cache_write_1h,
                                .out_total = usage->out_total,
                                .out_reasoning = usage->out_reasoning,
                                .media_tokens = { cap32(usage->in_audio), cap32(usage->in_image),
                                                  cap32(usage->out_audio) },
                                .bytes_in = data->bytes_in,
                                .bytes_out = data->bytes_out,
                                .is_stream = relay->wants_stream,
                                .client_dialect = data->client_dialect,
                                .upstream_dialect = data->upstream_dialect,
                                .attempt = data->attempt,
                                .is_last = 1,
                                .charged = relay->purse.charged,
                                .subscription_id = relay->purse.plan_id };
    if (data->first_byte_ms != 0) {
        record->first_byte_ms = cap32(data->first_byte_ms - data->start_ms);
    }
    copy_cut(record->request_id, sizeof record->request_id, relay->id);
    copy_cut(record->code, sizeof record->code, code == NULL ? "" : code);
    copy_cut(record->model, sizeof record->model, data->model);
    copy_cut(record->model_sent, sizeof record->model_sent, data->model_sent);
    copy_cut(record->address, sizeof record->address, data->address);
}

/* The provider had all of the request and said nothing: it may have worked, and bill it. */
static void
estimate_unseen(struct relay *relay)
{
    struct usage *usage = &relay->stream.usage.usage;
    bool was_asked = relay->charge.was_silent || relay->charge.was_left;
    if (was_asked && usage->source == USAGE_NONE && (relay->row->flags & ENDPOINT_USAGE) != 0) {
        usage->in_fresh = relay->stream.input_tokens;
        usage->source = USAGE_ESTIMATED;
    }
}

bool
settle_cost(struct relay *relay, uint16_t status, int64_t *out_nano)
{
    static struct ledger_record record;
    const struct lease_data *data = lease_mine(&relay->worker->leases, relay->lease);
    fill_record(relay, data, status, NULL, &record);
    charge_fill(relay, data, &record);
    *out_nano = record.cost_nano;
    return (record.flags & LEDGER_UNPRICED) == 0;
}

void
settle_attempt(struct relay *relay)
{
    struct worker *worker = relay->worker;
    const struct lease_data *data = lease_mine(&worker->leases, relay->lease);
    static struct ledger_record record;
    if (!relay->charge.was_silent) {
        return;
    }
    estimate_unseen(relay);
    fill_record(relay, data, relay->failure.status, relay->failure.code, &record);
    record.is_last = 0;
    record.charged = 0; /* nobody pays for it */
    record.subscription_id = 0;
    charge_fill(relay, data, &record);
    relay->charge.was_silent = false;
    if (ring_reserve(&worker->ring, 1) == ERR_OK) {
        ring_push(&worker->ring, &record);
    } else {
        charge_carry(relay, record.upstream_nano);
    }
}

/* `record` NULL: it left none. */
static void
settle_limits(struct relay *relay, const struct ledger_record *record, uint64_t sequence)
{
    struct worker *worker = relay->worker;
    if (!relay->purse.is_taken) {
        return;
    }
    if (record == NULL) {
        /* It reached no account: refused in a queue, or its client left it. */
        purse_give(relay);
        minute_give(relay);
        return;
    }
    uint64_t used = bill_tokens(record);
    uint64_t cost_nano = record->cost_nano > 0 ? (uint64_t)record->cost_nano : 0;
    purse_settle(relay, (struct budget_amount){ .tokens = used, .nano = cost_nano }, sequence);
    minute_settle(relay, used);
    if (relay->has_choice && used > 0) {
        select_settle(worker->segment, worker->slot, &relay->choice, used, now_of(relay));
    }
}

/* A request that reached no account leaves no record: a flood of refusals must not fill the store.
 */
static void
settle_lease(struct relay *relay, const struct ledger_record *record)
{
    struct worker *worker = relay->worker;
    if (relay->lease == LEASE_NONE) {
        CHECK(!relay->purse.is_taken);
        return;
    }
    lease_set_action(&worker->leases, relay->lease, LEASE_SETTLING);
    const struct lease_data *data = lease_mine(&worker->leases, relay->lease);
    counter_add(worker->segment, worker->slot, COUNTER_BYTES_IN, data->bytes_in);
    counter_add(worker->segment, worker->slot, COUNTER_BYTES_OUT, data->bytes_out);
    uint64_t sequence = 0;
    FAULT("settle.before_record");
    lease_settle(&worker->leases, relay->lease, &worker->ring, record, &sequence);
    FAULT("settle.after_record");
    worker->by_lease[relay->lease] = NULL;
    relay->lease = LEASE_NONE;
    settle_limits(relay, record, sequence);
}

static void
give_gates(struct relay *relay)
{
    struct worker *worker = relay->worker;
    admit_leave(relay);
    if (relay->has_choice) {
        if (relay->choice.is_probe) {
            /* Does nothing when an answer has told how the account is. */
            health_abandon(worker->segment, relay->choice.account->account.index, now_of(relay));
        }
        select_give(worker->segment, worker->slot, relay->view, &relay->choice);
        relay->has_choice = false;
    }
    for (uint32_t i = RELAY_GATES; i-- > 0;) {
        if (relay->holds[i].is_held) {
            relay->holds[i].is_held = false;
            gate_give(worker->segment, worker->slot, relay->holds[i].gate, NULL, 0);
        }
    }
}

static void
count_answer(const struct relay *relay)
{
    struct worker *worker = relay->worker;
    enum counter counter = COUNTER_ANSWERED_5XX;
    if (relay->status == 499) {
        counter = COUNTER_CLIENT_GONE;
    } else if (relay->status < 300) {
        counter = COUNTER_ANSWERED_2XX;
    } else if (relay->status < 400) {
        counter = COUNTER_ANSWERED_3XX;
    } else if (relay->status < 500) {
        counter = COUNTER_ANSWERED_4XX;
    }
    counter_add(worker->segment, worker->slot, COUNTER_REQUESTS, 1);
    counter_add(worker->segment, worker->slot, counter, 1);
    counter_add(worker->segment, worker->slot, COUNTER_TOKENS_IN,
                usage_input(&relay->stream.usage.usage));
    counter_add(worker->segment, worker->slot, COUNTER_TOKENS_OUT,
                relay->stream.usage.usage.out_total);
    if (relay->wants_stream) {
        counter_add(worker->segment, worker->slot, COUNTER_STREAMS, 1);
    }
}

/* What is 0 is left out: most requests use two of the six. */
static void
log_tokens(struct log_line *line, const char *name, uint64_t tokens)
{
    if (tokens != 0) {
        log_u64(line, name, tokens);
    }
}

static void
log_usage(struct log_line *line, const struct usage *usage)
{
    log_u64(line, "in", usage->in_fresh);
    log_tokens(line, "cached", usage->in_cache_read);
    log_tokens(line, "cache_5m", usage->in_cache_write_5m);
    log_tokens(line, "cache_1h", usage->in_cache_write_1h);
    log_u64(line, "out", usage->out_total);
    log_tokens(line, "reasoning", usage->out_reasoning);
    log_text(line, "usage", usage_source_name(usage->source));
}

/* Dollars. An unpriced request is not a cheap one. */
static void
log_cost(struct log_line *line, const struct ledger_record *record)
{
    char text[MONEY_TEXT_BYTES];
    if ((record->flags & LEDGER_UNPRICED) != 0) {
        log_text(line, "cost", "unpriced");
        return;
    }
    money_text(record->cost_nano, 9, text);
    log_text(line, "cost", text);
}

static void
log_request(const struct relay *relay, const struct lease_data *data,
            const struct ledger_record *record)
{
    uint32_t wanted = relay->worker->heritage->worker_conf->log_requests;
    if (wanted == WORKERCONF_LOG_NONE || (wanted == WORKERCONF_LOG_ERRORS && relay->code == NULL)) {
        return;
    }
    static struct log_line line; /* too large for a stack that is zeroed at each call */
    log_begin(&line, LOG_INFO, "request");
    if (line.is_off) {
        return; /* nobody wants to know: not even how long the words are */
    }
    log_text(&line, "req", relay->id);
    log_text(&line, "endpoint", relay->row == NULL ? "none" : relay->row->name);
    log_u64(&line, "status", relay->status);
    if (relay->code != NULL) {
        log_text(&line, "code", relay->code);
    }
    if (data != NULL) {
        uint64_t now_ms = now_of(relay);
        log_text(&line, "key", data->key_name);
        log_text(&line, "account", data->account_name);
        log_text(&line, "model", data->model);
        if (strcmp(data->model, data->model_sent) != 0) {
            log_text(&line, "sent", data->model_sent);
        }
        log_u64(&line, "stream", relay->wants_stream ? 1 : 0);
        log_u64(&line, "ms", now_ms - data->start_ms);
        log_u64(&line, "first_ms",
                data->first_byte_ms == 0 ? 0 : data->first_byte_ms - data->start_ms);
        log_u64(&line, "attempts", relay->tried_count + (relay->has_choice ? 1u : 0u));
        enum lease_sticky sticky = affinity_judge(&relay->affinity, data->account_id);
        if (sticky != LEASE_STICKY_NONE) {
            log_text(&line, "sticky", lease_sticky_text((uint8_t)sticky));
        }
        log_usage(&line, &relay->stream.usage.usage);
        if (record != NULL) {
            log_cost(&line, record);
        }
        log_u64(&line, "bytes_in", data->bytes_in);
        log_u64(&line, "bytes_out", data->bytes_out);
        log_text(&line, "client", data->address);
    }
    log_end(&line);
}

void
settle_relay(struct relay *relay)
{
    CHECK(relay->state != RELAY_SETTLED && relay->request == NULL);
    struct worker *worker = relay->worker;
    relay->state = RELAY_SETTLED;
    exchange_stop(&relay->exchange);
    loop_timer_clear(worker->loop, &relay->deadline);
    loop_timer_clear(worker->loop, &relay->ping);
    loop_undefer(&relay->resume);
    loop_undefer(&relay->gone);

    const struct lease_data *data =
        relay->lease == LEASE_NONE ? NULL : lease_mine(&worker->leases, relay->lease);
    static struct ledger_record record;
    bool is_recorded = data != NULL && data->account_id != 0;
    if (is_recorded) {
        estimate_unseen(relay);
        fill_record(relay, data, relay->status, relay->code, &record);
        charge_fill(relay, data, &record);
        repeat_close(relay, &record); /* nothing is pushed between this and the record */
    }
    log_request(relay, data, is_recorded ? &record : NULL);
    count_answer(relay);
    affinity_end(relay);
    settle_lease(relay, is_recorded ? &record : NULL);
    repeat_end(relay);
    charge_end(relay);
    give_gates(relay);
    if (relay->row != NULL) {
        stream_fini(relay);
    }
    bridge_close(relay);
    if (relay->view != NULL) {
        catalog_drop(worker->catalog, relay->view);
    }
    relay_free(relay);
}
