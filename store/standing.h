/*
 * standing.h - accounts that rest for long, or are not asked at all, over a restart.
 *
 * How an account is lives in shared memory (shm/health.h) and ends with it. What would be learned
 * again only by asking, at the cost of a client's request or of a credential that is sent though it
 * was revoked, is kept here: a row an account, by its id. A reason is kept by its text: numbers may
 * be others in another version.
 *
 * Runs in: recorder. Dying here: the rows before or the rows after.
 */
#ifndef STORE_STANDING_H
#define STORE_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "store/kv.h"

#define STANDING_REASON_BYTES 32u

struct standing {
    uint64_t account_id;
    bool is_gone;           /* put: the row is removed */
    uint64_t until_wall_ms; /* 0 = until it is reset */
    uint32_t status;        /* HTTP, of the last failure; 0 = none */
    char reason[STANDING_REASON_BYTES];
    char excerpt[EXCERPT_BYTES + 4];
};

/* All of them in one transaction. ERR_FULL, ERR_IO: none. */
MUST_CHECK enum err standing_put(struct kv *kv, const struct standing *items, uint32_t count);

/* The first account behind *cursor (0 = from the beginning), which moves there. ERR_EOF: no more. A
 * row that cannot be read is passed over. */
MUST_CHECK enum err standing_next(struct kv *kv, uint64_t *cursor, struct standing *out);

#endif
