/*
 * tally.h - running totals of users, keys, groups, accounts and plans, added up inside one
 * transaction, and the roll-ups of the same records.
 *
 * A batch of usage records names few objects many times: totals are read once, added to in memory
 * and written once, in the same transaction as the records, so that they always agree with them.
 * Sums stop at their greatest value instead of turning over. Tokens of attempts that are not
 * charged (not the last one, or LEDGER_FREE) count for their account alone; costs for all four.
 *
 * Runs in: recorder, inside a write transaction. Owner: the ledger; begun anew by each transaction.
 */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/kv.h"
#include "store/ledger.h"
#include "store/rollup.h"

#define TALLY_CELLS 256u /* a power of two; a collision costs one write and one read */

struct tally_cell {
    uint64_t id; /* 0: empty */
    enum model_kind kind;
    struct ledger_total total;
};

struct tally {
    struct tally_cell cells[TALLY_CELLS];
    struct rollup rollup; /* the same records by hour */
};

void tally_begin(struct tally *tally);
/* Counts one record for the four objects it names; id 0 names none. */
MUST_CHECK enum err
tally_add(struct tally *tally, struct kv_txn *txn, const struct ledger_record *record);
/* Writes what is not written yet. */
MUST_CHECK enum err tally_end(struct tally *tally, struct kv_txn *txn);

/* What is stored; all zero when nothing is. */
MUST_CHECK enum err
tally_read(struct kv_txn *txn, enum model_kind kind, uint64_t id, struct ledger_total *out);

#endif
