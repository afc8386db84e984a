/*
 * remember.h - how accounts stand, over a restart of the gateway.
 *
 * Now and then the recorder looks at the health of all accounts and keeps what is worth keeping
 * (store/standing.h): those that are not asked until somebody resets them, and those that rest for
 * a minute or more. A new segment begins with what was kept.
 *
 * Runs in: recorder. Dying here: what was learned in the last second is learned again.
 */
#ifndef ADMIN_REMEMBER_H
#define ADMIN_REMEMBER_H

#include "base/err.h"

struct recorder;
struct remember;

/* Once, when accounts have their indexes: gives accounts of a new segment what was kept of them.
 * ERR_FULL: no memory. ERR_IO: the store cannot be read. */
MUST_CHECK enum err remember_make(struct recorder *recorder, struct remember **out);
void remember_free(struct remember *remember);

/* Keeps what has changed. Costs a look at each account's word. */
void remember_look(struct remember *remember);

#endif
