/*
 * sanity.h - the first filter behind a reader: whatever the provider sends, what comes out is an
 * answer in good order.
 *
 * START comes first and once; texts come between OPEN and CLOSE of their part; the FINISH of every
 * choice comes after all its parts, right before END; its reason agrees with what was said (calls
 * make TOOL_CALLS of STOP, TOOL_CALLS without a call is STOP). An answer that is empty for no good
 * reason, or ends in a malformed call before anything else, becomes ERROR.
 *
 * Runs in: worker. Owner: the translation. Memory: its arena.
 */
#ifndef PROTO_SANITY_H
#define PROTO_SANITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "proto/hub.h"

struct sanity_part;
struct sanity_choice;

struct sanity {
    struct arena *arena;
    struct hub_sink next;
    bool is_started;
    bool is_ended;
    uint32_t part_count; /* ever opened */
    uint32_t open_count;
    uint64_t out_tokens; /* as reported so far */
    struct sanity_part *open;
    struct sanity_part *spare;
    struct sanity_choice *choices; /* by index */
};

void sanity_init(struct sanity *sanity, struct arena *arena, struct hub_sink next);

/* A hub_sink function; context is the struct. ERR_FULL: too many parts or choices. ERR_BAD: END
 * came although a choice was not finished: the answer broke off. */
MUST_CHECK enum err sanity_event(void *context, const struct hub_event *event);

#endif
