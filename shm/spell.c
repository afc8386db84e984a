/*
 * spell.c - see spell.h.
 *
 * Runs in: worker, recorder, admin.
 */
#include "shm/spell.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

#define UNTIL_UNIT_MS 100u
#define UNTIL_MASK 0xffffffffull
#define ACCOUNT_SHIFT 32u
#define ACCOUNT_MASK 0xfffull
#define TAG_SHIFT 44u
#define PLACES 8u /* that a spell may stand in */
#define TRIES 8u  /* of a compare-and-swap that others keep winning */

_Static_assert(ACCOUNTS_MAX - 1 <= ACCOUNT_MASK, "an account's index fits");
_Static_assert((SPELLS & (SPELLS - 1)) == 0, "places are found by a mask");

/* Account and tag, as they stand in the word, and the first place. */
struct name {
    uint64_t bits;
    uint32_t place;
};

static struct name
name_of(const struct segment *segment, uint32_t account, struct str model)
{
    CHECK(account < segment->accounts);
    uint64_t hash = hash_bytes(&segment->hash_key, model);
    hash = hash_u64(&segment->hash_key, hash ^ account);
    return (struct name){ .bits = (hash >> TAG_SHIFT << TAG_SHIFT) |
                                  ((uint64_t)account << ACCOUNT_SHIFT),
                          .place = (uint32_t)hash & (SPELLS - 1) };
}

static uint64_t
until_ms(uint64_t word)
{
    return (word & UNTIL_MASK) * UNTIL_UNIT_MS;
}

static _Atomic uint64_t *
word_at(const struct segment *segment, const struct name *name, uint32_t i)
{
    return &segment->spells->words[(name->place + i) & (SPELLS - 1)];
}

uint64_t
spell_left_ms(const struct segment *segment, uint32_t account, struct str model, uint64_t now_ms)
{
    if (atomic_load_explicit(&segment->spells->latest_ms, memory_order_acquire) <= now_ms) {
        return 0;
    }
    struct name name = name_of(segment, account, model);
    for (uint32_t i = 0; i < PLACES; i++) {
        uint64_t word = atomic_load_explicit(word_at(segment, &name, i), memory_order_relaxed);
        if ((word & ~UNTIL_MASK) == name.bits && until_ms(word) > now_ms) {
            return until_ms(word) - now_ms;
        }
    }
    return 0;
}

/* Its own place, or else the one whose spell ends first. */
static _Atomic uint64_t *
place_for(const struct segment *segment, const struct name *name, uint64_t *out_old)
{
    _Atomic uint64_t *best = NULL;
    for (uint32_t i = 0; i < PLACES; i++) {
        _Atomic uint64_t *at = word_at(segment, name, i);
        uint64_t word = atomic_load(at);
        if ((word & ~UNTIL_MASK) == name->bits && word != 0) {
            *out_old = word;
            return at;
        }
        if (best == NULL || (word & UNTIL_MASK) < (*out_old & UNTIL_MASK)) {
            best = at;
            *out_old = word;
        }
    }
    return best;
}

/* Raised before the word is written: who sees the word sees that there is one to look for. */
static void
raise_latest(struct segment *segment, uint64_t ms)
{
    _Atomic uint64_t *latest = &segment->spells->latest_ms;
    uint64_t old = atomic_load(latest);
    while (old < ms && !atomic_compare_exchange_weak(latest, &old, ms)) {
        /* `old` is what the other one wrote: at least as late, or we try again. */
    }
}

void
spell_cast(struct segment *segment, uint32_t account, struct str model, uint64_t rest_ms,
           uint64_t now_ms)
{
    struct name name = name_of(segment, account, model);
    uint64_t until = (now_ms + rest_ms + UNTIL_UNIT_MS - 1) / UNTIL_UNIT_MS;
    CHECK(until <= UNTIL_MASK); /* 13 years of uptime */
    raise_latest(segment, until * UNTIL_UNIT_MS);
    for (uint32_t i = 0; i < TRIES; i++) {
        uint64_t old = 0;
        _Atomic uint64_t *at = place_for(segment, &name, &old);
        bool is_ours = (old & ~UNTIL_MASK) == name.bits;
        if (is_ours && (old & UNTIL_MASK) >= until) {
            return;
        }
        if (atomic_compare_exchange_strong(at, &old, name.bits | until)) {
            return;
        }
    }
}

void
spell_forget(struct segment *segment, uint32_t account)
{
    CHECK(account < segment->accounts);
    for (uint32_t i = 0; i < SPELLS; i++) {
        _Atomic uint64_t *at = &segment->spells->words[i];
        uint64_t word = atomic_load(at);
        if (word != 0 && ((word >> ACCOUNT_SHIFT) & ACCOUNT_MASK) == account) {
            /* Another one wrote there just now: that is news, and stays. */
            (void)atomic_compare_exchange_strong(at, &word, 0);
        }
    }
}
