#include "admin/live.h"

#include <stdio.h>
#include <string.h>

#include "admin/api.h"
#include "admin/balance.h"
#include "admin/entry.h"
#include "admin/lore.h"
#include "admin/recorder.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/money.h"
#include "base/num.h"
#include "http/server.h"
#include "proto/dialect.h"
#include "proto/endpoint.h"
#include "proto/usage.h"
#include "shm/budget.h"
#include "shm/counter.h"
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/heritage.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "shm/slot.h"
#include "shm/version.h"
#include "store/ledger.h"
#include "store/price.h"
#include "upstream/orphan.h"

/* Records of one answer of usage/recent. */
#define RECENT_MAX 1000u
/* Tries to read a lease that is being written. */
#define READ_TRIES 8u

/* --- status --- */

static void
put_processes(struct jsonw *w, const struct segment *segment, uint64_t now_ms)
{
    jsonw_name(w, "processes");
    jsonw_array(w);
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        struct slot_view view;
        slot_read(segment, slot, &view);
        if (view.state == SLOT_FREE) {
            continue;
        }
        jsonw_object(w);
        jsonw_put_text(w, "kind", slot_kind_text(view.kind));
        jsonw_put_u64(w, "worker", view.worker);
        jsonw_put_u64(w, "slot", slot);
        jsonw_put_text(w, "state", slot_state_text(view.state));
        jsonw_put_u64(w, "pid", view.pid);
        jsonw_put_u64(w, "generation", view.generation);
        jsonw_put_u64(w, "requests", lease_count(segment, slot));
        jsonw_put_u64(w, "unrecorded", ring_used(segment, slot));
        jsonw_put_u64(w, "beat_age_ms",
                      now_ms > view.heartbeat_ms ? now_ms - view.heartbeat_ms : 0);
        jsonw_put_u64(w, "started_ms", view.started_ms);
        jsonw_put_text(w, "last_words", view.crash);
        jsonw_close(w);
    }
    jsonw_close(w);
}

static void
put_counters(struct jsonw *w, const struct segment *segment)
{
    jsonw_name(w, "counters");
    jsonw_object(w);
    for (uint32_t i = 0; i < COUNTERS; i++) {
        char name[64] = "";
        const char *from = counter_name((enum counter)i);
        str_copy(name, sizeof name, str_of(from));
        jsonw_put_u64(w, name, counter_sum(segment, (enum counter)i));
    }
    jsonw_close(w);
}

static void
put_store(struct jsonw *w, const struct recorder *recorder)
{
    uint64_t used = 0;
    uint64_t map = 0;
    ledger_space(recorder->ledger, &used, &map);
    jsonw_name(w, "store");
    jsonw_object(w);
    jsonw_put_bool(w, "writable", recorder->is_writable);
    jsonw_put_text(w, "why", recorder->why_not);
    jsonw_put_u64(w, "used_bytes", used);
    jsonw_put_u64(w, "map_bytes", map);
    jsonw_close(w);
}

void
live_status(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    const struct segment *segment = recorder->segment;
    const char *why = version_why_not_ready(segment);
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_put_bool(&w, "ready", why == NULL);
    jsonw_put_text(&w, "why_not", why);
    jsonw_put_text(&w, "build", segment->head->build);
    jsonw_put_u64(&w, "generation", version_generation(segment));
    jsonw_put_u64(&w, "uptime_ms", clock_wall_ms() - segment->head->created_wall_ms);
    jsonw_put_u64(&w, "usable_accounts", version_usable_accounts(segment));
    put_processes(&w, segment, loop_now_ms(recorder->loop));
    put_store(&w, recorder);
    put_counters(&w, segment);
    jsonw_close(&w);
    api_answer_buf(request, jsonw_end(&w), &body);
}

/* --- requests in flight --- */

static const char *
dialect_text(uint8_t dialect)
{
    return dialect < DIALECT_COUNT ? dialect_name((enum dialect)dialect) : "";
}

static const char *
endpoint_text(uint8_t endpoint)
{
    return endpoint < ENDPOINT_NUMBER ? endpoint_row((enum endpoint)endpoint)->name : "";
}

/* What it would be billed if it ended now. */
static void
put_cost_so_far(struct jsonw *w, const struct lease_view *lease)
{
    static struct ledger_record record;
    if (orphan_bill(lease, &record)) {
        balance_put(w, "cost", record.cost_nano);
    }
}

static void
put_lease(struct jsonw *w, const struct lease_view *lease, uint32_t slot, uint64_t now_ms)
{
    const struct lease_data *data = &lease->data;
    jsonw_object(w);
    jsonw_put_text(w, "request", data->request_id);
    jsonw_put_text(w, "key", data->key_name);
    jsonw_put_text(w, "account", data->account_name);
    jsonw_put_text(w, "model", data->model);
    jsonw_put_text(w, "sent", data->model_sent);
    jsonw_put_text(w, "endpoint", endpoint_text(data->endpoint));
    jsonw_put_text(w, "dialect", dialect_text(data->client_dialect));
    jsonw_put_text(w, "sticky", lease_sticky_text(data->sticky));
    jsonw_put_text(w, "state", lease->is_ending ? "ending" : lease_action_text(lease->action));
    jsonw_put_bool(w, "stream", data->is_stream != 0);
    jsonw_put_u64(w, "attempt", data->attempt);
    jsonw_put_u64(w, "age_ms", now_ms > data->start_ms ? now_ms - data->start_ms : 0);
    jsonw_put_u64(w, "first_byte_ms",
                  data->first_byte_ms == 0 ? 0 : data->first_byte_ms - data->start_ms);
    jsonw_put_u64(
        w, "idle_ms",
        data->last_byte_ms == 0 || now_ms < data->last_byte_ms ? 0 : now_ms - data->last_byte_ms);
    jsonw_put_u64(w, "tokens_in",
                  data->tokens.in_fresh + data->tokens.in_cache_read +
                      data->tokens.in_cache_write_5m + data->tokens.in_cache_write_1h);
    jsonw_put_u64(w, "tokens_out", data->tokens.out);
    put_cost_so_far(w, lease);
    jsonw_put_u64(w, "bytes_in", data->bytes_in);
    jsonw_put_u64(w, "bytes_out", data->bytes_out);
    jsonw_put_text(w, "client", data->address);
    jsonw_put_u64(w, "slot", slot);
    jsonw_close(w);
}

static bool
read_lease(const struct segment *segment, uint32_t slot, uint32_t index, struct lease_view *out)
{
    enum err err = ERR_AGAIN;
    for (uint32_t i = 0; i < READ_TRIES && err == ERR_AGAIN; i++) {
        err = lease_read(segment, slot, index, out);
    }
    return err == ERR_OK;
}

void
live_top(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    const struct segment *segment = recorder->segment;
    uint64_t now_ms = loop_now_ms(recorder->loop);
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_name(&w, "items");
    jsonw_array(&w);
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        uint32_t left = lease_count(segment, slot);
        for (uint32_t i = 0; i < segment->leases && left > 0; i++) {
            struct lease_view lease;
            if (read_lease(segment, slot, i, &lease)) {
                put_lease(&w, &lease, slot, now_ms);
                left--;
            }
        }
    }
    jsonw_close(&w);
    jsonw_close(&w);
    api_answer_buf(request, jsonw_end(&w), &body);
}

void
live_kill(struct server_request *request, struct str request_id)
{
    const struct recorder *recorder = server_context(request);
    struct segment *segment = recorder->segment;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        for (uint32_t i = 0; i < segment->leases; i++) {
            struct lease_view lease;
            if (read_lease(segment, slot, i, &lease) &&
                str_equal(str_of(lease.data.request_id), request_id) &&
                lease_want_end(segment, lease.number) == ERR_OK) {
                api_answer(request, 202, STR("{\"ok\":true}"));
                return;
            }
        }
    }
    api_error(request, 404, "not_found", "No request of this id is in flight");
}

/* --- finished requests --- */

static uint32_t
wanted_count(struct str query)
{
    uint64_t count = 20;
    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        if (str_equal(str_cut(&value, '='), STR("count")) && num_u64(value, &count) != ERR_OK) {
            count = 20;
        }
    }
    return count > RECENT_MAX ? RECENT_MAX : (uint32_t)count;
}

void
live_recent(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    uint32_t want = wanted_count(request->head.query);
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_name(&w, "items");
    jsonw_array(&w);
    uint64_t before = 0;
    enum err err = ERR_OK;
    while (want > 0 && err == ERR_OK) {
        struct ledger_record records[16];
        uint64_t sequences[16];
        uint32_t count = 0;
        uint32_t ask = want < 16 ? want : 16;
        err = ledger_recent(recorder->ledger, before, records, sequences, ask, &count);
        for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
            entry_put(&w, &records[i], sequences[i]);
            before = sequences[i];
        }
        want -= count;
        if (count < ask) {
            break;
        }
    }
    jsonw_close(&w);
    jsonw_close(&w);
    enum err ended = jsonw_end(&w);
    api_answer_buf(request, err != ERR_OK && err != ERR_EOF ? err : ended, &body);
}

/* --- objects in use --- */

/* "12 s ago: 429 until 2026-11-21T08:00:00.000Z" for people. */
static void
put_probe(struct jsonw *w, const struct health_view *health, uint64_t now_ms)
{
    static const char *const texts[] = { [HEALTH_FOUND_NOTHING] = " tells nothing",
                                         [HEALTH_FOUND_WELL] = " ok",
                                         [HEALTH_FOUND_ILL] = "" };
    char text[128];
    char status[16] = "no answer";
    char until[CLOCK_TEXT_BYTES + 8] = "";
    char time[CLOCK_TEXT_BYTES];
    uint64_t age_ms = now_ms > health->probed_ms ? now_ms - health->probed_ms : 0;
    if (health->probe_status != 0) {
        snprintf(status, sizeof status, "%u", health->probe_status);
    }
    if (health->state == HEALTH_COOLING && health->until_ms > now_ms) {
        uint64_t left_ms = health->until_ms - now_ms;
        snprintf(until, sizeof until, " until %s", clock_text(clock_wall_ms() + left_ms, time));
    }
    snprintf(text, sizeof text, "%llu s ago: %s%s%s", (unsigned long long)(age_ms / 1000), status,
             texts[health->probe_found], until);
    jsonw_put_text(w, "probed", text);
    jsonw_put_u64(w, "probed_ms", age_ms);
    jsonw_put_u64(w, "probe_status", health->probe_status);
    jsonw_put_u64(w, "probe_misses", health->probe_misses);
}

static void
put_account(struct jsonw *w, const struct recorder *recorder, const struct account *account)
{
    if (account->index >= recorder->segment->accounts) {
        return;
    }
    struct health_view health;
    uint64_t now_ms = loop_now_ms(recorder->loop);
    health_read(recorder->segment, account->index, &health);
    bool is_ours = health.account_id == account->id;
    const char *state = account->is_disabled ? "disabled"
                        : is_ours            ? health_state_text(health.state)
                                             : health_state_text(HEALTH_OK);
    jsonw_put_text(w, "state", state);
    if (is_ours && health.reason != HEALTH_REASON_NONE) {
        jsonw_put_text(w, "why", health_reason_text(health.reason));
        jsonw_put_u64(w, "last_status", health.last_status);
        jsonw_put_text(w, "last_error", health.excerpt);
        jsonw_put_u64(w, "cooling_ms", health.until_ms > now_ms ? health.until_ms - now_ms : 0);
    }
    if (is_ours && health.probed_ms != 0) {
        put_probe(w, &health, now_ms);
    }
    lore_put(w, recorder->segment, account, now_ms);
    if (is_ours) {
        jsonw_put_u64(w, "first_byte_ms", health.first_byte_ms);
        jsonw_put_u64(w, "failure_ppm", health.failure_ppm);
    }
}

/* What a key or a plan has used, by meter, and what its requests under way hold. */
static void
put_budget(struct jsonw *w, const struct recorder *recorder, uint32_t gate)
{
    struct budget_view view;
    budget_read(recorder->segment, gate, clock_wall_ms(), &view);
    jsonw_put_u64(w, "reserved_tokens", view.reserved.tokens);
    balance_put(w, "reserved", (int64_t)view.reserved.nano);
    jsonw_name(w, "used");
    jsonw_object(w);
    for (uint32_t i = 0; i < BUDGET_METERS; i++) {
        enum budget_meter meter = (enum budget_meter)i;
        uint64_t used = budget_used(&view, meter);
        if (meter == BUDGET_TOKENS) {
            jsonw_put_u64(w, budget_meter_text(meter), used - view.reserved.tokens);
        } else {
            balance_put(w, budget_meter_text(meter), (int64_t)(used - view.reserved.nano));
        }
    }
    jsonw_close(w);
}

static void
put_balance(struct jsonw *w, const struct recorder *recorder, const struct user *user)
{
    struct ledger_total total;
    if (user->is_prepaid &&
        ledger_total(recorder->ledger, MODEL_USER, user->id, &total) == ERR_OK) {
        balance_put(w, "balance", money_add(user->credit_nano, -total.balance_nano));
    }
}

void
live_put_object(struct jsonw *w, const struct recorder *recorder, enum model_kind kind,
                const void *object)
{
    static const enum gate_kind gates[MODEL_KINDS] = { GATE_USER, GATE_KEY, GATE_GROUP,
                                                       GATE_ACCOUNT, GATE_PLAN };
    uint64_t id = 0;
    memcpy(&id, object, sizeof id); /* every kind begins with its id */
    uint32_t gate = 0;
    bool is_known = gate_peek(recorder->segment, gates[kind], id, &gate) == ERR_OK;
    jsonw_put_u64(w, "in_flight", is_known ? gate_held(recorder->segment, gate) : 0);
    jsonw_put_u64(w, "waiting", is_known ? gate_waiting(recorder->segment, gate) : 0);
    if (kind == MODEL_ACCOUNT) {
        put_account(w, recorder, object);
    }
    if (kind == MODEL_USER) {
        put_balance(w, recorder, object);
    }
    if (is_known && (kind == MODEL_KEY || kind == MODEL_PLAN)) {
        put_budget(w, recorder, gate);
    }
}
