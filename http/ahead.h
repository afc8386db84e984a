/*
 * ahead.h - reads a descriptor ahead of a consumer that asks for small pieces.
 *
 * A TLS library asks for a record's header and then for its body; the kernel is asked once for as
 * much as it has. What one call of the library did not use is kept with the connection until the
 * next; that is seldom more than a part of a record, and nothing while the peer is silent.
 *
 * The scratch memory is shared by all connections of the process (which has no threads): it is in
 * use between ahead_enter and ahead_leave only.
 *
 * Runs in: worker, keeper. Owner: the struct that embeds it.
 */
#ifndef HTTP_AHEAD_H
#define HTTP_AHEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct ahead {
    struct buf kept;
    bool is_lazy;  /* after a short read wait for ahead_note before asking the kernel again */
    bool is_dry;   /* the last read was short, and no ahead_note came since */
    bool is_ended; /* the peer's FIN was told, for which no other event will come: never dry */
};

void ahead_init(struct ahead *ahead);
void ahead_fini(struct ahead *ahead);

void ahead_enter(const struct ahead *ahead);
/* Keeps what was not used. ERR_IO: no memory, bytes are lost, the connection must be closed. */
MUST_CHECK enum err ahead_leave(struct ahead *ahead);

/* At most `bytes`, at least one. As sys_recv: ERR_AGAIN, ERR_EOF, ERR_GONE. */
MUST_CHECK enum err
ahead_recv(struct ahead *ahead, int fd, void *to, size_t bytes, size_t *out_got);

/* The loop told of new bytes (ended: of the FIN). */
void ahead_note(struct ahead *ahead, bool ended);

#endif
