/*
 * outlet.h - where answers are put together: one piece of memory for all connections of a process.
 *
 * What a connection's owner writes in one turn is collected here and leaves with one system call;
 * only what the kernel does not take is copied to the connection's own `out`. So a client that
 * keeps up never has an output buffer. The outlet belongs to one connection at a time; when another
 * one writes before the first was flushed, the first one's bytes move to its own buffer.
 *
 * Invariant: the outlet holds bytes of a connection only while that connection's `out` is empty.
 *
 * Runs in: worker, recorder. Owner: struct server.
 */
#ifndef HTTP_OUTLET_H
#define HTTP_OUTLET_H

#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "http/conn.h"

struct outlet {
    struct conn *owner; /* NULL: empty */
    uint32_t len;
    char bytes[SERVER_OUT_BYTES];
};

/* Bytes of this connection that the kernel has not taken. */
uint32_t outlet_pending(const struct outlet *outlet, const struct conn *conn);

/* All parts or nothing, in order. ERR_FULL: the connection's bound. ERR_GONE: it is dead. At most
 * OUTLET_PARTS_MAX parts. */
#define OUTLET_PARTS_MAX 4
MUST_CHECK enum err
outlet_put(struct outlet *outlet, struct conn *conn, const struct str *parts, uint32_t part_count);

/*
 * The same, but what does not fit the connection's bound is left to the caller: *out_left bytes at
 * the end of the last part. ERR_GONE: it is dead.
 */
MUST_CHECK enum err outlet_put_most(struct outlet *outlet, struct conn *conn,
                                    const struct str *parts, uint32_t part_count, size_t *out_left);

/* Sends what is there. ERR_AGAIN: some is left. ERR_GONE: dead. */
MUST_CHECK enum err outlet_flush(struct outlet *outlet, struct conn *conn);

/* The connection is about to be closed. */
void outlet_drop(struct outlet *outlet, const struct conn *conn);

#endif
