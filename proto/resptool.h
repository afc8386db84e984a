/*
 * resptool.h - the tools of a Responses request, both ways.
 *
 * Only respin.c, respitem.c and respout.c include this. Runs in: worker.
 */
#ifndef PROTO_RESPTOOL_H
#define PROTO_RESPTOOL_H

#include "base/err.h"
#include "base/jsonw.h"
#include "proto/codec.h"
#include "proto/walk.h"

/* tools, tool_choice and parallel_tool_calls of the body. */
MUST_CHECK enum err
resptool_read(struct hub_request *request, struct walk root, struct hub_problem *problem);
/* A list of tools, wherever it stands; those that are known already are left out. */
MUST_CHECK enum err
resptool_read_list(struct hub_request *request, struct walk list, struct hub_problem *problem);

/* The same members of the body for a provider; nothing when there are no tools. */
MUST_CHECK enum err resptool_write(const struct codec_job *job, struct jsonw *w);

#endif
