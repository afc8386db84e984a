#include "base/period.h"

#include "base/check.h"

#define HOUR_MS (3600ull * 1000)
#define DAY_MS (24 * HOUR_MS)

/* 1970-01-01 was a Thursday: the Monday before lies three days earlier. */
#define DAYS_SINCE_MONDAY 3u

const char *
period_text(enum period period)
{
    switch (period) {
#define PERIOD_CASE(name, text) \
    case PERIOD_##name:         \
        return text;
        PERIOD_ROWS(PERIOD_CASE)
#undef PERIOD_CASE
    }
    return "?";
}

struct month {
    uint64_t first; /* its first day, since 1970 */
    uint64_t days;
};

/* Of the month that a day (since 1970) lies in. Years are counted from March, so that the leap day
 * is the last of its year; an era is 400 years of 146,097 days. */
static struct month
month_of(uint64_t day)
{
    uint64_t shifted = day + 719468; /* from 0000-03-01 */
    uint64_t day_of_era = shifted % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t from_march = (5 * day_of_year + 2) / 153;
    uint64_t start = (153 * from_march + 2) / 5;
    uint64_t days = (153 * (from_march + 1) + 2) / 5 - start;
    if (from_march == 11) { /* February ends where the year that begins in March does */
        uint64_t year = year_of_era + 1;
        days = 28 + (year % 4 == 0 && (year % 100 != 0 || year == 400) ? 1u : 0u);
    }
    return (struct month){ .first = day - (day_of_year - start), .days = days };
}

static uint64_t
start_of_month(uint64_t wall_ms)
{
    return month_of(wall_ms / DAY_MS).first * DAY_MS;
}

static uint64_t
end_of_month(uint64_t wall_ms)
{
    struct month month = month_of(wall_ms / DAY_MS);
    return (month.first + month.days) * DAY_MS;
}

static uint64_t
start_of_week(uint64_t wall_ms)
{
    uint64_t day = wall_ms / DAY_MS;
    uint64_t since_monday = (day + DAYS_SINCE_MONDAY) % 7;
    return (day < since_monday ? 0 : day - since_monday) * DAY_MS;
}

uint64_t
period_start(enum period period, uint64_t wall_ms)
{
    switch (period) {
    case PERIOD_5H:
        return wall_ms - wall_ms % (5 * HOUR_MS);
    case PERIOD_DAY:
        return wall_ms - wall_ms % DAY_MS;
    case PERIOD_WEEK:
        return start_of_week(wall_ms);
    case PERIOD_MONTH:
        return start_of_month(wall_ms);
    }
    CHECK(!"a period");
    return 0;
}

uint64_t
period_end(enum period period, uint64_t wall_ms)
{
    switch (period) {
    case PERIOD_5H:
        return period_start(period, wall_ms) + 5 * HOUR_MS;
    case PERIOD_DAY:
        return period_start(period, wall_ms) + DAY_MS;
    case PERIOD_WEEK:
        return (wall_ms / DAY_MS + 7 - (wall_ms / DAY_MS + DAYS_SINCE_MONDAY) % 7) * DAY_MS;
    case PERIOD_MONTH:
        return end_of_month(wall_ms);
    }
    CHECK(!"a period");
    return 0;
}
