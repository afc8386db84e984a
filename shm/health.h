/*
 * health.h - what all workers know about an account, by its index.
 *
 *   OK -failures-> COOLING -time-> PROBING -success-> OK
 *                     ^---failure----'     any -disable, refusals in a row-> DISABLED -reset-> OK
 *
 * State, reason, streak and time stand in ONE word that anybody may compare-and-swap: a hint about
 * the outside world, not a count of anything we hold. PROBING is claimed by one request at a time
 * and expires, so a prober that dies blocks nothing. Averages are last-writer-wins.
 *
 * Cool-down: the reason's first bench, doubled for each further one, up to the reason's most. What
 * a provider says (retry-after) stands in its place at the first bench, and is the least from the
 * second on, within HEALTH_RETRY_AFTER_MS_MAX. Failures that come in while an account cools
 * (requests sent before) do not lengthen the bench by streak, only by retry-after. A credential
 * that is refused again after each of its benches is not asked any more: DISABLED, until somebody
 * has looked at it.
 *
 * The keeper asks an account that rests for long whether it is well again (health_recall). That
 * takes the same one probe: PROBING, with nobody else let in, until health_recalled().
 *
 * Which account an index means is the recorder's to say (health_assign); an index that is used
 * again starts fresh. All times are monotonic milliseconds.
 *
 * Runs in: worker, keeper (judge), recorder (assign), admin (read, reset).
 * If the process dies: the last word stands; worst case a probe's claim expires.
 */
#ifndef SHM_HEALTH_H
#define SHM_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/str.h"
#include "shm/guard.h"
#include "shm/segment.h"

enum health_state { HEALTH_OK, HEALTH_COOLING, HEALTH_PROBING, HEALTH_DISABLED };
#define HEALTH_STATES 4u

/* X(name, text, failures in a row until benched, until DISABLED (0 = never), first bench ms,
 *   longest bench ms) */
#define HEALTH_REASON_ROWS(X)                            \
    X(NONE, "none", 1, 0, 1000, 1000)                    \
    X(RATE_LIMITED, "rate limited", 1, 0, 5000, 300000)  \
    X(OVERLOADED, "overloaded", 1, 0, 5000, 300000)      \
    X(SERVER_ERROR, "server errors", 3, 0, 5000, 300000) \
    X(CONNECT, "cannot connect", 2, 0, 2000, 120000)     \
    X(NAME, "name does not resolve", 2, 0, 5000, 120000) \
    X(TLS, "tls failed", 2, 0, 10000, 300000)            \
    X(TIMEOUT, "timeouts", 3, 0, 5000, 300000)           \
    X(PROTOCOL, "bad answers", 3, 0, 5000, 300000)       \
    X(AUTH, "credential refused", 1, 3, 60000, 3600000)  \
    X(FORBIDDEN, "forbidden", 2, 4, 60000, 3600000)      \
    X(BILLING, "out of credit", 1, 0, 300000, 3600000)   \
    X(ADMIN, "disabled by the operator", 1, 0, 1000, 1000)

enum health_reason {
#define HEALTH_ENUM(name, text, tries, disables, first_ms, longest_ms) HEALTH_REASON_##name,
    HEALTH_REASON_ROWS(HEALTH_ENUM)
#undef HEALTH_ENUM
};
#define HEALTH_REASONS 13u

#define HEALTH_RETRY_AFTER_MS_MAX 86400000u /* whatever a provider says: a day */
#define HEALTH_PROBE_MS                                                      \
    130000u /* a probe's claim: longer than a request may wait for an answer \
             */

/* Within a millisecond a process tells its uses apart by ticks. */
#define HEALTH_TICK_BITS 20u

struct health {
    _Atomic uint64_t account_id;    /* 0 = nobody's [recorder] */
    _Atomic uint64_t word;          /* state, reason, streak, until: see health.c [hint, CAS] */
    _Atomic uint64_t used;          /* when last: ms << HEALTH_TICK_BITS | tick; 0 = never [hint] */
    _Atomic uint64_t since_ms;      /* of the present state [hint] */
    _Atomic uint32_t first_byte_ms; /* moving average, 1/8; 0 = none yet [hint] */
    _Atomic uint32_t failure_ppm;   /* moving average of failures, parts per million [hint] */
    _Atomic uint32_t last_status;   /* HTTP status of the last failure; 0 = none [hint] */
    _Atomic uint32_t probe;         /* what the keeper's last probe found: health.c [hint] */
    _Atomic uint64_t probed_ms;     /* when; 0 = never [hint] */
    struct guard_claim claim;       /* of the excerpt */
    struct guard guard;
    char excerpt[EXCERPT_BYTES + 4]; /* of the last failure, for people */
} __attribute__((aligned(64)));

/* Recorder, at start and when an account is made: the index's owner; another id starts fresh. */
void health_assign(struct segment *segment, uint32_t index, uint64_t account_id);

/* May it be picked now: OK, or its time to be probed has come. Changes nothing. */
bool health_ok(const struct segment *segment, uint32_t index, uint64_t now_ms);

/*
 * About to send. OK: true. Due for a probe: true for the one that wins the claim, *out_is_probe
 * set. False: pick another. Marks last_used.
 */
bool health_enter(struct segment *segment, uint32_t index, uint64_t now_ms, bool *out_is_probe);

/* Ticks since it was used last, the longer the more; bounded, so that it may be multiplied by a
 * weight. */
uint64_t health_idle(const struct segment *segment, uint32_t index, uint64_t now_ms);

/* Its moving averages: of its first byte in milliseconds, and of failures. */
uint32_t health_first_byte_ms(const struct segment *segment, uint32_t index);
uint32_t health_failure_ppm(const struct segment *segment, uint32_t index);

/* Nobody asks it until it is reset. */
bool health_is_disabled(const struct segment *segment, uint32_t index);

/* The request that health_enter let in ended without saying anything about the account. */
void health_abandon(struct segment *segment, uint32_t index, uint64_t now_ms);

/* An answer's first byte came after first_byte_ms. */
void
health_success(struct segment *segment, uint32_t index, uint64_t now_ms, uint32_t first_byte_ms);

/* retry_after_ms 0 = not given. status 0 = none. The excerpt is cut; never pass a secret. */
void
health_failure(struct segment *segment, uint32_t slot, uint32_t index, enum health_reason reason,
               uint64_t retry_after_ms, uint32_t status, struct str excerpt, uint64_t now_ms);

/*
 * A success that used up the last of a limit: an account in use rests for this time, without a
 * failure being counted. One that is benched already stays as it is.
 */
void health_rest(struct segment *segment, uint32_t index, uint64_t rest_ms, uint64_t now_ms);

/* Until health_reset(). */
void
health_disable(struct segment *segment, uint32_t slot, uint32_t index, enum health_reason reason,
               uint32_t status, struct str excerpt, uint64_t now_ms);
void health_reset(struct segment *segment, uint32_t index, uint64_t now_ms);

/*
 * Keeper: takes the probe of an account that rests, before its time is up. False: it does not rest,
 * its time is up (a request may try it), or somebody has the probe. *out_until_ms: when its time
 * would have been up. If the keeper dies, the claim expires and a request may try it.
 */
bool
health_recall(struct segment *segment, uint32_t index, uint64_t now_ms, uint64_t *out_until_ms);

enum health_found {
    HEALTH_FOUND_NOTHING, /* it rests on as it did */
    HEALTH_FOUND_WELL,    /* OK at once */
    HEALTH_FOUND_ILL,     /* rests as after a failure, and never shorter than before */
};

struct health_finding {
    enum health_found found;
    uint64_t account_id;       /* nothing happens when the index is another's by now */
    uint64_t until_ms;         /* from health_recall() */
    enum health_reason reason; /* ILL; so are the next two */
    uint64_t retry_after_ms;   /* 0 = not given */
    struct str excerpt;
    uint32_t status; /* HTTP; 0 = no answer */
};

/* Ends what health_recall() began. Nothing happens when a request has judged it meanwhile. */
void health_recalled(struct segment *segment, uint32_t slot, uint32_t index,
                     const struct health_finding *finding, uint64_t now_ms);

/*
 * Recorder, at the start of a segment: what was known of the account before; rest_ms 0: DISABLED.
 * False: it was judged already in this segment, which knows better.
 */
bool
health_restore(struct segment *segment, uint32_t slot, uint32_t index, enum health_reason reason,
               uint64_t rest_ms, uint32_t status, struct str excerpt, uint64_t now_ms);

struct health_view {
    uint64_t account_id;
    enum health_state state;
    enum health_reason reason;
    uint32_t streak;
    uint64_t until_ms; /* COOLING, PROBING; else 0 */
    uint64_t since_ms;
    uint64_t last_used_ms;
    uint32_t first_byte_ms;
    uint32_t failure_ppm;
    uint32_t last_status;
    uint64_t probed_ms;              /* the keeper's last probe; 0 = never */
    enum health_found probe_found;   /* the three of it */
    uint32_t probe_status;           /* HTTP; 0 = no answer */
    uint32_t probe_misses;           /* probes since it was OK that did not find it well */
    char excerpt[EXCERPT_BYTES + 4]; /* empty when there is none (or it was being written) */
};
void health_read(const struct segment *segment, uint32_t index, struct health_view *out);

const char *health_state_text(enum health_state state);
const char *health_reason_text(enum health_reason reason);

#endif
