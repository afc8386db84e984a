/*
 * route.h - where one attempt connects to: the target or its proxy, at which address, and whether
 * it may.
 *
 * Everything that connects to an account asks here, at every connect, since what a name resolves to
 * changes. What may be reached is address.h's table and [upstream] allow_private, allow_http. A
 * target behind a proxy is judged too as far as it is known here: the proxy shall not become the
 * way to the metadata service or to a neighbour.
 *
 * Runs in: worker, keeper. Its only effect is a name asked of the keeper (shm/names.h).
 */
#ifndef UPSTREAM_ROUTE_H
#define UPSTREAM_ROUTE_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "http/client.h"
#include "upstream/reach.h"
#include "upstream/target.h"

/* A word for the step and the reason of client.h or names.h. */
#define ROUTE_WHY_BYTES (CLIENT_WHY_BYTES + 24u)

struct route {
    struct sockaddr_storage address;
    socklen_t address_bytes;
};

/*
 * The index-th address (0 is the first). ERR_AGAIN: the name is being looked up, ask again.
 * ERR_DENIED: it may not be connected to; why says which setting would allow it. ERR_REFUSED: the
 * name does not resolve, why says so; behind the last address why keeps what it said before.
 */
MUST_CHECK enum err route_find(const struct reach *reach, const struct target *target,
                               uint32_t index, struct route *out, char why[ROUTE_WHY_BYTES]);

#endif
