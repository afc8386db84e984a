/*
 * jsonscan.c - the strict JSON scanner (see jsonscan.h).
 */
#include "base/jsonscan.h"

#include "base/jsonskip.h"

void
jsonscan_init(struct jsonscan *s, struct str text)
{
    s->start = (const uint8_t *)(text.len == 0 ? "" : text.data);
    s->at = s->start;
    s->end = s->start + text.len;
    s->reason = NULL;
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
        at = jsonskip_plain(s->start, at, s->end);
        if (at - from >= JSON_DATA_BYTES) {
            s->weight.data_bytes += jsonskip_data(from, at);
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
    at = jsonskip_plain(s->start, from, s->end);
    s->is_escaped = false;
    if (__builtin_expect(at - from >= JSON_DATA_BYTES, 0)) {
        s->weight.data_bytes += jsonskip_data(from, at);
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

/* A member's name and its colon; *name_end is its closing quote. */
HOT const uint8_t *
pass_name(struct jsonscan *s, const uint8_t *at, const uint8_t **name_end)
{
    if (at == s->end || *at != '"') {
        return fail(s, at, "expected a name in quotes");
    }
    const uint8_t *from = at + 1;
    at = pass_string(s, at);
    if (at == NULL) {
        return NULL;
    }
    *name_end = at - 1;
    add_node(s, from, (size_t)(at - 1 - from), JSON_STRING | (uint32_t)JSON_NODE_NAME);
    at = pass_blanks(at, s->end);
    return at < s->end && *at == ':' ? at + 1 : fail(s, at, "expected ':' behind a name");
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
    const uint8_t *name_end;
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
                at = is_object ? pass_name(s, at, &name_end) : at;
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
        if (is_object && (at = pass_name(s, pass_blanks(at, end), &name_end)) == NULL) {
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

/* --- children, each reported --- */

static const uint8_t *pass_children(struct jsonscan *s, const uint8_t *at, bool is_object,
                                    struct jsonscan_hearer *hearer);

/* A member that is an object, of which the hearer wants the members. */
static __attribute__((noinline)) const uint8_t *
pass_opened(struct jsonscan *s, const uint8_t *at, struct jsonscan_hearer *hearer)
{
    struct jsonscan_hearer inner = { .on_member = hearer->on_member, .context = hearer->context };
    s->depth++;
    at = pass_children(s, at + 1, true, &inner);
    s->depth--;
    (void)hearer->on_open(hearer->context, NULL);
    return inner.is_done ? fail(s, at, "") : at;
}

/* A child's value, reported. */
HOT const uint8_t *
pass_child(struct jsonscan *s, const uint8_t *at, struct json_member *member,
           struct jsonscan_hearer *hearer)
{
    struct json_value *value = &member->value;
    const uint8_t *from = at;
    if (hearer->on_open != NULL && *at == '{' && hearer->on_open(hearer->context, member)) {
        return pass_opened(s, at, hearer);
    }
    at = *at == '{' || *at == '[' ? pass_nested(s, at) : pass_scalar(s, at);
    if (at == NULL) {
        return NULL;
    }
    value->kind = jsonscan_kind(*from);
    value->raw = str_make((const char *)from, (size_t)(at - from));
    value->is_escaped = value->kind == JSON_STRING && s->is_escaped;
    member->value_offset = (size_t)(from - s->start);
    hearer->is_done = hearer->on_member != NULL && !hearer->on_member(hearer->context, member);
    return at;
}

/* From before a child to behind the closing bracket. */
static const uint8_t *
pass_more(struct jsonscan *s, const uint8_t *at, bool is_object, struct jsonscan_hearer *hearer)
{
    const uint8_t *end = s->end;
    uint8_t closing = is_object ? '}' : ']';
    struct json_member member = { .name = { NULL, 0 } };
    for (;;) {
        at = pass_blanks(at, end);
        if (is_object) {
            const uint8_t *name = at;
            const uint8_t *name_end;
            at = pass_name(s, at, &name_end);
            if (at == NULL) {
                return NULL;
            }
            member.name_is_escaped = s->is_escaped;
            member.name_offset = (size_t)(name - s->start);
            member.name = str_make((const char *)name + 1, (size_t)(name_end - name - 1));
            at = pass_blanks(at, end);
        }
        at = at == end ? fail(s, at, "") : pass_child(s, at, &member, hearer);
        if (at == NULL || hearer->is_done) {
            return at;
        }
        at = pass_blanks(at, end);
        if (at == end || (*at != ',' && *at != closing)) {
            return fail(s, at, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        if (*at++ == closing) {
            return at;
        }
    }
}

/* From behind the opening bracket. */
static const uint8_t *
pass_children(struct jsonscan *s, const uint8_t *at, bool is_object, struct jsonscan_hearer *hearer)
{
    at = pass_blanks(at, s->end);
    bool is_empty = at < s->end && *at == (is_object ? '}' : ']');
    return is_empty ? at + 1 : pass_more(s, at, is_object, hearer);
}

bool
jsonscan_children(struct jsonscan *s, bool is_object, struct jsonscan_hearer *hearer)
{
    s->depth++;
    const uint8_t *at = pass_children(s, s->at + 1, is_object, hearer);
    s->at = at == NULL ? s->at : at;
    return at != NULL;
}

bool
jsonscan_more(struct jsonscan *s, bool is_object, struct jsonscan_hearer *hearer)
{
    const uint8_t *at = pass_more(s, s->at, is_object, hearer);
    s->at = at == NULL ? s->at : at;
    return at != NULL;
}
