/*
 * spot.c - see spot.h. Open addressing from the word's hash on; what is put there is put by one
 * exchange.
 */
#include "shm/spot.h"

#include "base/check.h"
#include "base/hash.h"
#include "shm/gate.h"

#define SPOT_PROBES_MAX 256u /* a run this long means a table that is as good as full */

/* The same few names are looked up for every request. */
#define SPOT_HINTS 256u
static uint32_t hints[SPOT_HINTS];

static uint32_t *
hint_of(uint64_t word)
{
    /* A multiplication spreads the word well enough over its top eight bits. */
    return &hints[(word * 0x9e3779b97f4a7c15ull) >> 56];
}

enum err
spot_find(const struct segment *segment, uint64_t word, bool may_insert, uint32_t *out_gate)
{
    CHECK(word != 0);
    uint32_t *hint = hint_of(word);
    if (*hint < segment->gates && atomic_load(&segment->gate_keys[*hint].word) == word) {
        *out_gate = *hint;
        return ERR_OK;
    }
    uint32_t mask = segment->gates - 1u;
    uint32_t at = (uint32_t)hash_u64(&segment->hash_key, word) & mask;
    uint32_t probes = segment->gates < SPOT_PROBES_MAX ? segment->gates : SPOT_PROBES_MAX;
    for (uint32_t i = 0; i < probes; i++, at = (at + 1u) & mask) {
        uint64_t there = atomic_load(&segment->gate_keys[at].word);
        if (there == 0) {
            if (!may_insert) {
                return ERR_GONE;
            }
            /* Once and for ever; when another was quicker, `there` is what it wrote. */
            if (atomic_compare_exchange_strong(&segment->gate_keys[at].word, &there, word)) {
                there = word;
            }
        }
        if (there == word) {
            *out_gate = at;
            *hint = at;
            return ERR_OK;
        }
    }
    return may_insert ? ERR_FULL : ERR_GONE;
}
