/* Every moment lies in exactly one window of each kind, and windows begin where people expect. */
#include <criterion/criterion.h>
#include <time.h>

#include "base/period.h"

#define DAY_MS (24ull * 3600 * 1000)

static uint64_t
at(int year, int month, int day, int hour)
{
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour };
    return (uint64_t)timegm(&tm) * 1000;
}

Test(period, of_a_day_begins_at_midnight)
{
    cr_expect_eq(period_start(PERIOD_DAY, at(2026, 11, 21, 13) + 7), at(2026, 11, 21, 0));
    cr_expect_eq(period_end(PERIOD_DAY, at(2026, 11, 21, 13) + 7), at(2026, 11, 22, 0));
}

Test(period, of_a_week_begins_on_monday)
{
    cr_expect_eq(period_start(PERIOD_WEEK, at(2026, 11, 21, 13)), at(2026, 11, 16, 0));
    cr_expect_eq(period_end(PERIOD_WEEK, at(2026, 11, 21, 13)), at(2026, 11, 23, 0));
    cr_expect_eq(period_start(PERIOD_WEEK, at(2026, 11, 16, 0)), at(2026, 11, 16, 0));
    cr_expect_eq(period_start(PERIOD_WEEK, at(2026, 11, 16, 0) - 1), at(2026, 11, 9, 0));
    cr_expect_eq(period_start(PERIOD_WEEK, 5), 0, "the first week has no Monday");
    cr_expect_eq(period_end(PERIOD_WEEK, 5), at(1970, 1, 5, 0));
}

Test(period, of_a_month_agrees_with_the_c_library_for_a_century)
{
    for (int year = 1970; year < 2110; year++) {
        for (int month = 1; month <= 12; month++) {
            uint64_t start = at(year, month, 1, 0);
            uint64_t end = at(year, month + 1, 1, 0);
            cr_assert_eq(period_start(PERIOD_MONTH, start), start, "%d-%d", year, month);
            cr_assert_eq(period_start(PERIOD_MONTH, end - 1), start, "%d-%d", year, month);
            cr_assert_eq(period_end(PERIOD_MONTH, start), end, "%d-%d", year, month);
            cr_assert_eq(period_end(PERIOD_MONTH, end - 1), end, "%d-%d", year, month);
        }
    }
}

Test(period, follow_each_other_without_a_gap)
{
    for (uint32_t i = 0; i < PERIODS; i++) {
        enum period period = (enum period)i;
        uint64_t now = at(2026, 1, 1, 0);
        for (int round = 0; round < 500; round++) {
            uint64_t start = period_start(period, now);
            uint64_t end = period_end(period, now);
            cr_assert(start <= now && now < end, "%s", period_text(period));
            cr_assert_eq(period_start(period, end), end, "%s", period_text(period));
            cr_assert_eq(period_start(period, end - 1), start, "%s", period_text(period));
            now = end + (period == PERIOD_5H ? 1 : DAY_MS / 2);
        }
    }
}
