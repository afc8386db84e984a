/*
 * Our side of a client over real sockets: order, framing, bodies.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "rig.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, fields) "POST " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

#define HAS(text, part) cr_expect(strstr(text, part) != NULL, "no %s in:\n%s", part, text)
#define HAS_NOT(text, part) cr_expect(strstr(text, part) == NULL, "%s in:\n%s", part, text)

static bool
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void
expect_events(struct rig *rig, const char *events)
{
    struct str seen = buf_str(&rig->events);
    cr_expect(str_equal(seen, str_of(events)), "%.*s instead of %s", STR_ARG(seen), events);
}

Test(server, answers_and_keeps_the_connection)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    for (int i = 0; i < 3; i++) {
        rig_send(&rig, fd, POST("/x?q=1", "Content-Length: 5\r\n") "hello");
        const char *got = rig_read(&rig, fd, "5:hello");
        HAS(got, "HTTP/1.1 200 OK\r\ndate: ");
        HAS(got, " GMT\r\n");
        HAS(got, "content-length: 15\r\n");
        HAS(got, "x-a: b\r\n\r\nPOST /x 5:hello");
        HAS_NOT(got, "connection:");
    }
    cr_expect(server_conns(rig.server) == 1 && server_busy(rig.server) == 0);
    expect_events(&rig, "head body head body head body ");
    (void)close(fd);
    rig_pump(&rig, 5);
    cr_expect(server_conns(rig.server) == 0);
    rig_stop(&rig);
}

Test(server, takes_a_request_byte_by_byte)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    const char *text = POST("/x", "Transfer-Encoding: chunked\r\n") "3\r\nabc\r\n2;x\r\nde\r\n0\r\n"
                                                                    "T: t\r\n\r\n" GET;
    int fd = rig_connect(&rig);
    for (size_t i = 0; i < strlen(text); i++) {
        rig_send_bytes(&rig, fd, text + i, 1);
        loop_turn(rig.loop, 0);
    }
    const char *got = rig_read(&rig, fd, "GET / 0:");
    HAS(got, "POST /x 5:abcde");
    (void)close(fd);
    rig_stop(&rig);
}

Test(server, answers_pipelined_requests_in_order)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    const char *got = rig_talk(
        &rig,
        POST("/1", "Content-Length: 1\r\n") "a" POST(
            "/2", "Transfer-Encoding: chunked\r\n") "1\r\nb\r\n0\r\n\r\n"
                                                    "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n" POST(
                                                        "/deny", "Content-Length: 2\r\n") "xx" GET,
        "GET / 0:");
    const char *one = strstr(got, "POST /1 1:a");
    const char *two = strstr(got, "POST /2 1:b");
    const char *three = strstr(got, "GET /3 0:");
    const char *denied = strstr(got, "401 Unauthorized");
    cr_expect(one != NULL && two > one && three > two && denied > three, "%s", got);
    rig_stop(&rig);
}

Test(server, holds_back_what_is_behind_a_request_under_way)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n" GET);
    cr_expect(rig_saw(&rig, "body "));
    rig_pump(&rig, 10);
    rig_send(&rig, fd, "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_pump(&rig, 10);
    expect_events(&rig, "head body ");
    rig_release(&rig, "first");
    const char *got = rig_read(&rig, fd, "GET /3 0:");
    cr_expect(strstr(got, "first") < strstr(got, "GET / 0:"));
    (void)close(fd);
    rig_stop(&rig);
}

/* A few thousand small requests in one piece: none lost, memory bounded. */
Test(server, serves_a_flood_of_pipelined_requests)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.requests_per_conn = 100000;
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    for (int i = 0; i < 2000; i++) {
        rig_send(&rig, fd, GET);
    }
    rig_send(&rig, fd, "GET /end HTTP/1.1\r\nHost: a\r\n\r\n");
    const char *got = rig_read(&rig, fd, "/end 0:");
    size_t count = 0;
    for (const char *at = got; (at = strstr(at, "GET / 0:")) != NULL; at++) {
        count++;
    }
    cr_expect(count == 2000, "%zu", count);
    (void)close(fd);
    rig_stop(&rig);
}

Test(server, streams_in_chunks)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    const char *got = rig_talk(&rig, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n0\r\n\r\n");
    HAS(got, "transfer-encoding: chunked\r\n");
    HAS_NOT(got, "content-length");
    HAS(got, "x-kind: stream\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
    got = rig_talk(&rig, "GET /stream HTTP/1.0\r\n\r\n", NULL);
    HAS_NOT(got, "transfer-encoding");
    HAS(got, "connection: close\r\n");
    HAS(got, "\r\n\r\nonetwothree");
    got = rig_talk(&rig, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" GET, "GET / 0:");
    HAS_NOT(got, "one");
    got = rig_talk(&rig, "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n", NULL);
    cr_expect(ends_with(got, "3\r\none\r\n"), "%s", got);
    rig_stop(&rig);
}

Test(server, answers_head_without_body)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    const char *got = rig_talk(&rig, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" GET, "GET / 0:");
    HAS(got, "content-length: 10\r\n");
    HAS_NOT(got, "HEAD /x");
    rig_stop(&rig);
}

Test(server, speaks_http_1_0)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    HAS(rig_read(&rig, fd, "GET / 0:"), "connection: keep-alive\r\n");
    rig_send(&rig, fd, "GET / HTTP/1.0\r\n\r\n");
    HAS(rig_read(&rig, fd, "GET / 0:"), "connection: close\r\n");
    cr_expect(rig_closed(&rig, fd, 10000) == 'E');
    (void)close(fd);
    rig_stop(&rig);
}

Test(server, closes_after_the_last_request)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.requests_per_conn = 2;
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, GET);
    HAS_NOT(rig_read(&rig, fd, "GET / 0:"), "connection");
    rig_send(&rig, fd, GET);
    HAS(rig_read(&rig, fd, "GET / 0:"), "connection: close\r\n");
    cr_expect(rig_closed(&rig, fd, 10000) == 'E');
    (void)close(fd);
    const char *got =
        rig_talk(&rig, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET, NULL);
    HAS(got, "GET / 0:");
    cr_expect(strstr(strstr(got, "GET / 0:") + 1, "HTTP/1.1") == NULL, "bytes behind close served");
    rig_stop(&rig);
}

Test(server, asks_for_a_body_only_when_it_wants_it)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/x", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    HAS(rig_read(&rig, fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    rig_send(&rig, fd, "hello");
    HAS(rig_read(&rig, fd, "5:hello"), "HTTP/1.1 200 OK");
    (void)close(fd);
    const char *got =
        rig_talk(&rig, POST("/deny", "Content-Length: 5\r\nExpect: 100-continue\r\n"), NULL);
    HAS_NOT(got, "100 Continue");
    HAS(got, "401 Unauthorized");
    HAS(got, "connection: close\r\n");
    rig.conf.body_bytes_max = 4;
    got = rig_talk(&rig, POST("/x", "Content-Length: 5\r\nExpect: 100-continue\r\n"), NULL);
    HAS_NOT(got, "100 Continue");
    HAS(got, "HTTP/1.1 413 ");
    got = rig_talk(&rig, POST("/x", "Expect: something\r\n"), NULL);
    HAS(got, "HTTP/1.1 417 ");
    rig_stop(&rig);
}

Test(server, closes_when_a_body_was_not_taken)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/deny", "Content-Length: 50\r\n") "GET / HTTP/1.1\r\n");
    const char *got = rig_read(&rig, fd, "denied");
    HAS(got, "connection: close\r\n");
    rig_send(&rig, fd, GET);
    cr_expect(rig_closed(&rig, fd, 10000) == 'E');
    expect_events(&rig, "head ");
    (void)close(fd);
    rig_pump(&rig, 20);
    cr_expect(server_conns(rig.server) == 0);
    got = rig_talk(&rig, POST("/deny", "Transfer-Encoding: chunked\r\n") "0\r\n\r\n", NULL);
    HAS(got, "connection: close\r\n");
    rig_stop(&rig);
}

Test(server, refuses_bad_heads_and_closes)
{
    static const struct {
        const char *text;
        const char *status;
    } rows[] = {
        { "GET / HTTP/1.1\n\n", "400" },
        { POST("/", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") GET, "400" },
        { "GET / HTTP/2.0\r\n\r\n", "505" },
        { "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "501" },
        { "\x16\x03\x01\x02", "400" },
        { POST("/", "Transfer-Encoding: chunked\r\n") "3\r\nabcd\r\n0\r\n\r\n" GET, "400" },
        { POST("/", "Transfer-Encoding: chunked\r\n") "ffffffffffffffff\r\n", "400" },
        { POST("/", "Content-Length: 18446744073709551615\r\n"), "413" },
        { POST("/", "Content-Length: 1\r\nContent-Encoding: br\r\n") "a", "415" },
        { POST("/", "Content-Length: 1\r\nContent-Encoding: gzip, gzip\r\n") "a", "415" },
        { POST("/", "Content-Length: 1\r\nContent-Encoding: gzip\r\n") "a", "400" },
        { POST("/", "Content-Length: 1\r\nContent-Encoding: gzip\r\ncontent-encoding:\r\n") "a",
          "415" },
    };
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char start[32];
        (void)snprintf(start, sizeof(start), "HTTP/1.1 %s ", rows[i].status);
        const char *got = rig_talk(&rig, rows[i].text, NULL);
        cr_expect(strncmp(got, start, strlen(start)) == 0, "%s:\n%s", rows[i].text, got);
        HAS(got, "connection: close\r\n");
        cr_expect(strstr(got, "200 OK") == NULL, "%s:\n%s", rows[i].text, got);
    }
    cr_expect(server_busy(rig.server) == 0);
    rig_stop(&rig);
}

/* --- bodies --- */

Test(server, takes_large_bodies_of_every_framing)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    size_t len = 3 * 1024 * 1024;
    char *body = malloc(len);
    memset(body, 'b', len);
    char head[256];
    int fd = rig_connect(&rig);
    (void)snprintf(head, sizeof(head), POST("/bytes", "Content-Length: %zu\r\n"), len);
    rig_send(&rig, fd, head);
    rig_send_bytes(&rig, fd, body, len);
    HAS(rig_read(&rig, fd, "\r\n\r\n"), "x-bytes: 3145728\r\n");
    rig_send(&rig, fd, POST("/bytes", "Transfer-Encoding: chunked\r\n") "300000\r\n");
    rig_send_bytes(&rig, fd, body, len);
    rig_send(&rig, fd, "\r\n0\r\n\r\n");
    HAS(rig_read(&rig, fd, "\r\n\r\n"), "x-bytes: 3145728\r\n");
    rig_send(&rig, fd, GET);
    HAS(rig_read(&rig, fd, "GET / 0:"), "200 OK");
    (void)close(fd);
    free(body);
    rig_stop(&rig);
}

Test(server, bounds_a_body_of_unknown_length)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.body_bytes_max = 100000;
    rig_start(&rig, 10);
    char *chunk = calloc(1, 60000);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/bytes", "Transfer-Encoding: chunked\r\n"));
    for (int i = 0; i < 3; i++) {
        rig_send(&rig, fd, "ea60\r\n");
        rig_send_bytes(&rig, fd, chunk, 60000);
        rig_send(&rig, fd, "\r\n");
    }
    HAS(rig_read(&rig, fd, NULL), "HTTP/1.1 413 ");
    (void)close(fd);
    free(chunk);
    rig_stop(&rig);
}

/* Less than declared, then FIN: never forwarded. */
Test(server, does_not_forward_a_cut_body)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/x", "Content-Length: 5\r\n") "hel");
    (void)shutdown(fd, SHUT_WR);
    HAS(rig_read(&rig, fd, NULL), "HTTP/1.1 400 ");
    expect_events(&rig, "head bad:400 ");
    (void)close(fd);
    rig_stop(&rig);
}

Test(server, bounds_all_bodies_together)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.body_pool_bytes = 1024 * 1024;
    rig_start(&rig, 10);
    int first = rig_connect(&rig);
    rig_send(&rig, first, POST("/x", "Content-Length: 700000\r\n") "a");
    cr_expect(rig_saw(&rig, "head "));
    const char *got = rig_talk(&rig, POST("/x", "Content-Length: 700000\r\n") "a", NULL);
    HAS(got, "HTTP/1.1 503 ");
    HAS(got, "overloaded");
    (void)close(first);
    rig_pump(&rig, 20);
    int second = rig_connect(&rig);
    char *body = calloc(1, 700000);
    rig_send(&rig, second, POST("/bytes", "Content-Length: 700000\r\n"));
    rig_send_bytes(&rig, second, body, 700000);
    HAS(rig_read(&rig, second, "\r\n\r\n"), "x-bytes: 700000\r\n");
    free(body);
    (void)close(second);
    rig_stop(&rig);
}

static size_t
gzip(const char *from, size_t from_len, char *to, size_t to_bytes)
{
    z_stream z = { 0 };
    cr_assert(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)from;
    z.avail_in = (uInt)from_len;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)to_bytes;
    cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    (void)deflateEnd(&z);
    return to_bytes - z.avail_out;
}

static void
send_coded(struct rig *rig, int fd, const char *coding, const char *bytes, size_t len)
{
    char head[256];
    (void)snprintf(head, sizeof(head),
                   POST("/bytes", "Content-Length: %zu\r\nContent-Encoding: %s\r\n"), len, coding);
    rig_send(rig, fd, head);
    rig_send_bytes(rig, fd, bytes, len);
}

Test(server, expands_bodies_but_no_bombs)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    size_t len = 30 * 1024 * 1024;
    char *plain = calloc(1, len);
    char *coded = malloc(len);
    for (size_t i = 0; i < 200000; i++) {
        plain[i] = (char)('a' + i * i % 23);
    }
    int fd = rig_connect(&rig);
    size_t coded_len = gzip(plain, 200000, coded, len);
    send_coded(&rig, fd, "gzip", coded, coded_len);
    HAS(rig_read(&rig, fd, "\r\n\r\n"), "x-bytes: 200000\r\n");
    coded_len = ZSTD_compress(coded, len, plain, 200000, 3);
    send_coded(&rig, fd, "zstd", coded, coded_len);
    HAS(rig_read(&rig, fd, "\r\n\r\n"), "x-bytes: 200000\r\n");
    send_coded(&rig, fd, "zstd", coded, coded_len - 1);
    HAS(rig_read(&rig, fd, NULL), "HTTP/1.1 400 ");
    (void)close(fd);
    memset(plain, 0, len);
    fd = rig_connect(&rig);
    send_coded(&rig, fd, "gzip", coded, gzip(plain, len, coded, len));
    HAS(rig_read(&rig, fd, NULL), "HTTP/1.1 413 ");
    (void)close(fd);
    fd = rig_connect(&rig);
    send_coded(&rig, fd, "zstd", coded, ZSTD_compress(coded, len, plain, len, 3));
    HAS(rig_read(&rig, fd, NULL), "HTTP/1.1 413 ");
    (void)close(fd);
    free(plain);
    free(coded);
    rig_stop(&rig);
}

Test(server, a_late_body_does_not_take_the_answer_with_it)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/deny", "Content-Length: 5\r\n"));
    for (int i = 0; i < 20; i++) {
        loop_turn(rig.loop, 1);
    }
    rig_send(&rig, fd, "late!");
    HAS(rig_read(&rig, fd, "denied"), "connection: close\r\n");
    cr_expect_eq(send(fd, "more", 4, MSG_NOSIGNAL), 4, "reset: %d", errno);
    (void)close(fd);
    rig_stop(&rig);
}
