/*
 * inflate.c - see inflate.h.
 */
#include "http/inflate.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/check.h"
#include "base/limits.h"

/* zlib's largest window; 16 more: a gzip wrapper; negative: none. */
#define ZLIB_WINDOW_BITS 15
#define ZLIB_GZIP 16

struct inflate {
    enum inflate_kind kind;
    bool is_started; /* the first byte was seen: deflate's wrapper is known */
    bool is_whole;   /* at the end of a member or frame */
    uint64_t in_bytes;
    uint64_t made_bytes;
    z_stream zlib;
    ZSTD_DStream *zstd;
};

enum err
inflate_kind_of(struct str encoding, enum inflate_kind *out)
{
    static const struct {
        struct str name;
        enum inflate_kind kind;
    } codings[] = {
        { { "", 0 }, INFLATE_NONE },           { { "identity", 8 }, INFLATE_NONE },
        { { "gzip", 4 }, INFLATE_GZIP },       { { "x-gzip", 6 }, INFLATE_GZIP },
        { { "deflate", 7 }, INFLATE_DEFLATE }, { { "zstd", 4 }, INFLATE_ZSTD },
    };
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        if (str_equal_nocase(encoding, codings[i].name)) {
            *out = codings[i].kind;
            return ERR_OK;
        }
    }
    return ERR_BAD;
}

static enum err
start(struct inflate *inflater, int window_bits)
{
    return inflateInit2(&inflater->zlib, window_bits) == Z_OK ? ERR_OK : ERR_IO;
}

static enum err
start_zstd(struct inflate *inflater)
{
    inflater->zstd = ZSTD_createDStream();
    if (inflater->zstd == NULL) {
        return ERR_IO;
    }
    size_t code =
        ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax, INFLATE_WINDOW_LOG_MAX);
    return ZSTD_isError(code) ? ERR_IO : ERR_OK;
}

enum err
inflate_make(enum inflate_kind kind, struct inflate **out)
{
    CHECK(kind != INFLATE_NONE);
    *out = NULL;
    struct inflate *inflater = calloc(1, sizeof(*inflater));
    if (inflater == NULL) {
        return ERR_IO;
    }
    inflater->kind = kind;
    /* What deflate means is known with its first byte only. */
    enum err err = ERR_OK;
    if (kind == INFLATE_ZSTD) {
        err = start_zstd(inflater);
    } else if (kind == INFLATE_GZIP) {
        err = start(inflater, ZLIB_WINDOW_BITS + ZLIB_GZIP);
        inflater->is_started = true;
    }
    if (err != ERR_OK) {
        inflate_free(inflater);
        return err;
    }
    *out = inflater;
    return ERR_OK;
}

void
inflate_free(struct inflate *inflater)
{
    if (inflater == NULL) {
        return;
    }
    if (inflater->zstd != NULL) {
        (void)ZSTD_freeDStream(inflater->zstd);
    } else if (inflater->zlib.state != NULL) {
        (void)inflateEnd(&inflater->zlib);
    }
    free(inflater);
}

/* "deflate" is a zlib stream by the book and raw deflate from some clients. The low half of a zlib
 * header's first byte is 8, which as raw deflate would be a stored block with dirty padding. */
static enum err
start_deflate(struct inflate *inflater, char first)
{
    inflater->is_started = true;
    bool is_zlib = ((unsigned char)first & 0x0f) == 8;
    return start(inflater, is_zlib ? ZLIB_WINDOW_BITS : -ZLIB_WINDOW_BITS);
}

/* A gzip body may be several members one after the other. */
static enum err
step_zlib(struct inflate *inflater, struct str in, char *out, size_t out_bytes, size_t *out_used,
          size_t *out_made)
{
    z_stream *zlib = &inflater->zlib;
    if (!inflater->is_started && in.len > 0) {
        enum err err = start_deflate(inflater, in.data[0]);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (inflater->is_whole && in.len > 0) {
        if (inflater->kind != INFLATE_GZIP || inflateReset(zlib) != Z_OK) {
            return ERR_BAD;
        }
        inflater->is_whole = false;
    }
    zlib->next_in = (z_const Bytef *)(uintptr_t)in.data;
    zlib->avail_in = in.len > UINT_MAX ? UINT_MAX : (uInt)in.len;
    zlib->next_out = (Bytef *)out;
    zlib->avail_out = out_bytes > UINT_MAX ? UINT_MAX : (uInt)out_bytes;
    uInt in_before = zlib->avail_in;
    uInt out_before = zlib->avail_out;
    int code = inflater->is_whole ? Z_BUF_ERROR : inflate(zlib, Z_NO_FLUSH);
    *out_used = in_before - zlib->avail_in;
    *out_made = out_before - zlib->avail_out;
    inflater->is_whole = inflater->is_whole || code == Z_STREAM_END;
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR ? ERR_OK
           : code == Z_MEM_ERROR                                       ? ERR_IO
                                                                       : ERR_BAD;
}

static enum err
step_zstd(struct inflate *inflater, struct str in, char *out, size_t out_bytes, size_t *out_used,
          size_t *out_made)
{
    ZSTD_inBuffer from = { in.data, in.len, 0 };
    ZSTD_outBuffer to = { out, out_bytes, 0 };
    if (in.len == 0 && inflater->is_whole) {
        return ERR_OK;
    }
    size_t code = ZSTD_decompressStream(inflater->zstd, &to, &from);
    *out_used = from.pos;
    *out_made = to.pos;
    if (ZSTD_isError(code)) {
        return ERR_BAD;
    }
    inflater->is_whole = code == 0;
    return ERR_OK;
}

enum err
inflate_step(struct inflate *inflater, struct str in, char *out, size_t out_bytes, size_t *out_used,
             size_t *out_made)
{
    CHECK(out_bytes > 0);
    *out_used = 0;
    *out_made = 0;
    enum err err = inflater->zstd != NULL
                       ? step_zstd(inflater, in, out, out_bytes, out_used, out_made)
                       : step_zlib(inflater, in, out, out_bytes, out_used, out_made);
    CHECK(*out_used <= in.len && *out_made <= out_bytes);
    inflater->in_bytes += *out_used;
    inflater->made_bytes += *out_made;
    if (err == ERR_OK && inflater->made_bytes > INFLATE_FREE_BYTES &&
        inflater->made_bytes / INFLATE_RATIO_MAX > inflater->in_bytes) {
        return ERR_FULL;
    }
    return err;
}

bool
inflate_is_whole(const struct inflate *inflater)
{
    return inflater->is_whole;
}
