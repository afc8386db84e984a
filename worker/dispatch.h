/*
 * dispatch.h - what an account is sent: the head, and the body as it gets it.
 *
 * In the client's dialect the body is the client's own, spliced: the account's name of the model,
 * usage asked for in chat streams, the group's instructions and efforts. In another it is written
 * anew (bridge.h).
 *
 * Runs in: worker. Nothing to repair when the process dies here.
 */
#ifndef WORKER_DISPATCH_H
#define WORKER_DISPATCH_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "upstream/exchange.h"

struct relay;
struct hub_problem;

/* The model that accounts are chosen by: what the group makes of the one that was asked for. It
 * points into the view, or is the asked one: read it again after a change of views. */
struct str dispatch_model(const struct relay *relay);

/* For the chosen account, which the lease names from here on. The pieces live until the request's
 * memory goes. ERR_BAD: the client's fault, *problem says why when it was translated. ERR_FULL: no
 * memory, or too large to be translated. */
MUST_CHECK enum err dispatch_make(struct relay *relay, struct str pieces[CLIENT_PIECES_MAX],
                                  uint32_t *out_count, struct hub_problem *problem);
/* The client hears why. */
void dispatch_refuse(struct relay *relay, enum err err, const struct hub_problem *problem);

#endif
