/* The [admin] section: what stands there unless it is said, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "admin/adminconf.h"
#include "admin/errand.h"
#include "store/storeconf.h"

static struct adminconf conf;

static bool
takes(const char *key, const char *value)
{
    const struct setting_section section = { "admin", adminconf_rows, adminconf_row_count, 0, "" };
    struct setting_error error = { "" };
    enum err err = setting_apply(&section, 1, &conf, STR("admin"), str_of(key), str_of(value),
                                 "--set", &error);
    cr_expect_eq(err == ERR_OK, error.text[0] == '\0');
    cr_expect(err == ERR_OK || strstr(error.text, key) != NULL, "it names the setting: %s",
              error.text);
    return err == ERR_OK;
}

static void
begin(void)
{
    const struct setting_section section = { "admin", adminconf_rows, adminconf_row_count, 0, "" };
    setting_defaults(&section, 1, &conf);
}

Test(adminconf, stands_at_sane_values)
{
    begin();
    cr_expect_str_eq(conf.socket, "");
    cr_expect_eq(conf.allow_uid, 0);
    cr_expect_eq(conf.probe_interval_ms, 30000);
    cr_expect_eq(conf.test_timeout_ms, 30000);
    cr_expect_eq(conf.resolve_interval_ms, 60000);
}

Test(adminconf, bounds_what_is_said)
{
    begin();
    cr_expect(takes("probe_interval", "0") && conf.probe_interval_ms == 0);
    cr_expect(takes("probe_interval", "1h") && conf.probe_interval_ms == 3600000);
    cr_expect(!takes("probe_interval", "2h") && !takes("probe_interval", "-1s"));
    cr_expect(!takes("probe_interval", "often") && conf.probe_interval_ms == 3600000);
    cr_expect(!takes("test_timeout", "0") && !takes("test_timeout", "11m"));
    cr_expect(!takes("resolve_interval", "10ms") && !takes("session_interval", "2d"));
    cr_expect(takes("allow_uid", "4294967295") && !takes("allow_uid", "4294967296"));
    char path[120];
    snprintf(path, sizeof path, "/%0*d", 110, 1);
    cr_expect(!takes("socket", path), "longer than a UNIX socket's path may be");
}

/* Where the gateway puts its socket unless told otherwise is where sub2apictl looks for it. */
Test(adminconf, agrees_with_sub2apictl_about_the_socket)
{
    struct storeconf store;
    char path[sizeof store.dir + 32];
    const struct setting_section section = { "store", storeconf_rows, storeconf_row_count, 0, "" };
    setting_defaults(&section, 1, &store);
    snprintf(path, sizeof path, "%s/admin.sock", store.dir);
    cr_expect_str_eq(path, ERRAND_SOCKET);
}
