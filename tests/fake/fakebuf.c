/* fakebuf.c - see fakebuf.h. */
#include "tests/fake/fakebuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
fakebuf_room(struct fakebuf *b, size_t more)
{
    if (b->cap - b->len >= more) {
        return;
    }
    size_t cap = b->cap * 2;
    if (cap < b->len + more) {
        cap = b->len + more;
    }
    if (cap < 256) {
        cap = 256;
    }
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        fprintf(stderr, "fake-provider: out of memory\n");
        exit(1);
    }
    b->data = data;
    b->cap = cap;
}

void
fakebuf_put(struct fakebuf *b, const char *p, size_t n)
{
    if (n == 0) {
        return;
    }
    fakebuf_room(b, n);
    memcpy(b->data + b->len, p, n);
    b->len += n;
}

void
fakebuf_free(struct fakebuf *b)
{
    free(b->data);
    *b = (struct fakebuf){ 0 };
}

void
fakebuf_drop(struct fakebuf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

static void
put_escape(struct fakebuf *b, unsigned code)
{
    static const char hex[] = "0123456789abcdef";
    char out[6] = { '\\', 'u', 0, 0, 0, 0 };
    for (unsigned i = 0; i < 4; i++) {
        out[2 + i] = hex[(code >> (12 - 4 * i)) & 15u];
    }
    fakebuf_put(b, out, 6);
}

/* Bytes of the sequence that starts here, or 0 when it is no valid UTF-8. */
static size_t
utf8_size(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    size_t want = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (want == 0 || want > n) {
        return 0;
    }
    for (size_t i = 1; i < want; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (c == 0xe0 && p[1] < 0xa0) || (c == 0xf0 && p[1] < 0x90);
    bool beyond = (c == 0xed && p[1] > 0x9f) || (c == 0xf4 && p[1] > 0x8f);
    return overlong || beyond ? 0 : want;
}

static void
put_high(struct fakebuf *b, const unsigned char *p, size_t n, size_t *used)
{
    size_t size = utf8_size(p, n);
    *used = size == 0 ? 1 : size;
    if (size == 0) {
        fakebuf_put(b, "?", 1);
        return;
    }
    /* Old Gemini clients cannot parse a line that holds U+2028 or U+2029 raw. */
    if (size == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) {
        put_escape(b, 0x2000u + (p[2] & 0x3fu));
        return;
    }
    fakebuf_put(b, (const char *)p, size);
}

static void
put_low(struct fakebuf *b, unsigned char c)
{
    if (c == '"' || c == '\\') {
        char two[2] = { '\\', (char)c };
        fakebuf_put(b, two, 2);
    } else if (c == '\n') {
        fakebuf_put(b, "\\n", 2);
    } else if (c == '\t') {
        fakebuf_put(b, "\\t", 2);
    } else {
        put_escape(b, c);
    }
}

void
fakebuf_json(struct fakebuf *b, const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    fakebuf_put(b, "\"", 1);
    size_t plain = 0;
    size_t i = 0;
    while (i < n) {
        unsigned char c = s[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            i++;
            continue;
        }
        fakebuf_put(b, p + plain, i - plain);
        size_t used = 1;
        if (c >= 0x80) {
            put_high(b, s + i, n - i, &used);
        } else {
            put_low(b, c);
        }
        i += used;
        plain = i;
    }
    if (n > plain) {
        fakebuf_put(b, p + plain, n - plain);
    }
    fakebuf_put(b, "\"", 1);
}

static void
put_u64(struct fakebuf *b, uint64_t value)
{
    char text[20];
    size_t at = sizeof(text);
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    fakebuf_put(b, text + at, sizeof(text) - at);
}

static void
put_hex(struct fakebuf *b, uint64_t value)
{
    char text[16];
    for (unsigned i = 0; i < 16; i++) {
        text[i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 15u];
    }
    fakebuf_put(b, text, sizeof(text));
}

static void
put_directive(struct fakebuf *b, char kind, va_list *args)
{
    if (kind == 's') {
        const char *text = va_arg(*args, const char *);
        fakebuf_put(b, text, strlen(text));
    } else if (kind == 'u') {
        put_u64(b, va_arg(*args, uint64_t));
    } else if (kind == 'x') {
        put_hex(b, va_arg(*args, uint64_t));
    } else if (kind == 'j') {
        const char *p = va_arg(*args, const char *);
        fakebuf_json(b, p, va_arg(*args, size_t));
    } else if (kind == 'b') {
        const struct fakebuf *other = va_arg(*args, const struct fakebuf *);
        fakebuf_put(b, other->data, other->len);
    } else {
        fakebuf_put(b, "%", 1);
    }
}

void
fakebuf_add(struct fakebuf *b, const char *template, ...)
{
    va_list args;
    va_start(args, template);
    const char *plain = template;
    for (;;) {
        const char *at = plain + strcspn(plain, "'%");
        fakebuf_put(b, plain, (size_t)(at - plain));
        if (*at == '\0' || (*at == '%' && at[1] == '\0')) {
            break;
        }
        if (*at == '\'') {
            fakebuf_put(b, "\"", 1);
            plain = at + 1;
        } else {
            put_directive(b, at[1], &args);
            plain = at + 2;
        }
    }
    va_end(args);
}

bool
fakebuf_equals(struct fakespan s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

bool
fakebuf_equals_nocase(struct fakespan s, const char *text)
{
    return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

bool
fakebuf_contains(struct fakespan s, const char *text)
{
    return memmem(s.p, s.n, text, strlen(text)) != NULL;
}
