/*
 * reference.h - which object names which: rows that keep what is needed from being removed.
 *
 * A row's key is the named object's kind and id and then the naming object's, so that everything
 * that names one object stands together and the question "may it go?" is one seek.
 *
 * Runs in: recorder, master before fork; inside one write transaction (object.c).
 */
#ifndef STORE_REFERENCE_H
#define STORE_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/kv.h"
#include "store/model.h"

/* Makes or removes the row; doing it twice is no error, since a list may name a group twice. */
MUST_CHECK enum err reference_set(struct kv_txn *txn, enum model_kind named, uint64_t named_id,
                                  enum model_kind naming, uint64_t naming_id, bool is_set);

/* One that names this object. ERR_GONE: none does. */
MUST_CHECK enum err reference_first(struct kv_txn *txn, enum model_kind named, uint64_t named_id,
                                    enum model_kind *out_naming, uint64_t *out_naming_id);

/* The next one of a kind that names this object, after *cursor (0 = the first), which moves to it.
 * ERR_EOF: no more. */
MUST_CHECK enum err reference_next(struct kv_txn *txn, enum model_kind named, uint64_t named_id,
                                   enum model_kind naming, uint64_t *cursor);

/* Fills in the ids of what an object names, and the group "default" where none is named. ERR_GONE
 * with a sentence in `why` (MODEL_WHY_BYTES): one of them does not exist. */
MUST_CHECK enum err
reference_resolve(struct kv_txn *txn, enum model_kind kind, void *object, char *why);
/* Makes or removes all rows of one object, whose ids are filled in. */
MUST_CHECK enum err
reference_object(struct kv_txn *txn, enum model_kind kind, const void *object, bool is_set);

#endif
