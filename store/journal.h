/*
 * journal.h - usage records and the positions of the rings they came from, inside one transaction.
 *
 * A record is stored under the next number of one rising sequence, and in the same transaction the
 * ring's position moves past it: a batch that comes again is recognised and skipped, so that every
 * record is there exactly once, whoever died when.
 *
 * Runs in: recorder, inside a transaction (ledger.c).
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include <stdint.h>

#include "base/err.h"
#include "store/kv.h"
#include "store/ledger.h"
#include "store/tally.h"

/* The sequence of the ring's first record that is not stored; 0 for a ring never seen. */
MUST_CHECK enum err
journal_position(struct kv_txn *txn, uint64_t run_id, uint32_t slot, uint64_t *out);

/* Stores what is new of the batches, moves the positions, adds to the totals. */
MUST_CHECK enum err journal_commit(struct kv_txn *txn, struct tally *tally,
                                   const struct ledger_batch *batches, uint32_t count);

/* Newest first; see ledger_recent(). */
MUST_CHECK enum err journal_recent(struct kv_txn *txn, uint64_t before, struct ledger_record *out,
                                   uint64_t *out_sequences, uint32_t count, uint32_t *out_count);

/* See ledger_prune(). */
MUST_CHECK enum err
journal_prune(struct kv_txn *txn, uint64_t wall_ms, uint32_t count, uint32_t *out_removed);

#endif
