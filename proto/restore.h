/*
 * restore.h - the filter that undoes in an answer what the plan did to the request: names, ids,
 * free-text tools that went out as functions, the tool that stands for structured output.
 *
 * Also: a call that ended without any argument gets `{}`; with single_call only the first call of a
 * choice is kept.
 *
 * Runs in: worker. Owner: the translation. Memory: its arena, and a buf a wrapped call.
 */
#ifndef PROTO_RESTORE_H
#define PROTO_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "proto/hub.h"
#include "proto/plan.h"

struct restore_part;

struct restore {
    const struct hub_plan *plan;
    struct arena *arena;
    struct hub_sink next;
    struct restore_part *parts; /* open calls */
    struct restore_part *spare;
    uint64_t called[2]; /* a bit a choice: it has had a call (single_call) */
    bool has_json;      /* the structured output's tool was called */
    bool has_other;     /* another tool was */
};

void restore_init(struct restore *restore, const struct hub_plan *plan, struct arena *arena,
                  struct hub_sink next);
void restore_fini(struct restore *restore);

/* A hub_sink function; context is the struct. */
MUST_CHECK enum err restore_event(void *context, const struct hub_event *event);

#endif
