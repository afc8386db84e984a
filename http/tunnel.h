/*
 * tunnel.h - asks a proxy for a connection: HTTP CONNECT or SOCKS5 (RFC 1928, 1929).
 *
 *   GREETING -> METHOD -> PASSWORD? -> ADDRESS -> open           (SOCKS5)
 *   ANSWER -> open                                               (HTTP)
 *
 * Only bytes in and out: who reads and writes them is the client. The target's name goes to the
 * proxy as it is; we do not resolve it.
 *
 * Runs in: worker, keeper. Every answer is hostile.
 */
#ifndef HTTP_TUNNEL_H
#define HTTP_TUNNEL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct client_proxy;

#define TUNNEL_OUT_BYTES_MAX 2048u /* the longest name, user and password, twice over */

enum tunnel_state { TUNNEL_ANSWER, TUNNEL_METHOD, TUNNEL_PASSWORD, TUNNEL_ADDRESS };

struct tunnel {
    const struct client_proxy *proxy; /* the caller's, until the tunnel is open */
    struct str host;                  /* the target's, without brackets */
    enum tunnel_state state;
    size_t scanned;
};

/* Appends the first message to `out`. ERR_BAD: a name, user or password that cannot be sent. */
MUST_CHECK enum err
tunnel_begin(struct tunnel *tunnel, const struct client_proxy *proxy, struct buf *out);

/*
 * Takes what the proxy sent from `in`, appends what to say next to `out`. ERR_OK: the tunnel is
 * open and `in` is empty. ERR_AGAIN: more is needed. ERR_REFUSED: it said no. ERR_BAD: it does not
 * speak the protocol. `why` tells: "proxy answered 407", "SOCKS5: host unreachable".
 */
MUST_CHECK enum err
tunnel_feed(struct tunnel *tunnel, struct buf *in, struct buf *out, char *why, size_t why_bytes);

#endif
