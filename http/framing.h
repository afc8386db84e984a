/*
 * framing.h - what the fields of a head say about its body and its connection. Private to parser.c.
 *
 * Runs in: worker, recorder, keeper. Every input is hostile. Pure.
 */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "http/parser.h"

/* The fields that decide framing, counted in one walk. */
struct framing {
    uint32_t hosts;
    uint32_t lengths; /* fields Content-Length */
    uint32_t codings; /* fields Transfer-Encoding */
    struct str length;
    struct str coding;
    struct str expect;
    bool has_expect;
    bool closes;
    bool keeps;
    bool upgrades;
};

/* Fills list->names, too. */
struct framing framing_read(struct header_list *list);

/* Framing that nobody could object to: at most one field, a length of digits or "chunked". */
bool framing_is_plain(const struct framing *framing);

/* Fills framing and content_length of *out, which stands as it was without such fields. ERR_BAD,
 * on both sides: two lengths, or a coding that is not exactly chunked. */
MUST_CHECK enum err
framing_take(const struct framing *framing, struct parser_head *out, struct parser_error *error);

#endif
