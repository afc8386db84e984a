#include <criterion/criterion.h>
#include <time.h>

#include "base/clock.h"
#include "http/heading.h"

Test(heading, writes_dates_as_the_library_does)
{
    static const uint64_t times[] = { 0,          784111777,  951782399,  951782400,   1078012800,
                                      1709164800, 1735689599, 4102444799, 253402300799 };
    for (uint64_t i = 0; i < sizeof(times) / sizeof(times[0]) + 2000; i++) {
        size_t known = sizeof(times) / sizeof(times[0]);
        uint64_t at = i < known ? times[i] : (i - known) * 86399 * 40;
        char wanted[64];
        char text[HEADING_DATE_BYTES];
        time_t seconds = (time_t)at;
        struct tm parts;
        (void)gmtime_r(&seconds, &parts);
        (void)strftime(wanted, sizeof(wanted), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        heading_date_text(at, text);
        cr_assert(str_equal(str_of(text), str_of(wanted)), "%s instead of %s", text, wanted);
    }
}

Test(heading, keeps_a_date_for_its_second)
{
    struct heading_date date = { 0 };
    clock_set_fake(5000000000ull, 784111777400ull);
    heading_date_refresh(&date, 5000);
    cr_expect(str_equal(str_of(date.text), STR("Sun, 06 Nov 1994 08:49:37 GMT")));
    cr_expect(date.until_ms == 5600);
    clock_set_fake(5599000000ull, 784111778000ull);
    heading_date_refresh(&date, 5599);
    cr_expect(str_equal(str_of(date.text), STR("Sun, 06 Nov 1994 08:49:37 GMT")));
    heading_date_refresh(&date, 5600);
    cr_expect(str_equal(str_of(date.text), STR("Sun, 06 Nov 1994 08:49:38 GMT")));
    clock_set_fake(0, 0);
}

static void
expect_text(struct heading heading, const char *wanted)
{
    struct heading_date date;
    heading_date_text(784111777, date.text);
    char out[HEADING_BYTES];
    uint32_t len = heading_text(&heading, &date, out);
    cr_expect(str_equal(str_make(out, len), str_of(wanted)), "%.*s", (int)len, out);
}

#define DATE "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

Test(heading, writes_every_framing)
{
    expect_text((struct heading){ 200, HEADING_LENGTH, HEADING_SILENT, 12 },
                "HTTP/1.1 200 OK\r\n" DATE "content-length: 12\r\n");
    expect_text((struct heading){ 200, HEADING_CHUNKED, HEADING_KEEP_ALIVE, 0 },
                "HTTP/1.1 200 OK\r\n" DATE
                "transfer-encoding: chunked\r\nconnection: keep-alive\r\n");
    expect_text((struct heading){ 431, HEADING_LENGTH, HEADING_CLOSE, UINT64_MAX },
                "HTTP/1.1 431 Request Header Fields Too Large\r\n" DATE
                "content-length: 18446744073709551615\r\nconnection: close\r\n");
    expect_text((struct heading){ 204, HEADING_NO_BODY, HEADING_SILENT, 0 },
                "HTTP/1.1 204 No Content\r\n" DATE);
    expect_text((struct heading){ 299, HEADING_UNTIL_CLOSE, HEADING_CLOSE, 0 },
                "HTTP/1.1 299 Unknown\r\n" DATE "connection: close\r\n");
}
