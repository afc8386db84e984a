#include "base/moment.h"

#include <criterion/criterion.h>

#include "base/clock.h"

#define NOW_MS 1795000000000ull

Test(moment, is_read)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        { "never", 0 },
        { "NEVER", 0 },
        { "", 0 },
        { "90s", NOW_MS + 90000 },
        { "45m", NOW_MS + 45 * 60000 },
        { "12h", NOW_MS + 12 * 3600000ull },
        { "30d", NOW_MS + 30 * 86400000ull },
        { "1970-01-02", 86400000ull },
        { "2000-03-01", 951868800000ull },
        { "2026-11-21T04:08:45Z", 1795234125000ull },
        { "2026-11-21t04:08:45.1z", 1795234125100ull },
        { "2026-11-21 04:08:45.123456789Z", 1795234125123ull },
        { "2026-11-21T12:08:45+08:00", 1795234125000ull },
        { "2026-11-20T23:38:45-04:30", 1795234125000ull },
        { "2024-02-29T00:00:00Z", 1709164800000ull },
        { "9999-12-31T23:59:59.999Z", 253402300799999ull },
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t ms = 1;
        cr_expect(moment_read(str_of(good[i].text), NOW_MS, &ms), "%s", good[i].text);
        cr_expect_eq(ms, good[i].ms, "%s: %llu", good[i].text, (unsigned long long)ms);
    }
}

Test(moment, of_odd_text_is_refused)
{
    static const char *const bad[] = {
        "soon",
        "0d",
        "d",
        "30",
        "30x",
        "-30d",
        "1.5h",
        "2026-13-01",
        "2026-00-10",
        "2026-02-29",
        "2026-11-31",
        "1969-12-31",
        "1970-01-01",
        "2026-11-2",
        "2026/11/21",
        "2026-11-21T",
        "2026-11-21T04:08:45",
        "2026-11-21T24:00:00Z",
        "2026-11-21T04:60:00Z",
        "2026-11-21T04:08:61Z",
        "2026-11-21T04:08:45.Z",
        "2026-11-21T04:08:45+8:00",
        "2026-11-21T04:08:45Zx",
        "36600000d",
        "99999999999999999999d",
        "1970-01-01T00:00:00+01:00",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t ms = 0;
        cr_expect_not(moment_read(str_of(bad[i]), NOW_MS, &ms), "%s", bad[i]);
    }
}

/* Whatever the clock writes, moment_read reads back; across leap years and year ends. */
Test(moment, is_read_as_it_is_written)
{
    for (uint64_t ms = 1001; ms < 253402300799999ull; ms += 86399999ull * 1000 * 37 / 40) {
        char text[CLOCK_TEXT_BYTES];
        uint64_t back = 0;
        clock_text(ms, text);
        cr_assert(moment_read(str_of(text), NOW_MS, &back), "%s", text);
        cr_assert_eq(back, ms, "%s", text);
    }
}

Test(moment, of_a_report_lies_behind)
{
    uint64_t ms = 1;
    cr_expect(moment_ago(STR("24h"), NOW_MS, &ms) && ms == NOW_MS - 24 * 3600000ull);
    cr_expect(moment_ago(STR("36500d"), NOW_MS, &ms) && ms == 0, "no further than 1970");
    cr_expect(moment_ago(STR("2000-03-01"), NOW_MS, &ms) && ms == 951868800000ull);
    cr_expect(moment_ago(STR("never"), NOW_MS, &ms) && ms == 0);
    cr_expect_not(moment_ago(STR("yesterday"), NOW_MS, &ms));
}
