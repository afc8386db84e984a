/*
 * local.h - what the gateway answers without a provider: health, readiness, model lists, refusals
 * of what it does not have.
 *
 * Runs in: worker.
 */
#ifndef WORKER_LOCAL_H
#define WORKER_LOCAL_H

#include "store/catalog.h"

struct relay;

/* Endpoints that need no key. Ends the relay. */
void local_open(struct relay *relay);
/* Endpoints that need one. Ends the relay. */
void local_keyed(struct relay *relay, const struct catalog_key *key);

#endif
