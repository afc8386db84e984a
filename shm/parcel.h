/*
 * parcel.h - answers on their way to the store: bytes of any length beside the ring of records.
 *
 * A record has 576 bytes; the answer that an Idempotency-Key will get again has up to
 * PARCEL_BYTES_MAX. Its worker puts the bytes here before it pushes the record that belongs to
 * them, the recorder reads them in the transaction that stores the record, and then frees them.
 * One area of PARCEL_RING_BYTES a slot, used around; a parcel lies in one piece.
 *
 * Full is no error to anybody's client: the answer is not kept, and that is what is written down.
 *
 * If the worker dies: what no record speaks of is freed with the next parcel that is. If the
 * recorder dies: freeing may be repeated.
 * Writers: tail and bytes the slot's process; head the recorder. Positions only grow.
 * Runs in: worker (put), recorder (get, free), master (get on an adopted segment).
 */
#ifndef SHM_PARCEL_H
#define SHM_PARCEL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "shm/segment.h"

struct parcel_ends {
    _Atomic uint64_t tail; /* where the next parcel begins [slot's process] */
    uint64_t pad[7];
    _Atomic uint64_t head; /* all before it is free [recorder] */
    uint64_t pad_head[7];
} __attribute__((aligned(64)));

/* The pieces, one behind the other. ERR_FULL: no room now. Together at most PARCEL_BYTES_MAX. */
MUST_CHECK enum err parcel_put(struct segment *segment, uint32_t slot, const struct str *pieces,
                               uint32_t count, uint64_t *out_at);

/* Empty when the slot has no such parcel. */
struct str parcel_get(const struct segment *segment, uint32_t slot, uint64_t at, uint64_t bytes);

/* All before `end` is free. Lower than now: nothing happens. */
void parcel_free_to(struct segment *segment, uint32_t slot, uint64_t end);

#endif
