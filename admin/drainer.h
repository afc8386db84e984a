/*
 * drainer.h - from the rings to the store: group commit, and what dead processes left.
 *
 * drainer_commit takes what all rings hold, commits it with the positions in one transaction, then
 * tells the budgets, and only then frees the cells. drainer_sweep bills the leases of dead slots
 * into their rings and clears what they held. Each step may be repeated after a death at any point.
 *
 * Runs in: recorder. (What a run leaves that was killed as a whole, the master brings in itself:
 * master/recover.h.)
 */
#ifndef ADMIN_DRAINER_H
#define ADMIN_DRAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/object.h"

struct ledger;
struct recorder;
struct segment;

/* Everything the rings hold when it begins, in one transaction or two; what comes meanwhile is left
 * for the next call. ERR_FULL, ERR_IO: nothing is freed, try again later. *out_count (may be NULL):
 * records committed. */
MUST_CHECK enum err
drainer_commit(struct segment *segment, struct ledger *ledger, uint64_t *out_count);

enum drainer_need {
    DRAINER_EMPTY,   /* the next record wakes the recorder */
    DRAINER_RECORDS, /* there are some, and those that follow them wake nobody */
    DRAINER_PRESSED  /* a ring is more than half full: it must not wait */
};
enum drainer_need drainer_need(const struct segment *segment);

/* What an object has used follows the store; objects without a place for a budget have nothing to
 * follow. */
void
drainer_settle(struct segment *segment, struct ledger *ledger, enum model_kind kind, uint64_t id);
/* After an object was made or changed: when it has a budget now, that gets its place. */
void drainer_know(struct segment *segment, struct ledger *ledger, enum model_kind kind,
                  const union object *object);

/* At the recorder's start: positions from the store, what keys, users and plans have used. */
MUST_CHECK enum err drainer_load(struct segment *segment, struct ledger *ledger);

/* Bills and clears every DEAD slot and counts that in own_slot, the recorder's. True when one was
 * cleared. */
bool drainer_sweep(struct segment *segment, struct ledger *ledger, uint32_t own_slot);

#endif
