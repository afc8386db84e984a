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

#define BUDGET_TRIES 32u /* several processes that collide on the last of a budget */

_Static_assert(BUDGET_METERS == 6, "budget_meter_text knows them all");

static struct budget_cell *
cell_of(const struct segment *segment, uint32_t gate, uint32_t slot)
{
    CHECK(gate < segment->gates && slot < segment->slots);
    return &segment->budget_cells[(size_t)gate * segment->slots + slot];
}

struct budget_sum {
    struct budget_amount amount;
    uint64_t sequence; /* +1 of the newest record in it */
};

static struct budget_sum
load(const struct budget_charge *charge)
{
    /* The amount first: with a newer sequence it counts too long, never too short. */
    struct budget_sum sum = { { atomic_load(&charge->tokens), atomic_load(&charge->nano) }, 0 };
    sum.sequence = atomic_load(&charge->sequence);
    return sum;
}

static bool
is_nothing(struct budget_amount amount)
{
    return amount.tokens == 0 && amount.nano == 0;
}

/* In the store already? Sequences are kept +1, and the ring's head is the first not yet stored. */
static bool
is_settled(struct budget_sum sum, uint64_t ring_head)
{
    return is_nothing(sum.amount) || sum.sequence <= ring_head;
}

static void
add(struct budget_amount *to, struct budget_amount more)
{
    to->tokens += more.tokens;
    to->nano += more.nano;
}

/* What is charged and not yet in the store, of one slot. */
static void
add_charged(const struct segment *segment, uint32_t slot, const struct budget_cell *cell,
            struct budget_amount *to)
{
    struct budget_sum open = load(&cell->open);
    struct budget_sum sealed = load(&cell->sealed);
    if (is_nothing(open.amount) && is_nothing(sealed.amount)) {
        return; /* nothing charged: no need to know what is stored */
    }
    uint64_t head = ring_head(segment, slot);
    if (!is_settled(open, head)) {
        add(to, open.amount);
    }
    if (!is_settled(sealed, head)) {
        add(to, sealed.amount);
    }
}

/* What the store has on this meter; a window that is over has nothing. */
static uint64_t
settled_of(const struct budget_settled *settled, uint32_t meter, uint64_t wall_ms)
{
    /* The recorder moves a window's start before it starts over: the old amount in the new window
     * counts too much for a moment, never too little. */
    uint64_t used = atomic_load(&settled->used[meter]);
    if (meter < BUDGET_WINDOWS || used == 0) {
        return used;
    }
    uint32_t window = meter - BUDGET_WINDOWS;
    uint64_t start = atomic_load(&settled->window_start_ms[window]);
    return start < period_start((enum period)window, wall_ms) ? 0 : used;
}

void
budget_read(const struct segment *segment, uint32_t gate, uint64_t wall_ms, struct budget_view *out)
{
    CHECK(gate < segment->gates);
    const struct budget_settled *settled = &segment->budget_settled[gate];
    *out = (struct budget_view){ .charged = { 0, 0 } };
    if (atomic_load(&settled->is_used) != 0) {
        for (uint32_t slot = 0; slot < segment->slots; slot++) {
            const struct budget_cell *cell = cell_of(segment, gate, slot);
            out->reserved.tokens += atomic_load(&cell->reserved_tokens);
            out->reserved.nano += atomic_load(&cell->reserved_nano);
            add_charged(segment, slot, cell, &out->charged);
        }
    }
    /* Last: a charge that was skipped as stored is in here by now. */
    for (uint32_t meter = 0; meter < BUDGET_METERS; meter++) {
        out->settled[meter] = settled_of(settled, meter, wall_ms);
    }
}

uint64_t
budget_used(const struct budget_view *view, enum budget_meter meter)
{
    CHECK((uint32_t)meter < BUDGET_METERS);
    uint64_t under_way = meter == BUDGET_TOKENS ? view->charged.tokens + view->reserved.tokens
                                                : view->charged.nano + view->reserved.nano;
    return view->settled[meter] + under_way;
}

const char *
budget_meter_text(enum budget_meter meter)
{
    if ((uint32_t)meter >= BUDGET_WINDOWS) {
        return period_text((enum period)(meter - BUDGET_WINDOWS));
    }
    return meter == BUDGET_TOKENS ? "tokens" : "money";
}

void
budget_no_limits(struct budget_limits *limits)
{
    for (uint32_t meter = 0; meter < BUDGET_METERS; meter++) {
        limits->most[meter] = BUDGET_UNLIMITED;
    }
}

bool
budget_is_limited(const struct budget_limits *limits)
{
    for (uint32_t meter = 0; meter < BUDGET_METERS; meter++) {
        if (limits->most[meter] != BUDGET_UNLIMITED) {
            return true;
        }
    }
    return false;
}

static bool
fits(const struct segment *segment, uint32_t gate, const struct budget_limits *limits,
     struct budget_amount more, uint64_t wall_ms, enum budget_meter *out_meter)
{
    struct budget_view view;
    budget_read(segment, gate, wall_ms, &view);
    for (uint32_t meter = 0; meter < BUDGET_METERS; meter++) {
        uint64_t most = limits->most[meter];
        uint64_t want = meter == BUDGET_TOKENS ? more.tokens : more.nano;
        if (most != BUDGET_UNLIMITED &&
            (want > most || budget_used(&view, (enum budget_meter)meter) > most - want)) {
            *out_meter = (enum budget_meter)meter;
            return false;
        }
    }
    return true;
}

static void
reserve(struct budget_cell *mine, struct budget_amount want)
{
    uint64_t tokens = atomic_load(&mine->reserved_tokens);
    uint64_t nano = atomic_load(&mine->reserved_nano);
    CHECK(tokens + want.tokens >= tokens && nano + want.nano >= nano);
    atomic_store(&mine->reserved_tokens, tokens + want.tokens);
    atomic_store(&mine->reserved_nano, nano + want.nano);
}

static void
give_back(struct budget_cell *mine, struct budget_amount want)
{
    uint64_t tokens = atomic_load(&mine->reserved_tokens);
    uint64_t nano = atomic_load(&mine->reserved_nano);
    CHECK(tokens >= want.tokens && nano >= want.nano);
    atomic_store(&mine->reserved_tokens, tokens - want.tokens);
    atomic_store(&mine->reserved_nano, nano - want.nano);
}

enum err
budget_take(struct segment *segment, uint32_t slot, uint32_t gate,
            const struct budget_limits *limits, struct budget_amount want, uint64_t wall_ms,
            enum budget_meter *out_meter)
{
    struct budget_cell *mine = cell_of(segment, gate, slot);
    const struct budget_amount nothing = { 0, 0 };
    atomic_store(&segment->budget_settled[gate].is_used, 1);
    for (uint32_t tries = 0; tries < BUDGET_TRIES; tries++) {
        if (!fits(segment, gate, limits, want, wall_ms, out_meter)) {
            return ERR_FULL;
        }
        /* Ours first, then the sum: of two that collide at least one sees the other. */
        reserve(mine, want);
        FAULT("budget.after_add");
        if (fits(segment, gate, limits, nothing, wall_ms, out_meter)) {
            return ERR_OK;
        }
        give_back(mine, want);
        for (volatile uint32_t i = 0; i < (slot + 1u) * (tries + 1u); i++) {
            /* Colliding processes come back after different times. */
        }
    }
    return ERR_FULL;
}

void
budget_give(struct segment *segment, uint32_t slot, uint32_t gate, struct budget_amount want)
{
    give_back(cell_of(segment, gate, slot), want);
}

static void
store_amount(struct budget_charge *charge, struct budget_amount amount)
{
    atomic_store(&charge->tokens, amount.tokens);
    atomic_store(&charge->nano, amount.nano);
}

/* Makes `open` ready for one more charge: what is in the store leaves, an old open is sealed. */
static void
turn_over(struct budget_cell *mine, uint64_t ring_head)
{
    const struct budget_amount nothing = { 0, 0 };
    if (is_settled(load(&mine->sealed), ring_head)) {
        struct budget_sum open = load(&mine->open);
        if (!is_settled(open, ring_head)) {
            atomic_store(&mine->sealed.sequence, open.sequence);
            store_amount(&mine->sealed, open.amount);
        } else {
            store_amount(&mine->sealed, nothing);
        }
        store_amount(&mine->open, nothing);
    }
}

void
budget_settle(struct segment *segment, uint32_t slot, uint32_t gate, struct budget_amount want,
              struct budget_amount actual, uint64_t sequence)
{
    struct budget_cell *mine = cell_of(segment, gate, slot);
    CHECK(sequence < ring_next(segment, slot));
    uint64_t head = ring_head(segment, slot);
    if (sequence >= head && !is_nothing(actual)) {
        turn_over(mine, head);
        struct budget_amount sum = load(&mine->open).amount;
        add(&sum, actual);
        atomic_store(&mine->open.sequence, sequence + 1u);
        store_amount(&mine->open, sum);
    }
    FAULT("budget.after_charge");
    give_back(mine, want);
}

void
budget_set_settled(struct segment *segment, uint32_t gate, const struct budget_stored *stored)
{
    CHECK(gate < segment->gates);
    struct budget_settled *settled = &segment->budget_settled[gate];
    atomic_store(&settled->used[BUDGET_TOKENS], stored->total.tokens);
    atomic_store(&settled->used[BUDGET_MONEY], stored->total.nano);
    for (uint32_t window = 0; window < PERIODS; window++) {
        atomic_store(&settled->window_start_ms[window], stored->window_start_ms[window]);
        atomic_store(&settled->used[BUDGET_WINDOWS + window], stored->window_nano[window]);
    }
}

void
budget_sweep(struct segment *segment, uint32_t dead_slot)
{
    CHECK(dead_slot < segment->slots);
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        if (atomic_load(&segment->budget_settled[gate].is_used) != 0) {
            struct budget_cell *cell = cell_of(segment, gate, dead_slot);
            atomic_store(&cell->reserved_tokens, 0);
            atomic_store(&cell->reserved_nano, 0);
        }
    }
}
