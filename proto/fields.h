/*
 * fields.h - the members of a request's body, in every dialect alike: the body opens as one JSON
 * object, and members that nobody knows are listed as dropped.
 *
 * Runs in: worker, without a socket. Pure: nothing to repair.
 */
#ifndef PROTO_FIELDS_H
#define PROTO_FIELDS_H

#include "proto/hub.h"
#include "proto/walk.h"

/* Sets *root, which lives as long as `body` and the request's arena. ERR_BAD: no JSON object,
 * *problem says so; ERR_FULL: the arena is. */
MUST_CHECK enum err fields_open(const struct hub_request *request, struct str body,
                                struct hub_problem *problem, struct walk *root);

/* hub_drop()s each member of `root` with a value that is not among `known`. null is no value. */
void fields_drop(const struct hub_request *request, struct walk root, const char *const known[],
                 size_t known_count);

#endif
