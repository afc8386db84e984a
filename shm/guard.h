/*
 * guard.h - sequence guards: how more than one word is read without a lock.
 *
 * A guard's word is even while the guarded bytes stand still and odd while they are written. A
 * reader copies, and throws the copy away when the word was odd or has moved (guard_read_begin,
 * guard_read_ok). A writer that dies half way leaves the word odd: readers see nothing, until the
 * next writer of the same bytes begins (from odd to the next odd) and ends.
 *
 * Where several processes may write the same bytes, a claim decides: a hint with an owner and an
 * expiry, so that a death blocks the bytes for GUARD_CLAIM_MS at most. A process that was stopped
 * for longer than its claim may write beside the next one; therefore such bytes carry a checksum or
 * are for people only.
 *
 * Runs in: every process. Header only. Waits for nobody: a reader that meets a writer gets "no".
 */
#ifndef SHM_GUARD_H
#define SHM_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GUARD_CLAIM_MS 50u /* a write takes microseconds; this is after a death only */

struct guard {
    _Atomic uint64_t word; /* [writer] odd = being written */
};

struct guard_claim {
    _Atomic uint64_t word; /* [hint] slot + 1 in the low 16 bits, expiry in ms above; 0 = free */
};

/* May be called again after a death in between: odd goes to the next odd. */
static inline void
guard_write_begin(struct guard *guard)
{
    uint64_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);
    atomic_store_explicit(&guard->word, (word | 1u) + (word & 1u) * 2u, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static inline void
guard_write_end(struct guard *guard)
{
    uint64_t word = atomic_load_explicit(&guard->word, memory_order_relaxed);
    atomic_store_explicit(&guard->word, (word | 1u) + 1u, memory_order_release);
}

static inline uint64_t
guard_read_begin(const struct guard *guard)
{
    return atomic_load_explicit(&guard->word, memory_order_acquire);
}

/* True when what was copied since guard_read_begin() stood still. */
static inline bool
guard_read_ok(const struct guard *guard, uint64_t word)
{
    atomic_thread_fence(memory_order_acquire);
    return (word & 1u) == 0 && atomic_load_explicit(&guard->word, memory_order_relaxed) == word;
}

/* True: ours until guard_leave() or for GUARD_CLAIM_MS. False: somebody else writes; do without. */
static inline bool
guard_claim(struct guard_claim *claim, uint32_t slot, uint64_t now_ms)
{
    uint64_t old = atomic_load_explicit(&claim->word, memory_order_relaxed);
    if (old != 0 && (old >> 16) > now_ms) {
        return false;
    }
    uint64_t mine = ((now_ms + GUARD_CLAIM_MS) << 16) | (uint64_t)(slot + 1u);
    return atomic_compare_exchange_strong(&claim->word, &old, mine);
}

static inline void
guard_leave(struct guard_claim *claim)
{
    atomic_store_explicit(&claim->word, 0, memory_order_release);
}

#endif
