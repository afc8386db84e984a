/*
 * rollup.h - what was used, added up by hour, key, group, account and model.
 *
 * Reports are made from these rows, not from records: ten million records are some hundred thousand
 * rows. Rows are added to in the transaction that stores the records, so that they always agree,
 * and they stay when old records are removed. The hour is the one in which a request began (UTC).
 *
 * Key: hour, key id, group id, account id, model (asked), numbers big-endian, so that a span of
 * time is a span of keys.
 *
 * Runs in: recorder (adds), its reporting children (read).
 */
#ifndef STORE_ROLLUP_H
#define STORE_ROLLUP_H

#include <stdint.h>

#include "base/err.h"
#include "store/kv.h"
#include "store/ledger.h"

#define ROLLUP_HOUR_MS 3600000ull
#define ROLLUP_MODEL_BYTES 96u /* as in a record */
#define ROLLUP_CELLS 256u      /* rows of one transaction in memory; a power of two */

/* X(member): sums. Stored in this order: add at the end only. */
#define ROLLUP_SUM_ROWS(X)                              \
    X(requests) /* answered clients: is_last */         \
    X(attempts) /* all records */                       \
    X(failures) /* of the attempts */                   \
    X(in_fresh)                                         \
    X(in_cache_read)                                    \
    X(in_cache_write)                                   \
    X(out_total)                                        \
    X(out_reasoning)                                    \
    X(cost_nano)     /* to users */                     \
    X(balance_nano)  /* of the cost, from balances */   \
    X(upstream_nano) /* to the operator */              \
    X(duration_ms)                                      \
    X(first_byte_ms) /* of the attempts that had one */ \
    X(first_bytes)   /* how many had */                 \
    X(estimated)     /* attempts whose usage is not the provider's word */

struct rollup_sums {
#define ROLLUP_MEMBER(member) uint64_t member;
    ROLLUP_SUM_ROWS(ROLLUP_MEMBER)
#undef ROLLUP_MEMBER
};
#define ROLLUP_SUMS (sizeof(struct rollup_sums) / sizeof(uint64_t))

struct rollup_row {
    uint32_t hour; /* wall_ms / ROLLUP_HOUR_MS */
    uint64_t key_id;
    uint64_t group_id;
    uint64_t account_id;
    uint64_t user_id; /* the key's owner; not part of the key */
    char model[ROLLUP_MODEL_BYTES];
    struct rollup_sums sums;
};

struct rollup_cell {
    uint32_t key_bytes; /* 0: empty */
    uint8_t key[32 + ROLLUP_MODEL_BYTES];
    uint64_t user_id;
    struct rollup_sums sums;
};

/* Rows that a transaction has touched, written at its end. */
struct rollup {
    struct rollup_cell cells[ROLLUP_CELLS];
};

void rollup_begin(struct rollup *rollup);
MUST_CHECK enum err
rollup_add(struct rollup *rollup, struct kv_txn *txn, const struct ledger_record *record);
MUST_CHECK enum err rollup_end(struct rollup *rollup, struct kv_txn *txn);

/* Adds b to a; a sum stops at its greatest value. */
void rollup_sum(struct rollup_sums *a, const struct rollup_sums *b);
/* What one record adds. */
void rollup_of(const struct ledger_record *record, struct rollup_sums *out);

/* Rows of from_hour <= hour < to_hour, by key; another result than ERR_OK ends the walk. */
typedef enum err (*rollup_each_fn)(void *context, const struct rollup_row *row);
MUST_CHECK enum err rollup_each(struct kv_txn *txn, uint32_t from_hour, uint32_t to_hour,
                                rollup_each_fn each, void *context);

#endif
