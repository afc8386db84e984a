/*
 * bill.h - the costs of a usage record, from what its lease says about prices.
 *
 * The worker at the end of a request and the recorder for a dead worker's request come to the same
 * bill, because both come here.
 *
 * Runs in: worker (settle), recorder (orphans). Pure.
 */
#ifndef UPSTREAM_BILL_H
#define UPSTREAM_BILL_H

#include <stdbool.h>

#include "shm/lease.h"
#include "store/ledger.h"

/*
 * Fills rates, multipliers, tier, images, flags and both costs of a record whose tokens, source,
 * is_last and status are filled. `is_delivered`: something of an answer reached the client, or the
 * client left before it could; a failure that delivered nothing costs the user nothing.
 */
void bill_fill(const struct lease_bill *bill, bool is_delivered, struct ledger_record *record);

/* Tokens of the record that count against its user's and key's quotas: none of what is free. */
uint64_t bill_tokens(const struct ledger_record *record);

#endif
