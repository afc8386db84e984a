/*
 * 30_hardening.c - raw bytes that a gateway must refuse without forwarding anything, and odd ones
 * that it must take.
 *
 * Behind most rows stands a second, valid request for the model fake-smuggled: when the two sides
 * of a proxy disagree about where a message ends, it becomes visible at the provider.
 */
#include "tests/scenario/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LINE "POST /v1/chat/completions HTTP/1.1\r\n"
#define HOST "Host: x\r\n"
#define AUTH "Authorization: Bearer " PLAY_KEY "\r\nContent-Type: application/json\r\n"
#define HEAD LINE HOST AUTH
#define BODY "{\"model\":\"fake-n3\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"
#define NEXT                          \
    HEAD "Content-Length: 72\r\n\r\n" \
         "{\"model\":\"fake-smuggled\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"

_Static_assert(sizeof(BODY) - 1 == 66, "the rows below say 66");

struct row {
    const char *name;
    const char *bytes;
    size_t len;
    int status[3]; /* any of these; 0 = the end. A first 0: no answer needed, only the end */
    bool keeps;    /* the connection may stay open */
};

#define ROW(name, bytes, ...)                                  \
    {                                                          \
        name, bytes, sizeof(bytes) - 1, { __VA_ARGS__ }, false \
    }
#define MAY_STAY(name, bytes, ...)                            \
    {                                                         \
        name, bytes, sizeof(bytes) - 1, { __VA_ARGS__ }, true \
    }

static bool
is_one_of(int status, const int list[3])
{
    return status == list[0] || (list[1] != 0 && status == list[1]) ||
           (list[2] != 0 && status == list[2]);
}

static void
check_row(const struct row *row)
{
    struct play_conn *c = play_open(play_world.port);
    play_write(c, row->bytes, row->len);
    struct play_answer a = play_read(c, 3000);
    PLAY_CHECK(is_one_of(a.status, row->status), "%s: status %d, wanted %d: %s", row->name,
               a.status, row->status[0], a.body);
    if (a.status > 0 && !row->keeps) {
        char *field = play_field(&a, "connection");
        PLAY_CHECK(field != NULL && strcmp(field, "close") == 0, "%s: no Connection: close",
                   row->name);
    }
    if (!row->keeps) {
        PLAY_CHECK(play_is_closed(c, 3000), "%s: the connection stays open", row->name);
    }
    play_close(c);
}

static void
check_rows(const struct row *rows, size_t count)
{
    play_fake_reset();
    for (size_t i = 0; i < count; i++) {
        check_row(&rows[i]);
        uint64_t seen = play_fake_stat("requests");
        PLAY_CHECK(seen == 0, "%s: %llu requests were forwarded: %s", rows[i].name,
                   (unsigned long long)seen, play_fake_requests());
        if (seen != 0) {
            play_fake_reset();
        }
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void
lengths(void)
{
    static const struct row rows[] = {
        ROW("CL and TE",
            HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT, 400),
        ROW("TE and CL",
            HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" NEXT, 400),
        ROW("two lengths", HEAD "Content-Length: 66\r\nContent-Length: 67\r\n\r\n" BODY NEXT, 400),
        ROW("equal lengths", HEAD "Content-Length: 66\r\nContent-Length: 66\r\n\r\n" BODY NEXT,
            400),
        ROW("list of lengths", HEAD "Content-Length: 66, 66\r\n\r\n" BODY NEXT, 400),
        ROW("+66", HEAD "Content-Length: +66\r\n\r\n" BODY NEXT, 400),
        ROW("-66", HEAD "Content-Length: -66\r\n\r\n" BODY NEXT, 400),
        ROW("0x42", HEAD "Content-Length: 0x42\r\n\r\n" BODY NEXT, 400),
        ROW("6 6", HEAD "Content-Length: 6 6\r\n\r\n" BODY NEXT, 400),
        ROW("6_6", HEAD "Content-Length: 6_6\r\n\r\n" BODY NEXT, 400),
        ROW("empty length", HEAD "Content-Length: \r\n\r\n" BODY NEXT, 400),
        ROW("quoted length", HEAD "Content-Length: \"66\"\r\n\r\n" BODY NEXT, 400),
        ROW("NUL in the length", HEAD "Content-Length: 66\0\r\n\r\n" BODY NEXT, 400),
        ROW("huge length", HEAD "Content-Length: 99999999999999999999999\r\n\r\n" BODY NEXT, 400,
            413),
        ROW("2^64-1", HEAD "Content-Length: 18446744073709551615\r\n\r\n" BODY NEXT, 400, 413),
        ROW("2^64+66", HEAD "Content-Length: 18446744073709551682\r\n\r\n" BODY NEXT, 400, 413),
    };
    CHECK_ROWS(rows);
}

static void
codings(void)
{
    static const struct row rows[] = {
        ROW("xchunked", HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" NEXT, 501, 400),
        ROW("gzip, chunked", HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT, 501,
            400),
        ROW(",chunked", HEAD "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n" NEXT, 501, 400),
        ROW("chunked, identity", HEAD "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" NEXT,
            501, 400),
        ROW("two codings",
            HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
            501, 400),
        ROW("parameter", HEAD "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n" NEXT, 501, 400),
        ROW("empty coding", HEAD "Transfer-Encoding:\r\nContent-Length: 66\r\n\r\n" BODY NEXT, 501,
            400),
        ROW("vertical tab", HEAD "Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n" NEXT, 501, 400),
        ROW("TE on HTTP/1.0",
            "POST /v1/chat/completions HTTP/1.0\r\n" HOST AUTH
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
            501, 400),
    };
    CHECK_ROWS(rows);
}

#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void
chunks(void)
{
    static const struct row rows[] = {
        ROW("0x42", CHUNKED "0x42\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("+42", CHUNKED "+42\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("-42", CHUNKED "-42\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("4_2", CHUNKED "4_2\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("blank first", CHUNKED " 42\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("empty size", CHUNKED "\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("size overflow", CHUNKED "FFFFFFFFFFFFFFFF\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400, 413),
        ROW("size overflow back to 0x42", CHUNKED "10000000000000042\r\n" BODY "\r\n0\r\n\r\n" NEXT,
            400, 413),
        ROW("LF behind the size", CHUNKED "42\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("CR behind the size", CHUNKED "42\rX" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("no CRLF behind the data", CHUNKED "42\r\n" BODY "XX0\r\n\r\n" NEXT, 400),
        ROW("LF behind the data", CHUNKED "42\r\n" BODY "\n0\r\n\r\n" NEXT, 400),
        ROW("control byte in an extension", CHUNKED "42;a=\x01\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("LF in an extension", CHUNKED "42;a\nb\r\n" BODY "\r\n0\r\n\r\n" NEXT, 400),
        ROW("bad trailer", CHUNKED "42\r\n" BODY "\r\n0\r\nbad trailer\r\n\r\n" NEXT, 400),
        ROW("LF trailer", CHUNKED "42\r\n" BODY "\r\n0\r\nA: b\n\r\n" NEXT, 400),
    };
    CHECK_ROWS(rows);
}

static void
lines(void)
{
    static const struct row rows[] = {
        ROW("bare LF", "POST /v1/chat/completions HTTP/1.1\nHost: x\n\n" NEXT, 400),
        ROW("LF in the head", LINE HOST "A: b\n" AUTH "Content-Length: 66\r\n\r\n" BODY, 400),
        ROW("CR in a value", LINE HOST "A: b\rc\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY, 400),
        ROW("CR CR LF", LINE HOST "A: b\r\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY, 400),
        ROW("CR then a field",
            LINE HOST "A:\rTransfer-Encoding: chunked\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY,
            400),
        ROW("CRLF LF ends", LINE HOST AUTH "Content-Length: 66\r\n\n" BODY NEXT, 400),
        ROW("CRLF CR Z", LINE HOST AUTH "Content-Length: 66\r\n\rZ" BODY NEXT, 400),
        ROW("NUL in a value", LINE HOST "A: b\0c\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY, 400),
        ROW("control byte in a name",
            LINE HOST "A\x01: b\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY, 400),
        ROW("control byte in a value",
            LINE HOST "A: \x02\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY, 400),
        ROW("fold", LINE HOST AUTH "A: b\r\n c\r\nContent-Length: 66\r\n\r\n" BODY NEXT, 400),
        ROW("fold of a length",
            LINE HOST "A: b\r\n Content-Length: 3\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY NEXT,
            400),
        ROW("tab fold", LINE HOST AUTH "A: b\r\n\tc\r\nContent-Length: 66\r\n\r\n" BODY NEXT, 400),
        ROW("blank first field", LINE " Host: x\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY NEXT,
            400),
        ROW("blank before the colon", LINE "Host : x\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY,
            400),
        ROW("no colon", LINE HOST "nonsense\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY, 400),
        ROW("empty name", LINE HOST ": b\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY, 400),
        ROW("parenthesis in a name", LINE HOST "A(b: c\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY,
            400),
        ROW("high byte in a name", LINE HOST "A\xff: c\r\n" AUTH "Content-Length: 66\r\n\r\n" BODY,
            400),
    };
    CHECK_ROWS(rows);
}

static void
start_lines(void)
{
#define REST " HTTP/1.1\r\n" HOST AUTH "Content-Length: 66\r\n\r\n" BODY
    static const struct row rows[] = {
        ROW("no Host", LINE AUTH "Content-Length: 66\r\n\r\n" BODY NEXT, 400),
        ROW("two Hosts", LINE HOST HOST AUTH "Content-Length: 66\r\n\r\n" BODY NEXT, 400),
        ROW("HTTP/0.9", "POST /v1/chat/completions\r\n" HOST AUTH "\r\n" NEXT, 400, 505),
        ROW("HTTP/2.0", "POST /v1/chat/completions HTTP/2.0\r\n" HOST AUTH "\r\n" NEXT, 400, 505),
        ROW("RTSP", "POST /v1/chat/completions RTSP/1.0\r\n" HOST AUTH "\r\n" NEXT, 400, 505),
        ROW("fragment", "POST /v1/chat/completions#a" REST, 400),
        ROW("tab in the target", "POST /v1/chat\tcompletions" REST, 400),
        ROW("high byte in the target", "POST /v1/chat/completions\xff" REST, 400),
        ROW("two blanks", "POST  /v1/chat/completions" REST, 400),
        ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 405, 505),
        ROW("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        MAY_STAY("TRACE", "TRACE /v1/chat/completions HTTP/1.1\r\n" HOST "\r\n", 405, 501, 400),
        MAY_STAY("unknown method", "BREW /v1/chat/completions HTTP/1.1\r\n" HOST "\r\n", 405, 501,
                 400),
        MAY_STAY("post", "post /v1/chat/completions HTTP/1.1\r\n" HOST "\r\n", 405, 501, 400),
        MAY_STAY("CONNECT", "CONNECT example.com:443 HTTP/1.1\r\n" HOST "\r\n", 405, 400, 501),
    };
    CHECK_ROWS(rows);
#undef REST
}

static void
targets_of_other_hosts(void)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "GET http://169.254.169.254/healthz HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n");
    struct play_answer a = play_read(c, 3000);
    PLAY_CHECK(a.status == 200 || a.status == 400 || a.status == 421, "%d", a.status);
    PLAY_CHECK(a.status != 200 || strstr(a.body, "ok") != NULL, "not our own answer: %s", a.body);
}

/* Each of the 162 bytes that are no visible ASCII, at each place of each length field. */
static void
no_byte_makes_a_second_request(void)
{
    static const char *const fields[] = { "Content-Length", "Transfer-Encoding" };
    const char *const values[] = { play_text("%zu", strlen(NEXT)), "chunked" };
    const char *size = play_text("%zx\r\n", strlen(NEXT));
    play_fake_reset();
    for (unsigned f = 0; f < 2; f++) {
        for (unsigned place = 0; place < 4; place++) {
            for (unsigned b = 0; b < 256; b++) {
                if (b > 0x20 && b < 0x7f) {
                    continue;
                }
                char text[4096];
                int n = snprintf(text, sizeof(text), HEAD);
                size_t len = (size_t)n;
                const char *pieces[4] = { fields[f], ":", " ", values[f] };
                for (unsigned p = 0; p < 4; p++) {
                    if (p == place) {
                        text[len++] = (char)b;
                    }
                    len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", pieces[p]);
                }
                /* As a body: one long chunk, or bytes that the length covers. */
                n = snprintf(text + len, sizeof(text) - len, "\r\n\r\n%s%s\r\n0\r\n\r\n",
                             f == 1 ? size : "", NEXT);
                struct play_conn *c = play_open(play_world.port);
                play_write(c, text, len + (size_t)n);
                shutdown(c->fd, SHUT_WR);
                (void)play_read(c, 2000);
                play_close(c);
            }
        }
    }
    char *seen = play_fake_requests();
    PLAY_CHECK(strstr(seen, "fake-smuggled") == NULL, "a second request got through: %.1000s",
               seen);
}

static void
sizes(void)
{
    const char *key = "Authorization: Bearer " PLAY_KEY "\r\nContent-Type: application/json\r\n";
    char *fields = play_text("%sX-Long: %s\r\n", key, play_repeat('a', 30000));
    struct play_answer a =
        play_request(play_world.port, "POST", "/v1/chat/completions", fields, BODY, strlen(BODY));
    PLAY_CHECK(a.status == 200, "a field of 30 KB: %d %s", a.status, a.body);
    fields = play_text("%sX-Long: %s\r\nX-More: %s\r\nX-Most: %s\r\n", key, play_repeat('a', 30000),
                       play_repeat('a', 30000), play_repeat('a', 30000));
    a = play_request(play_world.port, "POST", "/v1/chat/completions", fields, BODY, strlen(BODY));
    PLAY_CHECK(a.status == 431, "a head of 90 KB: %d", a.status);
    char *many = play_text("%s", key);
    for (int i = 0; i < 300; i++) {
        many = play_text("%sX-%d: a\r\n", many, i);
    }
    a = play_request(play_world.port, "POST", "/v1/chat/completions", many, BODY, strlen(BODY));
    PLAY_CHECK(a.status == 431, "300 fields: %d", a.status);
    char *target = play_text("/v1/models?x=%s", play_repeat('a', 10000));
    a = play_request(play_world.port, "GET", target, key, NULL, 0);
    PLAY_CHECK(a.status == 414, "a target of 10 KB: %d", a.status);
}

static void
odd_but_right(void)
{
    static const struct row rows[] = {
        MAY_STAY("chunk extension", CHUNKED "42;a=b;c=\"d\"\r\n" BODY "\r\n0\r\n\r\n", 200),
        MAY_STAY("trailer", CHUNKED "42\r\n" BODY "\r\n0\r\nX-Trailer: a\r\n\r\n", 200),
        MAY_STAY("upper case size", CHUNKED "0042\r\n" BODY "\r\n000\r\n\r\n", 200),
        MAY_STAY("upper case coding",
                 HEAD "TRANSFER-ENCODING: CHUNKED\r\n\r\n42\r\n" BODY "\r\n0\r\n\r\n", 200),
        MAY_STAY("blanks around a value", HEAD "Content-Length:   66  \r\n\r\n" BODY, 200),
        MAY_STAY("001", HEAD "Content-Length: 0066\r\n\r\n" BODY, 200, 400),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(&rows[i]);
    }
    PLAY_CHECK(play_fake_stat("bad") == 0, "the provider got bad HTTP");
}

static void
trailers_are_no_credentials(void)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c, LINE HOST "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "42\r\n" BODY "\r\n0\r\nAuthorization: Bearer " PLAY_KEY "\r\n\r\n");
    struct play_answer a = play_read(c, 3000);
    PLAY_CHECK(a.status == 401, "a key in a trailer: %d", a.status);
    c = play_open(play_world.port);
    play_print(c, LINE HOST "x_api_key: " PLAY_KEY "\r\nContent-Length: 66\r\n\r\n" BODY);
    a = play_read(c, 3000);
    PLAY_CHECK(a.status == 401 || a.status == 400, "x_api_key: %d", a.status);
}

static void
expect_continue(void)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c, HEAD "Content-Length: 66\r\nExpect: 100-continue\r\n\r\n");
    char first[64] = "";
    ssize_t n = 0;
    for (int i = 0; i < 100 && n <= 0; i++) {
        n = recv(c->fd, first, sizeof(first) - 1, MSG_DONTWAIT);
        play_sleep(10);
    }
    PLAY_CHECK(strncmp(first, "HTTP/1.1 100 ", 13) == 0, "no 100: %s", first);
    play_print(c, BODY);
    struct play_answer a = play_read(c, 5000);
    PLAY_CHECK(a.status == 200, "after 100: %d", a.status);
    c = play_open(play_world.port);
    play_print(c, LINE HOST "Authorization: Bearer no\r\nContent-Length: 66\r\n"
                            "Expect: 100-continue\r\n\r\n");
    n = 0;
    for (int i = 0; i < 100 && n <= 0; i++) {
        n = recv(c->fd, first, sizeof(first) - 1, MSG_DONTWAIT);
        play_sleep(10);
    }
    PLAY_CHECK(n > 0 && strncmp(first, "HTTP/1.1 401 ", 13) == 0, "a wrong key: %.20s", first);
    c = play_open(play_world.port);
    play_print(c, HEAD "Content-Length: 66\r\nExpect: 200-ok\r\n\r\n" BODY);
    a = play_read(c, 3000);
    PLAY_CHECK(a.status == 417, "another expectation: %d", a.status);
}

static void
pipelined_requests_in_order(void)
{
    struct play_conn *c = play_open(play_world.port);
    char *text = play_text("%s", "");
    for (int i = 0; i < 5; i++) {
        char *body = play_text("{\"model\":\"fake-slowhead%d\",\"messages\":[{\"role\":\"user\","
                               "\"content\":\"number %d\"}]}",
                               (5 - i) * 20, i);
        text = play_text("%s%s", text, play_post_text("/v1/chat/completions", body));
    }
    play_write(c, text, strlen(text));
    for (int i = 0; i < 5; i++) {
        struct play_answer a = play_read(c, 5000);
        PLAY_CHECK(a.status == 200 && strstr(a.body, play_text("number %d", i)) != NULL,
                   "answer %d: %d %s", i, a.status, a.body);
    }
}

static void
http_1_0(void)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "POST /v1/chat/completions HTTP/1.0\r\n" AUTH "Content-Length: 80\r\n\r\n"
                  "{\"model\":\"fake-n3\",\"stream\":true,\"messages\":[{\"role\":\"user\","
                  "\"content\":\"hello\"}]}");
    struct play_answer a = play_read(c, 5000);
    PLAY_CHECK(a.status == 200 || a.status == 505, "%d %s", a.status, a.body);
    PLAY_CHECK(play_field(&a, "transfer-encoding") == NULL, "chunked to HTTP/1.0");
    PLAY_CHECK(play_is_closed(c, 3000) || a.closed, "stays open");
}

static void
bytes_behind_connection_close(void)
{
    play_fake_reset();
    struct play_conn *c = play_open(play_world.port);
    play_print(c, HEAD "Content-Length: 66\r\nConnection: close\r\n\r\n" BODY NEXT);
    struct play_answer a = play_read(c, 5000);
    PLAY_CHECK(a.status == 200, "%d", a.status);
    PLAY_CHECK(play_is_closed(c, 3000), "stays open");
    PLAY_CHECK(play_fake_stat("requests") == 1, "%llu requests forwarded",
               (unsigned long long)play_fake_stat("requests"));
}

static void
messages_that_break_off(void)
{
    play_fake_reset();
    struct play_conn *c = play_open(play_world.port);
    play_print(c, HEAD "Content-Length: 66\r\n\r\n{\"model\":\"fake-n3\",");
    shutdown(c->fd, SHUT_WR);
    (void)play_read(c, 2000);
    c = play_open(play_world.port);
    play_print(c, CHUNKED "42\r\n" BODY "\r\n");
    shutdown(c->fd, SHUT_WR);
    (void)play_read(c, 2000);
    c = play_open(play_world.port);
    play_print(c, HEAD "Content-Length: 66\r\n\r\n{\"model\"");
    play_reset(c);
    play_sleep(200);
    PLAY_CHECK(play_fake_stat("requests") == 0, "a cut message was forwarded");
}

static void
half_close_is_answered(void)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c, HEAD "Content-Length: 66\r\n\r\n" BODY);
    shutdown(c->fd, SHUT_WR);
    struct play_answer a = play_read(c, 5000);
    PLAY_CHECK(a.status == 200, "%d", a.status);
}

static void
slow_heads_and_bodies(void)
{
    struct play_conn *head = play_open(play_world.port);
    struct play_conn *body = play_open(play_world.port);
    struct play_conn *silent = play_open(play_world.port);
    play_print(head, "POST /v1/chat/completions HTTP/1.1\r\nHos");
    play_print(body, HEAD "Content-Length: 66\r\n\r\n{\"model\":");
    struct play_answer a = play_read(body, 5000);
    PLAY_CHECK(a.status == 408, "slow body: %d", a.status);
    PLAY_CHECK(play_is_closed(body, 3000), "slow body: stays open");
    a = play_read(head, 3000);
    PLAY_CHECK(a.status == 408 || (a.status == 0 && head->closed), "slow head: %d", a.status);
    PLAY_CHECK(play_is_closed(head, 3000), "slow head: stays open");
    a = play_read(silent, 3000);
    PLAY_CHECK(a.status == 408 || (a.status == 0 && silent->closed), "silent: %d", a.status);
}

static void
idle_connections_close_without_a_word(void)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    struct play_answer a = play_read(c, 3000);
    PLAY_CHECK(a.status == 200, "%d", a.status);
    PLAY_CHECK(play_is_closed(c, 6000), "an idle connection stays open, or gets a stray answer");
}

static struct play_answer
post_file(const char *path, const char *coding)
{
    FILE *file = fopen(path, "rb");
    PLAY_NEED(file != NULL, "%s is missing", path);
    char *bytes = play_memory(1 << 20);
    size_t n = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    char *fields = play_text("Authorization: Bearer " PLAY_KEY "\r\n"
                             "Content-Type: application/json\r\nContent-Encoding: %s\r\n",
                             coding);
    return play_request(play_world.port, "POST", "/v1/chat/completions", fields, bytes, n);
}

static void
compressed_bodies(void)
{
    char *plain = play_text("%s/body.json", play_world.dir);
    char *packed = play_text("%s/body.gz", play_world.dir);
    char *bomb = play_text("%s/bomb.gz", play_world.dir);
    play_write_file(plain, BODY);
    const char *const make[] = { "/bin/sh", "-c",
                                 play_text(
                                     "gzip -c %s >%s; head -c 90000000 /dev/zero | gzip -9 -c >%s",
                                     plain, packed, bomb),
                                 NULL };
    PLAY_NEED(play_command(make, 20000).status == 0, "gzip is missing");
    play_fake_reset();
    struct play_answer a = post_file(packed, "gzip");
    PLAY_CHECK(a.status == 200, "gzip: %d %s", a.status, a.body);
    char *seen = play_fake_requests();
    PLAY_CHECK(play_json_is(seen, "requests.0.body", BODY), "forwarded %s", seen);
    a = post_file(bomb, "gzip");
    PLAY_CHECK(a.status == 413 || a.status == 400, "a bomb: %d %s", a.status, a.body);
    a = post_file(plain, "gzip");
    PLAY_CHECK(a.status == 400, "no gzip at all: %d %s", a.status, a.body);
    PLAY_CHECK(play_fake_stat("requests") == 1, "more than one was forwarded");
}

static void
text_never_becomes_a_field(void)
{
    struct play_answer a =
        play_post("/v1/chat/completions",
                  "{\"model\":\"a\\r\\nX-Evil: 1\\r\\n\\r\\nx\",\"messages\":[{\"role\":\"user\","
                  "\"content\":\"a\"}]}");
    PLAY_CHECK(play_field(&a, "x-evil") == NULL, "X-Evil: %s", a.head);
    char *seen = play_fake_requests();
    PLAY_CHECK(strstr(seen, "[\"x-evil\"") == NULL, "X-Evil went upstream");
    PLAY_CHECK(play_fake_stat("bad") == 0, "the provider got bad HTTP");
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "GET /v1/x%%0d%%0aX-Evil:1 HTTP/1.1\r\n" HOST "Authorization: Bearer " PLAY_KEY
                  "\r\n\r\n");
    a = play_read(c, 3000);
    PLAY_CHECK(play_field(&a, "x-evil") == NULL, "X-Evil: %s", a.head);
}

static void
secrets_stay_out_of_the_log(void)
{
    (void)play_post("/v1/chat/completions", BODY);
    play_sleep(300);
    char *log = play_read_file(play_world.log);
    PLAY_CHECK(strstr(log, PLAY_KEY) == NULL, "the gateway key is in the log");
    PLAY_CHECK(strstr(log, "sk-upstream-secret") == NULL, "the account's key is in the log");
    PLAY_CHECK(strlen(log) > 0, "the log is empty");
}

static const struct play_test tests[] = {
    { "lengths", lengths, 60 },
    { "codings", codings, 60 },
    { "chunks", chunks, 60 },
    { "lines", lines, 60 },
    { "start_lines", start_lines, 60 },
    { "targets_of_other_hosts", targets_of_other_hosts, 0 },
    { "no_byte_makes_a_second_request", no_byte_makes_a_second_request, 90 },
    { "sizes", sizes, 0 },
    { "odd_but_right", odd_but_right, 0 },
    { "trailers_are_no_credentials", trailers_are_no_credentials, 0 },
    { "expect_continue", expect_continue, 0 },
    { "pipelined_requests_in_order", pipelined_requests_in_order, 0 },
    { "http_1_0", http_1_0, 0 },
    { "bytes_behind_connection_close", bytes_behind_connection_close, 0 },
    { "messages_that_break_off", messages_that_break_off, 0 },
    { "half_close_is_answered", half_close_is_answered, 0 },
    { "slow_heads_and_bodies", slow_heads_and_bodies, 0 },
    { "idle_connections_close_without_a_word", idle_connections_close_without_a_word, 0 },
    { "compressed_bodies", compressed_bodies, 0 },
    { "text_never_becomes_a_field", text_never_becomes_a_field, 0 },
    { "secrets_stay_out_of_the_log", secrets_stay_out_of_the_log, 0 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "http.head_timeout=1500ms", "http.body_timeout=1s",
                                        "http.idle_timeout=2s", "worker.auth_failures=100000",
                                        NULL };

PLAY_GROUP(group, "hardening", tests, settings, NULL)
