/*
 * budget.h - a key's quota of tokens: what is settled, and what requests under way may still use.
 *
 *   used = settled (in the store) + each slot's reserved + each slot's charged but not yet settled
 *
 * A request reserves its estimate before it goes out (budget_take: add to our own word, then sum),
 * and settles once: the estimate is given back and the actual amount is charged under the ring
 * sequence of its record. The recorder commits the record, sets the new settled amount, and only
 * then frees the cell; a charge whose sequence is before the ring's head is in `settled` and counts
 * no more. Nobody has to take it back, so no death can forget to.
 *
 * A cell has two charges, the open one and the sealed one before it, so that a key under steady
 * load is over-counted by at most two group commits, and never under-counted.
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
#include <stdint.h>

#include "base/err.h"
#include "shm/segment.h"

struct budget_settled {
    _Atomic uint64_t tokens;  /* [recorder] */
    _Atomic uint64_t is_used; /* [hint] 1 once somebody reserved here; saves reading unused pages */
};

struct budget_charge {
    _Atomic uint64_t amount;
    _Atomic uint64_t sequence; /* the newest record in it, +1 */
};

struct budget_cell {
    _Atomic uint64_t reserved;
    struct budget_charge open;
    struct budget_charge sealed;
    uint64_t pad[3];
} __attribute__((aligned(64)));

/* ERR_FULL: used + want would pass the quota (0 = no quota, still counted). */
MUST_CHECK enum err
budget_take(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t quota, uint64_t want);

/* Gives back what budget_take took, when nothing is to be charged. */
void budget_give(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t want);

/* `want` was taken, `actual` was used and stands in the ring record `sequence`. */
void budget_settle(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t want,
                   uint64_t actual, uint64_t sequence);

/* Recorder: after the commit and before ring_free_to(). */
void budget_set_settled(struct segment *segment, uint32_t gate, uint64_t tokens);

/* Recorder, from slot_sweep(). */
void budget_sweep(struct segment *segment, uint32_t dead_slot);

struct budget_view {
    uint64_t settled;
    uint64_t charged;  /* finished, not yet in the store */
    uint64_t reserved; /* under way */
};
void budget_read(const struct segment *segment, uint32_t gate, struct budget_view *out);

#endif
