/*
 * crashproc.c - see crash.h: the gateway's processes, seen from outside: /proc, signals, and the
 * admin socket.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/crash.h"

#define INODES_MAX 4096u
#define ADMIN_MS 3000
#define PORT_READS 4u
#define UPSTREAM_SECRET "sk-crash-upstream"

const char *crash_fake_log;
uint16_t crash_fake_port;
static uint64_t random_state;
static size_t log_from; /* bytes of the log before this test */

static const char *const titles[CRASH_KINDS] = { "sub2api: worker 0", "sub2api: worker 1",
                                                 "sub2api: recorder", "sub2api: keeper" };

bool
crash_is_full(void)
{
    const char *size = getenv("CRASH_SIZE");
    return size != NULL && strcmp(size, "full") == 0;
}

unsigned
crash_size(unsigned small, unsigned full)
{
    return crash_is_full() ? full : small;
}

/* splitmix64: the same seed, the same kills. */
uint32_t
crash_random(uint32_t below)
{
    random_state += 0x9e3779b97f4a7c15u;
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return below == 0 ? 0 : (uint32_t)(z % below);
}

void
crashproc_mark_log(void)
{
    log_from = strlen(play_read_file(play_world.log));
}

void
crash_begin(const char *name)
{
    const char *seed = getenv("SEED");
    random_state = seed == NULL ? 1 : strtoull(seed, NULL, 10);
    for (const char *p = name; *p != '\0'; p++) {
        random_state = random_state * 31 + (unsigned char)*p;
    }
    crashproc_mark_log();
}

uint32_t
crashproc_log_count(const char *word)
{
    char *text = play_read_file(play_world.log);
    uint32_t count = 0;
    size_t from = strlen(text) < log_from ? 0 : log_from;
    for (const char *p = text + from; (p = strstr(p, word)) != NULL; p++) {
        count++;
    }
    return count;
}

/* --- the world --- */

static pid_t
start_fake(void)
{
    const char *path = getenv("FAKE_PROVIDER");
    path = path == NULL ? "build/fake-provider" : path;
    int out[2];
    PLAY_NEED(pipe(out) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        execl(path, path, "--listen", "127.0.0.1:0", "--log", crash_fake_log, NULL);
        _exit(127);
    }
    close(out[1]);
    char line[128] = "";
    for (size_t n = 0; n < sizeof(line) - 1 && read(out[0], line + n, 1) == 1; n++) {
        if (line[n] == '\n') {
            break;
        }
    }
    close(out[0]);
    const char *colon = strrchr(line, ':');
    PLAY_NEED(colon != NULL, "%s does not start", path);
    crash_fake_port = (uint16_t)atoi(colon + 1);
    return pid;
}

/* Limits below the number of clients, so that requests queue for keys and for accounts. */
void
crash_prepare(void)
{
    struct play_world *w = &play_world;
    crash_fake_log = strdup(play_text("%s/fake.log", w->dir));
    (void)start_fake();
    char *secret = play_text("%s/upstream.key", w->dir);
    play_write_file(secret, UPSTREAM_SECRET);
    static const char *const names[] = { "first", "second", "third" };
    for (size_t i = 0; i < 3; i++) {
        const char *host = i == 0 ? "localhost" : "127.0.0.1"; /* one needs the keeper's names */
        play_must_ctl("account", "add", "--name", names[i], "--platform", "openai", "--base-url",
                      play_text("http://%s:%u", host, crash_fake_port), "--api-key-file", secret,
                      "--concurrency", "16", NULL);
    }
    play_must_ctl("user", "add", "--name", "crash", "--concurrency", "64", NULL);
    for (unsigned i = 0; i < CRASH_KEYS; i++) {
        char *file = play_text("%s/key%u", w->dir, i);
        play_write_file(file, play_text("sk-crash-%u-0123456789abcdefghijABCDEFGHIJ", i));
        play_must_ctl("key", "create", "--user", "crash", "--name", play_text("key%u", i),
                      "--key-file", file, "--concurrency", "12", "--quota-tokens", "1000000000000",
                      NULL);
    }
    play_sleep(300);
}

/* --- whose connections --- */

static size_t
socket_inodes(pid_t pid, unsigned long inodes[INODES_MAX])
{
    size_t count = 0;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char link[512];
        char target[64] = "";
        snprintf(link, sizeof(link), "%s/%s", path, e->d_name);
        ssize_t n = readlink(link, target, sizeof(target) - 1);
        if (n > 0 && sscanf(target, "socket:[%lu]", &inodes[count]) == 1 &&
            count < INODES_MAX - 1) {
            count++;
        }
    }
    closedir(dir);
    return count;
}

static bool
is_among(const unsigned long *inodes, size_t count, unsigned long inode)
{
    for (size_t i = 0; i < count; i++) {
        if (inodes[i] == inode) {
            return true;
        }
    }
    return false;
}

/* Sets the peers' ports of those of our connections that are among the inodes. */
static bool
read_ports(const unsigned long *inodes, size_t count, bool ports[65536])
{
    FILE *file = fopen("/proc/net/tcp", "re");
    if (file == NULL) {
        return false;
    }
    char line[512];
    while (fgets(line, sizeof(line), file) != NULL) {
        unsigned from = 0;
        unsigned to = 0;
        unsigned long inode = 0;
        if (sscanf(line, " %*d: %*x:%x %*x:%x %*x %*x:%*x %*x:%*x %*x %*u %*u %lu", &from, &to,
                   &inode) == 3 &&
            from == play_world.port && inode != 0 && is_among(inodes, count, inode)) {
            ports[to & 0xffff] = true;
        }
    }
    fclose(file);
    return true;
}

/* The list skips lines while other sockets come and go, so it is read several times. */
bool
crashproc_ports(pid_t pid, bool ports[65536])
{
    static unsigned long inodes[INODES_MAX];
    size_t count = socket_inodes(pid, inodes);
    bool is_read = count > 0;
    for (unsigned i = 0; i < PORT_READS && is_read; i++) {
        is_read = read_ports(inodes, count, ports);
    }
    return is_read;
}

/* --- killing --- */

pid_t
crashproc_find(enum crash_kind kind)
{
    return play_process(titles[kind]);
}

const char *
crashproc_title(enum crash_kind kind)
{
    return titles[kind];
}

static bool
is_stopped(pid_t pid)
{
    char *stat = play_text("/proc/%d/stat", (int)pid);
    FILE *file = fopen(stat, "re");
    char line[256] = "";
    if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
        line[0] = '\0';
    }
    if (file != NULL) {
        fclose(file);
    }
    const char *paren = strrchr(line, ')');
    return paren != NULL && paren[1] == ' ' && (paren[2] == 'T' || paren[2] == 't');
}

/* Stopped first, so that it accepts no connection between the look and the kill. */
bool
crashproc_kill(enum crash_kind kind)
{
    static bool ports[65536];
    pid_t pid = crashproc_find(kind);
    if (pid == 0 || kill(pid, SIGSTOP) != 0) {
        return false;
    }
    for (int i = 0; i < 2000 && !is_stopped(pid); i++) {
        usleep(500);
    }
    memset(ports, 0, sizeof(ports));
    bool is_worker = kind == CRASH_WORKER_0 || kind == CRASH_WORKER_1;
    if (is_worker && crashproc_ports(pid, ports)) {
        crashload_excuse(ports);
    }
    return kill(pid, SIGKILL) == 0;
}

bool
crashproc_wait(enum crash_kind kind, pid_t old, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    for (;;) {
        pid_t pid = crashproc_find(kind);
        if (pid != 0 && pid != old) {
            return true;
        }
        if (play_now_ms() >= end) {
            return false;
        }
        crashload_run(10);
    }
}

/* --- the admin socket --- */

static int
connect_admin(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", play_world.socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

char *
crashproc_admin(const char *path)
{
    static char *text;
    static size_t cap;
    size_t len = 0;
    int fd = connect_admin();
    if (fd < 0) {
        return NULL;
    }
    char *ask = play_text("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    bool fine = send(fd, ask, strlen(ask), MSG_NOSIGNAL) == (ssize_t)strlen(ask);
    uint64_t end = play_now_ms() + ADMIN_MS;
    ssize_t n = fine ? 1 : 0;
    while (n > 0) {
        if (len + 65536 > cap) {
            cap = cap * 2 + 131072;
            text = realloc(text, cap);
            PLAY_NEED(text != NULL, "no memory");
        }
        struct pollfd p = { fd, POLLIN, 0 };
        uint64_t now = play_now_ms();
        n = now < end && poll(&p, 1, (int)(end - now)) > 0 ? recv(fd, text + len, 65535, 0) : -1;
        len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (n < 0 || len == 0) {
        return NULL;
    }
    text[len] = '\0';
    char *body = strstr(text, "\r\n\r\n");
    bool whole = body != NULL && strncmp(text, "HTTP/1.1 200", 12) == 0 && text[len - 1] == '}';
    return whole ? body + 4 : NULL;
}
