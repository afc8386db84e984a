#include "admin/drainer.h"

#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "shm/budget.h"
#include "shm/claim.h"
#include "shm/counter.h"
#include "shm/gate.h"
#include "shm/job.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "shm/slot.h"
#include "store/ledger.h"
#include "store/object.h"
#include "upstream/handover.h"
#include "upstream/orphan.h"
#include "upstream/payer.h"

_Static_assert(RING_PAYLOAD_BYTES == sizeof(struct ledger_record), "a cell holds a record");

/* Transactions of one call: up to the rings' ends, and on from their beginnings. */
#define ROUNDS_MAX 2u

/*
 * How far one call goes in each ring: what comes while it waits for the disk shares the next flush,
 * or under load one flush would follow the other.
 */
struct goals {
    uint64_t next[SLOTS_MAX];
};

/* The next row of each ring; how many batches there are. */
static uint32_t
collect(struct segment *segment, const struct goals *goals, struct ledger_batch batches[SLOTS_MAX])
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        const void *records = NULL;
        struct ledger_batch batch = {
            .slot = slot, .run_id = segment->run_id, .outcome = handover_row, .context = segment
        };
        ring_peek(segment, slot, &records, &batch.count, &batch.sequence);
        uint64_t left = goals->next[slot] - batch.sequence;
        batch.count = batch.count < left ? batch.count : (uint32_t)left;
        if (batch.count > 0) {
            batch.records = records;
            batches[count++] = batch;
        }
    }
    return count;
}

/* Where the budget of an object stands, when it has one. */
static bool
find_budget(const struct segment *segment, enum model_kind kind, uint64_t id, uint32_t *out_gate)
{
    switch (kind) {
    case MODEL_KEY:
        return gate_peek(segment, GATE_KEY, id, out_gate) == ERR_OK;
    case MODEL_USER:
        return gate_peek(segment, GATE_USER, id, out_gate) == ERR_OK;
    case MODEL_PLAN:
        return gate_peek(segment, GATE_PLAN, id, out_gate) == ERR_OK;
    case MODEL_GROUP:
    case MODEL_ACCOUNT:
        return false;
    }
    return false;
}

static uint64_t
not_negative(int64_t nano)
{
    return nano < 0 ? 0 : (uint64_t)nano;
}

void
drainer_settle(struct segment *segment, struct ledger *ledger, enum model_kind kind, uint64_t id)
{
    uint32_t gate = 0;
    struct ledger_total total;
    if (id == 0 || !find_budget(segment, kind, id, &gate) ||
        ledger_total(ledger, kind, id, &total) != ERR_OK) {
        return;
    }
    /* A user's budget is the balance, and not all of the cost is taken from it. */
    int64_t nano = kind == MODEL_USER ? total.balance_nano : total.cost_nano;
    struct budget_stored stored = { .total = { .tokens = total.tokens_in + total.tokens_out,
                                               .nano = not_negative(nano) } };
    memcpy(stored.window_nano, total.window_nano, sizeof stored.window_nano);
    memcpy(stored.window_start_ms, total.window_start_ms, sizeof stored.window_start_ms);
    budget_set_settled(segment, gate, &stored);
}

/* The settled amounts of everybody whom a record names follow the store. */
static void
settle_batch(struct segment *segment, struct ledger *ledger, const struct ledger_batch *batch)
{
    const struct ledger_record *last = NULL;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct ledger_record *record = &batch->records[i];
        if (last != NULL && last->key_id == record->key_id && last->user_id == record->user_id &&
            last->subscription_id == record->subscription_id) {
            continue;
        }
        drainer_settle(segment, ledger, MODEL_KEY, record->key_id);
        drainer_settle(segment, ledger, MODEL_USER, record->user_id);
        drainer_settle(segment, ledger, MODEL_PLAN, record->subscription_id);
        last = record;
    }
}

static enum err
commit_round(struct segment *segment, struct ledger *ledger, const struct goals *goals,
             uint64_t *count)
{
    struct ledger_batch batches[SLOTS_MAX];
    uint32_t batch_count = collect(segment, goals, batches);
    if (batch_count == 0) {
        return ERR_EOF;
    }
    enum err err = ledger_commit(ledger, batches, batch_count);
    if (err != ERR_OK) {
        return err;
    }
    FAULT("drainer.after_commit");
    for (uint32_t i = 0; i < batch_count; i++) {
        settle_batch(segment, ledger, &batches[i]);
    }
    FAULT("drainer.before_free");
    for (uint32_t i = 0; i < batch_count; i++) {
        handover_release(segment, batches[i].slot, batches[i].sequence, batches[i].records,
                         batches[i].count);
        ring_free_to(segment, batches[i].slot, batches[i].sequence + batches[i].count);
        *count += batches[i].count;
    }
    return ERR_OK;
}

enum err
drainer_commit(struct segment *segment, struct ledger *ledger, uint64_t *out_count)
{
    uint64_t count = 0;
    enum err err = ERR_OK;
    struct goals goals;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        goals.next[slot] = ring_next(segment, slot);
    }
    for (uint32_t round = 0; round < ROUNDS_MAX && err == ERR_OK; round++) {
        err = commit_round(segment, ledger, &goals, &count);
    }
    if (out_count != NULL) {
        *out_count = count;
    }
    return err == ERR_EOF ? ERR_OK : err;
}

enum drainer_need
drainer_need(const struct segment *segment)
{
    enum drainer_need need = DRAINER_EMPTY;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        if (ring_is_pressed(segment, slot)) {
            return DRAINER_PRESSED;
        }
        need = ring_used(segment, slot) > 0 ? DRAINER_RECORDS : need;
    }
    return need;
}

static bool
has_budget(enum model_kind kind, const union object *object)
{
    struct budget_limits limits;
    budget_no_limits(&limits);
    switch (kind) {
    case MODEL_KEY:
        payer_key_limits(&object->key, &limits);
        break;
    case MODEL_USER:
        payer_user_limits(&object->user, &limits);
        break;
    case MODEL_PLAN:
        return true;
    case MODEL_GROUP:
    case MODEL_ACCOUNT:
        break;
    }
    return budget_is_limited(&limits);
}

void
drainer_know(struct segment *segment, struct ledger *ledger, enum model_kind kind,
             const union object *object)
{
    static const enum gate_kind gates[MODEL_KINDS] = {
        [MODEL_KEY] = GATE_KEY, [MODEL_USER] = GATE_USER, [MODEL_PLAN] = GATE_PLAN
    };
    uint32_t gate = 0;
    if (!has_budget(kind, object)) {
        return;
    }
    enum err err = gate_find(segment, gates[kind], object->id, &gate);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "load", "%s=%llu why=\"no gate for its budget\" err=%s",
                  model_table(kind)->noun, (unsigned long long)object->id, err_name(err));
        return;
    }
    drainer_settle(segment, ledger, kind, object->id);
}

static enum err
load_budgets(struct segment *segment, struct ledger *ledger, enum model_kind kind)
{
    static union object object;
    uint64_t cursor = 0;
    enum err err;
    while ((err = ledger_next(ledger, kind, &cursor, &object)) == ERR_OK) {
        drainer_know(segment, ledger, kind, &object);
    }
    return err == ERR_EOF ? ERR_OK : err;
}

enum err
drainer_load(struct segment *segment, struct ledger *ledger)
{
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        uint64_t sequence = 0;
        enum err err = ledger_position(ledger, segment->run_id, slot, &sequence);
        if (err != ERR_OK) {
            return err;
        }
        handover_release_to(segment, slot, sequence);
        ring_free_to(segment, slot, sequence);
    }
    enum err err = load_budgets(segment, ledger, MODEL_KEY);
    err = err != ERR_OK ? err : load_budgets(segment, ledger, MODEL_USER);
    return err != ERR_OK ? err : load_budgets(segment, ledger, MODEL_PLAN);
}

/* --- the dead --- */

struct dead {
    struct segment *segment;
    uint32_t slot;
};

static bool
bill_orphan(const struct lease_view *lease, void *record, void *context)
{
    const struct dead *dead = context;
    struct ledger_record bill;
    if (!orphan_bill(lease, &bill)) {
        return false;
    }
    handover_orphan(dead->segment, dead->slot, lease, &bill);
    memcpy(record, &bill, sizeof bill);
    return true;
}

static bool
sweep_slot(struct segment *segment, struct ledger *ledger, uint32_t own_slot, uint32_t slot)
{
    struct slot_view view;
    slot_read(segment, slot, &view);
    if (view.state != SLOT_DEAD) {
        return false;
    }
    struct dead dead = { segment, slot };
    uint32_t orphans = lease_orphans(segment, slot, bill_orphan, &dead);
    FAULT("drainer.after_orphans");
    if (lease_count(segment, slot) == 0) {
        claim_sweep(segment, slot);
    }
    enum err err = drainer_commit(segment, ledger, NULL);
    if (view.kind == SLOT_KEEPER) {
        job_keeper_died(segment, slot);
    }
    enum err swept = slot_sweep(segment, slot);
    counter_add(segment, own_slot, COUNTER_ORPHANS, orphans);
    counter_add(segment, own_slot, COUNTER_SWEEPS, swept == ERR_OK ? 1 : 0);
    ledger_check_readers(ledger);
    log_event(LOG_WARN, "sweep",
              "slot=%u kind=%s pid=%u requests=%u commit=%s done=%s crash=\"%s\"", slot,
              slot_kind_text(view.kind), view.pid, orphans, err_name(err), err_name(swept),
              view.crash);
    return swept == ERR_OK;
}

bool
drainer_sweep(struct segment *segment, struct ledger *ledger, uint32_t own_slot)
{
    bool any = false;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        if (slot_state(segment, slot) == SLOT_DEAD) {
            any = sweep_slot(segment, ledger, own_slot, slot) || any;
        }
    }
    return any;
}
