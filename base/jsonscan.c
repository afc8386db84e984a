/*
 * jsonscan.c - the strict JSON scanner (see jsonscan.h).
 */
#include "base/jsonscan.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

void
jsonscan_init(struct jsonscan *s, struct str text)
{
    s->start = (const uint8_t *)(text.len == 0 ? "" : text.data);
    s->at = s->start;
    s->end = s->start + text.len;
    s->reason = NULL;
    s->name_end = NULL;
    s->depth = 0;
    s->count = 0;
    s->open = 0;
    s->is_escaped = false;
    s->nodes = NULL;
    s->weight = (struct json_weight){ 0, 0, 0 };
}

__attribute__((cold, noinline)) bool
jsonscan_fail(struct jsonscan *s, const uint8_t *at, const char *reason)
{
    s->at = at;
    s->reason = at >= s->end ? "the text ends too early" : reason;
    return false;
}

/* `at` is behind a backslash: returns what is behind the escape, or NULL. */
static inline const uint8_t *
skip_escape(const uint8_t *at, const uint8_t *end)
{
    if (at == end) {
        return NULL;
    }
    switch (*at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 1;
    case 'u':
        if (end - at < 5 || jsonscan_hex(at[1]) < 0 || jsonscan_hex(at[2]) < 0 ||
            jsonscan_hex(at[3]) < 0 || jsonscan_hex(at[4]) < 0) {
            return NULL;
        }
        return at + 5;
    default:
        return NULL;
    }
}

/*
 * What ends a plain run: a control byte, the quote, the backslash, a byte beyond ASCII.
 *
 *      00..1f control | 20 21 | 22 quote | 23 ... 5b | 5c backslash | 5d ... 7f | 80..ff beyond
 *
 * x ^ 2 swaps the blank (20) and the quote (22), 21 and 23, and keeps every other border of a
 * block of four; so all but the backslash are one range: as signed bytes, below 21.
 */
#if defined(__SSE2__)
/* Bit i: byte i of these 16 ends a plain run. */
static inline unsigned
special_mask(const uint8_t *at)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i range = _mm_cmplt_epi8(_mm_xor_si128(x, _mm_set1_epi8(2)), _mm_set1_epi8(0x21));
    __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(range, slash));
}

#define RUN_BYTES 128 /* looked at as one where no string ends soon */

/*
 * Five steps for 16 bytes: x ^ 82 moves the range above to the unsigned bytes 00..a0, so a running
 * minimum keeps what matters; a further - de makes the backslash 00, and a second minimum keeps
 * that.
 */
static inline void
look_at_16(const uint8_t *at, __m128i *range, __m128i *slash)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
    x = _mm_xor_si128(x, _mm_set1_epi8((char)0x82));
    *range = _mm_min_epu8(*range, x);
    x = _mm_sub_epi8(x, _mm_set1_epi8((char)0xde));
    *slash = _mm_min_epu8(*slash, x);
}

/* Does one of these RUN_BYTES end a plain run? */
static inline bool
has_special(const uint8_t *at)
{
    __m128i range = _mm_set1_epi8(-1);
    __m128i slash = range;
    /* Written out, as compilers leave a loop of eight as it is. */
    look_at_16(at, &range, &slash);
    look_at_16(at + 16, &range, &slash);
    look_at_16(at + 32, &range, &slash);
    look_at_16(at + 48, &range, &slash);
    look_at_16(at + 64, &range, &slash);
    look_at_16(at + 80, &range, &slash);
    look_at_16(at + 96, &range, &slash);
    look_at_16(at + 112, &range, &slash);
    __m128i least = _mm_min_epu8(_mm_subs_epu8(range, _mm_set1_epi8((char)0xa0)), slash);
    return _mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0;
}

/* The same as skip_plain() once 16 plain bytes before `at` are passed. */
static __attribute__((noinline)) const uint8_t *
skip_long(const uint8_t *at, const uint8_t *end)
{
    unsigned mask;
    while (end - at >= RUN_BYTES && !has_special(at)) {
        at += RUN_BYTES;
    }
    for (; end - at >= 16; at += 16) {
        mask = special_mask(at);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
    }
    mask = special_mask(end - 16) >> (16 - (end - at));
    return mask != 0 ? at + __builtin_ctz(mask) : end;
}
#endif

/* `start` .. `end` may be read, and `at` lies in it: the last bytes are looked at together with
 * what stands before them, whose bits are shifted out. */
static inline const uint8_t *
skip_plain(const uint8_t *start, const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    if (end - at >= 16) {
        unsigned mask = special_mask(at);
        return mask != 0 ? at + __builtin_ctz(mask) : skip_long(at + 16, end);
    }
    if (end - start >= 16) {
        unsigned mask = special_mask(end - 16) >> (16 - (end - at));
        return mask != 0 ? at + __builtin_ctz(mask) : end;
    }
#else
    (void)start;
#endif
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

const uint8_t *
jsonscan_plain(const uint8_t *at, const uint8_t *end)
{
    return skip_plain(at, at, end);
}

/* Is every byte of the piece at least '+', as all of base64 is? Text has a blank soon. */
static bool
is_data(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* Plain bytes are ASCII: the sign does not matter. */
        if (_mm_movemask_epi8(_mm_cmplt_epi8(x, _mm_set1_epi8('+'))) != 0) {
            return false;
        }
    }
#endif
    while (at < end && *at >= '+') {
        at++;
    }
    return at == end;
}

/* Bytes of a long plain run that lie in pieces of JSON_DATA_BYTES that are data; a shorter piece at
 * the run's end is so only behind such a one. */
static __attribute__((noinline)) uint64_t
count_data(const uint8_t *at, const uint8_t *end)
{
    uint64_t bytes = 0;
    bool was_data = false;
    for (; end - at >= JSON_DATA_BYTES; at += JSON_DATA_BYTES) {
        was_data = is_data(at, at + JSON_DATA_BYTES);
        bytes += was_data ? JSON_DATA_BYTES : 0;
    }
    return bytes + (was_data && is_data(at, end) ? (uint64_t)(end - at) : 0);
}

/* Passes the characters beyond ASCII that stand at `at`; NULL when they are no UTF-8. */
static inline const uint8_t *
skip_wide(struct jsonscan *s, const uint8_t *at)
{
    const uint8_t *from = at;
    do {
        size_t bytes = jsonscan_utf8(at, s->end);
        if (bytes == 0) {
            s->at = at;
            return NULL;
        }
        at += bytes;
        s->weight.wide_characters++;
    } while (at < s->end && *at >= 0x80);
    s->weight.wide_bytes += (uint64_t)(at - from);
    return at;
}

/* The rest of a string whose first special byte, at `at`, is not its closing quote. */
static __attribute__((noinline)) bool
skip_odd_string(struct jsonscan *s, const uint8_t *at)
{
    for (;;) {
        if (at == s->end) {
            return jsonscan_fail(s, at, "");
        }
        if (*at == '"') {
            s->at = at + 1;
            return true;
        }
        if (*at == '\\') {
            const uint8_t *behind = skip_escape(at + 1, s->end);
            if (behind == NULL) {
                return jsonscan_fail(s, at, "no such escape in a string");
            }
            s->is_escaped = true;
            at = behind;
        } else if (*at < 0x20) {
            return jsonscan_fail(s, at, "a control character must be escaped");
        } else {
            at = skip_wide(s, at);
            if (at == NULL) {
                return jsonscan_fail(s, s->at, "a string is not valid UTF-8");
            }
        }
        const uint8_t *from = at;
        at = skip_plain(s->start, at, s->end);
        if (at - from >= JSON_DATA_BYTES) {
            s->weight.data_bytes += count_data(from, at);
        }
    }
}

/* `at` is at the opening quote; moves it behind the closing one. */
static inline bool
skip_string(struct jsonscan *s)
{
    const uint8_t *from = s->at + 1;
    const uint8_t *at = skip_plain(s->start, from, s->end);
    s->is_escaped = false;
    if (__builtin_expect(at - from >= JSON_DATA_BYTES, 0)) {
        s->weight.data_bytes += count_data(from, at);
    }
    if (__builtin_expect(at < s->end && *at == '"', 1)) {
        s->at = at + 1;
        return true;
    }
    return skip_odd_string(s, at);
}

static inline const uint8_t *
skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

static bool
skip_number(struct jsonscan *s)
{
    const uint8_t *at = s->at + (*s->at == '-');
    const uint8_t *behind = skip_digits(at, s->end);
    if (behind == at || (*at == '0' && behind - at > 1)) {
        return jsonscan_fail(s, at, "a number is malformed");
    }
    at = behind;
    if (at < s->end && *at == '.') {
        behind = skip_digits(at + 1, s->end);
        if (behind == at + 1) {
            return jsonscan_fail(s, behind, "a number is malformed");
        }
        at = behind;
    }
    if (at < s->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < s->end && (*at == '+' || *at == '-');
        behind = skip_digits(at, s->end);
        if (behind == at) {
            return jsonscan_fail(s, at, "a number is malformed");
        }
        at = behind;
    }
    s->at = at;
    return true;
}

static bool
skip_word(struct jsonscan *s, struct str word)
{
    if ((size_t)(s->end - s->at) < word.len || memcmp(s->at, word.data, word.len) != 0) {
        return jsonscan_fail(s, s->at, "expected a value");
    }
    s->at += word.len;
    return true;
}

/* Counts a node and fills it when a tree is made. */
static inline void
add_node(struct jsonscan *s, const uint8_t *from, size_t bytes, uint32_t flags)
{
    if (s->nodes != NULL) {
        struct json_node *node = &s->nodes[s->count];
        node->offset = (uint32_t)(from - s->start);
        node->length = (uint32_t)bytes;
        node->next = s->count + 1;
        node->flags = flags | (s->is_escaped ? (uint32_t)JSON_NODE_ESCAPED : 0);
    }
    s->count++;
}

bool
jsonscan_name(struct jsonscan *s)
{
    if (s->at == s->end || *s->at != '"') {
        return jsonscan_fail(s, s->at, "expected a name in quotes");
    }
    const uint8_t *from = s->at + 1;
    if (!skip_string(s)) {
        return false;
    }
    s->name_end = s->at - 1;
    add_node(s, from, (size_t)(s->name_end - from), JSON_STRING | (uint32_t)JSON_NODE_NAME);
    jsonscan_blanks(s);
    if (s->at == s->end || *s->at != ':') {
        return jsonscan_fail(s, s->at, "expected ':' behind a name");
    }
    s->at++;
    return true;
}

enum json_kind
jsonscan_kind(uint8_t first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* A string, number or word. */
static inline bool
skip_scalar(struct jsonscan *s)
{
    const uint8_t *from = s->at;
    enum json_kind kind = JSON_STRING;
    bool is_good;
    if (*from == '"') {
        is_good = skip_string(s);
    } else {
        kind = jsonscan_kind(*from);
        s->is_escaped = false;
        if (*from == '-' || (*from >= '0' && *from <= '9')) {
            is_good = skip_number(s);
        } else if (kind == JSON_TRUE) {
            is_good = skip_word(s, STR("true"));
        } else if (kind == JSON_FALSE) {
            is_good = skip_word(s, STR("false"));
        } else if (kind == JSON_NULL) {
            is_good = skip_word(s, STR("null"));
        } else {
            return jsonscan_fail(s, from, "expected a value");
        }
    }
    if (is_good) {
        add_node(s, from, (size_t)(s->at - from), (uint32_t)kind);
    }
    return is_good;
}

/* One level down. The parent's index waits in the new node's `next` until the level is closed. */
static inline bool
open_level(struct jsonscan *s, bool is_object)
{
    if (s->depth == JSON_DEPTH_MAX) {
        return jsonscan_fail(s, s->at, "nested too deeply");
    }
    uint64_t bit = 1ULL << (s->depth % 64);
    uint64_t *word = &s->objects[s->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    s->depth++;
    uint32_t parent = s->open;
    s->open = s->count;
    s->is_escaped = false;
    add_node(s, s->at, 0, is_object ? (uint32_t)JSON_OBJECT : (uint32_t)JSON_ARRAY);
    if (s->nodes != NULL) {
        s->nodes[s->open].next = parent;
    }
    s->at++;
    return true;
}

static inline void
close_level(struct jsonscan *s)
{
    s->at++;
    s->depth--;
    if (s->nodes != NULL) {
        struct json_node *node = &s->nodes[s->open];
        node->length = (uint32_t)(s->at - s->start) - node->offset;
        s->open = node->next;
        node->next = s->count;
    }
}

static inline bool
is_in_object(const struct jsonscan *s)
{
    uint32_t level = s->depth - 1;
    return (s->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* Behind a value: closes levels until one goes on (`at` before its next value) or `base` is left.
 */
static inline bool
skip_to_next(struct jsonscan *s, uint32_t base)
{
    while (s->depth > base) {
        jsonscan_blanks(s);
        bool is_object = is_in_object(s);
        uint8_t c = s->at == s->end ? 0 : *s->at;
        if (c == ',') {
            s->at++;
            if (!is_object) {
                return true;
            }
            jsonscan_blanks(s);
            return jsonscan_name(s);
        }
        if (c != (is_object ? '}' : ']')) {
            return jsonscan_fail(s, s->at,
                                 is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        close_level(s);
    }
    return true;
}

/* A value that is an array or object, at its bracket. */
static bool
skip_nested(struct jsonscan *s)
{
    uint32_t base = s->depth;
    do {
        jsonscan_blanks(s);
        if (s->at == s->end) {
            return jsonscan_fail(s, s->at, "");
        }
        uint8_t c = *s->at;
        if (c == '{' || c == '[') {
            if (!open_level(s, c == '{')) {
                return false;
            }
            jsonscan_blanks(s);
            if (s->at == s->end || *s->at != (c == '{' ? '}' : ']')) {
                if (c == '{' && !jsonscan_name(s)) {
                    return false;
                }
                continue;
            }
            close_level(s);
        } else if (!skip_scalar(s)) {
            return false;
        }
        if (!skip_to_next(s, base)) {
            return false;
        }
    } while (s->depth > base);
    return true;
}

bool
jsonscan_value(struct jsonscan *s)
{
    jsonscan_blanks(s);
    if (s->at == s->end) {
        return jsonscan_fail(s, s->at, "");
    }
    return *s->at == '{' || *s->at == '[' ? skip_nested(s) : skip_scalar(s);
}

bool
jsonscan_end(struct jsonscan *s)
{
    jsonscan_blanks(s);
    return s->at == s->end || jsonscan_fail(s, s->at, "text behind the end of the value");
}
