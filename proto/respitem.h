/*
 * respitem.h - the input items of a Responses request, read.
 *
 * Items of one answer (reasoning, message, calls) become one message of the assistant. Calls and
 * outputs of OpenAI's own client tools (shell, apply_patch) become calls of functions.
 *
 * Only respin.c includes this. Runs in: worker.
 */
#ifndef PROTO_RESPITEM_H
#define PROTO_RESPITEM_H

#include "base/err.h"
#include "proto/hub.h"
#include "proto/walk.h"

/* `input`: a text or a list of items. Sets shape.compaction when the last one asks for it. */
MUST_CHECK enum err
respitem_read(struct hub_request *request, struct walk input, struct hub_problem *problem);

#endif
