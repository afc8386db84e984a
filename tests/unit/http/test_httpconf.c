/* The [http] section: what holds when nothing is said, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "http/httpconf.h"

static const struct setting_section *
section(void)
{
    static struct setting_section one;
    one = (struct setting_section){ "http", httpconf_rows, httpconf_row_count, 0, "" };
    return &one;
}

static enum err
apply(struct httpconf *conf, const char *key, const char *value)
{
    struct setting_error error;
    return setting_apply(section(), 1, conf, STR("http"), str_of(key), str_of(value), "--set",
                         &error);
}

Test(httpconf, has_the_agreed_defaults)
{
    static struct httpconf conf;
    memset(&conf, 0xff, sizeof conf);
    setting_defaults(section(), 1, &conf);
    cr_expect_eq(conf.listen.count, 1);
    cr_expect_str_eq(conf.listen.items[0], "127.0.0.1:8080", "not reachable from elsewhere");
    cr_expect_eq(conf.body_bytes_max, 64u << 20);
    cr_expect_eq(conf.body_pool_bytes, 1u << 30);
    cr_expect_eq(conf.conns_max, 10000);
    cr_expect_eq(conf.conns_per_address, 1024);
    cr_expect_eq(conf.head_timeout_ms, 10000);
    cr_expect_eq(conf.body_timeout_ms, 10000);
    cr_expect_eq(conf.body_rate_min, 1024);
    cr_expect_eq(conf.idle_timeout_ms, 75000);
    cr_expect_eq(conf.send_timeout_ms, 60000);
    cr_expect_eq(conf.requests_per_conn, 1000);
    cr_expect_eq(conf.backlog, 1024);
    cr_expect_leq(conf.body_bytes_max, BODY_BYTES_LIMIT);
    cr_expect_leq(conf.body_bytes_max, conf.body_pool_bytes, "one body must fit the pool");
}

Test(httpconf, takes_sizes_and_times_at_their_bounds)
{
    static struct httpconf conf;
    setting_defaults(section(), 1, &conf);
    cr_expect_eq(apply(&conf, "body_bytes_max", "1k"), ERR_OK);
    cr_expect_eq(conf.body_bytes_max, 1024);
    cr_expect_eq(apply(&conf, "body_pool_bytes", "1m"), ERR_OK);
    cr_expect_eq(conf.body_pool_bytes, 1u << 20);
    cr_expect_eq(apply(&conf, "head_timeout", "100ms"), ERR_OK);
    cr_expect_eq(conf.head_timeout_ms, 100);
    cr_expect_eq(apply(&conf, "idle_timeout", "1h"), ERR_OK);
    cr_expect_eq(conf.idle_timeout_ms, 3600000);
    cr_expect_eq(apply(&conf, "body_rate_min", "0"), ERR_OK, "0 turns it off");
    cr_expect_eq(conf.body_rate_min, 0);
}

Test(httpconf, refuses_what_is_out_of_range_and_keeps_what_was_there)
{
    static const char *const bad[][2] = { { "body_bytes_max", "1023" },
                                          { "body_bytes_max", "1t" },
                                          { "body_pool_bytes", "1023k" },
                                          { "conns_max", "0" },
                                          { "conns_max", "4294967295" },
                                          { "conns_per_address", "0" },
                                          { "head_timeout", "99ms" },
                                          { "head_timeout", "11m" },
                                          { "body_timeout", "0" },
                                          { "idle_timeout", "61m" },
                                          { "send_timeout", "forever" },
                                          { "requests_per_conn", "0" },
                                          { "backlog", "0" },
                                          { "backlog", "65536" },
                                          { "body_rate_min", "-1" },
                                          { "no_such_key", "1" },
                                          { "body_bytes_max", "64 apples" } };
    static struct httpconf conf;
    static struct httpconf before;
    setting_defaults(section(), 1, &before);
    conf = before;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(apply(&conf, bad[i][0], bad[i][1]), ERR_BAD, "%s = %s", bad[i][0], bad[i][1]);
        cr_expect_eq(memcmp(&conf, &before, sizeof conf), 0, "%s = %s", bad[i][0], bad[i][1]);
    }
}
