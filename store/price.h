/*
 * price.h - what one model costs, in the field's JSON convention and as rates ready for use.
 *
 * The convention is that of model_prices_and_context_window.json: dollars a token as decimal
 * numbers, one member a kind, with suffixes for tiers:
 *
 *   input_cost_per_token               output_cost_per_token
 *   cache_read_input_token_cost        output_cost_per_reasoning_token
 *   cache_creation_input_token_cost    ... with _above_1hr
 *   input_cost_per_audio_token, input_cost_per_image_token, output_cost_per_audio_token
 *   output_cost_per_image              of images answered without tokens
 *   input_cost_per_request             added to each request that was answered
 *   ..._above_200k_tokens              of requests whose whole input is more than that
 *   ..._priority, ..._flex             of requests served in that service tier
 *   provider_specific_entry.fast       the priority tier as a factor, where it has no prices
 *   litellm_provider, mode             texts
 *   alias_of                           ours: the price is that of another model
 *
 * Other members are ignored. A price is read exactly into picodollars and rounded half up below
 * that; a price that is not 0 never becomes 0. A row with one side only (input without output) is
 * refused, in every tier: half a price is a wrong bill.
 *
 * What a row does not say pricecard.h adds.
 *
 * Runs in: recorder (reads, writes), worker and keeper (read, with their catalog). Pure.
 */
#ifndef STORE_PRICE_H
#define STORE_PRICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/money.h"
#include "base/str.h"

/* Whose word it is; a lower number wins, 0 is none. Written into records. */
enum price_source { PRICE_NONE, PRICE_OWN, PRICE_IMPORTED, PRICE_SHIPPED };
#define PRICE_SOURCES 4u

/* Service tiers. Written into records. */
enum price_service { PRICE_STANDARD, PRICE_PRIORITY, PRICE_FLEX };
#define PRICE_SERVICES 3u

#define PRICE_STEPS_MAX 3u /* by size of the input: the base and two thresholds */
#define PRICE_UNSET UINT64_MAX
#define PRICE_WORD_BYTES 48u /* provider, mode; longer ones are cut */
#define PRICE_WHY_BYTES 160u

/* A row as it was written. */
struct price {
    char model[MODEL_NAME_BYTES];    /* lower case */
    char alias_of[MODEL_NAME_BYTES]; /* lower case; "" = it has prices of its own */
    char provider[PRICE_WORD_BYTES];
    char mode[PRICE_WORD_BYTES];
    uint32_t steps;                  /* of `above`; 1 at least */
    uint64_t above[PRICE_STEPS_MAX]; /* input tokens above which a step holds, rising; [0] is 0 */
    uint64_t pico[PRICE_SERVICES][PRICE_STEPS_MAX][MONEY_KINDS]; /* PRICE_UNSET = not said */
};

/*
 * Reads one row: the value of member `model`. ERR_GONE: it says nothing that we charge by (prices a
 * second, a character, ...); *out is not set. ERR_BAD with a sentence in why: half a price, a
 * number that is none, negative or too large, too many steps, a name that is too long.
 */
MUST_CHECK enum err
price_read(struct str model, struct json_value row, struct price *out, char why[PRICE_WHY_BYTES]);

/* The same convention: price_read() makes the same of it. The writer is inside an object. */
void price_write(const struct price *price, struct jsonw *w);

/* Does the row name prices of this service tier? Always true for the standard one. */
bool price_has_service(const struct price *price, enum price_service service);

/* "default", "priority", "flex" and what providers call them (fast, on_demand_flex, auto, ""); what
 * is not known is PRICE_STANDARD. */
enum price_service price_service_of(struct str text);
const char *price_service_text(enum price_service service);
/* "own", "imported", "shipped", "none"; static. */
const char *price_source_text(enum price_source source);

#endif
