/*
 * The scanner's grammar, what it reports, and that numbers and strings keep their spelling.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/limits.h"

struct seen {
    struct json_member members[16];
    uint32_t count;
    uint32_t count_max; /* stop after so many; 0 = never */
};

static bool
on_seen(void *context, const struct json_member *member)
{
    struct seen *seen = context;
    cr_assert(seen->count < 16);
    seen->members[seen->count++] = *member;
    return seen->count != seen->count_max;
}

/* The text in memory of its exact size, so that a read past its end is caught. */
static bool
is_json(const char *data, size_t len)
{
    char *copy = malloc(len == 0 ? 1 : len);
    memcpy(copy, data, len);
    struct json_value value;
    struct json_error error = { 0, NULL };
    struct str text = str_make(copy, len);
    bool is_read = json_read(text, &value, &error) == ERR_OK;
    bool is_scanned = json_scan(text, NULL, NULL, NULL, NULL) == ERR_OK;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct json_doc doc;
    bool is_parsed = json_parse(text, &arena, &doc, NULL) == ERR_OK;
    arena_reset(&arena);
    cr_assert_eq(is_read, is_scanned, "read and scan disagree: %.*s", (int)len, data);
    cr_assert_eq(is_read, is_parsed, "read and parse disagree: %.*s", (int)len, data);
    if (!is_read) {
        cr_assert_not_null(error.reason);
        cr_assert_leq(error.offset, len);
    }
    free(copy);
    return is_read;
}

Test(json, accepts_what_the_grammar_allows)
{
    static const char *const good[] = {
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1e400",
        "-1.5E+3",
        "0.10",
        "\"\"",
        " \t\r\n{ \"a\" : [ 1 , 2 , { } , [ ] ] } \n",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "\"\x7f\"",
        "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"",
        "{\"a\":1,\"a\":2}",
        "\"\\u0000\"",
        "9007199254740993",
        "[[[[[[]]]]]]",
        "{\"\":{\"\":{}}}",
        "123456789012345678901234567890123456",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_expect(is_json(good[i], strlen(good[i])), "%s", good[i]);
    }
}

Test(json, refuses_what_the_grammar_forbids)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{'a':1}",
        "01",
        "-",
        "+1",
        "5.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "Infinity",
        "nul",
        "nulll",
        "truefalse",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "1 2",
        "{}{}",
        "[]]",
        "[}",
        "{]",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"\t\"",
        "// c\n1",
        "/**/1",
        "\xef\xbb\xbf{}",
        "\"\x80\"",
        "\"\xc3\"",
        "\"\xc0\xaf\"",
        "\"\xe0\x80\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf0\x80\x80\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xf8\x88\x80\x80\x80\"",
        "\"\xe2\x82\"",
        "{\"\xff\":1}",
        "\"abc",
        "[\"a\",\"b]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(is_json(bad[i], strlen(bad[i])), "%s", bad[i]);
    }
    cr_expect_not(is_json("\"a\0b\"", 5), "a NUL byte in a string");
    cr_expect_not(is_json("1\0", 2), "a NUL byte behind the value");
}

/* Every special byte at every place of the 16- and 64-byte steps. */
Test(json, finds_the_end_of_a_string_at_any_offset)
{
    static const struct {
        const char *insert;
        bool is_good;
    } cases[] = { { "", true },        { "\\n", true },
                  { "\\u20ac", true }, { "\xe2\x82\xac", true },
                  { "\n", false },     { "\xe2\x82", false },
                  { "\\q", false },    { "\xf0\x9f\x98\x80", true } };
    char text[260];
    for (size_t pad = 0; pad < 200; pad++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            size_t len = 0;
            text[len++] = '"';
            memset(text + len, 'x', pad);
            len += pad;
            memcpy(text + len, cases[i].insert, strlen(cases[i].insert));
            len += strlen(cases[i].insert);
            memset(text + len, 'y', 200 - pad);
            len += 200 - pad;
            cr_assert_not(is_json(text, len), "open string, pad %zu", pad);
            text[len++] = '"';
            cr_assert_eq(is_json(text, len), cases[i].is_good, "case %zu pad %zu", i, pad);
        }
    }
}

Test(json, bounds_the_depth_without_recursion)
{
    size_t over = 100000;
    char *text = malloc(over);
    memset(text, '[', over);
    struct json_error error;
    struct json_value value;
    cr_assert_eq(json_read(str_make(text, over), &value, &error), ERR_BAD);
    cr_assert_str_eq(error.reason, "nested too deeply");
    cr_assert_eq(error.offset, JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    cr_assert(is_json(text, 2 * JSON_DEPTH_MAX));
    for (size_t i = 0; i < JSON_DEPTH_MAX; i++) {
        memcpy(text + 5 * i, "{\"a\":", 5);
    }
    text[5 * JSON_DEPTH_MAX] = '1';
    memset(text + 5 * JSON_DEPTH_MAX + 1, '}', JSON_DEPTH_MAX);
    cr_assert(is_json(text, 6 * JSON_DEPTH_MAX + 1));
    free(text);
}

Test(json, reports_members_with_places_and_duplicates)
{
    struct str text = STR(" {\"a\": 1.0 ,\"\\u0061\":\"x\\n\", \"c\":{\"d\":[1,{}]},\"e\":[ ] } ");
    struct seen seen = { .count = 0 };
    enum json_kind kind = JSON_NULL;
    cr_assert_eq(json_scan(text, on_seen, &seen, &kind, NULL), ERR_OK);
    cr_assert_eq(kind, JSON_OBJECT);
    cr_assert_eq(seen.count, 4);
    cr_assert(str_equal(seen.members[0].value.raw, STR("1.0")));
    cr_assert_eq(seen.members[1].value.kind, JSON_STRING);
    cr_assert(seen.members[1].value.is_escaped && seen.members[1].name_is_escaped);
    cr_assert(json_name_is(&seen.members[1], STR("a")));
    cr_assert_not(json_name_is(&seen.members[1], STR("ab")));
    cr_assert_not(json_name_is(&seen.members[1], STR("")));
    cr_assert(str_equal(seen.members[2].value.raw, STR("{\"d\":[1,{}]}")));
    cr_assert_not(seen.members[2].value.is_escaped);
    cr_assert(str_equal(seen.members[3].value.raw, STR("[ ]")));
    for (uint32_t i = 0; i < seen.count; i++) {
        const struct json_member *member = &seen.members[i];
        cr_assert_eq(text.data + member->value_offset, member->value.raw.data);
        cr_assert_eq(text.data[member->name_offset], '"');
        cr_assert_eq(text.data + member->name_offset + 1, member->name.data);
    }
}

Test(json, stops_when_told_and_validates_when_not)
{
    struct seen seen = { .count_max = 1 };
    cr_assert_eq(json_scan(STR("{\"a\":1,###"), on_seen, &seen, NULL, NULL), ERR_OK);
    seen = (struct seen){ .count = 0 };
    struct json_error error;
    cr_assert_eq(json_scan(STR("{\"a\":1,###"), on_seen, &seen, NULL, &error), ERR_BAD);
    cr_assert_eq(error.offset, 7);
    enum json_kind kind;
    seen = (struct seen){ .count = 0 };
    cr_assert_eq(json_scan(STR("[{\"a\":1}]"), on_seen, &seen, &kind, NULL), ERR_OK);
    cr_assert(kind == JSON_ARRAY && seen.count == 0);
}

Test(json, walks_objects_arrays_and_paths)
{
    struct json_value top;
    struct json_value got;
    struct str text = STR("{\"a\":{\"b\":{\"c\":7}},\"l\":[1,\"two\",[3]],\"a\":0}");
    cr_assert_eq(json_read(text, &top, NULL), ERR_OK);
    cr_assert(json_get_path(top, STR("a.b.c"), &got));
    cr_assert(str_equal(got.raw, STR("7")));
    cr_assert_not(json_get_path(top, STR("a.x.c"), &got));
    cr_assert_not(json_get_path(top, STR("l.b"), &got));
    cr_assert(json_get(top, STR("l"), &got));
    struct seen seen = { .count = 0 };
    cr_assert_eq(json_scan_array(got, on_seen, &seen), ERR_OK);
    cr_assert_eq(seen.count, 3);
    cr_assert(json_string_is(seen.members[1].value, STR("two")));
    cr_assert_eq(seen.members[2].value.kind, JSON_ARRAY);
    cr_assert_eq(json_scan_object(got, on_seen, &seen), ERR_BAD);
    cr_assert_eq(json_scan_array(top, on_seen, &seen), ERR_BAD);
}

Test(json, reads_a_value_at_the_start_of_a_text)
{
    struct json_value value;
    cr_assert_eq(json_prefix(STR(" {\"a\":[1]},\"b\":###"), &value), ERR_OK);
    cr_assert(str_equal(value.raw, STR("{\"a\":[1]}")));
    cr_assert_eq(json_prefix(STR("12,"), &value), ERR_OK);
    cr_assert(str_equal(value.raw, STR("12")));
    cr_assert_eq(json_prefix(STR("{\"a\":[1}"), &value), ERR_BAD);
    cr_assert_eq(json_prefix(STR(""), &value), ERR_BAD);
}

Test(json, decodes_strings)
{
    static const struct {
        const char *raw;
        const char *meant;
    } cases[] = {
        { "\"plain\"", "plain" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
        { "\"\\u00e9\\u20ac\\u0041\"", "\xc3\xa9\xe2\x82\xac"
                                       "A" },
        { "\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!" },
        { "\"\\ud83dx\"", "\xef\xbf\xbdx" },
        { "\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                                "A" },
        { "\"\\ud83d\\n\"", "\xef\xbf\xbd\n" },
    };
    struct arena arena;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_value value;
        struct str got;
        cr_assert_eq(json_read(str_of(cases[i].raw), &value, NULL), ERR_OK);
        cr_assert_eq(json_string(value, &arena, &got), ERR_OK);
        cr_expect(str_equal(got, str_of(cases[i].meant)), "%s", cases[i].raw);
        cr_expect(json_string_is(value, str_of(cases[i].meant)), "%s", cases[i].raw);
        cr_expect_not(json_string_is(value, STR("plain?")), "%s", cases[i].raw);
    }
    struct json_value number;
    struct str got;
    cr_assert_eq(json_read(STR("12"), &number, NULL), ERR_OK);
    cr_assert_eq(json_string(number, &arena, &got), ERR_BAD);
    cr_assert_not(json_string_is(number, STR("12")));
    char small[2];
    size_t len;
    cr_assert_not(json_unescape(STR("a\\u20ac"), small, sizeof small, &len));
    arena_reset(&arena);
}

Test(json, reads_integers_exactly_or_not_at_all)
{
    static const struct {
        const char *text;
        enum err err;
        int64_t value;
    } cases[] = {
        { "0", ERR_OK, 0 },
        { "-0", ERR_OK, 0 },
        { "-0.0e9", ERR_OK, 0 },
        { "12.0", ERR_OK, 12 },
        { "1e3", ERR_OK, 1000 },
        { "1.25e2", ERR_OK, 125 },
        { "1200e-2", ERR_OK, 12 },
        { "9007199254740993", ERR_OK, 9007199254740993 },
        { "9223372036854775807", ERR_OK, INT64_MAX },
        { "-9223372036854775808", ERR_OK, INT64_MIN },
        { "9223372036854775808", ERR_BAD, 0 },
        { "-9223372036854775809", ERR_BAD, 0 },
        { "1.5", ERR_BAD, 0 },
        { "1e-1", ERR_BAD, 0 },
        { "1e400", ERR_BAD, 0 },
        { "0e999999999999999999999", ERR_OK, 0 },
        { "10000000000000000000000e-22", ERR_OK, 1 },
        { "\"1\"", ERR_BAD, 0 },
        { "true", ERR_BAD, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_value value;
        int64_t got = 0;
        cr_assert_eq(json_read(str_of(cases[i].text), &value, NULL), ERR_OK);
        cr_expect_eq(json_i64(value, &got), cases[i].err, "%s", cases[i].text);
        cr_expect_eq(got, cases[i].value, "%s", cases[i].text);
    }
    struct json_value value;
    uint64_t got;
    cr_assert_eq(json_read(STR("18446744073709551615"), &value, NULL), ERR_OK);
    cr_assert(json_u64(value, &got) == ERR_OK && got == UINT64_MAX);
    cr_assert_eq(json_read(STR("18446744073709551616"), &value, NULL), ERR_OK);
    cr_assert_eq(json_u64(value, &got), ERR_BAD);
    cr_assert_eq(json_read(STR("-1"), &value, NULL), ERR_OK);
    cr_assert_eq(json_u64(value, &got), ERR_BAD);
}

Test(json, makes_a_tree_whose_nodes_skip_subtrees)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct json_doc doc;
    struct str text = STR("{\"a\":[1,{\"b\":null}],\"\\u0063\":\"x\"}");
    cr_assert_eq(json_parse(text, &arena, &doc, NULL), ERR_OK);
    cr_assert_eq(doc.count, 9);
    cr_assert_eq(doc.nodes[0].next, 9);
    cr_assert(json_string_is(json_at(&doc, 1), STR("a")));
    cr_assert((doc.nodes[1].flags & JSON_NODE_NAME) != 0);
    struct json_value array = json_at(&doc, 2);
    cr_assert(array.kind == JSON_ARRAY && str_equal(array.raw, STR("[1,{\"b\":null}]")));
    cr_assert_eq(doc.nodes[2].next, 7);
    cr_assert_eq(doc.nodes[4].next, 7);
    cr_assert_eq(json_at(&doc, 6).kind, JSON_NULL);
    cr_assert(json_string_is(json_at(&doc, 7), STR("c")));
    cr_assert(str_equal(json_at(&doc, 8).raw, STR("\"x\"")));
    arena_reset(&arena);
    arena_init(&arena, 64);
    cr_assert_eq(json_parse(text, &arena, &doc, NULL), ERR_FULL);
    arena_reset(&arena);
}

/* What a string's content should be: looked at byte by byte. 0 = good, else 1 + offset of the
 * first byte that is not. */
static size_t
plain_fault(const uint8_t *at, size_t len, struct json_weight *weight)
{
    for (size_t i = 0; i < len;) {
        if (at[i] == '"' || at[i] == '\\' || at[i] < 0x20) {
            return i + 1;
        }
        size_t bytes = at[i] < 0x80 ? 1 : at[i] < 0xe0 ? 2 : at[i] < 0xf0 ? 3 : 4;
        for (size_t k = 1; k < bytes; k++) {
            if (i + k >= len || (at[i + k] & 0xc0) != 0x80) {
                return i + 1;
            }
        }
        if (bytes > 1 && (at[i] < 0xc2 || at[i] > 0xf4)) {
            return i + 1;
        }
        weight->wide_characters += bytes > 1;
        weight->wide_bytes += bytes > 1 ? bytes : 0;
        i += bytes;
    }
    return 0;
}

Test(json, scans_long_strings_as_a_walk_over_their_bytes_does)
{
    uint32_t seed = 3;
    for (int round = 0; round < 4000; round++) {
        seed = seed * 1103515245u + 12345u;
        size_t len = (seed >> 8) % (round % 2 == 0 ? 420 : 1600);
        char *text = malloc(len + 2);
        text[0] = '"';
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245u + 12345u;
            text[1 + i] = (char)(' ' + 3 + (seed >> 8) % 57);
        }
        if (len > 0 && round % 4 != 0) {
            /* One byte of any value somewhere; beyond ASCII it is a fault or, by luck, none. */
            text[1 + (seed >> 4) % len] = (char)(seed >> 12 & 0xff);
        }
        if (len > 2 && round % 3 == 0) {
            memcpy(text + 1 + (seed >> 6) % (len - 1), "\xc3\xa9", 2);
        }
        text[len + 1] = '"';
        struct json_weight plain = { 0, 0, 0 };
        struct json_weight weight;
        struct json_error error = { 0, NULL };
        size_t fault = plain_fault((const uint8_t *)text + 1, len, &plain);
        enum err err =
            json_scan_weighed(str_make(text, len + 2), NULL, NULL, NULL, &error, &weight);
        /* An escape's fault may be its second byte, a quote's is what stands behind it. */
        bool is_escape = fault != 0 && text[fault] == '\\';
        cr_assert(is_escape || (err == ERR_OK) == (fault == 0), "%.*s", (int)len + 2, text);
        if (err == ERR_OK && fault == 0) {
            cr_assert_eq(weight.wide_characters, plain.wide_characters);
            cr_assert_eq(weight.wide_bytes, plain.wide_bytes);
        } else if (!is_escape && text[fault] != '"') {
            cr_assert_eq(error.offset, fault, "%zu %zu", error.offset, fault);
        }
        free(text);
    }
}

Test(json, weighs_base64_but_not_text)
{
    size_t len = 5000;
    char *text = malloc(len);
    struct json_weight weight;
    memset(text, 'A', len);
    text[0] = '"';
    text[len - 1] = '"';
    cr_assert(json_scan_weighed(str_make(text, len), NULL, NULL, NULL, NULL, &weight) == ERR_OK);
    cr_assert_eq(weight.data_bytes, len - 2);
    text[3 * 512 + 100] = ' ';
    cr_assert(json_scan_weighed(str_make(text, len), NULL, NULL, NULL, NULL, &weight) == ERR_OK);
    cr_assert_eq(weight.data_bytes, len - 2 - 512);
    for (size_t i = 1; i < len - 1; i += 7) {
        text[i] = ' ';
    }
    cr_assert(json_scan_weighed(str_make(text, len), NULL, NULL, NULL, NULL, &weight) == ERR_OK);
    cr_assert_eq(weight.data_bytes, 0);
    free(text);
}

struct heard {
    char text[256];
    uint32_t opened;
};

static bool
on_heard(void *context, const struct json_member *member)
{
    struct heard *heard = context;
    size_t len = strlen(heard->text);
    snprintf(heard->text + len, sizeof heard->text - len, "%.*s=%.*s;", STR_ARG(member->name),
             STR_ARG(member->value.raw));
    return true;
}

static bool
on_heard_open(void *context, const struct json_member *member)
{
    struct heard *heard = context;
    size_t len = strlen(heard->text);
    if (member == NULL) {
        snprintf(heard->text + len, sizeof heard->text - len, ")");
        return false;
    }
    if (str_equal(member->name, STR("shut"))) {
        return false;
    }
    snprintf(heard->text + len, sizeof heard->text - len, "%.*s(", STR_ARG(member->name));
    return true;
}

Test(json, walks_two_levels_and_goes_on_behind_a_member)
{
    struct heard heard = { "", 0 };
    struct str rest;
    struct str text =
        STR(" {\"a\":1,\"b\":{\"c\":{\"d\":2},\"e\":[]},\"f\":{},\"shut\":{\"g\":3}} tail");
    cr_assert(json_scan_leading(text, on_heard, on_heard_open, &heard, &rest) == ERR_OK);
    cr_assert_str_eq(heard.text, "a=1;b(c={\"d\":2};e=[];)f()shut={\"g\":3};");
    cr_assert(str_equal(rest, STR(" tail")));
    for (size_t len = 0; len < text.len - 5; len++) {
        heard.text[0] = '\0';
        cr_assert(json_scan_leading(str_make(text.data, len), on_heard, on_heard_open, &heard,
                                    &rest) == ERR_BAD);
    }
    static const char *const good[] = { "}", " } ", ",\"a\":1}",
                                        " , \"a\" : {\"b\":2} , \"c\":3 }" };
    static const char *const bad[] = { "",  ",",        ",}",         "}}",      ",\"a\"}",
                                       "]", ",\"a\":1", ",\"a\":1}}", "\"a\":1}" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        heard.text[0] = '\0';
        cr_assert(json_scan_rest(str_of(good[i]), on_heard, &heard) == ERR_OK, "%s", good[i]);
    }
    cr_assert_str_eq(heard.text, "a={\"b\":2};c=3;");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(json_scan_rest(str_of(bad[i]), on_heard, &heard) == ERR_BAD, "%s", bad[i]);
    }
}
