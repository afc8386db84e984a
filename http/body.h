/*
 * body.h - memory for request bodies: blocks counted against one bound for the process.
 *
 * Small blocks (up to BODY_POOLED_BYTES_MAX) come in powers of two and are kept for the next body;
 * larger ones are exact and go back to the system at once. What counts is what is held, not what is
 * filled. Memory that belongs to a body and lies elsewhere is counted with body_count().
 *
 * Runs in: worker, recorder. Owner: struct server embeds the pool, its connections the blocks.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BODY_CLASSES 7 /* 1 KiB to 64 KiB */

struct body_spare;

struct body_pool {
    uint64_t held_bytes;
    uint64_t held_bytes_max;
    struct body_spare *spares[BODY_CLASSES];
    uint32_t spare_counts[BODY_CLASSES];
};

/* Zeroed = no block. */
struct body {
    char *data;
    size_t len; /* filled */
    size_t cap; /* held */
};

void body_pool_init(struct body_pool *pool, uint64_t held_bytes_max);
/* CHECK: every block was given back. */
void body_pool_fini(struct body_pool *pool);

/* A first block of at least `bytes`. ERR_FULL: the pool is used up. ERR_IO: no memory. */
MUST_CHECK enum err body_take(struct body_pool *pool, struct body *body, size_t bytes);
/* Makes room for `bytes` in all, at least doubling but not beyond bytes_max; keeps the content. */
MUST_CHECK enum err
body_grow(struct body_pool *pool, struct body *body, size_t bytes, size_t bytes_max);
/* What is held elsewhere and belongs under the same bound: *counted becomes `bytes`. ERR_FULL: the
 * pool is used up, and nothing changes; fewer always fit. */
MUST_CHECK enum err body_count(struct body_pool *pool, uint64_t *counted, uint64_t bytes);
/* Fine for a zeroed body. */
void body_give(struct body_pool *pool, struct body *body);

#endif
