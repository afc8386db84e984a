/*
 * spell.h - accounts that cannot serve one model for a while, though they serve others.
 *
 * A provider that says "no such model", or "the limit of this model is reached", is not ill; it is
 * only asked for something else. A spell is one word of a small table, found by account and model:
 * the account's index, a part of the model's hash, until when, and how often in a row it failed.
 * Two models of one account may look alike once in millions of spells: then a model rests with
 * another for minutes, as long as there is another account.
 *
 *      bits 0..31 until, tenths of a second (monotonic); 32..45 account index; 46..48 failures in a
 *      row (0 = its provider does not have the model); 49..63 tag
 *
 * Writers: anyone, one compare-and-swap: a hint about the outside world. A table that is full
 * forgets the spell that ends first. If the process dies: the word stands until its time is over.
 * Runs in: worker (cast, look), recorder (forget), admin (look).
 */
#ifndef SHM_SPELL_H
#define SHM_SPELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "shm/segment.h"

#define SPELLS 4096u /* [segment] a power of two */

struct spell_table {
    _Atomic uint64_t latest_ms; /* no spell ends later: nothing is looked up after it */
    uint64_t pad[7];
    _Atomic uint64_t words[SPELLS];
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

#endif
