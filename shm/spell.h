/*
 * spell.h - accounts that cannot serve one model for a while, though they serve others.
 *
 * A provider that says "no such model", or "the limit of this model is reached", is not ill; it is
 * only asked for something else. A spell is one word of a small table, found by account and model:
 * the account's index, a part of the model's hash, until when, and how often in a row it failed.
 * Two models of one account may look alike once in millions of spells: then a model rests with
 * another for minutes, as long as there is another account.
 *
 * Beside the word stands the model's name, for who keeps spells over a restart: the hash's key is
 * drawn anew with each segment. It is written after the word, by whoever won the word, and counts
 * only if it hashes to what the word says: a name written by halves, by two, or cut is none.
 *
 *      bits 0..31 until, tenths of a second (monotonic); 32..45 account index; 46..48 failures in a
 *      row (0 = its provider does not have the model); 49..63 tag
 *
 * Writers: anyone, one compare-and-swap: a hint about the outside world. A table that is full
 * forgets the spell that ends first. If the process dies: the word stands until its time is over.
 * Runs in: worker (cast, look), recorder (forget, read, restore), admin (look).
 */
#ifndef SHM_SPELL_H
#define SHM_SPELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "shm/segment.h"

#define SPELLS 4096u /* [segment] a power of two */
#define SPELL_MODEL_WORDS 12u
#define SPELL_MODEL_BYTES (8u * SPELL_MODEL_WORDS) /* with its NUL */

struct spell_name {
    _Atomic uint64_t words[SPELL_MODEL_WORDS]; /* the text, filled up with NULs */
};

struct spell_table {
    _Atomic uint64_t latest_ms; /* no spell ends later: nothing is looked up after it */
    uint64_t pad[7];
    _Atomic uint64_t words[SPELLS];
    struct spell_name names[SPELLS]; /* of the words' models */
} __attribute__((aligned(64)));

#define SPELL_FIRST_MS 5000u
#define SPELL_LONGEST_MS 300000u
/* A failure so long after the end of a rest is the first of another row. */
#define SPELL_MEMORY_MS 60000u

/* Its provider does not have the model: rests from now_ms on. A longer rest under way stays. */
void spell_cast(struct segment *segment, uint32_t account, struct str model, uint64_t rest_ms,
                uint64_t now_ms);

/*
 * The model failed at this account, by the provider's own words: rests for SPELL_FIRST_MS, doubled
 * for each further failure up to SPELL_LONGEST_MS; retry_after_ms (0 = not said) stands in place of
 * the first and is the least of the others. Within a rest only a retry_after_ms makes it longer.
 */
void spell_fail(struct segment *segment, uint32_t account, struct str model,
                uint64_t retry_after_ms, uint64_t now_ms);

/* Milliseconds that the account still rests for this model; 0 = it may be asked. */
uint64_t
spell_left_ms(const struct segment *segment, uint32_t account, struct str model, uint64_t now_ms);

/* Does it rest because its provider does not have the model? */
bool spell_is_missing(const struct segment *segment, uint32_t account, struct str model,
                      uint64_t now_ms);

/* The account may be asked for every model again: it was changed, reset, or is another one. */
void spell_forget(struct segment *segment, uint32_t account);

/* --- over a restart --- */

struct spell_view {
    uint32_t account;  /* index */
    uint32_t failures; /* in a row; 0 = its provider does not have the model */
    uint64_t left_ms;
    char model[SPELL_MODEL_BYTES];
};

/* Does any spell hold? Costs one load. */
bool spell_any(const struct segment *segment, uint64_t now_ms);

/* The spell at one of the SPELLS places. False: none holds there, or nobody knows its model's name
 * (longer than is kept). */
bool
spell_read(const struct segment *segment, uint32_t place, uint64_t now_ms, struct spell_view *out);

/* One of another segment goes on in this one, for left_ms (at most SPELL_MS_MAX); what holds here
 * already stays. */
void spell_restore(struct segment *segment, const struct spell_view *view, uint64_t now_ms);
#define SPELL_MS_MAX 2592000000ull /* 30 days */

#endif
