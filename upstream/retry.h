/*
 * retry.h - what a failed attempt means: tell the client, try another account, or give up.
 *
 * One table for the whole product. Before a byte reached the client:
 *   transport failures, timeouts, 401, 402, 403, 429, 529 and 5xx are the account's fault: switch;
 *   any other 4xx is the client's own: its body passes unchanged, unless it says that the account
 *   has no money, or that its key or place is refused.
 * When no account is left the last failure is mapped to what the client gets (status, code).
 *
 * Runs in: worker, keeper. Pure.
 */
#ifndef UPSTREAM_RETRY_H
#define UPSTREAM_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/error.h"
#include "shm/health.h"
#include "upstream/exchange.h"

enum retry_verdict {
    RETRY_PASS,   /* the provider's answer goes to the client as it is */
    RETRY_SWITCH, /* the account failed: another one may do */
};

/* How the account is to be treated; shm/health.h decides for how long. */
enum retry_blame {
    RETRY_NO_BLAME,
    RETRY_BLAME_AUTH,     /* 401, 403: credential */
    RETRY_BLAME_MONEY,    /* 402 */
    RETRY_BLAME_RATE,     /* 429 */
    RETRY_BLAME_OVERLOAD, /* 529, 503 */
    RETRY_BLAME_SERVER,   /* other 5xx, nonsense */
    RETRY_BLAME_NETWORK,  /* resolve, connect, TLS, reset */
    RETRY_BLAME_SLOW,     /* timeouts */
};

struct retry_decision {
    enum retry_verdict verdict;
    enum retry_blame blame;
    uint16_t status;     /* for the client when this was the last attempt */
    const char *code;    /* stable */
    const char *message; /* for the client; static */
};

/* An answer with this status came. */
struct retry_decision retry_of_status(uint16_t status);
/*
 * The same with the whole error, whose words know better than some statuses: a 429 for want of
 * money, a 400 for a refused key, a 500 for a prompt that is too long. Of an answer that would pass
 * only the beginning of its message decides: what follows may be the client's own words.
 */
struct retry_decision retry_of_error(uint16_t status, const struct error_found *found);
/* No whole answer came. */
struct retry_decision retry_of_failure(const struct exchange_failure *failure);

/* What the account's health notes; NONE without blame. status 0 and the phase of the failure when
 * no answer came. */
enum health_reason retry_reason(enum retry_blame blame, uint16_t status, enum exchange_phase phase);

const char *retry_blame_text(enum retry_blame blame);

#endif
