/*
 * respsay.h - the response object around the output items, and single events.
 *
 * Only respline.c, respextra.c and respwrite.c include this. Runs in: worker.
 */
#ifndef PROTO_RESPSAY_H
#define PROTO_RESPSAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/jsonw.h"
#include "proto/hub.h"
#include "proto/plan.h"

/* Where events go. A whole answer is made by the same steps as a stream, without its events. */
struct respsay {
    const struct hub_plan *plan;
    struct buf *to;
    uint64_t sequence; /* of the next event */
    bool is_silent;
    struct str id; /* of the response, as the client knows it */
    uint64_t created_s;
};

/* An event's begin: the writer stands in its object. `type` with its "response.". Between the two
 * come jsonw calls; respsay_end tells every error. */
void respsay_begin(struct respsay *say, struct jsonw *w, const char *type);
MUST_CHECK enum err respsay_end(struct respsay *say, struct jsonw *w);

/* How an answer ended. */
struct respsay_end_state {
    const char *status;        /* "in_progress", "completed", "incomplete", "failed" */
    const char *reason;        /* incomplete_details.reason; NULL: none */
    const char *error;         /* error.message; NULL: none */
    struct str output;         /* the items' list without its brackets */
    const struct usage *usage; /* NULL: null */
};

/* The state of a reason; `has_refusal`: a refusal part says so already. output and usage are left
 * alone. */
void respsay_state(enum hub_finish finish, bool has_refusal, struct respsay_end_state *state);

/* The response object as a value. */
void
respsay_response(const struct respsay *say, struct jsonw *w, const struct respsay_end_state *state);

/* One more element of a list that is kept as text: the comma, and a writer behind it. */
MUST_CHECK enum err respsay_element(struct buf *list, struct jsonw *w);
/* A list whose elements are already joined by commas. */
void respsay_list(struct jsonw *w, const char *name, struct str elements);
void respsay_annotation(struct jsonw *w, const struct hub_annotation *annotation);

#endif
