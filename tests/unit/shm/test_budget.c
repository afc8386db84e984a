/* A quota is never passed, and nothing stays reserved or counted twice for good. */
#include <criterion/criterion.h>

#include "shm/budget.h"
#include "shm/ring.h"
#include "shm/slot.h"
#include "tests/unit/shm/testseg.h"

#define GATE 3u

static uint64_t
push(struct segment *segment, uint32_t slot)
{
    unsigned char record[RING_PAYLOAD_BYTES] = { 0 };
    struct ring_local ring;
    ring_init(&ring, segment, slot);
    cr_assert(ring_reserve(&ring, 1) == ERR_OK);
    return ring_push(&ring, record);
}

static uint64_t
used(const struct segment *segment)
{
    struct budget_view view;
    budget_read(segment, GATE, &view);
    return view.settled + view.charged + view.reserved;
}

Test(budget, is_reserved_then_charged_then_settled)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    cr_expect(budget_take(segment, 0, GATE, 100, 60) == ERR_OK);
    cr_expect(budget_take(segment, 1, GATE, 100, 41) == ERR_FULL);
    cr_expect(budget_take(segment, 1, GATE, 100, 40) == ERR_OK);
    budget_give(segment, 1, GATE, 40);
    cr_expect(used(segment) == 60);

    uint64_t sequence = push(segment, 0);
    budget_settle(segment, 0, GATE, 60, 25, sequence);
    struct budget_view view;
    budget_read(segment, GATE, &view);
    cr_expect(view.reserved == 0 && view.charged == 25 && view.settled == 0);
    cr_expect(budget_take(segment, 1, GATE, 100, 76) == ERR_FULL);

    budget_set_settled(segment, GATE, 25); /* the recorder committed ... */
    cr_expect(used(segment) == 50, "twice for a moment, never not at all");
    ring_free_to(segment, 0, sequence + 1);
    cr_expect(used(segment) == 25);
    cr_expect(budget_take(segment, 1, GATE, 100, 75) == ERR_OK);
    cr_expect(budget_take(segment, 1, GATE, 0, UINT64_MAX / 4) == ERR_OK, "0 = no quota");
}

Test(budget, under_steady_load_is_never_counted_short_and_at_most_two_commits_long)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 64);
    struct segment *segment = &test.segment;
    uint64_t truth = 0, stored = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        cr_assert(budget_take(segment, 0, GATE, 0, 10) == ERR_OK);
        uint64_t sequence = push(segment, 0);
        budget_settle(segment, 0, GATE, 10, 7, sequence);
        truth += 7;
        if (i % 8 == 5) { /* a commit that never sees the last two */
            stored = (sequence - 1) * 7;
            budget_set_settled(segment, GATE, stored);
            ring_free_to(segment, 0, sequence - 1);
        }
        cr_assert(used(segment) >= truth, "%lu < %lu", (unsigned long)used(segment),
                  (unsigned long)truth);
        cr_assert(used(segment) <= truth + 2 * 8 * 7);
    }
}

Test(budget, of_the_dead_loses_its_reservations_and_keeps_its_charges)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint32_t slot = testseg_active(&test, SLOT_WORKER);
    cr_assert(budget_take(segment, slot, GATE, 100, 30) == ERR_OK);
    cr_assert(budget_take(segment, slot, GATE, 100, 50) == ERR_OK);
    uint64_t sequence = push(segment, slot);
    budget_settle(segment, slot, GATE, 30, 20, sequence);
    cr_expect(used(segment) == 70);
    cr_expect(!slot_reap(segment, slot));
    cr_expect(slot_sweep(segment, slot) == ERR_OK);
    cr_expect(used(segment) == 20, "its record is in the ring");
    budget_set_settled(segment, GATE, 20);
    ring_free_to(segment, slot, sequence + 1);
    cr_expect(used(segment) == 20);
}

static struct segment *shared;
static uint32_t my_slot;

Test(budget, lets_exactly_one_in_when_there_is_room_for_one, .timeout = 90)
{
    struct testseg test;
    testseg_make(&test, 8, 16, 16, 16);
    shared = &test.segment;
    for (uint32_t round = 0; round < 10; round++) {
        pid_t pids[4];
        for (my_slot = 0; my_slot < 4; my_slot++) {
            pids[my_slot] = fork();
            if (pids[my_slot] == 0) {
                testseg_child();
                _exit(budget_take(shared, my_slot, round, 100, 60) == ERR_OK ? 1 : 0);
            }
        }
        int taken = 0;
        for (int i = 0; i < 4; i++) {
            int status;
            cr_assert(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status));
            taken += WEXITSTATUS(status);
        }
        cr_expect(taken == 1, "%d", taken);
    }
}

static void
give_too_much(void *context)
{
    budget_give(context, 0, GATE, 1);
}

Test(budget, dies_when_more_is_given_than_was_taken)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    cr_expect(testseg_dies(NULL, give_too_much, &test.segment));
}
