/*
 * detour.h - a provider without the endpoint of the dialect it was asked in: the same account, at
 * once, in another dialect.
 *
 *   asked -"nothing at this path"-> another dialect of the account that was not asked yet
 *                                   -it answers-> the first one is missing: learned (shm/lack.h)
 *   none is left -> nothing is learned but a doubt: what all endpoints say is said of the URL, or
 *                   of the request; another account may do
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

/* The endpoint that is asked has answered: what did not, on the way here, is missing. */
void detour_prove(struct relay *relay);

/* Does this error show that the endpoint is there? */
bool detour_is_proof(const struct error_found *found);

#endif
