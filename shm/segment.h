/*
 * segment.h - the memory that all processes share, and its table of contents.
 *
 * One file on tmpfs (mode 0600), mapped by everybody, sized once at start and populated lazily: a
 * table costs memory only where it is used. It holds no pointers, only indexes and offsets, so it
 * may be mapped anywhere; `struct segment` is this process's handle with a pointer to each table.
 *
 * The one rule: every word has one writer, or is a hint. Each header of this folder says who writes
 * its words and what is left when that process dies at any step.
 *
 * A new master finds the segment of a dead one by its path, adopts it when magic, layout and sizes
 * match, drains its rings into the store, and makes a new one.
 *
 * Runs in: master (create, adopt, remove, before it forks); the children inherit mapping and
 * handle. If a process dies: the file stays and says so (its lock is free: segment_adopt).
 */
#ifndef SHM_SEGMENT_H
#define SHM_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define SEGMENT_MAGIC 0x3149504132425553ull /* "SUB2API1" */
#define SEGMENT_LAYOUT 13u                  /* grows with every change of any table */
#define SEGMENT_LINE 64u                    /* bytes of a cache line; every row begins on one */
#define SEGMENT_BUILD_BYTES 64u

struct budget_cell;
struct budget_settled;
struct claim;
struct counter_row;
struct gate_cell;
struct gate_key;
struct health;
struct job_cell;
struct lack_table;
struct lease;
struct name_entry;
struct name_want;
struct parcel_ends;
struct ring_ends;
struct ring_stamp;
struct session_entry;
struct slot;
struct spell_table;
struct sticky_row;
struct version_words;
struct wake_cell;
struct window_cell;
struct window_hold;

/* What the master wants; all bounded by limits.h. */
struct segment_want {
    uint32_t slots;      /* <= SLOTS_MAX; twice the workers and 8 */
    uint32_t workers;    /* <= WORKERS_MAX; for the record only */
    uint32_t leases;     /* of one slot, <= LEASES_PER_SLOT_MAX */
    uint32_t gates;      /* <= GATES_MAX, rounded up to a power of two */
    uint32_t ring_cells; /* of one slot, <= RING_CELLS_MAX, rounded up to a power of two */
    uint32_t accounts;   /* <= ACCOUNTS_MAX */
    uint32_t sticky;     /* <= STICKY_MAX, rounded up to whole rows and a power of two; 0 = none */
    const char *build;   /* version text; NULL = none */
};

/* First bytes of the file; constant after segment_create(). */
struct segment_head {
    uint64_t magic;
    uint32_t layout;
    uint32_t slots;
    uint32_t workers;
    uint32_t leases;
    uint32_t gates;
    uint32_t ring_cells;
    uint32_t accounts;
    uint32_t sticky;
    uint64_t bytes;  /* of the whole file */
    uint64_t run_id; /* random, never 0: names this run's rings in the store */
    struct hash_key hash_key;
    uint64_t created_wall_ms;
    char build[SEGMENT_BUILD_BYTES];
};

/* This process's view. Made before the fork, inherited; only wake_fds is set later. */
struct segment {
    unsigned char *base;
    size_t bytes;
    int fd;          /* held open: carries the lock that says "in use" */
    bool is_adopted; /* nobody of that run is alive */
    const struct segment_head *head;
    uint32_t slots;  /* copies of the head's sizes, which no stray write can change */
    uint32_t stride; /* slots rounded up, so that each row of 16-byte cells begins on a line */
    uint32_t leases;
    uint32_t gates;
    uint32_t ring_cells;
    uint32_t accounts;
    uint32_t sticky;
    uint64_t run_id;
    struct hash_key hash_key;
    const int *wake_fds; /* eventfd of each slot, or NULL (tests): set by the master before fork */

    struct version_words *version;
    struct slot *slot_rows;                /* [slots] */
    struct wake_cell *wake_cells;          /* [slots] */
    struct counter_row *counter_rows;      /* [slots] */
    struct ring_ends *ring_ends;           /* [slots] */
    struct name_want *name_wants;          /* [slots][NAME_WANTS] */
    struct job_cell *job_cells;            /* [JOBS_MAX] */
    struct health *health_rows;            /* [accounts] */
    struct spell_table *spells;            /* [1] */
    struct lack_table *lacks;              /* [1] */
    struct gate_key *gate_keys;            /* [gates] */
    struct gate_cell *gate_cells;          /* [gates][stride] */
    struct window_cell *window_cells;      /* [gates][stride] */
    struct window_hold *window_holds;      /* [gates][stride] */
    struct budget_settled *budget_settled; /* [gates] */
    struct budget_cell *budget_cells;      /* [gates][slots] */
    struct sticky_row *sticky_rows;        /* [sticky / STICKY_WAYS] */
    struct name_entry *name_entries;       /* [NAMES_MAX] */
    struct session_entry *session_entries; /* [TLS_SESSIONS_MAX] */
    struct claim *claim_rows;              /* [CLAIMS_MAX] */
    struct parcel_ends *parcel_ends;       /* [slots] */
    unsigned char *parcel_bytes;           /* [slots][PARCEL_RING_BYTES] */
    struct lease *lease_rows;              /* [slots][leases] */
    struct ring_stamp *ring_stamps;        /* [slots][ring_cells] */
    unsigned char *ring_payloads;          /* [slots][ring_cells][RING_PAYLOAD_BYTES] */
};

#define SEGMENT_WHY_BYTES 256

/*
 * Makes the file (which must not exist), maps it and fills the head. ERR_DENIED: it exists.
 * ERR_FULL: the file system has less room than the tables that are always used. ERR_BAD: a size
 * beyond limits.h. ERR_IO: the system said no. `why` is a sentence then.
 */
MUST_CHECK enum err segment_create(const char *path, const struct segment_want *want,
                                   struct segment *out, char why[SEGMENT_WHY_BYTES]);

/*
 * Maps the file of a run that is over, with that run's id and sizes. ERR_GONE: no such file.
 * ERR_BAD: not ours, of another layout, cut: remove it. ERR_AGAIN: a process of that run is still
 * alive (it finishes its streams): try again later. ERR_IO.
 */
MUST_CHECK enum err
segment_adopt(const char *path, struct segment *out, char why[SEGMENT_WHY_BYTES]);

/* Bytes of address space and of the file, most of them never touched. 0: a size is out of bounds.
 */
uint64_t segment_bytes(const struct segment_want *want);

/* Bytes that are used for sure once each of `workers` has filled its ring and leases once. */
uint64_t segment_bytes_used(const struct segment_want *want);

/* Unmaps; the file stays. The handle is empty afterwards. */
void segment_close(struct segment *segment);

/* Removes the file; nothing happens when it is not there. Mappings stay good. */
void segment_remove(const char *path);

/* A segment that this version cannot read goes to `path`.old, in place of an older one; what cannot
 * be moved is removed. False: it was removed. */
#define SEGMENT_ASIDE ".old"
bool segment_set_aside(const char *path);

#endif
