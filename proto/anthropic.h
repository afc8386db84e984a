/*
 * anthropic.h - the dialect Anthropic Messages as a row of codec.h.
 *
 * Files: anthin.c the client's request -> hub; anthout.c hub -> the provider's request; anthread.c
 * the provider's answer -> events; anthwrite.c events -> the client's answer.
 *
 * Runs in: worker. Contracts: codec.h.
 */
#ifndef PROTO_ANTHROPIC_H
#define PROTO_ANTHROPIC_H

#include "proto/codec.h"

MUST_CHECK enum err
anthin_decode(struct hub_request *request, struct str body, struct hub_problem *problem);

MUST_CHECK enum err anthout_encode(const struct codec_job *job);

void *anthread_open(const struct codec_source *source);
MUST_CHECK enum err anthread_event(void *reader, struct str name, struct str data);
MUST_CHECK enum err anthread_body(void *reader, struct str body);
MUST_CHECK enum err anthread_end(void *reader);
void anthread_close(void *reader);

void *anthwrite_open(const struct codec_outlet *outlet);
MUST_CHECK enum err anthwrite_event(void *writer, const struct hub_event *event);
MUST_CHECK enum err anthwrite_error(void *writer, const struct error_info *info);
void anthwrite_close(void *writer);
MUST_CHECK enum err
anthwrite_answer(const struct codec_outlet *outlet, const struct hub_answer *answer);

MUST_CHECK enum err anthwrite_count(struct buf *to, uint64_t input_tokens);
bool anthread_count(struct str body, uint64_t *input_tokens);

#endif
