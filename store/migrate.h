/*
 * migrate.h - the store's layout: which version it has, and making it the one we know.
 *
 * The meta table's row "layout" holds the version. A newer store is never touched: an older program
 * would misread it. A missing row is a store whose first transaction was never written: it is
 * filled in one. A step from n to n + 1 is a row of migrate.c's table: a function that runs inside
 * the transaction which writes the row, or none when old records are understood as they are.
 *
 *   1  the first
 *   2  usage records have prices and costs (record.h reads both), totals a cost to the operator,
 *      and there is a table of prices
 *   3  passwords of proxies are sealed. Of a password that stood there as it was written, bytes may
 *      be left in pages of data.mdb that are free, until they are used again.
 *   4  there are roll-ups: made from the records that are there. When older ones were removed
 *      before, the meta row "rollup_short" says that roll-ups have less than the totals
 *   5  usage records are packed (record.h); those that are not are read as before
 *
 * Runs in: master before fork (ledger_prepare). Dying here leaves the old layout.
 */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <stdint.h>

#include "base/err.h"
#include "store/kv.h"
#include "store/model.h"

struct secret;

#define MIGRATE_LAYOUT 5u

/* Reads the row only. ERR_DENIED with a sentence in why: the store is newer than we are; ERR_BAD:
 * the row is damaged; ERR_GONE: there is none. */
MUST_CHECK enum err migrate_check(struct kv *kv, char why[MODEL_WHY_BYTES]);

typedef enum err (*migrate_fill_fn)(struct kv_txn *txn, const struct secret *secret);

/* Makes the store have MIGRATE_LAYOUT: `fill` runs in the transaction that makes a fresh one. */
MUST_CHECK enum err migrate_run(struct kv *kv, const struct secret *secret, migrate_fill_fn fill,
                                char why[MODEL_WHY_BYTES]);

#endif
