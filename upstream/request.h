/*
 * request.h - builds the head that goes to a provider, from scratch.
 *
 * Our own start line, Host, credential, Content-Type and Content-Length; of the client's fields
 * only those on the allow list (what the dialects define: anthropic-*, openai-beta, session ids,
 * user-agent ...). The client's key, its query key, cookies, forwarding and organisation fields
 * never pass, and neither does Accept-Encoding: answers are asked for uncompressed, because usage
 * is read from them.
 *
 * Runs in: worker, keeper. Pure: nothing to repair.
 */
#ifndef UPSTREAM_REQUEST_H
#define UPSTREAM_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "http/header.h"
#include "proto/endpoint.h"
#include "store/catalog.h"
#include "upstream/target.h"

struct request_want {
    const struct target *target;
    const struct catalog_account *account;
    enum endpoint endpoint;
    struct str method;                 /* "POST" */
    struct str path;                   /* instead of the endpoint's own; empty = the endpoint's */
    struct str model;                  /* to put into Gemini's path; decoded */
    struct str query;                  /* the client's; credentials and alt are taken out here */
    const struct header_list *headers; /* the client's; NULL = none */
    uint64_t body_bytes;
    bool has_body;
    bool wants_sse; /* Gemini streams: alt=sse */
};

/* The whole head with its empty line, in the arena. ERR_FULL: the arena's bound. ERR_BAD: the
 * credential or the path cannot stand in a head. */
MUST_CHECK enum err
request_head(const struct request_want *want, struct arena *arena, struct str *out);

/* May this client field be sent on? */
bool request_may_pass(struct str name);

/* The query without key, api_key and alt (and $alt), however escaped; in the arena. */
MUST_CHECK enum err request_clean_query(struct str query, struct arena *arena, struct str *out);

#endif
