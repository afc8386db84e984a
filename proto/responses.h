/*
 * responses.h - the dialect OpenAI Responses as a row of codec.h.
 *
 * Files: respin.c the client's request -> hub; respout.c hub -> the provider's request; respread.c
 * the provider's answer -> events; respwrite.c events -> the client's answer.
 *
 * Runs in: worker. Contracts: codec.h.
 */
#ifndef PROTO_RESPONSES_H
#define PROTO_RESPONSES_H

#include "proto/codec.h"

MUST_CHECK enum err
respin_decode(struct hub_request *request, struct str body, struct hub_problem *problem);

MUST_CHECK enum err respout_encode(const struct codec_job *job);

void *respread_open(const struct codec_source *source);
MUST_CHECK enum err respread_event(void *reader, struct str name, struct str data);
MUST_CHECK enum err respread_body(void *reader, struct str body);
MUST_CHECK enum err respread_end(void *reader);
void respread_close(void *reader);

void *respwrite_open(const struct codec_outlet *outlet);
MUST_CHECK enum err respwrite_event(void *writer, const struct hub_event *event);
MUST_CHECK enum err respwrite_error(void *writer, const struct error_info *info);
void respwrite_close(void *writer);
uint64_t respwrite_held(const void *writer);
MUST_CHECK enum err
respwrite_answer(const struct codec_outlet *outlet, const struct hub_answer *answer);

MUST_CHECK enum err respwrite_count(struct buf *to, uint64_t input_tokens);
bool respread_count(struct str body, uint64_t *input_tokens);

#endif
