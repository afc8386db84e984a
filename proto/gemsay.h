/*
 * gemsay.h - pieces of a Gemini answer that chunks and whole answers share.
 *
 * Only gemwrite.c includes this. Runs in: worker.
 */
#ifndef PROTO_GEMSAY_H
#define PROTO_GEMSAY_H

#include <stdbool.h>

#include "base/jsonw.h"
#include "proto/codec.h"

/* The word of a reason; static. */
const char *gemsay_finish(enum hub_finish finish);
/* The member usageMetadata. */
void gemsay_usage(struct jsonw *w, const struct usage *usage);
/* modelVersion and responseId. */
void gemsay_tail(struct jsonw *w, const struct hub_plan *plan, struct str id);
/* The member thoughtSignature: Gemini's own, or a carrier in base64. Nothing for family NONE. */
MUST_CHECK enum err gemsay_signature(struct jsonw *w, const struct hub_plan *plan,
                                     const struct hub_signature *signature,
                                     const struct hub_segment *segments, struct arena *arena);
/* A whole call; *is_left_out: its arguments are no object (cut off), nothing was written. */
MUST_CHECK enum err
gemsay_call(struct jsonw *w, const struct hub_plan *plan, const struct hub_call *call,
            struct arena *arena, bool *is_left_out);
/* The member groundingMetadata. */
void gemsay_grounding(struct jsonw *w, const struct hub_annotation *annotations);

MUST_CHECK enum err
gemsay_answer(const struct codec_outlet *outlet, const struct hub_answer *answer);

#endif
