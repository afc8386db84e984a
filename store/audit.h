/*
 * audit.h - proves that the ledger adds up: `sub2apictl ledger verify`.
 *
 * In one read transaction, whatever is committed meanwhile:
 *   - the sequence of the usage records has no gap and no double, and ends where the next begins
 *   - every record's cost is what its tokens, rates and multiplier make
 *   - the roll-ups of every hour whose records are all there equal those records
 *   - the totals of every user, key, group and account equal its roll-ups: requests, cost, cost to
 *     the operator, and what was taken from balances
 *   - every user's credit is the sum of its payments
 *
 * Runs in: a reporting child of the recorder. Owner: the caller. Some 20 MB of memory.
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "store/kv.h"

#define AUDIT_TEXT_BYTES 200u

struct audit {
    uint64_t records;
    uint64_t first_sequence; /* 0: there are no records */
    uint64_t last_sequence;
    uint64_t rollups;
    uint64_t totals;
    uint64_t payments;
    int64_t cost_nano;    /* of the roll-ups: of all time */
    int64_t balance_nano; /* of that, taken from balances */
    int64_t credit_nano;  /* paid in */
    uint32_t hours;       /* compared with their records */
    bool is_short;        /* records were removed before roll-ups began: totals were not compared */
    uint64_t problem_count;
    char problems[AUDIT_PROBLEMS_MAX][AUDIT_TEXT_BYTES];
};

/* Walks everything. ERR_OK also when problems were found; ERR_IO, ERR_FULL: it could not look. */
MUST_CHECK enum err audit_run(struct kv_txn *txn, struct audit *out);

#endif
