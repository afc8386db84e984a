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

/* Bytes of a head's first line with its CRLF when it is all there and usual: no control bytes, a
 * first word that `side` may begin with. 0: it is not; then nobody has judged it yet. */
size_t scan_first_line(enum scan_side side, struct str bytes);

/*
 * The fields of a head, from behind its first line to behind its empty line (*out_bytes), when
 * every line is plain: a name of letters, digits, '-' and '_' at its start, the colon right behind
 * it, a value without control bytes (so no tab either), CRLF, no longer than FIELD_BYTES_MAX.
 * False: one is not, or there are more than `items_max`, or the empty line is not there; then
 * nobody has judged the head yet. Values are trimmed.
 */
bool scan_fields(struct str lines, struct header *items, uint32_t items_max, uint32_t *out_count,
                 size_t *out_bytes);

#endif
