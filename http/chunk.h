/*
 * chunk.h - the chunked coding, strict: the part of parser.h that takes a body apart. Private to
 * parser.c.
 *
 * Not llhttp's: its state holds pointers and is three times as large, it puts no bound on a size
 * line, and body bytes are wanted as spans.
 *
 * Runs in: worker, recorder, keeper. Every input is hostile. Pure.
 */
#ifndef HTTP_CHUNK_H
#define HTTP_CHUNK_H

#include "http/parser.h"

void chunk_init(struct parser_chunked *chunked);

/* The contract of parser_chunked_feed. */
MUST_CHECK enum err chunk_feed(struct parser_chunked *chunked, struct str bytes,
                               struct str *out_body, size_t *out_used);

#endif
