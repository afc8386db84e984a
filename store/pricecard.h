/*
 * pricecard.h - what a model costs, ready for use: every tier's rates, whole.
 *
 * What a row (price.h) does not say:
 *   cache_read, cache_creation   cost what input costs; ..._above_1hr what the 5-minute write costs
 *   reasoning, audio output      cost what output costs; audio and image input what input costs
 *   a kind in a tier             its price outside of tiers, times what the tier makes of input
 *                                (of output, for reasoning and audio output)
 *   an above-price in a service tier   the tier's price times what the step makes of the standard
 *                                tier's
 *   a service tier               is not sold: the standard tier's prices hold
 * Above a threshold the whole request has the step's prices, as the providers have it.
 *
 * Runs in: worker (each request), recorder (makes cards for the admin). Pure.
 */
#ifndef STORE_PRICECARD_H
#define STORE_PRICECARD_H

#include <stdint.h>

#include "base/money.h"
#include "base/str.h"
#include "store/price.h"

/* All that a tier costs, what the row leaves out included. alias_of is empty (CHECK). */
void pricecard_resolve(const struct price *price, enum price_service service, uint32_t step,
                       struct money_rates *out);

/* A model's price in a list (pricelist.h). Plain values; lives as long as the list. */
struct pricecard {
    struct str model;    /* of the row */
    struct str alias_of; /* empty: its own price */
    enum price_source source;
    uint32_t services; /* bits: 1 << enum price_service */
    uint32_t steps;
    uint64_t above[PRICE_STEPS_MAX];
    const struct money_rates *rates; /* of each service there is, `steps` in a row; alias: NULL */
};

/*
 * The rates for a request of `service` whose whole input, cached or not, is `input_tokens`. Without
 * allocation, a few comparisons. Returns the service tier that holds: the standard one when the
 * model is not sold in the other.
 */
enum price_service pricecard_rates(const struct pricecard *card, enum price_service service,
                                   uint64_t input_tokens, const struct money_rates **out);

#endif
