#include <criterion/criterion.h>
#include <poll.h>

#include "shm/gate.h"
#include "shm/head.h"
#include "shm/slot.h"
#include "tests/unit/shm/testseg.h"

#define GATES 3u

static struct testseg test;
static uint32_t gates[GATES];

/* Of slots 0 to 3 at three gates; 0 = nobody waits. */
static const uint64_t arrivals[GATES][4] = { { 40, 20, 0, 20 }, { 0, 0, 0, 0 }, { 0, 90, 10, 0 } };

static void
make(void)
{
    testseg_make(&test, 4, 16, 16, 16);
    for (uint32_t i = 0; i < 4; i++) {
        (void)testseg_active(&test, SLOT_WORKER);
    }
    for (uint32_t i = 0; i < GATES; i++) {
        cr_assert(gate_find(&test.segment, GATE_USER, 1 + i, &gates[i]) == ERR_OK);
        for (uint32_t slot = 0; slot < 4; slot++) {
            size_t at = (size_t)gates[i] * test.segment.stride + slot;
            atomic_store(&test.segment.gate_cells[at].head_ns, arrivals[i][slot]);
        }
    }
}

static bool
is_poked(uint32_t slot)
{
    struct pollfd fd = { test.fds[slot], POLLIN, 0 };
    return poll(&fd, 1, 0) == 1;
}

Test(head, goes_through_the_oldest_of_each_process_by_arrival)
{
    make();
    uint64_t at_ns = 0;
    uint32_t slot = head_after(&test.segment, gates[0], 0, 0, &at_ns);
    cr_expect(slot == 1 && at_ns == 20);
    slot = head_after(&test.segment, gates[0], at_ns, slot, &at_ns);
    cr_expect(slot == 3 && at_ns == 20, "the lower slot first");
    slot = head_after(&test.segment, gates[0], at_ns, slot, &at_ns);
    cr_expect(slot == 0 && at_ns == 40);
    cr_expect(head_after(&test.segment, gates[0], at_ns, slot, &at_ns) == SLOT_NONE);
    cr_expect(head_after(&test.segment, gates[1], 0, 0, &at_ns) == SLOT_NONE);
}

Test(head, who_came_before_is_older_but_not_to_himself)
{
    make();
    cr_expect(head_is_older(&test.segment, gates[0], 21, UINT32_MAX));
    cr_expect(!head_is_older(&test.segment, gates[0], 20, UINT32_MAX));
    cr_expect(head_is_older(&test.segment, gates[0], 0, UINT32_MAX), "anybody");
    cr_expect(!head_is_older(&test.segment, gates[2], 50, 2));
    cr_expect(!head_is_older(&test.segment, gates[1], 0, UINT32_MAX));
}

Test(head, wakes_the_oldest_of_each_queue_and_nobody_else)
{
    make();
    const uint32_t also[] = { GATE_INDEX_NONE, gates[1], gates[2] };
    head_wake_each(&test.segment, gates[0], also, 3);
    cr_expect(is_poked(1) && is_poked(2) && !is_poked(0) && !is_poked(3));
    head_wake(&test.segment, gates[1]);
    cr_expect(!is_poked(0) && !is_poked(3));
}
