/*
 * crashload.c - see crash.h: the clients. One poll loop over all connections; each connection sends
 * one request after the other, sometimes on a fresh connection, and compares every byte it gets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/crash/crash.h"

#define ANSWER_BYTES 32768u
#define REQUEST_BYTES 2048u
#define STUCK_MS 60000u /* an answer that takes longer never comes */
#define THINK_MS 60u    /* between two requests of a connection, at most */
#define CLOSE_ONE_OF 8u /* requests are followed by a new connection */
#define BOUND_ONE_OF 3u /* requests belong to a session, and wait for its account alone */
#define SESSIONS 4u     /* few: more of one at once than its account has places */
#define MARK "987654"   /* the number in the reference answers */
#define MARK_BYTES 6u   /* numbers are written with as many digits */
#define ID_TEXT "chatcmpl-"
#define ID_DIGITS 16u
#define KINDS 4u
#define COMPLAINTS 12u

/* Seven of ten are no streams. */
struct kind {
    const char *model;
    bool is_stream;
    uint32_t share; /* of 100 */
    char *answer;   /* the right one for MARK, decoded */
    size_t answer_bytes;
};

static struct kind kinds[KINDS] = {
    { .model = "fake-slowhead10-q", .share = 40 },
    { .model = "fake-slowhead50-q", .share = 30 },
    { .model = "fake-n6-gap15-q", .is_stream = true, .share = 15 },
    { .model = "fake-n25-gap20-q", .is_stream = true, .share = 15 },
};

struct client {
    int fd; /* -1: none */
    uint16_t port;
    bool is_busy;
    bool is_reused;
    bool is_excused; /* its process is being killed */
    bool has_head;
    uint32_t number;
    uint32_t before;   /* the request before it, or the same */
    uint64_t next_ms;  /* idle: not before this; busy: since when */
    uint64_t leave_ms; /* goes away then; 0 = stays */
    int64_t left;      /* body bytes to come; -1 = chunked */
    size_t raw;        /* bytes in `in` */
    size_t len;        /* bytes in `body` */
    char in[ANSWER_BYTES];
    char body[ANSWER_BYTES];
};

static struct client clients[CRASH_CONNS];
static uint32_t client_count;
static struct crash_request *requests;
static uint32_t started;
static uint32_t running;
static uint32_t outcomes[CRASH_MISSED + 1];
static uint32_t leaving;
static bool is_allowed;
static bool is_all_excused;

static size_t
write_request(uint32_t number, uint32_t kind, char *out)
{
    char body[REQUEST_BYTES];
    int n = snprintf(
        body, sizeof(body),
        "{\"model\":\"%s%06u\",%s\"messages\":[{\"role\":\"user\",\"content\":"
        "\"m%06u %.*s\"}]}",
        kinds[kind].model, number,
        kinds[kind].is_stream ? "\"stream\":true,\"stream_options\":{\"include_usage\":true}," : "",
        number, 100,
        "Whatever dies, this text and its answer come through whole or "
        "not at all, and are paid for once.");
    char target_key[64];
    snprintf(target_key, sizeof(target_key), "sk-crash-%u-0123456789abcdefghijABCDEFGHIJ",
             number % CRASH_KEYS);
    char session[64] = "";
    if (number % BOUND_ONE_OF == 0) {
        snprintf(session, sizeof(session), "X-Session-Id: crash-%u\r\n",
                 number / BOUND_ONE_OF % SESSIONS);
    }
    int m = snprintf(out, REQUEST_BYTES,
                     "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                     "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                     "%sContent-Length: %d\r\n\r\n%s",
                     target_key, session, n, body);
    PLAY_NEED(m > 0 && (size_t)m < REQUEST_BYTES, "a request is too long");
    return (size_t)m;
}

static void
learn(uint32_t kind)
{
    if (kinds[kind].answer != NULL) {
        return;
    }
    char text[REQUEST_BYTES];
    (void)write_request((uint32_t)atoi(MARK), kind, text);
    const char *body = strstr(text, "\r\n\r\n") + 4;
    struct play_answer a = play_request(crash_fake_port, "POST", "/v1/chat/completions",
                                        "Authorization: Bearer sk-crash-upstream\r\n"
                                        "Content-Type: application/json\r\n",
                                        body, strlen(body));
    PLAY_NEED(a.status == 200 && a.whole && strstr(a.body, ID_TEXT) != NULL,
              "the fake's own answer: %d %s", a.status, a.body);
    kinds[kind].answer = strdup(a.body);
    kinds[kind].answer_bytes = a.body_len;
}

/* Equal to the reference but for the number and the id, which must be one throughout. */
static bool
is_right(uint32_t kind, uint32_t number, const char *body, size_t len)
{
    const char *right = kinds[kind].answer;
    char digits[16];
    snprintf(digits, sizeof(digits), "%06u", number);
    const char *id = NULL;
    if (len != kinds[kind].answer_bytes) {
        return false;
    }
    for (size_t i = 0; i < len;) {
        if (strncmp(right + i, MARK, MARK_BYTES) == 0) {
            if (memcmp(body + i, digits, MARK_BYTES) != 0) {
                return false;
            }
            i += MARK_BYTES;
            continue;
        }
        if (right[i] != body[i]) {
            return false;
        }
        i++;
        if (i >= sizeof(ID_TEXT) - 1 &&
            memcmp(right + i - (sizeof(ID_TEXT) - 1), ID_TEXT, sizeof(ID_TEXT) - 1) == 0) {
            id = id == NULL ? body + i : id;
            if (memcmp(body + i, id, ID_DIGITS) != 0) {
                return false;
            }
            i += ID_DIGITS;
        }
    }
    return true;
}

void
crashload_begin(uint32_t conns)
{
    PLAY_NEED(conns <= CRASH_CONNS, "too many connections");
    for (uint32_t i = 0; i < KINDS; i++) {
        learn(i);
    }
    free(requests);
    requests = calloc(CRASH_REQUESTS_MAX, sizeof(*requests));
    PLAY_NEED(requests != NULL, "no memory");
    memset(outcomes, 0, sizeof(outcomes));
    client_count = conns;
    started = 0;
    running = 0;
    leaving = 0;
    is_allowed = true;
    is_all_excused = false;
    uint64_t now = play_now_ms();
    for (uint32_t i = 0; i < conns; i++) {
        clients[i].fd = -1;
        clients[i].is_busy = false;
        clients[i].number = clients[i].before = 0;
        clients[i].next_ms = now + crash_random(200);
    }
}

struct crash_request *
crashload_request(uint32_t number)
{
    return number < started ? &requests[number] : NULL;
}

uint32_t
crashload_started(void)
{
    return started;
}

uint32_t
crashload_running(void)
{
    return running;
}

uint32_t
crashload_count(enum crash_outcome outcome)
{
    return outcomes[outcome];
}

char *
crashload_text(void)
{
    return play_text("%u requests: %u whole, %u error, %u cut, %u left, %u missed, %u running",
                     started, outcomes[CRASH_WHOLE], outcomes[CRASH_ERROR], outcomes[CRASH_CUT],
                     outcomes[CRASH_LEFT], outcomes[CRASH_MISSED], running);
}

void
crashload_allow(bool allowed)
{
    is_allowed = allowed;
}

void
crashload_set_leaving(uint32_t percent)
{
    leaving = percent;
}

void
crashload_excuse_cuts(void)
{
    is_all_excused = true;
}

void
crashload_excuse(const bool ports[65536])
{
    for (uint32_t i = 0; i < client_count; i++) {
        struct client *c = &clients[i];
        if (c->fd >= 0 && (ports == NULL || ports[c->port])) {
            c->is_excused = true;
            requests[c->number].is_excused = true; /* Idle: perhaps not yet settled. */
        }
        /* Its answer may be whole and the next be sent before it is settled. */
        if (requests[c->before].outcome == CRASH_WHOLE) {
            requests[c->before].is_excused = true;
        }
        if (c->fd < 0) {
            requests[c->number].is_excused = true;
        }
    }
}

static void
hang_up(struct client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
}

static void
end_request(struct client *c, enum crash_outcome outcome)
{
    struct crash_request *r = &requests[c->number];
    r->outcome = outcome;
    outcomes[outcome]++;
    running--;
    c->is_busy = false;
    c->next_ms = play_now_ms() + crash_random(THINK_MS);
    bool is_fine = outcome == CRASH_WHOLE || outcome == CRASH_ERROR;
    if (!is_fine || crash_random(CLOSE_ONE_OF) == 0) {
        hang_up(c);
    }
}

/* Notes what only our kills may explain; a few of them are enough to say what is wrong. */
static void
complain(const struct client *c, const char *what, bool is_excused)
{
    static uint32_t said;
    if (!is_excused && said++ < COMPLAINTS) {
        PLAY_CHECK(false, "request %u (%s) %s: %.*s", c->number, requests[c->number].id, what,
                   c->len > 300 ? 300 : (int)c->len, c->body);
    }
}

/* A stream that waited for its turn begins with comments; the answer is what follows. */
static void
skip_pings(struct client *c)
{
    static const char ping[] = ": ping\n\n";
    size_t skip = 0;
    while (strncmp(c->body + skip, ping, sizeof(ping) - 1) == 0) {
        skip += sizeof(ping) - 1;
    }
    c->len -= skip;
    memmove(c->body, c->body + skip, c->len + 1);
}

static void
on_whole(struct client *c)
{
    struct crash_request *r = &requests[c->number];
    c->body[c->len] = '\0';
    if (kinds[r->kind].is_stream) {
        skip_pings(c);
    }
    if (r->status != 200) {
        complain(c, play_text("got status %u", r->status), r->is_excused && !is_all_excused);
        end_request(c, CRASH_ERROR);
        return;
    }
    if (!is_right(r->kind, c->number, c->body, c->len)) {
        PLAY_CHECK(false, "request %u has a wrong answer: %.600s", c->number, c->body);
    }
    end_request(c, CRASH_WHOLE);
}

static void
on_lost(struct client *c)
{
    if (!c->is_busy) {
        hang_up(c);
        c->next_ms = play_now_ms();
        return;
    }
    if (c->is_reused && !c->has_head && c->raw == 0 && !requests[c->number].is_excused) {
        end_request(c, CRASH_MISSED);
        return;
    }
    complain(c, "was cut", requests[c->number].is_excused);
    end_request(c, CRASH_CUT);
}

static void
take(struct client *c, size_t n)
{
    memmove(c->in, c->in + n, c->raw - n);
    c->raw -= n;
}

/* False: the head is not whole yet. */
static bool
read_head(struct client *c)
{
    struct crash_request *r = &requests[c->number];
    c->in[c->raw] = '\0';
    char *end = strstr(c->in, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    *end = '\0';
    unsigned status = 0;
    (void)sscanf(c->in, "HTTP/1.1 %u", &status);
    r->status = (uint16_t)status;
    const char *id = strstr(c->in, "x-request-id: ");
    if (id != NULL) {
        (void)sscanf(id, "x-request-id: %39[^\r]", r->id);
    }
    const char *length = strstr(c->in, "ontent-length: ");
    if (length == NULL) {
        length = strstr(c->in, "ontent-Length: ");
    }
    c->left = length == NULL ? -1 : atoll(length + 15);
    c->has_head = true;
    take(c, (size_t)(end - c->in) + 4);
    return true;
}

/* One chunk; false: not whole yet. True with *ended: the last. */
static bool
read_chunk(struct client *c, bool *ended)
{
    c->in[c->raw] = '\0';
    char *line = strstr(c->in, "\r\n");
    if (line == NULL) {
        return false;
    }
    size_t size = strtoul(c->in, NULL, 16);
    size_t skip = (size_t)(line - c->in) + 2;
    if (c->raw < skip + size + 2) {
        return false;
    }
    PLAY_NEED(c->len + size < ANSWER_BYTES, "an answer is far too long");
    memcpy(c->body + c->len, c->in + skip, size);
    c->len += size;
    take(c, skip + size + 2);
    *ended = size == 0;
    return true;
}

static void
read_body(struct client *c)
{
    if (c->left < 0) {
        bool ended = false;
        while (!ended && read_chunk(c, &ended)) {
        }
        if (ended) {
            on_whole(c);
        }
        return;
    }
    size_t n = c->raw < (size_t)c->left ? c->raw : (size_t)c->left;
    PLAY_NEED(c->len + n < ANSWER_BYTES, "an answer is far too long");
    memcpy(c->body + c->len, c->in, n);
    c->len += n;
    c->left -= (int64_t)n;
    take(c, n);
    if (c->left == 0) {
        on_whole(c);
    }
}

static void
on_ready(struct client *c)
{
    if (c->raw >= ANSWER_BYTES - 1) {
        PLAY_NEED(false, "a head or chunk is far too long");
    }
    ssize_t n = recv(c->fd, c->in + c->raw, ANSWER_BYTES - 1 - c->raw, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        on_lost(c);
        return;
    }
    c->raw += (size_t)n;
    if (!c->is_busy) {
        PLAY_CHECK(false, "bytes that nobody asked for: %.*s", (int)c->raw, c->in);
        hang_up(c);
        return;
    }
    if (c->has_head || read_head(c)) {
        read_body(c);
    }
}

static void
open_client(struct client *c)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(play_world.port) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PLAY_NEED(fd >= 0, "socket: %s", strerror(errno));
    c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 64); /* play closes from 64 on after a test */
    close(fd);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->is_reused = false;
    c->is_excused = false;
    c->raw = 0;
    if (connect(c->fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        PLAY_CHECK(false, "nobody listens: %s", strerror(errno));
        hang_up(c);
        c->next_ms = play_now_ms() + 200;
        return;
    }
    socklen_t size = sizeof(at);
    getsockname(c->fd, (struct sockaddr *)&at, &size);
    c->port = ntohs(at.sin_port);
}

/* As any client would look before it sends on a kept connection. */
static bool
is_closed_by_peer(const struct client *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void
start_request(struct client *c, uint64_t now)
{
    if (started == CRASH_REQUESTS_MAX) {
        return;
    }
    if (c->fd >= 0 && is_closed_by_peer(c)) {
        hang_up(c);
    }
    bool was_open = c->fd >= 0;
    if (!was_open) {
        open_client(c);
        if (c->fd < 0) {
            return;
        }
    }
    uint32_t dice = crash_random(100);
    uint32_t kind = 0;
    while (dice >= kinds[kind].share) {
        dice -= kinds[kind++].share;
    }
    c->before = c->number;
    c->number = started++;
    c->is_busy = true;
    c->is_reused = was_open;
    c->has_head = false;
    c->len = 0;
    c->next_ms = now;
    c->leave_ms = crash_random(100) < leaving ? now + 1 + crash_random(150) : 0;
    running++;
    requests[c->number] =
        (struct crash_request){ .kind = kind, .is_excused = c->is_excused || is_all_excused };
    char text[REQUEST_BYTES];
    size_t n = write_request(c->number, kind, text);
    if (send(c->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n) {
        on_lost(c);
    }
}

/* With a reset, which is noticed at once, or with an end of its side, which may mean less. */
static void
go_away(struct client *c)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    if (crash_random(2) == 0) {
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    hang_up(c);
    end_request(c, CRASH_LEFT);
}

static void
turn(struct client *c, uint64_t now)
{
    if (!c->is_busy) {
        if (is_allowed && now >= c->next_ms && !crashbook_is_behind()) {
            start_request(c, now);
        }
        return;
    }
    if (c->leave_ms != 0 && now >= c->leave_ms) {
        go_away(c);
    } else if (now - c->next_ms > STUCK_MS) {
        complain(c, "gets no answer", false);
        hang_up(c);
        end_request(c, CRASH_CUT);
    }
}

static void
poll_once(int ms)
{
    struct pollfd fds[CRASH_CONNS];
    uint64_t now = play_now_ms();
    for (uint32_t i = 0; i < client_count; i++) {
        turn(&clients[i], now);
        fds[i] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
    }
    if (poll(fds, client_count, ms) <= 0) {
        return;
    }
    for (uint32_t i = 0; i < client_count; i++) {
        if (fds[i].revents != 0 && clients[i].fd == fds[i].fd) {
            on_ready(&clients[i]);
        }
    }
}

void
crashload_run(unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    do {
        poll_once(5);
        if (crashbook_is_behind()) {
            (void)crashbook_read();
        }
    } while (play_now_ms() < end);
}

bool
crashload_finish(unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    is_allowed = false;
    while (running > 0 && play_now_ms() < end) {
        poll_once(5);
    }
    return running == 0;
}

void
crashload_end(void)
{
    for (uint32_t i = 0; i < client_count; i++) {
        hang_up(&clients[i]);
    }
    client_count = 0;
}
