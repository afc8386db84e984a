/*
 * body.c - see body.h.
 */
#include "http/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"

#define CLASS_BYTES_MIN 1024u
_Static_assert(CLASS_BYTES_MIN << (BODY_CLASSES - 1) == BODY_POOLED_BYTES_MAX,
               "the last class is the largest pooled block");

struct body_spare {
    struct body_spare *next;
};

void
body_pool_init(struct body_pool *pool, uint64_t held_bytes_max)
{
    *pool = (struct body_pool){ .held_bytes_max = held_bytes_max };
}

void
body_pool_fini(struct body_pool *pool)
{
    CHECK(pool->held_bytes == 0);
    for (int i = 0; i < BODY_CLASSES; i++) {
        while (pool->spares[i] != NULL) {
            struct body_spare *spare = pool->spares[i];
            pool->spares[i] = spare->next;
            free(spare);
        }
    }
}

/* The smallest class that holds `bytes`; BODY_CLASSES: larger than all. */
static int
class_of(size_t bytes)
{
    int order = 0;
    while (order < BODY_CLASSES && (size_t)CLASS_BYTES_MIN << order < bytes) {
        order++;
    }
    return order;
}

static size_t
block_bytes(size_t bytes)
{
    int order = class_of(bytes);
    return order < BODY_CLASSES ? (size_t)CLASS_BYTES_MIN << order : bytes;
}

static char *
block_make(struct body_pool *pool, size_t bytes)
{
    int order = class_of(bytes);
    if (order < BODY_CLASSES && pool->spares[order] != NULL) {
        struct body_spare *spare = pool->spares[order];
        pool->spares[order] = spare->next;
        pool->spare_counts[order]--;
        return (char *)spare;
    }
    return malloc(bytes);
}

static void
block_free(struct body_pool *pool, char *data, size_t bytes)
{
    int order = class_of(bytes);
    if (order < BODY_CLASSES && pool->spare_counts[order] < BODY_KEPT_BLOCKS_MAX) {
        struct body_spare *spare = (struct body_spare *)(void *)data;
        spare->next = pool->spares[order];
        pool->spares[order] = spare;
        pool->spare_counts[order]++;
        return;
    }
    free(data);
}

enum err
body_take(struct body_pool *pool, struct body *body, size_t bytes)
{
    CHECK(body->data == NULL);
    size_t cap = block_bytes(bytes);
    if (cap > pool->held_bytes_max - pool->held_bytes) {
        return ERR_FULL;
    }
    char *data = block_make(pool, cap);
    if (data == NULL) {
        return ERR_IO;
    }
    *body = (struct body){ .data = data, .cap = cap };
    pool->held_bytes += cap;
    CHECK(pool->held_bytes <= pool->held_bytes_max);
    return ERR_OK;
}

/* Large blocks are moved by the kernel (mremap), small ones by hand into their next class. */
static char *
block_move(struct body_pool *pool, struct body *body, size_t cap)
{
    if (body->cap > BODY_POOLED_BYTES_MAX) {
        return realloc(body->data, cap);
    }
    char *data = block_make(pool, cap);
    if (data != NULL) {
        memcpy(data, body->data, body->len);
        block_free(pool, body->data, body->cap);
    }
    return data;
}

enum err
body_grow(struct body_pool *pool, struct body *body, size_t bytes, size_t bytes_max)
{
    CHECK(bytes <= bytes_max);
    if (bytes <= body->cap) {
        return ERR_OK;
    }
    if (body->data == NULL) {
        return body_take(pool, body, bytes);
    }
    size_t doubled = body->cap > bytes_max / 2 ? bytes_max : body->cap * 2;
    size_t cap = block_bytes(doubled > bytes ? doubled : bytes);
    CHECK(cap > body->cap);
    if (cap - body->cap > pool->held_bytes_max - pool->held_bytes) {
        return ERR_FULL;
    }
    char *data = block_move(pool, body, cap);
    if (data == NULL) {
        return ERR_IO;
    }
    pool->held_bytes += cap - body->cap;
    body->data = data;
    body->cap = cap;
    return ERR_OK;
}

enum err
body_count(struct body_pool *pool, uint64_t *counted, uint64_t bytes)
{
    CHECK(pool->held_bytes >= *counted);
    uint64_t others = pool->held_bytes - *counted;
    if (bytes > *counted && bytes > pool->held_bytes_max - others) {
        return ERR_FULL;
    }
    pool->held_bytes = others + bytes;
    *counted = bytes;
    return ERR_OK;
}

void
body_give(struct body_pool *pool, struct body *body)
{
    if (body->data == NULL) {
        return;
    }
    CHECK(pool->held_bytes >= body->cap);
    pool->held_bytes -= body->cap;
    block_free(pool, body->data, body->cap);
    *body = (struct body){ 0 };
}
