/*
 * keycache.c - keys by digest in one mapping.
 */
#include "store/keycache.h"

#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

struct keycache_space {
    uint16_t cells[KEYCACHE_CELLS]; /* entry + 1; 0 = empty */
    struct catalog_key entries[CATALOG_KEYS_MAX];
};

_Static_assert((KEYCACHE_CELLS & (KEYCACHE_CELLS - 1)) == 0, "a mask picks the cell");
_Static_assert(CATALOG_KEYS_MAX < UINT16_MAX, "a cell holds entry + 1");

enum err
keycache_init(struct keycache *cache)
{
    void *at = mmap(NULL, sizeof(struct keycache_space), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *cache = (struct keycache){ NULL, 0 };
    if (at == MAP_FAILED) {
        return ERR_IO;
    }
    cache->space = at;
    return ERR_OK;
}

void
keycache_fini(struct keycache *cache)
{
    if (cache->space != NULL) {
        munmap(cache->space, sizeof(struct keycache_space));
    }
    *cache = (struct keycache){ NULL, 0 };
}

/* A digest is evenly spread already, and only digests of keys that exist come in. */
static uint32_t
first_cell(const struct digest *digest)
{
    uint32_t word = 0;
    memcpy(&word, digest->bytes, sizeof(word));
    return word & (KEYCACHE_CELLS - 1);
}

/* The cell of this digest or the empty one where it would go: half of them are always empty. */
static uint32_t
find_cell(const struct keycache_space *space, const struct digest *digest)
{
    uint32_t at = first_cell(digest);
    for (uint32_t tries = 0; tries < KEYCACHE_CELLS; tries++) {
        uint32_t entry = space->cells[at];
        if (entry == 0 ||
            digest_equal(space->entries[entry - 1].key.digest.bytes, digest->bytes, DIGEST_BYTES)) {
            return at;
        }
        at = (at + 1) & (KEYCACHE_CELLS - 1);
    }
    CHECK(false);
    return 0;
}

const struct catalog_key *
keycache_find(const struct keycache *cache, const struct digest *digest)
{
    CHECK(cache->space != NULL);
    uint32_t entry = cache->space->cells[find_cell(cache->space, digest)];
    return entry == 0 ? NULL : &cache->space->entries[entry - 1];
}

const struct catalog_key *
keycache_add(struct keycache *cache, const struct catalog_key *key)
{
    CHECK(cache->count <= CATALOG_KEYS_MAX);
    if (cache->count == CATALOG_KEYS_MAX) {
        return NULL;
    }
    uint32_t cell = find_cell(cache->space, &key->key.digest);
    CHECK(cache->space->cells[cell] == 0);
    struct catalog_key *entry = &cache->space->entries[cache->count];
    memcpy(entry, key, sizeof(*entry));
    cache->count++;
    cache->space->cells[cell] = (uint16_t)cache->count;
    return entry;
}
