/*
 * lesson.h - what was learned of an account's provider, over a restart: endpoints it does not have,
 * and models that it does not have or limits.
 *
 * What is known lives in shared memory (shm/lack.h, shm/spell.h) and ends with it. A row an
 * account, by its id, with an entry for each of these. Both are kept by their names: a dialect's
 * number may be another in another version, and a model is known by a hash whose key is each run's
 * own.
 *
 * Runs in: recorder. Dying here: the rows before or the rows after.
 */
#ifndef STORE_LESSON_H
#define STORE_LESSON_H

#include <stdint.h>

#include "base/err.h"
#include "store/kv.h"

#define LESSON_NAME_BYTES 96u
#define LESSON_ENTRIES 32u /* who has more to keep drops what ends first */

enum lesson_kind { LESSON_ENDPOINT, LESSON_MODEL };

struct lesson_entry {
    char name[LESSON_NAME_BYTES]; /* the dialect's or the model's */
    uint64_t until_wall_ms;       /* asked again then */
    uint32_t kind;                /* enum lesson_kind */
    uint32_t number; /* ENDPOINT: HTTP status; MODEL: failures in a row, 0 = it does not have it */
};

struct lesson {
    uint64_t account_id;
    uint32_t count; /* put: 0 removes the row */
    struct lesson_entry entries[LESSON_ENTRIES];
};

/* All of them in one transaction. ERR_FULL, ERR_IO: none. */
MUST_CHECK enum err lesson_put(struct kv *kv, const struct lesson *items, uint32_t count);

/* The first account behind *cursor (0 = from the beginning), which moves there. ERR_EOF: no more. A
 * row that cannot be read is passed over. */
MUST_CHECK enum err lesson_next(struct kv *kv, uint64_t *cursor, struct lesson *out);

#endif
