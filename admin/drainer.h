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

struct ledger;
struct recorder;
struct segment;

/* Everything the rings hold now, in as many transactions as it takes. ERR_FULL, ERR_IO: nothing is
 * freed, try again later. *out_count (may be NULL): records committed. */
MUST_CHECK enum err
drainer_commit(struct segment *segment, struct ledger *ledger, uint64_t *out_count);

/* At the recorder's start: positions from the store, settled amounts of keys with a quota. */
MUST_CHECK enum err drainer_load(struct segment *segment, struct ledger *ledger);

/* Bills and clears every DEAD slot and counts that in own_slot, the recorder's. True when one was
 * cleared. */
bool drainer_sweep(struct segment *segment, struct ledger *ledger, uint32_t own_slot);

#endif
