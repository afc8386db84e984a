/*
 * fakemain.c - build/fake-provider: a model provider that answers at once, for tests, benchmarks
 * and the demo. README.md has the words that steer it.
 */
#include "tests/fake/fakeserve.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void
usage(void)
{
    fprintf(stderr, "usage: fake-provider [--listen ADDRESS:PORT] [--api-key KEY] [--plan WORDS]\n"
                    "                     [--log FILE] [--served FILE] [--no-record]\n"
                    "                     [--with-parent] [--quiet]\n");
    exit(2);
}

static const char *
value_of(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc) {
        usage();
    }
    return argv[++*i];
}

static int
open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void
raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int
main(int argc, char **argv)
{
    const char *listen = "127.0.0.1:0";
    bool quiet = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--listen") == 0) {
            listen = value_of(argc, argv, &i);
        } else if (strcmp(argv[i], "--api-key") == 0) {
            fakeserve_set_api_key(value_of(argc, argv, &i));
        } else if (strcmp(argv[i], "--plan") == 0) {
            fakeserve_set_plan(value_of(argc, argv, &i));
        } else if (strcmp(argv[i], "--log") == 0) {
            fakebook_all.log_fd = open_file(value_of(argc, argv, &i));
        } else if (strcmp(argv[i], "--served") == 0) {
            fakebook_all.served_fd = open_file(value_of(argc, argv, &i));
        } else if (strcmp(argv[i], "--no-record") == 0) {
            fakebook_all.record = false;
        } else if (strcmp(argv[i], "--with-parent") == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
        } else if (strcmp(argv[i], "--quiet") == 0) {
            quiet = true;
        } else {
            usage();
        }
    }
    raise_limits();
    uint16_t port = fakenet_listen(listen);
    if (!quiet) {
        const char *colon = strrchr(listen, ':');
        int host = colon == NULL ? 0 : (int)(colon - listen);
        printf("listening on http://%.*s:%u\n", host > 0 ? host : 9,
               host > 0 ? listen : "127.0.0.1", port);
        fflush(stdout);
    }
    fakenet_run();
    return 0;
}
