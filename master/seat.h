/*
 * seat.h - one master for one store.
 *
 * A lock on master.lock in the store's directory that only this process holds: such a lock is not
 * inherited by children and ends with its holder, so it tells a living master from children who
 * outlived theirs.
 *
 * Runs in: master. If it dies: the lock is gone, the file stays and means nothing.
 */
#ifndef MASTER_SEAT_H
#define MASTER_SEAT_H

#include "base/err.h"

#define SEAT_WHY_BYTES 256

/* ERR_DENIED: a living master has this store; `why` names its pid. Changes nothing. */
MUST_CHECK enum err seat_check(const char *dir, char why[SEAT_WHY_BYTES]);

/* Takes it until the process ends. ERR_DENIED as above; ERR_IO: the file cannot be made. */
MUST_CHECK enum err seat_take(const char *dir, char why[SEAT_WHY_BYTES]);

#endif
