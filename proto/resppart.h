/*
 * resppart.h - output items of a Responses answer and their pieces, as events.
 *
 * A piece is a content part, a summary entry or a call's arguments. What its deltas left out is
 * taken from the `done` event of the piece or of its item: the whole text when no delta came, the
 * tail when the text goes on behind what came. Nothing is told twice.
 *
 * Only respread.c includes this. Runs in: worker. Owner: the reader; memory: its arena.
 */
#ifndef PROTO_RESPPART_H
#define PROTO_RESPPART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "proto/codec.h"
#include "proto/walk.h"

struct resppart_item;

struct resppart {
    const struct codec_source *source;
    struct arena *scratch;       /* of the event being read */
    struct resppart_item *items; /* newest first */
    uint32_t item_count;
    uint32_t next_part; /* handles */
    uint32_t call_count;
    bool has_refused;
};

/* What a piece is of its item. */
enum resppart_list {
    RESPPART_TEXT,
    RESPPART_REFUSAL,
    RESPPART_SUMMARY,
    RESPPART_RAW,
    RESPPART_ARGS
};

void
resppart_init(struct resppart *parts, const struct codec_source *source, struct arena *scratch);

/* output_item.added and .done: `event` has output_index and item. ERR_FULL: a bound. */
MUST_CHECK enum err resppart_added(struct resppart *parts, struct walk event);
MUST_CHECK enum err resppart_done(struct resppart *parts, struct walk event);
/* The same for an item of a whole answer, at this place. */
MUST_CHECK enum err resppart_whole(struct resppart *parts, struct walk item, uint64_t output_index);

/* The deltas of pieces, and the text that says all of a piece. */
MUST_CHECK enum err
resppart_delta(struct resppart *parts, struct walk event, enum resppart_list list);
MUST_CHECK enum err
resppart_text(struct resppart *parts, struct walk event, enum resppart_list list, struct walk text);
/* content_part.done */
MUST_CHECK enum err resppart_content(struct resppart *parts, struct walk event);
/* output_text.annotation.added */
MUST_CHECK enum err resppart_annotation(struct resppart *parts, struct walk event);

#endif
