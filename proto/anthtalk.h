/*
 * anthtalk.h - the conversation of an Anthropic request, written: system and messages.
 *
 * Only anthout.c includes this. Runs in: worker.
 */
#ifndef PROTO_ANTHTALK_H
#define PROTO_ANTHTALK_H

#include "base/err.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "proto/anthtool.h"
#include "proto/codec.h"

/* `extra` (may be empty) goes to the end of the system text. */
MUST_CHECK enum err anthtalk_write(const struct codec_job *job, struct jsonw *w, struct str extra,
                                   struct anthtool_marks *marks);

/* Cache marks in the conversation. */
uint32_t anthtalk_marks(const struct hub_request *request);

#endif
