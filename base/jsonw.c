/*
 * jsonw.c - the JSON writer (see jsonw.h).
 */
#include "base/jsonw.h"

#include "base/jsonscan.h"
#include "base/jsonskip.h"
#include "base/num.h"

_Static_assert(JSONW_DEPTH_MAX <= 64, "a bit a level in one word");

/* Bytes of the sequence that U+2028 and U+2029 share but for its last bit. */
#define LINE_SEPARATOR_BYTES 3

static void
put(struct jsonw *w, struct str bytes)
{
    if (w->err == ERR_OK) {
        w->err = buf_append(w->to, bytes);
    }
}

void
jsonw_begin(struct jsonw *w, struct buf *to)
{
    *w = (struct jsonw){ .to = to, .err = ERR_OK, .is_first = true };
}

enum err
jsonw_end(struct jsonw *w)
{
    if (w->err == ERR_OK && (w->depth != 0 || w->after_name)) {
        w->err = ERR_BUG;
    }
    return w->err;
}

static bool
is_in_object(const struct jsonw *w)
{
    return w->depth > 0 && (w->objects >> (w->depth - 1) & 1) != 0;
}

/* What must stand before a value: a comma, or nothing behind a name. */
static void
before_value(struct jsonw *w)
{
    bool is_misplaced = w->depth == 0 ? !w->is_first : is_in_object(w) != w->after_name;
    if (is_misplaced) {
        w->err = w->err == ERR_OK ? ERR_BUG : w->err;
        return;
    }
    if (!w->is_first && !w->after_name) {
        put(w, STR(","));
    }
    w->is_first = false;
    w->after_name = false;
}

static void
open_level(struct jsonw *w, bool is_object)
{
    before_value(w);
    if (w->depth == JSONW_DEPTH_MAX) {
        w->err = w->err == ERR_OK ? ERR_BUG : w->err;
        return;
    }
    uint64_t bit = 1ULL << w->depth;
    w->objects = is_object ? w->objects | bit : w->objects & ~bit;
    w->depth++;
    w->is_first = true;
    put(w, is_object ? STR("{") : STR("["));
}

void
jsonw_object(struct jsonw *w)
{
    open_level(w, true);
}

void
jsonw_array(struct jsonw *w)
{
    open_level(w, false);
}

void
jsonw_close(struct jsonw *w)
{
    if (w->depth == 0 || w->after_name) {
        w->err = w->err == ERR_OK ? ERR_BUG : w->err;
        return;
    }
    put(w, is_in_object(w) ? STR("}") : STR("]"));
    w->depth--;
    w->is_first = false;
}

/* One byte or sequence that cannot stand in a string as it is; returns what was taken of it. */
static size_t
put_special(struct jsonw *w, const uint8_t *at, const uint8_t *end)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "\"\\\b\f\n\r\t";
    static const char meant[] = "\"\\bfnrt";
    if (*at < 0x80) {
        const char *letter = memchr(letters, *at, sizeof letters - 1);
        char text[6] = { '\\', 'u', '0', '0', hex[*at >> 4], hex[*at & 15] };
        if (letter != NULL) {
            text[1] = meant[letter - letters];
        }
        put(w, str_make(text, letter != NULL ? 2 : sizeof text));
        return 1;
    }
    size_t bytes = jsonscan_utf8(at, end);
    if (bytes == 0) {
        put(w, STR("\xef\xbf\xbd"));
        return 1;
    }
    if (bytes == LINE_SEPARATOR_BYTES && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8) {
        put(w, at[2] == 0xa8 ? STR("\\u2028") : STR("\\u2029"));
        return bytes;
    }
    put(w, str_make((const char *)at, bytes));
    return bytes;
}

static void
put_quoted(struct jsonw *w, struct str value)
{
    put(w, STR("\""));
    const uint8_t *at = (const uint8_t *)(value.len == 0 ? "" : value.data);
    const uint8_t *end = at + value.len;
    while (at < end && w->err == ERR_OK) {
        const uint8_t *special = jsonskip_plain(at, at, end);
        if (special > at) {
            put(w, str_make((const char *)at, (size_t)(special - at)));
        }
        at = special;
        if (at < end) {
            at += put_special(w, at, end);
        }
    }
    put(w, STR("\""));
}

void
jsonw_name(struct jsonw *w, const char *name)
{
    if (!is_in_object(w) || w->after_name) {
        w->err = w->err == ERR_OK ? ERR_BUG : w->err;
        return;
    }
    if (!w->is_first) {
        put(w, STR(","));
    }
    put_quoted(w, str_of(name));
    put(w, STR(":"));
    w->is_first = false;
    w->after_name = true;
}

void
jsonw_str(struct jsonw *w, struct str value)
{
    before_value(w);
    put_quoted(w, value);
}

void
jsonw_text(struct jsonw *w, const char *value)
{
    if (value == NULL) {
        jsonw_null(w);
    } else {
        jsonw_str(w, str_of(value));
    }
}

void
jsonw_u64(struct jsonw *w, uint64_t value)
{
    char text[NUM_TEXT_BYTES];
    uint32_t len = num_text(value, text);
    before_value(w);
    put(w, str_make(text, len));
}

void
jsonw_i64(struct jsonw *w, int64_t value)
{
    char text[NUM_TEXT_BYTES];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint32_t len = num_text(magnitude, text);
    before_value(w);
    if (value < 0) {
        put(w, STR("-"));
    }
    put(w, str_make(text, len));
}

void
jsonw_bool(struct jsonw *w, bool value)
{
    before_value(w);
    put(w, value ? STR("true") : STR("false"));
}

void
jsonw_null(struct jsonw *w)
{
    before_value(w);
    put(w, STR("null"));
}

void
jsonw_raw(struct jsonw *w, struct str json)
{
    before_value(w);
    if (json.len == 0) {
        w->err = w->err == ERR_OK ? ERR_BUG : w->err;
        return;
    }
    put(w, json);
}

void
jsonw_put_str(struct jsonw *w, const char *name, struct str value)
{
    jsonw_name(w, name);
    jsonw_str(w, value);
}

void
jsonw_put_text(struct jsonw *w, const char *name, const char *value)
{
    jsonw_name(w, name);
    jsonw_text(w, value);
}

void
jsonw_put_i64(struct jsonw *w, const char *name, int64_t value)
{
    jsonw_name(w, name);
    jsonw_i64(w, value);
}

void
jsonw_put_u64(struct jsonw *w, const char *name, uint64_t value)
{
    jsonw_name(w, name);
    jsonw_u64(w, value);
}

void
jsonw_put_bool(struct jsonw *w, const char *name, bool value)
{
    jsonw_name(w, name);
    jsonw_bool(w, value);
}
