/*
 * record.h - a usage record as it comes out of the store, and the sum that its cost is.
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

#include "base/err.h"
#include "base/money.h"
#include "base/str.h"
#include "store/ledger.h"

/* A value of the usage table. ERR_BAD: it is no record of a layout that we know. */
MUST_CHECK enum err record_read(struct str value, struct ledger_record *out);

/* What is billed: disjoint amounts by kind. */
void record_amounts(const struct ledger_record *record, struct money_amounts *out);

/* The cost to the user by the record's own tokens, rates and multiplier: what cost_nano must be.
 * 0 for attempts that are not charged (is_last 0, LEDGER_UNPRICED, LEDGER_FREE). */
int64_t record_cost(const struct ledger_record *record);

#endif
