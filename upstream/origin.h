/*
 * origin.h - kept-alive connections to providers, by origin and account.
 *
 * A connection is shared only between requests of the same account, address, proxy and TLS
 * settings (target.origin_key). The newest idle one is taken first; old ones are closed after
 * [upstream] pool_idle, the oldest of an origin when it has more than pool_per_account, the oldest
 * of all at ORIGIN_IDLE_MAX. An idle connection that the provider closes leaves by itself.
 *
 * Also the memory of all struct client of the process. A client given back is reused only after the
 * turn in which it was closed, so that code above in the stack may still look at it.
 *
 * Runs in: worker, keeper. Process memory; dying here loses sockets only.
 */
#ifndef UPSTREAM_ORIGIN_H
#define UPSTREAM_ORIGIN_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "http/client.h"

struct origin_pool;

MUST_CHECK enum err origin_make(struct loop *loop, uint32_t idle_ms, uint32_t idle_per_origin,
                                uint32_t clients_max, struct origin_pool **out);
/* Closes the idle ones. CHECK: no client is out. */
void origin_free(struct origin_pool *pool);

/* Fresh memory for a connection, not open; NULL at the bound. */
struct client *origin_new(struct origin_pool *pool);
/* Closes it and gives its memory back at the end of the turn. */
void origin_drop(struct origin_pool *pool, struct client *client);

/* An idle connection of this origin in state READY, now the caller's; NULL when there is none. */
struct client *origin_take(struct origin_pool *pool, uint64_t origin_key);
/* Keeps a READY connection for the next request. */
void origin_keep(struct origin_pool *pool, struct client *client, uint64_t origin_key);

uint32_t origin_idle(const struct origin_pool *pool);

#endif
