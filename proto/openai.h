/*
 * openai.h - what requests of both OpenAI dialects say alike.
 *
 * Only chatout.c and respout.c include this. Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_OPENAI_H
#define PROTO_OPENAI_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/jsonw.h"
#include "proto/codec.h"

/* How many characters stand for another dialect's user id. */
#define OPENAI_USER_BYTES (2 * DIGEST_BYTES + 1)

/* The client's word for a service tier as OpenAI has it; empty: nothing is to be said. */
struct str openai_tier(struct str tier);

/* The end user as OpenAI may see it: Anthropic's ids are JSON or long, so a hash stands for them.
 * Empty when there is none; may live in `out`. */
struct str openai_user(const struct hub_request *request, char out[OPENAI_USER_BYTES]);

/* The effort to ask for; NULL: none. One that the target lacks altogether is dropped. */
const char *openai_effort(const struct codec_job *job);

/* Does any text of the conversation speak of JSON? json_object is refused otherwise. */
bool openai_says_json(const struct hub_request *request);

/* Lists the field as dropped when the client gave it: `json` is its value. */
void openai_drop(const struct codec_job *job, struct str json, enum hub_field field);

/* What stands at the end of the system text then; empty when nothing must. */
struct str openai_json_line(const struct hub_request *request);

#endif
