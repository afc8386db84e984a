#include "master/recover.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "master/config.h"
#include "shm/lease.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "store/ledger.h"
#include "upstream/handover.h"
#include "upstream/orphan.h"

_Static_assert(RECOVER_WHY_BYTES == SEGMENT_WHY_BYTES, "one sentence is passed through");
_Static_assert(LEDGER_RECORD_BYTES == RING_PAYLOAD_BYTES, "a ring's cell holds a ledger record");

#define POLL_NS 100000000L /* how often we look whether the last process is gone */

void
recover_path(const struct config *config, char out[RECOVER_PATH_BYTES])
{
    if (config->shm.file[0] != '\0') {
        snprintf(out, RECOVER_PATH_BYTES, "%s", config->shm.file);
        return;
    }
    char real[PATH_MAX];
    struct str dir = str_of(realpath(config->store.dir, real) != NULL ? real : config->store.dir);
    struct digest digest;
    char hex[2 * DIGEST_BYTES + 1];
    digest_sha256(dir, &digest);
    digest_hex(digest.bytes, 8, hex);
    snprintf(out, RECOVER_PATH_BYTES, "/dev/shm/sub2api-%.16s", hex);
}

bool
recover_is_busy(const char *path)
{
    struct segment segment;
    char why[SEGMENT_WHY_BYTES];
    enum err err = segment_adopt(path, &segment, why);
    if (err == ERR_OK) {
        segment_close(&segment);
    }
    return err == ERR_AGAIN;
}

struct dead {
    struct segment *segment;
    uint32_t slot;
    uint64_t *orphans;
};

/* A request whose worker is gone. */
static bool
bill_orphan(const struct lease_view *lease, void *record, void *context)
{
    const struct dead *dead = context;
    struct ledger_record bill;
    if (!orphan_bill(lease, &bill)) {
        return false;
    }
    handover_orphan(dead->segment, dead->slot, lease, &bill);
    memcpy(record, &bill, sizeof bill);
    (*dead->orphans)++;
    return true;
}

/* Commits what stands in one ring and frees its cells. */
static enum err
drain_ring(struct ledger *ledger, struct segment *segment, uint32_t slot, uint64_t *records)
{
    uint64_t position = 0;
    enum err err = ledger_position(ledger, segment->run_id, slot, &position);
    if (err != ERR_OK && err != ERR_GONE) {
        return err;
    }
    /* Committed by the dead recorder, which had no time to say so. */
    handover_release_to(segment, slot, position);
    ring_free_to(segment, slot, position);
    for (;;) {
        const void *cells = NULL;
        struct ledger_batch batch = {
            .slot = slot, .run_id = segment->run_id, .outcome = handover_row, .context = segment
        };
        ring_peek(segment, slot, &cells, &batch.count, &batch.sequence);
        if (batch.count == 0) {
            return ERR_OK;
        }
        batch.records = cells;
        err = ledger_commit(ledger, &batch, 1);
        if (err != ERR_OK) {
            return err;
        }
        handover_release(segment, slot, batch.sequence, batch.records, batch.count);
        ring_free_to(segment, slot, batch.sequence + batch.count);
        *records += batch.count;
    }
}

static enum err
drain_slot(struct ledger *ledger, struct segment *segment, uint32_t slot, uint64_t *records,
           uint64_t *orphans)
{
    struct dead dead = { segment, slot, orphans };
    enum err err = drain_ring(ledger, segment, slot, records);
    while (err == ERR_OK && lease_count(segment, slot) > 0) {
        uint32_t freed = lease_orphans(segment, slot, bill_orphan, &dead);
        if (freed == 0) {
            return ERR_BUG; /* The ring is empty, so there was room for at least one. */
        }
        err = drain_ring(ledger, segment, slot, records);
    }
    return err;
}

static enum err
drain_all(struct segment *segment, const struct config *config, uint64_t *records,
          uint64_t *orphans, char why[RECOVER_WHY_BYTES])
{
    struct ledger *ledger = NULL;
    enum err err = ledger_open(config->store.dir, config->store.map_bytes, &ledger);
    if (err != ERR_OK) {
        snprintf(why, RECOVER_WHY_BYTES, "the store in %.150s does not open: %s", config->store.dir,
                 err_text(err));
        return err;
    }
    for (uint32_t slot = 0; err == ERR_OK && slot < segment->slots; slot++) {
        err = drain_slot(ledger, segment, slot, records, orphans);
    }
    if (err != ERR_OK) {
        snprintf(why, RECOVER_WHY_BYTES,
                 "records of the last run cannot be written to the store in %.100s: %s "
                 "(they are kept; is the disk full?)",
                 config->store.dir, err_text(err));
    }
    ledger_close(ledger);
    return err;
}

/* ERR_AGAIN turns into waiting: the last streams of a run without a parent end by themselves. */
static enum err
adopt(const char *path, uint64_t wait_ms, struct segment *out, char why[RECOVER_WHY_BYTES])
{
    uint64_t until = clock_now_ms() + wait_ms;
    for (;;) {
        enum err err = segment_adopt(path, out, why);
        if (err != ERR_AGAIN) {
            return err;
        }
        if (clock_now_ms() >= until) {
            snprintf(why, RECOVER_WHY_BYTES,
                     "processes of another run still use %.100s: stop them first, or give this "
                     "one its own [store] dir",
                     path);
            return ERR_TIMEOUT;
        }
        nanosleep(&(struct timespec){ 0, POLL_NS }, NULL);
    }
}

enum err
recover_run(const char *path, const struct config *config, uint64_t *out_records,
            uint64_t *out_orphans, char why[RECOVER_WHY_BYTES])
{
    *out_records = 0;
    *out_orphans = 0;
    struct segment segment;
    enum err err = adopt(path, (uint64_t)config->master.grace_ms + RECOVER_WAIT_MS, &segment, why);
    if (err == ERR_GONE) {
        return ERR_OK;
    }
    if (err == ERR_BAD) {
        /* Another version's, which was killed: a stop in good order leaves none. It may hold
         * requests that are not in the store yet, and that version alone can read them. */
        bool is_kept = segment_set_aside(path);
        fprintf(stderr,
                "sub2api: %s%s: what the run before had not recorded when it was killed %s\n", why,
                is_kept ? ", kept as *" SEGMENT_ASIDE : "",
                is_kept ? "is recorded when its own version starts with the file in its old place"
                        : "cannot be recorded");
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    CHECK(segment.slots <= SLOTS_MAX);
    err = drain_all(&segment, config, out_records, out_orphans, why);
    segment_close(&segment);
    if (err == ERR_OK) {
        segment_remove(path);
    }
    return err;
}
