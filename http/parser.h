/*
 * parser.h - HTTP/1.1 heads and chunked bodies, strict: the one file that knows llhttp.
 *
 * A head is parsed in one piece (the caller collects it up to the empty line, bounded), after our
 * own checks: no folded lines, no bare CR or LF, no empty names, exactly one Host for 1.1,
 * Content-Length or exactly "chunked" and never both, version 1.0 or 1.1, no '#' in the target.
 * Request fields with '_' in their name are kept out of the list, since they could be taken for
 * those with '-'; session_id and conversation_id, which real clients send, are kept. A chunked body
 * is fed piece by piece. Nothing of llhttp's types shows here.
 *
 * Runs in: worker, recorder, keeper. Every input is hostile; fuzzed both directions.
 */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "http/header.h"

enum parser_framing { PARSER_NO_BODY, PARSER_LENGTH, PARSER_CHUNKED, PARSER_UNTIL_CLOSE };

struct parser_head {
    struct str method;     /* requests: "POST" */
    struct str target;     /* as sent */
    struct str path;       /* of the target, undecoded, absolute form reduced to its path */
    struct str query;      /* behind '?', without it */
    uint16_t status;       /* answers */
    uint8_t minor;         /* HTTP/1.minor */
    bool keep_alive;       /* as version and Connection say */
    bool expects_continue; /* Expect: 100-continue */
    bool wants_upgrade;
    enum parser_framing framing;
    uint64_t content_length; /* PARSER_LENGTH */
    struct header_list headers;
};

/* Why a head or body is refused, ready to answer with. */
struct parser_error {
    uint16_t status;     /* 400, 408, 413, 414, 417, 431, 501, 505 */
    const char *code;    /* stable code, static: "invalid_request", "header_too_large", ... */
    const char *message; /* static sentence for a person */
};

/*
 * Length of the head at the start of `bytes` including its empty line; 0 when it is not all there.
 * `scanned` (start with 0) remembers how far it looked, so that a head that drips in is not scanned
 * again and again. ERR_BAD with *error as soon as it cannot become a good head (bare LF, too long).
 */
MUST_CHECK enum err
parser_head_end(struct str bytes, size_t *scanned, size_t *out_bytes, struct parser_error *error);
/* The same for an answer's head; of *error only the message means anything then. */
MUST_CHECK enum err
parser_answer_end(struct str bytes, size_t *scanned, size_t *out_bytes, struct parser_error *error);

/* `head` is exactly one head; spans point into it, the header array comes from the arena. */
MUST_CHECK enum err parser_request(struct str head, struct arena *arena, struct parser_head *out,
                                   struct parser_error *error);
/* `of_head`: the answer belongs to a HEAD request (no body whatever it says). */
MUST_CHECK enum err parser_answer(struct str head, bool of_head, struct arena *arena,
                                  struct parser_head *out, struct parser_error *error);

/*
 * Both at once for a head at the start of `bytes` that is all there and plain, as nearly all are:
 * the head is copied to the arena, *out_bytes is its length. 0: it is not; nothing was judged, the
 * functions above do it. The result is the same either way.
 */
MUST_CHECK enum err
parser_request_whole(struct str bytes, struct arena *arena, struct parser_head *out,
                     size_t *out_bytes, struct parser_error *error);
MUST_CHECK enum err
parser_answer_whole(struct str bytes, bool of_head, struct arena *arena, struct parser_head *out,
                    size_t *out_bytes, struct parser_error *error);

/* --- chunked bodies, incremental --- */

struct parser_chunked {
    uint64_t state[4]; /* the parser's own; opaque, no pointers: may be copied */
    uint64_t total_bytes;
    bool is_done;
};

void parser_chunked_init(struct parser_chunked *chunked);

/*
 * Takes from `bytes` up to the end of one run of body bytes: *out_body is that run (a span of
 * `bytes`, may be empty), *out_used how much was taken. Call again with the rest until everything
 * is used or is_done. ERR_BAD: framing broken (size overflow, bad line end, trailer over its
 * bound).
 */
MUST_CHECK enum err parser_chunked_feed(struct parser_chunked *chunked, struct str bytes,
                                        struct str *out_body, size_t *out_used);

#endif
