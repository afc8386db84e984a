#include <criterion/criterion.h>

#include "base/num.h"

static bool
u64_is(const char *text, uint64_t want)
{
    uint64_t value = 77;
    return num_u64(str_of(text), &value) == ERR_OK && value == want;
}

static bool
u64_is_bad(const char *text)
{
    uint64_t value = 77;
    return num_u64(str_of(text), &value) == ERR_BAD && value == 77;
}

Test(num, reads_unsigned_numbers)
{
    cr_assert(u64_is("0", 0));
    cr_assert(u64_is("007", 7));
    cr_assert(u64_is("18446744073709551615", UINT64_MAX));
    cr_assert(u64_is("00000000000000000000000018446744073709551615", UINT64_MAX));
    cr_assert(u64_is_bad(""));
    cr_assert(u64_is_bad(NULL));
    cr_assert(u64_is_bad("18446744073709551616"));
    cr_assert(u64_is_bad("99999999999999999999"));
    cr_assert(u64_is_bad("-1"));
    cr_assert(u64_is_bad("+1"));
    cr_assert(u64_is_bad(" 1"));
    cr_assert(u64_is_bad("1 "));
    cr_assert(u64_is_bad("1e3"));
    cr_assert(u64_is_bad("0x10"));
    cr_assert(u64_is_bad("\xb1"));
}

Test(num, reads_signed_numbers)
{
    int64_t value = 77;
    cr_assert_eq(num_i64(STR("-9223372036854775808"), &value), ERR_OK);
    cr_assert_eq(value, INT64_MIN);
    cr_assert_eq(num_i64(STR("9223372036854775807"), &value), ERR_OK);
    cr_assert_eq(value, INT64_MAX);
    cr_assert_eq(num_i64(STR("-0"), &value), ERR_OK);
    cr_assert_eq(value, 0);
    cr_assert_eq(num_i64(STR("-42"), &value), ERR_OK);
    cr_assert_eq(value, -42);
    cr_assert_eq(num_i64(STR("9223372036854775808"), &value), ERR_BAD);
    cr_assert_eq(num_i64(STR("-9223372036854775809"), &value), ERR_BAD);
    cr_assert_eq(num_i64(STR("-"), &value), ERR_BAD);
    cr_assert_eq(num_i64(STR("--1"), &value), ERR_BAD);
    cr_assert_eq(num_i64(STR(""), &value), ERR_BAD);
    cr_assert_eq(value, -42);
}

Test(num, writes_numbers)
{
    char text[NUM_TEXT_BYTES];
    cr_assert_eq(num_text(0, text), 1);
    cr_assert_str_eq(text, "0");
    cr_assert_eq(num_text(UINT64_MAX, text), 20);
    cr_assert_str_eq(text, "18446744073709551615");
    cr_assert_eq(num_hex(0, text), 1);
    cr_assert_str_eq(text, "0");
    cr_assert_eq(num_hex(0x1f00a, text), 5);
    cr_assert_str_eq(text, "1f00a");
    cr_assert_eq(num_hex(UINT64_MAX, text), 16);
    for (uint64_t value = 1; value < UINT64_MAX / 3; value *= 3) {
        num_text(value, text);
        cr_assert(u64_is(text, value));
    }
}

Test(num, sums_do_not_overflow_in_silence)
{
    int64_t out = 5;
    cr_assert(num_add(INT64_MAX - 1, 1, &out));
    cr_assert_eq(out, INT64_MAX);
    cr_assert_not(num_add(INT64_MAX, 1, &out));
    cr_assert_not(num_mul(INT64_MAX / 2, 3, &out));
    cr_assert_eq(out, INT64_MAX);
    cr_assert(num_mul(-3, 4, &out));
    cr_assert_eq(out, -12);
}
