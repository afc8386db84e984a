/*
 * fuzz_ini.c - any text as an ini into a small table: it is refused with a line and a reason, or
 * what it gives stays in range and reads back equal from its own print.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/ini.h"
#include "base/setting.h"

struct config {
    bool flag;
    uint32_t count;
    uint64_t total;
    uint32_t wait_ms;
    uint64_t bytes;
    char name[20];
    uint32_t choice;
    struct setting_list list;
};

static const char *const choices[] = { "red", "green", "blue", NULL };

#define ROW(word, kind, field, low, high, value)                                  \
    {                                                                             \
        .key = word, .type = kind, .offset = offsetof(struct config, field),      \
        .size = sizeof(((struct config *)NULL)->field), .min = low, .max = high,  \
        .standard = value, .unit = "", .choices = choices, .is_reloadable = true, \
        .help = "What it is for."                                                 \
    }

static const struct setting rows[] = {
    ROW("flag", SETTING_BOOL, flag, 0, 0, "yes"),
    ROW("count", SETTING_U32, count, 1, 1000, "5"),
    ROW("total", SETTING_U64, total, 0, 0, "7"),
    ROW("wait", SETTING_MS, wait_ms, 10, 3600000, "5s"),
    ROW("bytes", SETTING_BYTES, bytes, 0, 1ULL << 40, "64k"),
    ROW("name", SETTING_TEXT, name, 0, 0, "house"),
    ROW("choice", SETTING_CHOICE, choice, 0, 0, "green"),
    ROW("list", SETTING_LIST, list, 0, 0, "one"),
};

static const struct setting_section sections[] = {
    { "a", rows, sizeof(rows) / sizeof(rows[0]), 0, "All there is." },
};

static enum err
take_line(void *context, uint32_t line, struct str section, struct str key, struct str value)
{
    struct setting_error error;
    char where[32];
    snprintf(where, sizeof(where), "fuzz.ini:%u", line);
    enum err err = setting_apply(sections, 1, context, section, key, value, where, &error);
    CHECK((err == ERR_OK) == (error.text[0] == '\0'));
    CHECK(strnlen(error.text, sizeof(error.text)) < sizeof(error.text));
    return err;
}

static enum err
read_into(struct str text, struct config *config)
{
    memset(config, 0, sizeof(*config));
    setting_defaults(sections, 1, config);
    uint32_t bad_line = 0;
    const char *reason = NULL;
    enum err err = ini_read(text, take_line, config, &bad_line, &reason);
    CHECK(err == ERR_OK ? bad_line == 0 && reason == NULL : bad_line > 0 || reason != NULL);
    return err;
}

static void
check_range(const struct config *config)
{
    CHECK(config->count >= 1 && config->count <= 1000);
    CHECK(config->wait_ms >= 10 && config->wait_ms <= 3600000);
    CHECK(config->bytes <= 1ULL << 40);
    CHECK(config->choice < 3);
    CHECK(strnlen(config->name, sizeof(config->name)) < sizeof(config->name));
    CHECK(config->list.count <= SETTING_LIST_ITEMS_MAX);
}

static void
check_reads_back(const struct config *config, bool with_help)
{
    static struct config again;
    struct buf buf;
    buf_init(&buf, 1 << 20);
    CHECK(setting_print(sections, 1, config, with_help, &buf) == ERR_OK);
    CHECK(read_into(buf_str(&buf), &again) == ERR_OK);
    again.list.source = config->list.source; /* who gave it is not printed */
    CHECK(memcmp(config, &again, sizeof(again)) == 0);
    buf_fini(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    if (read_into(str_make((const char *)data, size), &config) == ERR_OK) {
        check_range(&config);
        check_reads_back(&config, false);
        check_reads_back(&config, true);
    }
    return 0;
}
