/*
 * scan.h - looks at the bytes of a head a block at a time: where it ends and what can be refused
 * before that, while it comes in; then its fields, as long as nobody could object to them. Private
 * to parser.c.
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

/*
 * The fields of a head, from behind its first line to behind its empty line, when every line is
 * plain: a name of letters, digits, '-' and '_' at its start, the colon right behind it, a value
 * without control bytes (so no tab either), CRLF. False: one is not, or there are more than
 * `items_max`; then nobody has judged the head yet. Values are trimmed.
 */
bool scan_fields(struct str lines, struct header *items, uint32_t items_max, uint32_t *out_count);

#endif
