/*
 * ring.h - finished requests on their way to the store: one ring per slot, one producer, one
 * consumer.
 *
 * The slot's worker fills a cell and then publishes it by moving `tail`; the recorder commits the
 * cells together with the sequence reached, and then frees them by moving `head`. Sequences count
 * from 0 for the life of the segment; a new process in the same slot goes on where the last stood.
 *
 * Room is promised before work is taken: ring_reserve() succeeds only while cells free exceed what
 * is promised already, so a push never fails, and a full disk refuses new work.
 *
 * If the worker dies: what is published is there, what is not is the lease's to tell (lease.h).
 * If the recorder dies between commit and freeing: the store has the sequence; the next one begins
 * with ring_free_to(ledger_position). Nothing is lost and nothing comes twice.
 * Writers: tail, cells, stamps the slot's process (the recorder for a DEAD slot); head the
 * recorder. Runs in: worker (reserve, push), recorder (peek, free), master (peek on an adopted
 * segment).
 */
#ifndef SHM_RING_H
#define SHM_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "shm/segment.h"

#define RING_PAYLOAD_BYTES 576u /* a usage record: store/ledger.h asserts the same number */

struct ring_ends {
    _Atomic uint64_t tail; /* sequence of the next record [producer] */
    uint64_t pad[7];
    _Atomic uint64_t head; /* all before it are in the store [recorder] */
    uint64_t pad_head[7];
} __attribute__((aligned(64)));

struct ring_stamp {
    _Atomic uint64_t word; /* sequence + 1 of the record in this cell [producer] */
};

/* The producer's own part, in its memory. */
struct ring_local {
    struct segment *segment;
    uint32_t slot;
    uint32_t promised; /* cells reserved and not yet pushed */
};

void ring_init(struct ring_local *local, struct segment *segment, uint32_t slot);

/* Room for `count` more records. ERR_FULL: the store does not keep up (disk full?): refuse work. */
MUST_CHECK enum err ring_reserve(struct ring_local *local, uint32_t count);
void ring_unreserve(struct ring_local *local, uint32_t count);

/* The sequence the next push will get. */
uint64_t ring_next(const struct segment *segment, uint32_t slot);

/* Uses one reservation. Wakes the recorder when the ring was empty, and when it becomes pressed.
 * Returns the record's sequence. */
uint64_t ring_push(struct ring_local *local, const void *record);

/*
 * Records not yet freed: a pointer to `*out_count` of them in a row (0: empty) and the first's
 * sequence. The row may end at the ring's end: free it and peek again.
 */
void ring_peek(struct segment *segment, uint32_t slot, const void **out_records,
               uint32_t *out_count, uint64_t *out_sequence);

/* All before `sequence` are in the store. Lower than now: nothing happens. Afterwards peek once
 * more: a push into a ring that is not empty wakes nobody. */
void ring_free_to(struct segment *segment, uint32_t slot, uint64_t sequence);

uint64_t ring_head(const struct segment *segment, uint32_t slot);
uint32_t ring_used(const struct segment *segment, uint32_t slot);
/* More than half full: the recorder should not let others join its next flush. */
bool ring_is_pressed(const struct segment *segment, uint32_t slot);

#endif
