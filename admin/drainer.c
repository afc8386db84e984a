#include "admin/drainer.h"

#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "shm/budget.h"
#include "shm/counter.h"
#include "shm/gate.h"
#include "shm/job.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "shm/slot.h"
#include "store/ledger.h"
#include "upstream/orphan.h"

_Static_assert(RING_PAYLOAD_BYTES == sizeof(struct ledger_record), "a cell holds a record");

/* Transactions of one call: a ring that fills as fast as it is drained must not keep us for ever.
 */
#define ROUNDS_MAX 16u

/* The next row of each ring; how many batches there are. */
static uint32_t
collect(struct segment *segment, struct ledger_batch batches[SLOTS_MAX])
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        const void *records = NULL;
        struct ledger_batch batch = { .slot = slot, .run_id = segment->run_id };
        ring_peek(segment, slot, &records, &batch.count, &batch.sequence);
        if (batch.count > 0) {
            batch.records = records;
            batches[count++] = batch;
        }
    }
    return count;
}

/* The key's settled amount follows the store. */
static void
settle_key(struct segment *segment, struct ledger *ledger, uint64_t key_id)
{
    uint32_t gate = 0;
    struct ledger_total total;
    if (gate_peek(segment, GATE_KEY, key_id, &gate) == ERR_OK &&
        ledger_total(ledger, MODEL_KEY, key_id, &total) == ERR_OK) {
        budget_set_settled(segment, gate, total.tokens_in + total.tokens_out);
    }
}

static void
settle_batch(struct segment *segment, struct ledger *ledger, const struct ledger_batch *batch)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t key_id = batch->records[i].key_id;
        if (key_id != last) {
            settle_key(segment, ledger, key_id);
            last = key_id;
        }
    }
}

static enum err
commit_round(struct segment *segment, struct ledger *ledger, uint64_t *count)
{
    struct ledger_batch batches[SLOTS_MAX];
    uint32_t batch_count = collect(segment, batches);
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
    for (uint32_t round = 0; round < ROUNDS_MAX && err == ERR_OK; round++) {
        err = commit_round(segment, ledger, &count);
    }
    if (out_count != NULL) {
        *out_count = count;
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
        ring_free_to(segment, slot, sequence);
    }
    uint64_t cursor = 0;
    struct key key;
    enum err err;
    while ((err = ledger_next(ledger, MODEL_KEY, &cursor, &key)) == ERR_OK) {
        uint32_t gate = 0;
        if (key.quota_tokens == 0) {
            continue;
        }
        err = gate_find(segment, GATE_KEY, key.id, &gate);
        if (err != ERR_OK) {
            log_event(LOG_ERROR, "load", "key=%s why=\"no gate for its quota\" err=%s", key.name,
                      err_name(err));
            continue;
        }
        settle_key(segment, ledger, key.id);
    }
    return err == ERR_EOF ? ERR_OK : err;
}

/* --- the dead --- */

static bool
bill_orphan(const struct lease_view *lease, void *record, void *context)
{
    (void)context;
    struct ledger_record bill;
    if (!orphan_bill(lease, &bill)) {
        return false;
    }
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
    uint32_t orphans = lease_orphans(segment, slot, bill_orphan, NULL);
    FAULT("drainer.after_orphans");
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
