/*
 * pricefile.h - a file in the field's convention: one object, a member a model.
 *
 * Read in one walk without a tree, whatever its size up to PRICE_FILE_BYTES_MAX. Each row is
 * reported with the line it begins in: as a price, as one that says nothing we charge by, or as
 * refused, with the reason.
 *
 * Runs in: recorder (import), worker and keeper (the shipped table). Every input is hostile: this
 * is a fuzz target.
 */
#ifndef STORE_PRICEFILE_H
#define STORE_PRICEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "store/price.h"

struct pricefile_row {
    uint32_t line;             /* from 1 */
    struct str model;          /* as it stands in the file, undecoded */
    enum err err;              /* ERR_OK: `price`; ERR_GONE: nothing to charge by; ERR_BAD: `why` */
    const struct price *price; /* for the call only */
    const char *why;
};

/* Return false to stop. */
typedef bool (*pricefile_fn)(void *context, const struct pricefile_row *row);

/* ERR_BAD: no JSON object; `why` says where and why, and what rows were reported is worth nothing.
 */
MUST_CHECK enum err
pricefile_read(struct str text, pricefile_fn fn, void *context, char why[PRICE_WHY_BYTES]);

#endif
