/*
 * remote.h - media that a request names by URL and that the target cannot load itself.
 *
 * Only translate.c includes this. Runs in: worker. Pure: who fetches, and whether, is decided
 * elsewhere.
 */
#ifndef PROTO_REMOTE_H
#define PROTO_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/hub.h"
#include "proto/plan.h"

/* The address of number `index`; false when there are no more. */
bool remote_find(const struct hub_request *request, const struct hub_target *target, uint32_t index,
                 struct str *out_url);
/* Every part with this address becomes base64 of `bytes`. ERR_FULL: the request's arena. */
MUST_CHECK enum err
remote_supply(struct hub_request *request, struct str url, struct str mime, struct str bytes);

#endif
