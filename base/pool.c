#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct pool_slab {
    struct pool_slab *next;
    max_align_t objects[];
};

struct pool_free {
    struct pool_free *next;
};

void
pool_init(struct pool *pool, size_t object_bytes, size_t zeroed_bytes, uint32_t objects_max)
{
    CHECK(object_bytes >= sizeof(struct pool_free) && zeroed_bytes >= sizeof(struct pool_free));
    CHECK(zeroed_bytes <= object_bytes);
    size_t align = _Alignof(max_align_t);
    *pool = (struct pool){ .object_bytes = (object_bytes + align - 1) / align * align,
                           .zeroed_bytes = zeroed_bytes,
                           .taken_count_max = objects_max };
}

void
pool_fini(struct pool *pool)
{
    CHECK(pool->taken_count == 0);
    while (pool->slabs != NULL) {
        struct pool_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        free(slab);
    }
    pool->free = NULL;
}

static void
grow(struct pool *pool)
{
    struct pool_slab *slab = malloc(sizeof *slab + pool->object_bytes * POOL_SLAB_OBJECTS);
    if (slab == NULL) {
        return;
    }
    slab->next = pool->slabs;
    pool->slabs = slab;
    char *at = (char *)slab->objects;
    for (uint32_t i = 0; i < POOL_SLAB_OBJECTS; i++, at += pool->object_bytes) {
        struct pool_free *object = (struct pool_free *)(void *)at;
        object->next = pool->free;
        pool->free = object;
    }
}

void *
pool_take(struct pool *pool)
{
    CHECK(pool->object_bytes != 0);
    if (pool->taken_count >= pool->taken_count_max) {
        return NULL;
    }
    if (pool->free == NULL) {
        grow(pool);
    }
    struct pool_free *object = pool->free;
    if (object == NULL) {
        return NULL;
    }
    pool->free = object->next;
    pool->taken_count++;
    memset(object, 0, pool->zeroed_bytes);
    return object;
}

void
pool_give(struct pool *pool, void *given)
{
    CHECK(given != NULL && pool->taken_count > 0);
    struct pool_free *object = given;
    object->next = pool->free;
    pool->free = object;
    pool->taken_count--;
}
