/*
 * playworld.c - see playworld.h and play.h: starting and stopping programs, running commands.
 */
#include "tests/scenario/playworld.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 30000   /* a gateway's start, slow under sanitizers on a busy machine */
#define COMMAND_MS 20000 /* one command of the CLI */
#define FAKES_MAX 8
#define ARGS_MAX 48
#define UPSTREAM_KEY "sk-upstream-secret-0123456789"

struct play_world play_world;

static const struct play_group *running;
static pid_t fakes[FAKES_MAX];
static size_t fake_count;

static const char *
program(const char *variable, const char *first, const char *second)
{
    const char *named = getenv(variable);
    if (named != NULL) {
        return named;
    }
    return access(first, X_OK) == 0 ? first : second;
}

/* Below the ports that the kernel gives to connections, so that none takes it while the gateway is
 * down between two tests. */
static uint16_t
free_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    unsigned first = (unsigned)getpid() * 37u + (unsigned)play_now_ms();
    for (unsigned i = 0; i < 1000; i++) {
        uint16_t port = (uint16_t)(12000u + (first + i) % 20000u);
        at.sin_port = htons(port);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool is_free = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
        close(fd);
        if (is_free) {
            return port;
        }
    }
    PLAY_NEED(false, "no port is free: %s", strerror(errno));
    return 0;
}

char *
play_read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return play_text("%s", "");
    }
    char *text = play_memory((size_t)st.st_size + 1);
    size_t len = 0;
    ssize_t n;
    while (len < (size_t)st.st_size && (n = read(fd, text + len, (size_t)st.st_size - len)) > 0) {
        len += (size_t)n;
    }
    close(fd);
    return text;
}

void
play_write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    PLAY_NEED(fd >= 0, "%s: %s", path, strerror(errno));
    PLAY_NEED(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: write", path);
    close(fd);
}

bool
play_log_has(const char *text, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    for (;;) {
        if (strstr(play_read_file(play_world.log), text) != NULL) {
            return true;
        }
        if (play_now_ms() >= end) {
            return false;
        }
        play_sleep(20);
    }
}

pid_t
play_start_fake(const char *plan, uint16_t *port)
{
    const char *path = program("FAKE_PROVIDER", "build/fake-provider", "build/fake-provider");
    const char *log = play_text("%s/fake%zu.log", play_world.dir, fake_count);
    const char *served = play_text("%s/fake%zu.served", play_world.dir, fake_count);
    int out[2];
    PLAY_NEED(pipe(out) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        execl(path, path, "--listen", "127.0.0.1:0", "--plan", plan == NULL ? "" : plan, "--log",
              log, "--served", served, NULL);
        _exit(127);
    }
    close(out[1]);
    char line[128] = "";
    size_t len = 0;
    while (len < sizeof(line) - 1 && read(out[0], line + len, 1) == 1 && line[len] != '\n') {
        len++;
    }
    close(out[0]);
    const char *colon = strrchr(line, ':');
    PLAY_NEED(colon != NULL && fake_count < FAKES_MAX, "%s does not start", path);
    fakes[fake_count++] = pid;
    *port = (uint16_t)atoi(colon + 1);
    return pid;
}

static void
put_setting(char **text, char *section, size_t section_size, const char *setting)
{
    const char *dot = strchr(setting, '.');
    const char *equals = strchr(setting, '=');
    PLAY_NEED(dot != NULL && equals != NULL, "bad setting %s", setting);
    size_t n = (size_t)(dot - setting);
    if (strlen(section) != n || memcmp(section, setting, n) != 0) {
        snprintf(section, section_size, "%.*s", (int)n, setting);
        *text = play_text("%s[%s]\n", *text, section);
    }
    *text = play_text("%s%.*s = %s\n", *text, (int)(equals - dot - 1), dot + 1, equals + 1);
}

void
play_write_ini(const char *const *more)
{
    struct play_world *w = &play_world;
    const char *const base[] = {
        play_text("master.workers=2"),
        play_text("http.listen=127.0.0.1:%u", w->port),
        play_text("store.dir=%s/data", w->dir),
        play_text("admin.socket=%s", w->socket),
        play_text("upstream.allow_http=yes"),
        play_text("upstream.allow_private=yes"),
        NULL,
    };
    static const char *const sections[] = { "master", "worker", "http",  "upstream",
                                            "shm",    "store",  "admin", NULL };
    const char *const *const lists[] = { base, running->settings, more };
    char *text = play_text("%s", "");
    for (size_t s = 0; sections[s] != NULL; s++) {
        char section[32] = "";
        size_t len = strlen(sections[s]);
        for (size_t l = 0; l < 3; l++) {
            for (size_t i = 0; lists[l] != NULL && lists[l][i] != NULL; i++) {
                const char *setting = lists[l][i];
                bool later = false; /* A setting given again replaces the one before. */
                const char *equals = strchr(setting, '=');
                size_t name = equals == NULL ? 0 : (size_t)(equals - setting) + 1;
                for (size_t k = l + 1; k < 3; k++) {
                    for (size_t j = 0; lists[k] != NULL && lists[k][j] != NULL; j++) {
                        later = later || strncmp(lists[k][j], setting, name) == 0;
                    }
                }
                if (!later && strncmp(setting, sections[s], len) == 0 && setting[len] == '.') {
                    put_setting(&text, section, sizeof(section), setting);
                }
            }
        }
    }
    play_write_file(w->ini, text);
}

bool
play_wait_ready(unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    while (play_now_ms() < end) {
        int status;
        if (play_world.master > 0 && waitpid(play_world.master, &status, WNOHANG) > 0) {
            play_world.master = 0;
            return false;
        }
        struct play_conn *c = play_open(play_world.port);
        if (c->fd >= 0) {
            play_print(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            struct play_answer a = play_read(c, 2000);
            play_close(c);
            if (a.status == 200) {
                return true;
            }
        }
        play_sleep(30);
    }
    return false;
}

void
play_start_gateway(void)
{
    struct play_world *w = &play_world;
    const char *path = program("SUB2API", "build/asan/sub2api", "build/sub2api");
    int log = open(w->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    w->master = fork();
    if (w->master == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(log, 1);
        dup2(log, 2);
        close(log);
        execl(path, path, "-c", w->ini, NULL);
        _exit(127);
    }
    close(log);
    if (!play_wait_ready(READY_MS)) {
        char *text = play_read_file(w->log);
        size_t len = strlen(text);
        PLAY_NEED(false, "%s does not serve: %s", path, len > 800 ? text + len - 800 : text);
    }
}

int
play_stop_gateway(unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    int status = 0;
    if (play_world.master <= 0) {
        return -1;
    }
    kill(play_world.master, SIGTERM);
    while (play_now_ms() < end) {
        if (waitpid(play_world.master, &status, WNOHANG) > 0) {
            play_world.master = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        play_sleep(10);
    }
    return -1;
}

/* State and parent of a process; 0 when there is none. */
static pid_t
parent_of(pid_t pid, char *state)
{
    char path[64];
    char line[512] = "";
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    if (fd >= 0) {
        ssize_t n = read(fd, line, sizeof(line) - 1);
        line[n < 0 ? 0 : n] = '\0';
        close(fd);
    }
    const char *paren = strrchr(line, ')');
    return paren != NULL && sscanf(paren, ") %c %d", state, &parent) == 2 ? (pid_t)parent : 0;
}

bool
play_is_alive(pid_t pid)
{
    char state = 'Z';
    (void)parent_of(pid, &state);
    return state != 'Z' && state != 'X';
}

static bool
is_ours(pid_t pid)
{
    for (int depth = 0; depth < 8 && pid > 1; depth++) {
        if (pid == play_world.master) {
            return true;
        }
        char state;
        pid = parent_of(pid, &state);
    }
    return false;
}

pid_t
play_process(const char *title)
{
    DIR *dir = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *e = readdir(dir); e != NULL && found == 0; e = readdir(dir)) {
        pid_t pid = (pid_t)atoi(e->d_name);
        if (pid <= 0) {
            continue;
        }
        char path[64];
        char line[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
        int fd = open(path, O_RDONLY);
        if (fd >= 0) {
            ssize_t n = read(fd, line, sizeof(line) - 1);
            line[n < 0 ? 0 : n] = '\0';
            close(fd);
        }
        size_t len = strlen(title);
        bool same = strncmp(line, title, len) == 0 && (line[len] == '\0' || line[len] == ' ');
        if (same && is_ours(pid)) {
            found = pid;
        }
    }
    closedir(dir);
    return found;
}

/* Collects both outputs until both close or the time is over. */
static void
collect(int fds[2], struct play_bytes *texts[2], uint64_t end)
{
    bool open_ends[2] = { true, true };
    while (open_ends[0] || open_ends[1]) {
        struct pollfd p[2] = { { open_ends[0] ? fds[0] : -1, POLLIN, 0 },
                               { open_ends[1] ? fds[1] : -1, POLLIN, 0 } };
        uint64_t now = play_now_ms();
        if (now >= end || poll(p, 2, (int)(end - now)) <= 0) {
            return;
        }
        for (size_t i = 0; i < 2; i++) {
            char piece[4096];
            if (p[i].revents == 0) {
                continue;
            }
            ssize_t n = read(fds[i], piece, sizeof(piece));
            if (n <= 0) {
                open_ends[i] = false;
                continue;
            }
            struct play_bytes *b = texts[i];
            char *more = play_memory(b->len + (size_t)n + 1);
            memcpy(more, b->data, b->len);
            memcpy(more + b->len, piece, (size_t)n);
            b->data = more;
            b->len += (size_t)n;
        }
    }
}

struct play_run
play_command(const char *const *argv, unsigned ms)
{
    int out[2];
    int err[2];
    char *args[ARGS_MAX + 1];
    size_t count = 0;
    PLAY_NEED(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "pipe");
    for (; argv[count] != NULL && count < ARGS_MAX; count++) {
        args[count] = play_text("%s", argv[count]);
    }
    args[count] = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], 1);
        dup2(err[1], 2);
        execv(args[0], args);
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    struct play_bytes texts[2] = { { play_text("%s", ""), 0, 0 }, { play_text("%s", ""), 0, 0 } };
    struct play_bytes *both[2] = { &texts[0], &texts[1] };
    int fds[2] = { out[0], err[0] };
    uint64_t end = play_now_ms() + ms;
    collect(fds, both, end);
    close(out[0]);
    close(err[0]);
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (play_now_ms() >= end) {
            kill(pid, SIGKILL);
        }
        play_sleep(5);
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return (struct play_run){ code, texts[0].data, texts[1].data };
}

static struct play_run
run_ctl(const char *first, va_list rest)
{
    const char *argv[ARGS_MAX + 1] = { program("SUB2APICTL", "build/asan/sub2apictl",
                                               "build/sub2apictl"),
                                       "-s", play_world.socket, first };
    size_t count = 4;
    for (const char *arg; (arg = va_arg(rest, const char *)) != NULL && count < ARGS_MAX;) {
        argv[count++] = arg;
    }
    argv[count] = NULL;
    return play_command(argv, COMMAND_MS);
}

struct play_run
play_ctl(const char *first, ...)
{
    va_list rest;
    va_start(rest, first);
    struct play_run run = run_ctl(first, rest);
    va_end(rest);
    return run;
}

struct play_run
play_must_ctl(const char *first, ...)
{
    va_list rest;
    va_start(rest, first);
    struct play_run run = run_ctl(first, rest);
    va_end(rest);
    va_start(rest, first);
    const char *second = va_arg(rest, const char *);
    va_end(rest);
    PLAY_NEED(run.status == 0, "sub2apictl %s %s: status %d: %s%s", first,
              second == NULL ? "" : second, run.status, run.err, run.out);
    return run;
}

void
play_standard(void)
{
    struct play_world *w = &play_world;
    char *secret = play_text("%s/upstream.key", w->dir);
    char *key = play_text("%s/gateway.key", w->dir);
    char *url = play_text("http://127.0.0.1:%u", w->fake_port);
    play_write_file(secret, UPSTREAM_KEY);
    play_write_file(key, w->key);
    play_must_ctl("account", "add", "--name", "openai", "--platform", "openai", "--base-url", url,
                  "--api-key-file", secret, NULL);
    play_must_ctl("account", "add", "--name", "claude", "--platform", "anthropic", "--base-url",
                  url, "--api-key-file", secret, NULL);
    play_must_ctl("account", "add", "--name", "gemini", "--platform", "gemini", "--base-url", url,
                  "--api-key-file", secret, NULL);
    play_must_ctl("user", "add", "--name", "tester", NULL);
    play_must_ctl("key", "create", "--user", "tester", "--name", "scenario", "--key-file", key,
                  NULL);
}

void
playworld_start(const struct play_group *group)
{
    struct play_world *w = &play_world;
    running = group;
    w->dir = strdup(play_text("/tmp/sub2api-scenario-%d", (int)getpid()));
    mkdir(w->dir, 0700);
    w->ini = strdup(play_text("%s/sub2api.ini", w->dir));
    w->socket = strdup(play_text("%s/admin.sock", w->dir));
    w->log = strdup(play_text("%s/gateway.log", w->dir));
    w->key = strdup(PLAY_KEY);
    w->fake = play_start_fake(NULL, &w->fake_port);
    w->port = free_port();
    play_write_ini(NULL);
    play_start_gateway();
    if (group->prepare != NULL) {
        group->prepare();
    } else {
        play_standard();
    }
}

static void
remove_tree(const char *path)
{
    const char *const argv[] = { "/bin/rm", "-rf", path, NULL };
    (void)play_command(argv, 5000);
}

void
playworld_stop(void)
{
    if (play_world.master > 0 && play_stop_gateway(15000) < 0) {
        kill(play_world.master, SIGKILL);
    }
    for (size_t i = 0; i < fake_count; i++) {
        kill(fakes[i], SIGKILL);
    }
    fake_count = 0;
    if (getenv("PLAY_KEEP") == NULL) {
        remove_tree(play_world.dir);
    }
}

void
playworld_after_test(void)
{
    int status;
    bool dead = play_world.master <= 0 || waitpid(play_world.master, &status, WNOHANG) > 0;
    for (int fd = 64; fd < 1024; fd++) {
        close(fd); /* Connections are opened above 64, see play_open. */
    }
    if (dead) {
        play_write_ini(NULL);
        play_start_gateway();
    }
}
