/*
 * penalty.h - wrong keys per client address, so that guessing gets slow.
 *
 * A table of fixed size, addressed by a keyed hash: two addresses that share a place share their
 * count only while neither is refused, since the newer one takes the place over when the window of
 * the older has ended. IPv6 counts by /64.
 *
 * Runs in: worker; each counts for itself. Dying here forgets the counts.
 */
#ifndef WORKER_PENALTY_H
#define WORKER_PENALTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"

#define PENALTY_PLACES 4096u

struct penalty_place {
    uint64_t who;      /* hash of the address; 0 = free */
    uint64_t since_ms; /* of the window */
    uint32_t failures;
};

struct penalty {
    struct hash_key hash;
    uint32_t failures_max; /* 0 = never refuse */
    uint32_t window_ms;
    uint64_t until_ms; /* nobody is refused after this: saves the look in quiet times */
    struct penalty_place places[PENALTY_PLACES];
};

void penalty_init(struct penalty *penalty, const struct hash_key *hash, uint32_t failures_max,
                  uint32_t window_ms);
/* Too many failures lately? *out_retry_after_ms then says for how long. */
bool penalty_is_refused(const struct penalty *penalty, struct str address, uint64_t now_ms,
                        uint64_t *out_retry_after_ms);
void penalty_add(struct penalty *penalty, struct str address, uint64_t now_ms);

#endif
