/*
 * budget.c - see budget.h.
 *
 * The orders below make every reader see an amount once or twice, never not at all: a writer adds
 * to the next place before it takes from the one before, and readers look in the same direction:
 * reserved, open, sealed, the ring's head, settled.
 *
 * Runs in: worker, recorder, admin.
 */
#include "shm/budget.h"

#include "base/check.h"
#include "base/fault.h"
#include "shm/gate.h"
#include "shm/ring.h"

#define BUDGET_TRIES 32u /* several processes that collide on the last tokens */

static struct budget_cell *
cell_of(const struct segment *segment, uint32_t gate, uint32_t slot)
{
    CHECK(gate < segment->gates && slot < segment->slots);
    return &segment->budget_cells[(size_t)gate * segment->slots + slot];
}

struct budget_sum {
    uint64_t amount;
    uint64_t sequence; /* +1 of the newest record in it */
};

static struct budget_sum
load(const struct budget_charge *charge)
{
    /* The amount first: with a newer sequence it counts too long, never too short. */
    uint64_t amount = atomic_load(&charge->amount);
    return (struct budget_sum){ amount, atomic_load(&charge->sequence) };
}

/* In the store already? Sequences are kept +1, and the ring's head is the first not yet stored. */
static bool
is_settled(struct budget_sum sum, uint64_t ring_head)
{
    return sum.amount == 0 || sum.sequence <= ring_head;
}

void
budget_read(const struct segment *segment, uint32_t gate, struct budget_view *out)
{
    out->reserved = 0;
    out->charged = 0;
    CHECK(gate < segment->gates);
    if (atomic_load(&segment->budget_settled[gate].is_used) != 0) {
        for (uint32_t slot = 0; slot < segment->slots; slot++) {
            const struct budget_cell *cell = cell_of(segment, gate, slot);
            out->reserved += atomic_load(&cell->reserved);
            struct budget_sum open = load(&cell->open);
            struct budget_sum sealed = load(&cell->sealed);
            if (open.amount == 0 && sealed.amount == 0) {
                continue; /* nothing charged: no need to know what is stored */
            }
            uint64_t head = ring_head(segment, slot);
            out->charged += is_settled(open, head) ? 0 : open.amount;
            out->charged += is_settled(sealed, head) ? 0 : sealed.amount;
        }
    }
    /* Last: a charge that was skipped as stored is in here by now. */
    out->settled = atomic_load(&segment->budget_settled[gate].tokens);
}

static bool
fits(const struct segment *segment, uint32_t gate, uint64_t quota, uint64_t more)
{
    struct budget_view view;
    budget_read(segment, gate, &view);
    uint64_t used = view.settled + view.charged + view.reserved;
    return quota == 0 || (more <= quota && used <= quota - more);
}

enum err
budget_take(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t quota, uint64_t want)
{
    struct budget_cell *mine = cell_of(segment, gate, slot);
    atomic_store(&segment->budget_settled[gate].is_used, 1);
    for (uint32_t tries = 0; tries < BUDGET_TRIES; tries++) {
        if (!fits(segment, gate, quota, want)) {
            return ERR_FULL;
        }
        /* Ours first, then the sum: of two that collide at least one sees the other. */
        uint64_t reserved = atomic_load(&mine->reserved);
        CHECK(reserved + want >= reserved);
        atomic_store(&mine->reserved, reserved + want);
        FAULT("budget.after_add");
        if (fits(segment, gate, quota, 0)) {
            return ERR_OK;
        }
        atomic_store(&mine->reserved, reserved);
        for (volatile uint32_t i = 0; i < (slot + 1u) * (tries + 1u); i++) {
            /* Colliding processes come back after different times. */
        }
    }
    return ERR_FULL;
}

void
budget_give(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t want)
{
    struct budget_cell *mine = cell_of(segment, gate, slot);
    uint64_t reserved = atomic_load(&mine->reserved);
    CHECK(reserved >= want);
    atomic_store(&mine->reserved, reserved - want);
}

/* Makes `open` ready for one more charge: what is in the store leaves, an old open is sealed. */
static void
turn_over(struct budget_cell *mine, uint64_t ring_head)
{
    if (is_settled(load(&mine->sealed), ring_head)) {
        struct budget_sum open = load(&mine->open);
        if (!is_settled(open, ring_head)) {
            atomic_store(&mine->sealed.sequence, open.sequence);
            atomic_store(&mine->sealed.amount, open.amount);
        } else {
            atomic_store(&mine->sealed.amount, 0);
        }
        atomic_store(&mine->open.amount, 0);
    }
}

void
budget_settle(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t want, uint64_t actual,
              uint64_t sequence)
{
    struct budget_cell *mine = cell_of(segment, gate, slot);
    CHECK(sequence < ring_next(segment, slot));
    uint64_t head = ring_head(segment, slot);
    if (sequence >= head && actual > 0) {
        turn_over(mine, head);
        uint64_t amount = atomic_load(&mine->open.amount);
        atomic_store(&mine->open.sequence, sequence + 1u);
        atomic_store(&mine->open.amount, amount + actual);
    }
    FAULT("budget.after_charge");
    budget_give(segment, slot, gate, want);
}

void
budget_set_settled(struct segment *segment, uint32_t gate, uint64_t tokens)
{
    CHECK(gate < segment->gates);
    atomic_store(&segment->budget_settled[gate].tokens, tokens);
}

void
budget_sweep(struct segment *segment, uint32_t dead_slot)
{
    CHECK(dead_slot < segment->slots);
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        if (atomic_load(&segment->budget_settled[gate].is_used) != 0) {
            atomic_store(&cell_of(segment, gate, dead_slot)->reserved, 0);
        }
    }
}
