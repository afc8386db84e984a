/*
 * orphan.h - the record of a request whose worker died: what its lease saw go by is what it cost.
 *
 * One place for both who bill them: the recorder, for a worker that died beside it, and the master,
 * for a run that was killed as a whole. Times end with the last byte that was seen, since nobody
 * knows when the worker died.
 *
 * Runs in: recorder, master before it forks. Pure: nothing to repair.
 */
#ifndef UPSTREAM_ORPHAN_H
#define UPSTREAM_ORPHAN_H

#include <stdbool.h>

#include "shm/lease.h"
#include "store/ledger.h"

/* False, and nothing written: the request had reached no account, so there is nothing to bill (as
 * worker/settle.c has it for the living). */
bool orphan_bill(const struct lease_view *lease, struct ledger_record *out);

#endif
