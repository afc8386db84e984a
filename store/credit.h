/*
 * credit.h - what users have paid in: the changes of their credit, and the sum in their record.
 *
 * balance = credit - what records took from the balance (ledger_total.balance_nano)
 *
 * A change and the new sum are written in one transaction, so that the sum is always that of the
 * changes. Changes are never removed, not even with their user.
 *
 * Runs in: recorder.
 */
#ifndef STORE_CREDIT_H
#define STORE_CREDIT_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/kv.h"
#include "store/ledger.h"

/* See ledger_topup(); `why` (MODEL_WHY_BYTES) gets a sentence on ERR_BAD and ERR_GONE. */
MUST_CHECK enum err credit_add(struct kv_txn *txn, struct str name, int64_t amount_nano,
                               struct str note, struct user *user, char *why);

/* See ledger_credits(). */
MUST_CHECK enum err credit_recent(struct kv_txn *txn, uint64_t user_id, struct ledger_credit *out,
                                  uint32_t count, uint32_t *out_count);

/* Calls `each` for every change of every user, by user and age; another result than ERR_OK ends it.
 */
typedef enum err (*credit_each_fn)(void *context, const struct ledger_credit *credit);
MUST_CHECK enum err credit_each(struct kv_txn *txn, credit_each_fn each, void *context);

#endif
