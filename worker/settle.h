/*
 * settle.h - the one exit of every request, however it ended.
 *
 * In this order: the record into the ring (with the lease), the quota, the minute's tokens, the
 * account's slot, the gates, one log line, the counters, the memory. What the relay does not hold
 * is not given back, so every state may come here.
 *
 * Runs in: worker. Dying in here: before the record is published the lease bills it, after that it
 * is in the ring; columns are cleared by the sweep.
 */
#ifndef WORKER_SETTLE_H
#define WORKER_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

struct relay;

/*
 * The last attempt failed and another one is about to begin. When its provider may have worked for
 * it (it had all of the request and was silent too long) it gets a record of its own, at an
 * estimate: the operator's cost, never the user's. A ring without room: the cost is told with the
 * last attempt's.
 */
void settle_attempt(struct relay *relay);

/* What the answer that has just come whole will cost its user. False: the model has no price. */
bool settle_cost(struct relay *relay, uint16_t status, int64_t *out_nano);

/* The relay is gone afterwards. */
void settle_relay(struct relay *relay);

#endif
