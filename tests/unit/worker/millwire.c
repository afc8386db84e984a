/* The wires of the mill: what its clients say and hear, and what its provider does. */
#include "tests/unit/worker/mill.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

void
mill_send_at_once(int fd)
{
    int one = 1;
    cr_assert(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
}

/* --- a client --- */

int
mill_connect(struct mill *mill)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(mill->port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval limit = { .tv_sec = MILL_WAIT_MS / 1000 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    mill_send_at_once(fd);
    return fd;
}

static void
send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        cr_assert(sent > 0, "send: %d", errno);
        bytes += sent;
        count -= (size_t)sent;
    }
}

void
mill_send(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

void
mill_post(int fd, const char *path, const char *key, const char *body)
{
    char head[1024];
    snprintf(head, sizeof head,
             "POST %s HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             path, key[0] == '\0' ? "" : "Authorization: Bearer ", key,
             key[0] == '\0' ? "" : "\r\n", strlen(body));
    mill_send(fd, head);
    mill_send(fd, body);
}

void
mill_reset(int fd)
{
    struct linger at_once = { 1, 0 };
    cr_assert(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(fd);
}

const char *
mill_read(struct mill *mill, int fd, const char *mark)
{
    size_t used = 0;
    mill->answer[0] = '\0';
    while (mark == NULL || strstr(mill->answer, mark) == NULL) {
        cr_assert(used + 1 < sizeof mill->answer);
        ssize_t got = recv(fd, mill->answer + used, sizeof mill->answer - used - 1, 0);
        cr_assert(got >= 0, "no \"%s\" came, only \"%s\"", mark == NULL ? "end" : mark,
                  mill->answer);
        if (got == 0) {
            break;
        }
        used += (size_t)got;
        mill->answer[used] = '\0';
    }
    return mill->answer;
}

const char *
mill_talk(struct mill *mill, const char *path, const char *key, const char *body)
{
    int fd = mill_connect(mill);
    mill_post(fd, path, key, body);
    shutdown(fd, SHUT_WR);
    mill_read(mill, fd, NULL);
    close(fd);
    return mill->answer;
}

const char *
mill_ask(struct mill *mill, const char *method, const char *path, const char *fields)
{
    char head[1024];
    int fd = mill_connect(mill);
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n\r\n", method,
             path, fields);
    mill_send(fd, head);
    mill_read(mill, fd, NULL);
    close(fd);
    return mill->answer;
}

bool
mill_is(const char *answer, int status, const char *code)
{
    char line[32];
    char named[80];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    snprintf(named, sizeof named, "\"%s\"", code == NULL ? "" : code);
    return strncmp(answer, line, strlen(line)) == 0 && (code == NULL || strstr(answer, named));
}

/* --- the provider --- */

void
mill_hang_up(struct mill *mill)
{
    if (mill->provider >= 0) {
        close(mill->provider);
        mill->provider = -1;
    }
}

int
mill_put_aside(struct mill *mill)
{
    int fd = mill->provider;
    cr_assert(fd >= 0);
    mill->provider = -1;
    return fd;
}

/* Is the request in mill->asked whole? */
static bool
is_whole(const char *asked, size_t used)
{
    const char *end = strstr(asked, "\r\n\r\n");
    const char *length = strcasestr(asked, "\r\nContent-Length: ");
    if (end == NULL) {
        return false;
    }
    size_t body_bytes = length != NULL && length < end ? strtoul(length + 18, NULL, 10) : 0;
    return used == (size_t)(end + 4 - asked) + body_bytes;
}

void
mill_take(struct mill *mill)
{
    size_t used = 0;
    mill->asked[0] = '\0';
    while (!is_whole(mill->asked, used)) {
        struct pollfd fds[2] = { { mill->provider_fd, POLLIN, 0 }, { mill->provider, POLLIN, 0 } };
        cr_assert(poll(fds, mill->provider >= 0 ? 2 : 1, MILL_WAIT_MS) > 0,
                  "no request came, only %s", mill->asked);
        if (fds[0].revents != 0) {
            mill_hang_up(mill);
            mill->provider = accept(mill->provider_fd, NULL, NULL);
            cr_assert(mill->provider >= 0);
            mill_send_at_once(mill->provider);
            used = 0;
            continue;
        }
        ssize_t got = recv(mill->provider, mill->asked + used, sizeof mill->asked - used - 1, 0);
        if (got <= 0) {
            mill_hang_up(mill);
            continue;
        }
        used += (size_t)got;
        mill->asked[used] = '\0';
    }
}

void
mill_say(struct mill *mill, const void *bytes, size_t count)
{
    send_all(mill->provider, bytes, count);
}

void
mill_begin_stream(struct mill *mill)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    mill_say(mill, head, sizeof head - 1);
}

void
mill_chunk(struct mill *mill, const char *bytes, size_t count)
{
    char size[32];
    mill_say(mill, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", count));
    mill_say(mill, bytes, count);
    mill_say(mill, "\r\n", 2);
}

void
mill_end_stream(struct mill *mill)
{
    mill_say(mill, "0\r\n\r\n", 5);
}

void
mill_is_left(struct mill *mill)
{
    char byte;
    struct pollfd fd = { mill->provider, POLLIN, 0 };
    cr_assert(mill->provider >= 0 && poll(&fd, 1, MILL_WAIT_MS) == 1, "it is still in use");
    cr_assert(recv(mill->provider, &byte, 1, MSG_DONTWAIT) <= 0, "more was asked for");
    mill_hang_up(mill);
}

void
mill_answer(struct mill *mill, const char *status, const char *type, const char *body)
{
    char head[512];
    snprintf(
        head, sizeof head,
        "HTTP/1.1 %s\r\nContent-Type: %s\r\nX-Secret-Header: no\r\nContent-Length: %zu\r\n\r\n",
        status, type, strlen(body));
    mill_say(mill, head, strlen(head));
    mill_say(mill, body, strlen(body));
}
