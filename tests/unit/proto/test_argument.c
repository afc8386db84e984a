/* Tool arguments: when they are complete, what stands for broken ones, free text in and out. */
#include <criterion/criterion.h>

#include "proto/argument.h"

Test(argument, is_complete_when_its_first_value_ends)
{
    static const struct {
        const char *text;
        size_t taken;
        bool is_complete;
    } cases[] = {
        { "{\"a\":{\"b\":[1]}}", 15, true },
        { "{\"a\":\"}\"", 8, false },
        { "{\"a\":\"\\\"}\"}", 11, true },
        { "{}{\"b\":1}", 2, true },
        { "{} \n", 4, true },
        { " \t", 2, false },
        { "", 0, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct argument argument = { 0 };
        struct str text = str_of(cases[i].text);
        cr_expect_eq(argument_feed(&argument, text), cases[i].taken, "%s", cases[i].text);
        cr_expect_eq(argument.is_complete, cases[i].is_complete, "%s", cases[i].text);
        struct argument slow = { 0 };
        for (size_t k = 0; k < cases[i].taken; k++) {
            cr_expect_eq(argument_feed(&slow, str_make(text.data + k, 1)), 1, "%s", cases[i].text);
        }
        cr_expect_eq(slow.is_complete, cases[i].is_complete, "a byte at a time: %s", cases[i].text);
    }
}

Test(argument, becomes_an_object_whatever_a_history_says)
{
    static const char *const cases[][3] = {
        /* text, of a history, fresh (NULL: refused) */
        { "", "{}", "{}" },
        { " \n", "{}", "{}" },
        { "null", "{}", "{}" },
        { " {\"a\": 1 } ", "{\"a\": 1 }", "{\"a\": 1 }" },
        { "[1]", "{\"_raw_arguments\":\"[1]\"}", NULL },
        { "{\"a\":", "{\"_raw_arguments\":\"{\\\"a\\\":\"}", NULL },
        { "{}{}", "{\"_raw_arguments\":\"{}{}\"}", NULL },
        { "\"{}\"", "{\"_raw_arguments\":\"\\\"{}\\\"\"}", NULL },
    };
    struct arena arena;
    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str out;
        struct str text = str_of(cases[i][0]);
        cr_assert_eq(argument_object(text, true, &arena, &out), ERR_OK);
        cr_expect(str_equal(out, str_of(cases[i][1])), "%s: %.*s", cases[i][0], STR_ARG(out));
        enum err err = argument_object(text, false, &arena, &out);
        cr_expect_eq(err, cases[i][2] == NULL ? ERR_BAD : ERR_OK, "%s", cases[i][0]);
        cr_expect(err != ERR_OK || str_equal(out, str_of(cases[i][2])), "%s", cases[i][0]);
    }
    arena_reset(&arena);
}

Test(argument, wraps_free_text_and_unwraps_it_byte_for_byte)
{
    static const char *const texts[] = { "", "plain", "a\"b\\c\n\t\x01",
                                         "\xf0\x9f\x98\x80 \xc3\xa4" };
    static const char *const odd[] = {
        "{}",          "{\"input\":1}",     "{\"input\":\"a\",\"more\":1}",
        "[\"input\"]", "{\"Input\":\"a\"}", "{\"input\":\"a"
    };
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct str wrapped, back;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cr_assert_eq(argument_wrap(str_of(texts[i]), &arena, &wrapped), ERR_OK);
        cr_assert(argument_unwrap(wrapped, &arena, &back), "%.*s", STR_ARG(wrapped));
        cr_expect(str_equal(back, str_of(texts[i])), "%s", texts[i]);
    }
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        cr_expect_not(argument_unwrap(str_of(odd[i]), &arena, &back), "%s", odd[i]);
    }
    arena_reset(&arena);
}

/* What comes of a text that arrives in two pieces; false: its shape is odd. */
static bool
stream(struct str text, size_t cut, struct buf *to)
{
    struct argument_stream state = { 0 };
    buf_clear(to);
    cr_assert_eq(argument_unwrap_feed(&state, str_make(text.data, cut), to), ERR_OK);
    cr_assert_eq(argument_unwrap_feed(&state, str_skip(text, cut), to), ERR_OK);
    return !state.is_odd;
}

Test(argument, unwraps_a_stream_cut_at_any_byte)
{
    static const char *const cases[][2] = {
        { " { \"input\" : \"a\\n\\u00e4\\\\\\\"\\/b\" } ", "a\n\xc3\xa4\\\"/b" },
        { "{\"input\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80" },
        { "{\"input\":\"\\ud83dx\\ude00\"}", "\xef\xbf\xbdx\xef\xbf\xbd" },
        { "{\"input\":\"\\ud83d\\n\\ud83d\\u0041\"}", "\xef\xbf\xbd\n\xef\xbf\xbd"
                                                      "A" },
        { "{\"input\":\"\\ud83d\"}", "\xef\xbf\xbd" },
        { "{\"input\":\"\"}", "" },
    };
    static const char *const odd[] = {
        "{\"inputs\":\"a\"}",     "{\"in put\":\"a\"}",        "[\"input\"]",
        "{\"input\":1}",          "{\"input\":\"a\",\"b\":1}", "{\"input\":\"\\x\"}",
        "{\"input\":\"\\u12g4\"}"
    };
    struct buf to;
    buf_init(&to, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct str text = str_of(cases[i][0]);
        for (size_t cut = 0; cut <= text.len; cut++) {
            cr_expect(stream(text, cut, &to), "%s cut at %zu", cases[i][0], cut);
            cr_expect(str_equal(buf_str(&to), str_of(cases[i][1])), "%s cut at %zu: %.*s",
                      cases[i][0], cut, STR_ARG(buf_str(&to)));
        }
    }
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        cr_expect_not(stream(str_of(odd[i]), 3, &to), "%s", odd[i]);
    }
    buf_fini(&to);
}
