/*
 * entry.h - one usage record for people and programs: as JSON, and as a line of CSV.
 *
 * Both have the same fields under the same names. Money is dollars, exactly; a price is dollars a
 * million tokens, or for one image or request.
 *
 * Runs in: recorder and its reporting children. Pure.
 */
#ifndef ADMIN_ENTRY_H
#define ADMIN_ENTRY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jsonw.h"
#include "store/ledger.h"

/* An object with all fields. */
void entry_put(struct jsonw *w, const struct ledger_record *record, uint64_t sequence);

/* The names of the fields, and the values of one record, as lines of CSV (RFC 4180). ERR_FULL: the
 * buffer's bound. */
MUST_CHECK enum err entry_csv_head(struct buf *out);
MUST_CHECK enum err
entry_csv(const struct ledger_record *record, uint64_t sequence, struct buf *out);

#endif
