/*
 * minute.h - what a request may begin and use in this minute: of its key, its user and its group.
 *
 * At admission one request is counted and its estimate of tokens reserved in each window that has a
 * limit (shm/window.h), all or nothing; at the end the estimate gives way to what was used. Clients
 * see how far they are in standard fields: those of the tightest of the three, under OpenAI's names
 * or Anthropic's. They stand on every answer of a key with such a limit, good or bad, and then in
 * place of the provider's fields of these names, which speak of an account that is not the
 * client's.
 *
 * Runs in: worker. Owner: the relay. If the process dies: the sweep frees what was reserved.
 */
#ifndef WORKER_MINUTE_H
#define WORKER_MINUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct relay;
struct reply;
struct catalog_key;

#define MINUTE_LIMITERS 3u /* key, user, group: enum relay_gate */

struct minute_limit {
    uint64_t requests; /* 0 = none */
    uint64_t tokens;   /* 0 = none */
    uint64_t reserved; /* tokens, while is_taken */
};

struct minute {
    struct minute_limit limits[MINUTE_LIMITERS];
    bool is_limited;   /* one of them is not 0 */
    bool is_taken;     /* counted at taken_ms, not settled yet */
    uint64_t taken_ms; /* monotonic */
    uint64_t tokens;   /* that this request may use, an estimate; never 0 */
};

/* The limits and the estimate; nothing is counted yet. */
void minute_begin(struct relay *relay, const struct catalog_key *key);

/* All or nothing. ERR_DENIED with *refusal: nothing is counted. */
MUST_CHECK enum err minute_take(struct relay *relay, struct reply *refusal);

/* It was refused: as if it had never been. */
void minute_give(struct relay *relay);
/* It is over. */
void minute_settle(struct relay *relay, uint64_t used);

/* "x-ratelimit-limit-requests: ..." and so on, into the request's arena; empty without a limit. */
struct str minute_fields(struct relay *relay);
/* Is this a provider's field that ours stand in for? */
bool minute_replaces(const struct relay *relay, struct str name);

#endif
