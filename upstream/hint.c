#include "upstream/hint.h"

#include <string.h>

#include "base/check.h"
#include "base/num.h"

#define MS_PER_S 1000u
#define NS_PER_MS_MILLI 1000000000ull
/* Longer waits are this long: nothing overflows, and every operator's maximum is below it. */
#define FOREVER_MS (366ull * 24 * 3600 * MS_PER_S)
/* Numbers from here on are times since 1970, in seconds and in milliseconds (2001). */
#define SINCE_1970_S 1000000000ull
#define SINCE_1970_MS 1000000000000ull

/* --- one value --- */

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*
 * Digits and at most three decimals, in thousandths; further ones are dropped. Moves behind them.
 * False: no digit, or too large for anything.
 */
static bool
take_number(struct str *text, uint64_t *out_milli)
{
    uint64_t milli = 0;
    size_t at = 0;
    while (at < text->len && is_digit(text->data[at])) {
        if (milli > UINT64_MAX / 100) {
            return false;
        }
        milli = milli * 10 + (uint64_t)(text->data[at++] - '0') * 1000;
    }
    if (at == 0) {
        return false;
    }
    if (at + 1 < text->len && text->data[at] == '.' && is_digit(text->data[at + 1])) {
        at++;
        for (uint64_t unit = 100; at < text->len && is_digit(text->data[at]); at++) {
            milli += (uint64_t)(text->data[at] - '0') * unit;
            unit /= 10;
        }
    }
    *text = str_skip(*text, at);
    *out_milli = milli;
    return true;
}

struct unit {
    struct str text;
    uint64_t ns;
};

/* "ms" stands before "m". */
static const struct unit units[] = {
    { { "ms", 2 }, 1000000 },         { { "us", 2 }, 1000 },
    { { "\xc2\xb5s", 3 }, 1000 },     { { "ns", 2 }, 1 },
    { { "h", 1 }, 3600000000000ull }, { { "m", 1 }, 60000000000ull },
    { { "s", 1 }, 1000000000ull },
};

static const struct unit *
take_unit(struct str *text)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (str_starts(*text, units[i].text)) {
            *text = str_skip(*text, units[i].text.len);
            return &units[i];
        }
    }
    return NULL;
}

/* "6m0s", "1.5s", "12ms", as Go writes them. */
static bool
read_duration(struct str text, uint64_t *out_ms)
{
    uint64_t ms = 0;
    while (text.len > 0) {
        uint64_t milli = 0;
        if (!take_number(&text, &milli)) {
            return false;
        }
        const struct unit *unit = take_unit(&text);
        if (unit == NULL) {
            return false;
        }
        /* Thousandths of a unit, in nanoseconds, are 1e9 a millisecond; a part of one is one. */
        uint64_t bound = (UINT64_MAX - NS_PER_MS_MILLI) / unit->ns;
        ms +=
            milli > bound ? FOREVER_MS : (milli * unit->ns + NS_PER_MS_MILLI - 1) / NS_PER_MS_MILLI;
        ms = ms > FOREVER_MS ? FOREVER_MS : ms;
    }
    *out_ms = ms;
    return true;
}

static uint64_t
until(uint64_t then_ms, uint64_t wall_ms)
{
    return then_ms > wall_ms ? then_ms - wall_ms : 0;
}

/* Seconds, or a time since 1970. */
static bool
read_plain(struct str text, uint64_t wall_ms, uint64_t *out_ms)
{
    uint64_t ms = 0;
    if (!take_number(&text, &ms) || text.len > 0) {
        return false;
    }
    if (ms >= SINCE_1970_MS * MS_PER_S) {
        ms = until(ms / MS_PER_S, wall_ms);
    } else if (ms >= SINCE_1970_S * MS_PER_S) {
        ms = until(ms, wall_ms);
    }
    *out_ms = ms;
    return true;
}

/* --- dates --- */

struct date {
    uint32_t year;
    uint32_t month; /* 1.. */
    uint32_t day;
    uint32_t hour;
    uint32_t minute;
    uint32_t second;
};

/* Exactly `count` digits. */
static bool
take_digits(struct str *text, size_t count, uint32_t *out)
{
    uint32_t value = 0;
    if (text->len < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(text->data[i])) {
            return false;
        }
        value = value * 10 + (uint32_t)(text->data[i] - '0');
    }
    *text = str_skip(*text, count);
    *out = value;
    return true;
}

static bool
take_byte(struct str *text, char byte)
{
    if (text->len == 0 || text->data[0] != byte) {
        return false;
    }
    *text = str_skip(*text, 1);
    return true;
}

static bool
take_clock(struct str *text, struct date *date)
{
    return take_digits(text, 2, &date->hour) && take_byte(text, ':') &&
           take_digits(text, 2, &date->minute) && take_byte(text, ':') &&
           take_digits(text, 2, &date->second);
}

/* Milliseconds since 1970; false when there is no such day. */
static bool
date_ms(const struct date *date, uint64_t *out_ms)
{
    if (date->year < 1970 || date->year > 9999 || date->month < 1 || date->month > 12 ||
        date->day < 1 || date->day > 31 || date->hour > 23 || date->minute > 59 ||
        date->second > 60) {
        return false;
    }
    /* Years from March on, so that the leap day comes last. */
    uint64_t year = date->month > 2 ? date->year : date->year - 1u;
    uint64_t month = date->month > 2 ? date->month - 3u : date->month + 9u;
    uint64_t days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + date->day - 1;
    days -= 719468; /* 1 January 1970 */
    *out_ms = (((days * 24 + date->hour) * 60 + date->minute) * 60 + date->second) * MS_PER_S;
    return true;
}

/* "2026-11-21T06:00:00.5Z", "...+01:00". */
static bool
read_rfc3339(struct str text, uint64_t wall_ms, uint64_t *out_ms)
{
    struct date date = { 0 };
    uint64_t ms = 0;
    if (!take_digits(&text, 4, &date.year) || !take_byte(&text, '-') ||
        !take_digits(&text, 2, &date.month) || !take_byte(&text, '-') ||
        !take_digits(&text, 2, &date.day) || !(take_byte(&text, 'T') || take_byte(&text, 't')) ||
        !take_clock(&text, &date) || !date_ms(&date, &ms)) {
        return false;
    }
    if (take_byte(&text, '.')) {
        while (text.len > 0 && is_digit(text.data[0])) {
            text = str_skip(text, 1);
        }
        ms += MS_PER_S; /* a reset is waited for, not half of it */
    }
    bool is_east = text.len > 0 && text.data[0] == '+';
    if (!take_byte(&text, 'Z') && !take_byte(&text, 'z')) {
        uint32_t hours = 0;
        uint32_t minutes = 0;
        if (!(take_byte(&text, '+') || take_byte(&text, '-')) || !take_digits(&text, 2, &hours) ||
            !take_byte(&text, ':') || !take_digits(&text, 2, &minutes)) {
            return false;
        }
        uint64_t away_ms = ((uint64_t)hours * 60 + minutes) * 60 * MS_PER_S;
        ms = !is_east ? ms + away_ms : ms > away_ms ? ms - away_ms : 0;
    }
    *out_ms = until(ms, wall_ms);
    return text.len == 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT": the one form that is still written. */
static bool
read_http_date(struct str text, uint64_t wall_ms, uint64_t *out_ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct date date = { 0 };
    str_cut(&text, ' ');
    if (!take_digits(&text, 2, &date.day) || !take_byte(&text, ' ') || text.len < 4) {
        return false;
    }
    for (uint32_t i = 0; i < 12; i++) {
        if (str_starts(text, str_make(&months[i * 3], 3))) {
            date.month = i + 1;
        }
    }
    text = str_skip(text, 3);
    uint64_t ms = 0;
    if (!take_byte(&text, ' ') || !take_digits(&text, 4, &date.year) || !take_byte(&text, ' ') ||
        !take_clock(&text, &date) || !str_equal(text, STR(" GMT")) || !date_ms(&date, &ms)) {
        return false;
    }
    *out_ms = until(ms, wall_ms);
    return true;
}

enum err
hint_read(struct str value, uint64_t wall_ms, uint64_t *out_ms)
{
    uint64_t ms = 0;
    *out_ms = 0;
    if (value.len == 0 || value.len > 64 ||
        (!read_plain(value, wall_ms, &ms) && !read_duration(value, &ms) &&
         !read_rfc3339(value, wall_ms, &ms) && !read_http_date(value, wall_ms, &ms))) {
        return ERR_BAD;
    }
    *out_ms = ms > FOREVER_MS ? FOREVER_MS : ms;
    return ERR_OK;
}

/* --- the limits that providers state --- */

enum mark_kind {
    MARK_NONE,
    MARK_REMAINING, /* used up at 0 */
    MARK_SHARE,     /* at 1 and above */
    MARK_PERCENT,   /* at 100 and above */
    MARK_WORD,      /* "rejected", "true" */
};

struct mark {
    enum mark_kind kind;
    struct str name;
};

#define MARKS_MAX 3u

struct limit {
    struct str reset;
    struct mark marks[MARKS_MAX];
};

#define NAME(text)                   \
    {                                \
        "" text "", sizeof(text) - 1 \
    }
#define UNIFIED(window)                                                                       \
    {                                                                                         \
        NAME("anthropic-ratelimit-unified-" window "-reset"),                                 \
        {                                                                                     \
            { MARK_SHARE, NAME("anthropic-ratelimit-unified-" window "-utilization") },       \
                { MARK_WORD, NAME("anthropic-ratelimit-unified-" window "-status") },         \
            {                                                                                 \
                MARK_WORD, NAME("anthropic-ratelimit-unified-" window "-surpassed-threshold") \
            }                                                                                 \
        }                                                                                     \
    }

static const struct limit limits[] = {
    { NAME("x-ratelimit-reset-requests"),
      { { MARK_REMAINING, NAME("x-ratelimit-remaining-requests") } } },
    { NAME("x-ratelimit-reset-tokens"),
      { { MARK_REMAINING, NAME("x-ratelimit-remaining-tokens") } } },
    { NAME("anthropic-ratelimit-requests-reset"),
      { { MARK_REMAINING, NAME("anthropic-ratelimit-requests-remaining") } } },
    { NAME("anthropic-ratelimit-tokens-reset"),
      { { MARK_REMAINING, NAME("anthropic-ratelimit-tokens-remaining") } } },
    { NAME("anthropic-ratelimit-input-tokens-reset"),
      { { MARK_REMAINING, NAME("anthropic-ratelimit-input-tokens-remaining") } } },
    { NAME("anthropic-ratelimit-output-tokens-reset"),
      { { MARK_REMAINING, NAME("anthropic-ratelimit-output-tokens-remaining") } } },
    UNIFIED("5h"),
    UNIFIED("7d"),
    { NAME("anthropic-ratelimit-unified-reset"), { { MARK_NONE, NAME("") } } },
    { NAME("x-codex-primary-reset-after-seconds"),
      { { MARK_PERCENT, NAME("x-codex-primary-used-percent") } } },
    { NAME("x-codex-secondary-reset-after-seconds"),
      { { MARK_PERCENT, NAME("x-codex-secondary-used-percent") } } },
};
#define LIMITS (sizeof limits / sizeof limits[0])

static bool
is_marked(const struct mark *mark, struct str value)
{
    uint64_t milli = 0;
    struct str rest = value;
    bool is_number = take_number(&rest, &milli) && rest.len == 0;
    switch (mark->kind) {
    case MARK_NONE:
        return false;
    case MARK_REMAINING:
        return is_number && milli == 0;
    case MARK_SHARE:
        return is_number && milli >= 1000;
    case MARK_PERCENT:
        return is_number && milli >= 100000;
    case MARK_WORD:
        return str_equal_nocase(value, STR("rejected")) || str_equal_nocase(value, STR("true"));
    }
    return false;
}

static bool
is_used_up(const struct limit *limit, const struct header_list *headers)
{
    for (uint32_t i = 0; i < MARKS_MAX; i++) {
        const struct mark *mark = &limit->marks[i];
        if (mark->kind != MARK_NONE && is_marked(mark, header_find(headers, mark->name))) {
            return true;
        }
    }
    return false;
}

static uint64_t
clamp(uint64_t ms, uint64_t max_ms)
{
    return ms > max_ms ? max_ms : ms;
}

uint64_t
hint_refused_ms(const struct header_list *headers, uint64_t wall_ms, uint64_t max_ms)
{
    struct str milliseconds = header_find(headers, STR("retry-after-ms"));
    uint64_t ms = 0;
    if (take_number(&milliseconds, &ms) && milliseconds.len == 0 && ms >= 1000) {
        return clamp((ms + 999) / 1000, max_ms); /* in thousandths */
    }
    if (hint_read(header_find(headers, STR("retry-after")), wall_ms, &ms) == ERR_OK && ms > 0) {
        return clamp(ms, max_ms);
    }
    uint64_t latest_ms = 0; /* of those that are used up */
    uint64_t soonest_ms = 0;
    for (uint32_t i = 0; i < LIMITS; i++) {
        struct str value = header_find(headers, limits[i].reset);
        if (hint_read(value, wall_ms, &ms) != ERR_OK || ms == 0) {
            continue;
        }
        soonest_ms = soonest_ms == 0 || ms < soonest_ms ? ms : soonest_ms;
        if (ms > latest_ms && is_used_up(&limits[i], headers)) {
            latest_ms = ms;
        }
    }
    return clamp(latest_ms != 0 ? latest_ms : soonest_ms, max_ms);
}

/* What stands behind `mark`, up to the end of a value: a number, a duration, a time. */
static struct str
value_behind(struct str body, struct str mark)
{
    const char *at = body.len < mark.len ? NULL : memmem(body.data, body.len, mark.data, mark.len);
    if (at == NULL) {
        return STR("");
    }
    struct str rest = str_skip(body, (size_t)(at - body.data) + mark.len);
    while (rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == ':' || rest.data[0] == '"')) {
        rest = str_skip(rest, 1);
    }
    size_t end = 0;
    while (end < rest.len && (is_digit(rest.data[end]) || rest.data[end] == '.' ||
                              (rest.data[end] >= 'a' && rest.data[end] <= 'z'))) {
        end++;
    }
    while (end > 0 && rest.data[end - 1] == '.') {
        end--; /* of the sentence */
    }
    return str_make(rest.data, end);
}

uint64_t
hint_body_ms(struct str body, uint64_t wall_ms, uint64_t max_ms)
{
    static const struct str marks[] = {
        { "\"resets_in_seconds\"", 19 },
        { "\"resets_at\"", 11 },
        { "try again in ", 13 },
    };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct str value = value_behind(body, marks[i]);
        uint64_t ms = 0;
        if (hint_read(value, wall_ms, &ms) == ERR_OK && ms > 0) {
            return clamp(ms, max_ms);
        }
    }
    return 0;
}

/* Every answer passes here: one look at each field, and names only where a lone 0 stands. */
uint64_t
hint_used_up_ms(const struct header_list *headers, uint64_t wall_ms, uint64_t max_ms)
{
    uint64_t latest_ms = 0;
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct header *header = &headers->items[i];
        if (header->value.len != 1 || header->value.data[0] != '0') {
            continue;
        }
        for (uint32_t k = 0; k < LIMITS; k++) {
            const struct mark *mark = &limits[k].marks[0];
            uint64_t ms = 0;
            if (mark->kind == MARK_REMAINING && str_equal_nocase(header->name, mark->name) &&
                hint_read(header_find(headers, limits[k].reset), wall_ms, &ms) == ERR_OK &&
                ms > latest_ms) {
                latest_ms = ms;
            }
        }
    }
    return clamp(latest_ms, max_ms);
}
