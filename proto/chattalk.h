/*
 * chattalk.h - the conversation of a Chat Completions request, written.
 *
 * Only chatout.c includes this. Runs in: worker.
 */
#ifndef PROTO_CHATTALK_H
#define PROTO_CHATTALK_H

#include "base/err.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "proto/codec.h"

/* The member `messages`; `extra` (may be empty) goes to the end of the system text. */
MUST_CHECK enum err chattalk_write(const struct codec_job *job, struct jsonw *w, struct str extra);

#endif
