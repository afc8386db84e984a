/* Signals as events: what the master hears, and what a child is left with. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/signals.h"

static bool
is_ignored(int number)
{
    struct sigaction action;
    cr_assert_eq(sigaction(number, NULL, &action), 0);
    return action.sa_handler == SIG_IGN;
}

static bool
is_standard(int number)
{
    struct sigaction action;
    cr_assert_eq(sigaction(number, NULL, &action), 0);
    return action.sa_handler == SIG_DFL;
}

static bool
is_blocked(int number)
{
    sigset_t mask;
    cr_assert_eq(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
    return sigismember(&mask, number) == 1;
}

Test(signals, are_read_as_events_and_none_is_made_up)
{
    int fd = -1;
    cr_assert_eq(signals_open(&fd), ERR_OK);
    cr_expect_eq(signals_next(fd), 0, "none has come");
    raise(SIGTERM);
    cr_expect_eq(signals_next(fd), SIGTERM);
    cr_expect_eq(signals_next(fd), 0);
    raise(SIGINT);
    cr_expect_eq(signals_next(fd), SIGINT);
    raise(SIGHUP);
    raise(SIGHUP);
    cr_expect_eq(signals_next(fd), SIGHUP);
    cr_expect_eq(signals_next(fd), 0, "the same one twice is one");
    close(fd);
}

/* A shell ignores some for what it puts in the background; an ignored CHLD hides every death. */
Test(signals, are_heard_also_when_whoever_started_us_ignored_them)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        signal(numbers[i], SIG_IGN);
    }
    int fd = -1;
    cr_assert_eq(signals_open(&fd), ERR_OK);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(7);
    }
    struct pollfd poll_fd = { fd, POLLIN, 0 };
    cr_assert_eq(poll(&poll_fd, 1, 10000), 1, "no word of the child's death");
    cr_expect_eq(signals_next(fd), SIGCHLD);
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid, "its exit code is still there to be read");
    cr_expect_eq(WEXITSTATUS(status), 7);
    raise(SIGHUP);
    cr_expect_eq(signals_next(fd), SIGHUP);
    close(fd);
}

Test(signals, a_broken_pipe_ends_nobody_and_the_descriptor_is_not_inherited)
{
    int fd = -1;
    int fds[2];
    cr_assert_eq(signals_open(&fd), ERR_OK);
    cr_assert_eq(pipe(fds), 0);
    close(fds[0]);
    cr_expect_eq(write(fds[1], "x", 1), -1);
    cr_expect_eq(signals_next(fd), 0);
    cr_expect(is_ignored(SIGPIPE) && is_ignored(SIGXFSZ));
    cr_expect_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    cr_expect_neq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    close(fds[1]);
    close(fd);
}

Test(signals, a_child_hears_only_what_is_meant_for_it)
{
    int fd = -1;
    cr_assert_eq(signals_open(&fd), ERR_OK);
    signal(SIGCHLD, SIG_IGN); /* whatever stood there before */
    signals_reset();
    static const int shrugged_off[] = {
        SIGINT, SIGHUP, SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2, SIGTSTP
    };
    for (size_t i = 0; i < sizeof shrugged_off / sizeof shrugged_off[0]; i++) {
        cr_expect(is_ignored(shrugged_off[i]) && !is_blocked(shrugged_off[i]), "%d",
                  shrugged_off[i]);
    }
    /* Blocked, so that they wait for the descriptor that the child opens for them. */
    cr_expect(is_blocked(SIGTERM) && is_standard(SIGTERM));
    cr_expect(is_blocked(SIGQUIT) && is_standard(SIGQUIT));
    cr_expect(!is_blocked(SIGCHLD) && is_standard(SIGCHLD),
              "it has children of its own to wait for");
    raise(SIGINT);
    raise(SIGHUP);
    raise(SIGUSR1);
    raise(SIGTERM);
    raise(SIGQUIT);
    sigset_t pending;
    cr_assert_eq(sigpending(&pending), 0);
    cr_expect(sigismember(&pending, SIGTERM) == 1 && sigismember(&pending, SIGQUIT) == 1);
    cr_expect(sigismember(&pending, SIGINT) == 0 && sigismember(&pending, SIGHUP) == 0);
    /* They would end the test when its mask goes back. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    close(fd);
}

/* A crash stays a crash: the master must see a signal, not an exit code. */
Test(signals, a_crash_of_a_child_is_seen_as_one)
{
    static const int crashes[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct rlimit none = { 0, 0 };
            setrlimit(RLIMIT_CORE, &none);
            for (size_t j = 0; j < sizeof crashes / sizeof crashes[0]; j++) {
                signal(crashes[j], SIG_DFL); /* the test's own tools listen to them */
            }
            sigset_t all;
            sigfillset(&all);
            sigprocmask(SIG_SETMASK, &all, NULL);
            signals_reset();
            raise(crashes[i]);
            _exit(0);
        }
        int status = 0;
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == crashes[i], "%d", crashes[i]);
    }
}
