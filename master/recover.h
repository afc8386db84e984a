/*
 * recover.h - what a run that ended badly left in its segment is brought into the store.
 *
 * A stop in good order removes the segment. When it is still there, its processes were killed: the
 * records in its rings are committed (with their position, so never twice), and each request that
 * was under way is written down with what its lease says. Then the file is removed. A segment of
 * another version is kept beside it (shm/segment.h): only that version can read it.
 *
 * Runs in: master, before it forks. If it dies here: the next start does the rest; the store's ring
 * positions tell what is there already.
 */
#ifndef MASTER_RECOVER_H
#define MASTER_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct config;

#define RECOVER_PATH_BYTES 320
#define RECOVER_WHY_BYTES 256

/*
 * Where this configuration's segment is: [shm] file, or a name under /dev/shm made from the real
 * path of [store] dir (which must exist for the same name to come out every time).
 */
void recover_path(const struct config *config, char out[RECOVER_PATH_BYTES]);

/* Processes of a run whose parent died are still finishing their streams. */
bool recover_is_busy(const char *path);

/*
 * Waits for such processes (grace and RECOVER_WAIT_MS), then does its work; *out_records and
 * *out_orphans say how much there was. ERR_OK also when there is nothing. ERR_TIMEOUT, ERR_IO:
 * `why` is a sentence, and the segment is left for another try.
 */
MUST_CHECK enum err
recover_run(const char *path, const struct config *config, uint64_t *out_records,
            uint64_t *out_orphans, char why[RECOVER_WHY_BYTES]);

#endif
