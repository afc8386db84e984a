#include "admin/resolve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sys.h"
#include "shm/counter.h"
#include "shm/names.h"
#include "upstream/address.h"

/* A look-up that failed is no knowledge: a resolver that was away for a moment must not take its
 * accounts away for a whole interval. */
#define FAILED_INTERVAL_MS 5000u

/* Names waiting for a child. */
#define QUEUE_MAX NAMES_MAX

struct child {
    struct resolve *resolve;
    struct loop_io io;
    struct loop_timer deadline;
    pid_t pid; /* 0 = this place is free */
    int fd;
    char host[NAME_HOST_BYTES];
    size_t got_bytes;
    struct names_answer answer; /* as the child writes it */
};

struct resolve {
    struct loop *loop;
    struct segment *segment;
    uint32_t slot;
    uint32_t interval_ms;
    struct child children[RESOLVE_CHILDREN];
    char queue[QUEUE_MAX][NAME_HOST_BYTES];
    uint32_t queue_count;
};

static void start_next(struct resolve *resolve);

/* --- in the child --- */

static void
add_address(struct names_answer *answer, const struct addrinfo *info)
{
    if (answer->count == NAME_ADDRESSES_MAX) {
        return;
    }
    struct names_address *to = &answer->addresses[answer->count];
    if (info->ai_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, info->ai_addr, sizeof in);
        to->family = 4;
        memcpy(to->bytes, &in.sin_addr, 4);
        answer->count++;
    } else if (info->ai_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, info->ai_addr, sizeof in6);
        to->family = 6;
        memcpy(to->bytes, &in6.sin6_addr, 16);
        answer->count++;
    }
}

__attribute__((noreturn)) static void
look_up(const char *host, int to)
{
    struct names_answer answer = { .state = NAMES_FAILED };
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    struct addrinfo *list = NULL;
    int result = getaddrinfo(host, NULL, &hints, &list);
    if (result == 0) {
        for (struct addrinfo *info = list; info != NULL; info = info->ai_next) {
            add_address(&answer, info);
        }
        freeaddrinfo(list);
    }
    answer.state = answer.count > 0 ? NAMES_OK : NAMES_FAILED;
    const char *why = result == 0 ? "the name has no address" : gai_strerror(result);
    if (answer.count == 0) {
        str_copy(answer.why, sizeof answer.why, str_of(why));
    }
    /* A pipe takes this in one piece: it is smaller than PIPE_BUF. */
    _exit(write(to, &answer, sizeof answer) == (ssize_t)sizeof answer ? 0 : 1);
}

_Static_assert(sizeof(struct names_answer) <= 4096, "one write into a pipe");

/* --- in the keeper --- */

static void
store(struct resolve *resolve, const char *host, struct names_answer *answer)
{
    struct names_answer old;
    uint64_t now_ms = loop_now_ms(resolve->loop);
    bool has_old = names_find(resolve->segment, str_of(host), &old) == ERR_OK;
    bool is_good = answer->state == NAMES_OK && answer->count > 0;
    answer->resolved_ms = now_ms;
    answer->good_ms = is_good ? now_ms : has_old ? old.good_ms : 0;
    if (!is_good && has_old && old.count > 0) {
        /* The last good addresses are better than none. */
        memcpy(answer->addresses, old.addresses, sizeof old.addresses);
        answer->count = old.count;
        answer->state = NAMES_OK;
    }
    counter_add(resolve->segment, resolve->slot,
                is_good ? COUNTER_NAMES_RESOLVED : COUNTER_NAMES_FAILED, 1);
    bool is_news = !has_old || old.state == NAMES_UNKNOWN || old.good_ms == old.resolved_ms ||
                   strcmp(old.why, answer->why) != 0;
    if (!is_good && is_news) {
        log_event(LOG_WARN, "resolve", "host=%s why=\"%s\"", host, answer->why);
    }
    enum err err = names_put(resolve->segment, str_of(host), answer);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "resolve", "host=%s err=%s", host, err_name(err));
    }
}

/* Every wanted cell that asks for this host. */
static void
tell(struct resolve *resolve, const char *host)
{
    uint32_t cursor = 0;
    uint32_t cell = 0;
    char wanted[NAME_HOST_BYTES];
    while (names_next_wanted(resolve->segment, &cursor, &cell, wanted)) {
        if (strcmp(wanted, host) == 0) {
            names_answered(resolve->segment, cell);
        }
    }
}

static void
end_child(struct child *child)
{
    struct resolve *resolve = child->resolve;
    loop_timer_clear(resolve->loop, &child->deadline);
    loop_remove(resolve->loop, &child->io);
    sys_close(&child->fd);
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    child->pid = 0;
    if (child->got_bytes != sizeof child->answer || child->answer.count > NAME_ADDRESSES_MAX) {
        child->answer = (struct names_answer){ .state = NAMES_FAILED };
        str_copy(child->answer.why, sizeof child->answer.why,
                 STR("the resolver did not answer in time"));
    }
    child->answer.why[sizeof child->answer.why - 1] = '\0';
    store(resolve, child->host, &child->answer);
    tell(resolve, child->host);
    start_next(resolve);
}

static void
on_answer(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct child *child = LIST_OWNER(io, struct child, io);
    char *to = (char *)&child->answer;
    ssize_t got = read(child->fd, to + child->got_bytes, sizeof child->answer - child->got_bytes);
    if (got > 0) {
        child->got_bytes += (size_t)got;
    }
    if (got <= 0 || child->got_bytes == sizeof child->answer) {
        end_child(child);
    }
}

static void
on_deadline(struct loop_timer *timer)
{
    end_child(LIST_OWNER(timer, struct child, deadline));
}

/* The child keeps its pipe's end and nothing else of ours. */
static void
start_child(struct resolve *resolve, struct child *child, const char *host)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return;
    }
    memcpy(child->host, host, sizeof child->host);
    child->got_bytes = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(ends[1], 3) != 3) {
            _exit(1);
        }
        close_range(4, ~0u, 0);
        look_up(child->host, 3);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return;
    }
    child->resolve = resolve;
    child->pid = pid;
    child->fd = ends[0];
    child->io.on_ready = on_answer;
    child->deadline.on_due = on_deadline;
    enum err err = loop_add_level(resolve->loop, &child->io, child->fd);
    CHECK(err == ERR_OK);
    loop_timer_set(resolve->loop, &child->deadline,
                   loop_now_ms(resolve->loop) + RESOLVE_DEADLINE_MS);
}

static void
start_next(struct resolve *resolve)
{
    for (uint32_t i = 0; i < RESOLVE_CHILDREN && resolve->queue_count > 0; i++) {
        struct child *child = &resolve->children[i];
        if (child->pid != 0) {
            continue;
        }
        char host[NAME_HOST_BYTES];
        memcpy(host, resolve->queue[0], sizeof host);
        resolve->queue_count--;
        memmove(resolve->queue[0], resolve->queue[1],
                resolve->queue_count * sizeof resolve->queue[0]);
        start_child(resolve, child, host);
    }
}

static bool
is_under_way(const struct resolve *resolve, const char *host)
{
    for (uint32_t i = 0; i < RESOLVE_CHILDREN; i++) {
        if (resolve->children[i].pid != 0 && strcmp(resolve->children[i].host, host) == 0) {
            return true;
        }
    }
    for (uint32_t i = 0; i < resolve->queue_count; i++) {
        if (strcmp(resolve->queue[i], host) == 0) {
            return true;
        }
    }
    return false;
}

static void
enqueue(struct resolve *resolve, const char *host)
{
    if (is_under_way(resolve, host) || resolve->queue_count == QUEUE_MAX) {
        return;
    }
    str_copy(resolve->queue[resolve->queue_count++], NAME_HOST_BYTES, str_of(host));
    start_next(resolve);
}

void
resolve_wanted(struct resolve *resolve)
{
    uint32_t cursor = 0;
    uint32_t cell = 0;
    char host[NAME_HOST_BYTES];
    while (names_next_wanted(resolve->segment, &cursor, &cell, host)) {
        enqueue(resolve, host);
    }
}

void
resolve_name(struct resolve *resolve, struct str host)
{
    struct sockaddr_storage literal;
    socklen_t literal_bytes = 0;
    char name[NAME_HOST_BYTES];
    struct names_answer answer;
    if (address_literal(host, 1, &literal, &literal_bytes) || !str_copy(name, sizeof name, host)) {
        return;
    }
    if (names_find(resolve->segment, host, &answer) == ERR_OK && answer.state != NAMES_UNKNOWN) {
        bool is_good = answer.good_ms == answer.resolved_ms;
        uint32_t wait_ms = resolve->interval_ms;
        wait_ms = is_good || wait_ms < FAILED_INTERVAL_MS ? wait_ms : FAILED_INTERVAL_MS;
        if (loop_now_ms(resolve->loop) < answer.resolved_ms + wait_ms) {
            return;
        }
    }
    enqueue(resolve, name);
}

enum err
resolve_make(struct loop *loop, struct segment *segment, uint32_t slot, uint32_t interval_ms,
             struct resolve **out)
{
    struct resolve *resolve = calloc(1, sizeof *resolve);
    if (resolve == NULL) {
        return ERR_FULL;
    }
    resolve->loop = loop;
    resolve->segment = segment;
    resolve->slot = slot;
    resolve->interval_ms = interval_ms;
    *out = resolve;
    return ERR_OK;
}

void
resolve_free(struct resolve *resolve)
{
    for (uint32_t i = 0; resolve != NULL && i < RESOLVE_CHILDREN; i++) {
        struct child *child = &resolve->children[i];
        if (child->pid != 0) {
            kill(child->pid, SIGKILL);
            waitpid(child->pid, NULL, 0);
            sys_close(&child->fd);
        }
    }
    free(resolve);
}
