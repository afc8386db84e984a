/*
 * gemtool.h - the tools of a Gemini request, both ways.
 *
 * Only gemin.c and gemout.c include this. Runs in: worker.
 */
#ifndef PROTO_GEMTOOL_H
#define PROTO_GEMTOOL_H

#include "base/err.h"
#include "base/jsonw.h"
#include "proto/codec.h"
#include "proto/walk.h"

/* tools and toolConfig of the body. */
MUST_CHECK enum err
gemtool_read(struct hub_request *request, struct walk root, struct hub_problem *problem);

/* The same members for a provider; nothing when there are no tools. */
MUST_CHECK enum err gemtool_write(const struct codec_job *job, struct jsonw *w);

#endif
