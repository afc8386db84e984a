/*
 * reckonload.c - see reckon.h: the clients. One request a connection; what came is kept and looked
 * at when it ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/crash/reckon.h"

#define CONNS_MAX 64u
#define ANSWER_BYTES (256u * 1024)
#define REQUEST_BYTES 4096u
#define THINK_MS 120u       /* between two requests of a client, at most */
#define THINK_FULL_MS 2500u /* so that the prices last as long as the full size does */
#define STUCK_MS 60000u
#define KILLS_MAX 4096u
#define BEHIND_MS 1000u /* an answer may be whole before its worker has written it down */
#define DRAIN_MS 6000u  /* it may be read on for who left */

struct client {
    int fd; /* -1: none */
    uint32_t number;
    uint64_t next_ms;  /* idle: not before this */
    uint64_t leave_ms; /* 0 = stays */
    size_t len;
    char in[ANSWER_BYTES];
};

static struct client clients[CONNS_MAX];
static uint32_t client_count;
static struct reckon_request requests[RECKON_REQUESTS_MAX];
static struct reckon_ask asks[CONNS_MAX];
static uint32_t started;
static uint32_t most;
static uint32_t running;
static bool is_allowed;
static uint64_t kills[KILLS_MAX];
static uint32_t kill_count;

void
reckonload_begin(uint32_t conns, uint32_t requests_max)
{
    PLAY_NEED(conns <= CONNS_MAX && requests_max <= RECKON_REQUESTS_MAX, "too many");
    client_count = conns;
    most = requests_max;
    is_allowed = true;
    for (uint32_t i = 0; i < conns; i++) {
        clients[i].fd = -1;
        clients[i].next_ms = play_now_ms() + crash_random(200);
    }
}

void
reckonload_allow(bool allowed)
{
    is_allowed = allowed;
}

uint32_t
reckonload_started(void)
{
    return started;
}

const struct reckon_request *
reckonload_request(uint32_t number)
{
    return number < started ? &requests[number] : NULL;
}

void
reckonload_killed(void)
{
    PLAY_NEED(kill_count < KILLS_MAX, "too many kills");
    kills[kill_count++] = play_now_ms();
}

bool
reckonload_is_excused(const struct reckon_request *request)
{
    uint64_t behind_ms = request->outcome == CRASH_LEFT ? DRAIN_MS : BEHIND_MS;
    for (uint32_t i = 0; i < kill_count; i++) {
        if (kills[i] + 1 >= request->start_ms && kills[i] <= request->end_ms + behind_ms) {
            return true;
        }
    }
    return false;
}

/* --- what came --- */

/* Takes the framing out of a chunked body; false: its end is missing. */
static bool
dechunk(char *body, size_t *len)
{
    size_t out = 0;
    size_t at = 0;
    bool is_whole = false;
    while (at < *len && !is_whole) {
        char *line = memchr(body + at, '\n', *len - at);
        if (line == NULL) {
            break;
        }
        size_t size = strtoul(body + at, NULL, 16);
        at = (size_t)(line - body) + 1;
        size_t here = size < *len - at ? size : *len - at;
        memmove(body + out, body + at, here);
        out += here;
        at += here + 2;
        is_whole = size == 0;
    }
    *len = out;
    body[out] = '\0';
    return is_whole;
}

/* The text that came for certain: pieces are told apart by their numbers. */
static uint32_t
text_of(const struct reckon_ask *ask, const char *body)
{
    if (strstr(body, "You said: ") == NULL || strstr(body, ask->text) == NULL) {
        return 0;
    }
    for (uint32_t pieces = ask->pieces; pieces > 1; pieces--) {
        char mark[16];
        snprintf(mark, sizeof(mark), "t%05u", pieces);
        if (strstr(body, mark) != NULL) {
            return reckonplan_text_bytes(ask, pieces);
        }
    }
    return reckonplan_text_bytes(ask, 1);
}

/* Whole or not, by the answer's framing. */
static bool
read_answer(struct client *c, const struct reckon_ask *ask, struct reckon_request *r)
{
    unsigned status = 0;
    c->in[c->len] = '\0';
    (void)sscanf(c->in, "HTTP/1.1 %u", &status);
    r->status = (uint16_t)status;
    r->has_begun = status == 200;
    char *end = strstr(c->in, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    *end = '\0';
    char *body = end + 4;
    size_t len = c->len - (size_t)(body - c->in);
    const char *length = strcasestr(c->in, "content-length: ");
    bool is_whole = length != NULL ? strtoul(length + 16, NULL, 10) == len : dechunk(body, &len);
    r->text_bytes = r->has_begun ? text_of(ask, body) : 0;
    return is_whole;
}

static void
end_request(struct client *c, bool has_left)
{
    struct reckon_request *r = &requests[c->number];
    const struct reckon_ask *ask = &asks[c - clients];
    bool is_whole = read_answer(c, ask, r);
    r->end_ms = play_now_ms();
    r->outcome = has_left           ? CRASH_LEFT
                 : !is_whole        ? CRASH_CUT
                 : r->status == 200 ? CRASH_WHOLE
                                    : CRASH_ERROR;
    close(c->fd);
    c->fd = -1;
    c->next_ms = r->end_ms + crash_random(crash_size(THINK_MS, THINK_FULL_MS));
    running--;
}

/* --- the connections --- */

static bool
open_client(struct client *c)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(play_world.port) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PLAY_NEED(fd >= 0, "socket: %s", strerror(errno));
    c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 64); /* play closes from 64 on after a test */
    close(fd);
    if (connect(c->fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        close(c->fd);
        c->fd = -1;
        c->next_ms = play_now_ms() + 200;
    }
    return c->fd >= 0;
}

static void
start_request(struct client *c)
{
    char text[REQUEST_BYTES];
    if (started == most || !open_client(c)) {
        return;
    }
    struct reckon_ask *ask = &asks[c - clients];
    c->number = started++;
    *ask = reckonplan_ask(c->number);
    struct reckon_request *r = &requests[c->number];
    *r = (struct reckon_request){ .outcome = CRASH_RUNNING, .start_ms = play_now_ms() };
    size_t n = reckonplan_write(ask, reckonplan_key(ask->group, ask->user), text, sizeof(text),
                                &r->body_bytes);
    c->len = 0;
    c->leave_ms = ask->leave_ms == 0 ? 0 : r->start_ms + ask->leave_ms;
    running++;
    if (send(c->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n) {
        end_request(c, false);
    }
}

static void
go_away(struct client *c)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    if (c->number % 2 == 0) {
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    end_request(c, true);
}

static void
on_ready(struct client *c)
{
    PLAY_NEED(c->len < ANSWER_BYTES - 1, "an answer is far too long");
    ssize_t n = recv(c->fd, c->in + c->len, ANSWER_BYTES - 1 - c->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        end_request(c, false);
        return;
    }
    c->len += (size_t)n;
}

static void
turn(struct client *c, uint64_t now)
{
    if (c->fd < 0) {
        if (is_allowed && now >= c->next_ms) {
            start_request(c);
        }
        return;
    }
    if (c->leave_ms != 0 && now >= c->leave_ms) {
        go_away(c);
    } else if (now - requests[c->number].start_ms > STUCK_MS) {
        PLAY_CHECK(false, "request %u gets no answer", c->number);
        go_away(c);
    }
}

void
reckonload_run(unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    do {
        struct pollfd fds[CONNS_MAX];
        uint64_t now = play_now_ms();
        for (uint32_t i = 0; i < client_count; i++) {
            turn(&clients[i], now);
            fds[i] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
        }
        if (poll(fds, client_count, 5) <= 0) {
            continue;
        }
        for (uint32_t i = 0; i < client_count; i++) {
            if (fds[i].revents != 0 && clients[i].fd == fds[i].fd) {
                on_ready(&clients[i]);
            }
        }
    } while (play_now_ms() < end);
}

bool
reckonload_finish(unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    is_allowed = false;
    while (running > 0 && play_now_ms() < end) {
        reckonload_run(5);
    }
    return running == 0;
}
