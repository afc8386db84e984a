/*
 * collect.h - folds the events of an answer into the whole: what non-stream clients get, and what
 * responses' terminal event repeats.
 *
 * Runs in: worker. Owner: a translation or a writer. Texts live in the collector's arena and grow
 * up to `bytes_max` all together.
 */
#ifndef PROTO_COLLECT_H
#define PROTO_COLLECT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "proto/hub.h"

struct collect_part;

struct collect {
    struct hub_answer answer;
    struct arena arena; /* finished parts */
    uint64_t bytes;     /* kept so far, of all texts */
    uint64_t bytes_max;
    struct collect_part *open; /* parts that have not ended */
};

void collect_init(struct collect *collect, uint64_t bytes_max);
void collect_fini(struct collect *collect);

/* ERR_FULL: bytes_max. ERROR and END change nothing. */
MUST_CHECK enum err collect_event(struct collect *collect, const struct hub_event *event);

/* What an open part has so far: its text, arguments or current reasoning segment. */
struct str collect_text(const struct collect *collect, uint32_t part);

/* The answer so far; parts that are open have their place in it, and no text yet. */
const struct hub_answer *collect_answer(const struct collect *collect);

#endif
