/* The life of a process's record; who may do what in which state. */
#include <criterion/criterion.h>

#include "shm/gate.h"
#include "shm/lease.h"
#include "tests/unit/shm/testseg.h"

Test(slot, goes_round_and_is_used_again)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect(testseg_slot(&test, SLOT_WORKER) == i);
    }
    uint32_t none;
    cr_expect(slot_assign(segment, SLOT_WORKER, 0, 1, &none) == ERR_FULL);
    slot_enter(segment, 2, 5);
    slot_drain(segment, 2);
    cr_expect(slot_leave(segment, 2));
    cr_expect(slot_reap(segment, 2));
    cr_expect(slot_state(segment, 2) == SLOT_FREE);
    cr_expect(testseg_slot(&test, SLOT_KEEPER) == 2);
    struct slot_view view;
    slot_read(segment, 2, &view);
    cr_expect(view.life == 2 && view.kind == SLOT_KEEPER && view.state == SLOT_ASSIGNED);
}

Test(slot, allows_the_edges_of_the_diagram_and_no_other)
{
    static const char *const edges[] = { "free assigned",   "assigned active", "assigned dead",
                                         "active draining", "active left",     "active dead",
                                         "draining left",   "draining dead",   "left free",
                                         "dead free" };
    uint32_t allowed = 0;
    for (uint32_t from = 0; from < SLOT_STATES; from++) {
        for (uint32_t to = 0; to < SLOT_STATES; to++) {
            char edge[64];
            snprintf(edge, sizeof edge, "%s %s", slot_state_text((enum slot_state)from),
                     slot_state_text((enum slot_state)to));
            bool is_drawn = false;
            for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
                is_drawn = is_drawn || strcmp(edges[i], edge) == 0;
            }
            cr_expect(slot_may_go((enum slot_state)from, (enum slot_state)to) == is_drawn, "%s",
                      edge);
            allowed += is_drawn ? 1u : 0u;
        }
    }
    cr_expect(allowed == 10);
}

static void
enter_twice(void *context)
{
    struct testseg *test = context;
    uint32_t slot = testseg_active(test, SLOT_WORKER);
    slot_enter(&test->segment, slot, 0);
}

Test(slot, dies_of_an_edge_that_is_not_there)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    cr_expect(testseg_dies(NULL, enter_twice, &test));
}

Test(slot, that_still_holds_something_does_not_leave)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint32_t slot = testseg_active(&test, SLOT_WORKER);
    uint32_t gate;
    cr_assert(gate_find(segment, GATE_USER, 1, &gate) == ERR_OK);
    cr_assert(gate_take(segment, slot, gate, 1, 0) == ERR_OK);
    cr_expect(!slot_leave(segment, slot));
    cr_expect(!slot_reap(segment, slot), "so it is dead");
    cr_expect(slot_sweep(segment, slot) == ERR_OK);
    cr_expect(slot_state(segment, slot) == SLOT_FREE);
    cr_expect(gate_held(segment, gate) == 0);
}

static void
crash_slot(void *context)
{
    struct testseg *test = context;
    slot_enter(&test->segment, 0, 0);
    slot_crash(&test->segment, 0, "relay.c:17: CHECK(it) failed");
    slot_crash(&test->segment, 99, "nowhere");
    abort();
}

Test(slot, keeps_the_last_words_of_the_dead)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    testseg_slot(&test, SLOT_WORKER);
    cr_assert(testseg_dies(NULL, crash_slot, &test));
    cr_expect(!slot_reap(&test.segment, 0));
    cr_expect(slot_sweep(&test.segment, 0) == ERR_OK);
    struct slot_view view;
    slot_read(&test.segment, 0, &view);
    cr_expect_str_eq(view.crash, "relay.c:17: CHECK(it) failed");
}

static void
sweep_slot(void *context)
{
    struct testseg *test = context;
    (void)!slot_sweep(&test->segment, 1);
}

Test(slot, sweep_may_die_anywhere_and_is_done_again)
{
    static const char *const faults[] = { "gate.mid_sweep=kill", "slot.between_sweeps=kill",
                                          "slot.before_free=kill" };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct testseg test;
        testseg_make(&test, 4, 16, 16, 16);
        struct segment *segment = &test.segment;
        testseg_slot(&test, SLOT_RECORDER);
        uint32_t slot = testseg_active(&test, SLOT_WORKER);
        cr_assert(slot == 1);
        uint32_t gate;
        cr_assert(gate_find(segment, GATE_USER, 1, &gate) == ERR_OK);
        cr_assert(gate_take(segment, slot, gate, 0, 0) == ERR_OK);
        cr_expect(!slot_reap(segment, slot));
        cr_assert(testseg_dies(faults[i], sweep_slot, &test), "%s", faults[i]);
        cr_expect(slot_state(segment, slot) == SLOT_DEAD);
        cr_expect(slot_sweep(segment, slot) == ERR_OK);
        cr_expect(gate_held(segment, gate) == 0);
        segment_close(segment);
    }
}

Test(slot, of_kind_prefers_the_one_that_works)
{
    struct testseg test;
    testseg_make(&test, 8, 16, 16, 16);
    struct segment *segment = &test.segment;
    cr_expect(slot_of_kind(segment, SLOT_RECORDER) == SLOT_NONE);
    uint32_t first = testseg_active(&test, SLOT_RECORDER);
    uint32_t second = testseg_slot(&test, SLOT_RECORDER);
    cr_expect(slot_of_kind(segment, SLOT_RECORDER) == first);
    slot_drain(segment, first);
    cr_expect(slot_of_kind(segment, SLOT_RECORDER) == second);
}

/* Found by killing processes during reloads: the dead had every slot, the one who clears them too.
 */
Test(slot, of_a_dead_recorder_goes_to_the_next_one_when_the_dead_have_all)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint32_t recorder = testseg_active(&test, SLOT_RECORDER);
    uint32_t slot = 0;
    for (uint32_t i = 1; i < segment->slots; i++) {
        uint32_t worker = testseg_active(&test, SLOT_WORKER);
        cr_expect(!slot_reap(segment, worker));
    }
    cr_expect(slot_assign(segment, SLOT_RECORDER, 0, 1, &slot) == ERR_FULL, "one is alive");
    cr_expect(!slot_reap(segment, recorder));
    cr_expect(slot_assign(segment, SLOT_WORKER, 0, 1, &slot) == ERR_FULL);
    cr_expect(slot_assign(segment, SLOT_KEEPER, 0, 1, &slot) == ERR_FULL);
    for (uint32_t life = 0; life < 3;
         life++) { /* however often it dies before it has cleared any */
        cr_assert(slot_assign(segment, SLOT_RECORDER, 0, 1, &slot) == ERR_OK);
        cr_expect(slot == recorder && slot_state(segment, slot) == SLOT_ASSIGNED);
        cr_expect(!slot_reap(segment, slot));
    }
}
