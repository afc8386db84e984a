/*
 * gempart.h - parts of a Gemini request, read.
 *
 * Only gemin.c includes this. Runs in: worker.
 */
#ifndef PROTO_GEMPART_H
#define PROTO_GEMPART_H

#include "base/err.h"
#include "proto/hub.h"
#include "proto/walk.h"

/* The elements of `parts`, appended to `list`; `where` is their holder's path ("contents[3]").
 * ERR_BAD with *problem filled; ERR_FULL: the arena. */
MUST_CHECK enum err
gempart_read(struct hub_request *request, struct walk parts, struct hub_part **list,
             const char *where, struct hub_problem *problem);

#endif
