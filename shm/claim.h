/*
 * claim.h - who works on which Idempotency-Key: at most one request at a time, over all workers.
 *
 *   FREE -take-> UNDER WAY -note-> NOTED -release (recorder)-> FREE
 *                    `---give: nothing was billed--------------^
 *
 * A claim's name is a digest of the gateway key and its client's Idempotency-Key. It is taken
 * before anything is looked up in the store, and stands until what became of the request is in the
 * store, so that whoever takes a name finds there what its last holder left: a request is never
 * run beside its twin, and never again behind one that was billed.
 *
 * What holds
 * 1. A name has one holder. A row is taken by one compare-and-swap of its word, which says name and
 *    slot; then the whole set is looked at once more, and who sees the name twice steps back. Of
 *    two that took it in two rows at once at least one sees the other.
 * 2. A NOTED row belongs to the record with that sequence in its slot's ring. The recorder stores
 *    outcome and record in one transaction, then releases the row, then frees the ring's cell.
 *    Release names the sequence and marks the word before it clears the note: repeated after a
 *    death at any line it ends what was begun, and never hits the next holder of the name.
 * 3. A dead worker's rows: those whose record was published are as any others. Leases that are
 *    billed for it note their rows anew (claim_note by the recorder); what has no note then was
 *    not billed, and is freed (claim_sweep).
 *
 * A row is found by 55 bits of a keyed hash and the set by others. Two names that agree in both
 * would wait for each other, once in 2^50; nothing worse.
 *
 * Writers: the word whoever takes a free row, then its slot's process; the recorder when it is
 * NOTED or the slot is DEAD. The other words of a row follow its word.
 * Runs in: worker (take, note, give), recorder (find, note, release, sweep), master (adopted
 * segment). If a process dies: invariant 3.
 */
#ifndef SHM_CLAIM_H
#define SHM_CLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/limits.h"
#include "shm/segment.h"

#define CLAIM_WAYS 16u

struct claim {
    _Atomic uint64_t word; /* tag 55 bits, being released 1, slot + 1 in 8; 0 = free */
    _Atomic uint64_t note; /* sequence + 1 of the record that ends it; 0 = under way. Free: 0 */
    _Atomic uint64_t parcel_at;
    _Atomic uint64_t parcel_bytes; /* 0 = no parcel */
    _Atomic uint64_t print[4];     /* what was asked; print[0] 0 = not written yet. Free: 0 */
} __attribute__((aligned(64)));

struct claim_name {
    uint8_t bytes[CLAIM_NAME_BYTES];
};

/*
 * ERR_AGAIN: another request has the name (it is under way, or on its way into the store).
 * ERR_BAD: the same, and what it asked is something else. ERR_FULL: no room: refuse.
 * `print` is the digest of what is asked.
 */
MUST_CHECK enum err
claim_take(struct segment *segment, uint32_t slot, const struct claim_name *name,
           const struct digest *print, uint32_t *out_index);

/* Nothing came of it that anybody has to know. */
void claim_give(struct segment *segment, uint32_t slot, uint32_t index);

/* The record that will get this sequence in the slot's ring ends it; it is pushed next. */
void claim_note(struct segment *segment, uint32_t slot, uint32_t index, uint64_t sequence,
                uint64_t parcel_at, uint64_t parcel_bytes);

/* --- the recorder's --- */

struct claim_view {
    uint32_t index;
    bool is_releasing; /* a recorder died while it freed the row */
    uint64_t note;
    uint64_t parcel_at;
    uint64_t parcel_bytes;
    struct digest print;
};

/* The row that this slot has for the name. ERR_GONE: none. */
MUST_CHECK enum err claim_find(const struct segment *segment, uint32_t slot,
                               const struct claim_name *name, struct claim_view *out);

/* The record is in the store: the row is free, and its parcel. Nothing happens when the row belongs
 * to another record by now. */
void claim_release(struct segment *segment, uint32_t slot, const struct claim_name *name,
                   uint64_t sequence);

/* Behind the billing of a dead slot's leases: its rows without a note are free. How many. */
uint32_t claim_sweep(struct segment *segment, uint32_t slot);

/* Rows that are taken, of all slots: 0 when nothing goes on. Reads the whole table. */
uint32_t claim_count(const struct segment *segment);

#endif
