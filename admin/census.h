/*
 * census.h - which accounts there are, by their indexes in the segment, and how many are in use.
 *
 * Taken once from the store when the recorder starts, then kept with each change, so that a change
 * of one record does not read ten thousand. It tells the segment whose an index is
 * (health_assign), how far indexes go, and how many accounts are enabled: readiness. An account
 * whose index the segment has no row for ([shm] accounts was lowered) is not used by anybody, and
 * does not count.
 *
 * Runs in: recorder. If it dies: the next one takes it again.
 */
#ifndef ADMIN_CENSUS_H
#define ADMIN_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct account;
struct recorder;

/* Reads all accounts. ERR_IO: the store cannot be read. */
MUST_CHECK enum err census_take(struct recorder *recorder);

/* This account was made, changed or removed just now. */
void census_note(struct recorder *recorder, const struct account *account, bool is_gone);

/* Is there a row of the segment for one more? */
bool census_has_room(const struct recorder *recorder);

#endif
