#include "upstream/handover.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "shm/claim.h"
#include "shm/parcel.h"
#include "shm/ring.h"
#include "store/outcome.h"
#include "upstream/bill.h"

static struct claim_name
name_of(const uint8_t bytes[CLAIM_NAME_BYTES])
{
    struct claim_name name;
    memcpy(name.bytes, bytes, sizeof name.bytes);
    return name;
}

/* The answer that its worker put down, when it is there and whole. */
static bool
find_parcel(const struct segment *segment, uint32_t slot, const struct claim_view *claim,
            struct str *out)
{
    struct outcome outcome;
    *out = parcel_get(segment, slot, claim->parcel_at, claim->parcel_bytes);
    return out->len > 0 && outcome_read(*out, &outcome) == ERR_OK;
}

enum err
handover_row(void *context, uint32_t slot, uint64_t sequence, const struct ledger_record *record,
             struct str *out)
{
    static uint8_t head[OUTCOME_HEAD_BYTES];
    const struct segment *segment = context;
    struct claim_name name = name_of(record->claim);
    struct claim_view claim;
    if (claim_find(segment, slot, &name, &claim) != ERR_OK || claim.note != sequence + 1) {
        return ERR_GONE;
    }
    if (record->outcome == OUTCOME_KEPT && find_parcel(segment, slot, &claim, out)) {
        return ERR_OK;
    }
    bool is_known = record->outcome < OUTCOME_STATES && record->outcome != OUTCOME_KEPT;
    struct outcome outcome = { .state =
                                   is_known ? (enum outcome_state)record->outcome : OUTCOME_CROWDED,
                               .status = record->status,
                               .wall_ms = clock_wall_ms(),
                               .print = claim.print };
    memcpy(outcome.request_id, record->request_id, sizeof outcome.request_id);
    outcome_head(&outcome, head);
    *out = str_make((const char *)head, sizeof head);
    return ERR_OK;
}

void
handover_release(struct segment *segment, uint32_t slot, uint64_t sequence,
                 const struct ledger_record *records, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (records[i].outcome != OUTCOME_NONE) {
            struct claim_name name = name_of(records[i].claim);
            claim_release(segment, slot, &name, sequence + i);
        }
    }
}

void
handover_release_to(struct segment *segment, uint32_t slot, uint64_t position)
{
    const void *cells = NULL;
    uint32_t count = 0;
    uint64_t sequence = 0;
    ring_peek(segment, slot, &cells, &count, &sequence);
    while (count > 0 && sequence < position) {
        if (count > position - sequence) {
            count = (uint32_t)(position - sequence);
        }
        handover_release(segment, slot, sequence, cells, count);
        ring_free_to(segment, slot, sequence + count);
        ring_peek(segment, slot, &cells, &count, &sequence);
    }
}

void
handover_orphan(struct segment *segment, uint32_t slot, const struct lease_view *lease,
                struct ledger_record *record)
{
    static const uint8_t none[CLAIM_NAME_BYTES];
    struct claim_view claim;
    struct claim_name name = name_of(lease->data.claim);
    if (memcmp(name.bytes, none, sizeof none) == 0 ||
        claim_find(segment, slot, &name, &claim) != ERR_OK) {
        return;
    }
    if (record->cost_nano <= 0 && bill_tokens(record) == 0) {
        /* A note that was not followed by its record would name somebody else's. */
        claim_give(segment, slot, claim.index);
        return;
    }
    memcpy(record->claim, name.bytes, sizeof record->claim);
    record->outcome = OUTCOME_DIED;
    claim_note(segment, slot, claim.index, ring_next(segment, slot), 0, 0);
}
