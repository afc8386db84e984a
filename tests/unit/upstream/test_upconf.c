/* The [upstream] section: what holds when nothing is said, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "upstream/upconf.h"

static const struct setting_section *
section(void)
{
    static struct setting_section one;
    one = (struct setting_section){ "upstream", upconf_rows, upconf_row_count, 0, "" };
    return &one;
}

static enum err
apply(struct upconf *conf, const char *key, const char *value)
{
    struct setting_error error;
    return setting_apply(section(), 1, conf, STR("upstream"), str_of(key), str_of(value), "--set",
                         &error);
}

Test(upconf, has_the_agreed_defaults)
{
    struct upconf conf;
    memset(&conf, 0xff, sizeof conf);
    setting_defaults(section(), 1, &conf);
    cr_expect(!conf.allow_http && !conf.allow_private, "what is dangerous is asked for");
    cr_expect_eq(conf.resolve_ms, 5000);
    cr_expect_eq(conf.connect_ms, 5000);
    cr_expect_eq(conf.handshake_ms, 10000);
    cr_expect_eq(conf.first_byte_ms, 120000);
    cr_expect_eq(conf.idle_ms, 180000);
    cr_expect_eq(conf.pool_idle_ms, 50000);
    cr_expect_eq(conf.pool_per_account, 128);
    cr_expect_eq(conf.max_switches, 3);
    cr_expect_eq(conf.slow_first_byte_ms, 0);
    cr_expect_eq(conf.bench_ms_max, 3600000);
    cr_expect_eq(conf.tls_version_max, 1);
    cr_expect_str_eq(conf.ca_file, "");
    cr_expect_eq(conf.answer_bytes_max, 128u << 20);
    cr_expect_lt(conf.max_switches + 1, ATTEMPTS_MAX, "every attempt is remembered");
}

Test(upconf, takes_values_at_their_bounds)
{
    struct upconf conf;
    setting_defaults(section(), 1, &conf);
    cr_expect_eq(apply(&conf, "allow_private", "yes"), ERR_OK);
    cr_expect_eq(apply(&conf, "allow_http", "on"), ERR_OK);
    cr_expect(conf.allow_private && conf.allow_http);
    cr_expect_eq(apply(&conf, "pool_idle", "0"), ERR_OK, "0 keeps none");
    cr_expect_eq(apply(&conf, "max_switches", "0"), ERR_OK);
    cr_expect_eq(apply(&conf, "tls_version_max", "1.2"), ERR_OK);
    cr_expect_eq(conf.tls_version_max, 0);
    cr_expect_eq(apply(&conf, "first_byte_timeout", "1h"), ERR_OK);
    cr_expect_eq(conf.first_byte_ms, 3600000);
    cr_expect_eq(apply(&conf, "ca_file", "/etc/ssl/x.pem"), ERR_OK);
    cr_expect_str_eq(conf.ca_file, "/etc/ssl/x.pem");
}

Test(upconf, refuses_what_is_out_of_range_and_keeps_what_was_there)
{
    static const char *const bad[][2] = {
        { "allow_private", "maybe" },        { "resolve_timeout", "0" },
        { "connect_timeout", "61s" },        { "handshake_timeout", "99ms" },
        { "first_byte_timeout", "61m" },     { "idle_timeout", "soon" },
        { "pool_per_account", "-1" },        { "pool_per_account", "4294967295" },
        { "max_switches", "100" },           { "bench_max", "999ms" },
        { "tls_version_max", "1.1" },        { "answer_bytes_max", "1k" },
        { "answer_bytes_max", "99999999t" }, { "no_such_key", "1" },
    };
    struct upconf conf;
    struct upconf before;
    setting_defaults(section(), 1, &before);
    conf = before;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(apply(&conf, bad[i][0], bad[i][1]), ERR_BAD, "%s = %s", bad[i][0], bad[i][1]);
        cr_expect_eq(memcmp(&conf, &before, sizeof conf), 0, "%s = %s", bad[i][0], bad[i][1]);
    }
}
