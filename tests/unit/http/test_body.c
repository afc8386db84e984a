#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "http/body.h"

Test(body, counts_what_is_held)
{
    struct body_pool pool;
    struct body a = { 0 };
    struct body b = { 0 };
    body_pool_init(&pool, 200000);
    cr_expect(body_take(&pool, &a, 1500) == ERR_OK && a.cap == 2048 && pool.held_bytes == 2048);
    cr_expect(body_take(&pool, &b, 150000) == ERR_OK && b.cap == 150000);
    struct body c = { 0 };
    cr_expect(body_take(&pool, &c, 65536) == ERR_FULL && c.data == NULL);
    body_give(&pool, &b);
    cr_expect(pool.held_bytes == 2048);
    cr_expect(body_take(&pool, &c, 65536) == ERR_OK);
    body_give(&pool, &c);
    body_give(&pool, &a);
    body_give(&pool, &a);
    cr_expect(pool.held_bytes == 0);
    body_pool_fini(&pool);
}

Test(body, keeps_small_blocks_for_the_next)
{
    struct body_pool pool;
    struct body body = { 0 };
    body_pool_init(&pool, 1000000);
    cr_assert(body_take(&pool, &body, 3000) == ERR_OK);
    char *first = body.data;
    body_give(&pool, &body);
    cr_assert(body_take(&pool, &body, 4096) == ERR_OK);
    cr_expect(body.data == first);
    body_give(&pool, &body);
    body_pool_fini(&pool);
}

Test(body, grows_and_keeps_its_content)
{
    struct body_pool pool;
    struct body body = { 0 };
    body_pool_init(&pool, 3000000);
    size_t max = 1000000;
    for (size_t i = 0; i < max; i++) {
        if (body.len == body.cap) {
            cr_assert(body_grow(&pool, &body, body.len + 1, max) == ERR_OK);
        }
        body.data[body.len++] = (char)(i % 251);
    }
    cr_expect(body.cap <= max + BODY_POOLED_BYTES_MAX && pool.held_bytes == body.cap);
    for (size_t i = 0; i < max; i++) {
        cr_assert(body.data[i] == (char)(i % 251));
    }
    body_give(&pool, &body);
    body_pool_fini(&pool);
}

Test(body, refuses_growth_beyond_the_pool)
{
    struct body_pool pool;
    struct body body = { 0 };
    body_pool_init(&pool, 100000);
    cr_assert(body_take(&pool, &body, 60000) == ERR_OK);
    memset(body.data, 'x', 60000);
    body.len = 60000;
    cr_expect(body_grow(&pool, &body, 120000, 1000000) == ERR_FULL);
    cr_expect(body.len == 60000 && body.data[59999] == 'x' && pool.held_bytes == body.cap);
    body_give(&pool, &body);
    body_pool_fini(&pool);
}

Test(body, counts_what_lies_elsewhere)
{
    struct body_pool pool;
    struct body body = { 0 };
    uint64_t counted = 0;
    body_pool_init(&pool, 100000);
    cr_assert(body_take(&pool, &body, 65536) == ERR_OK);
    cr_expect(body_count(&pool, &counted, 34464) == ERR_OK && pool.held_bytes == 100000);
    cr_expect(body_count(&pool, &counted, 34465) == ERR_FULL && counted == 34464);
    cr_expect(body_count(&pool, &counted, UINT64_MAX) == ERR_FULL && pool.held_bytes == 100000);
    cr_expect(body_count(&pool, &counted, 100) == ERR_OK && pool.held_bytes == 65636);
    body_give(&pool, &body);
    cr_expect(body_count(&pool, &counted, 100000) == ERR_OK);
    cr_expect(body_take(&pool, &body, 1) == ERR_FULL);
    cr_expect(body_count(&pool, &counted, 0) == ERR_OK && counted == 0);
    body_pool_fini(&pool);
}
