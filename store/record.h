/*
 * record.h - a usage record as it goes into the store and comes out, and the sum that its cost is.
 *
 * Most of a record is room that is not used: long names, prices that do not apply. The store gets
 * its words of 8 bytes that are not 0, and a mask that says which: about 200 bytes of 576, so that
 * a commit writes a third of the pages.
 *
 * The store keeps the records of every layout as they were written: turning ten million of them
 * into the newest one would hold up a start for minutes and could be cut off half way. They are
 * converted when they are read, here, and nowhere else.
 *
 * Runs in: every process that reads records. Pure.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/money.h"
#include "base/str.h"
#include "store/ledger.h"

#define RECORD_WORDS (LEDGER_RECORD_BYTES / sizeof(uint64_t))
#define RECORD_MASKS ((RECORD_WORDS + 31) / 32)

/* As the store has it; the value ends behind the last word that is used. */
struct record_packed {
    uint32_t version;             /* of the packing; what is packed has its own */
    uint32_t masks[RECORD_MASKS]; /* bit i of mask j: word 32 j + i is not 0 */
    uint64_t words[RECORD_WORDS];
};

/* What to store of a record: a part of *out, which must last as long. */
struct str record_pack(const struct ledger_record *record, struct record_packed *out);

/* A value of the usage table. ERR_BAD: it is no record of a layout that we know. */
MUST_CHECK enum err record_read(struct str value, struct ledger_record *out);

/* What is billed: disjoint amounts by kind. */
void record_amounts(const struct ledger_record *record, struct money_amounts *out);

/* All prices of a record; those of sounds and pictures stand apart in it, and its tokens of them,
 * filled before, are taken for text where they are too dear for that. */
void record_set_rates(struct ledger_record *record, const struct money_rates *rates);
void record_rates(const struct ledger_record *record, struct money_rates *out);

/* The cost to the user by the record's own tokens, rates and multiplier: what cost_nano must be.
 * 0 for attempts that are not charged (is_last 0, LEDGER_UNPRICED, LEDGER_FREE). */
int64_t record_cost(const struct ledger_record *record);

#endif
