/*
 * argument.c - tool arguments (see argument.h).
 */
#include "proto/argument.h"

#include "base/check.h"
#include "base/json.h"
#include "base/jsonscan.h"
#include "base/jsonw.h"
#include "proto/walk.h"

static bool
is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One byte inside a string: escapes and the closing quote. */
static void
feed_string(struct argument *argument, char c)
{
    if (argument->after_backslash) {
        argument->after_backslash = false;
    } else if (c == '\\') {
        argument->after_backslash = true;
    } else if (c == '"') {
        argument->in_string = false;
        argument->is_complete = argument->depth == 0;
    }
}

/* One byte outside of strings. Numbers and words at the top never count as complete. */
static void
feed_plain(struct argument *argument, char c)
{
    if (c == '"') {
        argument->in_string = true;
    } else if (c == '{' || c == '[') {
        argument->depth++;
    } else if ((c == '}' || c == ']') && argument->depth > 0) {
        argument->depth--;
        argument->is_complete = argument->depth == 0;
    }
}

size_t
argument_feed(struct argument *argument, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (argument->in_string) {
            feed_string(argument, c);
        } else if (is_blank(c)) {
            continue;
        } else if (argument->is_complete) {
            return i;
        } else {
            argument->is_begun = true;
            feed_plain(argument, c);
        }
    }
    return text.len;
}

static struct str
trim(struct str text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text = str_skip(text, 1);
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* {"name":"text"} in the arena. */
static enum err
object_of_text(const char *name, struct str text, struct arena *arena, struct str *out)
{
    struct buf buf;
    buf_init(&buf, UINT32_MAX);
    struct jsonw w;
    jsonw_begin(&w, &buf);
    jsonw_object(&w);
    jsonw_put_str(&w, name, text);
    jsonw_close(&w);
    enum err err = jsonw_end(&w);
    if (err == ERR_OK) {
        *out = arena_dup(arena, buf_str(&buf));
        err = out->data == NULL ? ERR_FULL : ERR_OK;
    }
    buf_fini(&buf);
    return err;
}

enum err
argument_object(struct str text, bool is_history, struct arena *arena, struct str *out)
{
    struct str trimmed = trim(text);
    if (trimmed.len == 0 || str_equal(trimmed, STR("null"))) {
        *out = STR("{}");
        return ERR_OK;
    }
    enum json_kind kind = JSON_NULL;
    if (json_scan(trimmed, NULL, NULL, &kind, NULL) == ERR_OK && kind == JSON_OBJECT) {
        *out = trimmed;
        return ERR_OK;
    }
    if (!is_history) {
        return ERR_BAD;
    }
    return object_of_text("_raw_arguments", text, arena, out);
}

enum err
argument_wrap(struct str text, struct arena *arena, struct str *out)
{
    return object_of_text("input", text, arena, out);
}

bool
argument_unwrap(struct str object_json, struct arena *arena, struct str *out)
{
    struct walk root;
    if (walk_parse(object_json, arena, &root) != ERR_OK || walk_count(root) != 1) {
        return false;
    }
    struct walk input = walk_get(root, STR("input"));
    return walk_kind(input) == JSON_STRING && walk_text(input, arena, out);
}

/* --- the same while it streams --- */

/* What stands before the text, blanks aside, a state a character. */
static const char opening[] = "{\"input\":\"";

enum { STATE_TEXT = sizeof opening - 1, STATE_BEHIND, STATE_END };

static enum err
put_point(struct buf *to, uint32_t point)
{
    char out[4];
    size_t len;
    if (point < 0x80) {
        out[0] = (char)point;
        len = 1;
    } else if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        len = 2;
    } else if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        len = 3;
    } else {
        out[0] = (char)(0xf0 | point >> 18);
        out[1] = (char)(0x80 | (point >> 12 & 0x3f));
        out[2] = (char)(0x80 | (point >> 6 & 0x3f));
        out[3] = (char)(0x80 | (point & 0x3f));
        len = 4;
    }
    return buf_append(to, str_make(out, len));
}

/* A high surrogate that got no low one. */
static enum err
flush_high(struct argument_stream *stream, struct buf *to)
{
    bool is_held = stream->high != 0;
    stream->high = 0;
    return is_held ? put_point(to, 0xfffd) : ERR_OK;
}

/* The four digits of a \u are there. */
static enum err
put_unit(struct argument_stream *stream, struct buf *to)
{
    uint32_t unit = stream->unit;
    uint32_t high = stream->high;
    bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
    if (high != 0 && is_low) {
        stream->high = 0;
        return put_point(to, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
    }
    enum err err = flush_high(stream, to);
    if (err == ERR_OK && unit >= 0xd800 && unit < 0xdc00) {
        stream->high = (uint16_t)unit;
        return ERR_OK;
    }
    return err != ERR_OK ? err : put_point(to, is_low ? 0xfffd : unit);
}

/* One character behind a backslash. `escape` counts: 1 = the letter comes, 2..5 = the digits. */
static enum err
feed_escape(struct argument_stream *stream, char c, struct buf *to)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    if (stream->escape == 1 && c == 'u') {
        stream->escape = 2;
        stream->unit = 0;
        return ERR_OK;
    }
    if (stream->escape == 1) {
        stream->escape = 0;
        const char *at = memchr(letters, c, sizeof letters - 1);
        enum err err = flush_high(stream, to);
        if (at == NULL || err != ERR_OK) {
            stream->is_odd = stream->is_odd || at == NULL;
            return err;
        }
        return buf_append(to, str_make(&meant[at - letters], 1));
    }
    int digit = jsonscan_hex((uint8_t)c);
    if (digit < 0) {
        stream->is_odd = true;
        return ERR_OK;
    }
    stream->unit = (uint16_t)(stream->unit << 4 | digit);
    if (stream->escape < 5) {
        stream->escape++;
        return ERR_OK;
    }
    stream->escape = 0;
    return put_unit(stream, to);
}

/* Everything outside of the text. */
static void
feed_frame(struct argument_stream *stream, char c)
{
    bool is_in_name = stream->state >= 2 && stream->state <= 7;
    if (is_blank(c) && !is_in_name) {
        return;
    }
    if (stream->state == STATE_BEHIND && c == '}') {
        stream->state = STATE_END;
    } else if (stream->state < STATE_TEXT && c == opening[stream->state]) {
        stream->state++;
    } else {
        stream->is_odd = true;
    }
}

/* How many bytes of the text's beginning need no decoding. */
static size_t
plain_bytes(struct str text)
{
    size_t len = 0;
    while (len < text.len && text.data[len] != '"' && text.data[len] != '\\') {
        len++;
    }
    return len;
}

enum err
argument_unwrap_feed(struct argument_stream *stream, struct str text, struct buf *to)
{
    while (text.len > 0 && !stream->is_odd) {
        size_t taken = 1;
        enum err err = ERR_OK;
        char c = text.data[0];
        if (stream->state != STATE_TEXT) {
            feed_frame(stream, c);
        } else if (stream->escape != 0) {
            err = feed_escape(stream, c, to);
        } else if (c == '\\') {
            stream->escape = 1;
        } else {
            taken = plain_bytes(text);
            err = flush_high(stream, to);
            if (taken > 0 && err == ERR_OK) {
                err = buf_append(to, str_make(text.data, taken));
            } else if (taken == 0) {
                taken = 1; /* the closing quote */
                stream->state = STATE_BEHIND;
            }
        }
        if (err != ERR_OK) {
            return err;
        }
        text = str_skip(text, taken);
    }
    return ERR_OK;
}
