/*
 * The scanner under json.h: where a value ends, where and why it is refused, and that it reads
 * nothing outside of its text.
 */
#include "base/jsonscan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy of its exact size. */
struct text {
    char *bytes;
    struct jsonscan s;
};

static void
begin(struct text *text, struct str from)
{
    text->bytes = malloc(from.len == 0 ? 1 : from.len);
    memcpy(text->bytes, from.data, from.len);
    jsonscan_init(&text->s, str_make(text->bytes, from.len));
}

static size_t
at_of(const struct text *text)
{
    return (size_t)(text->s.at - text->s.start);
}

Test(jsonscan, ends_right_behind_the_value)
{
    static const struct {
        const char *text;
        size_t end;
    } rows[] = {
        { "null,", 4 },       { " \n\t\r true x", 9 },
        { "false", 5 },       { "0 ", 1 },
        { "-12.5e+3]", 8 },   { "\"a\\\"b\"rest", 6 },
        { "[]]", 2 },         { "{\"a\":[1,{}]}}", 12 },
        { "[[],[1]] [", 8 },  { "\"\xc3\xa9\"x", 4 },
        { "\"\\ud800\"", 8 }, { "1,2", 1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text text;
        begin(&text, str_of(rows[i].text));
        cr_expect(jsonscan_value(&text.s), "%s: %s", rows[i].text, text.s.reason);
        cr_expect_eq(at_of(&text), rows[i].end, "%s: %zu", rows[i].text, at_of(&text));
        cr_expect_eq(text.s.depth, 0);
        free(text.bytes);
    }
}

Test(jsonscan, says_where_and_why_it_refuses)
{
    static const struct {
        const char *text;
        size_t at;
    } rows[] = {
        { "", 0 },
        { "  ", 2 },
        { "nul", 0 },
        { "[1,]", 3 },
        { "[1 2]", 3 },
        { "{\"a\" 1}", 5 },
        { "{\"a\":1,}", 7 },
        { "{a:1}", 1 },
        { "[1}", 2 },
        { "{\"a\":1]", 6 },
        { "[", 1 },
        { "{\"a\":", 5 },
        { "\"abc", 4 },
        { "\"\x01\"", 1 },
        { "\"\\x\"", 1 },
        { "\"\\u12g4\"", 1 },
        { "\"\xff\"", 1 },
        { "\"\xc0\xaf\"", 1 },
        { "\"\xed\xa0\x80\"", 1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text text;
        begin(&text, str_of(rows[i].text));
        cr_expect_not(jsonscan_value(&text.s), "%s", rows[i].text);
        cr_expect_not_null(text.s.reason, "%s", rows[i].text);
        /* An escape's fault may be told at the backslash or behind it. */
        size_t at = at_of(&text);
        cr_expect(at >= rows[i].at && at <= rows[i].at + 5 && at <= strlen(rows[i].text),
                  "%s: at %zu, not %zu", rows[i].text, at, rows[i].at);
        free(text.bytes);
    }
}

/* Every cut of a text that is good as a whole: refused, and read no further than it goes. */
Test(jsonscan, refuses_every_cut)
{
    static const char whole[] =
        "{\"name\":[1.5e-3,\"a\\u00e9\xc3\xa9\\n\",{\"x\":null,\"y\":true}]}";
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        struct text text;
        begin(&text, str_make(whole, len));
        cr_expect_not(jsonscan_value(&text.s), "%zu", len);
        cr_expect_leq(at_of(&text), len);
        free(text.bytes);
    }
    struct text text;
    begin(&text, str_make(whole, sizeof(whole) - 1));
    cr_expect(jsonscan_value(&text.s));
    free(text.bytes);
}

Test(jsonscan, bounds_its_depth)
{
    static char deep[2 * JSON_DEPTH_MAX + 2];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        struct text text;
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        begin(&text, str_make(deep, 2 * depth));
        cr_expect_eq(jsonscan_value(&text.s), depth <= JSON_DEPTH_MAX, "%zu", depth);
        free(text.bytes);
    }
}

Test(jsonscan, lets_nothing_but_blanks_follow)
{
    struct text text;
    begin(&text, STR("1 \r\n\t "));
    cr_expect(jsonscan_value(&text.s) && jsonscan_end(&text.s));
    free(text.bytes);
    begin(&text, STR("1 2"));
    cr_expect(jsonscan_value(&text.s));
    cr_expect_not(jsonscan_end(&text.s));
    cr_expect_eq(at_of(&text), 2);
    free(text.bytes);
}

struct heard {
    char text[512];
    int count_max;
};

static bool
on_member(void *context, const struct json_member *member)
{
    struct heard *heard = context;
    size_t len = strlen(heard->text);
    snprintf(heard->text + len, sizeof(heard->text) - len, "%.*s%s=%.*s;", STR_ARG(member->name),
             member->name_is_escaped ? "!" : "", STR_ARG(member->value.raw));
    return --heard->count_max > 0;
}

static const char *
children(const char *from, bool is_object, int count_max, bool *out_good)
{
    static struct heard heard;
    struct text text;
    heard = (struct heard){ .count_max = count_max };
    struct jsonscan_hearer hearer = { .on_member = on_member, .context = &heard };
    begin(&text, str_of(from));
    *out_good = jsonscan_children(&text.s, is_object, &hearer);
    cr_expect_eq(hearer.is_done, *out_good && count_max <= 1);
    free(text.bytes);
    return heard.text;
}

Test(jsonscan, reports_children_in_order_and_twice_when_they_stand_twice)
{
    bool is_good = false;
    cr_expect_str_eq(
        children("{\"a\":1, \"b\" : [2,3] ,\"a\":{\"c\":4},\"\\u0064\":\"x\"}", true, 99, &is_good),
        "a=1;b=[2,3];a={\"c\":4};\\u0064!=\"x\";");
    cr_expect(is_good);
    cr_expect_str_eq(children("[1,[2], {} ]", false, 99, &is_good), "=1;=[2];={};");
    cr_expect(is_good);
    cr_expect_str_eq(children("{ }", true, 99, &is_good), "");
    cr_expect(is_good);
    cr_expect_str_eq(children("[1,2,3]", false, 1, &is_good), "=1;");
    cr_expect(is_good, "one was enough");
    cr_expect_str_eq(children("{\"a\":1,\"b\":}", true, 99, &is_good), "a=1;");
    cr_expect_not(is_good);
}

Test(jsonscan, knows_a_value_by_its_first_byte)
{
    cr_expect_eq(jsonscan_kind('n'), JSON_NULL);
    cr_expect_eq(jsonscan_kind('f'), JSON_FALSE);
    cr_expect_eq(jsonscan_kind('t'), JSON_TRUE);
    cr_expect_eq(jsonscan_kind('-'), JSON_NUMBER);
    cr_expect_eq(jsonscan_kind('7'), JSON_NUMBER);
    cr_expect_eq(jsonscan_kind('"'), JSON_STRING);
    cr_expect_eq(jsonscan_kind('['), JSON_ARRAY);
    cr_expect_eq(jsonscan_kind('{'), JSON_OBJECT);
}

/* RFC 3629's table: the shortest form of what is a character, whole. */
Test(jsonscan, knows_well_formed_utf8)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        { "\xc2\x80", 2 },
        { "\xdf\xbf", 2 },
        { "\xe0\xa0\x80", 3 },
        { "\xed\x9f\xbf", 3 },
        { "\xee\x80\x80", 3 },
        { "\xef\xbf\xbf", 3 },
        { "\xf0\x90\x80\x80", 4 },
        { "\xf4\x8f\xbf\xbf", 4 },
        { "\x80", 0 },
        { "\xc0\x80", 0 },
        { "\xc1\xbf", 0 },
        { "\xe0\x9f\xbf", 0 },
        { "\xed\xa0\x80", 0 },
        { "\xf0\x8f\xbf\xbf", 0 },
        { "\xf4\x90\x80\x80", 0 },
        { "\xf5\x80\x80\x80", 0 },
        { "\xff", 0 },
        { "\xc2", 0 },
        { "\xe0\xa0", 0 },
        { "\xf0\x90\x80", 0 },
        { "\xc2\x20", 0 },
        { "\xe0\xa0\x20", 0 },
        { "\xf0\x90\x80\x20", 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].bytes);
        uint8_t *copy = malloc(len);
        memcpy(copy, rows[i].bytes, len);
        cr_expect_eq(jsonscan_utf8(copy, copy + len), rows[i].len, "row %zu", i);
        free(copy);
    }
}
