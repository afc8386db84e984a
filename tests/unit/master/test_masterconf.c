/* The [master] section: what holds when nothing is said, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "master/masterconf.h"

static const struct setting_section *
section(void)
{
    static struct setting_section one;
    one = (struct setting_section){ "master", masterconf_rows, masterconf_row_count, 0, "" };
    return &one;
}

static enum err
apply(struct masterconf *conf, const char *key, const char *value, struct setting_error *error)
{
    return setting_apply(section(), 1, conf, STR("master"), str_of(key), str_of(value), "--set",
                         error);
}

Test(masterconf, has_the_agreed_defaults)
{
    struct masterconf conf;
    memset(&conf, 0xff, sizeof conf);
    setting_defaults(section(), 1, &conf);
    cr_expect_eq(conf.workers, 0, "one a core");
    cr_expect_eq(conf.grace_ms, 30000);
    cr_expect_eq(conf.log_level, LOG_INFO);
    cr_expect_str_eq(conf.user, "", "it stays who it is");
}

Test(masterconf, knows_the_levels_by_the_words_of_the_log)
{
    static const char *const words[] = { "debug", "info", "warn", "error" };
    struct masterconf conf;
    struct setting_error error;
    setting_defaults(section(), 1, &conf);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        enum log_level level;
        cr_assert(log_level_parse(str_of(words[i]), &level));
        cr_expect_eq(apply(&conf, "log_level", words[i], &error), ERR_OK);
        cr_expect_eq(conf.log_level, level, "%s", words[i]);
    }
}

Test(masterconf, refuses_what_is_out_of_range)
{
    char long_name[80];
    memset(long_name, 'u', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const bad[][2] = { { "workers", "65" },   { "workers", "-1" },
                                   { "workers", "many" }, { "grace", "61m" },
                                   { "grace", "soon" },   { "log_level", "loud" },
                                   { "user", long_name }, { "group", "staff" } };
    _Static_assert(WORKERS_MAX == 64, "65 above is one too many");
    struct masterconf conf;
    setting_defaults(section(), 1, &conf);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct setting_error error = { "" };
        cr_expect_eq(apply(&conf, bad[i][0], bad[i][1], &error), ERR_BAD, "%s=%s", bad[i][0],
                     bad[i][1]);
    }
    struct setting_error error;
    cr_expect_eq(apply(&conf, "workers", "64", &error), ERR_OK);
    cr_expect_eq(apply(&conf, "grace", "0", &error), ERR_OK, "cut off at once: allowed");
    cr_expect(conf.workers == 64 && conf.grace_ms == 0);
}

Test(masterconf, a_reload_may_change_all_but_the_user)
{
    struct masterconf before;
    struct masterconf after;
    struct setting_error error;
    const char *name = NULL;
    setting_defaults(section(), 1, &before);
    after = before;
    cr_assert_eq(apply(&after, "workers", "2", &error), ERR_OK);
    cr_assert_eq(apply(&after, "grace", "1s", &error), ERR_OK);
    cr_assert_eq(apply(&after, "log_level", "debug", &error), ERR_OK);
    cr_expect_null(setting_find_frozen(section(), 1, &before, &after, &name));
    cr_assert_eq(apply(&after, "user", "nobody", &error), ERR_OK);
    const struct setting *frozen = setting_find_frozen(section(), 1, &before, &after, &name);
    cr_assert_not_null(frozen);
    cr_expect_str_eq(frozen->key, "user");
}
