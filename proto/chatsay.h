/*
 * chatsay.h - pieces of a Chat Completions answer that chunks and whole answers share.
 *
 * Only chatwrite.c includes this. Runs in: worker.
 */
#ifndef PROTO_CHATSAY_H
#define PROTO_CHATSAY_H

#include <stdbool.h>

#include "base/jsonw.h"
#include "proto/hub.h"
#include "proto/plan.h"

/* The word of a reason; static. `has_refusal`: the choice has said so in a refusal. */
const char *chatsay_finish(const struct hub_plan *plan, enum hub_finish finish, bool has_refusal);
/* The member `usage`. */
void chatsay_usage(struct jsonw *w, const struct usage *usage);
/* One element of annotations. */
void chatsay_annotation(struct jsonw *w, const struct hub_annotation *annotation);
/* extra_content with a Gemini signature; nothing for other families. */
void chatsay_signature(struct jsonw *w, const struct hub_signature *signature);

/* The whole answer. ERR_FULL: the buffer. */
MUST_CHECK enum err chatsay_answer(struct buf *to, struct arena *arena, const struct hub_plan *plan,
                                   const struct hub_answer *answer);

#endif
