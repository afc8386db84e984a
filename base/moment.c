#include "base/moment.h"

#include <string.h>

#include "base/num.h"

#define MS_PER_S 1000ull
#define MS_PER_DAY (86400ull * MS_PER_S)
#define YEARS_END 9999u /* the last year that RFC 3339 can write */

/* Exactly `count` digits at the front. */
static bool
take_digits(struct str *text, size_t count, uint32_t *out)
{
    uint64_t value = 0;
    if (text->len < count || num_u64(str_make(text->data, count), &value) != ERR_OK) {
        return false;
    }
    *text = str_skip(*text, count);
    *out = (uint32_t)value;
    return true;
}

static bool
take_char(struct str *text, char c)
{
    if (text->len == 0 || text->data[0] != c) {
        return false;
    }
    *text = str_skip(*text, 1);
    return true;
}

static bool
is_leap(uint32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to this date; false when there is no such day. */
static bool
count_days(uint32_t year, uint32_t month, uint32_t day, uint64_t *out)
{
    static const uint32_t before[13] = {
        0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365
    };
    if (year < 1970 || year > YEARS_END || month < 1 || month > 12) {
        return false;
    }
    uint32_t leap_day = is_leap(year) && month == 2 ? 1 : 0;
    if (day < 1 || day > before[month] - before[month - 1] + leap_day) {
        return false;
    }
    uint64_t past = year - 1; /* whole years since year 1, whose leap days count */
    uint64_t leaps = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    uint64_t days = (year - 1970) * 365ull + leaps + before[month - 1] + (day - 1);
    *out = days + (is_leap(year) && month > 2 ? 1 : 0);
    return true;
}

static bool
take_date(struct str *text, uint64_t *out_days)
{
    uint32_t year = 0;
    uint32_t month = 0;
    uint32_t day = 0;
    return take_digits(text, 4, &year) && take_char(text, '-') && take_digits(text, 2, &month) &&
           take_char(text, '-') && take_digits(text, 2, &day) &&
           count_days(year, month, day, out_days);
}

/* Milliseconds of ".123"; further digits do not count. */
static bool
take_fraction(struct str *text, uint64_t *out_ms)
{
    uint64_t unit = 100;
    *out_ms = 0;
    if (!take_char(text, '.')) {
        return true;
    }
    if (text->len == 0 || text->data[0] < '0' || text->data[0] > '9') {
        return false;
    }
    while (text->len > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
        *out_ms += (uint64_t)(text->data[0] - '0') * unit;
        unit /= 10;
        *text = str_skip(*text, 1);
    }
    return true;
}

/* "Z" or "+08:00"; *out_ms is what to subtract. */
static bool
take_zone(struct str *text, int64_t *out_ms)
{
    *out_ms = 0;
    if (take_char(text, 'Z') || take_char(text, 'z')) {
        return true;
    }
    bool is_west = take_char(text, '-');
    if (!is_west && !take_char(text, '+')) {
        return false;
    }
    uint32_t hours = 0;
    uint32_t minutes = 0;
    if (!take_digits(text, 2, &hours) || !take_char(text, ':') || !take_digits(text, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    int64_t ms = ((int64_t)hours * 60 + minutes) * 60 * (int64_t)MS_PER_S;
    *out_ms = is_west ? -ms : ms;
    return true;
}

static bool
read_calendar(struct str text, uint64_t *out_ms)
{
    uint64_t days = 0;
    uint64_t ms = 0;
    int64_t zone_ms = 0;
    uint32_t hour = 0;
    uint32_t minute = 0;
    uint32_t second = 0;
    if (!take_date(&text, &days)) {
        return false;
    }
    if (text.len > 0) {
        if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' ')) {
            return false;
        }
        if (!take_digits(&text, 2, &hour) || !take_char(&text, ':') ||
            !take_digits(&text, 2, &minute) || !take_char(&text, ':') ||
            !take_digits(&text, 2, &second) || !take_fraction(&text, &ms) ||
            !take_zone(&text, &zone_ms) || text.len > 0) {
            return false;
        }
    }
    if (hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    ms += days * MS_PER_DAY + ((hour * 60ull + minute) * 60ull + second) * MS_PER_S;
    int64_t at = (int64_t)ms - zone_ms;
    *out_ms = (uint64_t)at;
    return at > 0; /* 0 would read as "never" */
}

bool
moment_span(struct str text, uint64_t *out_ms)
{
    static const char letters[] = "smhd";
    static const uint64_t unit_ms[] = { MS_PER_S, 60 * MS_PER_S, 3600 * MS_PER_S, MS_PER_DAY };
    const char *letter = text.len < 2 ? NULL : memchr(letters, text.data[text.len - 1], 4);
    uint64_t count = 0;
    if (letter == NULL || num_u64(str_make(text.data, text.len - 1), &count) != ERR_OK) {
        return false;
    }
    if (count == 0 || count > 100u * 366 * 86400) {
        return false;
    }
    *out_ms = count * unit_ms[letter - letters];
    return *out_ms <= 100u * 366 * MS_PER_DAY; /* a century: more is a slip of the keys */
}

/* "never" and nothing at all are 0. */
static bool
is_never(struct str text)
{
    return text.len == 0 || str_equal_nocase(text, STR("never"));
}

bool
moment_read(struct str text, uint64_t now_ms, uint64_t *out_ms)
{
    uint64_t span_ms = 0;
    *out_ms = 0;
    if (is_never(text)) {
        return true;
    }
    if (moment_span(text, &span_ms)) {
        *out_ms = now_ms + span_ms;
        return true;
    }
    return read_calendar(text, out_ms);
}

bool
moment_ago(struct str text, uint64_t now_ms, uint64_t *out_ms)
{
    uint64_t span_ms = 0;
    *out_ms = 0;
    if (is_never(text)) {
        return true;
    }
    if (moment_span(text, &span_ms)) {
        *out_ms = span_ms < now_ms ? now_ms - span_ms : 0;
        return true;
    }
    return read_calendar(text, out_ms);
}
