/*
 * conn.h - one TCP (or UNIX) connection, plain or TLS, either side, inside the loop.
 *
 * The descriptor is registered once and edge-triggered (base/loop.h), so a conn remembers what the
 * kernel still has to give (can_read) and take (can_write). Input is read into a caller's buffer or
 * appended to `in`; output is appended to `out` and sent by conn_flush: several small writes of one
 * turn are one system call. Both buffers are bounded and hold no memory while empty.
 *
 * TLS (tls.h) sits between the buffers and the descriptor: bytes that the library has already
 * decrypted are read like any others, and can_read stays set while it holds some.
 *
 * Runs in: worker, recorder (admin socket), keeper. Owner: the struct that embeds it.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

struct tls;
struct conn;

/* Something changed: look at can_read, can_write, peer_ended, is_dead. */
typedef void (*conn_fn)(struct conn *conn);

struct conn {
    struct loop_io io;
    struct loop *loop;
    struct tls *tls; /* NULL = plain; owned, freed by conn_close */
    struct buf in;   /* received, not consumed */
    struct buf out;  /* to be sent */
    bool can_read;   /* the kernel (or TLS) may have bytes */
    bool can_write;
    bool peer_ended; /* FIN seen (there may be bytes before it) */
    bool is_dead;    /* reset, or a read or write failed: nothing more can be sent. Bytes that came
                      * before a reset can still be read */
    uint64_t moved_ms; /* last time a byte went either way */
    uint64_t bytes_in; /* since conn_open, on the wire side of TLS's plain text */
    uint64_t bytes_out;
    conn_fn on_change;
    struct loop_task again; /* private: conn_again */
};

/* Takes over fd (nonblocking). ERR_FULL: the loop's table is full; fd is then still the caller's.
 */
MUST_CHECK enum err conn_open(struct conn *conn, struct loop *loop, int fd, uint32_t in_bytes_max,
                              uint32_t out_bytes_max, conn_fn on_change);
/* Closes at once and frees the buffers; fine to call twice. No on_change after it. */
void conn_close(struct conn *conn);
bool conn_is_open(const struct conn *conn);

/*
 * One read of at most `bytes` to `to`. ERR_AGAIN: nothing now (can_read is cleared), ERR_EOF: the
 * peer ended in good order (TLS: with close_notify; without it is ERR_GONE), ERR_GONE: reset.
 * A short read clears can_read for plain sockets (edge-trigger rule: nothing more is there).
 */
MUST_CHECK enum err conn_read(struct conn *conn, void *to, size_t bytes, size_t *out_got);
/* The same, appended to conn->in; ERR_FULL when its bound is reached. */
MUST_CHECK enum err conn_fill(struct conn *conn);

/* Sends now, nothing is queued: *out_sent may be less. ERR_AGAIN: nothing was taken. out must be
 * empty. */
MUST_CHECK enum err
conn_sendv(struct conn *conn, const struct iovec *parts, int part_count, size_t *out_sent);

/* Appends to out. ERR_FULL: the reader is too slow for its bound. */
MUST_CHECK enum err conn_write(struct conn *conn, struct str bytes);
/* Sends what is in out as far as the kernel takes it. ERR_AGAIN: some is left. ERR_GONE: dead. */
MUST_CHECK enum err conn_flush(struct conn *conn);

/* Calls on_change again at the end of this turn (a reader that stopped on purpose goes on). */
void conn_again(struct conn *conn);

#endif
