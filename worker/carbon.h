/*
 * carbon.h - a copy of an answer on its way to the client, for whoever asks the same again.
 *
 * Only answers that are no streams have one: those to an Idempotency-Key, and those whose head
 * waits for their cost (stream.h). It holds the lines of the head that belong to the answer itself
 * (its type, its coding, the model; neither ids nor limits, which are another request's) and the
 * body as the client got it, translated or not. When the client leaves and its provider's answer is
 * read on, the copy goes on too.
 *
 * Bounds: one copy PARCEL_BYTES_MAX, all of a worker CARBON_BYTES_MAX. What does not fit is not
 * kept, and carbon_state() says so.
 *
 * All functions do nothing for a relay without one. Runs in: worker. Owner: the relay. Dying here
 * forgets: the request is billed by its lease.
 */
#ifndef WORKER_CARBON_H
#define WORKER_CARBON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/outcome.h"

struct relay;
struct parser_head;

struct carbon {
    bool is_whole;        /* the answer came to its end, and all of it is here */
    uint8_t lost;         /* enum outcome_state: why it is not kept; 0 = it is */
    uint16_t status;      /* of the answer */
    uint32_t field_bytes; /* of `bytes`, at its start */
    struct buf bytes;     /* fields, body */
};

/* From here on; the answer has not begun. False: no memory. */
bool carbon_begin(struct relay *relay);

/* The client's head goes out with these fields. */
void carbon_head(struct relay *relay, uint16_t status, struct str fields);
/* A provider's head came for a client that left. */
void carbon_head_unseen(struct relay *relay, const struct parser_head *head);
/* Bytes of the client's answer, whether it is there or not. */
void carbon_body(struct relay *relay, struct str bytes);
/* Would they fit a copy of at most `bytes_max`? */
bool carbon_has_room(const struct relay *relay, struct str bytes, uint32_t bytes_max);
/* Another account answers: the copy begins anew. */
void carbon_restart(struct relay *relay);
/* The answer came whole. */
void carbon_end(struct relay *relay);

/* What can be kept: OUTCOME_KEPT, or why not. */
enum outcome_state carbon_state(const struct relay *relay);
struct str carbon_fields(const struct carbon *carbon);
struct str carbon_bytes(const struct carbon *carbon);

/* The memory goes; may be called at any time. */
void carbon_fini(struct relay *relay);

#endif
