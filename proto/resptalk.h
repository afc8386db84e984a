/*
 * resptalk.h - the conversation of a Responses request, written.
 *
 * Only respout.c includes this. Runs in: worker.
 */
#ifndef PROTO_RESPTALK_H
#define PROTO_RESPTALK_H

#include "base/err.h"
#include "base/jsonw.h"
#include "proto/codec.h"

/* `instructions` and `input`; `extra` goes to the end of the system text and may be empty. */
MUST_CHECK enum err resptalk_write(const struct codec_job *job, struct jsonw *w, struct str extra);

#endif
