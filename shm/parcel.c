/*
 * parcel.c - see parcel.h.
 *
 * Runs in: worker, recorder, master (adopted segment).
 */
#include "shm/parcel.h"

#include <string.h>

#include "base/check.h"
#include "base/fault.h"

static unsigned char *
area_of(const struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    return segment->parcel_bytes + (size_t)slot * PARCEL_RING_BYTES;
}

enum err
parcel_put(struct segment *segment, uint32_t slot, const struct str *pieces, uint32_t count,
           uint64_t *out_at)
{
    unsigned char *area = area_of(segment, slot);
    struct parcel_ends *ends = &segment->parcel_ends[slot];
    uint64_t head = atomic_load(&ends->head);
    uint64_t at = atomic_load(&ends->tail);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += pieces[i].len;
    }
    CHECK(bytes > 0 && bytes <= PARCEL_BYTES_MAX);
    if (at % PARCEL_RING_BYTES + bytes > PARCEL_RING_BYTES) {
        at += PARCEL_RING_BYTES - at % PARCEL_RING_BYTES;
    }
    if (at + bytes - head > PARCEL_RING_BYTES) {
        return ERR_FULL;
    }
    unsigned char *to = area + at % PARCEL_RING_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        if (pieces[i].len > 0) {
            memcpy(to, pieces[i].data, pieces[i].len);
            to += pieces[i].len;
        }
    }
    FAULT("parcel.before_publish");
    atomic_store(&ends->tail, at + bytes);
    *out_at = at;
    return ERR_OK;
}

struct str
parcel_get(const struct segment *segment, uint32_t slot, uint64_t at, uint64_t bytes)
{
    const unsigned char *area = area_of(segment, slot);
    const struct parcel_ends *ends = &segment->parcel_ends[slot];
    bool is_there = bytes > 0 && bytes <= PARCEL_BYTES_MAX && at >= atomic_load(&ends->head) &&
                    at + bytes <= atomic_load(&ends->tail) &&
                    at % PARCEL_RING_BYTES + bytes <= PARCEL_RING_BYTES;
    return is_there ? str_make((const char *)area + at % PARCEL_RING_BYTES, (size_t)bytes)
                    : STR("");
}

void
parcel_free_to(struct segment *segment, uint32_t slot, uint64_t end)
{
    CHECK(slot < segment->slots);
    struct parcel_ends *ends = &segment->parcel_ends[slot];
    CHECK(end <= atomic_load(&ends->tail));
    if (end > atomic_load(&ends->head)) {
        atomic_store(&ends->head, end);
    }
}
