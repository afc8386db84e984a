/*
 * multipart.h - the parts of a multipart/form-data body, one after another, without a copy.
 *
 * Strict, because the upstream reads the same bytes with another parser and must find the same
 * fields: CRLF line ends, a boundary as RFC 2046 allows it, a closing boundary, one
 * content-disposition a part with a plain name, no transfer encoding.
 *
 * Runs in: worker. Owner: a local variable; spans point into the caller's body.
 */
#ifndef PROTO_MULTIPART_H
#define PROTO_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define MULTIPART_BOUNDARY_BYTES 70 /* RFC 2046's bound */

struct multipart {
    struct str body;
    size_t at;                               /* behind the boundary read last */
    uint32_t parts;                          /* given out so far */
    char mark[4 + MULTIPART_BOUNDARY_BYTES]; /* "\r\n--" and the boundary */
    size_t mark_bytes;
    const char *reason; /* set with ERR_BAD: a sentence, static */
};

struct multipart_part {
    struct str name;
    struct str content;
    bool is_file; /* has a filename */
};

/* ERR_BAD: no multipart/form-data, no proper boundary, or none in the body. */
MUST_CHECK enum err multipart_begin(struct multipart *m, struct str body, struct str content_type);

/* ERR_EOF: behind the last part. ERR_BAD: malformed. */
MUST_CHECK enum err multipart_next(struct multipart *m, struct multipart_part *out);

#endif
