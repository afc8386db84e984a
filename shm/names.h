/*
 * names.h - host names and their addresses, looked up by the keeper for everybody.
 *
 * A worker never asks a resolver. It looks here; when the name is missing or old it writes it into
 * one of its slot's `wanted` cells and pokes the keeper, who resolves, stores, and pokes the slot.
 *
 * Writers: entries the keeper only (guarded, readers copy). A wanted cell: the slot's process while
 * EMPTY, the keeper while ASKED (state word handed to and fro).
 * If the worker dies: its cells are answered or cleared by the sweep. If the keeper dies: entries
 * stay good, cells stay ASKED and the next keeper finds them.
 * Runs in: worker (find, want), keeper (put, next_wanted, answered), admin (read).
 */
#ifndef SHM_NAMES_H
#define SHM_NAMES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "shm/guard.h"
#include "shm/segment.h"

enum names_state { NAMES_UNKNOWN, NAMES_OK, NAMES_FAILED };

struct names_address {
    uint8_t family; /* 4 or 6 */
    uint8_t bytes[16];
};

/* A copy. After a failed look-up that followed a good one, addresses stay and `why` is set. */
struct names_answer {
    enum names_state state;
    uint32_t count;
    struct names_address addresses[NAME_ADDRESSES_MAX];
    uint64_t resolved_ms; /* monotonic, of the last attempt */
    uint64_t good_ms;     /* monotonic, of the last success; 0 = never */
    char why[NAME_WHY_BYTES];
};

struct name_entry {
    struct guard guard;
    char host[NAME_HOST_BYTES]; /* lower case; empty = free */
    struct names_answer answer;
} __attribute__((aligned(64)));

enum names_want_state { NAMES_WANT_EMPTY, NAMES_WANT_ASKED };
struct name_want {
    _Atomic uint32_t state; /* enum names_want_state */
    char host[NAME_HOST_BYTES];
} __attribute__((aligned(64)));

/* ERR_GONE: not known, call names_want(). ERR_BAD: no host name. ERR_OK: look at out->state. */
MUST_CHECK enum err
names_find(const struct segment *segment, struct str host, struct names_answer *out);

/*
 * Asks the keeper; a second time for the same host changes nothing. ERR_FULL: all our cells are
 * under way, ask again after the next wake. The keeper wakes our slot when it has answered.
 */
MUST_CHECK enum err names_want(struct segment *segment, uint32_t slot, struct str host);

/* --- keeper --- */

/* The next ASKED cell at or after *cursor (start with 0; it moves on). False: no more. */
bool names_next_wanted(struct segment *segment, uint32_t *cursor, uint32_t *out_cell,
                       char out_host[NAME_HOST_BYTES]);
/* Stored; hands the cell back and wakes the slot that asked. */
void names_answered(struct segment *segment, uint32_t cell);

/* ERR_FULL: no room for one more name (NAMES_MAX, none old enough to give way). ERR_BAD: no host.
 */
MUST_CHECK enum err
names_put(struct segment *segment, struct str host, const struct names_answer *answer);

/* Known names one by one (start with *cursor 0); false: no more. For renewing and for admin. */
bool names_next(const struct segment *segment, uint32_t *cursor, char out_host[NAME_HOST_BYTES],
                struct names_answer *out);

/* --- recorder, from slot_sweep() --- */
void names_sweep(struct segment *segment, uint32_t dead_slot);

#endif
