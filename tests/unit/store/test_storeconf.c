#include "store/storeconf.h"

#include <criterion/criterion.h>

static const struct setting_section *
section(void)
{
    static struct setting_section one;
    one = (struct setting_section){ "store", storeconf_rows, storeconf_row_count, 0, "" };
    return &one;
}

Test(storeconf, has_the_agreed_defaults)
{
    struct storeconf conf;
    setting_defaults(section(), 1, &conf);
    cr_expect_str_eq(conf.dir, "data");
    cr_expect_eq(conf.map_bytes, 64ull << 30);
    cr_expect_eq(conf.commit_ms, 50);
    cr_expect_eq(conf.keep_days, 90);
}

Test(storeconf, refuses_what_is_out_of_range)
{
    static const char *const bad[][2] = { { "map_bytes", "1k" },        { "map_bytes", "17000g" },
                                          { "commit_interval", "0ms" }, { "commit_interval", "1h" },
                                          { "keep_days", "0" },         { "keep_days", "forever" },
                                          { "path", "somewhere" } };
    struct storeconf conf;
    struct setting_error error;
    setting_defaults(section(), 1, &conf);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(setting_apply(section(), 1, &conf, STR("store"), str_of(bad[i][0]),
                                   str_of(bad[i][1]), "test:1", &error),
                     ERR_BAD, "%s=%s", bad[i][0], bad[i][1]);
    }
    cr_expect_eq(setting_apply(section(), 1, &conf, STR("store"), STR("commit_interval"),
                               STR("5ms"), "test:1", &error),
                 ERR_OK);
    cr_expect_eq(conf.commit_ms, 5);
}
