/*
 * hash.h - SipHash-1-3: the hash of every table that clients can feed.
 *
 * Runs in: every process. The key is drawn once at start by the master (rand.h) so that all
 * processes agree; tests set their own.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/str.h"

struct hash_key {
    uint64_t k0;
    uint64_t k1;
};

uint64_t hash_bytes(const struct hash_key *key, struct str bytes);
uint64_t hash_u64(const struct hash_key *key, uint64_t value);

#endif
