/*
 * upload.h - one request body on its way in: framing, decompression and bounds, without a socket.
 *
 * A declared length that is not compressed goes into one block of that size, and upload_place()
 * says where to read straight to. Everything else is fed and grows. What is refused comes back as
 * the error to answer with.
 *
 * Runs in: worker, recorder. Owner: the connection that embeds it; upload_end gives all back.
 */
#ifndef HTTP_UPLOAD_H
#define HTTP_UPLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "http/body.h"
#include "http/parser.h"

struct inflate;

struct upload {
    struct body body;
    struct inflate *inflate;       /* NULL: not compressed */
    struct parser_chunked chunked; /* PARSER_CHUNKED */
    enum parser_framing framing;
    bool is_whole;
    uint64_t left;       /* PARSER_LENGTH: bytes still to come */
    uint64_t bytes_max;  /* of the body, also decompressed */
    uint64_t wire_bytes; /* taken so far */
    uint64_t started_ms; /* the server's */
};

/* Checks the declared length and coding and takes memory, before a byte is read. ERR_BAD: refused,
 * *error says how. */
MUST_CHECK enum err
upload_begin(struct upload *upload, struct body_pool *pool, const struct parser_head *head,
             uint64_t bytes_max, struct parser_error *error);

/* Where the next bytes of the body may be read to, *out_bytes of them; NULL: feed it. */
char *upload_place(const struct upload *upload, size_t *out_bytes);
/* That many were read to upload_place(). */
void upload_placed(struct upload *upload, size_t bytes);

/* Takes what belongs to this body from the front of `bytes`. ERR_BAD: refused. */
MUST_CHECK enum err upload_feed(struct upload *upload, struct body_pool *pool, struct str bytes,
                                size_t *out_used, struct parser_error *error);

void upload_end(struct upload *upload, struct body_pool *pool);

#endif
