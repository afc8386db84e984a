/*
 * inflate.h - compressed request bodies: gzip, deflate (zlib or raw) and zstd, piece by piece.
 *
 * Output goes straight to the caller's memory. A body that grows beyond INFLATE_RATIO_MAX times
 * what came in (after the first INFLATE_FREE_BYTES) is a bomb. The one file that knows zlib and
 * libzstd.
 *
 * Runs in: worker, recorder. Every input is hostile.
 */
#ifndef HTTP_INFLATE_H
#define HTTP_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct inflate;

enum inflate_kind { INFLATE_NONE, INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_ZSTD };

/* From a Content-Encoding value; empty and "identity" are INFLATE_NONE. ERR_BAD: any other coding,
 * also a list of several. */
MUST_CHECK enum err inflate_kind_of(struct str encoding, enum inflate_kind *out);

/* ERR_IO: no memory. kind is not INFLATE_NONE. */
MUST_CHECK enum err inflate_make(enum inflate_kind kind, struct inflate **out);
/* NULL is fine. */
void inflate_free(struct inflate *inflater);

/*
 * Takes some of `in`, makes some of out[0..out_bytes). Call again while *out_used < in.len, or
 * while *out_made == out_bytes (more may wait inside). ERR_BAD: not this coding, or bytes behind
 * its end. ERR_FULL: a bomb.
 */
MUST_CHECK enum err inflate_step(struct inflate *inflater, struct str in, char *out,
                                 size_t out_bytes, size_t *out_used, size_t *out_made);

/* Has everything that was fed come to a proper end (checksum included)? */
bool inflate_is_whole(const struct inflate *inflater);

#endif
