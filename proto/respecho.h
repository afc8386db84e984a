/*
 * respecho.h - what a Responses answer repeats of its request.
 *
 * Only respin.c and respsay.c include this. Runs in: worker.
 */
#ifndef PROTO_RESPECHO_H
#define PROTO_RESPECHO_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/walk.h"

/* An object on one line (it goes into a data: line) with a member for everything an answer must
 * repeat: the request's own value, or the default when it has none or it is too long. Never more
 * than HUB_ECHO_BYTES_MAX. */
MUST_CHECK enum err respecho_make(struct arena *arena, struct walk root, struct str *out);

#endif
