/*
 * clock.c - the clocks, and a date without the C library's time zone machinery.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <time.h>

#include "base/check.h"

static bool is_fake;
static uint64_t fake_monotonic_ns;
static uint64_t fake_wall_ms;

uint64_t
clock_now_ns(void)
{
    if (__builtin_expect(is_fake, 0)) {
        return fake_monotonic_ns;
    }
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t
clock_now_ms(void)
{
    return clock_now_ns() / CLOCK_NS_PER_MS;
}

uint64_t
clock_wall_ms(void)
{
    if (__builtin_expect(is_fake, 0)) {
        return fake_wall_ms;
    }
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    if (now.tv_sec < 0) {
        return 0;
    }
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / CLOCK_NS_PER_MS;
}

static char *
put_digits(char *at, uint64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + width;
}

/*
 * Days since 1970 to year, month and day (Gregorian, years counted from March so that the leap day
 * is the last of its year). An era is 400 years: 146097 days.
 */
static char *
put_date(char *at, uint64_t days)
{
    uint64_t shifted = days + 719468; /* from 0000-03-01 */
    uint64_t era = shifted / 146097;
    uint64_t day_of_era = shifted % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    uint64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
    at = put_digits(at, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    return put_digits(at, day, 2);
}

char *
clock_text(uint64_t wall_ms, char *out)
{
    const uint64_t ms_max = 253402300799999ULL; /* 9999-12-31T23:59:59.999Z: four digits a year */
    uint64_t ms = wall_ms > ms_max ? ms_max : wall_ms;
    uint64_t seconds = ms / 1000;
    char *at = put_date(out, seconds / 86400);
    *at++ = 'T';
    at = put_digits(at, seconds / 3600 % 24, 2);
    *at++ = ':';
    at = put_digits(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, seconds % 60, 2);
    *at++ = '.';
    at = put_digits(at, ms % 1000, 3);
    *at++ = 'Z';
    *at = '\0';
    CHECK(at + 1 - out == CLOCK_TEXT_BYTES);
    return out;
}

void
clock_set_fake(uint64_t monotonic_ns, uint64_t wall_ms)
{
    is_fake = monotonic_ns != 0 || wall_ms != 0;
    fake_monotonic_ns = monotonic_ns;
    fake_wall_ms = wall_ms;
}
