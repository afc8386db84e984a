/*
 * The plain characters of a string, many bytes a step: as a walk over single bytes has it, at every
 * offset, length and byte, and never a byte outside of what may be read.
 */
#include "base/jsonskip.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static bool
is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

Test(jsonskip, ends_at_each_byte_that_is_not_plain)
{
    uint8_t bytes[64];
    for (uint32_t c = 0; c < 256; c++) {
        memset(bytes, 'x', sizeof(bytes));
        bytes[20] = (uint8_t)c;
        const uint8_t *at = jsonskip_plain(bytes, bytes, bytes + sizeof(bytes));
        cr_assert_eq(at, is_plain((uint8_t)c) ? bytes + sizeof(bytes) : bytes + 20, "byte %02x", c);
    }
}

/* Lengths around every step there is (16, 128, 256, 512), an end at each place. */
Test(jsonskip, ends_at_each_place_of_each_length)
{
    for (size_t len = 0; len <= 1100; len += len < 300 ? 1 : 37) {
        uint8_t *bytes = malloc(len == 0 ? 1 : len); /* its exact size: a sanitizer sees the rest */
        memset(bytes, 'x', len);
        cr_assert_eq(jsonskip_plain(bytes, bytes, bytes + len), bytes + len, "%zu", len);
        for (size_t end = 0; end < len; end += len < 300 ? 1 : 13) {
            bytes[end] = end % 2 == 0 ? '"' : 0x80;
            cr_assert_eq(jsonskip_plain(bytes, bytes, bytes + len), bytes + end, "%zu of %zu", end,
                         len);
            bytes[end] = 'x';
        }
        free(bytes);
    }
}

/* What stands before `at` may be read but does not count. */
Test(jsonskip, begins_where_it_is_told_to)
{
    enum { LEN = 70 };
    uint8_t *bytes = malloc(LEN);
    memset(bytes, '"', LEN);
    for (size_t start = 0; start < LEN; start++) {
        for (size_t at = start; at <= LEN; at++) {
            memset(bytes, '"', at);
            memset(bytes + at, 'x', LEN - at);
            cr_assert_eq(jsonskip_plain(bytes + start, bytes + at, bytes + LEN), bytes + LEN,
                         "from %zu, may read from %zu", at, start);
            if (at < LEN) {
                bytes[LEN - 1] = '\\';
                cr_assert_eq(jsonskip_plain(bytes + start, bytes + at, bytes + LEN),
                             bytes + LEN - 1);
            }
        }
    }
    free(bytes);
}

static uint64_t
data_of(const char *text, size_t len)
{
    uint8_t *bytes = malloc(len == 0 ? 1 : len);
    memcpy(bytes, text, len);
    uint64_t found = jsonskip_data(bytes, bytes + len);
    free(bytes);
    return found;
}

Test(jsonskip, counts_as_data_whole_pieces_without_a_blank)
{
    static char text[4 * JSON_DATA_BYTES + 100];
    memset(text, 'A', sizeof(text));
    cr_expect_eq(data_of(text, 0), 0);
    cr_expect_eq(data_of(text, JSON_DATA_BYTES - 1), 0, "no whole piece");
    cr_expect_eq(data_of(text, JSON_DATA_BYTES), JSON_DATA_BYTES);
    cr_expect_eq(data_of(text, JSON_DATA_BYTES + 7), JSON_DATA_BYTES + 7,
                 "what is left belongs to it");
    cr_expect_eq(data_of(text, sizeof(text)), sizeof(text));
    /* The least byte of base64 is '+', a blank is text. */
    text[JSON_DATA_BYTES + 9] = '+';
    cr_expect_eq(data_of(text, sizeof(text)), sizeof(text));
    for (size_t i = 0; i < JSON_DATA_BYTES; i += 17) {
        text[JSON_DATA_BYTES + i] = i % 2 == 0 ? ' ' : '*';
        cr_assert_eq(data_of(text, sizeof(text)), sizeof(text) - JSON_DATA_BYTES, "%zu", i);
        text[JSON_DATA_BYTES + i] = 'A';
    }
    text[4 * JSON_DATA_BYTES + 50] = ' ';
    cr_expect_eq(data_of(text, sizeof(text)), 4 * JSON_DATA_BYTES, "the end alone is text");
    text[4 * JSON_DATA_BYTES - 1] = ' ';
    text[4 * JSON_DATA_BYTES + 50] = 'A';
    cr_expect_eq(data_of(text, sizeof(text)), 3 * JSON_DATA_BYTES, "behind text it is none");
}
