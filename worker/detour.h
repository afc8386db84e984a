/*
 * detour.h - a provider without the endpoint of the dialect it was asked in: the same account, at
 * once, in another dialect.
 *
 *   asked -"nothing at this path"-> another dialect of the account that was not asked yet
 *                                   -it serves-> the first one is missing: learned (shm/lack.h)
 *                                   -it refuses-> nothing is learned but a doubt
 *   none is left -> nothing is learned but a doubt: what all endpoints say is said of the URL, or
 *                   of the request; another account may do, in whatever dialect
 *   it cannot be asked in what is left -> another account that takes it as it is, else a 400
 *
 * The client sees the answer only. Nobody is to blame: the account keeps its slot, it does not
 * rest, no switch is counted and nothing is billed; the log says what was found. Only what a
 * provider answered counts: a proxy that refuses and a connection that breaks tell nothing.
 *
 * Runs in: worker. Embedded in struct relay. If the process dies: what was learned stands.
 */
#ifndef WORKER_DETOUR_H
#define WORKER_DETOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/dialect.h"
#include "proto/error.h"

struct relay;

struct detour {
    uint32_t missing;               /* mask of dialects that the held account's provider refused */
    uint16_t status[DIALECT_COUNT]; /* with what */
};

/* Another account is held: nothing is known. */
void detour_begin(struct relay *relay);

/* The provider's whole error came. True: it has no such endpoint, and the bridge is turned to
 * another dialect of the account: to be sent again. */
bool detour_take(struct relay *relay, const struct error_found *found);

/* The endpoint that is asked has served the request: what did not, on the way here, is missing. */
void detour_prove(struct relay *relay);

/* The endpoint that is asked has answered with an error. One that shows that the endpoint is there
 * tells nothing of those on the way here: with an odd model or body a client must not take an
 * endpoint away from all others. */
void detour_hear(struct relay *relay, const struct error_found *found);

#endif
