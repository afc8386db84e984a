/*
 * respecho.h - what a Responses answer repeats of its request.
 *
 * Only respin.c and respline.c include this. Runs in: worker.
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

/* JSON without the blanks between its tokens: line ends could not be in a data: line. data is NULL
 * when the arena is full. */
struct str respecho_line(struct arena *arena, struct str json);

#endif
