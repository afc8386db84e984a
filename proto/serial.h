/*
 * serial.h - the filter that puts the parts of an answer in a row, for dialects with one open part
 * at a time.
 *
 * The part that was opened first goes out live; events of the others wait, their texts joined, and
 * follow when it is closed, in the order in which the parts were opened. What waits is bounded by
 * TRANSLATE_QUEUE_BYTES_MAX.
 *
 * Runs in: worker. Owner: the translation. Memory: its arena, bufs for texts that wait.
 */
#ifndef PROTO_SERIAL_H
#define PROTO_SERIAL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "proto/hub.h"

struct serial_part;

struct serial {
    struct arena *arena;
    struct hub_sink next;
    struct serial_part *parts; /* the first one is live, the others wait */
    struct serial_part *spare;
    uint64_t bytes; /* that wait */
};

void serial_init(struct serial *serial, struct arena *arena, struct hub_sink next);
void serial_fini(struct serial *serial);

/* A hub_sink function; context is the struct. ERR_FULL: too much waits. */
MUST_CHECK enum err serial_event(void *context, const struct hub_event *event);

#endif
