/*
 * json.c - the strict scanner (see json.h).
 *
 * One walker, walk(), validates any value without recursion: a bit a level says whether the level
 * is an object. It also fills the nodes of a tree when it is given memory for them, so that the two
 * ways to read cannot disagree about the grammar. Strings are where the bytes are, so skip_string()
 * takes 64 and then 16 bytes a step with SSE2, which every x86-64 has; elsewhere bytes go one by
 * one. Nothing past the end is ever read.
 */
#include "base/json.h"

#include "base/check.h"
#include "base/limits.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

struct scan {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    const char *reason;      /* set when a function returned false; `at` is where */
    uint32_t depth;          /* levels open now, the top-level object included */
    uint32_t count;          /* nodes seen */
    uint32_t open;           /* tree only: innermost open node */
    bool is_escaped;         /* the last string held a backslash */
    struct json_node *nodes; /* NULL: only validate and count */
    uint64_t objects[JSON_DEPTH_MAX / 64];
};

_Static_assert(JSON_DEPTH_MAX % 64 == 0, "the bit stack has whole words");

static struct scan
scan_of(struct str text)
{
    struct scan s;
    s.start = (const uint8_t *)text.data;
    s.at = s.start;
    s.end = s.start + text.len;
    s.reason = NULL;
    s.depth = 0;
    s.count = 0;
    s.open = 0;
    s.is_escaped = false;
    s.nodes = NULL;
    return s;
}

__attribute__((cold, noinline)) static bool
fail(struct scan *s, const uint8_t *at, const char *reason)
{
    s->at = at;
    s->reason = at >= s->end ? "the text ends too early" : reason;
    return false;
}

static inline void
skip_blanks(struct scan *s)
{
    const uint8_t *at = s->at;
    while (at < s->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    s->at = at;
}

/* Bytes of the well-formed UTF-8 sequence at `at` (first byte >= 0x80); 0 when there is none. */
static inline size_t
utf8_bytes(const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    uint8_t c = at[0];
    if (c < 0xc2 || c > 0xf4 || left < 2 || (at[1] & 0xc0) != 0x80) {
        return 0;
    }
    if (c < 0xe0) {
        return 2;
    }
    if (left < 3 || (at[2] & 0xc0) != 0x80) {
        return 0;
    }
    if (c < 0xf0) {
        bool is_short = c == 0xe0 && at[1] < 0xa0;
        bool is_surrogate = c == 0xed && at[1] > 0x9f;
        return is_short || is_surrogate ? 0 : 3;
    }
    if (left < 4 || (at[3] & 0xc0) != 0x80) {
        return 0;
    }
    bool is_short = c == 0xf0 && at[1] < 0x90;
    bool is_beyond = c == 0xf4 && at[1] > 0x8f;
    return is_short || is_beyond ? 0 : 4;
}

static inline int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
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
        if (end - at < 5 || hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0 || hex_digit(at[3]) < 0 ||
            hex_digit(at[4]) < 0) {
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

/* The first byte at or behind `at` that is no plain ASCII character of a string, or `end`. */
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

/* `at` is at the opening quote; moves it behind the closing one. */
static inline bool
skip_string(struct scan *s)
{
    const uint8_t *at = s->at + 1;
    s->is_escaped = false;
    for (;;) {
        at = skip_plain(at, s->end);
        if (at == s->end) {
            return fail(s, at, "");
        }
        if (*at == '"') {
            s->at = at + 1;
            return true;
        }
        if (*at == '\\') {
            const uint8_t *behind = skip_escape(at + 1, s->end);
            if (behind == NULL) {
                return fail(s, at, "no such escape in a string");
            }
            s->is_escaped = true;
            at = behind;
        } else if (*at < 0x20) {
            return fail(s, at, "a control character must be escaped");
        } else {
            do {
                size_t bytes = utf8_bytes(at, s->end);
                if (bytes == 0) {
                    return fail(s, at, "a string is not valid UTF-8");
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
skip_number(struct scan *s)
{
    const uint8_t *at = s->at + (*s->at == '-');
    const uint8_t *behind = skip_digits(at, s->end);
    if (behind == at || (*at == '0' && behind - at > 1)) {
        return fail(s, at, "a number is malformed");
    }
    at = behind;
    if (at < s->end && *at == '.') {
        behind = skip_digits(at + 1, s->end);
        if (behind == at + 1) {
            return fail(s, behind, "a number is malformed");
        }
        at = behind;
    }
    if (at < s->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < s->end && (*at == '+' || *at == '-');
        behind = skip_digits(at, s->end);
        if (behind == at) {
            return fail(s, at, "a number is malformed");
        }
        at = behind;
    }
    s->at = at;
    return true;
}

static bool
skip_word(struct scan *s, struct str word)
{
    if ((size_t)(s->end - s->at) < word.len || memcmp(s->at, word.data, word.len) != 0) {
        return fail(s, s->at, "expected a value");
    }
    s->at += word.len;
    return true;
}

/* Counts a node and fills it when a tree is made. */
static inline void
add_node(struct scan *s, const uint8_t *from, size_t bytes, uint32_t flags)
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

/* A member's name and its colon; `at` ends before the value's blanks. */
static inline bool
skip_name(struct scan *s)
{
    if (s->at == s->end || *s->at != '"') {
        return fail(s, s->at, "expected a name in quotes");
    }
    const uint8_t *from = s->at + 1;
    if (!skip_string(s)) {
        return false;
    }
    add_node(s, from, (size_t)(s->at - 1 - from), JSON_STRING | JSON_NODE_NAME);
    skip_blanks(s);
    if (s->at == s->end || *s->at != ':') {
        return fail(s, s->at, "expected ':' behind a name");
    }
    s->at++;
    return true;
}

/* A string, number or word. */
static inline bool
skip_scalar(struct scan *s, enum json_kind *kind)
{
    const uint8_t *from = s->at;
    bool is_good;
    s->is_escaped = false;
    switch (*from) {
    case '"':
        *kind = JSON_STRING;
        is_good = skip_string(s);
        break;
    case 't':
        *kind = JSON_TRUE;
        is_good = skip_word(s, STR("true"));
        break;
    case 'f':
        *kind = JSON_FALSE;
        is_good = skip_word(s, STR("false"));
        break;
    case 'n':
        *kind = JSON_NULL;
        is_good = skip_word(s, STR("null"));
        break;
    default:
        if (*from != '-' && (*from < '0' || *from > '9')) {
            return fail(s, from, "expected a value");
        }
        *kind = JSON_NUMBER;
        is_good = skip_number(s);
        break;
    }
    if (is_good) {
        add_node(s, from, (size_t)(s->at - from), (uint32_t)*kind);
    }
    return is_good;
}

/* One level down. The parent's index waits in the new node's `next` until the level is closed. */
static inline bool
open_level(struct scan *s, bool is_object)
{
    if (s->depth == JSON_DEPTH_MAX) {
        return fail(s, s->at, "nested too deeply");
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
close_level(struct scan *s)
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
is_in_object(const struct scan *s)
{
    uint32_t level = s->depth - 1;
    return (s->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* Behind a value: closes levels until one goes on (`at` before its next value) or `base` is left. */
static inline bool
skip_to_next(struct scan *s, uint32_t base)
{
    while (s->depth > base) {
        skip_blanks(s);
        bool is_object = is_in_object(s);
        uint8_t c = s->at == s->end ? 0 : *s->at;
        if (c == ',') {
            s->at++;
            if (!is_object) {
                return true;
            }
            skip_blanks(s);
            return skip_name(s);
        }
        if (c != (is_object ? '}' : ']')) {
            return fail(s, s->at, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        close_level(s);
    }
    return true;
}

/* One value with all that is in it, blanks before it allowed; `at` ends right behind it. */
static bool
walk(struct scan *s, enum json_kind *kind)
{
    uint32_t base = s->depth;
    *kind = JSON_NULL;
    bool is_first = true;
    for (;;) {
        skip_blanks(s);
        if (s->at == s->end) {
            return fail(s, s->at, "");
        }
        enum json_kind this_kind;
        uint8_t c = *s->at;
        if (c == '{' || c == '[') {
            this_kind = c == '{' ? JSON_OBJECT : JSON_ARRAY;
            *kind = is_first ? this_kind : *kind;
            is_first = false;
            if (!open_level(s, c == '{')) {
                return false;
            }
            skip_blanks(s);
            if (s->at < s->end && *s->at == (c == '{' ? '}' : ']')) {
                close_level(s);
            } else if (c == '[') {
                continue;
            } else if (skip_name(s)) {
                continue;
            } else {
                return false;
            }
        } else if (!skip_scalar(s, &this_kind)) {
            return false;
        } else {
            *kind = is_first ? this_kind : *kind;
            is_first = false;
        }
        if (s->depth > base && !skip_to_next(s, base)) {
            return false;
        }
        if (s->depth == base) {
            return true;
        }
    }
}

/* Reads the value at `at` (blanks skipped) into *out. */
static inline bool
read_value(struct scan *s, struct json_value *out)
{
    skip_blanks(s);
    const uint8_t *from = s->at;
    s->is_escaped = false;
    if (!walk(s, &out->kind)) {
        return false;
    }
    out->raw = str_make((const char *)from, (size_t)(s->at - from));
    out->is_escaped = out->kind == JSON_STRING && s->is_escaped;
    return true;
}

/* The inside of an object or array whose bracket is at `at`. *stopped: the caller wanted no more. */
static bool
scan_children(struct scan *s, bool is_object, json_member_fn on_member, void *context,
              bool *stopped)
{
    uint8_t closing = is_object ? '}' : ']';
    s->at++;
    s->depth++;
    skip_blanks(s);
    if (s->at < s->end && *s->at == closing) {
        s->at++;
        return true;
    }
    for (;;) {
        struct json_member member = { .name = { NULL, 0 } };
        if (is_object) {
            skip_blanks(s);
            const uint8_t *name = s->at;
            if (!skip_name(s)) {
                return false;
            }
            member.name_is_escaped = s->is_escaped;
            member.name_offset = (size_t)(name - s->start);
            /* skip_name ends behind the colon; the closing quote stands before it. */
            const uint8_t *quote = s->at - 1;
            while (*--quote != '"') {
            }
            member.name = str_make((const char *)name + 1, (size_t)(quote - name - 1));
        }
        if (!read_value(s, &member.value)) {
            return false;
        }
        member.value_offset = (size_t)((const uint8_t *)member.value.raw.data - s->start);
        if (on_member != NULL && !on_member(context, &member)) {
            *stopped = true;
            return true;
        }
        skip_blanks(s);
        if (s->at == s->end || (*s->at != ',' && *s->at != closing)) {
            return fail(s, s->at, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        if (*s->at++ == closing) {
            return true;
        }
    }
}

static enum err
refuse(const struct scan *s, struct json_error *error)
{
    if (error != NULL) {
        error->offset = (size_t)(s->at - s->start);
        error->reason = s->reason;
    }
    return ERR_BAD;
}

/* Nothing but blanks may follow. */
static bool
is_at_end(struct scan *s)
{
    skip_blanks(s);
    return s->at == s->end || fail(s, s->at, "text behind the end of the value");
}

enum err
json_scan(struct str text, json_member_fn on_member, void *context, enum json_kind *kind,
          struct json_error *error)
{
    struct scan s = scan_of(text);
    enum json_kind top = JSON_OBJECT;
    bool stopped = false;
    skip_blanks(&s);
    bool is_good = s.at < s.end && *s.at == '{'
                       ? scan_children(&s, true, on_member, context, &stopped)
                       : walk(&s, &top);
    if (is_good && kind != NULL) {
        *kind = top;
    }
    if (is_good && (stopped || is_at_end(&s))) {
        return ERR_OK;
    }
    return refuse(&s, error);
}

enum err
json_scan_object(struct json_value object, json_member_fn on_member, void *context)
{
    struct scan s = scan_of(object.raw);
    bool stopped = false;
    if (object.kind != JSON_OBJECT || !scan_children(&s, true, on_member, context, &stopped)) {
        return ERR_BAD;
    }
    return ERR_OK;
}

enum err
json_scan_array(struct json_value array, json_member_fn on_member, void *context)
{
    struct scan s = scan_of(array.raw);
    bool stopped = false;
    if (array.kind != JSON_ARRAY || !scan_children(&s, false, on_member, context, &stopped)) {
        return ERR_BAD;
    }
    return ERR_OK;
}

enum err
json_read(struct str text, struct json_value *out, struct json_error *error)
{
    struct scan s = scan_of(text);
    if (read_value(&s, out) && is_at_end(&s)) {
        return ERR_OK;
    }
    return refuse(&s, error);
}

enum err
json_parse(struct str text, struct arena *arena, struct json_doc *out, struct json_error *error)
{
    enum json_kind kind;
    struct scan counting = scan_of(text);
    if (text.len > UINT32_MAX) {
        return ERR_FULL;
    }
    if (!walk(&counting, &kind) || !is_at_end(&counting)) {
        return refuse(&counting, error);
    }
    if (counting.count > JSON_NODES_MAX) {
        return ERR_FULL;
    }
    struct scan filling = scan_of(text);
    filling.nodes = arena_alloc_raw(arena, counting.count * sizeof(struct json_node));
    if (filling.nodes == NULL) {
        return ERR_FULL;
    }
    CHECK(walk(&filling, &kind) && filling.count == counting.count);
    *out = (struct json_doc){ .text = text, .nodes = filling.nodes, .count = filling.count };
    return ERR_OK;
}

struct json_value
json_at(const struct json_doc *doc, uint32_t node)
{
    CHECK(node < doc->count);
    const struct json_node *at = &doc->nodes[node];
    size_t quotes = (at->flags & JSON_NODE_NAME) != 0 ? 1 : 0;
    return (struct json_value){
        .kind = (enum json_kind)(at->flags & JSON_NODE_KIND),
        .is_escaped = (at->flags & JSON_NODE_ESCAPED) != 0,
        .raw = str_make(doc->text.data + at->offset - quotes, at->length + 2 * quotes),
    };
}
