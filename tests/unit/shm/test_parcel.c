/* Answers beside the ring of records: whole, in one piece, never over what is not freed yet. */
#include <criterion/criterion.h>

#include "shm/parcel.h"
#include "tests/unit/shm/testseg.h"

#define SLOT 1u

static char bytes[PARCEL_BYTES_MAX];

static enum err
put(struct testseg *test, char mark, size_t count, uint64_t *at)
{
    memset(bytes, mark, count);
    struct str pieces[] = { str_make(bytes, count / 2), str_make("", 0),
                            str_make(bytes, count - count / 2) };
    return parcel_put(&test->segment, SLOT, pieces, 3, at);
}

static bool
is(struct testseg *test, uint64_t at, char mark, size_t count)
{
    struct str found = parcel_get(&test->segment, SLOT, at, count);
    memset(bytes, mark, count);
    return found.len == count && memcmp(found.data, bytes, count) == 0;
}

Test(parcel, comes_out_as_it_went_in)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    uint64_t at = 0;
    uint64_t second = 0;
    cr_assert_eq(put(&test, 'a', 1, &at), ERR_OK);
    cr_assert_eq(put(&test, 'b', 1000, &second), ERR_OK);
    cr_expect(is(&test, at, 'a', 1) && is(&test, second, 'b', 1000));
    /* What is not there, or of another slot, is nothing. */
    cr_expect_eq(parcel_get(&test.segment, SLOT, second, 1001).len, 0);
    cr_expect_eq(parcel_get(&test.segment, SLOT, 0, 0).len, 0);
    cr_expect_eq(parcel_get(&test.segment, 0, at, 1).len, 0);
    parcel_free_to(&test.segment, SLOT, second);
    cr_expect_eq(parcel_get(&test.segment, SLOT, at, 1).len, 0);
    parcel_free_to(&test.segment, SLOT, at);
    cr_expect(is(&test, second, 'b', 1000), "freeing is repeated without harm");
}

Test(parcel, a_full_area_takes_no_more_until_some_is_freed)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    uint64_t at[8];
    uint32_t count = 0;
    while (count < 8 && put(&test, (char)('a' + count), PARCEL_BYTES_MAX, &at[count]) == ERR_OK) {
        count++;
    }
    cr_expect_eq(count, PARCEL_RING_BYTES / PARCEL_BYTES_MAX);
    cr_expect_eq(put(&test, 'x', 1, &at[7]), ERR_FULL);
    parcel_free_to(&test.segment, SLOT, at[0] + PARCEL_BYTES_MAX);
    cr_expect_eq(put(&test, 'y', PARCEL_BYTES_MAX, &at[0]), ERR_OK);
    cr_expect(is(&test, at[0], 'y', PARCEL_BYTES_MAX));
    for (uint32_t i = 1; i < count; i++) {
        cr_expect(is(&test, at[i], (char)('a' + i), PARCEL_BYTES_MAX), "%u", i);
    }
}

/* Sizes that never divide the area: parcels in flight stay what they were, for many turns. */
Test(parcel, goes_around)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    uint64_t at[3] = { 0, 0, 0 };
    const size_t size = 700001;
    for (uint32_t i = 0; i < 40; i++) {
        if (i >= 3) {
            cr_assert(is(&test, at[i % 3], (char)('a' + (i - 3) % 26), size), "%u", i);
            parcel_free_to(&test.segment, SLOT, at[i % 3] + size);
        }
        cr_assert_eq(put(&test, (char)('a' + i % 26), size, &at[i % 3]), ERR_OK, "%u", i);
    }
}

#ifdef FAULTS_ON
static void
put_one(void *context)
{
    uint64_t at;
    (void)put(context, 'd', 1000, &at);
}

Test(parcel, half_a_parcel_is_none)
{
    struct testseg test;
    testseg_make(&test, 4, 16, 16, 8);
    cr_assert(testseg_dies("parcel.before_publish=kill", put_one, &test));
    cr_expect_eq(parcel_get(&test.segment, SLOT, 0, 1000).len, 0);
    uint64_t at = 7;
    cr_expect(put(&test, 'e', 1000, &at) == ERR_OK && at == 0 && is(&test, at, 'e', 1000));
}
#endif
