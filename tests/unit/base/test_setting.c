#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/ini.h"
#include "base/setting.h"

struct house {
    bool is_open;
    uint32_t doors;
    uint64_t stones;
    uint32_t wait_ms;
    uint64_t room_bytes;
    char name[12];
    uint32_t colour;
    struct setting_list listen;
};

struct garden {
    uint32_t trees;
};

struct config {
    int before;
    struct house house;
    struct garden garden;
};

static const char *const colours[] = { "red", "green", NULL };

#define ROW(keyword, kind, field, low, high, value, can_reload)                                    \
    {                                                                                              \
        .key = keyword, .type = kind, .offset = offsetof(struct house, field),                     \
        .size = sizeof(((struct house *)NULL)->field), .min = low, .max = high, .standard = value, \
        .unit = "pieces", .choices = colours, .is_reloadable = can_reload,                         \
        .help = "What " keyword " is for, in a sentence that is long enough to need more than "    \
                "one line of comment in the file that is shipped."                                 \
    }

static const struct setting house_rows[] = {
    ROW("open", SETTING_BOOL, is_open, 0, 0, "yes", true),
    ROW("doors", SETTING_U32, doors, 1, 20, "2", false),
    ROW("stones", SETTING_U64, stones, 0, 0, "5000000000", true),
    ROW("wait", SETTING_MS, wait_ms, 100, 7200000, "90s", true),
    ROW("room", SETTING_BYTES, room_bytes, 1024, 1ULL << 40, "64k", true),
    ROW("name", SETTING_TEXT, name, 0, 0, "", true),
    ROW("colour", SETTING_CHOICE, colour, 0, 0, "green", true),
    ROW("listen", SETTING_LIST, listen, 0, 0, "127.0.0.1:1\n[::1]:1", false),
};

static const struct setting garden_rows[] = {
    { .key = "trees",
      .type = SETTING_U32,
      .offset = offsetof(struct garden, trees),
      .size = sizeof(uint32_t),
      .max = 100,
      .standard = "3",
      .unit = "",
      .is_reloadable = false,
      .help = "How many." },
};

static const struct setting_section sections[] = {
    { "house", house_rows, sizeof(house_rows) / sizeof(house_rows[0]),
      offsetof(struct config, house), "Where we live." },
    { "garden", garden_rows, 1, offsetof(struct config, garden), NULL },
};
#define SECTION_COUNT (sizeof(sections) / sizeof(sections[0]))

static struct config config;
static struct setting_error error;
static int lines; /* a new line number for each line: the file gives each key once */

static enum err
apply_at(const char *where, const char *section, const char *key, const char *value)
{
    return setting_apply(sections, SECTION_COUNT, &config, str_of(section), str_of(key),
                         str_of(value), where, &error);
}

static enum err
set(const char *key, const char *value)
{
    return apply_at("--set", "house", key, value);
}

static void
refused(const char *key, const char *value, const char *want)
{
    struct config before = config;
    cr_assert_eq(set(key, value), ERR_BAD, "%s = %s", key, value);
    cr_assert_str_eq(error.text, want);
    cr_assert_eq(memcmp(&before, &config, sizeof(config)), 0, "a refused line changes nothing");
}

static void
start(void)
{
    memset(&config, 0, sizeof(config));
    config.before = 77;
    setting_defaults(sections, SECTION_COUNT, &config);
}

Test(setting, starts_with_the_standard_values, .init = start)
{
    cr_assert_eq(config.before, 77);
    cr_assert(config.house.is_open);
    cr_assert_eq(config.house.doors, 2);
    cr_assert_eq(config.house.stones, 5000000000ULL);
    cr_assert_eq(config.house.wait_ms, 90000);
    cr_assert_eq(config.house.room_bytes, 65536);
    cr_assert_str_eq(config.house.name, "");
    cr_assert_eq(config.house.colour, 1);
    cr_assert_eq(config.house.listen.count, 2);
    cr_assert_str_eq(config.house.listen.items[1], "[::1]:1");
    cr_assert_eq(config.garden.trees, 3);
}

Test(setting, reads_each_type, .init = start)
{
    cr_assert_eq(set("open", "Off"), ERR_OK);
    cr_assert_not(config.house.is_open);
    cr_assert_eq(set("open", "1"), ERR_OK);
    cr_assert(config.house.is_open);
    cr_assert_eq(set("doors", "20"), ERR_OK);
    cr_assert_eq(config.house.doors, 20);
    cr_assert_eq(set("stones", "18446744073709551615"), ERR_OK);
    cr_assert_eq(config.house.stones, UINT64_MAX);
    static const struct {
        const char *text;
        uint32_t ms;
    } times[] = { { "500ms", 500 },  { "7", 7000 },     { "30s", 30000 },
                  { "5 m", 300000 }, { "2h", 7200000 }, { "0100ms", 100 } };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        cr_assert_eq(set("wait", times[i].text), ERR_OK, "%s", times[i].text);
        cr_assert_eq(config.house.wait_ms, times[i].ms);
    }
    cr_assert_eq(set("room", "16m"), ERR_OK);
    cr_assert_eq(config.house.room_bytes, 16u << 20);
    cr_assert_eq(set("room", "1G"), ERR_OK);
    cr_assert_eq(config.house.room_bytes, 1u << 30);
    cr_assert_eq(set("room", "2000"), ERR_OK);
    cr_assert_eq(config.house.room_bytes, 2000);
    cr_assert_eq(set("name", " our house "), ERR_OK);
    cr_assert_str_eq(config.house.name, "our house");
    cr_assert_eq(set("colour", "red"), ERR_OK);
    cr_assert_eq(config.house.colour, 0);
    cr_assert_eq(apply_at("x.ini:1", "garden", "trees", "0"), ERR_OK);
    cr_assert_eq(config.garden.trees, 0);
}

Test(setting, refuses_bad_values_with_a_sentence, .init = start)
{
    refused("open", "maybe", "--set: [house] open: \"maybe\": must be yes or no");
    refused("doors", "21", "--set: [house] doors: \"21\": must be 1 to 20");
    refused("doors", "0", "--set: [house] doors: \"0\": must be 1 to 20");
    refused("doors", "-1", "--set: [house] doors: \"-1\": must be a whole number");
    refused("doors", "", "--set: [house] doors: \"\": must be a whole number");
    refused("doors", "4294967297", "--set: [house] doors: \"4294967297\": must be 1 to 20");
    refused("wait", "5x",
            "--set: [house] wait: \"5x\": must be a time such as 500ms, 30s, 5m or 2h");
    refused("wait", "s", "--set: [house] wait: \"s\": must be a time such as 500ms, 30s, 5m or 2h");
    refused("wait", "3h", "--set: [house] wait: \"3h\": must be 100ms to 2h");
    refused("wait", "1.5s",
            "--set: [house] wait: \"1.5s\": must be a time such as 500ms, 30s, 5m or 2h");
    refused("room", "20000000000000000000g",
            "--set: [house] room: \"20000000000000000000g\": must be a size such as 4096, 64k, 16m "
            "or 1g");
    refused("room", "17179869185g", /* 2^34 + 1 of 2^30 */
            "--set: [house] room: \"17179869185g\": must be a size such as 4096, 64k, 16m or 1g");
    refused("room", "1k1",
            "--set: [house] room: \"1k1\": must be a size such as 4096, 64k, 16m or "
            "1g");
    refused("room", "1023", "--set: [house] room: \"1023\": must be 1k to 1024g");
    refused("name", "twelve chars", "--set: [house] name: \"twelve chars\": is too long");
    refused("name", "a\nb", "--set: [house] name: holds a control character");
    refused("colour", "blue", "--set: [house] colour: \"blue\": must be one of red, green");
}

Test(setting, names_the_line_and_what_may_be_meant, .init = start)
{
    cr_assert_eq(apply_at("sub2api.ini:12", "house", "dors", "1"), ERR_BAD);
    cr_assert_str_eq(error.text, "sub2api.ini:12: [house] dors: unknown key (did you mean doors?)");
    cr_assert_eq(apply_at("x.ini:3", "house", "trees", "1"), ERR_BAD);
    cr_assert_str_eq(error.text, "x.ini:3: [house] trees: unknown key (it belongs to [garden])");
    cr_assert_eq(apply_at("x.ini:3", "house", "cellar", "1"), ERR_BAD);
    cr_assert_str_eq(error.text, "x.ini:3: [house] cellar: unknown key");
    cr_assert_eq(apply_at("x.ini:3", "gardne", "trees", "1"), ERR_BAD);
    cr_assert_str_eq(error.text,
                     "x.ini:3: [gardne] trees: unknown section (did you mean [garden]?)");
    cr_assert_eq(apply_at("x.ini:3", "sky", "trees", "1"), ERR_BAD);
    cr_assert_str_eq(error.text, "x.ini:3: [sky] trees: unknown section");

    /* However long the parts are, the sentence fits. */
    static char longest[4000];
    memset(longest, 'x', sizeof(longest) - 1);
    cr_assert_eq(apply_at(longest, longest, longest, longest), ERR_BAD);
    cr_assert_eq(apply_at(longest, "house", "doors", longest), ERR_BAD);
    cr_assert(strlen(error.text) < sizeof(error.text));
}

Test(setting, a_key_stands_once_in_the_file, .init = start)
{
    cr_assert_eq(apply_at("x.ini:1", "house", "doors", "3"), ERR_OK);
    cr_assert_eq(apply_at("x.ini:2", "house", "doors", "4"), ERR_BAD);
    cr_assert_str_eq(error.text, "x.ini:2: [house] doors: is given twice");
    cr_assert_eq(config.house.doors, 3);
    cr_assert_eq(set("doors", "5"), ERR_OK, "the command line wins over the file");
    cr_assert_eq(set("doors", "6"), ERR_OK);
    cr_assert_eq(config.house.doors, 6);
    start();
    cr_assert_eq(apply_at("x.ini:1", "house", "doors", "3"), ERR_OK, "another reading begins");
}

Test(setting, lists_are_replaced_by_the_next_source_and_grow_within_one, .init = start)
{
    cr_assert_eq(apply_at("x.ini:1", "house", "listen", "a:1"), ERR_OK);
    cr_assert_eq(config.house.listen.count, 1);
    cr_assert_eq(apply_at("x.ini:2", "house", "listen", "b:2"), ERR_OK);
    cr_assert_eq(config.house.listen.count, 2);
    cr_assert_str_eq(config.house.listen.items[0], "a:1");
    cr_assert_eq(set("listen", "c:3"), ERR_OK);
    cr_assert_eq(config.house.listen.count, 1);
    cr_assert_eq(set("listen", "d:4"), ERR_OK);
    cr_assert_eq(config.house.listen.count, 2);
    cr_assert_str_eq(config.house.listen.items[0], "c:3");
    cr_assert_eq(set("listen", ""), ERR_OK);
    cr_assert_eq(config.house.listen.count, 0);
    for (int i = 0; i < SETTING_LIST_ITEMS_MAX; i++) {
        cr_assert_eq(set("listen", "e:5"), ERR_OK);
    }
    refused("listen", "f:6", "--set: [house] listen: \"f:6\": is given too often");
}

static enum err
take_line(void *context, uint32_t line, struct str section, struct str key, struct str value)
{
    char where[32];
    snprintf(where, sizeof(where), "back:%u", line);
    lines++;
    return setting_apply(sections, SECTION_COUNT, context, section, key, value, where, &error);
}

static void
reads_back_equal(bool with_help)
{
    struct buf buf;
    buf_init(&buf, 1 << 16);
    cr_assert_eq(setting_print(sections, SECTION_COUNT, &config, with_help, &buf), ERR_OK);
    static struct config again;
    setting_defaults(sections, SECTION_COUNT, &again);
    uint32_t bad_line = 0;
    const char *reason = NULL;
    cr_assert_eq(ini_read(buf_str(&buf), take_line, &again, &bad_line, &reason), ERR_OK, "%s",
                 error.text);
    const struct house *a = &config.house;
    const struct house *b = &again.house;
    cr_assert(a->is_open == b->is_open && a->doors == b->doors && a->stones == b->stones &&
              a->wait_ms == b->wait_ms && a->room_bytes == b->room_bytes && a->colour == b->colour);
    cr_assert_str_eq(a->name, b->name);
    cr_assert_eq(a->listen.count, b->listen.count);
    cr_assert_eq(memcmp(a->listen.items, b->listen.items, sizeof(a->listen.items)), 0);
    cr_assert_eq(config.garden.trees, again.garden.trees);
    buf_fini(&buf);
}

Test(setting, what_is_printed_reads_back_equal, .init = start)
{
    reads_back_equal(false);
    cr_assert_eq(lines, 10);
    lines = 0;
    reads_back_equal(true);
    cr_assert_eq(lines, 0, "with help the standard values are commented out");
    cr_assert_eq(set("open", "no"), ERR_OK);
    cr_assert_eq(set("stones", "1"), ERR_OK);
    cr_assert_eq(set("wait", "100ms"), ERR_OK);
    cr_assert_eq(set("room", "1025"), ERR_OK);
    cr_assert_eq(set("name", "#;= x"), ERR_OK);
    cr_assert_eq(set("colour", "red"), ERR_OK);
    cr_assert_eq(set("listen", "a:1"), ERR_OK);
    reads_back_equal(false);
    lines = 0;
    reads_back_equal(true);
    cr_assert_eq(lines, 7);
    cr_assert_eq(set("listen", ""), ERR_OK);
    reads_back_equal(false);
    reads_back_equal(true);
}

Test(setting, the_shipped_file_explains_each_row, .init = start)
{
    struct buf buf;
    buf_init(&buf, 1 << 16);
    cr_assert_eq(setting_print(sections, SECTION_COUNT, &config, true, &buf), ERR_OK);
    cr_assert_eq(buf_append(&buf, str_make("", 1)), ERR_OK);
    const char *text = buf_str(&buf).data;
    static const char want[] =
        "# Where we live.\n[house]\n\n"
        "# What open is for, in a sentence that is long enough to need more than one line of\n"
        "# comment in the file that is shipped.\n# (yes or no)\n#open = yes\n\n";
    cr_assert_eq(strncmp(text, want, sizeof(want) - 1), 0, "%s", text);
    cr_assert_not_null(strstr(text, "# (1 to 20 pieces; a change needs a restart)\n#doors = 2\n"));
    cr_assert_not_null(strstr(text, "# (100ms to 2h)\n#wait = 90s\n"));
    cr_assert_not_null(strstr(text, "# (red, green)\n#colour = green\n"));
    cr_assert_not_null(strstr(text, "#listen = 127.0.0.1:1\n#listen = [::1]:1\n"));
    cr_assert_not_null(strstr(text, "\n\n[garden]\n\n# How many.\n# (0 to 100;"));
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        cr_assert(strchr(line, '\n') - line <= 90);
    }
    buf_fini(&buf);
    buf_init(&buf, 300);
    cr_assert_eq(setting_print(sections, SECTION_COUNT, &config, true, &buf), ERR_FULL);
    buf_fini(&buf);
}

Test(setting, finds_what_a_reload_may_not_change, .init = start)
{
    static struct config old;
    old = config;
    const char *name = NULL;
    cr_assert_null(setting_find_frozen(sections, SECTION_COUNT, &old, &config, &name));
    cr_assert_eq(set("wait", "1s"), ERR_OK);
    cr_assert_null(setting_find_frozen(sections, SECTION_COUNT, &old, &config, &name));
    cr_assert_eq(apply_at("--set", "garden", "trees", "9"), ERR_OK);
    const struct setting *row = setting_find_frozen(sections, SECTION_COUNT, &old, &config, &name);
    cr_assert_eq(row, &garden_rows[0]);
    cr_assert_str_eq(name, "garden");
    cr_assert_eq(set("listen", "z:1"), ERR_OK);
    row = setting_find_frozen(sections, SECTION_COUNT, &old, &config, &name);
    cr_assert_str_eq(row->key, "listen");
    cr_assert_str_eq(name, "house");
}
