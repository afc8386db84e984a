/*
 * window.c - see window.h.
 *
 * Runs in: worker, admin.
 */
#include "shm/window.h"

#include "base/check.h"

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

void
window_read(const struct segment *segment, uint32_t gate, uint64_t now_ms, struct window_view *out)
{
    uint64_t minute = now_ms / WINDOW_MS;
    out->requests = 0;
    out->tokens = 0;
    for (uint32_t slot = 0; slot < segment->slots; slot++) {
        const struct window_cell *cell = cell_of(segment, gate, slot);
        out->requests += requests_in(atomic_load(&cell->requests), minute);
        out->tokens += tokens_in(atomic_load(&cell->tokens), minute);
    }
}

static void
set_requests(struct window_cell *mine, uint64_t minute, uint64_t count)
{
    CHECK(count <= WINDOW_COUNT_MASK);
    atomic_store(&mine->requests, (minute << 32) | count);
}

enum err
window_take(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t limit_requests,
            uint64_t limit_tokens, uint64_t now_ms, uint64_t *out_retry_after_ms)
{
    uint64_t minute = now_ms / WINDOW_MS;
    struct window_cell *mine = cell_of(segment, gate, slot);
    *out_retry_after_ms = 0;
    for (uint32_t tries = 0; tries < WINDOW_TRIES; tries++) {
        struct window_view sum;
        window_read(segment, gate, now_ms, &sum);
        bool is_over = (limit_requests != 0 && sum.requests >= limit_requests) ||
                       (limit_tokens != 0 && sum.tokens >= limit_tokens);
        if (is_over) {
            break;
        }
        /* Ours first, then the sum: of two that collide at least one sees the other. */
        uint64_t count = requests_in(atomic_load(&mine->requests), minute);
        set_requests(mine, minute, count + 1u);
        window_read(segment, gate, now_ms, &sum);
        if (limit_requests == 0 || sum.requests <= limit_requests) {
            return ERR_OK;
        }
        set_requests(mine, minute, count);
        for (volatile uint32_t i = 0; i < (slot + 1u) * (tries + 1u); i++) {
            /* Colliding processes come back after different times. */
        }
    }
    *out_retry_after_ms = WINDOW_MS - now_ms % WINDOW_MS;
    return ERR_FULL;
}

void
window_give(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t taken_ms)
{
    uint64_t minute = taken_ms / WINDOW_MS;
    struct window_cell *mine = cell_of(segment, gate, slot);
    uint64_t count = requests_in(atomic_load(&mine->requests), minute);
    if (count > 0) { /* else its minute is over, and the count with it */
        set_requests(mine, minute, count - 1u);
    }
}

void
window_add_tokens(struct segment *segment, uint32_t slot, uint32_t gate, uint64_t tokens,
                  uint64_t now_ms)
{
    uint64_t minute = (now_ms / WINDOW_MS) & WINDOW_MINUTE_MASK;
    struct window_cell *mine = cell_of(segment, gate, slot);
    uint64_t count = tokens_in(atomic_load(&mine->tokens), minute) + tokens;
    if (count < tokens || count > WINDOW_TOKENS_MASK) {
        count = WINDOW_TOKENS_MASK; /* 10^12 tokens in a minute are above any limit */
    }
    atomic_store(&mine->tokens, (minute << WINDOW_TOKENS_BITS) | count);
}
