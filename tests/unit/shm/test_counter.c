/* Counts: a row per slot, summed. */
#include <criterion/criterion.h>

#include "shm/counter.h"
#include "tests/unit/shm/testseg.h"

Test(counter, sums_rows_and_outlives_processes)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 16);
    struct segment *segment = &test.segment;
    uint32_t slot = testseg_active(&test, SLOT_WORKER);
    counter_add(segment, slot, COUNTER_REQUESTS, 3);
    counter_add(segment, 3, COUNTER_REQUESTS, 4);
    counter_set(segment, 3, COUNTER_LOG_DROPS, 9);
    cr_expect(!slot_reap(segment, slot));
    cr_expect(slot_sweep(segment, slot) == ERR_OK);
    cr_expect(counter_sum(segment, COUNTER_REQUESTS) == 7);
    cr_expect(counter_of(segment, 3, COUNTER_LOG_DROPS) == 9);
    cr_expect_str_eq(counter_name(COUNTER_ANSWERED_2XX), "answered_2xx");
    cr_expect_str_eq(counter_text(COUNTER_REQUESTS), "requests");
}
