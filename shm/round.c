/*
 * round.c - see round.h. All steps are sequentially consistent, as those of gate.c.
 *
 * Runs in: worker, keeper, recorder (sweep).
 */
#include "shm/round.h"

#include "base/check.h"
#include "base/fault.h"
#include "shm/gate.h"
#include "shm/slot.h"

/* A mark is the round of the last tries, and this bit. */
#define GIVING 0x80000000u
#define ROUNDS 0x7fffffffu /* as many, then from the first again */

static struct gate_cell *
row_of(const struct segment *segment, uint32_t pool)
{
    CHECK(pool < segment->gates);
    return &segment->gate_cells[(size_t)pool * segment->stride];
}

static _Atomic uint32_t *
mark_of(const struct segment *segment, uint32_t pool, uint32_t slot)
{
    CHECK(slot < segment->slots);
    return &row_of(segment, pool)[slot].held;
}

static void
count_up(struct segment *segment, uint32_t pool)
{
    atomic_fetch_add(&segment->gate_keys[pool].round, 1); /* ROUND */
}

static bool
is_waited(const struct segment *segment, uint32_t pool)
{
    return pool != GATE_INDEX_NONE && gate_is_waited(segment, pool, 0);
}

void
round_begin(struct segment *segment, uint32_t slot, const uint32_t *pools, uint32_t count)
{
    CHECK(count <= GROUPS_PER_ACCOUNT_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (pools[i] != GATE_INDEX_NONE) {
            atomic_fetch_or(mark_of(segment, pools[i], slot), GIVING);
            FAULT("round.after_giving");
        }
    }
    round_add(segment, pools, count);
}

void
round_end(struct segment *segment, uint32_t slot, const uint32_t *pools, uint32_t count)
{
    CHECK(count <= GROUPS_PER_ACCOUNT_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (pools[i] != GATE_INDEX_NONE) {
            atomic_fetch_and(mark_of(segment, pools[i], slot), ~GIVING); /* GIVEN */
        }
    }
}

void
round_add(struct segment *segment, const uint32_t *pools, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_waited(segment, pools[i])) {
            count_up(segment, pools[i]);
        }
    }
}

uint32_t
round_now(const struct segment *segment, uint32_t pool)
{
    CHECK(pool < segment->gates);
    return (uint32_t)(atomic_load(&segment->gate_keys[pool].round) % ROUNDS) + 1u;
}

bool
round_is_quiet(const struct segment *segment, uint32_t pool, uint32_t slot)
{
    const struct gate_cell *row = row_of(segment, pool);
    for (uint32_t other = 0; other < segment->slots; other++) {
        if (other != slot && (atomic_load(&row[other].held) & GIVING) != 0) {
            return false;
        }
    }
    return true;
}

uint32_t
round_elder(const struct segment *segment, uint32_t pool, uint32_t slot, uint64_t arrived_ns,
            uint32_t round)
{
    const struct gate_cell *row = row_of(segment, pool);
    uint32_t best = SLOT_NONE;
    uint64_t best_ns = arrived_ns;
    for (uint32_t other = 0; other < segment->slots; other++) {
        uint64_t head_ns = atomic_load(&row[other].head_ns);
        if (head_ns != 0 && head_ns < best_ns && other != slot &&
            (atomic_load(&row[other].held) & ~GIVING) != round) {
            best = other;
            best_ns = head_ns;
        }
    }
    return best;
}

void
round_note(struct segment *segment, uint32_t pool, uint32_t slot, uint32_t round)
{
    CHECK(round <= ROUNDS);
    atomic_store(mark_of(segment, pool, slot), round); /* TRIED, FRESH */
}

void
round_sweep_begin(struct segment *segment, uint32_t pool, uint32_t dead_slot)
{
    atomic_store(mark_of(segment, pool, dead_slot), GIVING);
    count_up(segment, pool);
}

void
round_sweep_end(struct segment *segment, uint32_t pool, uint32_t dead_slot)
{
    atomic_store(mark_of(segment, pool, dead_slot), 0);
}
