#include <criterion/criterion.h>
#include <string.h>

#include "base/pool.h"

struct object {
    char begin[32];
    char rest[32];
};

Test(pool, zeroes_what_it_was_told_to)
{
    struct pool pool;
    struct object *object;
    pool_init(&pool, sizeof(struct object), sizeof(object->begin), 1);
    object = pool_take(&pool);
    cr_assert(object != NULL);
    memset(object, 'x', sizeof *object);
    pool_give(&pool, object);
    cr_expect(pool_take(&pool) == object, "the same memory is taken again");
    for (size_t i = 0; i < sizeof object->begin; i++) {
        cr_expect_eq(object->begin[i], 0);
        cr_expect_eq(object->rest[i], 'x');
    }
    cr_expect(pool_take(&pool) == NULL, "the bound holds");
    pool_give(&pool, object);
    pool_fini(&pool);
}
