/*
 * near.h - for tests: a client on a loop and, in the same process and thread, the other end of its
 * connection, which says what the test lets it say.
 */
#ifndef TESTS_UNIT_HTTP_NEAR_H
#define TESTS_UNIT_HTTP_NEAR_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/sys.h"
#include "http/client.h"

#define NEAR_TURNS_MAX 3000

struct near {
    struct loop *loop;
    struct client client;
    int listen_fd;
    int fd; /* the server's end */
    uint32_t accepts;
    bool is_deaf;    /* the server does not read */
    bool has_ended;  /* the client's FIN or reset was seen */
    struct buf got;  /* by the server */
    struct buf body; /* by the client's hooks, of all answers */
    uint32_t readies;
    uint32_t heads;
    uint32_t bodies;
    uint32_t turns;
    uint32_t ends;
    uint32_t fails;
    bool can_keep;
    uint16_t status;
    enum err err;
    enum client_state failed_in;
    bool close_in_head; /* what a hook shall do */
    bool close_in_body;
    bool pause_in_body;
    bool close_in_ready;
    const char *send_in_end; /* a request */
};

static inline struct near *
near_of(struct client *client)
{
    return LIST_OWNER(client, struct near, client);
}

static inline void
near_on_ready(struct client *client)
{
    struct near *near = near_of(client);
    near->readies++;
    if (near->close_in_ready) {
        client_close(client);
    }
}

static inline void
near_on_head(struct client *client, const struct parser_head *head)
{
    struct near *near = near_of(client);
    near->heads++;
    near->status = head->status;
    if (near->close_in_head) {
        client_close(client);
        memset(client, 0xa5, sizeof(*client)); /* nobody may look at it any more */
    }
}

static inline void
near_on_body(struct client *client, struct str bytes)
{
    struct near *near = near_of(client);
    cr_assert(bytes.len > 0);
    near->bodies++;
    cr_assert(buf_append(&near->body, bytes) == ERR_OK);
    if (near->pause_in_body) {
        client_pause(client, true);
    }
    if (near->close_in_body) {
        client_close(client);
        memset(client, 0xa5, sizeof(*client));
    }
}

static inline void
near_on_turn(struct client *client)
{
    near_of(client)->turns++;
}

static inline void
near_on_end(struct client *client, bool can_keep)
{
    struct near *near = near_of(client);
    near->ends++;
    near->can_keep = can_keep;
    if (near->send_in_end != NULL && can_keep) {
        struct str piece = str_of(near->send_in_end);
        near->send_in_end = NULL;
        client_send(client, &piece, 1, false);
    }
}

static inline void
near_on_fail(struct client *client, enum err err)
{
    struct near *near = near_of(client);
    near->fails++;
    near->err = err;
    near->failed_in = client->state;
    cr_assert(!conn_is_open(&client->conn));
}

static const struct client_hooks near_hooks = { near_on_ready, near_on_head, near_on_body,
                                                near_on_turn,  near_on_end,  near_on_fail };

static inline void
near_begin(struct near *near)
{
    *near = (struct near){ .fd = -1 };
    cr_assert(loop_make(64, 64, &near->loop) == ERR_OK);
    buf_init(&near->got, 64u << 20);
    buf_init(&near->body, 64u << 20);
    near->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    cr_assert(near->listen_fd >= 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    cr_assert(bind(near->listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    cr_assert(listen(near->listen_fd, 16) == 0);
}

static inline void
near_hang_up(struct near *near)
{
    if (near->fd >= 0) {
        close(near->fd);
        near->fd = -1;
    }
}

static inline void
near_finish(struct near *near)
{
    near_hang_up(near);
    close(near->listen_fd);
    loop_free(near->loop);
    buf_fini(&near->got);
    buf_fini(&near->body);
}

/* The server's side of one turn: take a connection, take what came. */
static inline void
near_serve(struct near *near)
{
    int fd = accept4(near->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        near_hang_up(near);
        near->fd = fd;
        near->accepts++;
        near->has_ended = false;
    }
    if (near->fd < 0 || near->is_deaf) {
        return;
    }
    char bytes[65536];
    ssize_t count;
    while ((count = recv(near->fd, bytes, sizeof(bytes), 0)) > 0) {
        cr_assert(buf_append(&near->got, str_make(bytes, (size_t)count)) == ERR_OK);
    }
    near->has_ended = near->has_ended || count == 0 || errno != EAGAIN;
}

static inline void
near_turn(struct near *near)
{
    near_serve(near);
    loop_turn(near->loop, 1);
    near_serve(near);
}

/* Turns until the condition holds; a test that waits too long fails here. */
#define NEAR_UNTIL(near, condition)                                                               \
    do {                                                                                          \
        int turns_left = NEAR_TURNS_MAX;                                                          \
        while (!(condition) && turns_left-- > 0) {                                                \
            near_turn(near);                                                                      \
        }                                                                                         \
        cr_assert(condition, "waited in vain; state %s, why \"%s\"",                              \
                  (near)->client.state <= CLIENT_CLOSED ? client_state_text((near)->client.state) \
                                                        : "?",                                    \
                  (near)->client.why);                                                            \
    } while (0)

static inline void
near_some_turns(struct near *near)
{
    for (int i = 0; i < 5; i++) {
        near_turn(near);
    }
}

static inline struct sockaddr_in
near_address(const struct near *near)
{
    struct sockaddr_in address;
    socklen_t bytes = sizeof(address);
    cr_assert(getsockname(near->listen_fd, (struct sockaddr *)&address, &bytes) == 0);
    return address;
}

static inline enum err
near_try_open(struct near *near, struct tls *tls, const struct client_proxy *proxy)
{
    struct sockaddr_in address = near_address(near);
    return client_open(&near->client, near->loop, (struct sockaddr *)&address, sizeof(address), tls,
                       proxy, &near_hooks);
}

static inline void
near_open(struct near *near, struct tls *tls, const struct client_proxy *proxy)
{
    cr_assert(near_try_open(near, tls, proxy) == ERR_OK);
    cr_assert_eq(near->readies + near->fails, 0, "no hook inside of client_open");
}

static inline void
near_say(struct near *near, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(near->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        cr_assert(sent > 0, "the server cannot send \"%.*s\": %d; state %d, why %s", STR_ARG(bytes),
                  errno, (int)near->client.state, near->client.why);
        bytes = str_skip(bytes, (size_t)sent);
    }
}

static inline void
near_ask(struct near *near, const char *request)
{
    struct str piece = str_of(request);
    client_send(&near->client, &piece, 1, false);
}

static inline bool
near_has_got(const struct near *near, const char *text)
{
    struct str got = buf_str(&near->got);
    return got.len > 0 && memmem(got.data, got.len, text, strlen(text)) != NULL;
}

static inline bool
near_body_is(const struct near *near, const char *text)
{
    return str_equal(buf_str(&near->body), str_of(text));
}

#endif
