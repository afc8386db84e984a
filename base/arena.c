/*
 * arena.c - request memory in blocks, with a bounded list of spare standard blocks.
 *
 * In steady state a request takes and gives standard blocks from and to the spare list, and costs
 * no malloc. The spare list belongs to the process (a fork copies it; each process then has its
 * own). Used bytes are counted by block, with the block's head, because that is what memory costs.
 */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"

#define ARENA_ALIGN ((size_t)16)

struct arena_block {
    struct arena_block *next;
    size_t bytes; /* of the whole block, head included */
    size_t used;  /* of the whole block, head included */
    size_t pad;   /* the head is a multiple of ARENA_ALIGN */
};

_Static_assert(sizeof(struct arena_block) % 16 == 0, "what follows the head is aligned");
_Static_assert(ARENA_BLOCK_BYTES > 16 * sizeof(struct arena_block), "a block is mostly content");

static struct arena_block *spares;
static uint32_t spare_count;

static struct arena_block *
block_take(size_t bytes)
{
    struct arena_block *block = NULL;
    if (bytes == ARENA_BLOCK_BYTES && spares != NULL) {
        CHECK(spare_count > 0);
        block = spares;
        spares = block->next;
        spare_count--;
    } else {
        block = malloc(bytes);
    }
    if (block != NULL) {
        *block = (struct arena_block){ .bytes = bytes, .used = sizeof(*block) };
        CHECK_POISON(block + 1, bytes - sizeof(*block));
    }
    return block;
}

static void
block_give(struct arena_block *block)
{
    CHECK(block->used <= block->bytes);
    if (block->bytes == ARENA_BLOCK_BYTES && spare_count < ARENA_SPARES_MAX) {
        CHECK_POISON(block + 1, block->bytes - sizeof(*block));
        block->next = spares;
        spares = block;
        spare_count++;
        return;
    }
    CHECK_UNPOISON(block + 1, block->bytes - sizeof(*block));
    free(block);
}

void
arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){ .used_bytes_max = bytes_max };
}

void
arena_reset(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        block_give(block);
        block = next;
    }
    arena->blocks = NULL;
    arena->used_bytes = 0;
}

/* A block of its own goes behind the newest, so that the newest's rest stays in use. */
static struct arena_block *
block_add(struct arena *arena, size_t bytes)
{
    size_t want = bytes + sizeof(struct arena_block);
    bool is_standard = want <= ARENA_BLOCK_BYTES;
    size_t block_bytes = is_standard ? ARENA_BLOCK_BYTES : want;
    size_t room = arena->used_bytes_max - arena->used_bytes;
    if (is_standard && block_bytes > room) {
        block_bytes = want; /* the last bytes below the bound, in a smaller block */
    }
    if (block_bytes > room) {
        return NULL;
    }
    struct arena_block *block = block_take(block_bytes);
    if (block == NULL) {
        return NULL;
    }
    arena->used_bytes += block_bytes;
    if (!is_standard && arena->blocks != NULL) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *
arena_alloc_raw(struct arena *arena, size_t bytes)
{
    CHECK(arena->used_bytes <= arena->used_bytes_max);
    if (bytes > arena->used_bytes_max) {
        return NULL;
    }
    size_t rounded = bytes == 0 ? ARENA_ALIGN : (bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->bytes - block->used < rounded) {
        block = block_add(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    char *at = (char *)block + block->used;
    block->used += rounded;
    CHECK_UNPOISON(at, bytes);
    return at;
}

void *
arena_alloc(struct arena *arena, size_t bytes)
{
    void *at = arena_alloc_raw(arena, bytes);
    if (at != NULL) {
        memset(at, 0, bytes);
    }
    return at;
}

struct str
arena_dup(struct arena *arena, struct str s)
{
    if (s.len == SIZE_MAX) {
        return (struct str){ NULL, 0 };
    }
    char *at = arena_alloc_raw(arena, s.len + 1);
    if (at == NULL) {
        return (struct str){ NULL, 0 };
    }
    if (s.len > 0) {
        memcpy(at, s.data, s.len);
    }
    at[s.len] = '\0';
    return (struct str){ at, s.len };
}

struct str
arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    struct str out = { NULL, 0 };
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    char *at = arena_alloc_raw(arena, (size_t)len + 1);
    if (at != NULL) {
        vsnprintf(at, (size_t)len + 1, format, again);
        out = (struct str){ at, (size_t)len };
    }
    va_end(again);
    return out;
}
