/* What a service manager hears of us, at a socket like the one it gives. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/notify.h"

static char dir[] = "/tmp/sub2api-test-XXXXXX";
static char path[108];
static char heard[1024];

/* The manager's end; `name` begins with '@' when it has no file. */
static int
listen_at(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                 0, "%s", strerror(errno));
    cr_assert_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static int
listen_in_file(void)
{
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/notify", dir);
    return listen_at(path);
}

static void
leave(int fd)
{
    close(fd);
    unlink(path);
    rmdir(dir);
}

/* The next message; "" when none came. It was sent before: nothing is waited for. */
static const char *
hear(int fd)
{
    ssize_t got = recv(fd, heard, sizeof heard - 1, MSG_DONTWAIT);
    heard[got < 0 ? 0 : got] = '\0';
    return heard;
}

Test(notify, says_how_we_are_in_the_managers_words)
{
    int fd = listen_in_file();
    notify_ready();
    cr_expect_str_eq(hear(fd), "READY=1");
    notify_stopping();
    cr_expect_str_eq(hear(fd), "STOPPING=1");
    notify_status("2 workers, generation 1");
    cr_expect_str_eq(hear(fd), "STATUS=2 workers, generation 1");
    uint64_t before_us = clock_now_ns() / 1000;
    notify_reloading();
    uint64_t at_us = 0;
    cr_assert_eq(sscanf(hear(fd), "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &at_us), 1, "%s", heard);
    cr_expect(at_us >= before_us && at_us <= clock_now_ns() / 1000, "the monotonic clock");
    cr_expect_str_eq(hear(fd), "", "one message each");
    leave(fd);
}

Test(notify, finds_a_socket_without_a_file)
{
    char name[64];
    snprintf(name, sizeof name, "@sub2api-test-%d", (int)getpid());
    int fd = listen_at(name);
    notify_ready();
    cr_expect_str_eq(hear(fd), "READY=1");
    close(fd);
}

Test(notify, cuts_a_long_status)
{
    int fd = listen_in_file();
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    notify_status(text);
    cr_expect_eq(strlen(hear(fd)), strlen("STATUS=") + 280);
    leave(fd);
}

Test(notify, does_nothing_where_nobody_listens)
{
    int fd = listen_in_file();
    char long_name[200];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    long_name[0] = '/';
    const char *const names[] = { "", "relative/notify", long_name, "/nowhere/notify" };
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_ready();
    }
    cr_expect_str_eq(hear(fd), "");
    setenv("NOTIFY_SOCKET", path, 1);
    notify_ready();
    cr_expect_str_eq(hear(fd), "READY=1", "and leaves nothing behind that would stop it now");
    leave(fd);
}

/* Would it wait, the test would not end. */
Test(notify, never_waits_for_a_manager_that_does_not_read, .timeout = 20)
{
    int fd = listen_in_file();
    for (int i = 0; i < 2000; i++) {
        notify_ready();
    }
    uint32_t count = 0;
    while (hear(fd)[0] != '\0') {
        cr_assert_str_eq(heard, "READY=1");
        count++;
    }
    cr_expect(count > 0 && count < 2000, "%u: what did not fit was dropped", count);
    leave(fd);
}
