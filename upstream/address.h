/*
 * address.h - which addresses may be connected to.
 *
 * A base URL is an operator's word, but what its name resolves to is not: the address is checked at
 * every connect, so that a name cannot turn into the metadata service or a neighbour. Refused
 * unless [upstream] allow_private: loopback, private, link-local, shared (100.64/10), multicast,
 * reserved, unspecified, and IPv4 hidden in IPv6.
 *
 * Runs in: worker, keeper. Pure.
 */
#ifndef UPSTREAM_ADDRESS_H
#define UPSTREAM_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

struct names_address;

/* Is this address public? false for families other than IPv4 and IPv6. */
bool address_is_public(const struct sockaddr *address);

/* "127.0.0.1" or "::1" to an address with this port; false for anything that is no plain literal
 * (0x7f000001, 2130706433 and 127.1 are names, not literals). */
bool
address_literal(struct str host, uint16_t port, struct sockaddr_storage *out, socklen_t *out_bytes);

/*
 * May this host be named to a proxy, which looks it up and connects in its own network? false for
 * an address that is not public in any spelling a resolver takes for one (127.1, 0x7f000001,
 * 2130706433, 0177.0.0.1, a dot behind it) and for localhost and what is below it. What any other
 * name is there only the proxy knows.
 */
bool address_may_hand_over(struct str host);

/* An address that the keeper looked up (family 4 or 6), with this port; returns its length. */
socklen_t
address_make(const struct names_address *from, uint16_t port, struct sockaddr_storage *out);

#endif
