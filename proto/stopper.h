/*
 * stopper.h - the filter that ends an answer at a stop sequence the upstream could not be told.
 *
 * Watches the text parts; holds back as many bytes as could be the beginning of a sequence, never
 * part of a character. After a match the choice is silent: its open parts are closed, what follows
 * is swallowed, its FINISH says STOP_SEQUENCE. Usage goes on being counted.
 *
 * Runs in: worker. Owner: the translation. Memory: a buf an open text part.
 */
#ifndef PROTO_STOPPER_H
#define PROTO_STOPPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "proto/hub.h"
#include "proto/plan.h"

struct stopper_part;

struct stopper {
    const struct hub_plan *plan;
    struct arena *arena;
    struct hub_sink next;
    struct stopper_part *parts; /* open ones of any kind */
    struct stopper_part *spare;
    size_t hold_bytes;                /* the longest sequence less one */
    uint8_t stopped[HUB_CHOICES_MAX]; /* 1 + index of the sequence that ended the choice */
};

void stopper_init(struct stopper *stopper, const struct hub_plan *plan, struct arena *arena,
                  struct hub_sink next);
void stopper_fini(struct stopper *stopper);

/* A hub_sink function; context is the struct. */
MUST_CHECK enum err stopper_event(void *context, const struct hub_event *event);

#endif
