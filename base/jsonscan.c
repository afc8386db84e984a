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

#if defined(__SSE2__)
/* The sign bit of each byte that ends a plain run: quote, backslash, control or non-ASCII. */
static inline __m128i
special_bytes(const uint8_t *at)
{
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i quote = _mm_cmpeq_epi8(x, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);
    return _mm_or_si128(_mm_or_si128(quote, slash), _mm_or_si128(control, x));
}
#endif

static inline const uint8_t *
skip_plain(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    if (end - at >= 16) {
        unsigned mask = (unsigned)_mm_movemask_epi8(special_bytes(at));
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
    while (end - at >= 64) {
        __m128i low = _mm_or_si128(special_bytes(at), special_bytes(at + 16));
        __m128i high = _mm_or_si128(special_bytes(at + 32), special_bytes(at + 48));
        if (_mm_movemask_epi8(_mm_or_si128(low, high)) != 0) {
            break;
        }
        at += 64;
    }
    while (end - at >= 16) {
        unsigned mask = (unsigned)_mm_movemask_epi8(special_bytes(at));
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
#endif
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

const uint8_t *
jsonscan_plain(const uint8_t *at, const uint8_t *end)
{
    return skip_plain(at, end);
}

/* `at` is at the opening quote; moves it behind the closing one. */
static inline bool
skip_string(struct jsonscan *s)
{
    const uint8_t *at = s->at + 1;
    s->is_escaped = false;
    for (;;) {
        at = skip_plain(at, s->end);
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
            do {
                size_t bytes = jsonscan_utf8(at, s->end);
                if (bytes == 0) {
                    return jsonscan_fail(s, at, "a string is not valid UTF-8");
                }
                at += bytes;
            } while (at < s->end && *at >= 0x80);
        }
    }
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
    enum json_kind kind = jsonscan_kind(*from);
    bool is_good;
    s->is_escaped = false;
    if (kind == JSON_STRING) {
        is_good = skip_string(s);
    } else if (kind == JSON_TRUE) {
        is_good = skip_word(s, STR("true"));
    } else if (kind == JSON_FALSE) {
        is_good = skip_word(s, STR("false"));
    } else if (kind == JSON_NULL) {
        is_good = skip_word(s, STR("null"));
    } else if (*from == '-' || (*from >= '0' && *from <= '9')) {
        is_good = skip_number(s);
    } else {
        return jsonscan_fail(s, from, "expected a value");
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

bool
jsonscan_value(struct jsonscan *s)
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
jsonscan_end(struct jsonscan *s)
{
    jsonscan_blanks(s);
    return s->at == s->end || jsonscan_fail(s, s->at, "text behind the end of the value");
}
