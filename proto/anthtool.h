/*
 * anthtool.h - the tools of an Anthropic request, both ways.
 *
 * Only anthin.c and anthout.c include this. Runs in: worker.
 */
#ifndef PROTO_ANTHTOOL_H
#define PROTO_ANTHTOOL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/jsonw.h"
#include "proto/codec.h"
#include "proto/walk.h"

/* tools and tool_choice of the body. */
MUST_CHECK enum err
anthtool_read(struct hub_request *request, struct walk root, struct hub_problem *problem);

/* How many cache marks may still be left out before the last four begin; counted down. */
struct anthtool_marks {
    uint32_t skip;
};
void anthtool_mark(struct jsonw *w, enum hub_cache cache, struct anthtool_marks *marks);

/* The same members for a provider; nothing when there are no tools. `json_schema`: not empty: the
 * one tool that stands for structured output. */
MUST_CHECK enum err anthtool_write(const struct codec_job *job, struct jsonw *w,
                                   struct str json_schema, struct anthtool_marks *marks);

#endif
