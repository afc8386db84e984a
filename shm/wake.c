/*
 * wake.c - see wake.h.
 *
 * Runs in: every process with a slot; master.
 */
#include "shm/wake.h"

#include <unistd.h>

#include "base/check.h"
#include "base/fault.h"
#include "shm/slot.h"

/* The eventfd is only the bell: when its counter is full it rings already. */
static void
ring_bell(struct segment *segment, uint32_t slot)
{
    if (segment->wake_fds == NULL || segment->wake_fds[slot] < 0) {
        return;
    }
    const uint64_t one = 1;
    ssize_t written = write(segment->wake_fds[slot], &one, sizeof one);
    (void)written;
}

void
wake_poke(struct segment *segment, uint32_t slot)
{
    if (slot == SLOT_NONE) {
        return;
    }
    CHECK(slot < segment->slots);
    /* An exchange and not a load: it orders what we wrote before against what the slot reads. */
    if (atomic_exchange(&segment->wake_cells[slot].is_pending, 1) == 0) {
        FAULT("wake.before_bell");
        ring_bell(segment, slot);
    }
}

void
wake_clear(struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment->slots);
    if (segment->wake_fds != NULL && segment->wake_fds[slot] >= 0) {
        uint64_t count;
        ssize_t got = read(segment->wake_fds[slot], &count, sizeof count);
        (void)got; /* nonblocking: nothing there is fine */
    }
    /* After the read: a bell that rings in between would be swallowed with its flag standing. */
    (void)atomic_exchange(&segment->wake_cells[slot].is_pending, 0);
}

void
wake_all(struct segment *segment)
{
    CHECK(segment->wake_cells != NULL);
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        enum slot_state state = slot_state(segment, slot);
        if (state == SLOT_ASSIGNED || state == SLOT_ACTIVE || state == SLOT_DRAINING) {
            (void)atomic_exchange(&segment->wake_cells[slot].is_pending, 1);
            ring_bell(segment, slot);
        }
    }
}
