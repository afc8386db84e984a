/*
 * New connections: how many a turn, what happens without descriptors, and when there are none.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/sys.h"
#include "http/caller.h"
#include "http/listen.h"
#include "rig.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

#define HAS(text, part) cr_expect(strstr(text, part) != NULL, "no %s in:\n%s", part, text)

/* Streams under way come first: a flood of connections is taken in turns. */
Test(accept, takes_a_bounded_number_a_turn)
{
    enum { CLIENTS = 2 * ACCEPTS_PER_TURN + 3 };
    int fds[CLIENTS];
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 200);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = rig_connect(&rig);
    }
    loop_turn(rig.loop, 0);
    cr_expect_leq(server_conns(rig.server), ACCEPTS_PER_TURN);
    cr_expect_gt(server_conns(rig.server), 0);
    for (int turn = 0; turn < 10; turn++) {
        loop_turn(rig.loop, 0);
    }
    cr_expect_eq(server_conns(rig.server), CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        (void)close(fds[i]);
    }
    rig_stop(&rig);
}

Test(accept, rests_when_out_of_descriptors)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    sys_fault("accept", 1, ERR_FULL);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, GET);
    uint64_t start = clock_now_ms();
    for (int turn = 0; turn < 5; turn++) {
        loop_turn(rig.loop, 10);
    }
    cr_expect(clock_now_ms() - start >= 30, "the loop spins");
    HAS(rig_read(&rig, fd, "GET / 0:"), "200 OK");
    (void)close(fd);
    rig_stop(&rig);
}

/* An idle connection gives its descriptor to the one that found none. */
Test(accept, without_descriptors_closes_the_oldest_idle_connection)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    int idle = rig_connect(&rig);
    rig_send(&rig, idle, GET);
    (void)rig_read(&rig, idle, "GET / 0:");
    sys_fault("accept", 1, ERR_FULL);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, GET);
    cr_expect(rig_closed(&rig, idle, 10000) != 0);
    HAS(rig_read(&rig, fd, "GET / 0:"), "200 OK");
    (void)close(idle);
    (void)close(fd);
    rig_stop(&rig);
}

/* A descriptor that comes back ends the rest before its time. */
Test(accept, goes_on_as_soon_as_a_connection_ends)
{
    struct rig rig;
    rig_init(&rig);
    rig.ends_when_half = true;
    rig_start(&rig, 10);
    int held = rig_connect(&rig);
    rig_send(&rig, held, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(rig_saw(&rig, "body "));
    sys_fault("accept", 1, ERR_FULL);
    int fd = rig_connect(&rig);
    rig_send(&rig, fd, GET);
    for (int turn = 0; turn < 3; turn++) {
        loop_turn(rig.loop, 0);
    }
    cr_expect_eq(server_conns(rig.server), 1, "accepting rests");
    (void)close(held);
    /* The owner ends the request of a client that left, and with that its connection. */
    cr_expect(rig_saw(&rig, "half "));
    uint64_t start = clock_now_ms();
    while (server_conns(rig.server) == 0 && clock_now_ms() - start < 5000) {
        loop_turn(rig.loop, 1);
    }
    cr_expect_eq(server_conns(rig.server), 1);
    HAS(rig_read(&rig, fd, "GET / 0:"), "200 OK");
    (void)close(fd);
    rig_stop(&rig);
}

Test(accept, bounds_its_listening_sockets)
{
    int fds[LISTENS_MAX];
    char why[LISTEN_WHY_BYTES];
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10); /* takes the first place */
    for (uint32_t i = 0; i < LISTENS_MAX; i++) {
        cr_assert(listen_open("127.0.0.1:0", 10, true, &fds[i], why) == ERR_OK, "%s", why);
        cr_expect_eq(server_listen(rig.server, fds[i]), i + 1 < LISTENS_MAX ? ERR_OK : ERR_FULL,
                     "%u", i);
    }
    /* The last one that was taken serves. */
    struct sockaddr_storage to;
    socklen_t bytes = sizeof(to);
    cr_assert(getsockname(fds[LISTENS_MAX - 2], (struct sockaddr *)&to, &bytes) == 0);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(connect(fd, (struct sockaddr *)&to, bytes) == 0);
    rig_send(&rig, fd, GET);
    rig_pump(&rig, 20);
    char answer[512];
    ssize_t got = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
    cr_expect(got > 0 && memmem(answer, (size_t)got, "200 OK", 6) != NULL);
    (void)close(fd);
    server_drain(rig.server);
    for (uint32_t i = 0; i < LISTENS_MAX; i++) {
        (void)close(fds[i]);
    }
    rig_stop(&rig);
}

/* Nobody else reads this copy of the socket: who connected to it would wait. */
Test(accept, leaves_no_open_socket_behind_in_a_drain)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    struct sockaddr_storage to;
    socklen_t bytes = sizeof(to);
    cr_assert(getsockname(rig.listen_fd, (struct sockaddr *)&to, &bytes) == 0);
    server_drain(rig.server);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_expect(connect(fd, (struct sockaddr *)&to, bytes) != 0 && errno == ECONNREFUSED);
    (void)close(fd);
    rig_stop(&rig);
}

Test(accept, goes_on_while_it_turns_away)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    server_turn_away(rig.server);
    int fd = rig_connect(&rig);
    int silent = rig_connect(&rig);
    rig_send(&rig, fd, GET);
    cr_expect_not_null(strstr(rig_read(&rig, fd, NULL), "connection: close\r\n"));
    cr_expect(rig_closed(&rig, silent, 10000) == 'E', "it has a moment for its request");
    server_drain(rig.server);
    server_turn_away(rig.server); /* too late: nothing is left to accept from */
    rig_pump(&rig, 20);
    cr_expect_eq(server_conns(rig.server), 0);
    (void)close(fd);
    (void)close(silent);
    rig_stop(&rig);
}

Test(accept, stops_with_the_drain_even_while_it_rests)
{
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig, 10);
    sys_fault("accept", 1, ERR_FULL);
    int fd = rig_connect(&rig);
    rig_pump(&rig, 20);
    server_drain(rig.server);
    server_drain(rig.server); /* once is enough */
    rig_pump(&rig, 250);      /* longer than a rest */
    cr_expect_eq(server_conns(rig.server), 0, "nobody is taken any more");
    (void)close(fd);
    rig_stop(&rig);
}
