/*
 * jsonscan.c - the strict JSON scanner (see jsonscan.h).
 */
#include "base/jsonscan.h"

#if defined(__SSE2__)
#include <immintrin.h>
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

#define WIDE_RUN_BYTES 256 /* the same with AVX2, for strings that are long */

/* As look_at_16(), twice as wide. */
static inline __attribute__((always_inline, target("avx2"))) void
look_at_32(const uint8_t *at, __m256i *range, __m256i *slash)
{
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)at);
    x = _mm256_xor_si256(x, _mm256_set1_epi8((char)0x82));
    *range = _mm256_min_epu8(*range, x);
    x = _mm256_sub_epi8(x, _mm256_set1_epi8((char)0xde));
    *slash = _mm256_min_epu8(*slash, x);
}

/* Passes whole runs of WIDE_RUN_BYTES that are plain. Only called where the processor has AVX2. */
static __attribute__((noinline, target("avx2"))) const uint8_t *
skip_wide_runs(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= WIDE_RUN_BYTES; at += WIDE_RUN_BYTES) {
        __m256i range = _mm256_set1_epi8(-1);
        __m256i slash = range;
        look_at_32(at, &range, &slash);
        look_at_32(at + 32, &range, &slash);
        look_at_32(at + 64, &range, &slash);
        look_at_32(at + 96, &range, &slash);
        look_at_32(at + 128, &range, &slash);
        look_at_32(at + 160, &range, &slash);
        look_at_32(at + 192, &range, &slash);
        look_at_32(at + 224, &range, &slash);
        __m256i least =
            _mm256_min_epu8(_mm256_subs_epu8(range, _mm256_set1_epi8((char)0xa0)), slash);
        if (_mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_setzero_si256())) != 0) {
            break;
        }
    }
    return at;
}

/* The same as skip_plain() once 16 plain bytes before `at` are passed. */
static __attribute__((noinline)) const uint8_t *
skip_long(const uint8_t *at, const uint8_t *end)
{
    unsigned mask;
    if (end - at >= 2 * WIDE_RUN_BYTES && __builtin_cpu_supports("avx2")) {
        at = skip_wide_runs(at, end);
    }
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

/*
 * The functions below take the place and return where to go on, so that it stays in a register;
 * NULL: the reason is set, and s->at is where.
 */
#define HOT static inline __attribute__((always_inline))

HOT const uint8_t *
pass_blanks(const uint8_t *at, const uint8_t *end)
{
    /* Nearly always there is none: one comparison tells. */
    while (at < end && *at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* From the opening quote to behind the closing one. */
HOT const uint8_t *
pass_string(struct jsonscan *s, const uint8_t *at)
{
    const uint8_t *from = at + 1;
    at = skip_plain(s->start, from, s->end);
    s->is_escaped = false;
    if (__builtin_expect(at - from >= JSON_DATA_BYTES, 0)) {
        s->weight.data_bytes += count_data(from, at);
    }
    if (__builtin_expect(at < s->end && *at == '"', 1)) {
        return at + 1;
    }
    return skip_odd_string(s, at) ? s->at : NULL;
}

HOT const uint8_t *
pass_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (unsigned)(*at - '0') <= 9) {
        at++;
    }
    return at;
}

static const uint8_t *
fail(struct jsonscan *s, const uint8_t *at, const char *reason)
{
    (void)jsonscan_fail(s, at, reason);
    return NULL;
}

/* What may stand behind a number's digits. */
static __attribute__((noinline)) const uint8_t *
pass_fraction(struct jsonscan *s, const uint8_t *at)
{
    const uint8_t *behind;
    if (*at == '.') {
        behind = pass_digits(at + 1, s->end);
        if (behind == at + 1) {
            return fail(s, behind, "a number is malformed");
        }
        at = behind;
    }
    if (at < s->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < s->end && (*at == '+' || *at == '-');
        behind = pass_digits(at, s->end);
        if (behind == at) {
            return fail(s, at, "a number is malformed");
        }
        at = behind;
    }
    return at;
}

HOT const uint8_t *
pass_number(struct jsonscan *s, const uint8_t *at)
{
    at += *at == '-';
    const uint8_t *behind = pass_digits(at, s->end);
    if (behind == at || (*at == '0' && behind - at > 1)) {
        return fail(s, at, "a number is malformed");
    }
    bool goes_on = behind < s->end && (*behind == '.' || (*behind | 0x20) == 'e');
    return goes_on ? pass_fraction(s, behind) : behind;
}

HOT const uint8_t *
pass_word(struct jsonscan *s, const uint8_t *at, struct str word)
{
    if ((size_t)(s->end - at) < word.len || memcmp(at, word.data, word.len) != 0) {
        return fail(s, at, "expected a value");
    }
    return at + word.len;
}

/* Counts a node and fills it when a tree is made. */
HOT void
add_node(struct jsonscan *s, const uint8_t *from, size_t bytes, uint32_t flags)
{
    if (__builtin_expect(s->nodes != NULL, 0)) {
        struct json_node *node = &s->nodes[s->count];
        node->offset = (uint32_t)(from - s->start);
        node->length = (uint32_t)bytes;
        node->next = s->count + 1;
        node->flags = flags | (s->is_escaped ? (uint32_t)JSON_NODE_ESCAPED : 0);
    }
    s->count++;
}

/* A member's name and its colon. */
HOT const uint8_t *
pass_name(struct jsonscan *s, const uint8_t *at)
{
    if (at == s->end || *at != '"') {
        return fail(s, at, "expected a name in quotes");
    }
    const uint8_t *from = at + 1;
    at = pass_string(s, at);
    if (at == NULL) {
        return NULL;
    }
    s->name_end = at - 1;
    add_node(s, from, (size_t)(at - 1 - from), JSON_STRING | (uint32_t)JSON_NODE_NAME);
    at = pass_blanks(at, s->end);
    return at < s->end && *at == ':' ? at + 1 : fail(s, at, "expected ':' behind a name");
}

bool
jsonscan_name(struct jsonscan *s)
{
    const uint8_t *at = pass_name(s, s->at);
    s->at = at == NULL ? s->at : at;
    return at != NULL;
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

/* A number or word. */
static const uint8_t *
pass_bare(struct jsonscan *s, const uint8_t *at)
{
    if (*at == '-' || (*at >= '0' && *at <= '9')) {
        return pass_number(s, at);
    }
    switch (*at) {
    case 't':
        return pass_word(s, at, STR("true"));
    case 'f':
        return pass_word(s, at, STR("false"));
    case 'n':
        return pass_word(s, at, STR("null"));
    default:
        return fail(s, at, "expected a value");
    }
}

/* A string, number or word. */
HOT const uint8_t *
pass_scalar(struct jsonscan *s, const uint8_t *at)
{
    const uint8_t *from = at;
    if (*at == '"') {
        at = pass_string(s, at);
    } else {
        s->is_escaped = false;
        at = pass_bare(s, at);
    }
    if (at != NULL) {
        add_node(s, from, (size_t)(at - from), s->nodes == NULL ? 0 : jsonscan_kind(*from));
    }
    return at;
}

/* One level down. The parent's index waits in the new node's `next` until the level is closed. */
static inline const uint8_t *
open_level(struct jsonscan *s, const uint8_t *at, bool is_object)
{
    if (s->depth == JSON_DEPTH_MAX) {
        return fail(s, at, "nested too deeply");
    }
    uint64_t bit = 1ULL << (s->depth % 64);
    uint64_t *word = &s->objects[s->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    s->depth++;
    uint32_t parent = s->open;
    s->open = s->count;
    s->is_escaped = false;
    add_node(s, at, 0, is_object ? (uint32_t)JSON_OBJECT : (uint32_t)JSON_ARRAY);
    if (s->nodes != NULL) {
        s->nodes[s->open].next = parent;
    }
    return at + 1;
}

static inline const uint8_t *
close_level(struct jsonscan *s, const uint8_t *at)
{
    at++;
    s->depth--;
    if (s->nodes != NULL) {
        struct json_node *node = &s->nodes[s->open];
        node->length = (uint32_t)(at - s->start) - node->offset;
        s->open = node->next;
        node->next = s->count;
    }
    return at;
}

static inline bool
is_in_object(const struct jsonscan *s)
{
    uint32_t level = s->depth - 1;
    return (s->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* An array or object, from its bracket to behind its end. */
static const uint8_t *
pass_nested(struct jsonscan *s, const uint8_t *at)
{
    const uint8_t *end = s->end;
    uint32_t base = s->depth;
    bool is_object = false;
    for (;;) {
        /* Before a value. */
        at = pass_blanks(at, end);
        if (at == end) {
            return fail(s, at, "");
        }
        bool is_empty = false;
        if (*at == '{' || *at == '[') {
            is_object = *at == '{';
            at = open_level(s, at, is_object);
            at = at == NULL ? NULL : pass_blanks(at, end);
            if (at == NULL) {
                return NULL;
            }
            is_empty = at < end && *at == (is_object ? '}' : ']');
            if (!is_empty) {
                at = is_object ? pass_name(s, at) : at;
                if (at == NULL) {
                    return NULL;
                }
                continue;
            }
        } else if ((at = pass_scalar(s, at)) == NULL) {
            return NULL;
        }
        /* Behind a value, or before the end of an empty level: close what ends here. */
        at = pass_blanks(at, end);
        while (at < end && *at == (is_object ? '}' : ']')) {
            at = close_level(s, at);
            if (s->depth == base) {
                return at;
            }
            is_object = is_in_object(s);
            at = pass_blanks(at, end);
        }
        if (at == end || *at != ',') {
            return fail(s, at, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        at++;
        if (is_object && (at = pass_name(s, pass_blanks(at, end))) == NULL) {
            return NULL;
        }
    }
}

bool
jsonscan_value(struct jsonscan *s)
{
    jsonscan_blanks(s);
    const uint8_t *at = s->at;
    if (at == s->end) {
        return jsonscan_fail(s, at, "");
    }
    at = *at == '{' || *at == '[' ? pass_nested(s, at) : pass_scalar(s, at);
    s->at = at == NULL ? s->at : at;
    return at != NULL;
}

bool
jsonscan_end(struct jsonscan *s)
{
    jsonscan_blanks(s);
    return s->at == s->end || jsonscan_fail(s, s->at, "text behind the end of the value");
}
