#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/config.h"

static char file[] = "/tmp/sub2api-test-XXXXXX";

static const char *
write_file(const char *text)
{
    int fd = mkstemp(file);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return file;
}

Test(config, has_a_default_for_everything)
{
    static struct config config;
    struct setting_error error;
    cr_assert_eq(config_load(NULL, NULL, 0, &config, &error), ERR_OK, "%s", error.text);
    cr_assert_eq(config.master.grace_ms, 30000);
    cr_assert_eq(config.http.listen.count, 1);
    cr_assert_str_eq(config.http.listen.items[0], "127.0.0.1:8080");
    cr_assert_str_eq(config.store.dir, "data");
    cr_assert(!config.upstream.allow_http && !config.upstream.allow_private);
}

Test(config, reads_the_file_and_then_the_command_line)
{
    static struct config config;
    struct setting_error error;
    char set[] = "master.grace = 7s";
    char *sets[] = { set };
    const char *path = write_file("# one\n[master]\nworkers = 3\ngrace = 5s\n\n[http]\n"
                                  "listen = 127.0.0.1:1\nlisten = 127.0.0.1:2\n");
    cr_assert_eq(config_load(path, sets, 1, &config, &error), ERR_OK, "%s", error.text);
    cr_assert_eq(config.master.workers, 3);
    cr_assert_eq(config.master.grace_ms, 7000);
    cr_assert_eq(config.http.listen.count, 2);
    cr_assert_str_eq(config.http.listen.items[1], "127.0.0.1:2");
    unlink(path);
}

/* Refused with the file, the line and a word that tells why. */
static void
refused(const char *text, const char *where, const char *word)
{
    static struct config config;
    struct setting_error error = { "" };
    snprintf(file, sizeof(file), "/tmp/sub2api-test-XXXXXX");
    const char *path = write_file(text);
    enum err err = config_load(path, NULL, 0, &config, &error);
    unlink(path);
    char expected[128];
    snprintf(expected, sizeof(expected), "%s%s", path, where);
    cr_expect_eq(err, ERR_BAD, "%s: was taken", text);
    cr_expect(strstr(error.text, expected) != NULL, "no %s in: %s", expected, error.text);
    cr_expect(strstr(error.text, word) != NULL, "no %s in: %s", word, error.text);
}

Test(config, names_file_and_line_of_what_it_refuses)
{
    refused("[master]\nworkers = 3\nwrokers = 2\n", ":3", "wrokers");
    refused("\n\n[mastre]\nworkers = 3\n", ":4", "mastre");
    refused("[master]\nworkers = many\n", ":2", "workers");
    refused("[master]\nworkers = 65\n", ":2", "64");
    refused("[master]\nlog_level = loud\n", ":2", "log_level");
    refused("[master]\nworkers\n", ":2", "");
}

Test(config, refuses_a_file_that_is_not_there)
{
    static struct config config;
    struct setting_error error = { "" };
    cr_assert_eq(config_load("/nowhere/sub2api.ini", NULL, 0, &config, &error), ERR_GONE);
    cr_assert(strstr(error.text, "/nowhere/sub2api.ini") != NULL);
}

Test(config, refuses_a_set_that_is_none)
{
    static struct config config;
    const char *bad[] = { "", "workers=3", "master.workers", "master.=1", "master.x=1", "=" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct setting_error error = { "" };
        char text[32];
        snprintf(text, sizeof(text), "%s", bad[i]);
        char *sets[] = { text };
        cr_expect_eq(config_load(NULL, sets, 1, &config, &error), ERR_BAD, "%s", bad[i]);
        cr_expect(strstr(error.text, "--set") != NULL, "%s: %s", bad[i], error.text);
    }
}

Test(config, prints_what_it_reads_back)
{
    static struct config first;
    static struct config second;
    struct setting_error error;
    char set[] = "http.listen=127.0.0.1:9";
    char *sets[] = { set };
    cr_assert_eq(config_load(NULL, sets, 1, &first, &error), ERR_OK);
    struct buf buf;
    buf_init(&buf, 1u << 20);
    cr_assert_eq(setting_print(config_sections(), CONFIG_SECTIONS, &first, true, &buf), ERR_OK);
    cr_assert_eq(buf_append(&buf, (struct str){ "", 1 }), ERR_OK);
    snprintf(file, sizeof(file), "/tmp/sub2api-test-XXXXXX");
    const char *path = write_file(buf_str(&buf).data);
    cr_assert_eq(config_load(path, NULL, 0, &second, &error), ERR_OK, "%s", error.text);
    unlink(path);
    struct buf again;
    buf_init(&again, 1u << 20);
    cr_assert_eq(setting_print(config_sections(), CONFIG_SECTIONS, &second, true, &again), ERR_OK);
    cr_assert_eq(buf_append(&again, (struct str){ "", 1 }), ERR_OK);
    cr_assert_str_eq(buf_str(&buf).data, buf_str(&again).data);
    cr_assert_str_eq(second.http.listen.items[0], "127.0.0.1:9");
    const char *section = NULL;
    cr_assert_null(
        setting_find_frozen(config_sections(), CONFIG_SECTIONS, &first, &second, &section));
    buf_fini(&again);
    buf_fini(&buf);
}
