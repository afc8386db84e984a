/* Characters whose two halves come in two deltas. */
#include <criterion/criterion.h>

#include "proto/joiner.h"

#define LOST "\xef\xbf\xbd"
#define FACE "\xf0\x9f\x98\x80"

Test(joiner, puts_halves_together_and_replaces_what_stays_alone)
{
    static const struct {
        const char *deltas[4];
        const char *want;
    } cases[] = {
        { { "\"a\\ud83d\"", "\"\\ude00b\"" }, "a" FACE "b" },
        { { "\"\\ud83d\"", "\"\"", "\"\\uDE00\"" }, FACE },
        { { "\"\\ud83d\"", "\"x\"" }, LOST "x" },
        { { "\"\\ud83d\"", "\"\\n\"" }, LOST "\n" },
        { { "\"\\ud83d\"", "\"\\ud83d\"", "\"\\ude00\"" }, LOST FACE },
        { { "\"\\ude00\"" }, LOST },
        { { "\"a\\ud83d\"" }, "a" LOST },
        { { "\"\\ud83d\\ude00\"", "\"plain\"" }, FACE "plain" },
        { { "\"\\\\ud83d\"", "\"\\ude00\"" }, "\\ud83d" LOST },
        { { "\"\\\\\\ud83d\"", "\"\\ude00\"" }, "\\" FACE },
        { { "\"\\u00e4\"", "\"\"" }, "\xc3\xa4" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct joiner joiner = { 0 };
        char said[64] = "";
        arena_init(&arena, 4096);
        for (size_t k = 0; k < 4 && cases[i].deltas[k] != NULL; k++) {
            struct json_value value;
            struct str text;
            cr_assert_eq(json_read(str_of(cases[i].deltas[k]), &value, NULL), ERR_OK);
            cr_assert_eq(joiner_text(&joiner, value, &arena, &text), ERR_OK);
            strncat(said, text.len > 0 ? text.data : "", text.len);
        }
        struct str rest = joiner_flush(&joiner);
        strncat(said, rest.len > 0 ? rest.data : "", rest.len);
        cr_expect_str_eq(said, cases[i].want, "case %zu: %s", i, said);
        cr_expect_eq(joiner_flush(&joiner).len, 0, "once");
        arena_reset(&arena);
    }
}

Test(joiner, takes_strings_only)
{
    static const char *const odd[] = { "null", "1", "[\"a\"]", "{}", "true" };
    struct arena arena;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct joiner joiner = { .high = i % 2 == 0 ? 0 : 0xd83d };
        struct json_value value;
        struct str text;
        cr_assert_eq(json_read(str_of(odd[i]), &value, NULL), ERR_OK);
        cr_expect_eq(joiner_text(&joiner, value, &arena, &text), ERR_BAD, "%s", odd[i]);
    }
    arena_reset(&arena);
}
