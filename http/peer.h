/*
 * peer.h - how many connections each client address has: a fixed table.
 *
 * An IPv6 client counts by its /64 network, since one host has all of that. The table is hashed
 * with a key of this process, so that a client cannot choose addresses that fall together.
 *
 * Runs in: worker, recorder. Owner: struct server.
 */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct peer_table;

#define PEER_NONE UINT32_MAX /* not counted: UNIX sockets */

/* For at most addresses_max different addresses at a time. ERR_IO: no memory. */
MUST_CHECK enum err peer_table_make(uint32_t addresses_max, struct peer_table **out);
void peer_table_free(struct peer_table *table);

/* Counts one more connection of this address. ERR_FULL: it has count_max already. *out_index is for
 * peer_give, PEER_NONE for other families than IP. */
MUST_CHECK enum err peer_take(struct peer_table *table, const struct sockaddr_storage *address,
                              uint32_t count_max, uint32_t *out_index);
void peer_give(struct peer_table *table, uint32_t index);

/* "127.0.0.1", "2001:db8::1" (IPv4-mapped as IPv4), "unix"; terminated. */
#define PEER_TEXT_BYTES 46
void peer_text(const struct sockaddr_storage *address, char out[PEER_TEXT_BYTES]);

#endif
