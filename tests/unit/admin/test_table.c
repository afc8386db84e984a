/* JSON as columns and lines for a terminal. */
#include <criterion/criterion.h>

#include "admin/table.h"

static const struct table_column columns[] = {
    { "name", "NAME" },
    { "count", "COUNT" },
    { "totals.out", "OUT" },
};
static const struct table_columns three = { columns, 3 };

static struct buf out;

static const char *
text(void)
{
    static char copy[65536];
    cr_assert(str_copy(copy, sizeof copy, buf_str(&out)));
    buf_fini(&out);
    return copy;
}

static const char *
list(const char *json, const char *sort_by)
{
    buf_init(&out, 1u << 20);
    enum err err = table_sorted(str_of(json), &three, sort_by, &out);
    cr_assert(err == ERR_OK, "%s", err_name(err));
    return text();
}

Test(table, aligns_text_left_and_numbers_right)
{
    cr_expect_str_eq(list("{\"items\":[{\"name\":\"a\",\"count\":5,\"totals\":{\"out\":12345}},"
                          "{\"name\":\"longer\",\"count\":123456,\"totals\":{\"out\":1}}]}",
                          NULL),
                     "NAME     COUNT    OUT\n"
                     "a            5  12345\n"
                     "longer  123456      1\n");
}

Test(table, shows_what_is_missing_or_empty_as_a_dash_and_switches_as_words)
{
    cr_expect_str_eq(list("{\"items\":[{\"name\":\"\",\"count\":null},"
                          "{\"count\":true},{\"name\":\"x\",\"count\":false}]}",
                          NULL),
                     "NAME  COUNT  OUT\n"
                     "-     -      -\n"
                     "-     yes    -\n"
                     "x     no     -\n");
}

Test(table, of_nothing_says_so)
{
    cr_expect_str_eq(list("{\"items\":[]}", NULL), "(none)\n");
}

Test(table, sorts_by_a_number_largest_first)
{
    cr_expect_str_eq(list("{\"items\":[{\"name\":\"a\",\"n\":1},{\"name\":\"b\",\"n\":30},"
                          "{\"name\":\"c\"},{\"name\":\"d\",\"n\":4},{\"name\":\"e\",\"n\":4.5}]}",
                          "n"),
                     "NAME  COUNT  OUT\n"
                     "b     -      -\n"
                     "e     -      -\n"
                     "d     -      -\n"
                     "a     -      -\n"
                     "c     -      -\n");
}

Test(table, sorts_by_a_text_from_a_on)
{
    cr_expect_str_eq(
        list("{\"items\":[{\"name\":\"b\"},{\"name\":\"ab\"},{\"name\":\"a\"}]}", "name"),
        "NAME  COUNT  OUT\n"
        "a     -      -\n"
        "ab    -      -\n"
        "b     -      -\n");
}

Test(table, counts_characters_not_bytes)
{
    cr_expect_str_eq(list("{\"items\":[{\"name\":\"\xc3\xa4\xc3\xb6\",\"count\":1},"
                          "{\"name\":\"\\u00e4bcdefg\",\"count\":2}]}",
                          NULL),
                     "NAME     COUNT  OUT\n"
                     "\xc3\xa4\xc3\xb6           1  -\n"
                     "\xc3\xa4"
                     "bcdefg      2  -\n");
}

Test(table, lets_no_control_character_through)
{
    const char *got =
        list("{\"items\":[{\"name\":\"a\\u001b[31m\\u0007\\n\\u007f\\u009b2Jz\"}]}", NULL);
    for (const char *c = got; *c != '\0'; c++) {
        cr_expect(*c == '\n' || ((unsigned char)*c >= 0x20 && *c != 0x7f), "%02x",
                  (unsigned char)*c);
    }
    cr_expect_null(strstr(got, "\xc2\x9b"), "%s", got);
    cr_expect_not_null(strstr(got, "z"));
}

Test(table, refuses_what_is_no_list)
{
    static const char *const bad[] = { "", "[]", "{}", "{\"items\":{}}", "{\"items\":[", "null" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        buf_init(&out, 1024);
        cr_expect_eq(table_list(str_of(bad[i]), &three, &out), ERR_BAD, "%s", bad[i]);
        buf_fini(&out);
    }
}

Test(table, says_when_there_is_no_room)
{
    buf_init(&out, 16);
    cr_expect_eq(table_list(STR("{\"items\":[{\"name\":\"much too long for it\"}]}"), &three, &out),
                 ERR_FULL);
    buf_fini(&out);
}

Test(table, shows_one_object_as_lines)
{
    buf_init(&out, 4096);
    cr_assert(table_object(STR("{\"name\":\"x\",\"list\":[1],\"totals\":{\"in\":1,\"out\":2},"
                               "\"a_name_that_is_longer_than_the_column\":\"y\"}"),
                           &out) == ERR_OK);
    cr_expect_str_eq(text(), "name                    x\n"
                             "totals\n"
                             "  in                    1\n"
                             "  out                   2\n"
                             "a_name_that_is_longer_than_the_column y\n");
    buf_init(&out, 4096);
    cr_expect_eq(table_object(STR("[]"), &out), ERR_BAD);
    buf_fini(&out);
}
