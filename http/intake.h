/*
 * intake.h - reads one answer of a provider from bytes as they come: head, then unframed body.
 *
 *   IN_HEAD -final head-> IN_BODY -last byte-> OVER
 *     ^  |1xx, bounded
 *     +--+
 *
 * The caller feeds what a read brought and asks for events until there are no more:
 *
 *      while ((event = intake_next(answer, &bytes, &body)) != INTAKE_MORE) ...
 *
 * A head that lies whole in what is fed is copied once (its spans outlive the feed); one that is
 * cut is collected, bounded. Body bytes are spans of what is fed, never copied. Bytes behind the
 * answer are left in `bytes`.
 *
 * Runs in: worker, keeper. Pure but for its memory. A fuzz target: any cut gives the same answer.
 */
#ifndef HTTP_INTAKE_H
#define HTTP_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/parser.h"

enum intake_state { INTAKE_IN_HEAD, INTAKE_IN_BODY, INTAKE_OVER };

enum intake_event {
    INTAKE_MORE,   /* everything fed is used up */
    INTAKE_HEAD,   /* the final head: answer->head */
    INTAKE_BODY,   /* body bytes */
    INTAKE_END,    /* the last event of an answer */
    INTAKE_BROKEN, /* answer->why: feed no more */
};

struct intake {
    enum intake_state state;
    bool of_head; /* the request was HEAD: no body whatever is said */
    uint32_t interims;
    struct arena arena; /* the head's bytes and fields */
    struct parser_head head;
    struct parser_chunked chunked;
    struct buf kept; /* a head whose end has not come */
    size_t scanned;  /* of it */
    uint64_t body_left;
    const char *why; /* static sentence, set with INTAKE_BROKEN */
};

/* Once; then intake_begin for each answer. */
void intake_init(struct intake *answer);
/* Frees; may be begun again. */
void intake_fini(struct intake *answer);
/* Forgets the answer before. */
void intake_begin(struct intake *answer, bool of_head);

enum intake_event intake_next(struct intake *answer, struct str *bytes, struct str *out_body);

/* The connection ended in good order: INTAKE_END when that is how the body ends, else BROKEN. */
enum intake_event intake_finish(struct intake *answer);

#endif
