/*
 * admit.h - from a whole body to an account: rules, limits, places in queues.
 *
 *   admit_request: peek, key again, rules -> lease -> windows, quota -> key's, user's, group's gate
 *   -> attempt_pick. Each gate that is full is waited for: bounded, in order of arrival, with a
 *   deadline, and with comments to a streaming client.
 *
 * Runs in: worker.
 */
#ifndef WORKER_ADMIT_H
#define WORKER_ADMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "shm/gate.h"

struct relay;
struct reply;
struct worker;

/* The body is whole. Goes on until the request waits, is under way, or has ended. */
void admit_request(struct relay *relay);

/* Another request with its Idempotency-Key was waited for: tries once more. */
void admit_again(struct relay *relay);

/* All accounts are full: waits in the group's pool; `on_try` takes one, `on_undo` gives it back as
 * if it had not (attempt.c). */
void admit_wait_account(struct relay *relay, gate_try_fn on_try, gate_undo_fn on_undo);

/* The session's account is full: waits at its own gate. relay->choice names it. False: too many
 * wait there already, or [worker] queue_bound_time says not to. */
bool admit_wait_bound(struct relay *relay);

/* Now and then: sessions that wait for an account that has been benched meanwhile, or has become
 * slow, or fails, go to another one. */
void admit_review(struct worker *worker);

/* Leaves the queue it waits in, if any. */
void admit_leave(struct relay *relay);

/* The turn came (deferred out of gate.c): goes on. */
void admit_resume(struct loop_task *task);

/* The wait's deadline. */
void admit_timeout(struct relay *relay);

#endif
