/*
 * pricebook.h - the rows of prices in the store: the operator's own and the imported ones.
 *
 * A row's key is its source and its model in lower case, its value the field's JSON (price.h). Each
 * change moves a counter, so that readers load the prices again only then. An import replaces all
 * imported rows in one transaction: either all is new or nothing is.
 *
 * Runs in: recorder (writes, inside ledger_change), worker and keeper (read). Dying here: the
 * transaction was not.
 */
#ifndef STORE_PRICEBOOK_H
#define STORE_PRICEBOOK_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/kv.h"
#include "store/price.h"

/* Moves with each change. */
MUST_CHECK enum err pricebook_version(struct kv_txn *txn, uint64_t *out);

/* Source by source. A row that cannot be read is left out and logged. `fn` ends it by an error. */
typedef enum err (*pricebook_fn)(void *context, enum price_source source,
                                 const struct price *price);
MUST_CHECK enum err pricebook_each(struct kv_txn *txn, pricebook_fn fn, void *context);

/* ERR_GONE: no such row. `model` in any case of letters. */
MUST_CHECK enum err
pricebook_get(struct kv_txn *txn, enum price_source source, struct str model, struct price *out);

/* Adds or replaces one of the operator's own rows. ERR_FULL: PRICES_MAX rows, or the map. */
MUST_CHECK enum err pricebook_set(struct kv_txn *txn, const struct price *price);
/* ERR_GONE: there is none of his own. */
MUST_CHECK enum err pricebook_remove(struct kv_txn *txn, struct str model);

/* Removes all imported rows; pricebook_add() then adds them one by one. */
MUST_CHECK enum err pricebook_clear(struct kv_txn *txn);
/* ERR_DENIED: the model is there already. */
MUST_CHECK enum err pricebook_add(struct kv_txn *txn, const struct price *price);

#endif
