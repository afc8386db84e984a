/*
 * Every row of what a gateway must accept and refuse in a head or a chunked body, as tables; each
 * input is fed whole and byte by byte and must give the same.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "http/parser.h"

#define H "Host: a\r\n"
#define LONG "X-Long: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"

struct result {
    uint16_t status; /* 0 = accepted, 1 = more bytes wanted */
    size_t head_bytes;
    struct parser_head head;
    struct parser_error error;
};

/* Fed in pieces of `piece` bytes, each from memory of its exact size, so that a sanitizer sees a
 * read beyond it. */
static struct result
parse(struct str text, size_t piece, struct arena *arena)
{
    struct result result = { .status = 1 };
    size_t scanned = 0;
    for (size_t len = piece < text.len ? piece : text.len; result.head_bytes == 0;
         len = len + piece < text.len ? len + piece : text.len) {
        char *copy = malloc(len == 0 ? 1 : len);
        memcpy(copy, text.data, len);
        enum err err =
            parser_head_end(str_make(copy, len), &scanned, &result.head_bytes, &result.error);
        free(copy);
        if (err != ERR_OK) {
            result.status = result.error.status;
            return result;
        }
        if (len == text.len) {
            break;
        }
    }
    if (result.head_bytes == 0) {
        return result;
    }
    struct str head = arena_dup(arena, str_make(text.data, result.head_bytes));
    enum err err = parser_request(head, arena, &result.head, &result.error);
    result.status = err == ERR_OK ? 0 : result.error.status;
    return result;
}

/* In one walk; status 1: it does not take this head, which others must then judge. */
static struct result
parse_whole(struct str text, struct arena *arena)
{
    struct result result = { .status = 1 };
    char *copy = malloc(text.len == 0 ? 1 : text.len);
    memcpy(copy, text.data, text.len);
    enum err err = parser_request_whole(str_make(copy, text.len), arena, &result.head,
                                        &result.head_bytes, &result.error);
    free(copy);
    if (result.head_bytes > 0) {
        result.status = err == ERR_OK ? 0 : result.error.status;
    }
    return result;
}

static void
expect_same_fields(const char *name, const struct parser_head *a, const struct parser_head *b)
{
    cr_assert(a->headers.count == b->headers.count, "%s", name);
    cr_expect(str_equal(a->path, b->path) && str_equal(a->query, b->query), "%s", name);
    cr_expect(a->framing == b->framing && a->content_length == b->content_length, "%s", name);
    for (uint32_t i = 0; i < a->headers.count; i++) {
        cr_expect(str_equal(a->headers.items[i].name, b->headers.items[i].name), "%s", name);
        cr_expect(str_equal(a->headers.items[i].value, b->headers.items[i].value), "%s", name);
    }
}

struct row {
    const char *name;
    struct str text;
    uint16_t status;     /* 0 = accepted */
    uint16_t status_too; /* equally good */
};

/* Status, and a second one that is as good. */
#define ROW(name_text, bytes, ...)                                                     \
    {                                                                                  \
        .name = name_text, .text = { bytes, sizeof(bytes) - 1 }, .status = __VA_ARGS__ \
    }

static void
check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
        struct result whole = parse(rows[i].text, rows[i].text.len, &arena);
        struct result drip = parse(rows[i].text, 1, &arena);
        cr_expect(whole.status == rows[i].status ||
                      (rows[i].status_too != 0 && whole.status == rows[i].status_too),
                  "%s: %u instead of %u (%s)", rows[i].name, whole.status, rows[i].status,
                  whole.error.message == NULL ? "" : whole.error.message);
        cr_expect(drip.status == whole.status, "%s: whole %u, byte by byte %u", rows[i].name,
                  whole.status, drip.status);
        cr_expect(drip.head_bytes == whole.head_bytes, "%s: whole %zu, byte by byte %zu",
                  rows[i].name, whole.head_bytes, drip.head_bytes);
        struct result walk = parse_whole(rows[i].text, &arena);
        cr_expect(walk.status == 1 || walk.status == whole.status,
                  "%s: in one walk %u instead of %u", rows[i].name, walk.status, whole.status);
        cr_expect(walk.status == 1 || walk.head_bytes == whole.head_bytes, "%s", rows[i].name);
        if (walk.status == 0) {
            expect_same_fields(rows[i].name, &walk.head, &whole.head);
        }
        arena_reset(&arena);
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

Test(parser, takes_good_requests)
{
    static const struct row rows[] = {
        ROW("plain", "GET / HTTP/1.1\r\n" H "\r\n", 0),
        ROW("1.0 without host", "GET / HTTP/1.0\r\n\r\n", 0),
        ROW("one empty line before", "\r\nGET / HTTP/1.1\r\n" H "\r\n", 0),
        ROW("body behind", "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", 0),
        ROW("leading zeros", "POST / HTTP/1.1\r\n" H "Content-Length: 003\r\n\r\nabc", 0),
        ROW("chunked in capitals", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: CHUNKED\r\n\r\n", 0),
        ROW("empty value", "GET / HTTP/1.1\r\n" H "X-A:\r\nX-B: \t \r\n\r\n", 0),
        ROW("tab in value", "GET / HTTP/1.1\r\n" H "X-A: a\tb\r\n\r\n", 0),
        ROW("high bytes in value", "GET / HTTP/1.1\r\n" H "X-A: \xc3\xa4\r\n\r\n", 0),
        ROW("token name", "GET / HTTP/1.1\r\n" H "x!#$%&'*+-.^`|~9: b\r\n\r\n", 0),
        ROW("absolute form", "GET http://b:80/p?q HTTP/1.1\r\n" H "\r\n", 0),
        ROW("expect", "POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n",
            0),
        ROW("expect in 1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", 0),
        ROW("upgrade is only noted",
            "GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 0),
        ROW("h2c is only noted",
            "GET / HTTP/1.1\r\n" H
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
            0),
        ROW("options star", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 0),
        ROW("huge length", "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551615\r\n\r\n",
            0),
        ROW("other method", "PROPFIND / HTTP/1.1\r\n" H "\r\n", 0),
    };
    CHECK_ROWS(rows);
}

Test(parser, refuses_bad_framing)
{
    static const struct row rows[] = {
        ROW("length and coding",
            "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ROW("coding and length",
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
        ROW("empty coding and length",
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\nContent-Length: 3\r\n\r\n", 400),
        ROW("two lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
            400),
        ROW("two equal lengths",
            "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400),
        ROW("list of lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\n", 400),
        ROW("plus", "POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\n", 400),
        ROW("minus", "POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\n", 400),
        ROW("hex", "POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\n", 400),
        ROW("blank inside", "POST / HTTP/1.1\r\n" H "Content-Length: 3 4\r\n\r\n", 400),
        ROW("underscore", "POST / HTTP/1.1\r\n" H "Content-Length: 1_0\r\n\r\n", 400),
        ROW("empty length", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400),
        ROW("quotes", "POST / HTTP/1.1\r\n" H "Content-Length: \"3\"\r\n\r\n", 400),
        ROW("NUL", "POST / HTTP/1.1\r\n" H "Content-Length: 3\0\r\n\r\n", 400),
        ROW("overflow", "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n",
            400),
        ROW("far overflow",
            "POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999999\r\n\r\n", 400),
        ROW("other coding", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n", 501, 400),
        ROW("list", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, 400),
        ROW("reverse list", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n", 501,
            400),
        ROW("comma first", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: ,chunked\r\n\r\n", 501, 400),
        ROW("comma last", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked,\r\n\r\n", 501, 400),
        ROW("identity", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 501, 400),
        ROW("parameter", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;a=b\r\n\r\n", 501,
            400),
        ROW("xchunked", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 501, 400),
        ROW("quoted", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 501, 400),
        ROW("two codings",
            "POST / HTTP/1.1\r\n" H
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            501, 400),
        ROW("two codings, first other",
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
            501, 400),
        ROW("coding in 1.0", "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400),
        ROW("other expectation", "POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", 417),
        ROW("empty expectation", "POST / HTTP/1.1\r\n" H "Expect:\r\n\r\n", 417),
        ROW("vertical tab in coding",
            "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
            "chunked\r\n\r\n",
            400),
    };
    CHECK_ROWS(rows);
}

Test(parser, refuses_bad_syntax)
{
    static const struct row rows[] = {
        ROW("bare LF behind the line", "GET / HTTP/1.1\n" H "\r\n", 400),
        ROW("bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        ROW("CRLF LF as end", "GET / HTTP/1.1\r\n" H "\n", 400),
        ROW("LF LF as end", "GET / HTTP/1.1\r\nHost: a\n\n", 400),
        ROW("bare CR", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400),
        ROW("CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
        ROW("CR as line end and a field",
            "GET / HTTP/1.1\r\n" H "X:\rTransfer-Encoding: chunked\r\n\r\n", 400),
        ROW("CRLF CR x", "GET / HTTP/1.1\r\n" H "\rx", 400),
        ROW("NUL in a value", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 400),
        ROW("NUL in a name", "GET / HTTP/1.1\r\n" H "X\0Y: b\r\n\r\n", 400),
        ROW("DEL in a value", "GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", 400),
        ROW("escape in a value", "GET / HTTP/1.1\r\nHost: a\x1b\r\n\r\n", 400),
        ROW("fold with blank", "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400),
        ROW("fold with tab", "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", 400),
        ROW("fold hides a length", "GET / HTTP/1.1\r\n" H " Content-Length: 3\r\n\r\n", 400),
        ROW("blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ROW("blank before colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ROW("tab before colon", "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400),
        ROW("no colon", "GET / HTTP/1.1\r\n" H "nonsense\r\n\r\n", 400),
        ROW("empty name", "GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 400),
        ROW("bracket in name", "GET / HTTP/1.1\r\n" H "x(y: a\r\n\r\n", 400),
        ROW("slash in name", "GET / HTTP/1.1\r\n" H "x/y: a\r\n\r\n", 400),
        ROW("blank in name", "GET / HTTP/1.1\r\n" H "x y: a\r\n\r\n", 400),
        ROW("high byte in name", "GET / HTTP/1.1\r\n" H "x\xc3: a\r\n\r\n", 400),
        ROW("no host", "GET / HTTP/1.1\r\n\r\n", 400),
        ROW("two hosts", "GET / HTTP/1.1\r\n" H H "\r\n", 400),
        ROW("two hosts in 1.0", "GET / HTTP/1.0\r\n" H H "\r\n", 400),
        ROW("no version", "GET /\r\n" H "\r\n", 400),
        ROW("HTTP/0.9 line alone", "GET / \r\n\r\n", 400),
        ROW("HTTP/2.0", "GET / HTTP/2.0\r\n" H "\r\n", 505),
        ROW("HTTP/1.2", "GET / HTTP/1.2\r\n" H "\r\n", 505),
        ROW("HTTP/0.9", "GET / HTTP/0.9\r\n" H "\r\n", 505),
        ROW("http/1.1 in small", "GET / http/1.1\r\n" H "\r\n", 400),
        ROW("HTTP/1.10", "GET / HTTP/1.10\r\n" H "\r\n", 400),
        ROW("RTSP", "DESCRIBE / RTSP/1.0\r\n" H "\r\n", 400, 501),
        ROW("RTSP method", "DESCRIBE / HTTP/1.1\r\n" H "\r\n", 400, 501),
        ROW("ICE", "SOURCE / ICE/1.0\r\n" H "\r\n", 400, 501),
        ROW("two blanks", "GET  / HTTP/1.1\r\n" H "\r\n", 400),
        ROW("two blanks before version", "GET /  HTTP/1.1\r\n" H "\r\n", 400),
        ROW("blank behind version", "GET / HTTP/1.1 \r\n" H "\r\n", 400),
        ROW("blank in target", "GET /a b HTTP/1.1\r\n" H "\r\n", 400),
        ROW("tab in target", "GET /a\tb HTTP/1.1\r\n" H "\r\n", 400),
        ROW("tab for blank", "GET\t/ HTTP/1.1\r\n" H "\r\n", 400),
        ROW("form feed in target", "GET /a\x0c HTTP/1.1\r\n" H "\r\n", 400),
        ROW("0xff in target", "GET /\xff HTTP/1.1\r\n" H "\r\n", 400),
        ROW("fragment", "GET /a#b HTTP/1.1\r\n" H "\r\n", 400),
        ROW("relative target", "GET a HTTP/1.1\r\n" H "\r\n", 400),
        ROW("other scheme", "GET ftp://a/b HTTP/1.1\r\n" H "\r\n", 400),
        ROW("absolute form without host", "GET http:///b HTTP/1.1\r\n" H "\r\n", 400),
        ROW("connect", "CONNECT a:1 HTTP/1.1\r\n" H "\r\n", 405, 400),
        ROW("trace", "TRACE / HTTP/1.1\r\n" H "\r\n", 405),
        ROW("unknown method", "BREW / HTTP/1.1\r\n" H "\r\n", 501),
        ROW("post in small", "post / HTTP/1.1\r\n" H "\r\n", 501),
        ROW("method with a tail", "GETX / HTTP/1.1\r\n" H "\r\n", 501, 400),
        ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 400),
        ROW("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        ROW("binary", "\x80\x2e\x01\x03\x01", 400),
        ROW("two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400),
        ROW("blank before the line", " GET / HTTP/1.1\r\n" H "\r\n", 400),
        ROW("LF before the line", "\nGET / HTTP/1.1\r\n" H "\r\n", 400),
        ROW("a first word without end", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 400),
    };
    CHECK_ROWS(rows);
}

/* Heads that are long enough to be read a block at a time. */
Test(parser, refuses_bad_syntax_in_long_heads)
{
    static const struct row rows[] = {
        ROW("tab in target, long", "GET /a\tb HTTP/1.1\r\n" H LONG "\r\n", 400),
        ROW("tab in long target, long", "POST /aaaaaaaa\tbbbb HTTP/1.1\r\n" H LONG "\r\n", 400),
        ROW("high byte in target, long", "POST /aaaaaaaa\xff HTTP/1.1\r\n" H LONG "\r\n", 400),
        ROW("delete in target, long", "POST /aaaaaaa\x7f HTTP/1.1\r\n" H LONG "\r\n", 400),
        ROW("blank before colon, long", "POST / HTTP/1.1\r\n" H LONG "X : a\r\n\r\n", 400),
        ROW("no colon, long", "POST / HTTP/1.1\r\n" H LONG "abc\r\n\r\n", 400),
        ROW("high byte in name, long", "POST / HTTP/1.1\r\n" H LONG "X\xe4: a\r\n\r\n", 400),
        ROW("no name, long", "POST / HTTP/1.1\r\n" H LONG ": a\r\n\r\n", 400),
        ROW("two hosts, long", "POST / HTTP/1.1\r\n" H LONG H "\r\n", 400),
        ROW("two lengths, long",
            "POST / HTTP/1.1\r\n" H LONG "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400),
        ROW("length and coding, long",
            "POST / HTTP/1.1\r\n" H LONG "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            400),
    };
    CHECK_ROWS(rows);
}

static size_t
add(char *to, size_t at, const char *text)
{
    size_t len = strlen(text);
    memcpy(to + at, text, len);
    return at + len;
}

/* `unit` repeated until the text has at least `bytes`. */
static struct str
long_head(const char *before, const char *unit, size_t bytes, const char *after)
{
    char *text = malloc(bytes + strlen(unit) + strlen(before) + strlen(after));
    size_t len = add(text, 0, before);
    while (len < bytes) {
        len = add(text, len, unit);
    }
    return str_make(text, add(text, len, after));
}

static void
check_long(const char *name, struct str text, uint16_t status)
{
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    struct result whole = parse(text, text.len, &arena);
    cr_expect(whole.status == status, "%s: %u instead of %u", name, whole.status, status);
    struct result pieces = parse(text, 777, &arena);
    cr_expect(pieces.status == status, "%s in pieces: %u instead of %u", name, pieces.status,
              status);
    arena_reset(&arena);
    free((void *)(uintptr_t)text.data);
}

Test(parser, holds_its_bounds)
{
    const char *end = " HTTP/1.1\r\n" H "\r\n";
    const char *line = "GET / HTTP/1.1\r\n" H;
    check_long("longest target", long_head("GET /", "a", TARGET_BYTES_MAX + 4, end), 0);
    check_long("target", long_head("GET /", "a", TARGET_BYTES_MAX + 5, end), 414);
    check_long("endless target", long_head("GET /", "a", 20000, ""), 414);
    check_long("long field", long_head("GET / HTTP/1.1\r\n" H "X: ", "a", 32000, "\r\n\r\n"), 0);
    check_long("field", long_head("GET / HTTP/1.1\r\n" H "X: ", "a", 34000, "\r\n\r\n"), 431);
    check_long("endless field", long_head("GET / HTTP/1.1\r\n" H "X: ", "a", 40000, ""), 431);
    check_long("many fields", long_head(line, "a: b\r\n", 1200, "\r\n"), 0);
    check_long("too many fields", long_head(line, "a: b\r\n", 1300, "\r\n"), 431);
    char unit[1024];
    memset(unit, 'x', sizeof(unit));
    memcpy(unit, "x: ", 3);
    memcpy(unit + sizeof(unit) - 3, "\r\n", 3);
    check_long("long head", long_head(line, unit, 60000, "\r\n"), 0);
    check_long("head", long_head(line, unit, 66000, "\r\n"), 431);
    check_long("endless head", long_head(line, unit, 70000, ""), 431);
}

/* Each of the 256 bytes around name, colon and value of the framing fields: never taken as a
 * length that is then not the length. */
Test(parser, takes_no_byte_for_another)
{
    static const struct {
        const char *before;
        const char *after;
    } forms[] = { { "", "Content-Length: 3" },  { "Content-Length", ": 3" },
                  { "Content-Length:", "3" },   { "Content-Length: 3", "" },
                  { "Content-Length: 3", "4" }, { "Conten", "t-Length: 3" } };
    for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[128];
            int len = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n" H "%s.%s\r\n\r\n",
                               forms[form].before, forms[form].after);
            text[26 + strlen(forms[form].before)] = (char)byte;
            struct arena arena;
            arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
            struct result got = parse(str_make(text, (size_t)len), 1000, &arena);
            bool is_good = form == 2 || form == 3 ? byte == ' ' || byte == '\t' : false;
            is_good = is_good || (form >= 2 && form <= 4 && byte >= '0' && byte <= '9');
            if (got.status == 0 && got.head.framing == PARSER_LENGTH) {
                cr_expect(is_good, "form %zu byte %d is a length", form, byte);
            }
            arena_reset(&arena);
        }
    }
}

Test(parser, tells_what_a_head_says)
{
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    struct result got = parse(STR("POST http://u@b:1/v1/x?key=k?&b HTTP/1.1\r\n"
                                  "hOst: a\r\nX-Empty:\r\nX-Two: \t a b \t\r\nx_api_key: no\r\n"
                                  "session_id: s\r\nconversation_id: c\r\n"
                                  "content-length: 12\r\nConnection: foo, Close\r\n\r\n"),
                              1000, &arena);
    cr_assert(got.status == 0);
    cr_expect(str_equal(got.head.method, STR("POST")));
    cr_expect(str_equal(got.head.path, STR("/v1/x")));
    cr_expect(str_equal(got.head.query, STR("key=k?&b")));
    cr_expect(got.head.framing == PARSER_LENGTH && got.head.content_length == 12);
    cr_expect(!got.head.keep_alive && !got.head.wants_upgrade && !got.head.expects_continue);
    cr_expect(got.head.headers.count == 7, "%u", got.head.headers.count);
    cr_expect(str_equal(header_find(&got.head.headers, STR("x-two")), STR("a b")));
    cr_expect(header_has(&got.head.headers, STR("x-empty")));
    cr_expect(!header_has(&got.head.headers, STR("x_api_key")));
    cr_expect(str_equal(header_find(&got.head.headers, STR("session_id")), STR("s")));
    cr_expect(str_equal(header_find(&got.head.headers, STR("conversation_id")), STR("c")));
    got = parse(STR("GET http://b?q HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 1000, &arena);
    cr_expect(got.status == 0 && got.head.keep_alive && got.head.minor == 0);
    cr_expect(str_equal(got.head.path, STR("/")) && str_equal(got.head.query, STR("q")));
    got = parse(STR("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
                    "Expect: 100-continue\r\nConnection: upgrade\r\n\r\n"),
                1000, &arena);
    cr_expect(got.status == 0 && got.head.framing == PARSER_CHUNKED && got.head.keep_alive);
    cr_expect(got.head.expects_continue && got.head.wants_upgrade);
    arena_reset(&arena);
}

/* --- answers --- */

#ifdef __SSE2__
Test(parser, takes_a_plain_head_with_what_stands_behind_it_in_one_walk)
{
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    struct str text = STR("POST /v1/x?a=b HTTP/1.1\r\n" H "X-Empty:\r\nContent-Length: 7\r\n"
                          "session_id: 1\r\n\r\nabc\r\n\r\n");
    struct result result = parse_whole(text, &arena);
    cr_assert(result.status == 0 && result.head_bytes == text.len - 7);
    cr_expect(result.head.headers.count == 4 && result.head.content_length == 7);
    cr_expect(str_equal(result.head.query, STR("a=b")));
    cr_expect(str_equal(header_find(&result.head.headers, STR("session_id")), STR("1")));
    cr_expect(header_find(&result.head.headers, STR("x-empty")).data != NULL);
    /* Cut anywhere, it says nothing. */
    for (size_t len = 0; len < text.len - 7; len++) {
        cr_expect(parse_whole(str_make(text.data, len), &arena).status == 1, "%zu", len);
    }
    struct parser_head head;
    struct parser_error error;
    size_t bytes = 0;
    text = STR("HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 3\r\n\r\nabc");
    cr_expect(parser_answer_whole(text, false, &arena, &head, &bytes, &error) == ERR_OK);
    cr_expect(bytes == text.len - 3 && head.status == 200 && head.content_length == 3);
    cr_expect(parser_answer_whole(str_make(text.data, bytes - 1), false, &arena, &head, &bytes,
                                  &error) == ERR_OK);
    cr_expect(bytes == 0);
    arena_reset(&arena);
}
#endif

struct answer_row {
    const char *text;
    bool of_head;
    bool is_good;
    enum parser_framing framing;
    bool keep_alive;
};

Test(parser, reads_answers)
{
    static const struct answer_row rows[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, true, PARSER_LENGTH, true },
        { "HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n", false, true, PARSER_LENGTH, true },
        { "HTTP/1.1 200 OK\r\n\r\n", false, true, PARSER_UNTIL_CLOSE, false },
        { "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", false, true, PARSER_LENGTH, false },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, true, PARSER_CHUNKED,
          true },
        { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, true, PARSER_CHUNKED,
          false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, true, PARSER_NO_BODY, true },
        { "HTTP/1.1 304 N\r\nContent-Length: 3\r\n\r\n", false, true, PARSER_NO_BODY, true },
        { "HTTP/1.1 204 N\r\n\r\n", false, true, PARSER_NO_BODY, true },
        { "HTTP/1.1 100 Continue\r\n\r\n", false, true, PARSER_NO_BODY, true },
        { "HTTP/1.1 200 OK\r\nx_y: 1\r\nContent-Length: 0\r\n\r\n", false, true, PARSER_LENGTH,
          true },
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n", false, true,
          PARSER_LENGTH, false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false,
          false, 0, 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", false, false, 0, 0 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false, false, 0, 0 },
        { "HTTP/1.1 099 OK\r\n\r\n", false, false, 0, 0 },
        { "HTTP/1.1 600 OK\r\n\r\n", false, false, 0, 0 },
        { "HTTP/1.1 20 OK\r\n\r\n", false, false, 0, 0 },
        { "HTTP/2.0 200 OK\r\n\r\n", false, false, 0, 0 },
        { "HTTP/1.1 200 OK\r\n: a\r\n\r\n", false, false, 0, 0 },
        { "ICY 200 OK\r\n\r\n", false, false, 0, 0 },
        { "\r\nHTTP/1.1 200 OK\r\n\r\n", false, false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
        struct parser_head head;
        struct parser_error error;
        enum err err = parser_answer(str_of(rows[i].text), rows[i].of_head, &arena, &head, &error);
        cr_expect((err == ERR_OK) == rows[i].is_good, "%s", rows[i].text);
        if (err == ERR_OK && rows[i].is_good) {
            cr_expect(head.framing == rows[i].framing, "%s", rows[i].text);
            cr_expect(head.keep_alive == rows[i].keep_alive, "%s", rows[i].text);
        }
        arena_reset(&arena);
    }
}
