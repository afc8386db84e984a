/*
 * pricelist.h - all prices as one read saw them, and finding the one of a model.
 *
 * Three lists behind each other: the operator's own rows, the imported ones, the shipped ones. The
 * first list that has a price for a model under one of its names (pricename.h) decides, so that
 * what the operator sets always wins. An alias is followed once, to any list, by exact name; an
 * alias to nothing is as if it were not there.
 *
 * Immutable once loaded, counted by its holders (snapshots). Loading some 3,000 rows takes a few
 * milliseconds; a list is loaded anew only when the store's counter of price changes moved.
 *
 * Runs in: worker, keeper (catalog), recorder (for the admin). Owner: the snapshots that hold it.
 */
#ifndef STORE_PRICELIST_H
#define STORE_PRICELIST_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/kv.h"
#include "store/pricecard.h"
#include "store/pricename.h"

struct pricelist;

/* One reference for the caller. `old` (may be NULL) is held once more and returned when the store's
 * prices have not changed since it was loaded. ERR_IO: store or memory. */
MUST_CHECK enum err
pricelist_load(struct kv_txn *txn, struct pricelist *old, struct pricelist **out);
void pricelist_hold(struct pricelist *list);
void pricelist_drop(struct pricelist *list);

/* The price of a model as a request names it; NULL: there is none. Without allocation; a
 * name that was asked for lately costs next to nothing, another about a microsecond. Good as long
 * as the list. */
const struct pricecard *pricelist_find(const struct pricelist *list, struct str model);

/* The same, and how it was found. */
struct pricelist_found {
    const struct pricecard *card; /* its prices */
    const struct pricecard *row;  /* the row that the name led to: an alias, or `card` */
    enum pricename_rule rule;
};
bool pricelist_explain(const struct pricelist *list, struct str model, struct pricelist_found *out);

/* Rows of a source, by name. An alias has no rates (NULL). */
uint32_t pricelist_count(const struct pricelist *list, enum price_source source);
const struct pricecard *
pricelist_at(const struct pricelist *list, enum price_source source, uint32_t index);

#endif
