/*
 * ring.c - see ring.h.
 *
 * Runs in: worker, recorder, master (adopted segment).
 */
#include "shm/ring.h"

#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "shm/slot.h"
#include "shm/wake.h"

static uint64_t
cell_of(const struct segment *segment, uint32_t slot, uint64_t sequence)
{
    return (uint64_t)slot * segment->ring_cells + (sequence & (segment->ring_cells - 1u));
}

static uint64_t
tail_of(const struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    return atomic_load(&segment->ring_ends[slot].tail);
}

void
ring_init(struct ring_local *local, struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    CHECK((segment->ring_cells & (segment->ring_cells - 1u)) == 0);
    *local = (struct ring_local){ segment, slot, 0 };
}

uint64_t
ring_head(const struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    return atomic_load(&segment->ring_ends[slot].head);
}

uint32_t
ring_used(const struct segment *segment, uint32_t slot)
{
    /* The head first: the tail only grows, so the difference is never negative. */
    uint64_t head = ring_head(segment, slot);
    uint64_t used = tail_of(segment, slot) - head;
    return used > segment->ring_cells ? segment->ring_cells : (uint32_t)used;
}

bool
ring_is_pressed(const struct segment *segment, uint32_t slot)
{
    return ring_used(segment, slot) > segment->ring_cells / 2;
}

uint64_t
ring_next(const struct segment *segment, uint32_t slot)
{
    return tail_of(segment, slot);
}

enum err
ring_reserve(struct ring_local *local, uint32_t count)
{
    CHECK(count > 0);
    uint32_t used = ring_used(local->segment, local->slot);
    if ((uint64_t)used + local->promised + count > local->segment->ring_cells) {
        return ERR_FULL;
    }
    local->promised += count;
    return ERR_OK;
}

void
ring_unreserve(struct ring_local *local, uint32_t count)
{
    CHECK(count <= local->promised);
    local->promised -= count;
}

uint64_t
ring_push(struct ring_local *local, const void *record)
{
    CHECK(local->promised > 0);
    CHECK(record != NULL);
    struct segment *segment = local->segment;
    uint64_t sequence = tail_of(segment, local->slot);
    CHECK(sequence - ring_head(segment, local->slot) < segment->ring_cells);
    uint64_t cell = cell_of(segment, local->slot, sequence);

    memcpy(segment->ring_payloads + cell * RING_PAYLOAD_BYTES, record, RING_PAYLOAD_BYTES);
    atomic_store_explicit(&segment->ring_stamps[cell].word, sequence + 1u, memory_order_relaxed);
    FAULT("ring.before_publish");
    atomic_store(&segment->ring_ends[local->slot].tail, sequence + 1u);
    FAULT("ring.after_publish");
    local->promised--;
    /*
     * Tell the recorder only when it had nothing to do here: otherwise it will look once more after
     * freeing (it stores head, then loads tail; we store tail, then load head: one of us sees). And
     * once more when it should not let others join its next flush any longer.
     */
    uint64_t before = sequence - ring_head(segment, local->slot);
    if (before == 0 || before == segment->ring_cells / 2) {
        wake_poke(segment, slot_of_kind(segment, SLOT_RECORDER));
    }
    return sequence;
}

void
ring_peek(struct segment *segment, uint32_t slot, const void **out_records, uint32_t *out_count,
          uint64_t *out_sequence)
{
    uint64_t head = ring_head(segment, slot);
    uint64_t count = tail_of(segment, slot) - head;
    CHECK(count <= segment->ring_cells);
    uint64_t until_end = segment->ring_cells - (head & (segment->ring_cells - 1u));
    if (count > until_end) {
        count = until_end;
    }
    uint64_t cell = cell_of(segment, slot, head);
    for (uint64_t i = 0; i < count; i++) {
        CHECK(atomic_load_explicit(&segment->ring_stamps[cell + i].word, memory_order_relaxed) ==
              head + i + 1u);
    }
    *out_records = segment->ring_payloads + cell * RING_PAYLOAD_BYTES;
    *out_count = (uint32_t)count;
    *out_sequence = head;
}

void
ring_free_to(struct segment *segment, uint32_t slot, uint64_t sequence)
{
    CHECK(sequence <= tail_of(segment, slot));
    if (sequence > ring_head(segment, slot)) {
        FAULT("ring.before_free");
        atomic_store(&segment->ring_ends[slot].head, sequence);
    }
}
