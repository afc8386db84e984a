/*
 * pricetag.h - an answer that says what it costs: x-sub2api-cost, in dollars.
 *
 * A cost is known when the answer is whole, a head goes out before it. So with [worker]
 * cost_header the head of an answer that is no stream waits, and the answer with it (in
 * relay->carbon), up to COST_HOLD_BYTES_MAX; what is longer goes out without. While it waits
 * nothing has reached the client: when it breaks off, another account may still answer. Streams
 * cannot have it: comments and trailers are read by no client.
 *
 * Runs in: worker. Dying here: the client has got nothing, and pays nothing.
 */
#ifndef WORKER_PRICETAG_H
#define WORKER_PRICETAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct relay;

/* The head would go out now. True: it waits (relay->stream.is_held). */
bool pricetag_hold(struct relay *relay, uint16_t status, struct str fields);

/* More of an answer that waits. True: it waits too. False: all that waited has gone out. */
bool pricetag_keep(struct relay *relay, struct str bytes);

/* What waited is not the answer: another account is asked. */
void pricetag_drop(struct relay *relay);

/* The answer is whole: what waited goes out, and says what it costs. */
void pricetag_show(struct relay *relay);

#endif
