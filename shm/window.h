/*
 * window.h - requests and tokens per minute of a gate: a column per slot.
 *
 * A window is a minute of the monotonic clock, the same in all processes. Each word of a cell holds
 * its minute and its count, so a count of another minute is 0 without anybody clearing it. Taking
 * adds to our own word first and then sums, so the limit is exact whoever runs beside us.
 *
 * A limit of n a minute lets at most n begin in each minute, hence up to 2 n around a minute's
 * turn; in exchange there is nothing to age, and nothing a crash can leave behind but the counts of
 * the minute under way.
 *
 * Writers: cell[gate][slot] the slot's process. If it dies: its count stands until the minute ends.
 * Runs in: worker (take, add), admin (read).
 */
#ifndef SHM_WINDOW_H
#define SHM_WINDOW_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "shm/segment.h"

#define WINDOW_MS 60000u

struct window_cell {
    _Atomic uint64_t requests; /* minute << 32 | count */
    _Atomic uint64_t tokens;   /* minute (low 24 bits) << 40 | count */
};

/*
 * Counts one request. limit 0 = none. Refused (ERR_FULL) when the requests of this minute are
 * limit_requests already, or its tokens are limit_tokens or more; nothing is counted then and
 * *out_retry_after_ms is the time to the next minute.
 */
MUST_CHECK enum err
window_take(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t limit_requests,
            uint64_t limit_tokens, uint64_t now_ms, uint64_t *out_retry_after_ms);

/* Takes one back that was counted at taken_ms (a later check of the same admission refused). */
void window_give(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t taken_ms);

/* Tokens become known when the answer ends; they count in the minute of now_ms. */
void window_add_tokens(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t tokens,
                       uint64_t now_ms);

struct window_view {
    uint64_t requests; /* of the minute of now_ms */
    uint64_t tokens;
};
void
window_read(const struct segment *segment, uint32_t gate, uint64_t now_ms, struct window_view *out);

#endif
