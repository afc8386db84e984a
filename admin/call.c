#include "admin/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/sys.h"
#include "http/parser.h"

/* Longer than the longest account test. */
#define CALL_S 700

static enum err
connect_to(const char *path, int *out_fd, char why[CALL_WHY_BYTES])
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!str_copy(address.sun_path, sizeof address.sun_path, str_of(path))) {
        snprintf(why, CALL_WHY_BYTES, "the socket's path is too long: %s", path);
        return ERR_BAD;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        snprintf(why, CALL_WHY_BYTES, "socket: %s", strerror(errno));
        return ERR_IO;
    }
    struct timeval limit = { .tv_sec = CALL_S };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        snprintf(why, CALL_WHY_BYTES,
                 "cannot reach the gateway at %s: %s (is it running? -s names another socket)",
                 path, strerror(errno));
        close(fd);
        return ERR_REFUSED;
    }
    *out_fd = fd;
    return ERR_OK;
}

static enum err
send_all(int fd, struct str bytes, char why[CALL_WHY_BYTES])
{
    while (bytes.len > 0) {
        size_t sent = 0;
        enum err err = sys_send(fd, bytes.data, bytes.len, &sent);
        if (err != ERR_OK) {
            snprintf(why, CALL_WHY_BYTES, "sending failed: %s", sys_why());
            return err;
        }
        bytes = str_skip(bytes, sent);
    }
    return ERR_OK;
}

static enum err
read_all(int fd, struct buf *answer, char why[CALL_WHY_BYTES])
{
    for (;;) {
        enum err err = buf_reserve(answer, 65536);
        if (err != ERR_OK) {
            snprintf(why, CALL_WHY_BYTES, "the answer is too long");
            return ERR_FULL;
        }
        size_t got = 0;
        err = sys_recv(fd, buf_tail(answer), buf_tail_bytes(answer), &got);
        if (err == ERR_EOF) {
            return ERR_OK;
        }
        if (err != ERR_OK) {
            snprintf(why, CALL_WHY_BYTES, "no answer: %s",
                     err == ERR_AGAIN ? "timed out" : sys_why());
            return err == ERR_AGAIN ? ERR_TIMEOUT : err;
        }
        buf_added(answer, (uint32_t)got);
    }
}

static enum err
split_answer(struct buf *answer, uint16_t *out_status, struct buf *body)
{
    struct arena arena;
    struct parser_head head;
    struct parser_error error;
    size_t scanned = 0;
    size_t head_bytes = 0;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    enum err err = parser_answer_end(buf_str(answer), &scanned, &head_bytes, &error);
    if (err == ERR_OK && head_bytes == 0) {
        err = ERR_BAD;
    }
    if (err == ERR_OK) {
        err =
            parser_answer(str_make(buf_str(answer).data, head_bytes), false, &arena, &head, &error);
    }
    if (err == ERR_OK) {
        *out_status = head.status;
        struct str rest = str_skip(buf_str(answer), head_bytes);
        if (head.framing == PARSER_LENGTH && rest.len != head.content_length) {
            err = ERR_BAD;
        } else {
            err = buf_append(body, rest);
        }
    }
    arena_reset(&arena);
    return err;
}

enum err
call_admin(const char *socket_path, const char *method, const char *path, struct str json,
           uint16_t *out_status, struct buf *body, char why[CALL_WHY_BYTES])
{
    int fd = -1;
    enum err err = connect_to(socket_path, &fd, why);
    if (err != ERR_OK) {
        return err;
    }
    char head[1024];
    int length = snprintf(head, sizeof head,
                          "%s %s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                          method, path, json.len);
    struct buf answer;
    buf_init(&answer, ADMIN_ANSWER_BYTES_MAX + HEAD_BYTES_MAX + 65536);
    if (length < 0 || (size_t)length >= sizeof head) {
        snprintf(why, CALL_WHY_BYTES, "the name is too long");
        err = ERR_BAD;
    }
    if (err == ERR_OK) {
        err = send_all(fd, str_make(head, (size_t)length), why);
    }
    if (err == ERR_OK) {
        err = send_all(fd, json, why);
    }
    if (err == ERR_OK) {
        err = read_all(fd, &answer, why);
    }
    if (err == ERR_OK) {
        err = split_answer(&answer, out_status, body);
        if (err != ERR_OK) {
            snprintf(why, CALL_WHY_BYTES, "the gateway's answer cannot be read");
        }
    }
    buf_fini(&answer);
    close(fd);
    return err;
}
