/*
 * live.h - what is happening now: status, requests in flight, the state of accounts and keys.
 *
 * Runs in: recorder. Reads the segment only; killing a request is a hint to its worker.
 */
#ifndef ADMIN_LIVE_H
#define ADMIN_LIVE_H

#include "base/jsonw.h"
#include "base/str.h"
#include "store/model.h"

struct recorder;
struct server_request;

/* Each answers the request. */
void live_status(struct server_request *request);
void live_top(struct server_request *request);
void live_recent(struct server_request *request);
void live_kill(struct server_request *request, struct str request_id);

/* Members that belong to an object while it is in use: "in_flight", an account's "state". */
void live_put_object(struct jsonw *w, const struct recorder *recorder, enum model_kind kind,
                     const void *object);

#endif
