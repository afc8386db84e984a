#include <criterion/criterion.h>

#include "base/limits.h"
#include "master/care.h"

Test(care, starts_again_at_once_after_the_first_short_life)
{
    struct care_post post = { 0 };
    care_died(&post, 5000, 10);
    cr_assert_eq(post.retry_ms, 0);
}

Test(care, waits_longer_each_time_and_never_beyond_its_bound)
{
    struct care_post post = { 0 };
    uint64_t last = 0;
    for (uint32_t i = 0; i < 40; i++) {
        care_died(&post, 1000, 0);
        uint64_t delay = post.retry_ms == 0 ? 0 : post.retry_ms - 1000;
        cr_assert(delay >= last, "death %u: %lu after %lu", i, delay, last);
        cr_assert(delay <= CHILD_DELAY_MS_MAX);
        last = delay;
        if (i == 1) {
            cr_assert_eq(delay, CHILD_DELAY_MS_MIN);
        }
    }
    cr_assert_eq(last, CHILD_DELAY_MS_MAX);
}

Test(care, forgets_after_a_life_that_was_long_enough)
{
    struct care_post post = { 0 };
    for (uint32_t i = 0; i < 10; i++) {
        care_died(&post, 1000, 0);
    }
    care_died(&post, 9000, CHILD_QUICK_MS);
    cr_assert_eq(post.retry_ms, 0);
    cr_assert_eq(post.quick_count, 0);
}

Test(care, aborts_what_beats_no_more_and_then_kills_it)
{
    struct care_child child = { .born_ms = 1000, .heartbeat_ms = 50000 };
    cr_assert_eq(care_judge(&child, 50000 + HEARTBEAT_MS_MAX - 1), CARE_NOTHING);
    cr_assert_eq(care_judge(&child, 50000 + HEARTBEAT_MS_MAX), CARE_ABORT);
    child.kill_ms = 90000;
    cr_assert_eq(care_judge(&child, 89999), CARE_NOTHING);
    cr_assert_eq(care_judge(&child, 90000), CARE_KILL);
}

Test(care, counts_from_birth_while_there_was_no_beat)
{
    struct care_child child = { .born_ms = 1000 };
    cr_assert_eq(care_judge(&child, 1000 + HEARTBEAT_MS_MAX - 1), CARE_NOTHING);
    cr_assert_eq(care_judge(&child, 1000 + HEARTBEAT_MS_MAX), CARE_ABORT);
}

Test(care, quits_what_outlives_its_grace)
{
    struct care_child child = { .born_ms = 1000, .heartbeat_ms = 60000, .quit_ms = 60500 };
    cr_assert_eq(care_judge(&child, 60499), CARE_NOTHING);
    cr_assert_eq(care_judge(&child, 60500), CARE_QUIT);
}
