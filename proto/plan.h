/*
 * plan.h - what is agreed between the two halves of a translation: names and ids as the upstream
 * sees them, and what must be undone in its answer.
 *
 * Made anew for each attempt (the next account may speak another dialect); the answer's side keeps
 * it, in an arena of its own, when the request's memory is long gone.
 *
 * Tool names are a bijection per request: legal ones stay, others get their illegal bytes replaced
 * and, when cut or ambiguous, a hash of the original. Ids are translated by a pure function, so
 * that a result finds its call and prompt caches stay warm.
 *
 * Runs in: worker. Owner: the translation.
 */
#ifndef PROTO_PLAN_H
#define PROTO_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/caps.h"
#include "proto/hub.h"

struct carrier;

/* Where a request goes. Borrowed for the time of encoding; `model` and caps are copied. */
struct hub_target {
    enum dialect dialect;
    struct str model; /* the name to send, after the group's mapping */
    const struct caps *caps;
    bool stream;             /* ask the upstream for a stream */
    struct str instructions; /* default system text when the client has none; may be empty */
    bool single_call;        /* keep only the first call of a reply that must not be parallel */
};

struct plan_tool {
    struct plan_tool *next;
    struct str name; /* the client's */
    struct str space;
    struct str wire; /* the upstream's */
    enum hub_call_kind kind;
    bool is_wrapped;        /* a CUSTOM tool that goes out as a function {input: string} */
    enum hub_hosted hosted; /* a hosted tool that goes out as a function (shell, apply_patch, ...);
                               OTHER: it is none */
};

struct hub_plan {
    struct hub_shape shape; /* of the client; copied */
    enum dialect upstream;
    struct caps caps;
    struct plan_tool *tools;
    struct str stops[HUB_STOPS_MAX]; /* that the gateway watches for; encoders add (plan_watch) */
    uint32_t stop_count;
    bool json_tool;   /* the forced tool PLAN_JSON_TOOL stands for structured output: its arguments
                         are the answer's text */
    bool single_call; /* only the first call of an answer is kept */
    const struct carrier *carrier;
    uint64_t seed;       /* for fresh ids: the same gives the same */
    uint64_t now_s;      /* since 1970 */
    struct arena *arena; /* the plan's own */
};

#define PLAN_JSON_TOOL "respond_json"
#define PLAN_ID_BYTES 80u /* a mapped or fresh id with its NUL */

/* Fills names for the target's dialect. Sets only what plan.h owns; ERR_FULL: the arena. */
MUST_CHECK enum err plan_make(struct hub_plan *plan, const struct hub_request *request,
                              const struct hub_target *target);

/* The name to write for the client's tool; works for names that are no tool too (histories). The
 * result lives in the plan's arena or is `name`. ERR_FULL: the arena. */
MUST_CHECK enum err
plan_wire(struct hub_plan *plan, struct str name, struct str space, struct str *out);
/* The tool an upstream's name means; NULL: not in the map, pass it unchanged. */
const struct plan_tool *plan_tool_of(const struct hub_plan *plan, struct str wire);
/* The tool of the client's name; NULL when there is none. */
const struct plan_tool *
plan_tool_named(const struct hub_plan *plan, struct str name, struct str space);

/* A call id for the upstream or the client of this dialect: itself when legal, else prefix and
 * hash. Returns `id` or text in `out`. */
struct str plan_call_id(enum dialect dialect, struct str id, char out[PLAN_ID_BYTES]);
/* A fresh call id for an answer whose provider gave none; `number` tells calls apart. */
struct str plan_fresh_call(const struct hub_plan *plan, uint32_t number, char out[PLAN_ID_BYTES]);
/* The client's id of the whole answer: prefix of its dialect and 24 characters out of the
 * provider's id, or out of the seed when there is none. */
struct str
plan_answer_id(const struct hub_plan *plan, struct str upstream, char out[PLAN_ID_BYTES]);
/* "msg_", "fc_", "rs_", ... and characters out of the seed and the number. */
struct str plan_item_id(const struct hub_plan *plan, const char *prefix, uint32_t number,
                        char out[PLAN_ID_BYTES]);

/* How a free-text tool looks as a function: its schema, and its description with the grammar in it.
 */
#define PLAN_CUSTOM_SCHEMA                                                                 \
    "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},\"required\":[" \
    "\"input\"],\"additionalProperties\":false}"
MUST_CHECK enum err
plan_custom_description(struct arena *arena, const struct hub_tool *tool, struct str *out);
/* The gateway must watch for this stop sequence itself. */
MUST_CHECK enum err plan_watch(struct hub_plan *plan, struct str stop);

#endif
