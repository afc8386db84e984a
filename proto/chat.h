/*
 * chat.h - the dialect OpenAI Chat Completions as a row of codec.h.
 *
 * Files: chatin.c the client's request -> hub; chatout.c hub -> the provider's request; chatread.c
 * the provider's answer -> events; chatwrite.c events -> the client's answer.
 *
 * Runs in: worker. Contracts: codec.h.
 */
#ifndef PROTO_CHAT_H
#define PROTO_CHAT_H

#include "proto/codec.h"

MUST_CHECK enum err
chatin_decode(struct hub_request *request, struct str body, struct hub_problem *problem);

MUST_CHECK enum err chatout_encode(const struct codec_job *job);

void *chatread_open(const struct codec_source *source);
MUST_CHECK enum err chatread_event(void *reader, struct str name, struct str data);
MUST_CHECK enum err chatread_body(void *reader, struct str body);
MUST_CHECK enum err chatread_end(void *reader);
void chatread_close(void *reader);

void *chatwrite_open(const struct codec_outlet *outlet);
MUST_CHECK enum err chatwrite_event(void *writer, const struct hub_event *event);
MUST_CHECK enum err chatwrite_error(void *writer, const struct error_info *info);
void chatwrite_close(void *writer);
MUST_CHECK enum err
chatwrite_answer(const struct codec_outlet *outlet, const struct hub_answer *answer);

#endif
