/*
 * harvest.h - reads one answer of a provider from bytes as they come: head, then unframed body.
 *
 *   IN_HEAD -final head-> IN_BODY -last byte-> OVER
 *     ^  |1xx, bounded
 *     +--+
 *
 * The caller feeds what a read brought and asks for events until there are no more:
 *
 *      while ((event = harvest_next(answer, &bytes, &body)) != HARVEST_MORE) ...
 *
 * A head that lies whole in what is fed is copied once (its spans outlive the feed); one that is
 * cut is collected, bounded. Body bytes are spans of what is fed, never copied. Bytes behind the
 * answer are left in `bytes`.
 *
 * Runs in: worker, keeper. Pure but for its memory. A fuzz target: any cut gives the same answer.
 */
#ifndef HTTP_HARVEST_H
#define HTTP_HARVEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/parser.h"

enum harvest_state { HARVEST_IN_HEAD, HARVEST_IN_BODY, HARVEST_OVER };

enum harvest_event {
    HARVEST_MORE,   /* everything fed is used up */
    HARVEST_HEAD,   /* the final head: answer->head */
    HARVEST_BODY,   /* body bytes */
    HARVEST_END,    /* the last event of an answer */
    HARVEST_BROKEN, /* answer->why: feed no more */
};

struct harvest {
    enum harvest_state state;
    bool of_head; /* the request was HEAD: no body whatever is said */
    uint32_t interims;
    struct arena arena; /* the head's bytes and fields */
    struct parser_head head;
    struct parser_chunked chunked;
    struct buf kept; /* a head whose end has not come */
    size_t scanned;  /* of it */
    uint64_t body_left;
    const char *why; /* static sentence, set with HARVEST_BROKEN */
};

/* Once; then harvest_begin for each answer. */
void harvest_init(struct harvest *answer);
/* Frees; may be begun again. */
void harvest_fini(struct harvest *answer);
/* Forgets the answer before. */
void harvest_begin(struct harvest *answer, bool of_head);

enum harvest_event harvest_next(struct harvest *answer, struct str *bytes, struct str *out_body);

/* The connection ended in good order: HARVEST_END when that is how the body ends, else BROKEN. */
enum harvest_event harvest_finish(struct harvest *answer);

#endif
