/*
 * charge.h - which prices a request has, from its admission on.
 *
 * The price is that of the model the client asked for, as the price list of the admission has it; a
 * name without a price has that of what the group makes of it (its model_map), else of the model
 * that the group's accounts make of that (theirs), the first account in their order that has one.
 * It stays what it was, however long the request takes and whoever serves it: what a client pays
 * depends neither on the account nor on a change of prices under way. What it costs the operator is
 * the price of the model that was sent, times the account's multiplier.
 *
 * The tier follows what is known: the service tier asked for until the answer names its own, the
 * estimated input until the usage comes. The lease always has the prices of the tier that holds, so
 * that a dead worker's request is billed like any other.
 *
 * A model without a price: `[store] unpriced`. The record is marked, and its log line says so.
 *
 * Runs in: worker. Owner: the relay. No allocation, no floating point.
 */
#ifndef WORKER_CHARGE_H
#define WORKER_CHARGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/money.h"
#include "base/str.h"
#include "store/pricelist.h"

struct relay;
struct reply;
struct catalog_key;
struct ledger_record;
struct lease_data;

struct charge {
    struct pricelist *prices;      /* held; NULL before charge_begin */
    const struct pricecard *card;  /* the user's; NULL = no price is known */
    const struct pricecard *sent;  /* of the model sent; NULL = none */
    const struct money_rates *now; /* of `card`, the tier that the lease has */
    const struct money_rates *now_sent;
    enum price_service service; /* asked for */
    uint32_t multiplier_ppm;    /* the user's own, or the group's */
    uint32_t account_ppm;       /* of the account at hand */
    uint32_t images;            /* asked for */
    int64_t carried_nano;       /* what failed attempts cost that found no room in the ring */
    bool was_silent; /* the last attempt failed by its provider's silence, after it had all of it */
    bool was_left;   /* the client left, and the provider had all of it */
};

/* At admission, once. ERR_DENIED with *refusal: a model without a price and a key with a budget. */
MUST_CHECK enum err
charge_begin(struct relay *relay, const struct catalog_key *key, struct reply *refusal);

/* An account is about to get the request under this name of the model: into the lease. */
void charge_account(struct relay *relay, struct str sent);

/* More is known about tokens or tier. Costs a few comparisons when nothing changes. */
void charge_update(struct relay *relay);

/* The costs of the record of the attempt at hand; its tokens, status and code are filled. */
void charge_fill(struct relay *relay, const struct lease_data *data, struct ledger_record *record);

/*
 * What the request will cost at most, for a reservation: its estimated input at the dearest kind of
 * input and `output_tokens` for each answer asked for, at the tier that will apply, times the
 * user's multiplier. 0 without a price.
 */
int64_t charge_estimate(const struct relay *relay, uint64_t output_tokens);

/* A failed attempt's cost, to be told with the last one's. */
void charge_carry(struct relay *relay, int64_t upstream_nano);

void charge_end(struct relay *relay);

#endif
