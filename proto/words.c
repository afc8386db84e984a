/*
 * words.c - see words.h.
 *
 *      {"delta":{"content":"Hello"},"finish_reason":null}
 *       ^        ^         ^         ^    a quote with a small letter behind it: 16 places a step
 *       delta    content   (H: no)   finish_reason      one of the words of that letter?
 */
#include "proto/words.h"

#include <stdbool.h>
#include <stddef.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "proto/dialect.h"
#include "proto/estimate.h"

enum word_value { VALUE_OBJECT, VALUE_TEXT, VALUE_ANY };

struct word {
    struct str text; /* the closing quote belongs to the word */
    enum words_bit bit;
    enum word_value value;
    uint32_t dialects;
};

#define CHAT DIALECT_BIT(DIALECT_CHAT)
#define RESPONSES DIALECT_BIT(DIALECT_RESPONSES)
#define ANTHROPIC DIALECT_BIT(DIALECT_ANTHROPIC)
#define GEMINI DIALECT_BIT(DIALECT_GEMINI)

/* In the order of their first letters, so that a letter's words stand together. */
static const struct word table[] = {
    { { "arguments\"", 10 }, WORDS_CONTENT, VALUE_TEXT, CHAT },
    { { "blockReason\"", 12 }, WORDS_FINISH, VALUE_TEXT, GEMINI },
    { { "content\"", 8 }, WORDS_CONTENT, VALUE_TEXT, CHAT },
    { { "delta\"", 6 }, WORDS_CONTENT, VALUE_TEXT, CHAT | RESPONSES },
    { { "error\"", 6 }, WORDS_ERROR, VALUE_ANY, CHAT | GEMINI },
    { { "finish_reason\"", 14 }, WORDS_FINISH, VALUE_TEXT, CHAT },
    { { "finishReason\"", 13 }, WORDS_FINISH, VALUE_TEXT, GEMINI },
    { { "functionCall\"", 13 }, WORDS_CONTENT, VALUE_OBJECT, GEMINI },
    { { "inlineData\"", 11 }, WORDS_CONTENT, VALUE_OBJECT, GEMINI },
    { { "partial_json\"", 13 }, WORDS_CONTENT, VALUE_TEXT, ANTHROPIC },
    { { "reasoning_content\"", 18 }, WORDS_CONTENT, VALUE_TEXT, CHAT },
    { { "reasoning\"", 10 }, WORDS_CONTENT, VALUE_TEXT, CHAT },
    { { "refusal\"", 8 }, WORDS_CONTENT, VALUE_TEXT, CHAT },
    { { "text\"", 5 }, WORDS_CONTENT, VALUE_TEXT, CHAT | ANTHROPIC | GEMINI },
    { { "thinking\"", 9 }, WORDS_CONTENT, VALUE_TEXT, ANTHROPIC },
    { { "usage\"", 6 }, WORDS_USAGE, VALUE_OBJECT, CHAT },
    { { "usageMetadata\"", 14 }, WORDS_USAGE, VALUE_OBJECT, GEMINI },
};

/* Where a letter's words begin in the table, and how many there are. */
static const struct {
    uint8_t first;
    uint8_t count;
} letters[] = {
    ['a' - 'a'] = { 0, 1 },  ['b' - 'a'] = { 1, 1 },  ['c' - 'a'] = { 2, 1 },
    ['d' - 'a'] = { 3, 1 },  ['e' - 'a'] = { 4, 1 },  ['f' - 'a'] = { 5, 3 },
    ['i' - 'a'] = { 8, 1 },  ['p' - 'a'] = { 9, 1 },  ['r' - 'a'] = { 10, 3 },
    ['t' - 'a'] = { 13, 2 }, ['u' - 'a'] = { 15, 2 }, ['z' - 'a'] = { 0, 0 },
};

/* The end of the string whose content begins at `at`: its closing quote, or `end`. */
static const char *
string_end(const char *at, const char *end)
{
    const char *from = at;
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (quote == NULL) {
            return end;
        }
        const char *slash = quote;
        while (slash > from && slash[-1] == '\\') {
            slash--;
        }
        if ((quote - slash) % 2 == 0) {
            return quote;
        }
        at = quote + 1;
    }
    return end;
}

static inline const char *
skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* The value's first byte behind a name's closing quote; NULL when no member's name stands there. */
static inline const char *
value_behind(const char *at, const char *end)
{
    at = skip_blanks(at, end);
    if (at == end || *at != ':') {
        return NULL;
    }
    at = skip_blanks(at + 1, end);
    return at == end ? NULL : at;
}

/* The word at `at` (behind a quote); NULL when it is none. */
static inline const struct word *
find_word(uint32_t dialects, const char *at, const char *end)
{
    unsigned letter = (unsigned char)*at - (unsigned)'a';
    if (letter > 'z' - 'a' || end - at < 5) {
        return NULL;
    }
    const struct word *word = &table[letters[letter].first];
    for (const struct word *last = word + letters[letter].count; word < last; word++) {
        /* Four letters are one comparison, and no word is shorter than five. */
        if (memcmp(at, word->text.data, 4) == 0 && (word->dialects & dialects) != 0 &&
            (size_t)(end - at) >= word->text.len &&
            memcmp(at, word->text.data, word->text.len) == 0) {
            return word;
        }
    }
    return NULL;
}

/* Takes note of the word whose text stands at `at`; returns where to go on. */
static const char *
note_word(struct words *words, const struct word *word, const char *at, const char *end)
{
    at += word->text.len;
    const char *value = value_behind(at, end);
    if (value == NULL) {
        return at;
    }
    if (*value == '"' && value + 1 < end && value[1] != '"' && word->value != VALUE_OBJECT) {
        const char *close = string_end(value + 1, end);
        words->seen |= word->bit;
        if (word->bit == WORDS_CONTENT) {
            struct str content = str_make(value + 1, (size_t)(close - value - 1));
            words->text_quarters += estimate_quarters(content);
        }
        return close < end ? close + 1 : end;
    }
    if (*value == '{' && word->value != VALUE_TEXT) {
        words->seen |= word->bit;
    }
    return value;
}

/* Looks at the quote before `at`; returns where to go on. */
static inline const char *
look_behind(struct words *words, uint32_t dialects, const char *at, const char *end)
{
    const struct word *word = at < end ? find_word(dialects, at, end) : NULL;
    return word == NULL ? at : note_word(words, word, at, end);
}

/* Takes note of all words from `at` on, which is not within one. */
static void
walk(struct words *words, uint32_t dialects, const char *at, const char *end)
{
#if defined(__SSE2__)
    __m128i quote = _mm_set1_epi8('"');
    __m128i before_a = _mm_set1_epi8('a' - 1);
    while (end - at >= 17) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i y = _mm_loadu_si128((const __m128i *)(const void *)(at + 1));
        x = _mm_and_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpgt_epi8(y, before_a));
        unsigned mask = (unsigned)_mm_movemask_epi8(x);
        const char *block = at;
        at += 16;
        while (mask != 0) {
            const char *letter = block + __builtin_ctz(mask) + 1;
            const char *next = look_behind(words, dialects, letter, end);
            if (next != letter) {
                at = next; /* behind a value: the rest of the block is not looked at again */
                break;
            }
            mask &= mask - 1;
        }
    }
#endif
    while (at < end && (at = memchr(at, '"', (size_t)(end - at))) != NULL) {
        at = look_behind(words, dialects, at + 1, end);
    }
}

struct words
words_look(uint32_t dialects, struct str data)
{
    struct words words = { 0, 0 };
    walk(&words, dialects, data.data, data.data + data.len);
    return words;
}

/* --- the same event again --- */

/* An event whose surroundings never come again costs two walks: after so many, never again. */
#define MISSES_MAX 32u

/* Remembers what stands around the first word that counts, when nothing counts behind it. */
static void
remember(struct words_memory *memory, uint32_t dialects, struct str data, const struct words *all)
{
    struct words words = { 0, 0 };
    const char *at = data.data;
    const char *end = data.data + data.len;
    memory->misses++;
    memory->before_bytes = 0;
    while (at < end && (at = memchr(at, '"', (size_t)(end - at))) != NULL) {
        const char *letter = ++at;
        const struct word *word = at < end ? find_word(dialects, at, end) : NULL;
        at = word == NULL ? at : note_word(&words, word, at, end);
        if (words.seen == 0) {
            continue;
        }
        size_t before = (size_t)(letter - data.data) + word->text.len;
        size_t behind = (size_t)(end - at);
        if (before <= WORDS_BEFORE_BYTES && behind <= WORDS_BEHIND_BYTES &&
            words.seen == all->seen && words.text_quarters == all->text_quarters) {
            memory->before_bytes = (uint16_t)before;
            memory->behind_bytes = (uint16_t)behind;
            memory->word = (uint8_t)(word - table);
            memcpy(memory->before, data.data, before);
            memcpy(memory->behind, at, behind);
        }
        return;
    }
}

/*
 * Why this is exact: a walk knows nothing but where it is. Whether a word that begins before the
 * remembered one counts is decided by bytes up to the remembered one's quote, so the same bytes
 * there lead to the same place; and from the value's end the same bytes find nothing again.
 */
struct words
words_look_again(struct words_memory *memory, uint32_t dialects, struct str data)
{
    size_t before = memory->before_bytes;
    if (before == 0 || data.len < before || memcmp(data.data, memory->before, before) != 0) {
        struct words all = words_look(dialects, data);
        if (all.seen == WORDS_CONTENT && memory->misses < MISSES_MAX) {
            remember(memory, dialects, data, &all);
        }
        return all;
    }
    struct words words = { 0, 0 };
    const struct word *word = &table[memory->word];
    const char *end = data.data + data.len;
    const char *at = note_word(&words, word, data.data + before - word->text.len, end);
    if ((size_t)(end - at) != memory->behind_bytes ||
        memcmp(at, memory->behind, memory->behind_bytes) != 0) {
        walk(&words, dialects, at, end);
    }
    return words;
}
