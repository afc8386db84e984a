/*
 * counter.h - named counts, one row per slot, summed when somebody looks.
 *
 * They only rise and outlive the process: the next one in the slot goes on counting.
 *
 * Writers: row[slot] the slot's process (a plain store, no locked instruction).
 * Runs in: every process with a slot; admin (sum).
 */
#ifndef SHM_COUNTER_H
#define SHM_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/segment.h"

/* X(name, text as status shows it) */
#define COUNTER_ROWS(X)                                             \
    X(REQUESTS, "requests")                                         \
    X(STREAMS, "requests with a streamed answer")                   \
    X(ANSWERED_2XX, "answered 2xx")                                 \
    X(ANSWERED_3XX, "answered 3xx")                                 \
    X(ANSWERED_4XX, "answered 4xx")                                 \
    X(ANSWERED_5XX, "answered 5xx")                                 \
    X(CLIENT_GONE, "clients that left first")                       \
    X(REFUSED_HTTP, "refused: not good HTTP")                       \
    X(REFUSED_AUTH, "refused: key missing or invalid")              \
    X(REFUSED_FORBIDDEN, "refused: model, address or rule")         \
    X(REFUSED_RATE, "refused: rate limit")                          \
    X(REFUSED_CONCURRENCY, "refused: concurrency limit")            \
    X(REFUSED_QUEUE, "refused: queue full or too long")             \
    X(REFUSED_QUOTA, "refused: quota used up or input too large")   \
    X(REFUSED_UNPRICED, "refused: the model has no price")          \
    X(REFUSED_NO_CHANNEL, "refused: no account usable")             \
    X(REFUSED_OVERLOADED, "refused: we are overloaded or draining") \
    X(REPEATS_SERVED, "retries given the first answer again")       \
    X(REPEATS_REFUSED, "retries refused by their Idempotency-Key")  \
    X(QUEUED, "requests that waited for a slot")                    \
    X(BYTES_IN, "bytes from clients")                               \
    X(BYTES_OUT, "bytes to clients")                                \
    X(UPSTREAM_ATTEMPTS, "attempts at a provider")                  \
    X(UPSTREAM_FAILURES, "attempts that failed")                    \
    X(SWITCHES, "switches to another account")                      \
    X(POOL_HITS, "upstream connections used again")                 \
    X(POOL_MISSES, "upstream connections made")                     \
    X(POOL_STALE, "kept connections found dead")                    \
    X(HANDSHAKES_FULL, "full TLS handshakes")                       \
    X(HANDSHAKES_RESUMED, "resumed TLS handshakes")                 \
    X(TLS_FAILURES, "TLS failures")                                 \
    X(CONNECT_FAILURES, "failed connects")                          \
    X(TIMEOUTS, "upstream timeouts")                                \
    X(PINGS, "SSE pings sent to clients")                           \
    X(TOKENS_IN, "input tokens")                                    \
    X(TOKENS_OUT, "output tokens")                                  \
    X(USAGE_MISSING, "answers without usage")                       \
    X(NAMES_RESOLVED, "names resolved")                             \
    X(NAMES_FAILED, "names that did not resolve")                   \
    X(PROBES, "account probes and tests")                           \
    X(RECORDS_COMMITTED, "usage records committed")                 \
    X(COMMITS, "commits")                                           \
    X(COMMIT_FAILURES, "failed commits")                            \
    X(ORPHANS, "requests of dead processes billed")                 \
    X(SWEEPS, "slots swept")                                        \
    X(ADMIN_REQUESTS, "admin requests")                             \
    X(LOG_DROPS, "log lines dropped")                               \
    X(CHECKS_FAILED, "checks failed")

enum counter {
#define COUNTER_ENUM(name, text) COUNTER_##name,
    COUNTER_ROWS(COUNTER_ENUM)
#undef COUNTER_ENUM
};
#define COUNTER_ONE(name, text) +1u
#define COUNTERS (0u COUNTER_ROWS(COUNTER_ONE))

struct counter_row {
    _Atomic uint64_t counts[COUNTERS];
} __attribute__((aligned(64)));

static inline void
counter_add(struct segment *segment, uint32_t slot, enum counter counter, uint64_t count)
{
    _Atomic uint64_t *word = &segment->counter_rows[slot].counts[counter];
    uint64_t now = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, now + count, memory_order_relaxed);
}

/* For counts that another module keeps (log_dropped): the row's value itself. */
void counter_set(struct segment *segment, uint32_t slot, enum counter counter, uint64_t count);

uint64_t counter_of(const struct segment *segment, uint32_t slot, enum counter counter);
uint64_t counter_sum(const struct segment *segment, enum counter counter);

const char *counter_text(enum counter counter); /* "requests" */
const char *counter_name(enum counter counter); /* "REQUESTS" in lower case: JSON member, metric */

#endif
