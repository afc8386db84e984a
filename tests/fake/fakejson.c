/* fakejson.c - see fakejson.h. */
#include "tests/fake/fakejson.h"

#include <string.h>

#define DEPTH_MAX 1024u /* of a value that is skipped; counted, not recursed */

static const char *
skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}

/* p is behind the opening quote; gives the place behind the closing one, or NULL. */
static const char *
skip_string(const char *p, const char *end)
{
    while (p < end) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        if (quote == NULL) {
            return NULL;
        }
        const char *slash = memchr(p, '\\', (size_t)(quote - p));
        if (slash == NULL) {
            return quote + 1;
        }
        if (slash + 2 > end) {
            return NULL;
        }
        p = slash + 2;
    }
    return NULL;
}

static const char *
skip_nested(const char *p, const char *end)
{
    char open[DEPTH_MAX];
    size_t depth = 0;
    while (p < end) {
        char c = *p++;
        if (c == '"') {
            p = skip_string(p, end);
            if (p == NULL) {
                return NULL;
            }
        } else if (c == '{' || c == '[') {
            if (depth == DEPTH_MAX) {
                return NULL;
            }
            open[depth++] = c;
        } else if (c == '}' || c == ']') {
            if (depth == 0 || open[depth - 1] != (c == '}' ? '{' : '[')) {
                return NULL;
            }
            if (--depth == 0) {
                return p;
            }
        }
    }
    return NULL;
}

static const char *
skip_scalar(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && (strchr("+-.", *p) != NULL || (*p >= '0' && *p <= '9') ||
                       (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'))) {
        p++;
    }
    return p == start ? NULL : p;
}

bool
fakejson_value(struct fakespan text, struct fakespan *out)
{
    const char *end = text.p + text.n;
    const char *p = skip_space(text.p, end);
    if (p == end) {
        return false;
    }
    const char *stop;
    if (*p == '"') {
        stop = skip_string(p + 1, end);
    } else if (*p == '{' || *p == '[') {
        stop = skip_nested(p, end);
    } else {
        stop = skip_scalar(p, end);
    }
    if (stop == NULL) {
        return false;
    }
    *out = (struct fakespan){ p, (size_t)(stop - p) };
    return true;
}

struct fakespan
fakejson_trim(struct fakespan text)
{
    const char *end = text.p + text.n;
    const char *p = skip_space(text.p, end);
    while (end > p && strchr(" \n\r\t", end[-1]) != NULL && end[-1] != 0) {
        end--;
    }
    return (struct fakespan){ p, (size_t)(end - p) };
}

struct fakejson
fakejson_walk(struct fakespan value)
{
    struct fakejson walk = { .p = value.p, .end = value.p + value.n, .first = true };
    if (value.n >= 2 && (value.p[0] == '{' || value.p[0] == '[')) {
        walk.open = value.p[0];
        walk.p++;
        walk.end--;
    }
    return walk;
}

static bool
take_key(struct fakejson *walk, struct fakespan *key)
{
    struct fakespan rest = { walk->p, (size_t)(walk->end - walk->p) };
    struct fakespan name;
    if (!fakejson_value(rest, &name) || name.p[0] != '"') {
        return false;
    }
    *key = (struct fakespan){ name.p + 1, name.n - 2 };
    const char *p = skip_space(name.p + name.n, walk->end);
    if (p == walk->end || *p != ':') {
        return false;
    }
    walk->p = p + 1;
    return true;
}

bool
fakejson_next(struct fakejson *walk, struct fakespan *key, struct fakespan *value)
{
    if (walk->open == 0 || walk->bad) {
        return false;
    }
    walk->p = skip_space(walk->p, walk->end);
    if (walk->p == walk->end) {
        return false;
    }
    if (!walk->first) {
        walk->bad = *walk->p != ',';
        if (walk->bad) {
            return false;
        }
        walk->p++;
    }
    walk->first = false;
    *key = (struct fakespan){ walk->p, 0 };
    if (walk->open == '{' && !take_key(walk, key)) {
        walk->bad = true;
        return false;
    }
    struct fakespan rest = { walk->p, (size_t)(walk->end - walk->p) };
    walk->bad = !fakejson_value(rest, value);
    if (walk->bad) {
        return false;
    }
    walk->p = value->p + value->n;
    return true;
}

bool
fakejson_pick(struct fakespan object, const char *const *keys, size_t count,
              struct fakespan *values)
{
    struct fakejson walk = fakejson_walk(object);
    struct fakespan name;
    struct fakespan value;
    for (size_t i = 0; i < count; i++) {
        values[i] = (struct fakespan){ "", 0 };
    }
    if (walk.open != '{') {
        return false;
    }
    while (fakejson_next(&walk, &name, &value)) {
        for (size_t i = 0; i < count; i++) {
            if (fakebuf_equals(name, keys[i])) {
                values[i] = value; /* The last of equal names counts, as in JSON libraries. */
            }
        }
    }
    return !walk.bad;
}

struct fakespan
fakejson_get(struct fakespan object, const char *key)
{
    struct fakespan found;
    (void)fakejson_pick(object, &key, 1, &found);
    return found;
}

struct fakespan
fakejson_path(struct fakespan object, const char *path)
{
    char name[64];
    while (*path != '\0') {
        size_t n = strcspn(path, ".");
        if (n >= sizeof(name)) {
            return (struct fakespan){ "", 0 };
        }
        memcpy(name, path, n);
        name[n] = '\0';
        object = fakejson_get(object, name);
        path += path[n] == '.' ? n + 1 : n;
    }
    return object;
}

bool
fakejson_is_string(struct fakespan value)
{
    return value.n >= 2 && value.p[0] == '"';
}

bool
fakejson_is_array(struct fakespan value)
{
    return value.n >= 2 && value.p[0] == '[';
}

bool
fakejson_is_object(struct fakespan value)
{
    return value.n >= 2 && value.p[0] == '{';
}

bool
fakejson_is_true(struct fakespan value)
{
    return fakebuf_equals(value, "true");
}

bool
fakejson_is(struct fakespan value, const char *text)
{
    return fakejson_is_string(value) &&
           fakebuf_equals((struct fakespan){ value.p + 1, value.n - 2 }, text);
}

uint64_t
fakejson_number(struct fakespan value, uint64_t otherwise)
{
    uint64_t number = 0;
    if (value.n == 0 || value.n > 18) {
        return otherwise;
    }
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') {
            return otherwise;
        }
        number = number * 10 + (uint64_t)(value.p[i] - '0');
    }
    return number;
}

static bool
hex4(const char *p, const char *end, unsigned *code)
{
    unsigned value = 0;
    if (end - p < 4) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        char c = p[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16u;
        if (digit == 16u) {
            return false;
        }
        value = value * 16 + digit;
    }
    *code = value;
    return true;
}

static size_t
utf8_write(unsigned code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* p is behind the backslash; a lone surrogate becomes U+FFFD. */
static const char *
read_escape(const char *p, const char *end, char out[4], size_t *size)
{
    static const char from[] = "nrtbf";
    static const char to[] = "\n\r\t\b\f";
    if (*p != 'u') {
        const char *found = memchr(from, *p, sizeof(from) - 1);
        out[0] = found == NULL ? *p : to[found - from];
        *size = 1;
        return p + 1;
    }
    unsigned code = 0xfffd;
    unsigned low = 0;
    if (!hex4(p + 1, end, &code)) {
        *size = utf8_write(0xfffd, out);
        return p + 1;
    }
    p += 5;
    bool high = code >= 0xd800 && code < 0xdc00;
    if (high && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && hex4(p + 2, end, &low) &&
        low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    } else if (code >= 0xd800 && code < 0xe000) {
        code = 0xfffd;
    }
    *size = utf8_write(code, out);
    return p;
}

size_t
fakejson_text(struct fakespan value, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    if (!fakejson_is_string(value)) {
        return 0;
    }
    const char *p = value.p + 1;
    const char *end = value.p + value.n - 1;
    while (p < end) {
        char piece[4] = { *p, 0, 0, 0 };
        size_t n = 1;
        const char *after = p + 1;
        if (*p == '\\' && p + 1 < end) {
            after = read_escape(p + 1, end, piece, &n);
        } else if ((*p & 0xc0) == 0xc0) {
            while (n < 4 && after < end && (*after & 0xc0) == 0x80) {
                piece[n++] = *after++;
            }
        }
        if (len + n >= size) {
            break;
        }
        memcpy(out + len, piece, n);
        len += n;
        p = after;
    }
    out[len] = '\0';
    return len;
}
