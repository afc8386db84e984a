/* A quota is never passed, and nothing stays reserved or counted twice for good. */
#include <criterion/criterion.h>

#include "shm/budget.h"
#include "shm/ring.h"
#include "shm/slot.h"
#include "tests/unit/shm/testseg.h"

#define GATE 3u
#define NOW 1795000000000ull /* wall milliseconds, a day in 2026 */

static uint64_t
push(struct segment *segment, uint32_t slot)
{
    unsigned char record[RING_PAYLOAD_BYTES] = { 0 };
    struct ring_local ring;
    ring_init(&ring, segment, slot);
    cr_assert(ring_reserve(&ring, 1) == ERR_OK);
    return ring_push(&ring, record);
}

static struct budget_amount
tokens(uint64_t count)
{
    return (struct budget_amount){ .tokens = count };
}

static struct budget_amount
nano(uint64_t count)
{
    return (struct budget_amount){ .nano = count };
}

static enum err
take(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t most, uint64_t want)
{
    struct budget_limits limits;
    enum budget_meter meter;
    budget_no_limits(&limits);
    limits.most[BUDGET_TOKENS] = most;
    return budget_take(segment, slot, gate, &limits, tokens(want), NOW, &meter);
}

static void
store(struct segment *segment, uint64_t count)
{
    struct budget_stored stored = { .total = tokens(count) };
    budget_set_settled(segment, GATE, &stored);
}

static uint64_t
used(const struct segment *segment)
{
    struct budget_view view;
    budget_read(segment, GATE, NOW, &view);
    return budget_used(&view, BUDGET_TOKENS);
}

Test(budget, is_reserved_then_charged_then_settled)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    cr_expect(take(segment, 0, GATE, 100, 60) == ERR_OK);
    cr_expect(take(segment, 1, GATE, 100, 41) == ERR_FULL);
    cr_expect(take(segment, 1, GATE, 100, 40) == ERR_OK);
    budget_give(segment, 1, GATE, tokens(40));
    cr_expect(used(segment) == 60);

    uint64_t sequence = push(segment, 0);
    budget_settle(segment, 0, GATE, tokens(60), tokens(25), sequence);
    struct budget_view view;
    budget_read(segment, GATE, NOW, &view);
    cr_expect(view.reserved.tokens == 0 && view.charged.tokens == 25);
    cr_expect(view.settled[BUDGET_TOKENS] == 0);
    cr_expect(take(segment, 1, GATE, 100, 76) == ERR_FULL);

    store(segment, 25); /* the recorder committed ... */
    cr_expect(used(segment) == 50, "twice for a moment, never not at all");
    ring_free_to(segment, 0, sequence + 1);
    cr_expect(used(segment) == 25);
    cr_expect(take(segment, 1, GATE, 100, 75) == ERR_OK);
    cr_expect(take(segment, 1, GATE, BUDGET_UNLIMITED, UINT64_MAX / 4) == ERR_OK);
}

Test(budget, under_steady_load_is_never_counted_short_and_at_most_two_commits_long)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 64);
    struct segment *segment = &test.segment;
    uint64_t truth = 0, stored = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        cr_assert(take(segment, 0, GATE, BUDGET_UNLIMITED, 10) == ERR_OK);
        uint64_t sequence = push(segment, 0);
        budget_settle(segment, 0, GATE, tokens(10), tokens(7), sequence);
        truth += 7;
        if (i % 8 == 5) { /* a commit that never sees the last two */
            stored = (sequence - 1) * 7;
            store(segment, stored);
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
    cr_assert(take(segment, slot, GATE, 100, 30) == ERR_OK);
    cr_assert(take(segment, slot, GATE, 100, 50) == ERR_OK);
    uint64_t sequence = push(segment, slot);
    budget_settle(segment, slot, GATE, tokens(30), tokens(20), sequence);
    cr_expect(used(segment) == 70);
    cr_expect(!slot_reap(segment, slot));
    cr_expect(slot_sweep(segment, slot) == ERR_OK);
    cr_expect(used(segment) == 20, "its record is in the ring");
    store(segment, 20);
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
                _exit(take(shared, my_slot, round, 100, 60) == ERR_OK ? 1 : 0);
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
    budget_give(context, 0, GATE, tokens(1));
}

Test(budget, dies_when_more_is_given_than_was_taken)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    cr_expect(testseg_dies(NULL, give_too_much, &test.segment));
}

Test(budget, of_money_is_kept_for_each_window_and_names_the_one_that_is_used_up)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    struct budget_limits limits;
    enum budget_meter meter = BUDGET_TOKENS;
    budget_no_limits(&limits);
    cr_expect(!budget_is_limited(&limits));
    limits.most[BUDGET_MONEY] = 1000;
    limits.most[BUDGET_WINDOWS + PERIOD_DAY] = 100;
    cr_expect(budget_is_limited(&limits));

    struct budget_stored stored = { .total = nano(500) };
    for (uint32_t i = 0; i < PERIODS; i++) {
        stored.window_nano[i] = 90;
        stored.window_start_ms[i] = period_start((enum period)i, NOW);
    }
    budget_set_settled(segment, GATE, &stored);
    cr_expect(budget_take(segment, 0, GATE, &limits, nano(11), NOW, &meter) == ERR_FULL);
    cr_expect(meter == BUDGET_WINDOWS + PERIOD_DAY, "%s", budget_meter_text(meter));
    cr_expect(budget_take(segment, 0, GATE, &limits, nano(10), NOW, &meter) == ERR_OK);
    cr_expect(budget_take(segment, 1, GATE, &limits, nano(1), NOW, &meter) == ERR_FULL);
    budget_give(segment, 0, GATE, nano(10));

    uint64_t tomorrow = period_end(PERIOD_DAY, NOW);
    cr_expect(budget_take(segment, 0, GATE, &limits, nano(100), tomorrow, &meter) == ERR_OK,
              "a new day begins with nothing used");
    struct budget_view view;
    budget_read(segment, GATE, tomorrow, &view);
    cr_expect(view.settled[BUDGET_MONEY] == 500 && view.settled[BUDGET_WINDOWS + PERIOD_DAY] == 0);
    limits.most[BUDGET_MONEY] = 600;
    cr_expect(budget_take(segment, 1, GATE, &limits, nano(1), tomorrow, &meter) == ERR_FULL);
    limits.most[BUDGET_WINDOWS + PERIOD_DAY] = BUDGET_UNLIMITED;
    cr_expect(budget_take(segment, 1, GATE, &limits, nano(1), tomorrow, &meter) == ERR_FULL);
    cr_expect(meter == BUDGET_MONEY, "%s", budget_meter_text(meter));
}

Test(budget, of_nothing_refuses_even_the_smallest_request)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct budget_limits limits;
    enum budget_meter meter;
    budget_no_limits(&limits);
    limits.most[BUDGET_MONEY] = 0;
    cr_expect(budget_take(&test.segment, 0, GATE, &limits, nano(1), NOW, &meter) == ERR_FULL);
    cr_expect(budget_take(&test.segment, 0, GATE, &limits, nano(0), NOW, &meter) == ERR_OK);
}

Test(budget, charges_tokens_and_money_together)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    struct budget_limits limits;
    enum budget_meter meter;
    budget_no_limits(&limits);
    struct budget_amount want = { .tokens = 50, .nano = 700 };
    cr_assert(budget_take(segment, 0, GATE, &limits, want, NOW, &meter) == ERR_OK);
    uint64_t sequence = push(segment, 0);
    budget_settle(segment, 0, GATE, want, (struct budget_amount){ .tokens = 20, .nano = 300 },
                  sequence);
    struct budget_view view;
    budget_read(segment, GATE, NOW, &view);
    cr_expect(view.reserved.tokens == 0 && view.reserved.nano == 0);
    cr_expect(budget_used(&view, BUDGET_TOKENS) == 20 && budget_used(&view, BUDGET_MONEY) == 300);
    cr_expect(budget_used(&view, BUDGET_WINDOWS + PERIOD_WEEK) == 300);
}
