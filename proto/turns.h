/*
 * turns.h - puts a decoded conversation in the order every upstream accepts.
 *
 * Afterwards: no empty text part and no empty message (but an assistant's with calls); results
 * stand in HUB_TOOL messages only, one such message directly behind the assistant message with the
 * calls, in the order of the calls; every call of an earlier turn has a result, made up when it was
 * missing; a result without its call has become a user's text; call ids are unique and not empty;
 * results know their call's name, namespace and kind.
 *
 * Runs in: worker, once a request, before any encoder. Owner: the request.
 */
#ifndef PROTO_TURNS_H
#define PROTO_TURNS_H

#include "base/err.h"
#include "proto/hub.h"

/* ERR_BAD with *problem: nothing is left to say, or a call of the last turn has no result.
 * ERR_FULL: the arena. */
MUST_CHECK enum err turns_order(struct hub_request *request, struct hub_problem *problem);

/* For A and G. Consecutive messages that the dialect sees as one role (`tool_is_user`: results
 * belong to the user) are to be written as one: is `next` to be written into the same turn as
 * `message`? */
bool turns_are_one(const struct hub_message *message, const struct hub_message *next);

/* Leading SYSTEM and DEVELOPER messages: the first message behind them, or NULL. */
const struct hub_message *turns_behind_system(const struct hub_request *request);
/* Their texts joined by a blank line; empty when there are none. */
MUST_CHECK enum err
turns_system_text(const struct hub_request *request, struct arena *arena, struct str *out);

#endif
