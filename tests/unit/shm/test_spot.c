/* Names of gates: put in once, found for ever, by every process the same. */
#include "shm/spot.h"

#include "shm/gate.h"
#include "tests/unit/shm/testseg.h"

Test(spot, finds_what_was_put_and_nothing_else)
{
    struct testseg test;
    uint32_t gate = 99;
    uint32_t again = 98;
    testseg_make(&test, 4, 4, 64, 4);
    cr_expect_eq(spot_find(&test.segment, 7, false, &gate), ERR_GONE);
    cr_expect_eq(gate, 99, "nothing is written then");
    cr_expect_eq(spot_find(&test.segment, 7, true, &gate), ERR_OK);
    cr_expect_lt(gate, 64);
    cr_expect_eq(spot_find(&test.segment, 7, false, &again), ERR_OK);
    cr_expect_eq(gate, again);
    cr_expect_eq(spot_find(&test.segment, 7, true, &again), ERR_OK);
    cr_expect_eq(gate, again, "it is not put a second time");
    cr_expect_eq(spot_find(&test.segment, 8, false, &again), ERR_GONE);
}

/* Every place is used before a name is refused, and each name keeps its own. */
Test(spot, fills_the_table_to_its_last_place)
{
    enum { GATES = 64 };
    struct testseg test;
    uint32_t places[GATES];
    bool is_used[GATES] = { false };
    testseg_make(&test, 4, 4, GATES, 4);
    for (uint64_t i = 0; i < GATES; i++) {
        cr_assert_eq(spot_find(&test.segment, 1000 + i, true, &places[i]), ERR_OK, "%u",
                     (unsigned)i);
        cr_assert_not(is_used[places[i]]);
        is_used[places[i]] = true;
    }
    uint32_t gate = 0;
    cr_expect_eq(spot_find(&test.segment, 5000, true, &gate), ERR_FULL);
    cr_expect_eq(spot_find(&test.segment, 5000, false, &gate), ERR_GONE);
    for (uint64_t i = 0; i < GATES; i++) {
        cr_expect_eq(spot_find(&test.segment, 1000 + i, false, &gate), ERR_OK);
        cr_expect_eq(gate, places[i]);
    }
}

/* A hint that was right for another segment is looked at, not believed. */
Test(spot, a_hint_of_another_segment_does_no_harm)
{
    struct testseg first;
    struct testseg second;
    uint32_t gate = 0;
    testseg_make(&first, 4, 4, 64, 4);
    testseg_make(&second, 4, 4, 64, 4);
    for (uint64_t i = 1; i <= 60; i++) {
        cr_assert_eq(spot_find(&first.segment, i, true, &gate), ERR_OK);
    }
    for (uint64_t i = 1; i <= 60; i++) {
        cr_expect_eq(spot_find(&second.segment, i, false, &gate), ERR_GONE, "%u", (unsigned)i);
    }
    for (uint64_t i = 60; i >= 1; i--) {
        cr_assert_eq(spot_find(&second.segment, i, true, &gate), ERR_OK);
        cr_expect_eq(atomic_load(&second.segment.gate_keys[gate].word), i);
    }
    for (uint64_t i = 1; i <= 60; i++) {
        cr_assert_eq(spot_find(&first.segment, i, false, &gate), ERR_OK);
        cr_expect_eq(atomic_load(&first.segment.gate_keys[gate].word), i);
    }
}

/* Many processes put the same names at once: one place each. */
Test(spot, processes_agree_on_one_place)
{
    enum { NAMES = 40, CHILDREN = 6 };
    struct testseg test;
    pid_t pids[CHILDREN];
    testseg_make(&test, 4, 4, 64, 4);
    for (uint32_t c = 0; c < CHILDREN; c++) {
        pids[c] = fork();
        cr_assert(pids[c] >= 0);
        if (pids[c] == 0) {
            testseg_child();
            int status = 0;
            for (uint64_t i = 0; i < NAMES; i++) {
                uint32_t gate = 0;
                uint64_t name = 1 + (i + c * 7) % NAMES;
                status |= spot_find(&test.segment, name, true, &gate) != ERR_OK ? 1 : 0;
            }
            _exit(status);
        }
    }
    for (uint32_t c = 0; c < CHILDREN; c++) {
        int status = 0;
        cr_assert(waitpid(pids[c], &status, 0) == pids[c]);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < 64; i++) {
        used += atomic_load(&test.segment.gate_keys[i].word) != 0 ? 1 : 0;
    }
    cr_expect_eq(used, NAMES);
}
