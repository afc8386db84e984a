/*
 * respline.h - the output items of a Responses answer, written one behind the other.
 *
 *      NONE -text-> MESSAGE -other kind, finish-> NONE
 *      NONE -reasoning, call-> REASONING, CALL -close-> NONE
 *
 * An item is announced by its first word, so that an empty part is no item. Texts and refusals of
 * one run share a message. Finished items are kept as JSON: the terminal event repeats them.
 *
 * Only respwrite.c and respextra.c include this. Runs in: worker. Owner: the writer; texts live in
 * its bufs.
 */
#ifndef PROTO_RESPLINE_H
#define PROTO_RESPLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "proto/hub.h"
#include "proto/respsay.h"

enum respline_item { RESPLINE_NONE, RESPLINE_MESSAGE, RESPLINE_REASONING, RESPLINE_CALL };

struct respline {
    struct respsay *say;
    struct arena scratch; /* of the open part */
    uint32_t count;       /* items finished: the next one's output_index */
    enum respline_item item;
    char id[PLAN_ID_BYTES]; /* of the open item */

    enum hub_part_kind kind; /* of the open part */
    uint32_t inner;          /* content_index or summary_index of the next piece */
    bool is_piece_open;
    bool is_cut;  /* a part of the open message was incomplete */
    bool refuses; /* a refusal was written */
    uint32_t note_count;
    struct str phase;
    struct hub_call call;
    bool is_hosted; /* the call is an item of a kind of its own */
    struct hub_signature signature;
    struct hub_segment *segments; /* lengths of the open reasoning's texts */

    struct buf text;    /* of the open piece or call */
    struct buf notes;   /* its annotations */
    struct buf tokens;  /* its logprobs */
    struct buf content; /* finished pieces of the open item */
    struct buf output;  /* finished items */
};

void respline_init(struct respline *line, struct respsay *say);
void respline_fini(struct respline *line);
/* Bytes of memory. */
uint64_t respline_held(const struct respline *line);

/* An event of a part. ERR_FULL: what is kept of an answer has a bound. */
MUST_CHECK enum err respline_event(struct respline *line, const struct hub_event *event);
/* Ends the open message. */
MUST_CHECK enum err respline_rest(struct respline *line);
#endif
