/*
 * claim.c - see claim.h.
 *
 * Runs in: worker, recorder, master (adopted segment).
 */
#include "shm/claim.h"

#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/hash.h"
#include "shm/parcel.h"

/* Times that two who met step back before both are told that the other one is at work. */
#define TRIES_MAX 4u
#define SETS (CLAIMS_MAX / CLAIM_WAYS)
#define SLOT_MASK 0xffull
#define RELEASING 0x100ull /* in a word: the recorder has begun to free it */
#define TAG_MASK (~(SLOT_MASK | RELEASING))

_Static_assert(CLAIMS_MAX % CLAIM_WAYS == 0 && (SETS & (SETS - 1u)) == 0, "whole sets");
_Static_assert(SLOTS_MAX < SLOT_MASK, "a slot + 1 fits its byte");
_Static_assert(sizeof(struct claim) == SEGMENT_LINE, "a row is a line");

/* Where a name may stand, and how its rows are known. */
struct place {
    struct claim *rows; /* [CLAIM_WAYS] */
    uint32_t first;     /* index of rows[0] */
    uint64_t tag;       /* in a word's upper 55 bits */
};

static struct place
place_of(const struct segment *segment, const struct claim_name *name)
{
    struct str bytes = str_make((const char *)name->bytes, sizeof name->bytes);
    uint64_t hash = hash_bytes(&segment->hash_key, bytes);
    uint32_t set = (uint32_t)(hash_u64(&segment->hash_key, hash) & (SETS - 1u));
    uint64_t tag = hash & TAG_MASK;
    return (struct place){ .rows = &segment->claim_rows[set * CLAIM_WAYS],
                           .first = set * CLAIM_WAYS,
                           .tag = tag == 0 ? RELEASING << 1 : tag };
}

static uint64_t
word_of(uint64_t tag, uint32_t slot)
{
    return tag | (slot + 1u);
}

static struct claim *
own(const struct segment *segment, uint32_t slot, uint32_t index)
{
    CHECK(index < CLAIMS_MAX);
    struct claim *row = &segment->claim_rows[index];
    CHECK((atomic_load(&row->word) & SLOT_MASK) == slot + 1u);
    return row;
}

/* The row with this tag, but not `mine`; CLAIM_WAYS: none. */
static uint32_t
find_tag(const struct place *place, uint32_t mine)
{
    for (uint32_t way = 0; way < CLAIM_WAYS; way++) {
        uint64_t word = atomic_load(&place->rows[way].word);
        if (way != mine && word != 0 && (word & TAG_MASK) == place->tag) {
            return way;
        }
    }
    return CLAIM_WAYS;
}

static uint32_t
find_free(const struct place *place)
{
    uint32_t way = 0;
    while (way < CLAIM_WAYS && atomic_load(&place->rows[way].word) != 0) {
        way++;
    }
    return way;
}

static uint64_t
print_word(const struct digest *print, uint32_t index)
{
    uint64_t word = 0;
    memcpy(&word, print->bytes + index * sizeof word, sizeof word);
    return index == 0 && word == 0 ? 1 : word; /* 0 stands for none */
}

/* A free row holds no note and no print, so that nobody takes them for the next holder's. */
static void
clear(struct claim *row)
{
    atomic_store(&row->print[0], 0);
    atomic_store(&row->parcel_bytes, 0);
    atomic_store(&row->note, 0);
    FAULT("claim.before_free");
    atomic_store(&row->word, 0);
}

static void
fill(struct claim *row, const struct digest *print)
{
    for (uint32_t i = 4; i-- > 0;) {
        atomic_store(&row->print[i], print_word(print, i));
    }
}

enum err
claim_take(struct segment *segment, uint32_t slot, const struct claim_name *name,
           const struct digest *print, uint32_t *out_index)
{
    CHECK(slot < segment->slots);
    struct place place = place_of(segment, name);
    uint64_t word = word_of(place.tag, slot);
    for (uint32_t try = 0; try < TRIES_MAX; try++) {
        uint32_t other = find_tag(&place, CLAIM_WAYS);
        if (other < CLAIM_WAYS) {
            uint64_t asked = atomic_load(&place.rows[other].print[0]);
            return asked == 0 || asked == print_word(print, 0) ? ERR_AGAIN : ERR_BAD;
        }
        uint32_t way = find_free(&place);
        if (way == CLAIM_WAYS) {
            return ERR_FULL;
        }
        struct claim *row = &place.rows[way];
        uint64_t expected = 0;
        if (!atomic_compare_exchange_strong(&row->word, &expected, word)) {
            continue;
        }
        FAULT("claim.after_take");
        if (find_tag(&place, way) < CLAIM_WAYS) {
            atomic_store(&row->word, 0);
            continue;
        }
        fill(row, print);
        *out_index = place.first + way;
        return ERR_OK;
    }
    return ERR_AGAIN;
}

void
claim_give(struct segment *segment, uint32_t slot, uint32_t index)
{
    clear(own(segment, slot, index));
}

void
claim_note(struct segment *segment, uint32_t slot, uint32_t index, uint64_t sequence,
           uint64_t parcel_at, uint64_t parcel_bytes)
{
    struct claim *row = own(segment, slot, index);
    atomic_store(&row->parcel_at, parcel_at);
    atomic_store(&row->parcel_bytes, parcel_bytes);
    atomic_store(&row->note, sequence + 1u);
    FAULT("claim.after_note");
}

enum err
claim_find(const struct segment *segment, uint32_t slot, const struct claim_name *name,
           struct claim_view *out)
{
    struct place place = place_of(segment, name);
    uint64_t word = word_of(place.tag, slot);
    for (uint32_t way = 0; way < CLAIM_WAYS; way++) {
        struct claim *row = &place.rows[way];
        uint64_t found = atomic_load(&row->word);
        if ((found & ~RELEASING) != word) {
            continue;
        }
        *out = (struct claim_view){ .index = place.first + way,
                                    .is_releasing = (found & RELEASING) != 0,
                                    .note = atomic_load(&row->note),
                                    .parcel_at = atomic_load(&row->parcel_at),
                                    .parcel_bytes = atomic_load(&row->parcel_bytes) };
        for (uint32_t i = 0; i < 4; i++) {
            uint64_t print = atomic_load(&row->print[i]);
            memcpy(out->print.bytes + i * sizeof print, &print, sizeof print);
        }
        return ERR_OK;
    }
    return ERR_GONE;
}

void
claim_release(struct segment *segment, uint32_t slot, const struct claim_name *name,
              uint64_t sequence)
{
    struct claim_view view;
    if (claim_find(segment, slot, name, &view) != ERR_OK ||
        (!view.is_releasing && (view.note == 0 || view.note != sequence + 1u))) {
        return;
    }
    struct claim *row = &segment->claim_rows[view.index];
    if (view.parcel_bytes > 0) {
        parcel_free_to(segment, slot, view.parcel_at + view.parcel_bytes);
    }
    atomic_fetch_or(&row->word, RELEASING);
    FAULT("claim.releasing");
    clear(row);
}

uint32_t
claim_sweep(struct segment *segment, uint32_t slot)
{
    uint32_t freed = 0;
    for (uint32_t index = 0; index < CLAIMS_MAX; index++) {
        struct claim *row = &segment->claim_rows[index];
        bool is_its = (atomic_load(&row->word) & SLOT_MASK) == slot + 1u;
        if (is_its && atomic_load(&row->note) == 0) {
            clear(row);
            freed++;
        }
    }
    return freed;
}

uint32_t
claim_count(const struct segment *segment)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < CLAIMS_MAX; index++) {
        count += atomic_load(&segment->claim_rows[index].word) != 0 ? 1u : 0u;
    }
    return count;
}
