/*
 * gemtalk.h - the conversation of a Gemini request, written: systemInstruction and contents.
 *
 * Only gemout.c includes this. Runs in: worker.
 */
#ifndef PROTO_GEMTALK_H
#define PROTO_GEMTALK_H

#include "base/err.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "proto/codec.h"

/* `extra` (may be empty) goes to the end of the system text. */
MUST_CHECK enum err gemtalk_write(const struct codec_job *job, struct jsonw *w, struct str extra);

#endif
