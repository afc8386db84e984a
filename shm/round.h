/*
 * round.h - whose turn it is at a pool, over all processes: rounds.
 *
 * What comes free belongs to the oldest that can use it. Who is woken cannot know by himself that
 * an elder of another process cannot: he looks whether the elder was tried since it came free. So
 * who gives counts the pool's round up, and a process that has tried all its waiters in vain notes
 * the round in which it did. The steps, as in tests/model/pool.pml:
 *
 *   GIVING  who gives says so in his own cell first, then counts where somebody waits (ROUND),
 *           gives (SUB), and takes his word back (GIVEN). Between ROUND and SUB a try in the new
 *           round finds nothing and proves nothing: nobody begins to try then (QUIET), as who gives
 *           will wake the oldest. He says so also where nobody waits yet: who comes behind his look
 *           and tries before SUB would count as tried in a round that his slot comes free in.
 *   TRIED   a process's word on its waiters, in its own cell. FRESH: none, its first waiter is new.
 *
 * Who takes in a round that is over has taken what came free behind his look at the elders: while
 * one of them waits he gives it back (gate.c: CHECK, UNDO).
 *
 * Only gate.c includes this. Writers: the mark (gate_cell.held of a pool) the slot's process, after
 * its death the recorder; the round (gate_key.round) whoever gives.
 * If the process dies while it gives: nobody tries until it is swept, and then all are woken.
 * Runs in: worker, keeper, recorder (sweep).
 */
#ifndef SHM_ROUND_H
#define SHM_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/segment.h"

/* Around a give: a round begins in those of `pools` that somebody waits at. GATE_INDEX_NONE: none.
 */
void round_begin(struct segment *segment, uint32_t slot, const uint32_t *pools, uint32_t count);
void round_end(struct segment *segment, uint32_t slot, const uint32_t *pools, uint32_t count);

/* For what came free otherwise, and before. Only where somebody waits: who comes later tries. */
void round_add(struct segment *segment, const uint32_t *pools, uint32_t count);

/* The pool's round, never 0. */
uint32_t round_now(const struct segment *segment, uint32_t pool);

/* Does no other process give at this moment? After round_now(): then what was given in that round
 * and before is there to be taken. */
bool round_is_quiet(const struct segment *segment, uint32_t pool, uint32_t slot);

/* The oldest of the other processes whose head came before arrived_ns and was not tried in this
 * round: what is free is theirs to look at first. SLOT_NONE: there is none. */
uint32_t round_elder(const struct segment *segment, uint32_t pool, uint32_t slot,
                     uint64_t arrived_ns, uint32_t round);

/* All waiters of the slot were tried in this round; 0: one is new. */
void round_note(struct segment *segment, uint32_t pool, uint32_t slot, uint32_t round);

/* Of the dead: before and after what it held is cleared, which is giving, too. */
void round_sweep_begin(struct segment *segment, uint32_t pool, uint32_t dead_slot);
void round_sweep_end(struct segment *segment, uint32_t pool, uint32_t dead_slot);

#endif
