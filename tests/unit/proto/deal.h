/*
 * deal.h - one translation in a test: a client's request, what the account gets, its answer, and
 * what the client sees.
 *
 * JSON is written with ' instead of ", so that it can be read.
 */
#ifndef TEST_PROTO_DEAL_H
#define TEST_PROTO_DEAL_H

#include <criterion/criterion.h>

#include "proto/translate.h"

struct deal {
    struct arena arena;
    struct translate *translate; /* NULL: refused, see problem */
    struct hub_problem problem;
    struct caps caps; /* of the upstream: change them between deal_open and deal_encode */
    enum dialect client;
    enum dialect upstream;
    struct buf body; /* what the account gets */
    struct buf seen; /* what the client sees */
};

/* Opens the request; a refused one is left in problem. */
void deal_open(struct deal *deal, enum dialect client, enum dialect upstream, const char *json);
/* Encodes it; false: refused. */
bool deal_encode(struct deal *deal);
/* Both, and must succeed: the body for the account. */
void deal_ask(struct deal *deal, enum dialect client, enum dialect upstream, const char *json);
/* The same for a Gemini client, whose path says what form the answer has; the others say FRAMES. */
enum deal_form { DEAL_FRAMES, DEAL_ARRAY, DEAL_WHOLE };
void deal_gemini(struct deal *deal, enum dialect upstream, const char *json, enum deal_form form);
/* A stream's events up to NULL, then its end; fills seen. The events' names are their types. */
void deal_stream(struct deal *deal, const char *const *events);
/* A whole answer. */
void deal_whole(struct deal *deal, const char *json);
void deal_fini(struct deal *deal);

/* Does the text hold this piece, and how often? */
uint32_t deal_count(const struct buf *text, const char *piece);
#define HAS(text, piece)                                                                       \
    cr_expect(deal_count(&(text), (piece)) > 0, "%s\nin %.*s", (piece), (int)buf_len(&(text)), \
              buf_str(&(text)).data)
#define LACKS(text, piece)                                                                      \
    cr_expect(deal_count(&(text), (piece)) == 0, "%s\nin %.*s", (piece), (int)buf_len(&(text)), \
              buf_str(&(text)).data)

#endif
