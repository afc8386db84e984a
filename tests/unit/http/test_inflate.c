/*
 * Compressed bodies: any cut of input and output gives the same, and nothing hostile gets through.
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/limits.h"
#include "http/inflate.h"

#define PLAIN_BYTES 50000u
static char plain[PLAIN_BYTES];
static char coded[PLAIN_BYTES * 2];
static char made[PLAIN_BYTES * 2 + 1];

static void
fill_plain(void)
{
    for (uint32_t i = 0; i < PLAIN_BYTES; i++) {
        plain[i] = (char)('a' + (i * i / 7) % 26);
    }
}

/* window_bits: 31 gzip, 15 zlib, -15 raw. */
static size_t
deflate_all(int window_bits)
{
    z_stream z = { 0 };
    cr_assert(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)plain;
    z.avail_in = PLAIN_BYTES;
    z.next_out = (Bytef *)coded;
    z.avail_out = sizeof(coded);
    cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    (void)deflateEnd(&z);
    return sizeof(coded) - z.avail_out;
}

/* Everything in pieces; the error, or ERR_OK with *out_len. */
static enum err
run(enum inflate_kind kind, size_t coded_len, size_t in_piece, size_t out_piece, size_t *out_len,
    bool *is_whole)
{
    struct inflate *inflater = NULL;
    cr_assert(inflate_make(kind, &inflater) == ERR_OK);
    size_t at = 0;
    size_t len = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && at < coded_len) {
        size_t in_len = coded_len - at < in_piece ? coded_len - at : in_piece;
        char *in = malloc(in_len);
        memcpy(in, coded + at, in_len);
        struct str rest = { in, in_len };
        size_t out_made = 0;
        do {
            size_t used = 0;
            size_t room = sizeof(made) - len < out_piece ? sizeof(made) - len : out_piece;
            cr_assert(room > 0);
            err = inflate_step(inflater, rest, made + len, room, &used, &out_made);
            rest = str_skip(rest, used);
            len += out_made;
        } while (err == ERR_OK && (rest.len > 0 || out_made == out_piece));
        at += in_len;
        free(in);
    }
    *is_whole = inflate_is_whole(inflater);
    *out_len = len;
    inflate_free(inflater);
    return err;
}

static void
expect_plain(enum inflate_kind kind, size_t coded_len)
{
    static const size_t pieces[][2] = {
        { 1000000, 1000000 }, { 1, 1000000 }, { 1000000, 1 }, { 7, 13 }
    };
    for (size_t i = 0; i < 4; i++) {
        size_t len = 0;
        bool is_whole = false;
        enum err err = run(kind, coded_len, pieces[i][0], pieces[i][1], &len, &is_whole);
        cr_expect(err == ERR_OK && is_whole, "kind %d pieces %zu: %d", kind, i, err);
        cr_expect(len == PLAIN_BYTES && memcmp(made, plain, len) == 0, "%zu", len);
    }
}

Test(inflate, expands_every_coding_in_every_cut)
{
    fill_plain();
    expect_plain(INFLATE_GZIP, deflate_all(31));
    expect_plain(INFLATE_DEFLATE, deflate_all(15));
    expect_plain(INFLATE_DEFLATE, deflate_all(-15));
    expect_plain(INFLATE_ZSTD, ZSTD_compress(coded, sizeof(coded), plain, PLAIN_BYTES, 3));
}

Test(inflate, takes_several_members)
{
    fill_plain();
    size_t one = deflate_all(31);
    memcpy(coded + one, coded, one);
    size_t len = 0;
    bool is_whole = false;
    cr_expect(run(INFLATE_GZIP, one * 2, 100, 1000, &len, &is_whole) == ERR_OK && is_whole);
    cr_expect(len == PLAIN_BYTES * 2);
    one = ZSTD_compress(coded, sizeof(coded), plain, PLAIN_BYTES, 3);
    memcpy(coded + one, coded, one);
    cr_expect(run(INFLATE_ZSTD, one * 2, 100, 1000, &len, &is_whole) == ERR_OK && is_whole);
    cr_expect(len == PLAIN_BYTES * 2);
}

Test(inflate, notices_cuts_and_damage)
{
    fill_plain();
    static const enum inflate_kind kinds[] = { INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_ZSTD };
    for (size_t i = 0; i < 3; i++) {
        size_t coded_len = i == 2 ? ZSTD_compress(coded, sizeof(coded), plain, PLAIN_BYTES, 3)
                                  : deflate_all(i == 0 ? 31 : 15);
        size_t len = 0;
        bool is_whole = true;
        cr_expect(run(kinds[i], coded_len - 1, 1000, 1000, &len, &is_whole) == ERR_OK);
        cr_expect(!is_whole, "%zu", i);
        coded[coded_len] = 'x';
        enum err err = run(kinds[i], coded_len + 1, 1000, 1000, &len, &is_whole);
        cr_expect(err == ERR_BAD || !is_whole, "a byte behind the end, %zu", i);
        coded[0] ^= 0x55;
        cr_expect(run(kinds[i], coded_len, 1000, 1000, &len, &is_whole) == ERR_BAD, "%zu", i);
    }
}

Test(inflate, stops_bombs)
{
    size_t zeros_len = 20 * 1024 * 1024;
    char *zeros = calloc(1, zeros_len);
    char *sink = malloc(zeros_len);
    size_t coded_len = ZSTD_compress(coded, sizeof(coded), zeros, zeros_len, 3);
    struct inflate *inflater = NULL;
    cr_assert(inflate_make(INFLATE_ZSTD, &inflater) == ERR_OK);
    struct str rest = { coded, coded_len };
    size_t len = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && !inflate_is_whole(inflater)) {
        size_t used = 0;
        size_t out_made = 0;
        err = inflate_step(inflater, rest, sink, 65536, &used, &out_made);
        rest = str_skip(rest, used);
        len += out_made;
    }
    cr_expect(err == ERR_FULL);
    cr_expect(len < INFLATE_FREE_BYTES + coded_len * INFLATE_RATIO_MAX + 65536, "%zu", len);
    inflate_free(inflater);
    free(zeros);
    free(sink);
}

/* A frame that asks for more window than we give is refused, not served with memory. */
Test(inflate, bounds_the_window)
{
    static const unsigned char wide[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xb0, 0x01, 0x00, 0x00 };
    char out[64];
    size_t used = 0;
    size_t out_made = 0;
    struct inflate *inflater = NULL;
    cr_assert(inflate_make(INFLATE_ZSTD, &inflater) == ERR_OK);
    cr_expect(inflate_step(inflater, str_make((const char *)wide, sizeof(wide)), out, sizeof(out),
                           &used, &out_made) == ERR_BAD);
    inflate_free(inflater);
}

Test(inflate, knows_its_codings)
{
    enum inflate_kind kind = INFLATE_ZSTD;
    cr_expect(inflate_kind_of(STR(""), &kind) == ERR_OK && kind == INFLATE_NONE);
    cr_expect(inflate_kind_of(STR("GZIP"), &kind) == ERR_OK && kind == INFLATE_GZIP);
    cr_expect(inflate_kind_of(STR("deflate"), &kind) == ERR_OK && kind == INFLATE_DEFLATE);
    cr_expect(inflate_kind_of(STR("zstd"), &kind) == ERR_OK && kind == INFLATE_ZSTD);
    cr_expect(inflate_kind_of(STR("br"), &kind) == ERR_BAD);
    cr_expect(inflate_kind_of(STR("gzip, gzip"), &kind) == ERR_BAD);
}
