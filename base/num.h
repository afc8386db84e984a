/*
 * num.h - checked numbers: text to integer and back, sums that cannot overflow in silence.
 *
 * Runs in: every process.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define NUM_TEXT_BYTES 21 /* a 64-bit number in decimal, sign and NUL */

/* Decimal digits only, no sign, no blanks; ERR_BAD for anything else or > UINT64_MAX. */
MUST_CHECK enum err num_u64(struct str text, uint64_t *out);
/* With an optional '-'. */
MUST_CHECK enum err num_i64(struct str text, int64_t *out);

/* Decimal text without printf; returns the length; writes a NUL behind it. */
uint32_t num_text(uint64_t value, char out[NUM_TEXT_BYTES]);
/* Lower-case hex without leading zeros ("0" for 0), as chunk sizes want it. */
uint32_t num_hex(uint64_t value, char out[NUM_TEXT_BYTES]);

/* false and *out unchanged on overflow. */
static inline bool
num_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *out = sum;
    return true;
}

static inline bool
num_mul(int64_t a, int64_t b, int64_t *out)
{
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *out = product;
    return true;
}

#endif
