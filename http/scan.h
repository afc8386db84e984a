/*
 * scan.h - where a head ends, and what can be refused before that: the part of parser.h that looks
 * at bytes while they come in. Private to parser.c.
 *
 * Runs in: worker, recorder, keeper. Every input is hostile. Pure.
 */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

#include "http/parser.h"

/* The contract of parser_head_end. */
MUST_CHECK enum err
scan_head_end(struct str bytes, size_t *scanned, size_t *out_bytes, struct parser_error *error);

#endif
