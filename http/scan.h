/*
 * scan.h - where a head ends, and what can be refused before that: the part of parser.h that looks
 * at bytes while they come in. Private to parser.c.
 *
 * Runs in: worker, recorder, keeper. Every input is hostile. Pure.
 */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

#include "http/parser.h"

enum scan_side { SCAN_REQUEST, SCAN_ANSWER };

/* The contract of parser_head_end and, for SCAN_ANSWER, parser_answer_end. */
MUST_CHECK enum err scan_head_end(enum scan_side side, struct str bytes, size_t *scanned,
                                  size_t *out_bytes, struct parser_error *error);

#endif
