#include "master/signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"

static void
ignore(int number)
{
    struct sigaction action = { .sa_handler = SIG_IGN };
    int result = sigaction(number, &action, NULL);
    CHECK(result == 0);
}

static void
restore(int number)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    int result = sigaction(number, &action, NULL);
    CHECK(result == 0);
}

enum err
signals_open(int *out_fd)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGCHLD);
    int result = sigprocmask(SIG_SETMASK, &mask, NULL);
    CHECK(result == 0);
    /* Whoever started us may have ignored some: a shell does it for what it puts in the background,
     * and an ignored CHLD would hide every death. */
    restore(SIGTERM);
    restore(SIGINT);
    restore(SIGHUP);
    restore(SIGCHLD);
    ignore(SIGPIPE);
    ignore(SIGXFSZ); /* a limit on the size of files is a full disk, not an end */
    int fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    *out_fd = fd;
    return ERR_OK;
}

int
signals_next(int fd)
{
    struct signalfd_siginfo info;
    ssize_t got = read(fd, &info, sizeof(info));
    return got == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void
signals_reset(void)
{
    ignore(SIGINT);
    ignore(SIGHUP);
    ignore(SIGPIPE);
    ignore(SIGXFSZ);
    ignore(SIGUSR1);
    ignore(SIGUSR2);
    ignore(SIGTSTP);
    restore(SIGCHLD);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGQUIT);
    int result = sigprocmask(SIG_SETMASK, &mask, NULL);
    CHECK(result == 0);
}
