/*
 * window.h - requests and tokens per minute of a gate: a column per slot.
 *
 * A window is a minute of the monotonic clock, the same in all processes. Each word holds its
 * minute and its count, so a count of another minute is 0 without anybody clearing it. Taking adds
 * to our own words first and then sums, so the limit is exact whoever runs beside us.
 *
 * A request counts in the minute in which it is admitted. What it may use of the tokens is reserved
 * there, and replaced by what it did use when it ends: in the same minute the rest is free again;
 * later only what it used beyond its reservation counts, in the minute of its end. So the tokens of
 * the requests that begin in a minute stay within the limit as far as the estimates hold.
 *
 * A limit of n a minute lets at most n begin in each minute, hence up to 2 n around a minute's
 * turn; in exchange there is nothing to age, and nothing a crash can leave behind but the counts of
 * the minute under way.
 *
 * Writers: cell[gate][slot], hold[gate][slot] the slot's process (the recorder clears the holds of
 * a DEAD slot). If it dies: its counts stand until the minute ends, what it reserved is free after
 * the sweep. Runs in: worker (take, settle), recorder (sweep), admin (read).
 */
#ifndef SHM_WINDOW_H
#define SHM_WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "shm/segment.h"

#define WINDOW_MS 60000u

struct window_cell {
    _Atomic uint64_t requests; /* minute << 32 | count */
    _Atomic uint64_t tokens;   /* minute (low 24 bits) << 40 | count, of requests that ended */
};

/* A table of its own: most gates have no limit of tokens, and their pages are never touched. */
struct window_hold {
    _Atomic uint64_t tokens; /* minute (low 24 bits) << 40 | reserved by requests under way */
};

struct window_want {
    uint64_t limit_requests; /* 0 = none */
    uint64_t limit_tokens;   /* 0 = none */
    uint64_t tokens;         /* that the request may use, an estimate */
};

struct window_view {
    uint64_t requests; /* of the minute of now_ms */
    uint64_t tokens;   /* used */
    uint64_t reserved; /* tokens of requests under way that began in it */
};
void
window_read(const struct segment *segment, uint32_t gate, uint64_t now_ms, struct window_view *out);

/* What window_take reserves: no more than the limit, so that a request that might use more than a
 * whole minute's tokens begins in a minute that nobody else has used. 0 without a limit. */
uint64_t window_reserves(const struct window_want *want);

/* Would one more like this be let in? */
bool window_fits(const struct window_view *view, const struct window_want *want);

/*
 * Counts one request and reserves window_reserves(want) tokens. Refused (ERR_FULL) when one of the
 * limits would be passed; nothing is counted then and *out_retry_after_ms is the time to the next
 * minute.
 */
MUST_CHECK enum err
window_take(struct segment *segment, uint32_t slot, uint32_t gate, const struct window_want *want,
            uint64_t now_ms, uint64_t *out_retry_after_ms);

/* As if the request had never been: it was counted at taken_ms, with `reserved` tokens. */
void window_give(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t reserved,
                 uint64_t taken_ms);

/* The request is over: it used `used` tokens in place of the `reserved` ones (0: none were). */
void window_settle(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t reserved,
                   uint64_t taken_ms, uint64_t used, uint64_t now_ms);

/* Recorder, from slot_sweep(). */
void window_sweep(struct segment *segment, uint32_t dead_slot);

#endif
