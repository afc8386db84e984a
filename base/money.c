/*
 * money.c - costs in 128 bits, decimal text to integers and back.
 */
#include "base/money.h"

#include <string.h>

#include "base/check.h"
#include "base/num.h"

typedef unsigned __int128 wide;

/* picodollars * ppm in one nanodollar */
#define PICO_PPM_PER_NANO (1000ull * MONEY_PPM_ONE)

_Static_assert((wide)MONEY_COUNT_MAX *MONEY_PICO_MAX <= ~(wide)0 / MONEY_KINDS / MONEY_PPM_MAX / 2,
               "a cost is summed and multiplied without overflow, with room for rounding");

const char *
money_kind_text(enum money_kind kind)
{
    switch (kind) {
#define MONEY_TEXT(name, text) \
    case MONEY_##name:         \
        return text;
        MONEY_KIND_ROWS(MONEY_TEXT)
#undef MONEY_TEXT
    }
    return "unknown";
}

bool
money_cost(const struct money_rates *rates, const struct money_amounts *amounts,
           uint32_t multiplier_ppm, int64_t *out_nano)
{
    CHECK(multiplier_ppm <= MONEY_PPM_MAX);
    wide total = 0;
    for (uint32_t i = 0; i < MONEY_KINDS; i++) {
        uint64_t count = amounts->count[i] < MONEY_COUNT_MAX ? amounts->count[i] : MONEY_COUNT_MAX;
        CHECK(rates->pico[i] <= MONEY_PICO_MAX);
        total += (wide)count * rates->pico[i];
    }
    wide nano = (total * multiplier_ppm + PICO_PPM_PER_NANO / 2) / PICO_PPM_PER_NANO;
    bool fits = nano <= (wide)INT64_MAX;
    *out_nano = fits ? (int64_t)nano : INT64_MAX;
    return fits;
}

int64_t
money_add(int64_t a, int64_t b)
{
    int64_t sum = 0;
    if (!num_add(a, b, &sum)) {
        sum = b > 0 ? INT64_MAX : INT64_MIN;
    }
    return sum;
}

/* --- decimal text --- */

#define DIGITS_MAX 36u     /* significant ones that are kept; 10^36 < 2^128 */
#define EXPONENT_MAX 10000 /* and beyond it there is nothing but zeros */

/* digits * 10^power, and whether anything that is not zero was left out behind it. */
struct decimal {
    wide digits;
    int32_t power;
    uint32_t count; /* significant digits in `digits` */
    bool has_more;
};

static bool
is_digit(struct str text, size_t at)
{
    return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

static void
add_digit(struct decimal *decimal, char c, bool is_fraction)
{
    uint32_t digit = (uint32_t)(c - '0');
    if (decimal->count < DIGITS_MAX) {
        decimal->digits = decimal->digits * 10 + digit;
        decimal->count += decimal->count > 0 || digit != 0 ? 1 : 0;
        decimal->power -= is_fraction ? 1 : 0;
    } else {
        decimal->has_more = decimal->has_more || digit != 0;
        decimal->power += is_fraction ? 0 : 1;
    }
}

/* "e-06" from `at` on, to the end of the text. */
static enum err
read_exponent(struct str text, size_t at, struct decimal *decimal)
{
    bool is_negative = at < text.len && text.data[at] == '-';
    int32_t exponent = 0;
    at += at < text.len && (text.data[at] == '-' || text.data[at] == '+') ? 1 : 0;
    if (!is_digit(text, at)) {
        return ERR_BAD;
    }
    for (; is_digit(text, at); at++) {
        exponent = exponent * 10 + (text.data[at] - '0');
        if (exponent > EXPONENT_MAX) {
            return ERR_BAD;
        }
    }
    decimal->power += is_negative ? -exponent : exponent;
    return at == text.len ? ERR_OK : ERR_BAD;
}

#define NUMBER_BYTES_MAX 4096u /* longer ones are no prices; keeps the power within its type */

static enum err
read_decimal(struct str text, struct decimal *out)
{
    size_t at = 0;
    *out = (struct decimal){ 0, 0, 0, false };
    if (!is_digit(text, 0) || text.len > NUMBER_BYTES_MAX) {
        return ERR_BAD;
    }
    for (; is_digit(text, at); at++) {
        add_digit(out, text.data[at], false);
    }
    if (at < text.len && text.data[at] == '.') {
        at++;
        if (!is_digit(text, at)) {
            return ERR_BAD;
        }
        for (; is_digit(text, at); at++) {
            add_digit(out, text.data[at], true);
        }
    }
    if (at < text.len && (text.data[at] == 'e' || text.data[at] == 'E')) {
        return read_exponent(text, at + 1, out);
    }
    return at == text.len ? ERR_OK : ERR_BAD;
}

/* Makes the power 0 by dividing; true: nothing was lost. */
static bool
shrink(struct decimal *decimal)
{
    uint32_t last = 0;
    bool is_exact = !decimal->has_more;
    for (; decimal->power < 0; decimal->power++) {
        is_exact = is_exact && last == 0;
        last = (uint32_t)(decimal->digits % 10);
        decimal->digits /= 10;
        if (decimal->digits == 0 && last == 0) {
            break;
        }
    }
    decimal->digits += last >= 5 ? 1 : 0;
    return is_exact && last == 0;
}

enum err
money_read(struct str text, uint32_t scale, uint64_t max, uint64_t *out, bool *out_is_exact)
{
    struct decimal decimal;
    enum err err = read_decimal(text, &decimal);
    if (err != ERR_OK) {
        return err;
    }
    decimal.power += (int32_t)scale;
    bool is_exact = shrink(&decimal);
    for (; decimal.power > 0 && decimal.digits != 0; decimal.power--) {
        if (decimal.digits > max) {
            return ERR_FULL;
        }
        decimal.digits *= 10;
    }
    if (decimal.digits > max) {
        return ERR_FULL;
    }
    if (!is_exact && out_is_exact == NULL) {
        return ERR_BAD;
    }
    if (out_is_exact != NULL) {
        *out_is_exact = is_exact;
    }
    *out = (uint64_t)decimal.digits;
    return ERR_OK;
}

enum err
money_read_nano(struct str dollars, int64_t *out_nano)
{
    bool is_negative = dollars.len > 0 && dollars.data[0] == '-';
    uint64_t size = 0;
    enum err err =
        money_read(is_negative ? str_skip(dollars, 1) : dollars, 9, INT64_MAX, &size, NULL);
    if (err == ERR_OK) {
        *out_nano = is_negative ? -(int64_t)size : (int64_t)size;
    }
    return err;
}

uint32_t
money_text(int64_t value, uint32_t scale, char out[MONEY_TEXT_BYTES])
{
    CHECK(scale <= 12);
    char digits[NUM_TEXT_BYTES];
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint32_t len = 0;
    uint64_t unit = 1;
    for (uint32_t i = 0; i < scale; i++) {
        unit *= 10;
    }
    if (value < 0) {
        out[len++] = '-';
    }
    len += num_text(size / unit, out + len);
    uint64_t rest = size % unit;
    if (rest != 0) {
        /* With a 1 in front of it, the rest keeps its zeros. */
        uint32_t count = num_text(unit + rest, digits);
        while (digits[count - 1] == '0') {
            count--;
        }
        out[len++] = '.';
        memcpy(out + len, digits + 1, count - 1);
        len += count - 1;
    }
    out[len] = '\0';
    CHECK(len < MONEY_TEXT_BYTES);
    return len;
}
