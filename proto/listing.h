/*
 * listing.h - the list of models, and one model, in the shape of the asking client.
 *
 * Runs in: worker. Pure: nothing to repair.
 */
#ifndef PROTO_LISTING_H
#define PROTO_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/dialect.h"

struct listing_model {
    struct str id;
    struct str owned_by; /* OpenAI's field: "openai", "anthropic", ...; empty = "sub2api" */
    struct str name;     /* for a person; empty = the id */
    uint64_t created_s;  /* since 1970 */
};

/* A page as the client asked for it; all zero = everything. */
struct listing_page {
    uint32_t limit;    /* Anthropic limit, Gemini pageSize; 0 = no bound */
    uint32_t skip;     /* Gemini pageToken, which is a place in the list */
    struct str after;  /* Anthropic after_id: the page starts behind this id; percent-encoded */
    struct str before; /* Anthropic before_id: the page ends before this id; percent-encoded */
};

/* Reads limit, after_id, before_id, pageSize and pageToken out of a query string (no '?'; spans
 * point into it). Nonsense is ignored. */
void listing_page_read(struct str query, struct listing_page *out);

/* Chat and responses give OpenAI's shape (never paged). ERR_FULL: the buffer's bound. */
MUST_CHECK enum err
listing_write(struct buf *to, enum dialect shape, const struct listing_model *models,
              uint32_t count, const struct listing_page *page);
MUST_CHECK enum err
listing_write_one(struct buf *to, enum dialect shape, const struct listing_model *model);

#endif
