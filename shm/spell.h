/*
 * spell.h - accounts that cannot serve one model for a while, though they serve others.
 *
 * A provider that says "no such model" is not ill; it is only asked for something else. A spell is
 * one word of a small table, found by account and model: the account's index, a part of the model's
 * hash, and until when. Two models of one account may look alike once in millions of spells: then a
 * model rests with another for minutes, as long as there is another account.
 *
 *      bits 0..31 until, tenths of a second (monotonic); 32..43 account index; 44..63 tag
 *
 * Writers: anyone, one compare-and-swap: a hint about the outside world. A table that is full
 * forgets the spell that ends first. If the process dies: the word stands until its time is over.
 * Runs in: worker (cast, look), recorder (forget), admin (look).
 */
#ifndef SHM_SPELL_H
#define SHM_SPELL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/str.h"
#include "shm/segment.h"

#define SPELLS 4096u /* [segment] a power of two */

struct spell_table {
    _Atomic uint64_t latest_ms; /* no spell ends later: nothing is looked up after it */
    uint64_t pad[7];
    _Atomic uint64_t words[SPELLS];
} __attribute__((aligned(64)));

/* The account rests for this model from now_ms on. A longer rest under way stays. */
void spell_cast(struct segment *segment, uint32_t account, struct str model, uint64_t rest_ms,
                uint64_t now_ms);

/* Milliseconds that the account still rests for this model; 0 = it may be asked. */
uint64_t
spell_left_ms(const struct segment *segment, uint32_t account, struct str model, uint64_t now_ms);

/* The account may be asked for every model again: it was changed, reset, or is another one. */
void spell_forget(struct segment *segment, uint32_t account);

#endif
