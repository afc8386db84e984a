/*
 * spot.h - where a gate's name stands in the segment's table of names.
 *
 * Names are one word (gate.h makes it of kind and id), never 0. They are put in once and neither
 * leave nor move, so a process keeps hints where it found them; the word in the segment confirms a
 * hint, so one that is old or of another segment does no harm.
 *
 * Only gate.c includes this. Runs in: worker, keeper, recorder. No lock. If the process dies: the
 * name stands or does not, never half.
 */
#ifndef SHM_SPOT_H
#define SHM_SPOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "shm/segment.h"

/* ERR_GONE: not there; with `may_insert` it is put there, ERR_FULL when there is no place. */
MUST_CHECK enum err
spot_find(const struct segment *segment, uint64_t word, bool may_insert, uint32_t *out_gate);

#endif
