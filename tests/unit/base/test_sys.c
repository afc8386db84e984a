#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

static void
make_pair(int ends[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static int
make_listener(struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(*at);
    cr_assert_eq(bind(fd, (struct sockaddr *)at, bytes), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)at, &bytes), 0);
    cr_assert_eq(listen(fd, 8), 0);
    return fd;
}

Test(sys, transfers_and_tells_the_end)
{
    int ends[2];
    make_pair(ends);
    char bytes[100];
    size_t count = 99;
    cr_assert_eq(sys_recv(ends[0], bytes, sizeof(bytes), &count), ERR_AGAIN);
    cr_assert_eq(count, 0);
    cr_assert_eq(sys_send(ends[1], "hello", 5, &count), ERR_OK);
    cr_assert_eq(count, 5);
    struct iovec parts[2] = { { bytes, 0 }, { bytes + 50, 3 } };
    memcpy(bytes + 50, "abc", 3);
    cr_assert_eq(sys_sendv(ends[1], parts, 2, &count), ERR_OK);
    cr_assert_eq(count, 3);
    cr_assert_eq(sys_recv(ends[0], bytes, sizeof(bytes), &count), ERR_OK);
    cr_assert(str_equal(str_make(bytes, count), STR("helloabc")));

    static char lots[1 << 20];
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        err = sys_send(ends[1], lots, sizeof(lots), &count);
    }
    cr_assert_eq(err, ERR_AGAIN);
    sys_close(&ends[0]);
    cr_assert_eq(ends[0], -1);
    sys_close(&ends[0]);
    /* No SIGPIPE, or this test would end here. */
    cr_assert_eq(sys_send(ends[1], "x", 1, &count), ERR_GONE);
    cr_assert_str_eq(sys_why(), strerror(EPIPE));
    sys_close(&ends[1]);

    make_pair(ends);
    cr_assert_eq(shutdown(ends[1], SHUT_WR), 0);
    cr_assert_eq(sys_recv(ends[0], bytes, sizeof(bytes), &count), ERR_EOF);
    sys_close(&ends[0]);
    sys_close(&ends[1]);
}

Test(sys, connects_and_accepts)
{
    struct sockaddr_in at;
    int listener = make_listener(&at);
    struct sockaddr_storage peer;
    socklen_t peer_bytes = 0;
    int accepted = 5;
    cr_assert_eq(sys_accept(listener, &peer, &peer_bytes, &accepted), ERR_AGAIN);
    cr_assert_eq(accepted, -1);
    int fd = -1;
    enum err err = sys_connect((struct sockaddr *)&at, sizeof(at), &fd);
    cr_assert(err == ERR_OK || err == ERR_AGAIN);
    cr_assert(fd >= 0);
    cr_assert_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    cr_assert_eq(sys_accept(listener, &peer, &peer_bytes, &accepted), ERR_OK);
    cr_assert_eq(fcntl(accepted, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    cr_assert_eq(fcntl(accepted, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    cr_assert_eq(peer.ss_family, AF_INET);
    cr_assert_eq(peer_bytes, sizeof(at));
    cr_assert_eq(sys_connect_result(fd), ERR_OK);

    /* A reset: closing with unread bytes. */
    size_t count = 0;
    cr_assert_eq(sys_send(fd, "x", 1, &count), ERR_OK);
    sys_close(&accepted);
    char byte;
    cr_assert_eq(sys_recv(fd, &byte, 1, &count), ERR_GONE);
    sys_close(&fd);

    sys_close(&listener);
    err = sys_connect((struct sockaddr *)&at, sizeof(at), &fd);
    if (err == ERR_AGAIN) {
        err = sys_connect_result(fd);
        sys_close(&fd);
    }
    cr_assert_eq(err, ERR_REFUSED);
    cr_assert_eq(fd, -1);
    cr_assert_str_eq(sys_why(), strerror(ECONNREFUSED));

    struct sockaddr_un nowhere = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/socket" };
    cr_assert_eq(sys_connect((struct sockaddr *)&nowhere, sizeof(nowhere), &fd), ERR_REFUSED);
    cr_assert_eq(fd, -1);
}

static char directory[] = "/tmp/sub2api-sys-XXXXXX";

static const char *
in_directory(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

Test(sys, writes_new_files_and_reads_them)
{
    cr_assert_not_null(mkdtemp(directory));
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct str text;
    cr_assert_eq(sys_read_file(in_directory("a"), 100, &arena, &text), ERR_GONE);
    umask(077);
    cr_assert_eq(sys_write_new_file(in_directory("a"), 0644, STR("some text")), ERR_OK);
    struct stat status;
    cr_assert_eq(stat(in_directory("a"), &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0644, "whatever the umask is");
    cr_assert_eq(sys_write_new_file(in_directory("a"), 0600, STR("other")), ERR_DENIED);
    cr_assert_eq(sys_read_file(in_directory("a"), 9, &arena, &text), ERR_OK);
    cr_assert_eq(text.len, 9);
    cr_assert_str_eq(text.data, "some text");
    cr_assert_eq(sys_read_file(in_directory("a"), 8, &arena, &text), ERR_FULL);
    cr_assert_eq(sys_write_new_file(in_directory("b"), 0600, STR("")), ERR_OK);
    cr_assert_eq(sys_read_file(in_directory("b"), 100, &arena, &text), ERR_OK);
    cr_assert_eq(text.len, 0);
    cr_assert_str_eq(text.data, "");
    cr_assert_eq(sys_read_file("/proc/self/status", 65536, &arena, &text), ERR_OK);
    cr_assert(str_starts(text, STR("Name:")));
    cr_assert_neq(sys_read_file(directory, 100, &arena, &text), ERR_OK);
    cr_assert_eq(sys_write_new_file(in_directory("no/such"), 0600, STR("x")), ERR_GONE);
    struct arena small;
    arena_init(&small, 4);
    cr_assert_eq(sys_read_file(in_directory("a"), 100, &small, &text), ERR_FULL);
    unlink(in_directory("a"));
    unlink(in_directory("b"));
    rmdir(directory);
    arena_reset(&arena);
}

Test(sys, faults_strike_once_at_the_nth_use)
{
    int ends[2];
    make_pair(ends);
    size_t count = 0;
    char byte;
    sys_fault("send", 2, ERR_GONE);
    sys_fault("recv", 1, ERR_IO);
    sys_fault("accept", 1, ERR_FULL);
    cr_assert_eq(sys_send(ends[1], "x", 1, &count), ERR_OK);
    cr_assert_eq(sys_send(ends[1], "x", 1, &count), ERR_GONE);
    cr_assert_eq(sys_send(ends[1], "x", 1, &count), ERR_OK);
    cr_assert_eq(sys_recv(ends[0], &byte, 1, &count), ERR_IO);
    cr_assert_eq(sys_recv(ends[0], &byte, 1, &count), ERR_OK);
    sys_fault("accept", 0, ERR_OK);
    struct sockaddr_in at;
    int listener = make_listener(&at);
    struct sockaddr_storage peer;
    socklen_t bytes = 0;
    int fd = -1;
    cr_assert_eq(sys_accept(listener, &peer, &bytes, &fd), ERR_AGAIN, "0 clears");
    sys_fault("connect", 1, ERR_REFUSED);
    cr_assert_eq(sys_connect((struct sockaddr *)&at, sizeof(at), &fd), ERR_REFUSED);
    sys_close(&listener);
    sys_close(&ends[0]);
    sys_close(&ends[1]);
}

/* What an edge-triggered handler does: after a short transfer it waits for the next event. */
static size_t
pump(int from, int to, int epoll_from, int epoll_to, size_t bytes_max)
{
    static char in[5000];
    static char out[5000];
    size_t sent_all = 0;
    size_t got_all = 0;
    bool can_send = true;
    bool can_recv = true;
    int idle_turns = 0;
    for (int turn = 0; turn < 100000 && got_all < bytes_max; turn++) {
        size_t count = 0;
        size_t left = bytes_max - sent_all < sizeof(out) ? bytes_max - sent_all : sizeof(out);
        if (can_send && left > 0) {
            struct iovec parts[2] = { { out, left / 2 }, { out + left / 2, left - left / 2 } };
            enum err err = turn % 2 == 0 ? sys_send(from, out, left, &count)
                                         : sys_sendv(from, parts, 2, &count);
            sent_all += count;
            can_send = err == ERR_OK && count == left;
        }
        if (can_recv) {
            enum err err = sys_recv(to, in, sizeof(in), &count);
            got_all += count;
            can_recv = err == ERR_OK && count == sizeof(in);
        }
        struct epoll_event event;
        can_send = epoll_wait(epoll_from, &event, 1, 0) == 1 || can_send;
        can_recv = epoll_wait(epoll_to, &event, 1, can_send ? 0 : 100) == 1 || can_recv;
        if (!can_send && !can_recv && ++idle_turns > 10) {
            break; /* a stall: an event that should have come did not */
        }
    }
    return got_all;
}

static int
watch(int fd)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
    cr_assert_eq(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
    return epoll_fd;
}

Test(sys, short_transfers_lose_nothing_and_stall_nobody)
{
    struct sockaddr_in at;
    int listener = make_listener(&at);
    int client = -1;
    enum err err = sys_connect((struct sockaddr *)&at, sizeof(at), &client);
    cr_assert(err == ERR_OK || err == ERR_AGAIN);
    struct sockaddr_storage peer;
    socklen_t bytes = 0;
    int server = -1;
    cr_assert_eq(sys_accept(listener, &peer, &bytes, &server), ERR_OK);
    int watch_client = watch(client);
    int watch_server = watch(server);
    sys_short(11);
    size_t count = 0;
    char some[1000] = { 0 };
    cr_assert_eq(sys_send(client, some, sizeof(some), &count), ERR_OK);
    cr_assert(count >= 1 && count < sizeof(some));
    sys_short(0);
    size_t sent = count;
    cr_assert_eq(sys_recv(server, some, sizeof(some), &count), ERR_OK);
    cr_assert_eq(count, sent);
    sys_short(11);
    cr_assert_eq(pump(client, server, watch_client, watch_server, 300000), 300000);
    sys_short(0);
    cr_assert_eq(sys_recv(server, some, sizeof(some), &count), ERR_AGAIN);
    sys_close(&watch_client);
    sys_close(&watch_server);
    sys_close(&client);
    sys_close(&server);
    sys_close(&listener);
}

/* In a program of its own: the argument area of the test runner is not ours to overwrite. */
Test(sys, shows_its_title)
{
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        /* The area must be where the kernel looks, so argv comes from the kernel's own record. */
        extern char **environ;
        char *first = environ[0];
        for (char **at = environ; *at != NULL; at++) {
            first = *at < first ? *at : first;
        }
        char *argv[2] = { first - 1, NULL };
        while (argv[0][-1] != '\0') { /* back to the beginning of the last argument */
            argv[0]--;
        }
        char argument[256];
        snprintf(argument, sizeof(argument), "%s", argv[0]);
        char path[4096];
        snprintf(path, sizeof(path), "%s", getenv("PATH"));
        sys_title_init(1, argv);
        sys_title("sub2api: worker %d", 3);
        char name[32] = "";
        char line[256] = "";
        FILE *file = fopen("/proc/self/comm", "r");
        bool is_good = file != NULL && fgets(name, sizeof(name), file) != NULL &&
                       strcmp(name, "sub2api:worker3\n") == 0 && strcmp(argv[0], argument) == 0 &&
                       strcmp(getenv("PATH"), path) == 0;
        file = fopen("/proc/self/cmdline", "r");
        size_t got = file == NULL ? 0 : fread(line, 1, sizeof(line) - 1, file);
        is_good = is_good && memmem(line, got, "sub2api: worker 3", 18) != NULL;
        _exit(is_good ? 0 : 1);
    }
    int status = 1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}
