/*
 * anthblock.h - content blocks of an Anthropic request, read into parts.
 *
 * Only anthin.c includes this. Runs in: worker.
 */
#ifndef PROTO_ANTHBLOCK_H
#define PROTO_ANTHBLOCK_H

#include "base/err.h"
#include "proto/hub.h"
#include "proto/walk.h"

/* A string or a list of blocks, appended to `list`. `where` is the message's path, for problems.
 * ERR_BAD with *problem filled; ERR_FULL: the arena. */
MUST_CHECK enum err
anthblock_read(struct hub_request *request, struct walk content, struct hub_part **list,
               const char *where, struct hub_problem *problem);

/* The cache mark of a block, tool or request. */
enum hub_cache anthblock_cache(struct walk holder);

#endif
