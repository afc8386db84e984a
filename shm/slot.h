/*
 * slot.h - one record per process.
 *
 *   FREE -assign(master)-> ASSIGNED -enter(child)-> ACTIVE -drain(child)-> DRAINING
 *   ACTIVE|DRAINING -leave(child's last act)-> LEFT -reap(master)-> FREE
 *   ASSIGNED|ACTIVE|DRAINING -reap(master)-> DEAD -sweep(recorder)-> FREE
 *
 * The state says whose word it is: FREE and LEFT the master's (the child is gone when it reaps),
 * ASSIGNED, ACTIVE and DRAINING the child's, DEAD the recorder's. A process that did not say LEFT
 * died, whatever its exit code says.
 *
 * Sweeping: first lease_orphans(), then slot_sweep(), which clears the column of every gate and
 * budget and pokes everybody. Both may be repeated: a recorder that dies half way leaves the slot
 * DEAD, and the next one begins again.
 *
 * Runs in: master (assign, which may sweep a dead recorder's slot; reap), every child (enter, beat,
 * drain, leave, crash), recorder (sweep), admin (read). If the process dies here: see the diagram;
 * every edge is one store.
 */
#ifndef SHM_SLOT_H
#define SHM_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "shm/segment.h"

/* X(name, text, allowed next states as bits) */
#define SLOT_STATE_ROWS(X)                                                    \
    X(FREE, "free", SLOT_BIT(ASSIGNED))                                       \
    X(ASSIGNED, "assigned", SLOT_BIT(ACTIVE) | SLOT_BIT(DEAD))                \
    X(ACTIVE, "active", SLOT_BIT(DRAINING) | SLOT_BIT(LEFT) | SLOT_BIT(DEAD)) \
    X(DRAINING, "draining", SLOT_BIT(LEFT) | SLOT_BIT(DEAD))                  \
    X(LEFT, "left", SLOT_BIT(FREE))                                           \
    X(DEAD, "dead", SLOT_BIT(FREE))

enum slot_state {
#define SLOT_ENUM(name, text, next) SLOT_##name,
    SLOT_STATE_ROWS(SLOT_ENUM)
#undef SLOT_ENUM
};
#define SLOT_STATES 6u
#define SLOT_BIT(name) (1u << SLOT_##name)

enum slot_kind { SLOT_WORKER, SLOT_RECORDER, SLOT_KEEPER, SLOT_EXPORTER };
#define SLOT_KINDS 4u
#define SLOT_NONE UINT32_MAX

struct slot {
    _Atomic uint32_t state;        /* enum slot_state [whose word it is: see above] */
    _Atomic uint32_t kind;         /* enum slot_kind [master, in assign] */
    _Atomic uint32_t worker;       /* number of the worker; 0 for others [master, in assign] */
    _Atomic uint32_t generation;   /* of the configuration [master, in assign] */
    _Atomic uint32_t pid;          /* [child, in enter] */
    _Atomic uint32_t life;         /* how often this slot was assigned [master] */
    _Atomic uint64_t started_ms;   /* wall [child, in enter] */
    _Atomic uint64_t heartbeat_ms; /* monotonic [child] */
    _Atomic uint32_t lease_high;   /* leases at and above were never used: not even read [child] */
    _Atomic uint32_t ends_wanted;  /* [hint] admin wants a request of ours to end (lease.h) */
    char crash[CRASH_TEXT_BYTES];  /* last words [child, once]; stays until assigned again */
} __attribute__((aligned(64)));

/*
 * A FREE slot for a process about to be forked. ERR_FULL: none is free (yet): the recorder has dead
 * ones to sweep. A recorder always gets one, if need be that of the dead recorder before it, which
 * is swept here: otherwise the dead could fill the table and nobody would ever clear it.
 */
MUST_CHECK enum err slot_assign(struct segment *segment, enum slot_kind kind, uint32_t worker,
                                uint32_t generation, uint32_t *out_slot);

/* The child's first act, after the fork. */
void slot_enter(struct segment *segment, uint32_t slot, uint64_t now_ms);
void slot_beat(struct segment *segment, uint32_t slot, uint64_t now_ms);

/* The child takes no new work from now on. */
void slot_drain(struct segment *segment, uint32_t slot);

/*
 * The child's last act. When it still holds a lease or a place at a gate, it does not get away
 * with it: the state stays, and the master will find it dead, and the recorder sweeps. False then.
 */
bool slot_leave(struct segment *segment, uint32_t slot);

/* Text for the next one to read, at most once a life; safe to call from check.h's hook. */
void slot_crash(struct segment *segment, uint32_t slot, const char *text);

/*
 * The master, after wait(2) said that the process is gone. True: it had left in good order and the
 * slot is FREE. False: it is DEAD; poke the recorder (wake_poke(slot_of_kind)).
 */
MUST_CHECK bool slot_reap(struct segment *segment, uint32_t slot);

/*
 * The recorder: clears what a DEAD slot held, wakes who waits for it, and frees the slot.
 * ERR_AGAIN: its leases are not settled yet, call lease_orphans() first.
 */
MUST_CHECK enum err slot_sweep(struct segment *segment, uint32_t slot);

/* A consistent enough copy for people. */
struct slot_view {
    enum slot_state state;
    enum slot_kind kind;
    uint32_t worker;
    uint32_t generation;
    uint32_t pid;
    uint32_t life;
    uint64_t started_ms;
    uint64_t heartbeat_ms;
    char crash[CRASH_TEXT_BYTES];
};
void slot_read(const struct segment *segment, uint32_t slot, struct slot_view *out);

enum slot_state slot_state(const struct segment *segment, uint32_t slot);

/* An ACTIVE (or at least ASSIGNED) slot of this kind, newest generation; SLOT_NONE: none. */
uint32_t slot_of_kind(const struct segment *segment, enum slot_kind kind);

const char *slot_state_text(enum slot_state state);
const char *slot_kind_text(enum slot_kind kind);

/* The diagram; for tests and for the only door. */
bool slot_may_go(enum slot_state from, enum slot_state to);

#endif
