/*
 * codec.h - what a dialect has to offer, and the table of the four.
 *
 * A dialect is a row of functions; no other file names two dialects. Each is pure, incremental, and
 * bounded: states lie in the arena they are given, texts that must be kept in bufs with bounds,
 * which `..._close` gives back.
 *
 * Runs in: worker. Owner of every state: the translation that made it.
 */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/dialect.h"
#include "proto/error.h"
#include "proto/hub.h"
#include "proto/plan.h"

/* One encoding: a request for one account. */
struct codec_job {
    const struct hub_request *request; /* after turns_order() */
    const struct hub_target *target;
    struct hub_plan *plan;       /* names are made; the encoder adds stops and json_tool */
    struct arena *arena;         /* scratch, freed behind the encoding */
    struct hub_losses *losses;   /* hub_drop() */
    struct hub_problem *problem; /* hub_reject() */
    struct buf *to;              /* the body */
};

/* One answer's reader. */
struct codec_source {
    const struct hub_plan *plan;
    struct arena *arena; /* lives as long as the answer: states, not texts */
    struct hub_sink sink;
};

/* One answer's writer. */
struct codec_outlet {
    const struct hub_plan *plan;
    struct arena *arena; /* as long as the answer */
    struct buf *to;      /* client bytes are appended */
};

struct codec {
    enum dialect dialect;

    /* ERR_BAD with *problem filled; ERR_FULL: the arena (413). Reads everything it knows into
     * *request, hub_drop()s unknown top-level members, refuses unknown content. */
    enum err (*decode)(struct hub_request *request, struct str body, struct hub_problem *problem);
    /* ERR_BAD with *problem filled; ERR_FULL: a bound. With shape.is_count only what the dialect's
     * counting endpoint takes. */
    enum err (*encode)(const struct codec_job *job);

    /*
     * The reader. Events of a part: OPEN, DELTA..., CLOSE. START comes with the first thing heard
     * that tells the id; END when the terminal marker was seen (for gemini, and for chat without
     * [DONE]: in read_end). ERR_BAD: what came is no JSON of this dialect; ERR_FULL: a bound; other
     * codes are the sink's. A provider's error is HUB_ERROR and ERR_OK.
     */
    void *(*read_open)(const struct codec_source *source); /* NULL: the arena is full */
    enum err (*read_event)(void *reader, struct str name, struct str data); /* one SSE event */
    enum err (*read_body)(void *reader, struct str body); /* a whole answer, the same events */
    enum err (*read_end)(void *reader);                   /* the upstream ended in good order */
    void (*read_close)(void *reader);

    /*
     * The writer of a stream, with its framing. Gets what the filters let through: START first, one
     * open part at a time when is_serial, every part closed before FINISH of its choice, names and
     * ids as the client knows them, USAGE before END, no ERROR. Terminal events go out at END.
     */
    bool is_serial;
    void *(*write_open)(const struct codec_outlet *outlet);
    enum err (*write_event)(void *writer, const struct hub_event *event);
    /* The terminal error event; what is open is closed as the dialect wants it. */
    enum err (*write_error)(void *writer, const struct error_info *info);
    void (*write_close)(void *writer);
    uint64_t (*write_held)(const void *writer); /* bytes beside the arena's; NULL: few */
    /* The whole answer; nothing of a stream was written. */
    enum err (*write_answer)(const struct codec_outlet *outlet, const struct hub_answer *answer);

    /* Counting endpoints: the count in the dialect's answer and out of it; NULL: the dialect has
     * none. read_count: false when the body has no count. */
    enum err (*write_count)(struct buf *to, uint64_t input_tokens);
    bool (*read_count)(struct str body, uint64_t *input_tokens);
};

/* Static; never NULL for a dialect of dialect.h. */
const struct codec *codec_of(enum dialect dialect);

#endif
