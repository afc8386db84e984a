/*
 * snapshot.h - all accounts, groups and prices as one read transaction saw them, ready for use.
 *
 * Immutable once loaded, counted by its holders (catalog.c's views). Credentials are opened into an
 * area that is kept out of core dumps and wiped when the snapshot goes. A record that cannot be
 * read is left out and logged: one damaged account must not stop the others.
 *
 * Runs in: worker, keeper. Owner: the views that hold it.
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/catalog.h"
#include "store/kv.h"
#include "store/pricelist.h"
#include "store/secret.h"

struct snapshot {
    uint64_t serial; /* no two of a process have the same; never 0 */
    uint32_t references;
    struct catalog_account *accounts; /* one mapping, by id */
    struct catalog_brief *briefs;     /* same */
    uint32_t account_count;
    uint32_t left_out;            /* accounts that hooks.accounts leaves no room for */
    struct catalog_group *groups; /* by id */
    uint32_t group_count;
    uint32_t *members; /* the groups' account lists, one behind the other */
    uint32_t account_room;
    uint32_t group_room;
    struct secret_area area;
    struct pricelist *prices;   /* held; shared with the snapshot before when they are the same */
    struct catalog_hooks hooks; /* extra_free is due when it goes */
};

/* Everything in one read transaction; one reference for the caller. `prices` (may be NULL) are
 * those of the snapshot before. ERR_IO: store or memory. */
MUST_CHECK enum err
snapshot_load(struct kv *kv, const struct secret *secret, const struct catalog_hooks *hooks,
              struct pricelist *prices, struct snapshot **out);
void snapshot_hold(struct snapshot *snapshot);
void snapshot_drop(struct snapshot *snapshot);

/* Index of the group with this id; UINT32_MAX: none. */
uint32_t snapshot_find_group(const struct snapshot *snapshot, uint64_t id);

#endif
