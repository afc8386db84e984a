/*
 * rig.c - see rig.h.
 */
#include "rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/listen.h"

#define READ_BYTES (8u * 1024 * 1024)
static char read_text[READ_BYTES + 1];
static size_t read_len;

static struct rig *
rig_of(const struct server_request *request)
{
    return server_context(request);
}

static void
note(struct rig *rig, const char *event)
{
    cr_assert(buf_append(&rig->events, str_of(event)) == ERR_OK);
}

static bool
has_path(const struct server_request *request, const char *path)
{
    return str_equal(request->head.path, str_of(path));
}

static void
write_text(struct server_request *request, const char *text)
{
    cr_assert(server_write(request, str_of(text)) == ERR_OK);
    server_flush(request);
}

static void
answer_big(struct rig *rig, struct server_request *request)
{
    char *big = malloc(rig->big_bytes);
    for (size_t i = 0; i < rig->big_bytes; i++) {
        big[i] = (char)('a' + i % 26);
    }
    server_answer(request, 200, STR(""), str_make(big, rig->big_bytes));
    free(big);
}

static void
answer(struct rig *rig, struct server_request *request)
{
    char line[256];
    if (has_path(request, "/stream")) {
        server_begin(request, 200, STR("x-kind: stream\r\n"), SERVER_CHUNKED);
        server_release(request);
        write_text(request, "one");
        write_text(request, "two");
        write_text(request, "three");
        server_end(request, true);
    } else if (has_path(request, "/cut")) {
        server_begin(request, 200, STR(""), SERVER_CHUNKED);
        write_text(request, "one");
        server_end(request, false);
    } else if (has_path(request, "/big")) {
        answer_big(rig, request);
    } else if (has_path(request, "/bytes")) {
        int len = snprintf(line, sizeof(line), "x-bytes: %zu\r\n", request->body.len);
        server_answer(request, 200, str_make(line, (size_t)len), STR(""));
    } else {
        int len = snprintf(line, sizeof(line), "%.*s %.*s %zu:%.*s", STR_ARG(request->head.method),
                           STR_ARG(request->head.path), request->body.len,
                           (int)(request->body.len < 100 ? request->body.len : 100),
                           request->body.len == 0 ? "" : request->body.data);
        server_answer(request, 200, STR("x-a: b\r\n"), str_make(line, (size_t)len));
    }
}

static void
on_head(struct server_request *request)
{
    struct rig *rig = rig_of(request);
    note(rig, "head ");
    if (server_peer_uid(request, &rig->uid) != ERR_OK) {
        rig->uid = 0xffffffff;
    }
    if (has_path(request, "/deny")) {
        server_answer(request, 401, STR(""), STR("denied"));
        return;
    }
    server_take_body(request, rig->take_max);
}

static void
on_body(struct server_request *request)
{
    struct rig *rig = rig_of(request);
    note(rig, "body ");
    rig->body_bytes = request->body.len;
    if (has_path(request, "/later")) {
        rig->held = request;
        return;
    }
    answer(rig, request);
}

static void
on_gone(struct server_request *request, bool is_half)
{
    struct rig *rig = rig_of(request);
    note(rig, is_half ? "half " : "gone ");
    if (is_half ? rig->ends_when_half : rig->ends_when_gone) {
        if (rig->held == request) {
            rig->held = NULL;
        }
        server_end(request, false);
    }
}

static void
on_room(struct server_request *request)
{
    note(rig_of(request), "room ");
}

static void
on_bad(struct server_request *request, const struct parser_error *error)
{
    char text[512];
    (void)snprintf(text, sizeof(text), "bad:%u ", error->status);
    note(rig_of(request), text);
    (void)snprintf(text, sizeof(text), "%s: %s", error->code, error->message);
    server_answer(request, error->status, STR(""), str_of(text));
}

static const struct server_hooks hooks = {
    .on_head = on_head,
    .on_body = on_body,
    .on_gone = on_gone,
    .on_room = on_room,
    .on_bad = on_bad,
};

void
rig_init(struct rig *rig)
{
    *rig = (struct rig){ .listen_fd = -1, .ends_when_gone = true, .take_max = UINT64_MAX };
    rig->conf = (struct httpconf){
        .body_bytes_max = 64 * 1024 * 1024,
        .body_pool_bytes = 1024 * 1024 * 1024,
        .conns_max = 100,
        .conns_per_address = 100,
        .head_timeout_ms = 5000,
        .body_timeout_ms = 5000,
        .body_rate_min = 1024,
        .idle_timeout_ms = 5000,
        .send_timeout_ms = 5000,
        .requests_per_conn = 1000,
        .backlog = 100,
    };
    buf_init(&rig->events, 1024 * 1024);
}

void
rig_start(struct rig *rig, uint32_t conns_max)
{
    char why[LISTEN_WHY_BYTES];
    enum err err = rig->path[0] != '\0'
                       ? listen_open_unix(rig->path, &rig->listen_fd, why)
                       : listen_open("127.0.0.1:0", 100, true, &rig->listen_fd, why);
    cr_assert(err == ERR_OK, "%s", why);
    cr_assert(loop_make(1000, 1000, &rig->loop) == ERR_OK);
    struct server_want want = { rig->loop, &rig->conf, &hooks, rig, conns_max };
    cr_assert(server_make(&want, &rig->server) == ERR_OK);
    cr_assert(server_listen(rig->server, rig->listen_fd) == ERR_OK);
}

void
rig_stop(struct rig *rig)
{
    server_free(rig->server);
    loop_free(rig->loop);
    buf_fini(&rig->events);
}

int
rig_connect(struct rig *rig)
{
    struct sockaddr_storage to = { 0 };
    socklen_t bytes = sizeof(to);
    cr_assert(getsockname(rig->listen_fd, (struct sockaddr *)&to, &bytes) == 0);
    if (rig->path[0] != '\0') {
        struct sockaddr_un *local = (struct sockaddr_un *)(void *)&to;
        (void)snprintf(local->sun_path, sizeof(local->sun_path), "%s", rig->path);
        bytes = sizeof(*local);
    }
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(connect(fd, (struct sockaddr *)&to, bytes) == 0, "%s", strerror(errno));
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

void
rig_pump(struct rig *rig, uint64_t ms)
{
    uint64_t until = clock_now_ms() + ms;
    do {
        loop_turn(rig->loop, 1);
    } while (clock_now_ms() < until);
}

/* Stops when the server has closed: what is left over is the test's to see. */
void
rig_send_bytes(struct rig *rig, int fd, const void *bytes, size_t len)
{
    size_t at = 0;
    for (int idle = 0; at < len && idle < 3000;) {
        ssize_t sent = send(fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
        if (sent > 0) {
            at += (size_t)sent;
            idle = 0;
        } else if (errno != EAGAIN) {
            return;
        } else {
            idle++;
            loop_turn(rig->loop, 1);
        }
    }
}

void
rig_send(struct rig *rig, int fd, const char *text)
{
    rig_send_bytes(rig, fd, text, strlen(text));
}

const char *
rig_read(struct rig *rig, int fd, const char *mark)
{
    uint64_t until = clock_now_ms() + 20000;
    read_len = 0;
    read_text[0] = '\0';
    while (clock_now_ms() < until && (mark == NULL || strstr(read_text, mark) == NULL)) {
        loop_turn(rig->loop, 1);
        ssize_t got = recv(fd, read_text + read_len, READ_BYTES - read_len, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            break;
        }
        read_len += got > 0 ? (size_t)got : 0;
        read_text[read_len] = '\0';
    }
    return read_text;
}

size_t
rig_read_bytes(void)
{
    return read_len;
}

char
rig_closed(struct rig *rig, int fd, uint64_t ms)
{
    uint64_t until = clock_now_ms() + ms;
    char byte;
    do {
        loop_turn(rig->loop, 1);
        ssize_t got = recv(fd, &byte, 1, 0);
        if (got == 0) {
            return 'E';
        }
        if (got < 0 && errno != EAGAIN) {
            return 'R';
        }
    } while (clock_now_ms() < until);
    return 0;
}

bool
rig_saw(struct rig *rig, const char *event)
{
    uint64_t until = clock_now_ms() + 20000;
    do {
        struct str events = buf_str(&rig->events);
        if (events.len > 0 && memmem(events.data, events.len, event, strlen(event)) != NULL) {
            return true;
        }
        loop_turn(rig->loop, 1);
    } while (clock_now_ms() < until);
    return false;
}

void
rig_release(struct rig *rig, const char *text)
{
    cr_assert(rig->held != NULL);
    struct server_request *request = rig->held;
    rig->held = NULL;
    server_answer(request, 200, STR(""), str_of(text));
}

const char *
rig_talk(struct rig *rig, const char *text, const char *mark)
{
    int fd = rig_connect(rig);
    rig_send(rig, fd, text);
    const char *got = rig_read(rig, fd, mark);
    (void)close(fd);
    rig_pump(rig, 2);
    return got;
}
