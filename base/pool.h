/*
 * pool.h - objects of one size: taken and given back without malloc in steady state, bounded.
 *
 * Memory comes in slabs of POOL_SLAB_OBJECTS and goes back to the system only with pool_fini. An
 * object taken is zeroed, but for what its pool was told to leave. CHECK: everything was given back
 * at pool_fini.
 *
 * Runs in: every process. Owner: the struct that embeds it.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_SLAB_OBJECTS 32u

struct pool_slab;
struct pool_free;

struct pool {
    size_t object_bytes;
    size_t zeroed_bytes; /* of an object, from its begin */
    uint32_t taken_count;
    uint32_t taken_count_max; /* the bound */
    struct pool_free *free;
    struct pool_slab *slabs;
};

/* `zeroed_bytes`: what stands behind is never read before it was written. */
void pool_init(struct pool *pool, size_t object_bytes, size_t zeroed_bytes, uint32_t objects_max);
void pool_fini(struct pool *pool);
/* NULL at the bound or without memory. */
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *object);

#endif
