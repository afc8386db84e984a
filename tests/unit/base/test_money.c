#include "base/money.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
reads(const char *text, uint32_t scale, uint64_t want)
{
    uint64_t value = 77;
    return money_read(str_of(text), scale, UINT64_MAX / 20, &value, NULL) == ERR_OK &&
           value == want;
}

static enum err
refused(const char *text)
{
    uint64_t value = 77;
    enum err err = money_read(str_of(text), 12, MONEY_PICO_MAX, &value, NULL);
    cr_expect(err == ERR_OK || value == 77);
    return err;
}

Test(money, reads_decimals_exactly)
{
    cr_expect(reads("0", 12, 0));
    cr_expect(reads("0.0", 12, 0));
    cr_expect(reads("0e5", 12, 0));
    cr_expect(reads("2.5e-06", 12, 2500000));
    cr_expect(reads("2.5E-6", 12, 2500000));
    cr_expect(reads("0.0000025", 12, 2500000));
    cr_expect(reads("0.00000250000000000000000000000000000000000000", 12, 2500000));
    cr_expect(reads("250e-8", 12, 2500000));
    cr_expect(reads("1e-12", 12, 1));
    cr_expect(reads("3", 12, 3000000000000));
    cr_expect(reads("3e+2", 6, 300000000));
    cr_expect(reads("1.5", 6, 1500000));
    cr_expect(reads("1000000000000000000000000000000000000000e-39", 3, 1000));
    cr_expect(reads("0.1", 1, 1));
    cr_expect_not(reads("12345678901234567890123e-10", 1, 1));
}

Test(money, refuses_what_is_no_amount)
{
    static const char *const bad[] = {
        "",     "-1", "+1", ".5",  "1.",  "1e",    "1e+",     "e5",      "1e5x",
        "0x10", " 1", "1 ", "1,5", "NaN", "1e-13", "0.1e-12", "1e99999", "1.0000000000001"
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(refused(bad[i]), ERR_BAD, "%s", bad[i]);
    }
    cr_expect_eq(refused("1001"), ERR_FULL);
    cr_expect_eq(refused("1e300"), ERR_FULL);
    cr_expect_eq(refused("1000"), ERR_OK);
}

Test(money, rounds_half_up_when_asked_and_says_so)
{
    uint64_t value = 0;
    bool is_exact = true;
    cr_assert_eq(money_read(STR("4.0000000000000003e-07"), 12, MONEY_PICO_MAX, &value, &is_exact),
                 ERR_OK);
    cr_expect_eq(value, 400000);
    cr_expect_not(is_exact);
    cr_assert_eq(money_read(STR("1.5e-12"), 12, MONEY_PICO_MAX, &value, &is_exact), ERR_OK);
    cr_expect_eq(value, 2);
    cr_assert_eq(money_read(STR("1.4999999999999999999999999999999999999999999999e-12"), 12,
                            MONEY_PICO_MAX, &value, &is_exact),
                 ERR_OK);
    cr_expect_eq(value, 1);
    cr_expect_not(is_exact);
    cr_assert_eq(money_read(STR("4e-13"), 12, MONEY_PICO_MAX, &value, &is_exact), ERR_OK);
    cr_expect_eq(value, 0);
    cr_expect_not(is_exact);
}

Test(money, writes_what_it_reads)
{
    static const char *const texts[] = { "0",    "0.000000001",          "-0.25",
                                         "12.5", "9223372036.854775807", "-9223372036.854775807",
                                         "100" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[MONEY_TEXT_BYTES];
        int64_t nano = 0;
        cr_assert_eq(money_read_nano(str_of(texts[i]), &nano), ERR_OK, "%s", texts[i]);
        cr_expect_eq(money_text(nano, 9, text), strlen(texts[i]));
        cr_expect_str_eq(text, texts[i]);
    }
    int64_t nano = 5;
    cr_expect_eq(money_read_nano(STR("0.0000000001"), &nano), ERR_BAD);
    cr_expect_eq(money_read_nano(STR("9223372036.854775808"), &nano), ERR_FULL);
    cr_expect_eq(nano, 5);
    char text[MONEY_TEXT_BYTES];
    money_text(INT64_MIN, 9, text);
    cr_expect_str_eq(text, "-9223372036.854775808");
    money_text(2500000, 12, text);
    cr_expect_str_eq(text, "0.0000025");
}

Test(money, stops_at_the_ends)
{
    struct money_rates rates = { { MONEY_PICO_MAX } };
    struct money_amounts amounts = { { UINT64_MAX } };
    int64_t nano = 0;
    for (uint32_t i = 0; i < MONEY_KINDS; i++) {
        rates.pico[i] = MONEY_PICO_MAX;
        amounts.count[i] = UINT64_MAX;
    }
    cr_expect_not(money_cost(&rates, &amounts, MONEY_PPM_MAX, &nano));
    cr_expect_eq(nano, INT64_MAX);
    cr_expect(money_cost(&rates, &amounts, 0, &nano));
    cr_expect_eq(nano, 0);
    cr_expect_eq(money_add(INT64_MAX, 1), INT64_MAX);
    cr_expect_eq(money_add(INT64_MIN, -1), INT64_MIN);
    cr_expect_eq(money_add(5, -7), -2);
}

/* --- the decimal reference: school arithmetic on decimal digits, and nothing of money.c --- */

#define PLACES 64

struct school {
    uint8_t digits[PLACES]; /* lowest first */
};

static struct school
school_of(uint64_t value)
{
    struct school s = { { 0 } };
    char text[32];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    for (int i = 0; i < len; i++) {
        s.digits[i] = (uint8_t)(text[len - 1 - i] - '0');
    }
    return s;
}

static void
school_add(struct school *to, const struct school *by)
{
    unsigned carry = 0;
    for (size_t i = 0; i < PLACES; i++) {
        unsigned sum = (unsigned)to->digits[i] + by->digits[i] + carry;
        to->digits[i] = (uint8_t)(sum % 10);
        carry = sum / 10;
    }
    cr_assert_eq(carry, 0);
}

static struct school
school_times(const struct school *a, const struct school *b)
{
    struct school out = { { 0 } };
    for (size_t i = 0; i < PLACES; i++) {
        unsigned carry = 0;
        if (b->digits[i] == 0) {
            continue;
        }
        for (size_t k = 0; i + k < PLACES; k++) {
            unsigned sum = out.digits[i + k] + (unsigned)a->digits[k] * b->digits[i] + carry;
            out.digits[i + k] = (uint8_t)(sum % 10);
            carry = sum / 10;
        }
        cr_assert_eq(carry, 0);
    }
    return out;
}

/* Cuts nine places off: picodollars times millionths are 10^-18 dollars, a nanodollar is 10^-9. */
static void
school_round(struct school *s)
{
    bool is_up = s->digits[8] >= 5;
    memmove(s->digits, s->digits + 9, PLACES - 9);
    memset(s->digits + PLACES - 9, 0, 9);
    if (is_up) {
        struct school one = school_of(1);
        school_add(s, &one);
    }
}

static uint64_t
random_below(uint64_t *seed, uint64_t end)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed % end;
}

/* A number of a random size, so that small ones and the bounds are all met. */
static uint64_t
random_size(uint64_t *seed, uint64_t max)
{
    uint64_t end = 1;
    for (uint64_t i = random_below(seed, 17); i > 0 && end <= max / 10; i--) {
        end *= 10;
    }
    uint64_t value = random_below(seed, end * 10);
    return value > max ? max : value;
}

static void
check_case(uint64_t *seed)
{
    struct money_rates rates;
    struct money_amounts amounts;
    struct school total = { { 0 } };
    uint32_t ppm = (uint32_t)random_size(seed, MONEY_PPM_MAX);
    for (uint32_t i = 0; i < MONEY_KINDS; i++) {
        bool is_used = random_below(seed, 3) == 0;
        rates.pico[i] = is_used ? random_size(seed, MONEY_PICO_MAX) : 0;
        amounts.count[i] = is_used ? random_size(seed, MONEY_COUNT_MAX) : 0;
        if (is_used) {
            struct school price = school_of(rates.pico[i]);
            struct school count = school_of(amounts.count[i]);
            struct school cost = school_times(&price, &count);
            school_add(&total, &cost);
        }
    }
    struct school multiplier = school_of(ppm);
    total = school_times(&total, &multiplier);
    school_round(&total);

    int64_t nano = -1;
    bool fits = money_cost(&rates, &amounts, ppm, &nano);
    struct school greatest = school_of(INT64_MAX);
    struct school got = school_of((uint64_t)nano);
    int beyond = 0;
    for (size_t i = PLACES; i-- > 0 && beyond == 0;) {
        beyond = total.digits[i] - greatest.digits[i];
    }
    cr_assert_eq(fits, beyond <= 0);
    cr_assert(memcmp(beyond > 0 ? &greatest : &total, &got, sizeof(got)) == 0);
}

#define CASES 1000000

Test(money, agrees_with_a_decimal_reference_over_a_million_cases)
{
    const char *wanted = getenv("SEED");
    uint64_t seed = wanted != NULL ? strtoull(wanted, NULL, 10) : 20260411;
    printf("seed %llu\n", (unsigned long long)seed);
    for (uint32_t i = 0; i < CASES; i++) {
        check_case(&seed);
    }
}
