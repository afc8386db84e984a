/*
 * num.c - text to integers and back without the C library's locale, signs and blanks.
 */
#include "base/num.h"

#include <string.h>

enum err
num_u64(struct str text, uint64_t *out)
{
    if (text.len == 0) {
        return ERR_BAD;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return ERR_BAD;
        }
    }
    *out = value;
    return ERR_OK;
}

enum err
num_i64(struct str text, int64_t *out)
{
    bool is_negative = text.len > 0 && text.data[0] == '-';
    uint64_t size = 0;
    enum err err = num_u64(is_negative ? str_skip(text, 1) : text, &size);
    if (err != ERR_OK) {
        return err;
    }
    uint64_t size_max = (uint64_t)INT64_MAX + (is_negative ? 1 : 0);
    if (size > size_max) {
        return ERR_BAD;
    }
    if (!is_negative) {
        *out = (int64_t)size;
    } else {
        /* -(size - 1) - 1 also reaches INT64_MIN without an overflow on the way. */
        *out = size == 0 ? 0 : -(int64_t)(size - 1) - 1;
    }
    return ERR_OK;
}

static uint32_t
put_base(uint64_t value, unsigned base, char out[NUM_TEXT_BYTES])
{
    char digits[NUM_TEXT_BYTES];
    uint32_t at = NUM_TEXT_BYTES;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    uint32_t len = NUM_TEXT_BYTES - at;
    memcpy(out, digits + at, len);
    out[len] = '\0';
    return len;
}

uint32_t
num_text(uint64_t value, char out[NUM_TEXT_BYTES])
{
    return put_base(value, 10, out);
}

uint32_t
num_hex(uint64_t value, char out[NUM_TEXT_BYTES])
{
    return put_base(value, 16, out);
}
