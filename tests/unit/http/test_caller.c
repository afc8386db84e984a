/*
 * Our side of a client over real sockets: deadlines, clients that leave or do not read, bounds.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/sys.h"
#include "http/caller.h"
#include "rig.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, fields) "POST " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

#define HAS(text, part) cr_expect(strstr(text, part) != NULL, "no %s in:\n%s", part, text)
#define HAS_NOT(text, part) cr_expect(strstr(text, part) == NULL, "%s in:\n%s", part, text)

static void
expect_events(struct rig *rig, const char *events)
{
    struct str seen = buf_str(&rig->events);
    cr_expect(str_equal(seen, str_of(events)), "%.*s instead of %s", STR_ARG(seen), events);
}

/* --- deadlines --- */

Test(caller, closes_idle_connections_without_a_word)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.idle_timeout_ms = 50;
    rig.conf.head_timeout_ms = 80;
    rig_start(&rig, 10);
    int fresh = rig_connect(&rig);
    int used = rig_connect(&rig);
    rig_send(&rig, used, GET);
    (void)rig_read(&rig, used, "GET / 0:");
    uint64_t start = clock_now_ms();
    cr_expect(strlen(rig_read(&rig, used, NULL)) == 0);
    cr_expect(clock_now_ms() - start < 5000);
    cr_expect(strlen(rig_read(&rig, fresh, NULL)) == 0);
    (void)close(fresh);
    (void)close(used);
    cr_expect(server_conns(rig.server) == 0);
    rig_stop(&rig);
}

Test(caller, times_slow_heads_and_bodies_out)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.head_timeout_ms = 60;
    rig.conf.body_timeout_ms = 60;
    rig.conf.body_rate_min = 10000;
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    for (int i = 0; i < 8; i++) {
        rig_send(&rig, fd, i == 0 ? "GET / HTTP/1.1\r\nx: " : "a");
        rig_pump(&rig, 20);
    }
    HAS(rig_read(&rig, fd, NULL), "HTTP/1.1 408 ");
    (void)close(fd);
    HAS(rig_talk(&rig, POST("/", "Content-Length: 9\r\n") "a", NULL), "HTTP/1.1 408 ");
    fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/", "Content-Length: 99999\r\n"));
    for (int i = 0; i < 10; i++) {
        rig_send(&rig, fd, "drip");
        rig_pump(&rig, 15);
    }
    HAS(rig_read(&rig, fd, NULL), "HTTP/1.1 408 ");
    (void)close(fd);
    cr_expect(server_busy(rig.server) == 0);
    rig_stop(&rig);
}

Test(caller, disconnects_a_client_that_takes_nothing)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.send_timeout_ms = 80;
    rig.big_bytes = 7 * 1024 * 1024;
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_saw(&rig, "body "));
    rig_pump(&rig, 300);
    cr_expect(server_conns(rig.server) == 0);
    (void)close(fd);
    rig_stop(&rig);
}

Test(caller, delivers_a_large_answer_to_a_slow_client)
{
    struct rig rig;
    rig_init(&rig);
    rig.big_bytes = 7 * 1024 * 1024;
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n" GET);
    rig_pump(&rig, 50);
    const char *got = rig_read(&rig, fd, "GET / 0:");
    const char *body = strstr(got, "\r\n\r\n") + 4;
    for (size_t i = 0; i < rig.big_bytes; i++) {
        cr_assert(body[i] == (char)('a' + i % 26), "%zu", i);
    }
    HAS(body + rig.big_bytes, "HTTP/1.1 200 OK");
    (void)close(fd);
    rig_stop(&rig);
}

/* --- clients that leave --- */

Test(caller, tells_of_a_half_close_and_answers_it)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n" GET);
    (void)shutdown(fd, SHUT_WR);
    cr_expect(rig_saw(&rig, "half "));
    rig_pump(&rig, 10);
    expect_events(&rig, "head body half ");
    rig_release(&rig, "held");
    const char *got = rig_read(&rig, fd, NULL);
    HAS(got, "held");
    HAS(got, "GET / 0:");
    (void)close(fd);
    rig_stop(&rig);
}

static void
reset(int fd)
{
    struct linger now = { 1, 0 };
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)close(fd);
}

Test(caller, tells_of_a_reset_once)
{
    struct rig rig;
    rig_init(&rig);
    rig.ends_when_gone = false;
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_saw(&rig, "body "));
    reset(fd);
    cr_expect(rig_saw(&rig, "gone "));
    rig_pump(&rig, 20);
    expect_events(&rig, "head body gone ");
    cr_expect(rig.held->is_gone);
    cr_expect(server_busy(rig.server) == 1);
    server_begin(rig.held, 200, STR(""), SERVER_CHUNKED);
    cr_expect(server_write(rig.held, STR("x")) == ERR_GONE);
    server_flush(rig.held);
    server_end(rig.held, true);
    rig_pump(&rig, 5);
    cr_expect(server_conns(rig.server) == 0 && server_busy(rig.server) == 0);
    fd = rig_connect(&rig);
    rig_send(&rig, fd, POST("/x", "Content-Length: 100\r\n") "a");
    rig_pump(&rig, 10);
    rig.ends_when_gone = true;
    reset(fd);
    rig_pump(&rig, 20);
    expect_events(&rig, "head body gone head gone ");
    cr_expect(server_conns(rig.server) == 0);
    rig_stop(&rig);
}

/* FIN, then data is written into the closed socket: the reset comes after the half close. */
Test(caller, tells_half_before_whole)
{
    struct rig rig;
    rig_init(&rig);
    rig.ends_when_gone = false;
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_saw(&rig, "body "));
    (void)close(fd);
    cr_expect(rig_saw(&rig, "half "));
    server_begin(rig.held, 200, STR(""), SERVER_CHUNKED);
    for (int i = 0; i < 10 && !rig.held->is_gone; i++) {
        enum err err = server_write(rig.held, STR("x"));
        cr_expect(err == ERR_OK || err == ERR_GONE);
        server_flush(rig.held);
        rig_pump(&rig, 5);
    }
    expect_events(&rig, "head body half gone ");
    server_end(rig.held, false);
    cr_expect(server_conns(rig.server) == 0);
    rig_stop(&rig);
}

/* --- back-pressure --- */

Test(caller, bounds_what_waits_for_a_client_and_tells_of_room)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_saw(&rig, "body "));
    server_begin(rig.held, 200, STR(""), SERVER_CHUNKED);
    char piece[8192];
    memset(piece, 'p', sizeof(piece));
    enum err err = ERR_OK;
    size_t written = 0;
    for (int i = 0; i < 5000 && err == ERR_OK; i++) {
        err = server_write(rig.held, str_make(piece, sizeof(piece)));
        written += err == ERR_OK ? sizeof(piece) : 0;
        server_flush(rig.held);
    }
    cr_expect(err == ERR_FULL);
    cr_expect(server_pending(rig.held) <= CONN_OUT_BYTES_MAX);
    cr_expect(server_pending(rig.held) > CONN_OUT_HIGH_BYTES);
    size_t got = 0;
    uint64_t until = clock_now_ms() + 20000;
    while (got < written && clock_now_ms() < until) {
        char sink[65536];
        ssize_t some = recv(fd, sink, sizeof(sink), 0);
        for (ssize_t i = 0; i < some; i++) {
            got += sink[i] == 'p';
        }
        loop_turn(rig.loop, 0);
    }
    cr_expect(got == written, "%zu of %zu", got, written);
    expect_events(&rig, "head body room ");
    cr_expect(server_pending(rig.held) == 0);
    server_end(rig.held, true);
    HAS(rig_read(&rig, fd, "0\r\n\r\n"), "0\r\n\r\n");
    (void)close(fd);
    rig_stop(&rig);
}

/* Two answers put together in one turn do not mix, whichever is flushed first. */
Test(caller, keeps_answers_of_one_turn_apart)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fds[2];
    struct server_request *requests[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = rig_connect(&rig);
        rig_send(&rig, fds[i], "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
        rig.held = NULL;
        for (int turn = 0; turn < 1000 && rig.held == NULL; turn++) {
            loop_turn(rig.loop, 1);
        }
        requests[i] = rig.held;
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2; i++) {
            if (round == 0) {
                server_begin(requests[i], 200, STR(""), SERVER_CHUNKED);
            }
            cr_expect(server_write(requests[i], i == 0 ? STR("aaa") : STR("bbb")) == ERR_OK);
        }
    }
    server_end(requests[1], true);
    server_end(requests[0], true);
    const char *got = rig_read(&rig, fds[0], "0\r\n\r\n");
    HAS(got, "3\r\naaa\r\n3\r\naaa\r\n3\r\naaa\r\n0\r\n\r\n");
    HAS_NOT(got, "b\r\n");
    got = rig_read(&rig, fds[1], "0\r\n\r\n");
    HAS(got, "3\r\nbbb\r\n3\r\nbbb\r\n3\r\nbbb\r\n0\r\n\r\n");
    HAS_NOT(got, "aaa");
    (void)close(fds[0]);
    (void)close(fds[1]);
    rig_stop(&rig);
}

/* The refusal reaches a client that has sent everything and closed its side. */
Test(caller, delivers_a_refusal_over_unread_input)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.body_bytes_max = 1000;
    rig_start(&rig, 10);
    char *body = calloc(1, 300000);
    for (int half = 0; half < 2; half++) {
        int fd = rig_connect(&rig);
        rig_send(&rig, fd, POST("/x", "Content-Length: 300000\r\n"));
        rig_send_bytes(&rig, fd, body, 300000);
        if (half == 1) {
            (void)shutdown(fd, SHUT_WR);
        }
        const char *got = rig_read(&rig, fd, NULL);
        HAS(got, "HTTP/1.1 413 ");
        HAS(got, "too large");
        (void)close(fd);
    }
    free(body);
    rig_stop(&rig);
}

/* Every read and write moves a random part of what it could. */
Test(caller, survives_short_transfers)
{
    struct rig rig;
    rig_init(&rig);
    rig.big_bytes = 600000;
    rig_start(&rig, 10);
    char *body = malloc(100000);
    memset(body, 'b', 100000);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        sys_short(seed);
        int fd = rig_connect(&rig);
        rig_send(&rig, fd, POST("/x", "Content-Length: 5\r\n") "hello");
        rig_send(&rig, fd, POST("/x", "Transfer-Encoding: chunked\r\n") "4\r\nchun\r\n1\r\nk");
        rig_send(&rig, fd, "\r\n0\r\n\r\n" POST("/bytes", "Content-Length: 100000\r\n"));
        rig_send_bytes(&rig, fd, body, 100000);
        rig_send(&rig, fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        rig_send(&rig, fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n" GET);
        const char *got = rig_read(&rig, fd, "GET / 0:");
        HAS(got, "POST /x 5:hello");
        HAS(got, "POST /x 5:chunk");
        HAS(got, "x-bytes: 100000\r\n");
        HAS(got, "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
        HAS(got, "GET / 0:");
        cr_expect(rig_read_bytes() > rig.big_bytes);
        (void)close(fd);
    }
    sys_short(0);
    free(body);
    rig_stop(&rig);
}

/* --- bounds on connections --- */

Test(caller, closes_the_oldest_idle_connection_for_a_new_one)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 2);
    int old = rig_connect(&rig);
    rig_send(&rig, old, GET);
    (void)rig_read(&rig, old, "GET / 0:");
    int busy = rig_connect(&rig);
    rig_send(&rig, busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_saw(&rig, "head body head body "));
    int fresh = rig_connect(&rig);
    rig_send(&rig, fresh, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_closed(&rig, old, 10000) != 0);
    cr_expect(rig_saw(&rig, "head body head body head body "));
    HAS(rig_talk(&rig, GET, NULL), "HTTP/1.1 503 ");
    cr_expect(server_conns(rig.server) == 2);
    (void)close(old);
    (void)close(busy);
    (void)close(fresh);
    rig_stop(&rig);
}

Test(caller, bounds_connections_of_one_address)
{
    struct rig rig;
    rig_init(&rig);
    rig.conf.conns_per_address = 2;
    rig_start(&rig, 10);
    int a = rig_connect(&rig);
    int b = rig_connect(&rig);
    rig_pump(&rig, 5);
    const char *got = rig_talk(&rig, GET, NULL);
    HAS(got, "HTTP/1.1 503 ");
    HAS(got, "from this address");
    (void)close(a);
    rig_pump(&rig, 20);
    HAS(rig_talk(&rig, GET, "GET / 0:"), "200 OK");
    (void)close(b);
    rig_stop(&rig);
}

Test(caller, drains)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int idle = rig_connect(&rig);
    rig_send(&rig, idle, GET);
    (void)rig_read(&rig, idle, "GET / 0:");
    int busy = rig_connect(&rig);
    rig_send(&rig, busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_saw(&rig, "head body head body "));
    int late = rig_connect(&rig);
    rig_pump(&rig, 5);
    rig_send(&rig, late, GET); /* in the kernel when the drain begins */
    server_drain(rig.server);
    cr_expect(rig_closed(&rig, idle, 10000) == 'E');
    const char *got = rig_read(&rig, late, NULL);
    HAS(got, "GET / 0:");
    HAS(got, "connection: close\r\n");
    cr_expect(server_conns(rig.server) == 1);
    rig_release(&rig, "held");
    HAS(rig_read(&rig, busy, NULL), "connection: close\r\n");
    rig_pump(&rig, 5);
    cr_expect(server_conns(rig.server) == 0);
    (void)close(idle);
    (void)close(busy);
    (void)close(late);
    rig_stop(&rig);
}

/* A client may try again on a kept-alive connection that closes under it, and must not on a fresh
 * one: that gets a moment for its request, and not longer. */
Test(caller, drains_a_fresh_connection_after_its_first_request)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fresh = rig_connect(&rig);
    int silent = rig_connect(&rig);
    rig_pump(&rig, 5);
    server_drain(rig.server);
    rig_pump(&rig, 50);
    cr_expect(server_conns(rig.server) == 2);
    rig_send(&rig, fresh, GET); /* was on its way */
    const char *got = rig_read(&rig, fresh, NULL);
    HAS(got, "GET / 0:");
    HAS(got, "connection: close\r\n");
    cr_expect(rig_closed(&rig, silent, 10000) == 'E');
    cr_expect(server_conns(rig.server) == 0);
    (void)close(fresh);
    (void)close(silent);
    rig_stop(&rig);
}

/* Its head said that the connection stays, so it is closed as an idle one. */
Test(caller, drains_a_connection_whose_answer_had_begun)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_saw(&rig, "body "));
    server_begin(rig.held, 200, STR(""), SERVER_CHUNKED);
    server_drain(rig.server);
    rig_pump(&rig, 5);
    cr_expect(server_write(rig.held, STR("rest")) == ERR_OK);
    server_end(rig.held, true);
    HAS(rig_read(&rig, fd, NULL), "4\r\nrest\r\n0\r\n\r\n");
    cr_expect(server_conns(rig.server) == 0);
    (void)close(fd);
    rig_stop(&rig);
}

/* At the end of a drain everybody who still sends is told, also one who only asked to. */
Test(caller, refuses_what_is_still_coming_in)
{
    static const char *const parts[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.1\r\nHos",
    };
    enum { COUNT = sizeof parts / sizeof parts[0] };
    static const struct parser_error draining = { 503, "draining", "It stops." };
    int fds[COUNT];
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    for (size_t i = 0; i < COUNT; i++) {
        fds[i] = rig_connect(&rig);
        rig_send(&rig, fds[i], parts[i]);
    }
    int answered = rig_connect(&rig);
    rig_send(&rig, answered, "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    cr_expect(rig_saw(&rig, "body "));
    rig_pump(&rig, 20);
    server_drain(rig.server);
    server_refuse_input(rig.server, &draining);
    for (size_t i = 0; i < COUNT; i++) {
        const char *got = rig_read(&rig, fds[i], NULL);
        HAS(got, "HTTP/1.1 503 ");
        HAS(got, "connection: close\r\n");
        HAS(got, "draining: It stops.");
        (void)close(fds[i]);
    }
    rig_release(&rig, "held");
    HAS(rig_read(&rig, answered, NULL), "HTTP/1.1 200 OK");
    (void)close(answered);
    rig_pump(&rig, 20);
    cr_expect(server_conns(rig.server) == 0, "%u", server_conns(rig.server));
    rig_stop(&rig);
}

Test(caller, serves_unix_sockets_and_knows_the_user)
{
    struct rig rig;
    rig_init(&rig);
    (void)snprintf(rig.path, sizeof(rig.path), "/tmp/test_server.%d.sock", (int)getpid());
    rig_start(&rig, 10);
    HAS(rig_talk(&rig, GET, "GET / 0:"), "200 OK");
    cr_expect(rig.uid == getuid());
    (void)unlink(rig.path);
    rig_stop(&rig);
}

Test(caller, is_small)
{
    cr_expect(sizeof(struct caller) <= 1536, "%zu", sizeof(struct caller));
}
