/*
 * What comes in on a client's connection, in whatever pieces: heads, bodies, what is left between
 * requests, and what is dropped behind a refusal.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http/caller.h"
#include "rig.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, fields) "POST " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

#define HAS(text, part) cr_expect(strstr(text, part) != NULL, "no %s in:\n%s", part, text)

static uint32_t
count_of(const char *text, const char *what)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++) {
        count++;
    }
    return count;
}

/* Two requests cut in two at every byte: the same answers, whatever is left over between reads. */
Test(intake, takes_two_requests_in_every_cut)
{
    static const char both[] = POST("/a", "Content-Length: 5\r\n") "hello" POST(
        "/b",
        "Transfer-Encoding: chunked\r\nConnection: close\r\n") "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    for (size_t cut = 0; cut < sizeof(both) - 1; cut++) {
        int fd = rig_connect(&rig);
        rig_send_bytes(&rig, fd, both, cut);
        loop_turn(rig.loop, 0);
        loop_turn(rig.loop, 0);
        rig_send_bytes(&rig, fd, both + cut, sizeof(both) - 1 - cut);
        const char *got = rig_read(&rig, fd, NULL);
        const char *first = strstr(got, "POST /a 5:hello");
        cr_assert(first != NULL && strstr(first, "POST /b 5:hello") != NULL, "cut at %zu: %s", cut,
                  got);
        (void)close(fd);
    }
    rig_pump(&rig, 20);
    cr_expect_eq(server_conns(rig.server), 0);
    rig_stop(&rig);
}

/* Old clients send an empty line behind a body; alone it begins nothing. */
Test(intake, an_empty_line_is_no_request)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.idle_timeout_ms = 60;
    rig.conf.head_timeout_ms = 60;
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "\r\n");
    cr_expect_eq(strlen(rig_read(&rig, fd, NULL)), 0, "closed without a word");
    (void)close(fd);
    cr_expect_eq(buf_len(&rig.events), 0);
    HAS(rig_talk(&rig, "\r\n" GET, "GET / 0:"), "200 OK");
    HAS(rig_talk(&rig, "\r\n\r\n" GET, NULL), "400 Bad Request");
    rig_stop(&rig);
}

Test(intake, keeps_what_follows_a_request_under_way)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n" GET GET);
    cr_expect(rig_saw(&rig, "head body "));
    rig_pump(&rig, 20);
    cr_expect_eq(buf_len(&rig.events), strlen("head body "), "one request at a time");
    rig_send(&rig, fd, "GET /last HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_release(&rig, "held");
    const char *got = rig_read(&rig, fd, "GET /last 0:");
    cr_expect_eq(count_of(got, "HTTP/1.1 200 OK"), 4, "%s", got);
    cr_expect_eq(count_of(got, "GET / 0:"), 2, "%s", got);
    (void)close(fd);
    rig_stop(&rig);
}

/* What is here whole can be stepped over; then the next request is where it says. */
Test(intake, steps_over_an_unread_body_that_is_here_whole)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd,
             POST("/deny", "Content-Length: 26\r\n") "GET /evil HTTP/1.1\r\nX: y\r\n" GET);
    const char *got = rig_read(&rig, fd, "GET / 0:");
    HAS(got, "denied");
    HAS(got, "200 OK");
    cr_expect(strstr(got, "/evil") == NULL, "%s", got);
    (void)close(fd);
    rig_stop(&rig);
}

/* One upload may not hold up the others: it is read in turns. */
Test(intake, a_large_body_leaves_turns_to_others)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    size_t len = 4 * BODY_TURN_BYTES_MAX;
    char *body = malloc(len);
    memset(body, 'x', len);
    int large = rig_connect(&rig);
    int buffer = 8 << 20;
    (void)setsockopt(large, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    char head[128];
    (void)snprintf(head, sizeof(head), POST("/bytes", "Content-Length: %zu\r\n"), len);
    rig_send(&rig, large, head);
    int small = rig_connect(&rig);
    size_t at = 0;
    bool is_served = false;
    for (int turn = 0; at < len && turn < 100000; turn++) {
        ssize_t sent = send(large, body + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += sent > 0 ? (size_t)sent : 0;
        if (at > len / 4 && !is_served) {
            rig_send(&rig, small, GET);
            HAS(rig_read(&rig, small, "GET / 0:"), "200 OK");
            is_served = true;
        }
        loop_turn(rig.loop, 0);
    }
    cr_expect(is_served);
    char want[64];
    (void)snprintf(want, sizeof(want), "x-bytes: %zu\r\n", len);
    HAS(rig_read(&rig, large, "\r\n\r\n"), want);
    free(body);
    (void)close(large);
    (void)close(small);
    rig_stop(&rig);
}

/* A refused client that goes on sending is listened to for a while, not for ever. */
Test(intake, drops_a_bounded_part_behind_a_refusal)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/deny", "Content-Length: 999999999\r\n"));
    HAS(rig_read(&rig, fd, "denied"), "connection: close\r\n");
    static char block[65536];
    size_t sent = 0;
    for (int turn = 0; turn < 20000 && sent < 64u << 20; turn++) {
        ssize_t now = send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (now < 0 && errno != EAGAIN) {
            break;
        }
        sent += now > 0 ? (size_t)now : 0;
        loop_turn(rig.loop, 0);
    }
    cr_expect_lt(sent, 64u << 20, "it is read for ever");
    cr_expect_gt(sent, LINGER_BYTES_MAX / 2);
    cr_expect_eq(server_conns(rig.server), 0);
    (void)close(fd);
    rig_stop(&rig);
}

Test(intake, waits_a_bounded_time_behind_a_refusal)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/deny", "Content-Length: 999999999\r\n"));
    HAS(rig_read(&rig, fd, "denied"), "connection: close\r\n");
    uint64_t start = clock_now_ms();
    while (server_conns(rig.server) > 0 && clock_now_ms() - start < 10000) {
        loop_turn(rig.loop, 10);
    }
    cr_expect_eq(server_conns(rig.server), 0);
    cr_expect_geq(clock_now_ms() - start, LINGER_MS_MAX / 2, "the refusal had time to be read");
    (void)close(fd);
    rig_stop(&rig);
}

Test(intake, a_connection_that_ends_inside_a_head_leaves_nothing)
{
    static const char head[] = GET;
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    for (size_t cut = 1; cut < sizeof(head) - 1; cut++) {
        int fd = rig_connect(&rig);
        rig_send_bytes(&rig, fd, head, cut);
        loop_turn(rig.loop, 0);
        (void)close(fd);
        rig_pump(&rig, 1);
    }
    rig_pump(&rig, 20);
    cr_expect_eq(server_conns(rig.server), 0);
    cr_expect_eq(buf_len(&rig.events), 0, "%.*s", STR_ARG(buf_str(&rig.events)));
    rig_stop(&rig);
}
