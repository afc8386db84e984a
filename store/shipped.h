/*
 * shipped.h - the prices that come with the program: store/prices.json, built into it.
 *
 * Facts with their date and source, in the field's convention; they hold for what the operator has
 * neither set nor imported. A unit test reads every row.
 *
 * Runs in: every process that loads prices. Immutable.
 */
#ifndef STORE_SHIPPED_H
#define STORE_SHIPPED_H

#include "base/err.h"
#include "base/str.h"
#include "store/pricebook.h"

/* The file's bytes. */
struct str shipped_text(void);

/* Each of its rows, as PRICE_SHIPPED. Ends by fn's error. */
MUST_CHECK enum err shipped_each(pricebook_fn fn, void *context);

#endif
