/*
 * gemini.h - the dialect Gemini generateContent as a row of codec.h.
 *
 * Files: gemin.c the client's request -> hub; gemout.c hub -> the provider's request; gemread.c the
 * provider's answer -> events; gemwrite.c events -> the client's answer.
 *
 * Runs in: worker. Contracts: codec.h.
 */
#ifndef PROTO_GEMINI_H
#define PROTO_GEMINI_H

#include "proto/codec.h"

MUST_CHECK enum err
gemin_decode(struct hub_request *request, struct str body, struct hub_problem *problem);

MUST_CHECK enum err gemout_encode(const struct codec_job *job);

void *gemread_open(const struct codec_source *source);
MUST_CHECK enum err gemread_event(void *reader, struct str name, struct str data);
MUST_CHECK enum err gemread_body(void *reader, struct str body);
MUST_CHECK enum err gemread_end(void *reader);
void gemread_close(void *reader);

void *gemwrite_open(const struct codec_outlet *outlet);
MUST_CHECK enum err gemwrite_event(void *writer, const struct hub_event *event);
MUST_CHECK enum err gemwrite_error(void *writer, const struct error_info *info);
void gemwrite_close(void *writer);
MUST_CHECK enum err
gemwrite_answer(const struct codec_outlet *outlet, const struct hub_answer *answer);

MUST_CHECK enum err gemwrite_count(struct buf *to, uint64_t input_tokens);
bool gemread_count(struct str body, uint64_t *input_tokens);

#endif
