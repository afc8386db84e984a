/* One value of a setting: from text, to text, and whether two are the same. */
#include "base/settingfield.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *const colours[] = { "red", "green", NULL };

static struct setting
row(enum setting_type type, size_t size, uint64_t min, uint64_t max)
{
    return (struct setting){
        .key = "k", .type = type, .size = size, .min = min, .max = max, .choices = colours
    };
}

Test(settingfield, reads_booleans_in_every_usual_word)
{
    static const char *const yes[] = { "yes", "true", "on", "1", "YES", "True" };
    static const char *const no[] = { "no", "false", "off", "0", "Off" };
    static const char *const bad[] = { "", "2", "y", "yes ", "maybe" };
    struct setting of = row(SETTING_BOOL, sizeof(bool), 0, 0);
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        bool value = false;
        cr_expect_null(settingfield_parse(&of, str_of(yes[i]), SETTING_FILE, &value));
        cr_expect(value && settingfield_get(&of, &value) == 1, "%s", yes[i]);
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        bool value = true;
        cr_expect_null(settingfield_parse(&of, str_of(no[i]), SETTING_FILE, &value));
        cr_expect_not(value, "%s", no[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bool value = true;
        cr_expect_not_null(settingfield_parse(&of, str_of(bad[i]), SETTING_FILE, &value));
        cr_expect(value, "untouched: %s", bad[i]);
    }
}

struct sized {
    const char *text;
    uint64_t value; /* UINT64_MAX: refused */
};

static void
expect_all(const struct setting *of, const struct sized *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        union {
            uint32_t small;
            uint64_t large;
        } field = { .large = 77 };
        const char *why = settingfield_parse(of, str_of(rows[i].text), SETTING_FILE, &field);
        cr_expect_eq(why == NULL, rows[i].value != UINT64_MAX, "%s: %s", rows[i].text, why);
        cr_expect_eq(settingfield_get(of, &field), why == NULL ? rows[i].value : 77, "%s",
                     rows[i].text);
    }
}

Test(settingfield, reads_times_and_sizes_with_their_suffixes)
{
    static const struct sized times[] = {
        { "0", 0 },
        { "2", 2000 }, /* a bare number is seconds */
        { "500ms", 500 },
        { "30s", 30000 },
        { "5M", 300000 },
        { "2 h", 7200000 },
        { "4294967295ms", UINT32_MAX },
        { "4294967296ms", UINT64_MAX },
        { "1.5s", UINT64_MAX },
        { "-1s", UINT64_MAX },
        { "s", UINT64_MAX },
        { "", UINT64_MAX },
        { "5d", UINT64_MAX },
        { "5m30s", UINT64_MAX },
        { "99999999999999999999s", UINT64_MAX },
        { "18446744073709551615h", UINT64_MAX },
    };
    static const struct sized sizes[] = {
        { "4096", 4096 },
        { "64k", 65536 },
        { "16M", 16u << 20 },
        { "1g", 1u << 30 },
        { "18446744073709551614", UINT64_MAX - 1 },
        { "99999999999g", UINT64_MAX },
        { "1t", UINT64_MAX },
        { "1kb", UINT64_MAX },
        { "k", UINT64_MAX },
    };
    struct setting time = row(SETTING_MS, 4, 0, 0);
    struct setting size = row(SETTING_BYTES, 8, 0, 0);
    expect_all(&time, times, sizeof(times) / sizeof(times[0]));
    expect_all(&size, sizes, sizeof(sizes) / sizeof(sizes[0]));
}

Test(settingfield, holds_a_number_to_its_range)
{
    static const struct sized numbers[] = {
        { "9", UINT64_MAX },   { "10", 10 },           { "20", 20 },          { "21", UINT64_MAX },
        { "+10", UINT64_MAX }, { "0x10", UINT64_MAX }, { "10 ", UINT64_MAX },
    };
    struct setting of = row(SETTING_U32, 4, 10, 20);
    expect_all(&of, numbers, sizeof(numbers) / sizeof(numbers[0]));
    uint32_t field = 0;
    cr_expect_eq(settingfield_parse(&of, STR("9"), SETTING_FILE, &field), settingfield_bad_range,
                 "the caller says the range");
    cr_expect_eq(settingfield_max(&of), 20);
    of = row(SETTING_U32, 4, 0, 0);
    cr_expect_eq(settingfield_max(&of), UINT32_MAX, "whatever the type holds");
    of = row(SETTING_U64, 8, 0, 0);
    cr_expect_eq(settingfield_max(&of), UINT64_MAX);
}

Test(settingfield, writes_the_shortest_spelling_that_reads_back)
{
    static const struct {
        enum setting_type type;
        uint64_t number;
        const char *text;
    } rows[] = {
        { SETTING_MS, 0, "0" },
        { SETTING_MS, 90000, "90s" },
        { SETTING_MS, 60000, "1m" },
        { SETTING_MS, 7200000, "2h" },
        { SETTING_MS, 1500, "1500ms" },
        { SETTING_BYTES, 65536, "64k" },
        { SETTING_BYTES, 1u << 30, "1g" },
        { SETTING_BYTES, 1025, "1025" },
        { SETTING_U64, 3600000, "3600000" },
        { SETTING_U64, UINT64_MAX, "18446744073709551615" },
        { SETTING_BYTES, UINT64_MAX, "18446744073709551615" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[SETTINGFIELD_BYTES];
        union {
            uint32_t small;
            uint64_t large;
        } field = { .large = 0 };
        struct setting of = row(rows[i].type, 8, 0, 0);
        cr_expect_str_eq(settingfield_number(&of, rows[i].number, text), rows[i].text);
        cr_expect_null(settingfield_parse(&of, str_of(text), SETTING_FILE, &field));
        cr_expect_eq(settingfield_get(&of, &field), rows[i].number, "%s", text);
    }
}

Test(settingfield, keeps_texts_whole_and_their_fields_clean)
{
    char field[8] = "1234567";
    struct setting of = row(SETTING_TEXT, sizeof(field), 0, 0);
    cr_expect_null(settingfield_parse(&of, STR("ab"), SETTING_FILE, field));
    cr_expect_arr_eq(field, "ab\0\0\0\0\0", 8, "equal settings are equal bytes");
    cr_expect_null(settingfield_parse(&of, STR("1234567"), SETTING_FILE, field));
    cr_expect_not_null(settingfield_parse(&of, STR("12345678"), SETTING_FILE, field));
    cr_expect_not_null(settingfield_parse(&of, STR("a\tb"), SETTING_FILE, field));
    cr_expect_not_null(settingfield_parse(&of, str_make("a\0b", 3), SETTING_FILE, field));
    cr_expect_str_eq(field, "1234567", "what is refused changes nothing");
    cr_expect(settingfield_has_control(STR("a\x7f")) && settingfield_has_control(STR("\n")));
    cr_expect_not(settingfield_has_control(STR("a b \xc3\xa9")));
}

Test(settingfield, reads_a_choice_by_its_word)
{
    uint32_t field = 9;
    struct setting of = row(SETTING_CHOICE, 4, 0, 0);
    cr_expect_null(settingfield_parse(&of, STR("green"), SETTING_FILE, &field));
    cr_expect_eq(settingfield_get(&of, &field), 1);
    cr_expect_eq(settingfield_parse(&of, STR("Green"), SETTING_FILE, &field),
                 settingfield_bad_choice);
    cr_expect_eq(settingfield_parse(&of, STR(""), SETTING_FILE, &field), settingfield_bad_choice);
    cr_expect_eq(field, 1);
}

Test(settingfield, a_lists_later_source_replaces_and_the_same_adds)
{
    static struct setting_list list;
    static struct setting_list other;
    static char longest[SETTING_LIST_ITEM_BYTES + 1];
    struct setting of = row(SETTING_LIST, sizeof(list), 0, 0);
    cr_expect_null(settingfield_parse(&of, STR("a"), SETTING_STANDARD, &list));
    cr_expect_null(settingfield_parse(&of, STR("b"), SETTING_FILE, &list));
    cr_expect_null(settingfield_parse(&of, STR("c"), SETTING_FILE, &list));
    cr_expect(list.count == 2 && strcmp(list.items[0], "b") == 0);
    cr_expect_null(settingfield_parse(&of, STR(""), SETTING_FILE, &list), "empties it");
    cr_expect_eq(list.count, 0);
    for (uint32_t i = 0; i < SETTING_LIST_ITEMS_MAX; i++) {
        cr_expect_null(settingfield_parse(&of, STR("x"), SETTING_COMMAND, &list));
    }
    cr_expect_not_null(settingfield_parse(&of, STR("x"), SETTING_COMMAND, &list));
    cr_expect_eq(list.count, SETTING_LIST_ITEMS_MAX);
    memset(longest, 'y', SETTING_LIST_ITEM_BYTES);
    cr_expect_not_null(settingfield_parse(&of, str_of(longest), SETTING_FILE, &other));
    longest[SETTING_LIST_ITEM_BYTES - 1] = '\0';
    cr_expect_null(settingfield_parse(&of, str_of(longest), SETTING_FILE, &other));
    cr_expect_not(settingfield_equal(&of, &list, &other));
    other = list;
    other.source = SETTING_STANDARD;
    cr_expect(settingfield_equal(&of, &list, &other), "who gave it does not matter");
}

Test(settingfield, compares_by_value)
{
    uint32_t small[2] = { 5, 5 };
    char text[2][8] = { "same", "same" };
    text[1][6] = 'x'; /* behind the NUL */
    struct setting number = row(SETTING_U32, 4, 0, 0);
    struct setting words = row(SETTING_TEXT, 8, 0, 0);
    cr_expect(settingfield_equal(&number, &small[0], &small[1]));
    small[1] = 6;
    cr_expect_not(settingfield_equal(&number, &small[0], &small[1]));
    cr_expect(settingfield_equal(&words, text[0], text[1]));
    text[1][0] = 'S';
    cr_expect_not(settingfield_equal(&words, text[0], text[1]));
}
