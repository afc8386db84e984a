/*
 * shmconf.c - see shmconf.h.
 *
 * Runs in: master.
 */
#include "shm/shmconf.h"

#include "base/limits.h"

#define SHMCONF_AT(field) offsetof(struct shmconf, field), sizeof(((struct shmconf *)0)->field)

const struct setting shmconf_rows[] = {
    { "file", SETTING_TEXT, SHMCONF_AT(file), 0, 0, "", "", NULL, false,
      "The file of the shared segment. It must be on a tmpfs, on a file system of its own size in "
      "containers (64 MB of /dev/shm are few: --check prints what is needed). Empty: "
      "/dev/shm/sub2api-... with a name made from [store] dir, so that two gateways never meet and "
      "a restart finds what the last run left." },
    { "leases", SETTING_U32, SHMCONF_AT(leases), 16, LEASES_PER_SLOT_MAX, "4096", "requests", NULL,
      false,
      "Requests in flight of one worker. More are refused with 503 overloaded. Each costs about "
      "700 bytes once it was in use." },
    { "gates", SETTING_U32, SHMCONF_AT(gates), 64, GATES_MAX, "16384", "gates", NULL, false,
      "Users, keys, groups (twice) and accounts that had a request since the start, together; "
      "rounded up to a power of two. When the table is full, new ones are refused with 503 "
      "overloaded. Unused ones cost 8 bytes." },
    { "ring_cells", SETTING_U32, SHMCONF_AT(ring_cells), 16, RING_CELLS_MAX, "16384", "records",
      NULL, false,
      "Finished requests of one worker that are not yet in the store; rounded up to a power of "
      "two. When the store does not keep up (a full disk), new requests are refused with 503 as "
      "soon as their records would have no room. Each costs 520 bytes." },
    { "accounts", SETTING_U32, SHMCONF_AT(accounts), 8, ACCOUNTS_MAX, "16384", "accounts", NULL,
      false,
      "Upstream accounts at most. More are refused when they are made; of a store that has more "
      "already, those made last are not used. Unused ones cost nothing." },
    { "sticky", SETTING_U32, SHMCONF_AT(sticky), 0, STICKY_MAX, "65536", "sessions", NULL, false,
      "Sessions that keep going to the account they went to last ([worker] sticky_time); rounded "
      "up "
      "to a power of two. When the table is full, the sessions that would be forgotten first give "
      "way. Each costs 8 bytes; 0 = none." },
};

const size_t shmconf_row_count = sizeof shmconf_rows / sizeof shmconf_rows[0];
