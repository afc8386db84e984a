#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

Test(clock, runs_forward)
{
    uint64_t before = clock_now_ns();
    struct timespec nap = { 0, 2000000 };
    nanosleep(&nap, NULL);
    uint64_t after = clock_now_ns();
    cr_assert(after - before >= 2000000);
    cr_assert(clock_now_ms() >= after / CLOCK_NS_PER_MS);
    cr_assert(clock_wall_ms() / 1000 >= (uint64_t)time(NULL) - 1);
}

Test(clock, stands_where_a_test_puts_it)
{
    clock_set_fake(5 * CLOCK_NS_PER_S, 1234);
    cr_assert_eq(clock_now_ns(), 5 * CLOCK_NS_PER_S);
    cr_assert_eq(clock_now_ms(), 5000);
    cr_assert_eq(clock_wall_ms(), 1234);
    clock_set_fake(0, 0);
    cr_assert_neq(clock_wall_ms(), 1234);
}

Test(clock, writes_dates_as_the_c_library_does)
{
    char text[CLOCK_TEXT_BYTES];
    cr_assert_str_eq(clock_text(0, text), "1970-01-01T00:00:00.000Z");
    cr_assert_str_eq(clock_text(1795234125123, text), "2026-11-21T04:08:45.123Z");
    cr_assert_str_eq(clock_text(UINT64_MAX, text), "9999-12-31T23:59:59.999Z");
    /* Every day of leap and century years, and a stride over the rest. */
    for (time_t day = 0; day < 150000; day += day < 48000 ? 1 : 17) {
        time_t seconds = day * 86400 + day % 86400;
        struct tm parts;
        gmtime_r(&seconds, &parts);
        char want[64];
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.007Z", &parts);
        clock_text((uint64_t)seconds * 1000 + 7, text);
        if (strcmp(text, want) != 0) {
            cr_assert_str_eq(text, want);
        }
    }
}
