/*
 * playwire.c - see play.h: the raw HTTP client. It takes an answer apart by itself and notices
 * wrong framing, so that it can judge the gateway.
 */
#include "tests/scenario/play.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536
#define FIRST_FD 64 /* playworld_after_test closes from here */

static void
put(struct play_bytes *b, const char *p, size_t n)
{
    if (b->len + n + 1 > b->cap) {
        size_t cap = (b->len + n + 1) * 2;
        char *more = play_memory(cap);
        if (b->len > 0) {
            memcpy(more, b->data, b->len);
        }
        b->data = more;
        b->cap = cap;
    }
    memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}

static void
drop(struct play_bytes *b, size_t n)
{
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

struct play_conn *
play_open(uint16_t port)
{
    struct play_conn *c = play_memory(sizeof(*c));
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    close(fd);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    put(&c->in, "", 0);
    put(&c->body, "", 0);
    if (connect(c->fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        close(c->fd);
        c->fd = -1;
        c->closed = true;
    }
    return c;
}

void
play_close(struct play_conn *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
    c->closed = true;
}

void
play_reset(struct play_conn *c)
{
    struct linger linger = { 1, 0 };
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    play_close(c);
}

void
play_write(struct play_conn *c, const char *data, size_t len)
{
    uint64_t end = play_now_ms() + 10000;
    while (len > 0 && c->fd >= 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = { c->fd, POLLOUT, 0 };
            PLAY_NEED(play_now_ms() < end, "the peer takes no bytes");
            poll(&p, 1, 100);
            continue;
        }
        if (n < 0) {
            return; /* The peer has closed: reading will show its answer. */
        }
        data += n;
        len -= (size_t)n;
    }
}

void
play_print(struct play_conn *c, const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    PLAY_NEED(n >= 0 && (size_t)n < sizeof(text), "text too long for play_print");
    play_write(c, text, (size_t)n);
}

/* One read into `in`; false at the end, on an error, or after the time. */
static bool
fill(struct play_conn *c, uint64_t end)
{
    char piece[READ_BYTES];
    if (c->closed) {
        return false;
    }
    uint64_t now = play_now_ms();
    struct pollfd p = { c->fd, POLLIN, 0 };
    if (poll(&p, 1, now >= end ? 0 : (int)(end - now)) <= 0) {
        return false;
    }
    ssize_t n = recv(c->fd, piece, sizeof(piece), 0);
    if (n <= 0) {
        c->closed = true;
        return false;
    }
    put(&c->in, piece, (size_t)n);
    return true;
}

char *
play_field(const struct play_answer *a, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = a->head; line != NULL; line = strstr(line, "\r\n")) {
        line += line[0] == '\r' ? 2 : 0;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1;
            value += strspn(value, " \t");
            return play_text("%.*s", (int)strcspn(value, "\r"), value);
        }
    }
    return NULL;
}

static void
note_form(struct play_conn *c, const struct play_answer *a)
{
    char *length = play_field(a, "content-length");
    char *coding = play_field(a, "transfer-encoding");
    c->body.len = 0;
    c->body.data[0] = '\0';
    c->used = 0;
    c->ended = false;
    c->left = coding != NULL ? -1 : length != NULL ? (int64_t)strtoll(length, NULL, 10) : -2;
    if (coding != NULL && length != NULL) {
        c->broken = true; /* Never both. */
    }
    if (a->status == 204 || a->status == 304) {
        c->left = 0;
    }
    c->ended = c->left == 0;
}

struct play_answer
play_read_head(struct play_conn *c, unsigned ms)
{
    uint64_t start = play_now_ms();
    struct play_answer a = { .head = play_text("%s", ""), .body = play_text("%s", "") };
    for (;;) {
        char *end = strstr(c->in.data, "\r\n\r\n");
        if (end == NULL) {
            if (!fill(c, start + ms)) {
                break;
            }
            continue;
        }
        size_t bytes = (size_t)(end - c->in.data) + 4;
        a.head = play_text("%.*s", (int)bytes - 2, c->in.data);
        bool fine = sscanf(a.head, "HTTP/1.1 %d ", &a.status) == 1;
        drop(&c->in, bytes);
        if (!fine) {
            a.status = -1;
            break;
        }
        if (a.status >= 200) {
            note_form(c, &a);
            break;
        }
    }
    a.closed = c->closed;
    a.ms = play_now_ms() - start;
    return a;
}

/* Takes one chunk out of `in`; false when it is not whole yet. */
static bool
take_chunk(struct play_conn *c)
{
    char *line = strstr(c->in.data, "\r\n");
    if (line == NULL) {
        return false;
    }
    char *stop;
    size_t size = strtoul(c->in.data, &stop, 16);
    size_t skip = (size_t)(line - c->in.data) + 2;
    if (stop == c->in.data || stop != line) {
        c->broken = true;
        return false;
    }
    if (c->in.len < skip + size + 2) {
        return false;
    }
    c->broken = c->broken || memcmp(c->in.data + skip + size, "\r\n", 2) != 0;
    put(&c->body, c->in.data + skip, size);
    drop(&c->in, skip + size + 2);
    c->ended = size == 0;
    return true;
}

static bool
take_body(struct play_conn *c)
{
    size_t before = c->body.len;
    if (c->left == -1) {
        while (!c->ended && !c->broken && take_chunk(c)) {
        }
        return c->body.len > before || c->ended;
    }
    size_t n = c->in.len;
    if (c->left >= 0 && (int64_t)n > c->left) {
        n = (size_t)c->left;
    }
    put(&c->body, c->in.data, n);
    drop(&c->in, n);
    if (c->left >= 0) {
        c->left -= (int64_t)n;
        c->ended = c->left == 0;
    }
    return n > 0;
}

bool
play_more(struct play_conn *c, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    while (!c->ended && !c->broken) {
        if (take_body(c)) {
            return true;
        }
        if (!fill(c, end)) {
            if (c->closed) {
                c->ended = c->left == -2;
                c->broken = !c->ended;
            }
            return false;
        }
    }
    return false;
}

struct play_answer
play_read(struct play_conn *c, unsigned ms)
{
    uint64_t start = play_now_ms();
    struct play_answer a = play_read_head(c, ms);
    if (a.status <= 0) {
        return a;
    }
    while (play_now_ms() < start + ms && !c->ended && !c->broken) {
        (void)play_more(c, (unsigned)(start + ms - play_now_ms()));
    }
    a.body = play_memory(c->body.len + 1);
    memcpy(a.body, c->body.data, c->body.len);
    a.body_len = c->body.len;
    a.whole = c->ended && !c->broken;
    a.closed = c->closed;
    a.ms = play_now_ms() - start;
    return a;
}

char *
play_event(struct play_conn *c, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    for (;;) {
        char *from = c->body.data + c->used;
        char *stop = strstr(from, "\n\n");
        if (stop != NULL) {
            c->used += (size_t)(stop - from) + 2;
            return play_text("%.*s", (int)(stop - from), from);
        }
        uint64_t now = play_now_ms();
        if (!play_more(c, now >= end ? 0 : (unsigned)(end - now))) {
            return NULL;
        }
    }
}

bool
play_is_closed(struct play_conn *c, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    if (c->in.len > 0) {
        return false;
    }
    while (!c->closed && play_now_ms() <= end) {
        if (fill(c, end)) {
            return false;
        }
    }
    return c->closed;
}

struct play_answer
play_request(uint16_t port, const char *method, const char *target, const char *fields,
             const char *body, size_t body_len)
{
    struct play_conn *c = play_open(port);
    PLAY_NEED(c->fd >= 0, "cannot connect to port %u: %s", port, strerror(errno));
    char *head = play_text("%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s", method, target, port,
                           fields == NULL ? "" : fields);
    if (body != NULL) {
        head = play_text("%sContent-Length: %zu\r\n", head, body_len);
    }
    head = play_text("%s\r\n", head);
    size_t len = strlen(head);
    char *all = play_memory(len + body_len + 1);
    memcpy(all, head, len);
    if (body != NULL) {
        memcpy(all + len, body, body_len);
    }
    play_write(c, all, len + (body == NULL ? 0 : body_len));
    struct play_answer a = play_read(c, 15000);
    play_close(c);
    return a;
}

/* Each client sends its key in its own way; the gateway takes all of them everywhere. */
static const char *
key_field(const char *target)
{
    return strstr(target, "/messages") != NULL ? "x-api-key: "
           : strstr(target, "models/") != NULL ? "x-goog-api-key: "
                                               : "Authorization: Bearer ";
}

struct play_answer
play_post(const char *target, const char *body)
{
    char *fields =
        play_text("%s%s\r\nContent-Type: application/json\r\n", key_field(target), play_world.key);
    return play_request(play_world.port, "POST", target, fields, body, strlen(body));
}

char *
play_post_text(const char *target, const char *body)
{
    return play_text("POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     target, play_world.port, key_field(target), play_world.key, strlen(body),
                     body);
}

void
play_fake_reset(void)
{
    struct play_answer a = play_request(play_world.fake_port, "POST", "/__fake/reset", NULL, "", 0);
    PLAY_NEED(a.status == 200, "the fake does not reset: %d", a.status);
}

uint64_t
play_fake_stat(const char *path)
{
    struct play_answer a =
        play_request(play_world.fake_port, "GET", "/__fake/stats", NULL, NULL, 0);
    uint64_t value = play_json_number(a.body, path);
    return value == UINT64_MAX ? 0 : value;
}

bool
play_fake_wait(const char *path, uint64_t value, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    while (play_fake_stat(path) != value) {
        if (play_now_ms() >= end) {
            return false;
        }
        play_sleep(20);
    }
    return true;
}

char *
play_fake_requests(void)
{
    return play_request(play_world.fake_port, "GET", "/__fake/requests", NULL, NULL, 0).body;
}
