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

/* One event after the other from the same pieces, with now and then another piece or a cut. */
static void
follow_stream(uint32_t mask, uint32_t *remembered)
{
    uint32_t picks[24];
    uint32_t count = 1 + random_below(24);
    for (uint32_t i = 0; i < count; i++) {
        picks[i] = random_below(sizeof pieces / sizeof pieces[0]);
    }
    struct words_memory memory = { 0 };
    for (uint32_t event = 0; event < 12; event++) {
        char buffer[1024];
        size_t len = 0;
        if (random_below(3) > 0) {
            picks[random_below(count)] = random_below(sizeof pieces / sizeof pieces[0]);
        }
        for (uint32_t i = 0; i < count; i++) {
            struct str piece = str_of(pieces[picks[i]]);
            memcpy(buffer + len, piece.data, piece.len);
            len += piece.len;
        }
        len -= random_below(4) == 0 ? random_below((uint32_t)len) : 0;
        char *copy = malloc(len + 1);
        memcpy(copy + 1, buffer, len);
        struct str data = str_make(copy + 1, len);
        struct words again = words_look_again(&memory, mask, data);
        struct words plain = plain_look(mask, data);
        cr_assert_eq(again.seen, plain.seen, "%.*s", STR_ARG(data));
        cr_assert_eq(again.text_quarters, plain.text_quarters, "%.*s", STR_ARG(data));
        *remembered += memory.before_bytes > 0 ? 1 : 0;
        free(copy);
    }
}

Test(words, of_a_stream_are_those_of_its_events)
{
    static const uint32_t masks[] = { CHAT, RESPONSES, ANTHROPIC, GEMINI, DIALECT_MASK_ALL };
    uint32_t remembered = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        follow_stream(masks[i % 5], &remembered);
    }
    cr_assert_gt(remembered, 20000);
}

Test(words, long_surroundings_are_not_remembered)
{
    char text[1024];
    struct words_memory memory = { 0 };
    for (size_t before = 0; before < 400; before++) {
        memset(text, ' ', before);
        size_t len = before;
        memcpy(text + len, "\"content\":\"hello\"", 17);
        len += 17;
        size_t behind = before % 90;
        memset(text + len, '}', behind);
        memory.misses = 0;
        struct words words = words_look_again(&memory, CHAT, str_make(text, len + behind));
        cr_assert_eq(words.seen, WORDS_CONTENT);
        cr_assert_eq(words.text_quarters, 5);
        cr_assert_eq(memory.before_bytes > 0,
                     before + 9 <= WORDS_BEFORE_BYTES && behind <= WORDS_BEHIND_BYTES);
    }
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
