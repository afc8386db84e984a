/*
 * arena.h - memory that lives as long as one request (or one admin call, one reload).
 *
 * Blocks are taken as needed up to a maximum and given back all at once; nothing is freed alone.
 * The first block is ARENA_BLOCK_BYTES; a larger want gets a block of its own. Full = NULL, which
 * callers turn into ERR_FULL.
 *
 * Runs in: every process. Owner: the one who called arena_init.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first; NULL before the first allocation */
    size_t used_bytes;          /* over all blocks */
    size_t used_bytes_max;      /* the bound given at init */
};

/* Takes no memory yet. */
void arena_init(struct arena *arena, size_t bytes_max);

/* Frees every block; the arena may be used again. */
void arena_reset(struct arena *arena);

/* Aligned to 16, zeroed; NULL when the bound is reached. */
void *arena_alloc(struct arena *arena, size_t bytes);

/* Like arena_alloc without the zeroing. */
void *arena_alloc_raw(struct arena *arena, size_t bytes);

/* A copy of `s` with a NUL behind it (not counted); data is NULL when the bound is reached. */
struct str arena_dup(struct arena *arena, struct str s);

/* Formatted text with a NUL behind it; data is NULL when the bound is reached. */
struct str
arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
