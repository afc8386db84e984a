/* When providers say that an account may be asked again. */
#include <criterion/criterion.h>

#include "upstream/hint.h"

#define WALL_MS 1763704800000ull /* 2025-11-21T06:00:00Z */
#define HOUR_MS 3600000ull
#define BAD UINT64_MAX

static uint64_t
read_one(const char *value)
{
    uint64_t ms = 0;
    return hint_read(str_of(value), WALL_MS, &ms) == ERR_OK ? ms : BAD;
}

Test(hint, reads_every_form_of_a_time)
{
    static const struct {
        const char *value;
        uint64_t ms;
    } rows[] = {
        { "7", 7000 },
        { "0", 0 },
        { "1.5", 1500 },
        { "6m0s", 360000 },
        { "12ms", 12 },
        { "1h2m3.5s", 3723500 },
        { "1.2ms", 2 },
        { "500us", 1 },
        { "250\xc2\xb5s", 1 },
        { "0s", 0 },
        { "1763704810", 10000 },
        { "1763704810000", 10000 },
        { "1763704790", 0 },
        { "2025-11-21T06:01:00Z", 60000 },
        { "2025-11-21T06:01:00.250Z", 61000 },
        { "2025-11-21T07:01:00+01:00", 60000 },
        { "2025-11-21T05:01:00-01:00", 60000 },
        { "2024-02-29T00:00:00Z", 0 },
        { "Fri, 21 Nov 2025 06:00:30 GMT", 30000 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
        { "99999999h", 366ull * 24 * HOUR_MS },
        { "99999999999999999999", BAD },
        { "", BAD },
        { "soon", BAD },
        { "-1", BAD },
        { "6m0", BAD },
        { "1.", BAD },
        { "2025-13-21T06:01:00Z", BAD },
        { "2025-11-21T06:01:00", BAD },
        { "Fri, 21 Nox 2025 06:00:30 GMT", BAD },
        { "Fri, 21 Nov 2025 06:00:30 CET", BAD },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect(read_one(rows[i].value) == rows[i].ms, "%s: %llu", rows[i].value,
                  (unsigned long long)read_one(rows[i].value));
    }
}

/* "name: value" lines as a head. */
static struct header_list
head_of(const char *text)
{
    static struct header fields[16];
    static struct header_list list;
    struct str rest = str_of(text);
    list = (struct header_list){ .items = fields };
    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n');
        struct str name = str_cut(&value, ':');
        fields[list.count++] = (struct header){ name, str_trim(value) };
    }
    return list;
}

static uint64_t
refused(const char *text)
{
    struct header_list list = head_of(text);
    return hint_refused_ms(&list, WALL_MS, HOUR_MS);
}

static uint64_t
used_up(const char *text)
{
    struct header_list list = head_of(text);
    return hint_used_up_ms(&list, WALL_MS, HOUR_MS);
}

Test(hint, takes_the_provider_at_its_word_within_a_maximum)
{
    cr_expect_eq(refused("Retry-After: 7"), 7000);
    cr_expect_eq(refused("retry-after-ms: 1500\nretry-after: 7"), 1500);
    cr_expect_eq(refused("retry-after: 1555200"), HOUR_MS);
    cr_expect_eq(refused("retry-after: soon\nx-ratelimit-reset-requests: 2s"), 2000);
    cr_expect_eq(refused("retry-after: 0"), 0);
    cr_expect_eq(refused("content-type: text/plain"), 0);
}

Test(hint, the_limit_that_is_used_up_counts)
{
    cr_expect_eq(refused("x-ratelimit-remaining-requests: 5\nx-ratelimit-reset-requests: 1s\n"
                         "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 6m0s"),
                 360000);
    cr_expect_eq(refused("x-ratelimit-reset-requests: 1s\nx-ratelimit-reset-tokens: 6m0s"), 1000);
    cr_expect_eq(refused("anthropic-ratelimit-unified-5h-utilization: 1.01\n"
                         "anthropic-ratelimit-unified-5h-reset: 1763704860\n"
                         "anthropic-ratelimit-unified-7d-utilization: 0.5\n"
                         "anthropic-ratelimit-unified-7d-reset: 1763705700"),
                 60000);
    cr_expect_eq(refused("anthropic-ratelimit-unified-5h-status: rejected\n"
                         "anthropic-ratelimit-unified-5h-reset: 1763704860\n"
                         "anthropic-ratelimit-unified-7d-surpassed-threshold: true\n"
                         "anthropic-ratelimit-unified-7d-reset: 1763705700"),
                 900000);
    cr_expect_eq(refused("anthropic-ratelimit-tokens-remaining: 0\n"
                         "anthropic-ratelimit-tokens-reset: 2025-11-21T06:00:09Z"),
                 9000);
    cr_expect_eq(refused("anthropic-ratelimit-unified-reset: 1763704803"), 3000);
    cr_expect_eq(refused("x-codex-primary-used-percent: 100\n"
                         "x-codex-primary-reset-after-seconds: 90\n"
                         "x-codex-secondary-used-percent: 40\n"
                         "x-codex-secondary-reset-after-seconds: 4000"),
                 90000);
}

Test(hint, a_success_may_use_up_the_last)
{
    cr_expect_eq(used_up("x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 2s"),
                 2000);
    cr_expect_eq(used_up("X-RateLimit-Remaining-Tokens: 0\nx-ratelimit-reset-tokens: 12ms"), 12);
    cr_expect_eq(used_up("x-ratelimit-remaining-requests: 1\nx-ratelimit-reset-requests: 2s"), 0);
    cr_expect_eq(used_up("x-ratelimit-remaining-requests: 0"), 0);
    cr_expect_eq(used_up("anthropic-ratelimit-unified-5h-utilization: 1\nage: 0"), 0);
}

static uint64_t
in_body(const char *body)
{
    return hint_body_ms(str_of(body), WALL_MS, HOUR_MS);
}

Test(hint, reads_a_body_that_says_when)
{
    cr_expect_eq(in_body("{\"error\":{\"type\":\"usage_limit_reached\",\"resets_in_seconds\":90}}"),
                 90000);
    cr_expect_eq(in_body("{\"error\":{\"resets_at\": 1763704860}}"), 60000);
    cr_expect_eq(in_body("{\"message\":\"Rate limit reached. Please try again in 1m2s. Visit\"}"),
                 62000);
    cr_expect_eq(in_body("{\"message\":\"Please try again in 6.5s.\"}"), 6500);
    cr_expect_eq(in_body("{\"message\":\"Please try again in 240ms\"}"), 240);
    cr_expect_eq(in_body("{\"message\":\"Please try again in a moment\"}"), 0);
    cr_expect_eq(in_body("{\"resets_in_seconds\":9999999}"), HOUR_MS);
    cr_expect_eq(in_body("{\"resets_at\":17}"), 17000, "a small number is a time to wait");
    cr_expect_eq(in_body("{\"resets_in_seconds\":"), 0);
    cr_expect_eq(in_body(""), 0);
}
