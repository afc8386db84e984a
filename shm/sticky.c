/*
 * sticky.c - see sticky.h.
 *
 * Runs in: worker, recorder.
 */
#include "shm/sticky.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/hash.h"

#define EXPIRY_BITS 20u
#define INDEX_BITS 16u
#define EXPIRY_MASK ((1u << EXPIRY_BITS) - 1u)
#define INDEX_MASK ((1u << INDEX_BITS) - 1u)
#define TAG_SHIFT (EXPIRY_BITS + INDEX_BITS)
#define TICK_SHIFT 12u /* milliseconds to ticks */
#define TICKS_MAX ((STICKY_TIME_MS_MAX >> TICK_SHIFT) + 2u)
#define PUT_TRIES 4u /* against others who write the same row at the same time */

_Static_assert(ACCOUNTS_MAX <= 1u << INDEX_BITS, "an account's index fits");
_Static_assert(TICKS_MAX < EXPIRY_MASK / 2u, "what is alive can be told from what was");
_Static_assert(STICKY_MAX / STICKY_WAYS <= 1u << 28, "row and tag share no bit of the key");
_Static_assert(sizeof(struct sticky_row) == SEGMENT_LINE, "one look, one line");

uint64_t
sticky_key(const struct segment *segment, uint64_t group_id, uint64_t key_id, enum sticky_kind kind,
           struct str session)
{
    /* The scope goes into the hash's key: what is hashed is the client's text and nothing else. */
    struct hash_key scoped = { segment->hash_key.k0 ^ group_id,
                               segment->hash_key.k1 ^ key_id ^ (uint64_t)kind << 56 };
    uint64_t key = hash_bytes(&scoped, session);
    return key == 0 ? 1 : key;
}

static uint32_t
tick_of(uint64_t now_ms)
{
    return (uint32_t)(now_ms >> TICK_SHIFT) & EXPIRY_MASK;
}

static uint64_t
tag_of(uint64_t key)
{
    uint64_t tag = key >> TAG_SHIFT;
    return tag == 0 ? 1 : tag; /* so that no word is 0 */
}

static uint32_t
index_in(uint64_t word)
{
    return (uint32_t)(word >> EXPIRY_BITS) & INDEX_MASK;
}

/* Ticks until it expires; 0: free or expired. */
static uint32_t
ticks_left(uint64_t word, uint32_t tick)
{
    uint32_t left = ((uint32_t)word - tick) & EXPIRY_MASK;
    return word == 0 || left > TICKS_MAX ? 0 : left;
}

static struct sticky_row *
row_of(const struct segment *segment, uint64_t key)
{
    return &segment->sticky_rows[key & (segment->sticky / STICKY_WAYS - 1u)];
}

static uint64_t
load(const struct sticky_row *row, uint32_t way)
{
    return atomic_load_explicit(&row->words[way], memory_order_relaxed);
}

enum err
sticky_find(const struct segment *segment, uint64_t key, uint64_t now_ms,
            uint32_t *out_account_index)
{
    if (segment->sticky == 0) {
        return ERR_GONE;
    }
    const struct sticky_row *row = row_of(segment, key);
    uint64_t tag = tag_of(key);
    uint32_t tick = tick_of(now_ms);
    for (uint32_t way = 0; way < STICKY_WAYS; way++) {
        uint64_t word = load(row, way);
        if (word >> TAG_SHIFT == tag && ticks_left(word, tick) != 0) {
            *out_account_index = index_in(word);
            return ERR_OK;
        }
    }
    return ERR_GONE;
}

/* The key's own place, else a free or expired one, else the one that would expire first. */
static uint32_t
choose(const struct sticky_row *row, uint64_t tag, uint32_t tick, uint64_t *out_word)
{
    uint32_t best = 0;
    uint32_t best_left = UINT32_MAX;
    for (uint32_t way = 0; way < STICKY_WAYS; way++) {
        uint64_t word = load(row, way);
        if (word >> TAG_SHIFT == tag) {
            *out_word = word;
            return way;
        }
        uint32_t left = ticks_left(word, tick);
        if (left < best_left) {
            best = way;
            best_left = left;
            *out_word = word;
        }
    }
    return best;
}

void
sticky_put(struct segment *segment, uint64_t key, uint32_t account_index, uint64_t now_ms,
           uint64_t time_ms)
{
    CHECK(account_index <= INDEX_MASK && time_ms > 0 && time_ms <= STICKY_TIME_MS_MAX);
    if (segment->sticky == 0) {
        return;
    }
    struct sticky_row *row = row_of(segment, key);
    uint64_t tag = tag_of(key);
    uint32_t tick = tick_of(now_ms);
    uint32_t ticks = (uint32_t)(time_ms >> TICK_SHIFT) + 2u;
    uint64_t word =
        tag << TAG_SHIFT | (uint64_t)account_index << EXPIRY_BITS | ((tick + ticks) & EXPIRY_MASK);
    for (uint32_t i = 0; i < PUT_TRIES; i++) {
        uint64_t old = 0;
        uint32_t way = choose(row, tag, tick, &old);
        bool is_same = (old ^ word) >> EXPIRY_BITS == 0;
        /* Turns that follow each other quickly leave the line clean in all caches. */
        if (is_same && ticks_left(old, tick) + ticks / 16u >= ticks) {
            return;
        }
        FAULT("sticky.before_put");
        if (atomic_compare_exchange_strong(&row->words[way], &old, word)) {
            return;
        }
    }
}

/* Only what was looked at is taken away: a session bound anew meanwhile stays. */
static bool
clear(struct sticky_row *row, uint32_t way, uint64_t word)
{
    return atomic_compare_exchange_strong(&row->words[way], &word, 0);
}

void
sticky_drop(struct segment *segment, uint64_t key)
{
    if (segment->sticky == 0) {
        return;
    }
    struct sticky_row *row = row_of(segment, key);
    for (uint32_t way = 0; way < STICKY_WAYS; way++) {
        uint64_t word = load(row, way);
        if (word >> TAG_SHIFT == tag_of(key)) {
            (void)clear(row, way, word);
        }
    }
}

uint32_t
sticky_drop_account(struct segment *segment, uint32_t account_index, uint64_t now_ms)
{
    CHECK(account_index <= INDEX_MASK || account_index == UINT32_MAX);
    uint32_t tick = tick_of(now_ms);
    uint32_t dropped = 0;
    for (uint32_t i = 0; i < segment->sticky; i++) {
        struct sticky_row *row = &segment->sticky_rows[i / STICKY_WAYS];
        uint32_t way = i % STICKY_WAYS;
        uint64_t word = load(row, way);
        bool is_meant = account_index == UINT32_MAX || index_in(word) == account_index;
        if (word != 0 && is_meant && clear(row, way, word)) {
            dropped += ticks_left(word, tick) != 0 ? 1u : 0u;
        }
    }
    return dropped;
}

bool
sticky_next(const struct segment *segment, uint64_t *cursor, uint64_t now_ms,
            struct sticky_view *out)
{
    uint32_t tick = tick_of(now_ms);
    while (*cursor < segment->sticky) {
        uint32_t at = (uint32_t)(*cursor)++;
        uint64_t word = load(&segment->sticky_rows[at / STICKY_WAYS], at % STICKY_WAYS);
        uint32_t left = ticks_left(word, tick);
        if (left != 0) {
            *out = (struct sticky_view){ .tag = (uint32_t)(word >> TAG_SHIFT),
                                         .row = at / STICKY_WAYS,
                                         .account_index = index_in(word),
                                         .left_ms = (uint64_t)left << TICK_SHIFT };
            return true;
        }
    }
    return false;
}
