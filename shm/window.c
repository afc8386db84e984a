/*
 * window.c - see window.h.
 *
 * Runs in: worker, recorder, admin.
 */
#include "shm/window.h"

#include "base/check.h"
#include "base/fault.h"
#include "shm/gate.h"

#define WINDOW_COUNT_MASK 0xffffffffull
#define WINDOW_TOKENS_BITS 40u
#define WINDOW_TOKENS_MASK ((1ull << WINDOW_TOKENS_BITS) - 1u)
#define WINDOW_MINUTE_MASK 0xffffffull
#define WINDOW_TRIES 32u /* several processes that collide on the last place */

static struct window_cell *
cell_of(const struct segment *segment, uint32_t gate, uint32_t slot)
{
    CHECK(gate < segment->gates && slot < segment->slots);
    return &segment->window_cells[(size_t)gate * segment->stride + slot];
}

static struct window_hold *
hold_of(const struct segment *segment, uint32_t gate, uint32_t slot)
{
    CHECK(gate < segment->gates && slot < segment->slots);
    return &segment->window_holds[(size_t)gate * segment->stride + slot];
}

/* The count in a requests word, 0 when it is another minute's. */
static uint64_t
requests_in(uint64_t word, uint64_t minute)
{
    return (word >> 32) == minute ? word & WINDOW_COUNT_MASK : 0;
}

static uint64_t
tokens_in(uint64_t word, uint64_t minute)
{
    return (word >> WINDOW_TOKENS_BITS) == (minute & WINDOW_MINUTE_MASK) ? word & WINDOW_TOKENS_MASK
                                                                         : 0;
}

/* 10^12 tokens in a minute are above any limit, and stay there. */
static uint64_t
tokens_word(uint64_t minute, uint64_t count)
{
    return ((minute & WINDOW_MINUTE_MASK) << WINDOW_TOKENS_BITS) |
           (count > WINDOW_TOKENS_MASK ? WINDOW_TOKENS_MASK : count);
}

/* Without the holds when nobody limits tokens: their pages may never have been touched. */
static void
read_sums(const struct segment *segment, uint32_t gate, uint64_t now_ms, bool with_holds,
          struct window_view *out)
{
    uint64_t minute = now_ms / WINDOW_MS;
    const struct window_cell *cells = cell_of(segment, gate, 0);
    const struct window_hold *holds = hold_of(segment, gate, 0);
    *out = (struct window_view){ .requests = 0 };
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        /* Holds before tokens: what is being settled is seen twice rather than not at all. */
        if (with_holds) {
            out->reserved += tokens_in(atomic_load(&holds[slot].tokens), minute);
        }
        out->requests += requests_in(atomic_load(&cells[slot].requests), minute);
        out->tokens += tokens_in(atomic_load(&cells[slot].tokens), minute);
    }
}

void
window_read(const struct segment *segment, uint32_t gate, uint64_t now_ms, struct window_view *out)
{
    read_sums(segment, gate, now_ms, true, out);
}

uint64_t
window_reserves(const struct window_want *want)
{
    uint64_t tokens = want->tokens == 0 ? 1 : want->tokens;
    return tokens < want->limit_tokens ? tokens : want->limit_tokens;
}

/* With `more` requests and tokens: within the limits? */
static bool
is_within(const struct window_view *view, const struct window_want *want, uint64_t more_requests,
          uint64_t more_tokens)
{
    return (want->limit_requests == 0 || view->requests + more_requests <= want->limit_requests) &&
           (want->limit_tokens == 0 ||
            view->tokens + view->reserved + more_tokens <= want->limit_tokens);
}

bool
window_fits(const struct window_view *view, const struct window_want *want)
{
    return is_within(view, want, 1, window_reserves(want));
}

static void
set_requests(struct window_cell *mine, uint64_t minute, uint64_t count)
{
    CHECK(count <= WINDOW_COUNT_MASK);
    atomic_store(&mine->requests, (minute << 32) | count);
}

/* Adds one request and its tokens to our own words. */
static void
add_mine(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t reserved, uint64_t now_ms)
{
    uint64_t minute = now_ms / WINDOW_MS;
    struct window_cell *cell = cell_of(segment, gate, slot);
    set_requests(cell, minute, requests_in(atomic_load(&cell->requests), minute) + 1u);
    FAULT("window.mid_take");
    if (reserved > 0) {
        struct window_hold *hold = hold_of(segment, gate, slot);
        uint64_t count = tokens_in(atomic_load(&hold->tokens), minute);
        atomic_store(&hold->tokens, tokens_word(minute, count + reserved));
    }
}

/* A reservation whose minute is over has ended with it. */
static void
free_tokens(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t reserved,
            uint64_t taken_ms)
{
    if (reserved == 0) {
        return;
    }
    uint64_t minute = taken_ms / WINDOW_MS;
    struct window_hold *hold = hold_of(segment, gate, slot);
    uint64_t count = tokens_in(atomic_load(&hold->tokens), minute);
    if (count > 0) {
        atomic_store(&hold->tokens, tokens_word(minute, count > reserved ? count - reserved : 0));
    }
}

void
window_give(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t reserved,
            uint64_t taken_ms)
{
    uint64_t minute = taken_ms / WINDOW_MS;
    struct window_cell *mine = cell_of(segment, gate, slot);
    uint64_t count = requests_in(atomic_load(&mine->requests), minute);
    free_tokens(segment, slot, gate, reserved, taken_ms);
    if (count > 0) { /* else its minute is over, and the count with it */
        set_requests(mine, minute, count - 1u);
    }
}

enum err
window_take(struct segment *segment, uint32_t slot, uint32_t gate, const struct window_want *want,
            uint64_t now_ms, uint64_t *out_retry_after_ms)
{
    uint64_t reserved = window_reserves(want);
    *out_retry_after_ms = 0;
    for (uint32_t tries = 0; tries < WINDOW_TRIES; tries++) {
        struct window_view sum;
        read_sums(segment, gate, now_ms, want->limit_tokens != 0, &sum);
        if (!window_fits(&sum, want)) {
            break;
        }
        /* Ours first, then the sum: of two that collide at least one sees the other. */
        add_mine(segment, slot, gate, reserved, now_ms);
        read_sums(segment, gate, now_ms, want->limit_tokens != 0, &sum);
        if (is_within(&sum, want, 0, 0)) {
            return ERR_OK;
        }
        window_give(segment, slot, gate, reserved, now_ms);
        for (volatile uint32_t i = 0; i < (slot + 1u) * (tries + 1u); i++) {
            /* Colliding processes come back after different times. */
        }
    }
    *out_retry_after_ms = WINDOW_MS - now_ms % WINDOW_MS;
    return ERR_FULL;
}

void
window_settle(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t reserved,
              uint64_t taken_ms, uint64_t used, uint64_t now_ms)
{
    uint64_t minute = now_ms / WINDOW_MS;
    bool is_same = taken_ms / WINDOW_MS == minute;
    /* A minute that is over has counted the reservation as used. */
    uint64_t more = is_same ? used : used > reserved ? used - reserved : 0;
    if (more > 0) {
        struct window_cell *mine = cell_of(segment, gate, slot);
        uint64_t count = tokens_in(atomic_load(&mine->tokens), minute);
        bool is_huge = more > WINDOW_TOKENS_MASK;
        atomic_store(&mine->tokens, tokens_word(minute, is_huge ? more : count + more));
    }
    FAULT("window.mid_settle");
    free_tokens(segment, slot, gate, reserved, taken_ms);
}

void
window_sweep(struct segment *segment, uint32_t dead_slot)
{
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        if (atomic_load(&segment->gate_keys[gate].word) == 0) {
            continue; /* its row was never touched, and stays so */
        }
        struct window_hold *hold = hold_of(segment, gate, dead_slot);
        if (atomic_load(&hold->tokens) != 0) {
            atomic_store(&hold->tokens, 0);
        }
    }
}
