/*
 * lesson.h - what was learned of an account's provider, over a restart: endpoints it does not have.
 *
 * What is known lives in shared memory (shm/lack.h) and ends with it. A row an account, by its id,
 * with an entry for each dialect that is missing. A dialect is kept by its name: numbers may be
 * others in another version.
 *
 * Runs in: recorder. Dying here: the rows before or the rows after.
 */
#ifndef STORE_LESSON_H
#define STORE_LESSON_H

#include <stdint.h>

#include "base/err.h"
#include "store/kv.h"

#define LESSON_NAME_BYTES 16u
#define LESSON_ENTRIES 4u

struct lesson_entry {
    char dialect[LESSON_NAME_BYTES];
    uint64_t until_wall_ms; /* asked again then */
    uint32_t status;        /* HTTP */
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
