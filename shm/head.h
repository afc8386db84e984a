/*
 * head.h - the heads of a gate's queues: each process publishes its oldest waiter's arrival there.
 *
 * Searched word after word, so what is found was true of each process at one moment, not of all at
 * the same. Order is that of arrival; of two that arrived in the same nanosecond the lower slot's.
 *
 * Only gate.c includes this. Runs in: worker, keeper, recorder. Writes nothing but wakes, so a
 * death here leaves nothing behind.
 */
#ifndef SHM_HEAD_H
#define SHM_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/segment.h"

/* The oldest behind (after_ns, after_slot); its slot, or SLOT_NONE. */
uint32_t head_after(const struct segment *segment, uint32_t gate, uint64_t after_ns,
                    uint32_t after_slot, uint64_t *out_head_ns);

/* Does somebody of another slot wait there who came before? 0: anybody. */
bool
head_is_older(const struct segment *segment, uint32_t gate, uint64_t arrived_ns, uint32_t except);

/* Wakes the oldest of all. */
void head_wake(struct segment *segment, uint32_t gate);

/* Wakes the oldest of the gate and of each of `also` (GATE_INDEX_NONE: skipped), the oldest of
 * these first. */
void
head_wake_each(struct segment *segment, uint32_t gate, const uint32_t *also, uint32_t also_count);

#endif
