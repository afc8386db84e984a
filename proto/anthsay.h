/*
 * anthsay.h - pieces of an Anthropic answer that streams and whole answers share.
 *
 * Only anthread.c and anthwrite.c include this. Runs in: worker.
 */
#ifndef PROTO_ANTHSAY_H
#define PROTO_ANTHSAY_H

#include <stdbool.h>

#include "base/jsonw.h"
#include "proto/codec.h"
#include "proto/walk.h"

/* The word of a reason; static. `has_text`: the stop sequence is known. */
const char *anthsay_stop(enum hub_finish finish, bool has_text);
/* And back. */
enum hub_finish anthsay_finish(struct walk reason);
/* The members of a usage object, without its braces. */
void anthsay_counts(struct jsonw *w, const struct usage *usage);
/* The members of a message around its content: id, type, role, model; and what newer clients want.
 */
void anthsay_head(struct jsonw *w, const struct hub_plan *plan, struct str id);
void anthsay_nulls(struct jsonw *w, const struct hub_plan *plan);
/* A tool_use block's members but input. */
void anthsay_call(struct jsonw *w, const struct hub_plan *plan, const struct hub_call *call);
/* One element of citations. */
void anthsay_citation(struct jsonw *w, const struct hub_annotation *annotation);
/* What stands in `signature`: Anthropic's own, or a carrier. ERR_FULL: the arena. */
MUST_CHECK enum err
anthsay_signature(const struct hub_plan *plan, const struct hub_signature *from,
                  const struct hub_segment *segments, struct arena *arena, struct str *out);

/* The whole message. */
MUST_CHECK enum err
anthsay_answer(const struct codec_outlet *outlet, const struct hub_answer *answer);

#endif
