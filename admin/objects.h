/*
 * objects.h - users, keys, groups and accounts over the admin socket: one code for all four, made
 * from their tables (store/model.h).
 *
 * Runs in: recorder.
 */
#ifndef ADMIN_OBJECTS_H
#define ADMIN_OBJECTS_H

#include "base/str.h"
#include "store/model.h"

struct server_request;

/* Everything below /v1/{nouns}; name and verb are empty when not given. Ends the request (a test
 * of an account later: trial.h). */
void objects_handle(struct server_request *request, enum model_kind kind, struct str name,
                    struct str verb);

#endif
