/*
 * workerconf.h - the [worker] section of sub2api.ini.
 *
 * Runs in: master (fills it before fork); every child reads its frozen copy.
 */
#ifndef WORKER_WORKERCONF_H
#define WORKER_WORKERCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/setting.h"

enum workerconf_gone { WORKERCONF_ABORT, WORKERCONF_DRAIN };
enum workerconf_log { WORKERCONF_LOG_ALL, WORKERCONF_LOG_ERRORS, WORKERCONF_LOG_NONE };

struct workerconf {
    uint32_t on_client_gone;   /* enum workerconf_gone */
    uint32_t drain_ms;         /* drain: at most this long ... */
    uint64_t drain_bytes;      /* ... and this many bytes after the client left */
    uint32_t ping_interval_ms; /* SSE comment after this long silence; 0 = never */
    uint32_t half_close_ms;    /* a client that sent FIN before an answer began gets this long */
    uint32_t auth_failures;    /* of one address in auth_window_ms, then 429 */
    uint32_t auth_window_ms;
    uint32_t queue_per_user;      /* waiting requests beyond a user's or key's limit */
    uint32_t queue_per_group;     /* waiting requests for a group's or account's slots */
    uint32_t queue_user_ms;       /* longest wait for a user or key slot */
    uint32_t queue_account_ms;    /* longest wait for an account slot */
    uint32_t queue_bound_ms;      /* longest wait for the slot of a session's own account */
    uint32_t idempotency_wait_ms; /* longest wait for a request with the same Idempotency-Key */
    uint32_t sticky_ms; /* a session keeps its account so long after its last answer; 0 = off */
    uint32_t output_tokens_guess; /* of a request that names no bound, for limits a minute */
    bool cost_header;             /* answers that are no streams say what they cost */
    uint32_t log_requests;        /* enum workerconf_log: all, errors, none */
};

extern const struct setting workerconf_rows[];
extern const size_t workerconf_row_count;

#endif
