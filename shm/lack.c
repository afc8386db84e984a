/*
 * lack.c - see lack.h.
 *
 * Runs in: worker, keeper, recorder, admin.
 */
#include "shm/lack.h"

#include "base/check.h"

#define UNTIL_UNIT_MS 1000u
#define UNTIL_MASK 0xffffffffull
#define STATUS_SHIFT 32u
#define STATUS_MASK 0x3ffull
#define KIND_SHIFT 42u
#define KIND_MASK 0x3ull
#define TRIES 8u /* of a compare-and-swap that others keep winning */

static uint64_t
until_ms(uint64_t word)
{
    return (word & UNTIL_MASK) * UNTIL_UNIT_MS;
}

static enum lack_kind
kind_of(uint64_t word)
{
    return (enum lack_kind)(word >> KIND_SHIFT & KIND_MASK);
}

static _Atomic uint64_t *
word_at(const struct segment *segment, uint32_t account, uint32_t dialect)
{
    CHECK(account < segment->accounts && dialect < LACK_DIALECTS);
    return &segment->lacks->rows[account].words[dialect];
}

static bool
is_proven(const struct segment *segment, uint32_t account, uint32_t dialect, uint64_t now_ms)
{
    _Atomic uint64_t *at = word_at(segment, account, dialect);
    uint64_t word = atomic_load_explicit(at, memory_order_relaxed);
    return kind_of(word) == LACK_PROVEN && until_ms(word) > now_ms;
}

bool
lack_is(const struct segment *segment, uint32_t account, uint32_t dialect, uint32_t speaks,
        uint64_t now_ms)
{
    if (atomic_load_explicit(&segment->lacks->latest_ms, memory_order_acquire) <= now_ms ||
        !is_proven(segment, account, dialect, now_ms)) {
        return false;
    }
    for (uint32_t i = 0; i < LACK_DIALECTS; i++) {
        if (i != dialect && (speaks >> i & 1u) != 0 && !is_proven(segment, account, i, now_ms)) {
            return true;
        }
    }
    return false;
}

/* Raised before the word is written: who sees the word sees that there is one to look for. */
static void
raise_latest(struct segment *segment, uint64_t ms)
{
    _Atomic uint64_t *latest = &segment->lacks->latest_ms;
    uint64_t old = atomic_load(latest);
    while (old < ms && !atomic_compare_exchange_weak(latest, &old, ms)) {
        /* `old` is what the other one wrote: at least as late, or we try again. */
    }
}

void
lack_note(struct segment *segment, uint32_t account, uint32_t dialect, enum lack_kind kind,
          uint32_t status, uint64_t hold_ms, uint64_t now_ms)
{
    CHECK(kind != LACK_NONE && status <= STATUS_MASK);
    _Atomic uint64_t *at = word_at(segment, account, dialect);
    hold_ms = hold_ms < LACK_MS_MAX ? hold_ms : LACK_MS_MAX;
    uint64_t until = (now_ms + hold_ms + UNTIL_UNIT_MS - 1) / UNTIL_UNIT_MS;
    CHECK(until <= UNTIL_MASK); /* 136 years of uptime */
    uint64_t word =
        until | ((uint64_t)status << STATUS_SHIFT) | ((uint64_t)(uint32_t)kind << KIND_SHIFT);
    raise_latest(segment, until * UNTIL_UNIT_MS);
    uint64_t old = atomic_load(at);
    for (uint32_t i = 0; i < TRIES; i++) {
        bool is_known = kind_of(old) == LACK_PROVEN && until_ms(old) > now_ms;
        if ((kind == LACK_DOUBTED && is_known) || atomic_compare_exchange_strong(at, &old, word)) {
            return;
        }
    }
}

void
lack_clear(struct segment *segment, uint32_t account, uint32_t dialect)
{
    _Atomic uint64_t *at = word_at(segment, account, dialect);
    if (atomic_load_explicit(at, memory_order_relaxed) != 0) {
        atomic_store(at, 0);
    }
}

void
lack_forget(struct segment *segment, uint32_t account)
{
    for (uint32_t i = 0; i < LACK_DIALECTS; i++) {
        lack_clear(segment, account, i);
    }
}

void
lack_read(const struct segment *segment, uint32_t account, uint32_t dialect, uint64_t now_ms,
          struct lack_view *out)
{
    uint64_t word = atomic_load(word_at(segment, account, dialect));
    *out = (struct lack_view){ .kind = LACK_NONE };
    if (until_ms(word) > now_ms) {
        *out = (struct lack_view){ .kind = kind_of(word),
                                   .status = (uint32_t)(word >> STATUS_SHIFT & STATUS_MASK),
                                   .left_ms = until_ms(word) - now_ms };
    }
}
