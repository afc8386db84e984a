/*
 * session.h - TLS sessions, shared by all processes, by a 64-bit origin key.
 *
 * The key is the caller's hash of host, port and how the certificate is verified. An entry is a
 * hint: it is checked by a keyed checksum when read, and whoever uses it falls back to a full
 * handshake. Any process may write; a claim (guard.h) with an expiry keeps writers apart. When the
 * table is full, the oldest entry of the key's row gives way.
 *
 * Runs in: worker, keeper (find, put, drop). If the writer dies half way: the entry is unreadable
 * until the next put, which waits GUARD_CLAIM_MS at most.
 */
#ifndef SHM_SESSION_H
#define SHM_SESSION_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "shm/guard.h"
#include "shm/segment.h"

struct session_entry {
    struct guard_claim claim;
    struct guard guard;
    _Atomic uint64_t key;        /* 0 = free */
    _Atomic uint64_t stored_ms;  /* monotonic */
    _Atomic uint64_t expires_ms; /* monotonic */
    uint64_t checksum;           /* of key, times and bytes */
    uint32_t bytes;
    uint32_t reserved;
    unsigned char data[TLS_SESSION_BYTES_MAX];
} __attribute__((aligned(64)));

/* Copies into `to` (TLS_SESSION_BYTES_MAX is always enough). ERR_GONE: none, expired, torn.
 * out_stored_ms may be NULL. */
MUST_CHECK enum err
session_find(const struct segment *segment, uint64_t key, uint64_t now_ms, void *to,
             size_t to_bytes, size_t *out_bytes, uint64_t *out_stored_ms);

/* ERR_FULL: longer than TLS_SESSION_BYTES_MAX. ERR_AGAIN: somebody else writes there right now.
 * Either way there is nothing to do about it. key is not 0. */
MUST_CHECK enum err
session_put(struct segment *segment, uint32_t slot, uint64_t key, const void *data, size_t bytes,
            uint64_t now_ms, uint64_t expires_ms);

/* The peer did not take it. */
void session_drop(struct segment *segment, uint32_t slot, uint64_t key, uint64_t now_ms);

#endif
