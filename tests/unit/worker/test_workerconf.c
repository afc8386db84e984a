/* The [worker] section: what holds when nothing is said, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "worker/workerconf.h"

static const struct setting_section *
section(void)
{
    static struct setting_section one;
    one = (struct setting_section){ "worker", workerconf_rows, workerconf_row_count, 0, "" };
    return &one;
}

static enum err
apply(struct workerconf *conf, const char *key, const char *value, struct setting_error *error)
{
    return setting_apply(section(), 1, conf, STR("worker"), str_of(key), str_of(value), "--set",
                         error);
}

Test(workerconf, has_the_agreed_defaults)
{
    struct workerconf conf;
    memset(&conf, 0xff, sizeof conf);
    setting_defaults(section(), 1, &conf);
    cr_expect_eq(conf.on_client_gone, WORKERCONF_ABORT);
    cr_expect_eq(conf.drain_ms, 30000);
    cr_expect_eq(conf.drain_bytes, 8u << 20);
    cr_expect_eq(conf.ping_interval_ms, 15000);
    cr_expect_eq(conf.half_close_ms, 500);
    cr_expect_eq(conf.auth_failures, 120);
    cr_expect_eq(conf.auth_window_ms, 60000);
    cr_expect_eq(conf.queue_per_user, 20);
    cr_expect_eq(conf.queue_per_group, 100);
    cr_expect_eq(conf.queue_user_ms, 30000);
    cr_expect_eq(conf.queue_account_ms, 30000);
    cr_expect_eq(conf.queue_bound_ms, 120000);
    cr_expect_eq(conf.sticky_ms, 3600000);
    cr_expect_eq(conf.log_requests, WORKERCONF_LOG_ALL);
}

Test(workerconf, takes_every_choice_by_its_word)
{
    struct workerconf conf;
    struct setting_error error;
    setting_defaults(section(), 1, &conf);
    cr_expect_eq(apply(&conf, "on_client_gone", "drain", &error), ERR_OK);
    cr_expect_eq(conf.on_client_gone, WORKERCONF_DRAIN);
    static const char *const words[] = { "all", "errors", "none" };
    for (uint32_t i = 0; i < 3; i++) {
        cr_expect_eq(apply(&conf, "log_requests", words[i], &error), ERR_OK, "%s", words[i]);
        cr_expect_eq(conf.log_requests, i);
    }
}

Test(workerconf, lets_queues_pings_and_sessions_be_switched_off)
{
    static const char *const keys[] = { "ping_interval", "auth_failures",    "queue_per_user",
                                        "sticky_time",   "queue_bound_time", "queue_per_group",
                                        "half_close" };
    struct workerconf conf;
    struct setting_error error;
    setting_defaults(section(), 1, &conf);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        cr_expect_eq(apply(&conf, keys[i], "0", &error), ERR_OK, "%s: %s", keys[i], error.text);
    }
    cr_expect(conf.ping_interval_ms == 0 && conf.auth_failures == 0 && conf.queue_per_user == 0);
    cr_expect(conf.sticky_ms == 0 && conf.queue_bound_ms == 0 && conf.queue_per_group == 0);
}

Test(workerconf, refuses_what_is_out_of_range_and_keeps_what_was_there)
{
    static const char *const bad[][2] = {
        { "on_client_gone", "shrug" },   { "log_requests", "some" },
        { "drain_time", "11m" },         { "drain_bytes", "2g" },
        { "ping_interval", "1h" },       { "half_close", "2m" },
        { "auth_window", "500ms" },      { "auth_window", "2h" },
        { "auth_failures", "-1" },       { "queue_per_user", "100001" },
        { "queue_user_time", "2h" },     { "queue_per_group", "1e3" },
        { "queue_account_time", "61m" }, { "queue_bound_time", "2h" },
        { "sticky_time", "1y" },         { "queue_per_key", "1" },
        { "sticky_time", "99999999h" }
    };
    struct workerconf conf;
    struct workerconf before;
    setting_defaults(section(), 1, &before);
    conf = before;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct setting_error error = { "" };
        cr_expect_eq(apply(&conf, bad[i][0], bad[i][1], &error), ERR_BAD, "%s=%s", bad[i][0],
                     bad[i][1]);
        cr_expect(strstr(error.text, bad[i][0]) != NULL, "%s", error.text);
    }
    cr_expect_eq(memcmp(&conf, &before, sizeof conf), 0);
}
