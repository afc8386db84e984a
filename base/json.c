/*
 * json.c - values, members and trees out of the scanner (see json.h and jsonscan.h).
 */
#include "base/json.h"

#include "base/check.h"
#include "base/jsonscan.h"
#include "base/jsonskip.h"
#include "base/limits.h"

/* Reads the value at `at` (blanks skipped) into *out. */
static inline bool
read_value(struct jsonscan *s, struct json_value *out)
{
    jsonscan_blanks(s);
    const uint8_t *from = s->at;
    if (!jsonscan_value(s)) {
        return false;
    }
    out->kind = jsonscan_kind(*from);
    out->raw = str_make((const char *)from, (size_t)(s->at - from));
    out->is_escaped = out->kind == JSON_STRING && s->is_escaped;
    return true;
}

static enum err
refuse(const struct jsonscan *s, struct json_error *error)
{
    if (error != NULL) {
        error->offset = (size_t)(s->at - s->start);
        error->reason = s->reason;
    }
    return ERR_BAD;
}

enum err
json_scan(struct str text, json_member_fn on_member, void *context, enum json_kind *kind,
          struct json_error *error)
{
    struct json_weight weight;
    return json_scan_weighed(text, on_member, context, kind, error, &weight);
}

enum err
json_scan_weighed(struct str text, json_member_fn on_member, void *context, enum json_kind *kind,
                  struct json_error *error, struct json_weight *weight)
{
    struct jsonscan s;
    jsonscan_init(&s, text);
    struct jsonscan_hearer hearer = { .on_member = on_member, .context = context };
    jsonscan_blanks(&s);
    enum json_kind top = jsonscan_kind(s.at == s.end ? 0 : *s.at);
    bool is_good = top == JSON_OBJECT ? jsonscan_children(&s, true, &hearer) : jsonscan_value(&s);
    if (is_good && kind != NULL) {
        *kind = top;
    }
    if (is_good && (hearer.is_done || jsonscan_end(&s))) {
        *weight = s.weight;
        return ERR_OK;
    }
    return refuse(&s, error);
}

enum err
json_scan_object(struct json_value object, json_member_fn on_member, void *context)
{
    struct jsonscan s;
    jsonscan_init(&s, object.raw);
    struct jsonscan_hearer hearer = { .on_member = on_member, .context = context };
    return object.kind == JSON_OBJECT && jsonscan_children(&s, true, &hearer) ? ERR_OK : ERR_BAD;
}

enum err
json_scan_leading(struct str text, json_member_fn on_member, json_open_fn on_open, void *context,
                  struct str *out_rest)
{
    struct jsonscan s;
    jsonscan_init(&s, text);
    struct jsonscan_hearer hearer = { .on_member = on_member,
                                      .on_open = on_open,
                                      .context = context };
    jsonscan_blanks(&s);
    if (s.at == s.end || *s.at != '{' || !jsonscan_children(&s, true, &hearer) || hearer.is_done) {
        return ERR_BAD;
    }
    *out_rest = str_make((const char *)s.at, (size_t)(s.end - s.at));
    return ERR_OK;
}

enum err
json_scan_rest(struct str text, json_member_fn on_member, void *context)
{
    struct jsonscan s;
    jsonscan_init(&s, text);
    s.depth = 1;
    struct jsonscan_hearer hearer = { .on_member = on_member, .context = context };
    jsonscan_blanks(&s);
    if (s.at == s.end || (*s.at != ',' && *s.at != '}')) {
        return ERR_BAD;
    }
    if (*s.at++ == ',' && !jsonscan_more(&s, true, &hearer)) {
        return ERR_BAD;
    }
    return hearer.is_done || jsonscan_end(&s) ? ERR_OK : ERR_BAD;
}

enum err
json_scan_array(struct json_value array, json_member_fn on_member, void *context)
{
    struct jsonscan s;
    jsonscan_init(&s, array.raw);
    struct jsonscan_hearer hearer = { .on_member = on_member, .context = context };
    return array.kind == JSON_ARRAY && jsonscan_children(&s, false, &hearer) ? ERR_OK : ERR_BAD;
}

enum err
json_read(struct str text, struct json_value *out, struct json_error *error)
{
    struct jsonscan s;
    jsonscan_init(&s, text);
    if (read_value(&s, out) && jsonscan_end(&s)) {
        return ERR_OK;
    }
    return refuse(&s, error);
}

enum err
json_prefix(struct str text, struct json_value *out)
{
    struct jsonscan s;
    jsonscan_init(&s, text);
    return read_value(&s, out) ? ERR_OK : ERR_BAD;
}

enum err
json_parse(struct str text, struct arena *arena, struct json_doc *out, struct json_error *error)
{
    struct jsonscan counting;
    jsonscan_init(&counting, text);
    if (text.len > UINT32_MAX) {
        return ERR_FULL;
    }
    if (!jsonscan_value(&counting) || !jsonscan_end(&counting)) {
        return refuse(&counting, error);
    }
    if (counting.count > JSON_NODES_MAX) {
        return ERR_FULL;
    }
    struct jsonscan filling;
    jsonscan_init(&filling, text);
    filling.nodes = arena_alloc_raw(arena, counting.count * sizeof(struct json_node));
    if (filling.nodes == NULL) {
        return ERR_FULL;
    }
    CHECK(jsonscan_value(&filling) && filling.count == counting.count);
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

/* --- content --- */

/* Four hex digits, already validated. */
static uint32_t
hex4(const char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value = value << 4 | (uint32_t)jsonscan_hex((uint8_t)at[i]);
    }
    return value;
}

static uint32_t
put_utf8(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* `content` starts behind "\\u": cuts the escape (two for a pair) off and returns its point. */
static uint32_t
cut_unicode(struct str *content)
{
    uint32_t point = hex4(content->data);
    *content = str_skip(*content, 4);
    if (point < 0xd800 || point > 0xdfff) {
        return point;
    }
    bool is_pair =
        point < 0xdc00 && content->len >= 6 && content->data[0] == '\\' && content->data[1] == 'u';
    uint32_t low = is_pair ? hex4(content->data + 2) : 0;
    if (low < 0xdc00 || low > 0xdfff) {
        return 0xfffd;
    }
    *content = str_skip(*content, 6);
    return 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
}

/* Cuts one character or escape off a validated string's content; returns its bytes in `out`. */
static uint32_t
cut_character(struct str *content, char out[4])
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    if (content->data[0] != '\\') {
        out[0] = content->data[0];
        *content = str_skip(*content, 1);
        return 1;
    }
    char letter = content->data[1];
    *content = str_skip(*content, 2);
    if (letter == 'u') {
        return put_utf8(cut_unicode(content), out);
    }
    const char *at = memchr(letters, letter, sizeof letters - 1);
    CHECK(at != NULL);
    out[0] = meant[at - letters];
    return 1;
}

bool
json_unescape(struct str content, char *out, size_t out_bytes, size_t *out_len)
{
    size_t len = 0;
    while (content.len > 0) {
        /* Most of a text is no escape: it is copied up to the next one. */
        const char *escape = memchr(content.data, '\\', content.len);
        size_t plain = escape == NULL ? content.len : (size_t)(escape - content.data);
        size_t taken = plain < out_bytes - len ? plain : out_bytes - len;
        memcpy(out + len, content.data, taken);
        len += taken;
        content = str_skip(content, plain);
        if (taken < plain) {
            *out_len = len;
            return false;
        }
        if (content.len == 0) {
            break;
        }
        char bytes[4];
        uint32_t count = cut_character(&content, bytes);
        if (count > out_bytes - len) {
            *out_len = len;
            return false;
        }
        memcpy(out + len, bytes, count);
        len += count;
    }
    *out_len = len;
    return true;
}

bool
json_escaped_is(struct str content, struct str text)
{
    while (content.len > 0) {
        char bytes[4];
        uint32_t count = cut_character(&content, bytes);
        if (!str_starts(text, str_make(bytes, count))) {
            return false;
        }
        text = str_skip(text, count);
    }
    return text.len == 0;
}

static struct str
content_of(struct json_value value)
{
    CHECK(value.raw.len >= 2);
    return str_make(value.raw.data + 1, value.raw.len - 2);
}

bool
json_string_is(struct json_value value, struct str text)
{
    if (value.kind != JSON_STRING) {
        return false;
    }
    struct str content = content_of(value);
    return value.is_escaped ? json_escaped_is(content, text) : str_equal(content, text);
}

enum err
json_string(struct json_value value, struct arena *arena, struct str *out)
{
    if (value.kind != JSON_STRING) {
        return ERR_BAD;
    }
    struct str content = content_of(value);
    if (!value.is_escaped) {
        *out = content;
        return ERR_OK;
    }
    /* An escape is never shorter than what it stands for. */
    char *bytes = arena_alloc_raw(arena, content.len);
    if (bytes == NULL) {
        return ERR_FULL;
    }
    size_t len = 0;
    CHECK(json_unescape(content, bytes, content.len, &len));
    *out = str_make(bytes, len);
    return ERR_OK;
}

const char *
json_skip_plain(const char *at, const char *end)
{
    const uint8_t *from = (const uint8_t *)at;
    return (const char *)jsonskip_plain(from, from, (const uint8_t *)end);
}

/* --- members by name --- */

struct wanted {
    struct str name;
    struct json_value *out;
    bool is_found;
};

static bool
on_wanted(void *context, const struct json_member *member)
{
    struct wanted *wanted = context;
    if (!json_name_is(member, wanted->name)) {
        return true;
    }
    *wanted->out = member->value;
    wanted->is_found = true;
    return false;
}

bool
json_get(struct json_value object, struct str name, struct json_value *out)
{
    struct wanted wanted = { .name = name, .out = out, .is_found = false };
    return json_scan_object(object, on_wanted, &wanted) == ERR_OK && wanted.is_found;
}

bool
json_get_path(struct json_value object, struct str dotted, struct json_value *out)
{
    struct json_value at = object;
    do {
        struct str name = str_cut(&dotted, '.');
        struct json_value inner;
        if (!json_get(at, name, &inner)) {
            return false;
        }
        at = inner;
    } while (dotted.len > 0);
    *out = at;
    return true;
}

/* --- numbers --- */

/* A number as digits * 10^power, without the zeros at the end of the digits. */
struct decimal {
    uint64_t digits;
    int64_t power;
    bool is_negative;
};

#define POWER_BOUND 100000 /* far beyond what any 64-bit number needs */

static int64_t
exponent_of(struct str text)
{
    bool is_negative = text.len > 0 && text.data[0] == '-';
    if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        text = str_skip(text, 1);
    }
    int64_t value = 0;
    for (size_t i = 0; i < text.len && value < POWER_BOUND; i++) {
        value = value * 10 + (text.data[i] - '0');
    }
    return is_negative ? -value : value;
}

/* Appends `zeros` zeros and one digit; false on overflow. */
static bool
add_digit(uint64_t *digits, int64_t zeros, char digit)
{
    for (int64_t i = 0; i <= zeros; i++) {
        if (__builtin_mul_overflow(*digits, 10, digits)) {
            return false;
        }
    }
    return !__builtin_add_overflow(*digits, (uint64_t)(digit - '0'), digits);
}

/* `text` is a validated number. false: more digits than 64 bits hold. */
static bool
read_decimal(struct str text, struct decimal *out)
{
    *out = (struct decimal){ .is_negative = text.data[0] == '-' };
    int64_t zeros = 0;
    bool in_fraction = false;
    for (size_t i = out->is_negative ? 1 : 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == 'e' || c == 'E') {
            out->power += exponent_of(str_skip(text, i + 1));
            break;
        }
        if (c == '.') {
            in_fraction = true;
            continue;
        }
        out->power -= in_fraction ? 1 : 0;
        if (c == '0') {
            zeros += out->digits != 0 ? 1 : 0;
            continue;
        }
        if (!add_digit(&out->digits, zeros, c)) {
            return false;
        }
        zeros = 0;
    }
    out->power += zeros;
    return true;
}

static enum err
read_magnitude(struct json_value value, uint64_t *out, bool *is_negative)
{
    struct decimal decimal;
    if (value.kind != JSON_NUMBER || !read_decimal(value.raw, &decimal)) {
        return ERR_BAD;
    }
    *is_negative = decimal.is_negative && decimal.digits != 0;
    *out = decimal.digits;
    if (decimal.digits == 0) {
        return ERR_OK;
    }
    if (decimal.power < 0 || decimal.power > 19) {
        return ERR_BAD;
    }
    for (int64_t i = 0; i < decimal.power; i++) {
        if (__builtin_mul_overflow(*out, 10, out)) {
            return ERR_BAD;
        }
    }
    return ERR_OK;
}

/* Digits alone, so few that they cannot overflow: nearly every number there is. */
static inline bool
read_plain(struct str text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return text.len <= 19;
}

enum err
json_u64(struct json_value value, uint64_t *out)
{
    if (value.kind == JSON_NUMBER && read_plain(value.raw, out)) {
        return ERR_OK;
    }
    uint64_t magnitude;
    bool is_negative;
    if (read_magnitude(value, &magnitude, &is_negative) != ERR_OK || is_negative) {
        return ERR_BAD;
    }
    *out = magnitude;
    return ERR_OK;
}

enum err
json_i64(struct json_value value, int64_t *out)
{
    uint64_t magnitude;
    bool is_negative;
    uint64_t bound = INT64_MAX;
    if (read_magnitude(value, &magnitude, &is_negative) != ERR_OK ||
        magnitude > bound + (is_negative ? 1 : 0)) {
        return ERR_BAD;
    }
    *out = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return ERR_OK;
}

enum err
json_bool(struct json_value value, bool *out)
{
    if (value.kind != JSON_TRUE && value.kind != JSON_FALSE) {
        return ERR_BAD;
    }
    *out = value.kind == JSON_TRUE;
    return ERR_OK;
}
