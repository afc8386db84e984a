/*
 * attempt.h - picks an account, sends the request there, and decides what a failure means.
 *
 * Runs in: worker.
 */
#ifndef WORKER_ATTEMPT_H
#define WORKER_ATTEMPT_H

#include <stdbool.h>

#include "upstream/exchange.h"
#include "upstream/select.h"

struct relay;

/* What the request wants of an account now, in the dialect that its bridge says. */
struct select_want attempt_want(struct relay *relay);
/* Chooses an account and starts; waits when all are full; refuses when none serves. */
void attempt_pick(struct relay *relay);
/* The turn at the bound account's gate came: its slot is held. Starts, or picks another. */
void attempt_enter(struct relay *relay);
/* Is the account that the session is bound to, and waits for, still good? */
bool attempt_is_worth_waiting(struct relay *relay);
/* An account is held (after a wait): starts. */
void attempt_start(struct relay *relay);

extern const struct exchange_hooks attempt_hooks;

#endif
