/*
 * gatekeeper.h - who may ask for what: keys, rules, requests a minute, quota.
 *
 * Two looks. At the head: is there a good key (an unknown one never gets to send a body)? At the
 * body, with the key looked up again since it may have been revoked meanwhile: model, size, the
 * minute's windows, the quota. All or nothing: a refused request has consumed nothing.
 *
 * Runs in: worker. Every refusal is a struct reply that names the limit and what to do.
 */
#ifndef WORKER_GATEKEEPER_H
#define WORKER_GATEKEEPER_H

#include <stdbool.h>

#include "base/err.h"
#include "store/catalog.h"
#include "worker/relay.h"
#include "worker/reply.h"

/*
 * Finds the key that the head carries and checks it. ERR_DENIED with *refusal filled. *out is good
 * until the next worker_view(). Fills relay->digest and the ids.
 */
MUST_CHECK enum err
gatekeeper_key(struct relay *relay, const struct catalog_key **out, struct reply *refusal);

/* Looks the same key up again (after the body, after a wait). ERR_DENIED with *refusal. */
MUST_CHECK enum err
gatekeeper_again(struct relay *relay, const struct catalog_key **out, struct reply *refusal);

/* While it waits for an account: those that there are now, if its group is still there. */
void gatekeeper_renew(struct relay *relay);

/* May this key ask for this model with an input of this size? ERR_DENIED with *refusal. */
MUST_CHECK enum err
gatekeeper_rules(struct relay *relay, const struct catalog_key *key, struct reply *refusal);

/*
 * Counts the request in the minute windows of key, user and group, and reserves its estimate of
 * the key's quota; fills relay->holds with gates and limits. ERR_DENIED with *refusal: nothing is
 * counted then. ERR_FULL: the segment's gate table is full (refusal filled too).
 */
MUST_CHECK enum err
gatekeeper_limits(struct relay *relay, const struct catalog_key *key, struct reply *refusal);

/* "key", "user", "group". */
const char *gatekeeper_limiter(enum relay_gate gate);

#endif
