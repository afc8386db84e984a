#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"

Test(arena, gives_aligned_zeroed_memory)
{
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_BYTES_MAX);
    cr_assert_null(arena.blocks);
    for (int round = 0; round < 3; round++) {
        for (size_t bytes = 0; bytes < 3000; bytes = bytes * 2 + 1) {
            char *at = arena_alloc(&arena, bytes);
            cr_assert_not_null(at);
            cr_assert_eq((uintptr_t)at % 16, 0);
            for (size_t i = 0; i < bytes; i++) {
                cr_assert_eq(at[i], 0);
            }
            memset(at, 0xa5, bytes);
        }
        arena_reset(&arena);
        cr_assert_eq(arena.used_bytes, 0);
    }
}

Test(arena, pieces_do_not_overlap)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    unsigned char *pieces[300];
    for (size_t i = 0; i < 300; i++) {
        pieces[i] = arena_alloc_raw(&arena, i * 3 + 1);
        cr_assert_not_null(pieces[i]);
        memset(pieces[i], (int)(i & 0xff), i * 3 + 1);
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t j = 0; j < i * 3 + 1; j++) {
            cr_assert_eq(pieces[i][j], i & 0xff);
        }
    }
    arena_reset(&arena);
}

Test(arena, a_large_want_gets_a_block_of_its_own)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    cr_assert_not_null(arena_alloc(&arena, 16));
    size_t before = arena.used_bytes;
    cr_assert_eq(before, ARENA_BLOCK_BYTES);
    cr_assert_not_null(arena_alloc(&arena, 100000));
    size_t with_large = arena.used_bytes;
    cr_assert(with_large >= before + 100000 && with_large < before + 101000);
    /* The rest of the first block is still used. */
    cr_assert_not_null(arena_alloc(&arena, 1000));
    cr_assert_eq(arena.used_bytes, with_large);
    arena_reset(&arena);
}

Test(arena, refuses_beyond_its_bound)
{
    struct arena arena;
    arena_init(&arena, 10000);
    size_t given = 0;
    while (arena_alloc(&arena, 100) != NULL) {
        given += 100;
        cr_assert(arena.used_bytes <= 10000);
    }
    cr_assert(given > 8000 && given <= 10000, "%zu", given);
    cr_assert_null(arena_alloc(&arena, 5000));
    cr_assert_null(arena_alloc(&arena, SIZE_MAX));
    cr_assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    arena_reset(&arena);
    cr_assert_not_null(arena_alloc(&arena, 5000));
    arena_reset(&arena);

    struct arena none;
    arena_init(&none, 0);
    cr_assert_null(arena_alloc(&none, 1));
}

Test(arena, copies_and_formats_text)
{
    struct arena arena;
    arena_init(&arena, 10000);
    struct str copy = arena_dup(&arena, STR("hello"));
    cr_assert_eq(copy.len, 5);
    cr_assert_str_eq(copy.data, "hello");
    copy = arena_dup(&arena, (struct str){ NULL, 0 });
    cr_assert_eq(copy.len, 0);
    cr_assert_str_eq(copy.data, "");
    struct str text = arena_printf(&arena, "%s-%d", "x", 42);
    cr_assert_eq(text.len, 4);
    cr_assert_str_eq(text.data, "x-42");
    cr_assert_null(arena_printf(&arena, "%20000d", 1).data);
    arena_reset(&arena);
}

Test(arena, many_arenas_share_the_spare_blocks)
{
    static struct arena arenas[ARENA_SPARES_MAX + 50];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < ARENA_SPARES_MAX + 50; i++) {
            arena_init(&arenas[i], 100000);
            char *at = arena_alloc(&arenas[i], 3000);
            cr_assert_not_null(at);
            cr_assert_eq(at[0], 0);
            cr_assert_eq(at[2999], 0);
            memset(at, (int)i, 3000);
        }
        for (size_t i = 0; i < ARENA_SPARES_MAX + 50; i++) {
            arena_reset(&arenas[i]);
        }
    }
}
