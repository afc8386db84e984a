/*
 * The words of an event: the way of sixteen bytes a step finds what a plain walk finds.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

/* The table and the walk behind a word are used here as they are. */
#include "proto/words.c"

static uint32_t seed = 1;

static uint32_t
random_below(uint32_t bound)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % bound;
}

/* Each quote, one after the other, with the whole table. */
static struct words
plain_look(uint32_t dialects, struct str data)
{
    struct words words = { 0, 0 };
    const char *end = data.data + data.len;
    for (const char *at = data.data; at < end;) {
        if (*at++ != '"') {
            continue;
        }
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            if ((table[i].dialects & dialects) != 0 &&
                str_starts(str_make(at, (size_t)(end - at)), table[i].text)) {
                at = note_word(&words, &table[i], at, end);
                break;
            }
        }
    }
    return words;
}

/* Pieces of which events are made, whole and broken. */
static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\\"",
    "\\\\",
    " ",
    "null",
    "1",
    "\"x\"",
    "\"\"",
    "\"a long text without anything\"",
    "\"\xe4\xbd\xa0\"",
    "\"content\"",
    "\"delta\":",
    "\"usage\":",
    "\"id\":",
    "\"error\":",
    "\"text\":",
    "\"finish_reason\":",
    "\"finishReason\":",
    "\"usageMetadata\":",
    "\"reasoning\":\"hm\"",
    "\"reasoning_content\":",
    "\"refusal\":",
    "\"arguments\": \"{\\\"a\\\":1}\"",
    "\"partial_json\":",
    "\"thinking\":",
    "\"functionCall\":{",
    "\"inlineData\" : {",
    "\"blockReason\":\"SAFETY\"",
    "content\":\"y\"",
    "\"contents\":\"y\"",
};

static struct str
random_event(char *out, size_t bytes)
{
    size_t len = 0;
    uint32_t count = random_below(24);
    for (uint32_t i = 0; i < count; i++) {
        struct str piece = str_of(pieces[random_below(sizeof pieces / sizeof pieces[0])]);
        if (len + piece.len <= bytes) {
            memcpy(out + len, piece.data, piece.len);
            len += piece.len;
        }
    }
    return str_make(out, len);
}

Test(words, are_those_of_a_plain_walk)
{
    static const uint32_t masks[] = { CHAT, RESPONSES, ANTHROPIC, GEMINI, DIALECT_MASK_ALL };
    uint32_t found = 0;
    for (int i = 0; i < 20000; i++) {
        char buffer[512];
        struct str event = random_event(buffer, sizeof buffer);
        /* In memory of its exact size, so that a look behind its end is caught. */
        char *copy = malloc(event.len + 1);
        memcpy(copy + 1, event.data, event.len);
        struct str data = str_make(copy + 1, event.len);
        uint32_t mask = masks[random_below(5)];
        struct words fast = words_look(mask, data);
        struct words plain = plain_look(mask, data);
        cr_assert_eq(fast.seen, plain.seen, "%.*s", STR_ARG(data));
        cr_assert_eq(fast.text_quarters, plain.text_quarters, "%.*s", STR_ARG(data));
        found |= plain.seen;
        free(copy);
    }
    cr_assert_eq(found, WORDS_USAGE | WORDS_FINISH | WORDS_ERROR | WORDS_CONTENT);
}

Test(words, every_row_is_found_by_its_letter)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct str text = table[i].text;
        cr_assert_eq(text.len, strlen(text.data));
        cr_assert_geq(text.len, 5);
        cr_assert(find_word(DIALECT_MASK_ALL, text.data, text.data + text.len) == &table[i]);
    }
}
