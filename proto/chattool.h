/*
 * chattool.h - the tools of a Chat Completions request, both ways.
 *
 * Only chatin.c and chatout.c include this. Runs in: worker.
 */
#ifndef PROTO_CHATTOOL_H
#define PROTO_CHATTOOL_H

#include "base/err.h"
#include "base/jsonw.h"
#include "proto/codec.h"
#include "proto/walk.h"

/* tools, tool_choice, functions, function_call, web_search_options of the body. */
MUST_CHECK enum err
chattool_read(struct hub_request *request, struct walk root, struct hub_problem *problem);

/* The same members of the body for a provider; nothing when there are no tools. */
MUST_CHECK enum err chattool_write(const struct codec_job *job, struct jsonw *w);

#endif
