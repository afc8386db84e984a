/*
 * handover.h - from a request with an Idempotency-Key to what the store keeps of it.
 *
 * The worker leaves a record that says so, a noted claim and, where the answer is kept, a parcel;
 * of a dead worker there are a lease and a claim. Whoever commits records (the recorder, and the
 * master when a whole run was killed) comes here for the row that belongs to a record, and
 * afterwards for freeing what is not needed any more.
 *
 * Runs in: recorder, master (adopted segment). Dying here: every step may be repeated (claim.h).
 */
#ifndef UPSTREAM_HANDOVER_H
#define UPSTREAM_HANDOVER_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "shm/lease.h"
#include "shm/segment.h"
#include "store/ledger.h"

/* For ledger_batch.outcome; the context is the segment. */
MUST_CHECK enum err handover_row(void *context, uint32_t slot, uint64_t sequence,
                                 const struct ledger_record *record, struct str *out);

/* The records are in the store: their claims are free. Before their cells are. */
void handover_release(struct segment *segment, uint32_t slot, uint64_t sequence,
                      const struct ledger_record *records, uint32_t count);

/* The same for what stands in the ring below `position`, for who finds a ring whose recorder died.
 */
void handover_release_to(struct segment *segment, uint32_t slot, uint64_t position);

/* A dead worker's request is billed by this record, the next that goes into its ring: the bill says
 * so to whoever sends the request again. One that cost nothing may be sent again. */
void handover_orphan(struct segment *segment, uint32_t slot, const struct lease_view *lease,
                     struct ledger_record *record);

#endif
