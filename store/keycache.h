/*
 * keycache.h - the keys that one view was asked for, by digest.
 *
 * Open addressing over CATALOG_KEYS_MAX entries that never move: what was found stays where it is
 * until the whole cache goes. The memory is one mapping whose pages are touched as keys come, so a
 * worker that serves ten keys pays for ten. Only keys that exist are kept: guesses cannot fill it.
 *
 * Runs in: worker, keeper. Owner: a view (catalog.c).
 */
#ifndef STORE_KEYCACHE_H
#define STORE_KEYCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/limits.h"
#include "store/catalog.h"

#define KEYCACHE_CELLS (2u * CATALOG_KEYS_MAX)

struct keycache_space;

struct keycache {
    struct keycache_space *space; /* one mapping */
    uint32_t count;
};

/* ERR_IO: no memory. */
MUST_CHECK enum err keycache_init(struct keycache *cache);
void keycache_fini(struct keycache *cache);

/* NULL: not here (yet). */
const struct catalog_key *keycache_find(const struct keycache *cache, const struct digest *digest);
/* A copy that stays until keycache_fini(); NULL when it is full. The key is not there yet. */
const struct catalog_key *keycache_add(struct keycache *cache, const struct catalog_key *key);

/* So full that a new one should begin; some more still fit. */
static inline bool
keycache_is_full(const struct keycache *cache)
{
    return cache->count >= CATALOG_KEYS_MAX - CATALOG_KEYS_MAX / 8;
}

#endif
