/*
 * conn.c - moving bytes between two bounded buffers, an optional TLS and the kernel.
 */
#include "http/conn.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/sys.h"
#include "http/tls.h"

/* What one conn_fill asks for at least: most heads fit, and a waiting connection holds little. */
#define CONN_FILL_BYTES 4096u

static void
conn_on_ready(struct loop_io *io, uint32_t events)
{
    struct conn *conn = LIST_OWNER(io, struct conn, io);
    if ((events & LOOP_READ_END) != 0) {
        conn->peer_ended = true;
    }
    if ((events & LOOP_HANGUP) != 0) {
        conn->is_dead = true;
    }
    if ((events & (LOOP_READ | LOOP_READ_END | LOOP_HANGUP)) != 0) {
        conn->can_read = true;
        if (conn->tls != NULL) {
            tls_note_readable(conn->tls, conn->peer_ended || conn->is_dead);
        }
    }
    if ((events & (LOOP_WRITE | LOOP_HANGUP)) != 0) {
        conn->can_write = true;
    }
    conn->on_change(conn);
}

static void
conn_on_again(struct loop_task *task)
{
    struct conn *conn = LIST_OWNER(task, struct conn, again);
    conn->on_change(conn);
}

enum err
conn_open(struct conn *conn, struct loop *loop, int fd, uint32_t in_bytes_max,
          uint32_t out_bytes_max, conn_fn on_change)
{
    CHECK(fd >= 0);
    CHECK(on_change != NULL);
    *conn = (struct conn){ .loop = loop, .can_write = true, .on_change = on_change };
    conn->io.fd = -1;
    conn->io.on_ready = conn_on_ready;
    buf_init(&conn->in, in_bytes_max);
    buf_init(&conn->out, out_bytes_max);
    loop_task_init(&conn->again, conn_on_again);
    conn->moved_ms = loop_now_ms(loop);
    return loop_add(loop, &conn->io, fd);
}

void
conn_close(struct conn *conn)
{
    if (!conn_is_open(conn)) {
        return;
    }
    int fd = conn->io.fd;
    if (conn->tls != NULL) {
        if (!conn->is_dead) {
            tls_end(conn->tls, fd);
        }
        tls_free(conn->tls);
        conn->tls = NULL;
    }
    loop_undefer(&conn->again);
    loop_remove(conn->loop, &conn->io);
    conn->io.fd = -1;
    sys_close(&fd);
    buf_fini(&conn->in);
    buf_fini(&conn->out);
    conn->can_read = false;
    conn->can_write = false;
}

bool
conn_is_open(const struct conn *conn)
{
    return conn->loop != NULL && conn->io.fd >= 0;
}

/* A short read means that the kernel's queue is empty; the next byte or the FIN is a new edge. An
 * end that was told already is none, so it must still be fetched. */
static enum err
conn_read_plain(struct conn *conn, void *to, size_t bytes, size_t *out_got)
{
    enum err err = sys_recv(conn->io.fd, to, bytes, out_got);
    if (err == ERR_AGAIN ||
        (err == ERR_OK && *out_got < bytes && !conn->peer_ended && !conn->is_dead)) {
        conn->can_read = false;
    }
    return err;
}

static enum err
conn_read_tls(struct conn *conn, void *to, size_t bytes, size_t *out_got)
{
    enum err err = tls_read(conn->tls, conn->io.fd, to, bytes, out_got);
    if (err == ERR_AGAIN ||
        (err == ERR_OK && *out_got < bytes && !tls_has_pending(conn->tls) && !conn->peer_ended)) {
        conn->can_read = false;
    }
    return err;
}

enum err
conn_read(struct conn *conn, void *to, size_t bytes, size_t *out_got)
{
    CHECK(conn_is_open(conn));
    CHECK(bytes > 0);
    *out_got = 0;
    enum err err = conn->tls == NULL ? conn_read_plain(conn, to, bytes, out_got)
                                     : conn_read_tls(conn, to, bytes, out_got);
    if (err == ERR_OK) {
        conn->bytes_in += *out_got;
        conn->moved_ms = loop_now_ms(conn->loop);
    } else if (err == ERR_EOF) {
        conn->peer_ended = true;
        conn->can_read = false;
    } else if (err != ERR_AGAIN) {
        conn->is_dead = true;
        conn->can_read = false;
    }
    return err;
}

enum err
conn_fill(struct conn *conn)
{
    uint32_t room = buf_room(&conn->in);
    if (room == 0) {
        return ERR_FULL;
    }
    enum err err = buf_reserve(&conn->in, room < CONN_FILL_BYTES ? room : CONN_FILL_BYTES);
    if (err != ERR_OK) {
        return err;
    }
    uint32_t bytes = buf_tail_bytes(&conn->in);
    size_t got = 0;
    err = conn_read(conn, buf_tail(&conn->in), bytes < room ? bytes : room, &got);
    buf_added(&conn->in, (uint32_t)got);
    buf_shrink(&conn->in);
    return err;
}

/* The one place where bytes leave, so that the flags and counts cannot differ. */
static enum err
conn_put(struct conn *conn, const struct iovec *parts, int part_count, size_t *out_sent)
{
    *out_sent = 0;
    if (!conn->can_write) {
        return ERR_AGAIN;
    }
    enum err err = conn->tls == NULL
                       ? sys_sendv(conn->io.fd, parts, part_count, out_sent)
                       : tls_sendv(conn->tls, conn->io.fd, parts, part_count, out_sent);
    if (err == ERR_OK) {
        conn->bytes_out += *out_sent;
        conn->moved_ms = loop_now_ms(conn->loop);
    } else if (err == ERR_AGAIN) {
        conn->can_write = false;
    } else {
        conn->is_dead = true;
    }
    return err;
}

enum err
conn_sendv(struct conn *conn, const struct iovec *parts, int part_count, size_t *out_sent)
{
    CHECK(conn_is_open(conn));
    CHECK(buf_len(&conn->out) == 0);
    return conn_put(conn, parts, part_count, out_sent);
}

enum err
conn_write(struct conn *conn, struct str bytes)
{
    CHECK(conn_is_open(conn));
    return buf_append(&conn->out, bytes);
}

enum err
conn_flush(struct conn *conn)
{
    CHECK(conn_is_open(conn));
    while (buf_len(&conn->out) > 0) {
        struct iovec part = { conn->out.data + conn->out.start, buf_len(&conn->out) };
        size_t sent = 0;
        enum err err = conn_put(conn, &part, 1, &sent);
        if (err != ERR_OK) {
            return err;
        }
        buf_consume(&conn->out, (uint32_t)sent);
    }
    buf_shrink(&conn->out);
    return ERR_OK;
}

void
conn_again(struct conn *conn)
{
    CHECK(conn_is_open(conn));
    loop_defer(conn->loop, &conn->again);
}
