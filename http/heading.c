/*
 * heading.c - see heading.h. No printf: this is in the path of every request.
 */
#include "http/heading.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"

struct reason {
    uint16_t status;
    struct str text;
};

struct str
heading_reason(uint16_t status)
{
    static const struct reason reasons[] = {
        { 200, { "OK", 2 } },
        { 201, { "Created", 7 } },
        { 202, { "Accepted", 8 } },
        { 204, { "No Content", 10 } },
        { 206, { "Partial Content", 15 } },
        { 304, { "Not Modified", 12 } },
        { 400, { "Bad Request", 11 } },
        { 401, { "Unauthorized", 12 } },
        { 402, { "Payment Required", 16 } },
        { 403, { "Forbidden", 9 } },
        { 404, { "Not Found", 9 } },
        { 405, { "Method Not Allowed", 18 } },
        { 408, { "Request Timeout", 15 } },
        { 409, { "Conflict", 8 } },
        { 412, { "Precondition Failed", 19 } },
        { 413, { "Content Too Large", 17 } },
        { 414, { "URI Too Long", 12 } },
        { 415, { "Unsupported Media Type", 22 } },
        { 417, { "Expectation Failed", 18 } },
        { 422, { "Unprocessable Content", 21 } },
        { 426, { "Upgrade Required", 16 } },
        { 429, { "Too Many Requests", 17 } },
        { 431, { "Request Header Fields Too Large", 31 } },
        { 500, { "Internal Server Error", 21 } },
        { 501, { "Not Implemented", 15 } },
        { 502, { "Bad Gateway", 11 } },
        { 503, { "Service Unavailable", 19 } },
        { 504, { "Gateway Timeout", 15 } },
        { 505, { "HTTP Version Not Supported", 26 } },
        { 529, { "Overloaded", 10 } },
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }
    return STR("Unknown");
}

static void
put_two(char *to, uint64_t value)
{
    to[0] = (char)('0' + value / 10 % 10);
    to[1] = (char)('0' + value % 10);
}

/* Days since 1970 to a date, by whole 400-year eras that begin on 1 March. */
static void
date_of_days(uint64_t days, uint64_t *year, uint64_t *month, uint64_t *day)
{
    uint64_t shifted = days + 719468;
    uint64_t era = shifted / 146097;
    uint64_t of_era = shifted % 146097;
    uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

void
heading_date_text(uint64_t wall_s, char out[HEADING_DATE_BYTES])
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t days = wall_s / 86400;
    uint64_t second = wall_s % 86400;
    uint64_t year;
    uint64_t month;
    uint64_t day;
    date_of_days(days, &year, &month, &day);
    memcpy(out, "www, dd mmm yyyy hh:mm:ss GMT", HEADING_DATE_BYTES);
    memcpy(out, weekdays + days % 7 * 3, 3);
    put_two(out + 5, day);
    memcpy(out + 8, months + (month - 1) * 3, 3);
    put_two(out + 12, year / 100);
    put_two(out + 14, year % 100);
    put_two(out + 17, second / 3600);
    put_two(out + 20, second / 60 % 60);
    put_two(out + 23, second % 60);
}

void
heading_date_refresh(struct heading_date *date, uint64_t now_ms)
{
    if (now_ms < date->until_ms) {
        return;
    }
    uint64_t wall_ms = clock_wall_ms();
    date->until_ms = now_ms + 1000 - wall_ms % 1000;
    heading_date_text(wall_ms / 1000, date->text);
}

static char *
put(char *to, struct str text)
{
    memcpy(to, text.data, text.len);
    return to + text.len;
}

static char *
put_framing(char *to, const struct heading *heading)
{
    if (heading->framing == HEADING_CHUNKED) {
        return put(to, STR("transfer-encoding: chunked\r\n"));
    }
    if (heading->framing == HEADING_LENGTH) {
        char digits[NUM_TEXT_BYTES];
        uint32_t len = num_text(heading->length, digits);
        to = put(to, STR("content-length: "));
        to = put(to, str_make(digits, len));
        to = put(to, STR("\r\n"));
    }
    return to;
}

uint32_t
heading_text(const struct heading *heading, const struct heading_date *date,
             char out[HEADING_BYTES])
{
    CHECK(heading->status >= 200 && heading->status <= 599);
    char *to = put(out, STR("HTTP/1.1 "));
    *to++ = (char)('0' + heading->status / 100);
    put_two(to, heading->status);
    to += 2;
    *to++ = ' ';
    to = put(to, heading_reason(heading->status));
    to = put(to, STR("\r\ndate: "));
    to = put(to, str_make(date->text, HEADING_DATE_BYTES - 1));
    to = put(to, STR("\r\n"));
    to = put_framing(to, heading);
    if (heading->connection == HEADING_CLOSE) {
        to = put(to, STR("connection: close\r\n"));
    } else if (heading->connection == HEADING_KEEP_ALIVE) {
        to = put(to, STR("connection: keep-alive\r\n"));
    }
    CHECK(to <= out + HEADING_BYTES);
    return (uint32_t)(to - out);
}
