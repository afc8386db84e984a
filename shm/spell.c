/*
 * spell.c - see spell.h.
 *
 * Runs in: worker, recorder, admin.
 */
#include "shm/spell.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"

#define UNTIL_UNIT_MS 100u
#define UNTIL_MASK 0xffffffffull
#define ACCOUNT_SHIFT 32u
#define ACCOUNT_MASK 0x3fffull
#define STREAK_SHIFT 46u
#define STREAK_MASK 0x7ull
#define TAG_SHIFT 49u
#define NAME_MASK (~UNTIL_MASK & ~(STREAK_MASK << STREAK_SHIFT))
#define PLACES 8u /* that a spell may stand in */
#define TRIES 8u  /* of a compare-and-swap that others keep winning */

_Static_assert(ACCOUNTS_MAX - 1 <= ACCOUNT_MASK, "an account's index fits");
_Static_assert((SPELL_FIRST_MS << STREAK_MASK) > SPELL_LONGEST_MS, "the longest rest is reached");
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

static uint32_t
streak_of(uint64_t word)
{
    return (uint32_t)(word >> STREAK_SHIFT & STREAK_MASK);
}

bool
spell_any(const struct segment *segment, uint64_t now_ms)
{
    return atomic_load_explicit(&segment->spells->latest_ms, memory_order_acquire) > now_ms;
}

/* The spell that holds now; 0 = none. */
static uint64_t
word_of(const struct segment *segment, uint32_t account, struct str model, uint64_t now_ms)
{
    if (!spell_any(segment, now_ms)) {
        return 0;
    }
    struct name name = name_of(segment, account, model);
    for (uint32_t i = 0; i < PLACES; i++) {
        uint64_t word = atomic_load_explicit(word_at(segment, &name, i), memory_order_relaxed);
        if ((word & NAME_MASK) == name.bits && until_ms(word) > now_ms) {
            return word;
        }
    }
    return 0;
}

uint64_t
spell_left_ms(const struct segment *segment, uint32_t account, struct str model, uint64_t now_ms)
{
    uint64_t word = word_of(segment, account, model, now_ms);
    return word == 0 ? 0 : until_ms(word) - now_ms;
}

bool
spell_is_missing(const struct segment *segment, uint32_t account, struct str model, uint64_t now_ms)
{
    uint64_t word = word_of(segment, account, model, now_ms);
    return word != 0 && streak_of(word) == 0;
}

/* Its own place, or else the one whose spell ends first. */
static _Atomic uint64_t *
place_for(const struct segment *segment, const struct name *name, uint64_t *out_old)
{
    _Atomic uint64_t *best = NULL;
    for (uint32_t i = 0; i < PLACES; i++) {
        _Atomic uint64_t *at = word_at(segment, name, i);
        uint64_t word = atomic_load(at);
        if ((word & NAME_MASK) == name->bits && word != 0) {
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

/* A name that is too long stands as one that no word knows. */
static void
write_name(struct segment *segment, const _Atomic uint64_t *at, struct str model)
{
    uint64_t words[SPELL_MODEL_WORDS] = { 0 };
    struct spell_name *name = &segment->spells->names[at - segment->spells->words];
    if (model.len < SPELL_MODEL_BYTES) {
        memcpy(words, model.data, model.len);
    }
    for (uint32_t i = 0; i < SPELL_MODEL_WORDS; i++) {
        atomic_store_explicit(&name->words[i], words[i], memory_order_relaxed);
    }
}

/* What happens to a spell. */
struct turn {
    uint64_t rest_ms;
    uint64_t streak; /* restored: as it was */
    uint64_t now_ms;
};

/* `next` says how the word goes on from its old one (0: a new one); the same one: it stays. */
typedef uint64_t (*next_fn)(uint64_t old, const struct turn *turn);

static void
change(struct segment *segment, uint32_t account, struct str model, next_fn next,
       const struct turn *turn)
{
    struct name name = name_of(segment, account, model);
    for (uint32_t i = 0; i < TRIES; i++) {
        uint64_t old = 0;
        _Atomic uint64_t *at = place_for(segment, &name, &old);
        bool is_ours = old != 0 && (old & NAME_MASK) == name.bits;
        uint64_t word = name.bits | next(is_ours ? old & ~NAME_MASK : 0, turn);
        raise_latest(segment, until_ms(word));
        if (word == old) {
            return;
        }
        if (atomic_compare_exchange_strong(at, &old, word)) {
            write_name(segment, at, model);
            return;
        }
    }
}

/* Until then, rounded up. */
static uint64_t
until_of(uint64_t at_ms)
{
    uint64_t until = (at_ms + UNTIL_UNIT_MS - 1) / UNTIL_UNIT_MS;
    CHECK(until <= UNTIL_MASK); /* 13 years of uptime */
    return until;
}

static uint64_t
next_missing(uint64_t old, const struct turn *turn)
{
    uint64_t until = until_of(turn->now_ms + turn->rest_ms);
    return (old & UNTIL_MASK) >= until ? old : until;
}

/* rest_ms: what the provider asked for. */
static uint64_t
next_failed(uint64_t old, const struct turn *turn)
{
    uint64_t now_ms = turn->now_ms;
    uint64_t asked = turn->rest_ms == 0 ? 0 : until_of(now_ms + turn->rest_ms);
    if (until_ms(old) > now_ms) {
        /* Sent before the rest: only the provider's own word makes it longer. */
        bool is_later = asked > (old & UNTIL_MASK);
        return is_later ? asked | (old & ~UNTIL_MASK) : old;
    }
    uint64_t streak = until_ms(old) + SPELL_MEMORY_MS > now_ms ? streak_of(old) : 0;
    uint64_t rest_ms = SPELL_FIRST_MS << streak;
    rest_ms = rest_ms > SPELL_LONGEST_MS ? SPELL_LONGEST_MS : rest_ms;
    uint64_t until = until_of(now_ms + rest_ms);
    if (asked != 0 && (streak == 0 || asked > until)) {
        until = asked;
    }
    streak = streak < STREAK_MASK ? streak + 1 : streak;
    return until | (streak << STREAK_SHIFT);
}

static uint64_t
next_restored(uint64_t old, const struct turn *turn)
{
    if (until_ms(old) > turn->now_ms) {
        return old;
    }
    return until_of(turn->now_ms + turn->rest_ms) | (turn->streak << STREAK_SHIFT);
}

void
spell_cast(struct segment *segment, uint32_t account, struct str model, uint64_t rest_ms,
           uint64_t now_ms)
{
    const struct turn turn = { .rest_ms = rest_ms, .now_ms = now_ms };
    change(segment, account, model, next_missing, &turn);
}

void
spell_fail(struct segment *segment, uint32_t account, struct str model, uint64_t retry_after_ms,
           uint64_t now_ms)
{
    const struct turn turn = { .rest_ms = retry_after_ms, .now_ms = now_ms };
    change(segment, account, model, next_failed, &turn);
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

/* --- over a restart --- */

static void
read_name(const struct segment *segment, uint32_t place, char out[SPELL_MODEL_BYTES])
{
    uint64_t words[SPELL_MODEL_WORDS];
    const struct spell_name *name = &segment->spells->names[place];
    for (uint32_t i = 0; i < SPELL_MODEL_WORDS; i++) {
        words[i] = atomic_load_explicit(&name->words[i], memory_order_relaxed);
    }
    memcpy(out, words, SPELL_MODEL_BYTES);
    out[SPELL_MODEL_BYTES - 1] = '\0';
}

bool
spell_read(const struct segment *segment, uint32_t place, uint64_t now_ms, struct spell_view *out)
{
    CHECK(place < SPELLS);
    uint64_t word = atomic_load(&segment->spells->words[place]);
    uint32_t account = (uint32_t)(word >> ACCOUNT_SHIFT & ACCOUNT_MASK);
    if (until_ms(word) <= now_ms || account >= segment->accounts) {
        return false;
    }
    *out = (struct spell_view){ .account = account,
                                .failures = streak_of(word),
                                .left_ms = until_ms(word) - now_ms };
    read_name(segment, place, out->model);
    struct name name = name_of(segment, account, str_of(out->model));
    return name.bits == (word & NAME_MASK) && ((place - name.place) & (SPELLS - 1)) < PLACES;
}

void
spell_restore(struct segment *segment, const struct spell_view *view, uint64_t now_ms)
{
    const struct turn turn = {
        .rest_ms = view->left_ms < SPELL_MS_MAX ? view->left_ms : SPELL_MS_MAX,
        .streak = view->failures < STREAK_MASK ? view->failures : STREAK_MASK,
        .now_ms = now_ms,
    };
    change(segment, view->account, str_of(view->model), next_restored, &turn);
}
