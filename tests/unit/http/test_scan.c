/*
 * Where a head ends, found while it comes in, and its fields when every line is plain. Each input
 * is tried from memory of its exact size, in every cut of two and byte by byte.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "http/scan.h"

struct result {
    enum err err;
    size_t bytes;
    uint16_t status;
};

static enum err
scan_copy(enum scan_side side, struct str bytes, size_t *scanned, struct result *result)
{
    char *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    struct parser_error error = { 0 };
    memcpy(copy, bytes.data, bytes.len);
    result->err = scan_head_end(side, str_make(copy, bytes.len), scanned, &result->bytes, &error);
    result->status = error.status;
    free(copy);
    cr_assert_leq(*scanned, bytes.len);
    cr_assert_leq(result->bytes, bytes.len);
    if (result->err != ERR_OK) {
        cr_assert(error.message != NULL && error.code != NULL && error.status >= 400);
    }
    return result->err;
}

/* First `cut` bytes, then `step` more at a time. */
static struct result
scan(enum scan_side side, struct str text, size_t cut, size_t step)
{
    struct result result = { .err = ERR_OK };
    size_t scanned = 0;
    for (size_t len = cut;; len = text.len - len < step ? text.len : len + step) {
        if (scan_copy(side, str_make(text.data, len), &scanned, &result) != ERR_OK ||
            result.bytes > 0 || len == text.len) {
            return result;
        }
    }
}

/* 0 bytes: there is no end yet. */
static void
expect(enum scan_side side, struct str text, uint16_t status, size_t bytes)
{
    bool is_large = text.len > 2000;
    for (size_t cut = 0; cut <= text.len; cut += is_large ? 7919 : 1) {
        struct result result = scan(side, text, cut, is_large ? 4093 : cut % 3 == 0 ? 1 : text.len);
        cr_assert_eq(result.status, status, "%.*s cut at %zu: %u", (int)(text.len % 200), text.data,
                     cut, result.status);
        cr_assert_eq(result.err, status == 0 ? ERR_OK : ERR_BAD);
        if (status == 0) {
            cr_assert_eq(result.bytes, bytes, "%.*s cut at %zu", (int)(text.len % 200), text.data,
                         cut);
        }
    }
}

#define TEXT(literal) str_make(literal, sizeof(literal) - 1)

Test(scan, finds_the_empty_line_and_nothing_behind_it)
{
    expect(SCAN_REQUEST, TEXT(""), 0, 0);
    expect(SCAN_REQUEST, TEXT("\r"), 0, 0);
    expect(SCAN_REQUEST, TEXT("\r\n"), 0, 0);
    expect(SCAN_REQUEST, TEXT("G"), 0, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\nHost: a\r\n\r"), 0, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\n\r\n"), 0, 18);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody \r\n\r\n"), 0, 27);
    expect(SCAN_REQUEST, TEXT("\r\nGET / HTTP/1.1\r\n\r\n"), 0, 20);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\na:\tb\r\nc:\xc3\xa9\r\n\r\n"), 0, 30);
    expect(SCAN_ANSWER, TEXT("HTTP/1.1 200 OK\r\nA: b\r\n\r\n\x01"), 0, 25);
    expect(SCAN_ANSWER, TEXT("HTT"), 0, 0);
}

Test(scan, refuses_as_soon_as_it_cannot_become_a_head)
{
    expect(SCAN_REQUEST, TEXT("\x16\x03\x01"), 400, 0);
    expect(SCAN_REQUEST, TEXT("\x80"), 400, 0);
    expect(SCAN_REQUEST, TEXT(" GET / HTTP/1.1\r\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("\r\n\r\nGET / HTTP/1.1\r\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("AWORDTHATISNOMETHODATALLX"), 400, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\nHost: a\n\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\n\tfolded\r\n\r\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\n: a\r\n\r\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\na: \0\r\n\r\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\na: \x7f\r\n\r\n"), 400, 0);
    expect(SCAN_REQUEST, TEXT("GET / HTTP/1.1\r\n0123456789abcdef: 0123456789abcd\x01\r\n\r\n"),
           400, 0);
}

Test(scan, wants_of_an_answer_that_it_begins_as_one)
{
    expect(SCAN_ANSWER, TEXT("GET / HTTP/1.1\r\n\r\n"), 400, 0);
    expect(SCAN_ANSWER, TEXT("X"), 400, 0);
    expect(SCAN_ANSWER, TEXT("HTTP 200 OK\r\n\r\n"), 400, 0);
    expect(SCAN_ANSWER, TEXT("http/1.1 200 OK\r\n\r\n"), 400, 0);
    expect(SCAN_ANSWER, TEXT("HTTP/1.1 200 OK\r\n bad\r\n\r\n"), 400, 0);
}

/* A text of `len` bytes with this at its two ends. */
static struct str
filled(const char *begin, const char *end, size_t len)
{
    static char text[2 * HEAD_BYTES_MAX];
    cr_assert(len <= sizeof(text) && strlen(begin) + strlen(end) <= len);
    memset(text, 'a', len);
    memcpy(text, begin, strlen(begin));
    memcpy(text + len - strlen(end), end, strlen(end));
    return str_make(text, len);
}

Test(scan, bounds_targets_lines_and_heads)
{
    expect(SCAN_REQUEST, filled("GET /", " HTTP/1.1\r\n\r\n", TARGET_BYTES_MAX), 0,
           TARGET_BYTES_MAX);
    expect(SCAN_REQUEST, filled("GET /", "", TARGET_BYTES_MAX + 100), 414, 0);
    expect(SCAN_ANSWER, filled("HTTP/1.1 200 ", "\r\n\r\n", TARGET_BYTES_MAX + 100), 0,
           TARGET_BYTES_MAX + 100);
    expect(SCAN_REQUEST, filled("GET / HTTP/1.1\r\na: ", "", FIELD_BYTES_MAX + 100), 431, 0);
    expect(SCAN_ANSWER, filled("HTTP/1.1 200 OK\r\na: ", "\r\n\r\n", FIELD_BYTES_MAX + 100), 431,
           0);
    /* Many lines, none of them too long. */
    static char many[HEAD_BYTES_MAX + 64];
    struct str head = filled("GET / HTTP/1.1\r\n", "\r\n\r\n", HEAD_BYTES_MAX);
    memcpy(many, head.data, head.len);
    for (size_t at = 100; at + 200 < head.len; at += 100) {
        memcpy(many + at, "\r\nx: ", 5);
    }
    expect(SCAN_REQUEST, str_make(many, HEAD_BYTES_MAX), 0, HEAD_BYTES_MAX);
    memcpy(many + HEAD_BYTES_MAX - 4, "aa\r\n\r\n", 6);
    expect(SCAN_REQUEST, str_make(many, HEAD_BYTES_MAX + 2), 431, 0);
}

/* The fields as scan_fields sees them, as one text "name=value;"; NULL: it would not say. */
static const char *
fields_of(struct str lines, uint32_t items_max)
{
    static char out[1024];
    struct header items[HEAD_FIELDS_MAX];
    uint32_t count = 0;
    char *copy = malloc(lines.len == 0 ? 1 : lines.len);
    memcpy(copy, lines.data, lines.len);
    size_t bytes = 0;
    bool is_plain = scan_fields(str_make(copy, lines.len), items, items_max, &count, &bytes) &&
                    bytes == lines.len;
    size_t len = 0;
    out[0] = '\0';
    for (uint32_t i = 0; is_plain && i < count; i++) {
        cr_assert(items[i].name.data >= copy &&
                  items[i].value.data + items[i].value.len <= copy + lines.len);
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%.*s=%.*s;", STR_ARG(items[i].name),
                                STR_ARG(items[i].value));
    }
    free(copy);
    return is_plain ? out : NULL;
}

Test(scan, reads_plain_fields_or_leaves_them_to_others)
{
    const char *got = fields_of(TEXT("Host: api.test\r\nX-A:b\r\nc_d:  e f \r\nEmpty:\r\n\r\n"), 9);
    /* Without SSE2 it never says anything. */
    cr_assert(got == NULL || strcmp(got, "Host=api.test;X-A=b;c_d=e f;Empty=;") == 0, "%s", got);
    static const struct {
        const char *lines;
        uint32_t items_max;
    } odd[] = {
        { "Host: a\r\nlonger-name: with a value", 9 },     /* cut */
        { "Host: a\r\nlonger-name: with a value\r\n", 9 }, /* no empty line */
        { "Host : a\r\nlonger-name: with a value\r\n\r\n", 9 },
        { ": a\r\nlonger-name: with a value\r\n\r\n", 9 },
        { "Host\r\nlonger-name: with a value\r\n\r\n", 9 },
        { "Ho$t: a\r\nlonger-name: with a value\r\n\r\n", 9 }, /* good, but not plain */
        { "Host: a\tb\r\nlonger-name: with a value\r\n\r\n", 9 },
        { "Host: a\r\n folded-name: with a value\r\n\r\n", 9 },
        { "Host: a\nlonger-name: with a value\r\n\r\n", 9 },
        { "Host: a\r\nlonger-name: with a value\r\n\r\n", 1 }, /* more than there may be */
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        cr_expect_null(fields_of(str_of(odd[i].lines), odd[i].items_max), "row %zu", i);
    }
}

/* At every length of name and value, so that each place of a block is an end once. */
Test(scan, reads_fields_of_every_length)
{
    for (size_t name = 1; name < 40; name++) {
        for (size_t value = 0; value < 40; value++) {
            char lines[128];
            char want[128];
            snprintf(lines, sizeof(lines), "%.*s: %.*s\r\nx-second-field: y\r\n\r\n", (int)name,
                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN", (int)value,
                     "0123456789012345678901234567890123456789");
            snprintf(want, sizeof(want), "%.*s=%.*s;x-second-field=y;", (int)name,
                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN", (int)value,
                     "0123456789012345678901234567890123456789");
            const char *got = fields_of(str_of(lines), 9);
            cr_assert(got == NULL || strcmp(got, want) == 0, "%s instead of %s", got, want);
        }
    }
}
