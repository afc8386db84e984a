/*
 * budget.h - what keys, users and plans may still use: settled, finished, and under way.
 *
 *   used = settled (in the store) + each slot's reserved + each slot's charged but not yet settled
 *
 * A budget stands beside the gate of its key, user or plan and counts tokens and money. It has up
 * to six meters: tokens and money in all, and money in the current 5 hours, day, week and month
 * (base/period.h). What is under way counts on every meter of its budget alike, so only what is
 * settled is kept by window.
 *
 * A request reserves its estimate before it goes out (budget_take: add to our own words, then sum),
 * and settles once: the estimate is given back and the actual amount is charged under the ring
 * sequence of its record. The recorder commits the record, sets the new settled amounts, and only
 * then frees the cell; a charge whose sequence is before the ring's head is in `settled` and counts
 * no more. Nobody has to take it back, so no death can forget to.
 *
 * A cell has two charges, the open one and the sealed one before it, so that a budget under steady
 * load is over-counted by at most two group commits, and never under-counted. A charge that is not
 * settled yet counts in the window of now: at the turn of a window at most two group commits count
 * in the new one too.
 *
 * Writers: cell[gate][slot] the slot's process (recorder clears `reserved` of a DEAD slot; charges
 * stay, the ring has their records). settled[gate] the recorder, which loads it from the store at
 * its start, before version_set_loaded().
 * If the worker dies: between charge and give back the amount counts twice until the sweep.
 * Runs in: worker (take, give, settle), recorder (set_settled, sweep), admin (read).
 */
#ifndef SHM_BUDGET_H
#define SHM_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/period.h"
#include "shm/segment.h"

enum budget_meter {
    BUDGET_TOKENS,
    BUDGET_MONEY,   /* in all */
    BUDGET_WINDOWS, /* the money of PERIOD_5H; the other periods follow */
};
#define BUDGET_METERS (BUDGET_WINDOWS + PERIODS)
#define BUDGET_UNLIMITED UINT64_MAX

/* Tokens, and nanodollars: 2^63 of them are nine thousand million dollars. */
struct budget_amount {
    uint64_t tokens;
    uint64_t nano;
};

/* The most that each meter may reach; BUDGET_UNLIMITED = no limit. */
struct budget_limits {
    uint64_t most[BUDGET_METERS];
};

/* --- in the segment --- */

struct budget_settled {
    _Atomic uint64_t is_used; /* [hint] 1 once somebody reserved here; saves reading unused pages */
    _Atomic uint64_t used[BUDGET_METERS];      /* [recorder] */
    _Atomic uint64_t window_start_ms[PERIODS]; /* [recorder] wall; which window `used` is of */
} __attribute__((aligned(64)));

struct budget_charge {
    _Atomic uint64_t tokens;
    _Atomic uint64_t nano;
    _Atomic uint64_t sequence; /* the newest record in it, +1 */
};

struct budget_cell {
    _Atomic uint64_t reserved_tokens;
    _Atomic uint64_t reserved_nano;
    struct budget_charge open;
    struct budget_charge sealed;
} __attribute__((aligned(64)));

/* --- limits --- */

/* No meter is limited. */
void budget_no_limits(struct budget_limits *limits);
/* Does any meter have a limit? Budgets without one need not be taken from. */
bool budget_is_limited(const struct budget_limits *limits);

/* --- requests --- */

/*
 * Reserves `want`. ERR_FULL: used + want would pass the limit of *out_meter. wall_ms tells which
 * windows are the current ones.
 */
MUST_CHECK enum err budget_take(struct segment *segment, uint32_t slot, uint32_t gate,
                                const struct budget_limits *limits, struct budget_amount want,
                                uint64_t wall_ms, enum budget_meter *out_meter);

/* Gives back what budget_take took, when nothing is to be charged. */
void budget_give(struct segment *segment, uint32_t slot, uint32_t gate, struct budget_amount want);

/* `want` was taken, `actual` was used and stands in the ring record `sequence`. */
void budget_settle(struct segment *segment, uint32_t slot, uint32_t gate, struct budget_amount want,
                   struct budget_amount actual, uint64_t sequence);

/* --- the recorder --- */

/* What the store knows of a budget. */
struct budget_stored {
    struct budget_amount total;
    uint64_t window_nano[PERIODS];
    uint64_t window_start_ms[PERIODS];
};
/* After the commit and before ring_free_to(). */
void budget_set_settled(struct segment *segment, uint32_t gate, const struct budget_stored *stored);

/* From slot_sweep(). */
void budget_sweep(struct segment *segment, uint32_t dead_slot);

/* --- readers --- */

struct budget_view {
    uint64_t settled[BUDGET_METERS]; /* windows: of those current at wall_ms */
    struct budget_amount charged;    /* finished, not yet in the store */
    struct budget_amount reserved;   /* under way */
};
void budget_read(const struct segment *segment, uint32_t gate, uint64_t wall_ms,
                 struct budget_view *out);
/* What counts against one meter's limit: settled + charged + reserved. */
uint64_t budget_used(const struct budget_view *view, enum budget_meter meter);

/* "tokens", "money", "5h", "day", "week", "month"; static. */
const char *budget_meter_text(enum budget_meter meter);

#endif
