/*
 * pricedesk.h - what an admin does with prices: one transaction each.
 *
 * Runs in: recorder. Dying here: the transaction was not.
 */
#ifndef STORE_PRICEDESK_H
#define STORE_PRICEDESK_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/ledger.h"
#include "store/price.h"
#include "store/pricelist.h"

/* As pricelist_load(), in a transaction of its own. */
MUST_CHECK enum err
pricedesk_list(struct ledger *ledger, struct pricelist *old, struct pricelist **out);

/* ERR_GONE: the source has no row of exactly this name; the shipped ones are read too. */
MUST_CHECK enum err
pricedesk_get(struct ledger *ledger, enum price_source source, struct str model, struct price *out);
/* One of the operator's own, in place of an older one. ERR_FULL: PRICES_MAX, or no space. */
MUST_CHECK enum err pricedesk_set(struct ledger *ledger, const struct price *price);
/* ERR_GONE: there is none of the operator's own. */
MUST_CHECK enum err pricedesk_remove(struct ledger *ledger, struct str model);

#define PRICEDESK_REFUSED_MAX 50u /* of an import, told in full; the rest are counted */

struct pricedesk_refusal {
    uint32_t line;
    char model[64]; /* cut */
    char why[PRICE_WHY_BYTES];
};

struct pricedesk_import {
    uint32_t imported;
    uint32_t unpriced; /* rows with nothing that we charge by */
    uint32_t refused;
    struct pricedesk_refusal refusals[PRICEDESK_REFUSED_MAX];
};

/*
 * Replaces all imported rows by those of a file. Refused rows are left out, the others count.
 * ERR_BAD with `why`: the file is no JSON object, or none of its rows is a price; nothing changes.
 * ERR_FULL: too many rows, or no space.
 */
MUST_CHECK enum err pricedesk_import(struct ledger *ledger, struct str text,
                                     struct pricedesk_import *out, char why[PRICE_WHY_BYTES]);

#endif
