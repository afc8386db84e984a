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

/* --- the answer --- */

/* Where body bytes go: into `buf`, or as they come to `fd` when the status is good. */
struct sink {
    struct buf *buf;
    int fd; /* -1 = all into buf */
};

struct answer {
    struct buf in; /* read and not yet taken */
    struct sink sink;
    uint16_t status; /* 0: the head is not whole yet */
    enum parser_framing framing;
    uint64_t left;                 /* PARSER_LENGTH: of the body */
    struct parser_chunked chunked; /* PARSER_CHUNKED */
    size_t scanned;
};

static enum err
put_bytes(struct answer *answer, struct str bytes)
{
    if (answer->sink.fd < 0 || answer->status >= 300) {
        return buf_append(answer->sink.buf, bytes);
    }
    while (bytes.len > 0) {
        ssize_t sent = write(answer->sink.fd, bytes.data, bytes.len);
        if (sent < 0 && errno != EINTR) {
            return ERR_IO;
        }
        bytes = str_skip(bytes, sent < 0 ? 0 : (size_t)sent);
    }
    return ERR_OK;
}

/* ERR_AGAIN: not whole yet. */
static enum err
take_head(struct answer *answer)
{
    struct arena arena;
    struct parser_head head;
    struct parser_error error;
    size_t head_bytes = 0;
    struct str bytes = buf_str(&answer->in);
    enum err err = parser_answer_end(bytes, &answer->scanned, &head_bytes, &error);
    if (err != ERR_OK || head_bytes == 0) {
        return err != ERR_OK ? err : ERR_AGAIN;
    }
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    err = parser_answer(str_make(bytes.data, head_bytes), false, &arena, &head, &error);
    if (err == ERR_OK) {
        answer->status = head.status;
        answer->framing = head.framing;
        answer->left = head.content_length;
        parser_chunked_init(&answer->chunked);
        buf_consume(&answer->in, (uint32_t)head_bytes);
    }
    arena_reset(&arena);
    return err;
}

/* ERR_EOF: the body is whole. ERR_AGAIN: more must come. */
static enum err
take_body(struct answer *answer)
{
    struct str bytes = buf_str(&answer->in);
    struct str body = bytes;
    size_t used = bytes.len;
    enum err err = ERR_OK;
    if (answer->framing == PARSER_CHUNKED) {
        err = parser_chunked_feed(&answer->chunked, bytes, &body, &used);
        err = err == ERR_OK && answer->chunked.is_done ? ERR_EOF : err;
    } else if (answer->framing == PARSER_LENGTH) {
        if (body.len > answer->left) {
            return ERR_BAD;
        }
        answer->left -= body.len;
        err = answer->left == 0 ? ERR_EOF : ERR_OK;
    } else if (answer->framing == PARSER_NO_BODY) {
        return ERR_EOF;
    }
    if (err != ERR_OK && err != ERR_EOF) {
        return err;
    }
    enum err put = put_bytes(answer, body);
    buf_consume(&answer->in, (uint32_t)used);
    if (put != ERR_OK || err == ERR_EOF) {
        return put != ERR_OK ? put : ERR_EOF;
    }
    return used > 0 && buf_len(&answer->in) > 0 ? ERR_OK : ERR_AGAIN;
}

/* Takes what has come. ERR_EOF: the answer is whole; ERR_AGAIN: more must come. */
static enum err
take(struct answer *answer)
{
    enum err err = answer->status == 0 ? take_head(answer) : ERR_OK;
    while (err == ERR_OK) {
        err = take_body(answer);
    }
    return err;
}

static enum err
read_more(int fd, struct buf *in, char why[CALL_WHY_BYTES])
{
    size_t got = 0;
    enum err err = buf_reserve(in, 65536);
    if (err != ERR_OK) {
        snprintf(why, CALL_WHY_BYTES, "the answer's head is too long");
        return ERR_FULL;
    }
    err = sys_recv(fd, buf_tail(in), buf_tail_bytes(in), &got);
    if (err == ERR_OK) {
        buf_added(in, (uint32_t)got);
    } else if (err != ERR_EOF) {
        snprintf(why, CALL_WHY_BYTES, "no answer: %s", err == ERR_AGAIN ? "timed out" : sys_why());
        err = err == ERR_AGAIN ? ERR_TIMEOUT : err;
    }
    return err;
}

static enum err
read_answer(int fd, struct answer *answer, char why[CALL_WHY_BYTES])
{
    enum err err = ERR_AGAIN;
    while (err == ERR_AGAIN) {
        err = read_more(fd, &answer->in, why);
        if (err == ERR_EOF) {
            bool is_whole = answer->status != 0 && answer->framing == PARSER_UNTIL_CLOSE;
            if (!is_whole) {
                snprintf(why, CALL_WHY_BYTES, "the gateway's answer was cut: see its log");
            }
            return is_whole ? ERR_OK : ERR_BAD;
        }
        if (err != ERR_OK) {
            return err;
        }
        err = take(answer);
    }
    if (err != ERR_EOF) {
        snprintf(why, CALL_WHY_BYTES,
                 err == ERR_FULL ? "the answer is too long"
                 : err == ERR_IO ? "the answer cannot be written here"
                                 : "the gateway's answer cannot be read");
    }
    return err == ERR_EOF ? ERR_OK : err;
}

static enum err
call(const char *socket_path, const char *method, const char *path, struct str json,
     struct sink sink, uint16_t *out_status, char why[CALL_WHY_BYTES])
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
    struct answer answer = { .sink = sink };
    buf_init(&answer.in, HEAD_BYTES_MAX + 2 * 65536);
    if (length < 0 || (size_t)length >= sizeof head) {
        snprintf(why, CALL_WHY_BYTES, "the name is too long");
        err = ERR_BAD;
    }
    err = err != ERR_OK ? err : send_all(fd, str_make(head, (size_t)length), why);
    err = err != ERR_OK ? err : send_all(fd, json, why);
    err = err != ERR_OK ? err : read_answer(fd, &answer, why);
    *out_status = answer.status;
    buf_fini(&answer.in);
    close(fd);
    return err;
}

enum err
call_admin(const char *socket_path, const char *method, const char *path, struct str json,
           uint16_t *out_status, struct buf *body, char why[CALL_WHY_BYTES])
{
    return call(socket_path, method, path, json, (struct sink){ body, -1 }, out_status, why);
}

enum err
call_stream(const char *socket_path, const char *path, int out_fd, uint16_t *out_status,
            struct buf *body, char why[CALL_WHY_BYTES])
{
    return call(socket_path, "GET", path, STR(""), (struct sink){ body, out_fd }, out_status, why);
}
