/*
 * secret.h - the store's key and what it seals.
 *
 * secret.key is 32 random bytes beside the store, made at the first start with mode 0600 and
 * refused when group or others may read or write it. Credentials are sealed with it under a context
 * that names their record, so that sealed bytes moved to another record do not open. Opened secrets
 * lie in areas of their own: pages that are kept out of core dumps and (best effort) out of swap,
 * and are wiped when they are given back.
 *
 * Runs in: master before fork (secret_prepare), recorder (seals), workers and keeper (open).
 * Dying here leaves at most a file secret.key.new, which the next start removes.
 */
#ifndef STORE_SECRET_H
#define STORE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

struct secret; /* the key, in an area of its own */

#define SECRET_WHY_BYTES 256

/*
 * Makes DIR/secret.key when it is missing and `may_make`; otherwise checks it. ERR_GONE: missing;
 * ERR_DENIED: somebody else may read it; ERR_BAD: not 32 bytes; `why` names the path.
 */
MUST_CHECK enum err secret_prepare(const char *dir, bool may_make, char why[SECRET_WHY_BYTES]);
/* Reads it; the same errors. */
MUST_CHECK enum err secret_load(const char *dir, struct secret **out, char why[SECRET_WHY_BYTES]);
void secret_free(struct secret *secret); /* NULL is allowed */

/* Another key, for what `label` says: the same in every run, and of no use for finding this one. */
void secret_derive(const struct secret *secret, struct str label, struct digest *out);

/* `out` has plain.len + DIGEST_SEAL_EXTRA_BYTES bytes. */
MUST_CHECK enum err
secret_seal(const struct secret *secret, struct str context, struct str plain, uint8_t *out);
/* ERR_BAD: changed, cut, of another record or sealed with another key. `out` has
 * sealed.len - DIGEST_SEAL_EXTRA_BYTES bytes and is wiped on failure. */
MUST_CHECK enum err
secret_open(const struct secret *secret, struct str context, struct str sealed, uint8_t *out);

/* Memory for opened secrets; cut off piece by piece, given back as a whole. */
struct secret_area {
    uint8_t *bytes; /* NULL: none */
    size_t size;
    size_t used;
};

/* ERR_IO: no memory. */
MUST_CHECK enum err secret_area_make(struct secret_area *area, size_t bytes);
void *secret_area_cut(struct secret_area *area, size_t bytes); /* NULL when it does not fit */
void secret_area_free(struct secret_area *area);               /* wipes; may be called twice */

#endif
