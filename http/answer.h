/*
 * answer.h - reads one answer of a provider from bytes as they come: head, then unframed body.
 *
 *   IN_HEAD -final head-> IN_BODY -last byte-> OVER
 *     ^  |1xx, bounded
 *     +--+
 *
 * The caller feeds what a read brought and asks for events until there are no more:
 *
 *      while ((event = answer_next(answer, &bytes, &body)) != ANSWER_MORE) ...
 *
 * A head that lies whole in what is fed is copied once (its spans outlive the feed); one that is
 * cut is collected, bounded. Body bytes are spans of what is fed, never copied. Bytes behind the
 * answer are left in `bytes`.
 *
 * Runs in: worker, keeper. Pure but for its memory. A fuzz target: any cut gives the same answer.
 */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/parser.h"

enum answer_state { ANSWER_IN_HEAD, ANSWER_IN_BODY, ANSWER_OVER };

enum answer_event {
    ANSWER_MORE,   /* everything fed is used up */
    ANSWER_HEAD,   /* the final head: answer->head */
    ANSWER_BODY,   /* body bytes */
    ANSWER_END,    /* the last event of an answer */
    ANSWER_BROKEN, /* answer->why: feed no more */
};

struct answer {
    enum answer_state state;
    bool of_head; /* the request was HEAD: no body whatever is said */
    uint32_t interims;
    struct arena arena; /* the head's bytes and fields */
    struct parser_head head;
    struct parser_chunked chunked;
    struct buf kept; /* a head whose end has not come */
    size_t scanned;  /* of it */
    uint64_t body_left;
    const char *why; /* static sentence, set with ANSWER_BROKEN */
};

/* Once; then answer_begin for each answer. */
void answer_init(struct answer *answer);
/* Frees; may be begun again. */
void answer_fini(struct answer *answer);
/* Forgets the answer before. */
void answer_begin(struct answer *answer, bool of_head);

enum answer_event answer_next(struct answer *answer, struct str *bytes, struct str *out_body);

/* The connection ended in good order: ANSWER_END when that is how the body ends, else BROKEN. */
enum answer_event answer_finish(struct answer *answer);

#endif
