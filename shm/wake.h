/*
 * wake.h - one eventfd per slot, with a flag that makes a second poke free.
 *
 * A poke is a hint: "look again". The flag says that a poke is on its way, so that only the first
 * costs a system call. The receiver reads the eventfd, then clears the flag, then looks: whoever
 * pokes after the clearing writes again, whoever poked before it has been seen.
 *
 * If the poker dies between flag and write, the flag stands and nobody is woken: every death is
 * followed by wake_all() (slot_sweep), which writes whatever the flags say.
 *
 * Runs in: every process with a slot; master (pokes the recorder).
 */
#ifndef SHM_WAKE_H
#define SHM_WAKE_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/segment.h"

struct wake_cell {
    _Atomic uint32_t is_pending; /* [hint] anyone sets, the slot clears */
} __attribute__((aligned(64)));

/* Does nothing for SLOT_NONE. */
void wake_poke(struct segment *segment, uint32_t slot);

/* The slot's own process, when its eventfd is readable (and once at start). Clear, then look. */
void wake_clear(struct segment *segment, uint32_t slot);

/* Everybody, also those whose flag is set already. After a death. */
void wake_all(struct segment *segment);

#endif
