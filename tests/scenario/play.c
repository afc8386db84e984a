/*
 * play.c - see play.h: the runner, and what a test is made of.
 *
 * The runner forks one process a group and reads lines from it: "B index", "F text", "E". It keeps
 * the time, kills what hangs, and prints the results, so that a crash in a test is only that.
 */
#include "tests/scenario/play.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/scenario/playworld.h"

#define START_SECONDS 90 /* a group's own start: gateway, accounts; slow under sanitizers */
#define WHY_BYTES 2000   /* of one failure's text */

struct block {
    struct block *next;
};

static struct play_group *groups;
static int report_fd = -1;
static jmp_buf give_up;
static struct block *blocks;

void
play_register(struct play_group *group)
{
    struct play_group **at = &groups;
    while (*at != NULL && strcmp((*at)->name, group->name) < 0) {
        at = &(*at)->next;
    }
    group->next = *at;
    *at = group;
}

void *
play_memory(size_t bytes)
{
    struct block *block = calloc(1, sizeof(*block) + bytes);
    if (block == NULL) {
        abort();
    }
    block->next = blocks;
    blocks = block;
    return block + 1;
}

static void
free_memory(void)
{
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}

char *
play_text(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = play_memory((size_t)n + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

char *
play_repeat(char byte, size_t count)
{
    char *text = play_memory(count + 1);
    memset(text, byte, count);
    return text;
}

uint64_t
play_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

void
play_sleep(unsigned ms)
{
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    while (nanosleep(&ts, &ts) != 0) {
    }
}

static void
report(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(report_fd, line, len);
        if (n <= 0) {
            _exit(1);
        }
        line += n;
        len -= (size_t)n;
    }
}

void
play_fail(const char *file, int line, const char *format, ...)
{
    char text[WHY_BYTES];
    const char *base = strrchr(file, '/');
    int n = snprintf(text, sizeof(text), "F %s:%d: ", base == NULL ? file : base + 1, line);
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof(text) - (size_t)n - 1, format, args);
    va_end(args);
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20) {
            *p = ' ';
        }
    }
    size_t len = strlen(text);
    text[len++] = '\n'; /* vsnprintf was given one byte less than there is. */
    report(text, len);
}

void
play_give_up(void)
{
    longjmp(give_up, 1);
}

static void
run_one(const struct play_test *test, size_t index)
{
    char line[32];
    int n = snprintf(line, sizeof(line), "B %zu\n", index);
    report(line, (size_t)n);
    if (setjmp(give_up) == 0) {
        test->run();
    }
    playworld_after_test();
    free_memory();
    report("E\n", 2);
}

/* The group's process: never returns. */
static void
run_group(const struct play_group *group, size_t from, const bool *chosen, int fd)
{
    setpgid(0, 0);
    report_fd = fd;
    signal(SIGPIPE, SIG_IGN);
    report("S\n", 2);
    if (setjmp(give_up) == 0) {
        playworld_start(group);
        report("R\n", 2);
    } else {
        playworld_stop();
        _exit(3);
    }
    for (size_t i = from; group->tests[i].name != NULL; i++) {
        if (chosen[i]) {
            run_one(&group->tests[i], i);
        }
    }
    if (setjmp(give_up) == 0) {
        playworld_stop();
    }
    _exit(0);
}

struct runner {
    const struct play_group *group;
    size_t current; /* index of the test under way, SIZE_MAX = none */
    size_t next;    /* where a new process goes on */
    bool failed;    /* the test under way has */
    char why[4 * WHY_BYTES];
    unsigned passed;
    unsigned failures;
    uint64_t deadline;
};

static void
end_test(struct runner *r)
{
    const char *name = r->group->tests[r->current].name;
    if (r->failed) {
        printf("FAIL %s.%s: %s\n", r->group->name, name, r->why);
        r->failures++;
    } else {
        printf("ok %s.%s\n", r->group->name, name);
        r->passed++;
    }
    fflush(stdout);
    r->next = r->current + 1;
    r->current = SIZE_MAX;
}

static void
add_why(struct runner *r, const char *text)
{
    size_t have = r->failed ? strlen(r->why) : 0;
    snprintf(r->why + have, sizeof(r->why) - have, "%s%s", have > 0 ? " | " : "", text);
    r->failed = true;
}

static void
on_line(struct runner *r, char *line)
{
    unsigned seconds = 0;
    if (line[0] == 'S') {
        seconds = START_SECONDS;
    } else if (line[0] == 'B') {
        r->current = strtoul(line + 2, NULL, 10);
        r->failed = false;
        r->why[0] = '\0';
        seconds = r->group->tests[r->current].seconds;
        seconds = seconds == 0 ? PLAY_SECONDS : seconds;
    } else if (line[0] == 'F') {
        add_why(r, line + 2);
    } else if (line[0] == 'E') {
        end_test(r);
        seconds = PLAY_SECONDS; /* for ending the group */
    }
    if (seconds > 0) {
        r->deadline = play_now_ms() + seconds * 1000u;
    }
}

/* Reads until the group's process closes its end; false when the time ran out. */
static bool
follow(struct runner *r, int fd)
{
    char line[2 * WHY_BYTES];
    size_t len = 0;
    for (;;) {
        uint64_t now = play_now_ms();
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int ready = now >= r->deadline ? 0 : poll(&p, 1, (int)(r->deadline - now));
        if (ready == 0) {
            return false;
        }
        char byte;
        ssize_t n = read(fd, &byte, 1);
        if (n == 0) {
            return true;
        }
        if (n < 0) {
            continue;
        }
        if (byte != '\n' && len < sizeof(line) - 1) {
            line[len++] = byte;
        } else if (byte == '\n') {
            line[len] = '\0';
            on_line(r, line);
            len = 0;
        }
    }
}

static void
reap_all(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

/* One process of the group; false when the group cannot go on. */
static bool
run_process(struct runner *r, const bool *chosen)
{
    int pipe_fd[2];
    if (pipe2(pipe_fd, O_CLOEXEC) != 0) {
        abort();
    }
    r->current = SIZE_MAX;
    r->deadline = play_now_ms() + START_SECONDS * 1000u;
    r->why[0] = '\0';
    r->failed = false;
    pid_t pid = fork();
    if (pid == 0) {
        close(pipe_fd[0]);
        run_group(r->group, r->next, chosen, pipe_fd[1]);
    }
    close(pipe_fd[1]);
    bool in_time = follow(r, pipe_fd[0]);
    close(pipe_fd[0]);
    kill(-pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    reap_all();
    if (r->current != SIZE_MAX) {
        add_why(r, in_time ? "the test's process ended" : "took too long");
        end_test(r);
        return true;
    }
    return in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
run_chosen(struct runner *r, const bool *chosen)
{
    r->next = 0;
    for (;;) {
        size_t before = r->next;
        bool fine = run_process(r, chosen);
        size_t left = 0;
        for (size_t i = r->next; r->group->tests[i].name != NULL; i++) {
            left += chosen[i] ? 1 : 0;
        }
        if (left == 0 && (fine || r->next != before)) {
            return;
        }
        if (!fine && r->next == before) {
            printf("FAIL %s: the group did not %s (%zu tests lost): %s\n", r->group->name,
                   left > 0 ? "start" : "stop", left, r->why[0] == '\0' ? "too slow" : r->why);
            r->failures += left > 0 ? (unsigned)left : 1;
            return;
        }
    }
}

static bool
matches(const char *group, const char *test, int argc, char **argv)
{
    if (argc <= 1) {
        return true;
    }
    char name[256];
    snprintf(name, sizeof(name), "%s.%s", group, test);
    for (int i = 1; i < argc; i++) {
        if (strstr(name, argv[i]) != NULL) {
            return true;
        }
    }
    return false;
}

int
main(int argc, char **argv)
{
    static struct runner runner;
    setvbuf(stdout, NULL, _IOLBF, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (const struct play_group *group = groups; group != NULL; group = group->next) {
        bool chosen[256] = { false };
        bool any = false;
        for (size_t i = 0; group->tests[i].name != NULL && i < 256; i++) {
            chosen[i] = matches(group->name, group->tests[i].name, argc, argv);
            any = any || chosen[i];
        }
        if (any) {
            runner.group = group;
            run_chosen(&runner, chosen);
        }
    }
    printf("%u passed, %u failed\n", runner.passed, runner.failures);
    return runner.failures == 0 && runner.passed > 0 ? 0 : 1;
}
