/*
 * chatcall.h - tool calls out of Chat Completions deltas, as servers really send them.
 *
 * A call is told apart by index, else by id, else by having a name; a new id with a name on an
 * index that is in use is a new call. OPEN is sent when the name can no longer grow: at the first
 * argument, or when something else begins. A call whose arguments form a whole object is closed as
 * soon as another part begins; the others stay open until the end, since servers interleave them.
 *
 * Only chatread.c includes this. Runs in: worker. Owner: the reader; memory: its arena.
 */
#ifndef PROTO_CHATCALL_H
#define PROTO_CHATCALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "proto/codec.h"
#include "proto/walk.h"

struct chatcall;

/* The calls of one choice. */
struct chatcalls {
    struct chatcall *list; /* in the order in which they began */
    struct chatcall *last;
    uint32_t choice;
};

/* What all choices of one answer share. */
struct chatcall_common {
    const struct codec_source *source;
    struct arena *scratch; /* of the event being read */
    uint32_t *next_part;   /* handles */
    uint32_t *call_count;  /* calls so far: for fresh ids */
};

/* One element of tool_calls. ERR_FULL: a bound. */
MUST_CHECK enum err
chatcall_delta(struct chatcalls *calls, const struct chatcall_common *common, struct walk delta);
/* The function_call of old: there is at most one, without an id. */
MUST_CHECK enum err chatcall_legacy(struct chatcalls *calls, const struct chatcall_common *common,
                                    struct walk function);
/* Another part of the choice begins: what is complete is closed. */
MUST_CHECK enum err chatcall_settle(struct chatcalls *calls, const struct chatcall_common *common);
/* The choice has finished: what is complete is closed, the rest is left to be judged. */
MUST_CHECK enum err chatcall_finish(struct chatcalls *calls, const struct chatcall_common *common);

#endif
