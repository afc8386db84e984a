/*
 * gate.h - limits on requests in flight: a column per slot, and queues in order of arrival.
 *
 * A gate is found by (kind, id). Its held count is the sum of one word per slot, which only that
 * slot's process writes; so what a dead process held is cleared by clearing its words. The limit is
 * the caller's, passed at every take (0 = no limit, still counted).
 *
 *   take   add 1 to our word, sum: within the limit = taken. Over: take the 1 back, and if there
 *          is room now, wake the oldest (two that collided must not both sleep).
 *   give   take 1 from our word, wake the oldest.
 *   wait   each process keeps its own waiters in its own memory, oldest first, and publishes the
 *          oldest's arrival. Publish, THEN try once more, then sleep.
 *   wake   is a hint. The woken one serves its oldest while that is the oldest of all, publishes
 *          its next, and passes the wake on while there is room (baton).
 *   leave  unpublishes, and passes on a wake that may have been meant for the one that left.
 *
 * A newcomer does not overtake: it may take only when nobody older waits. While a 1 that was added
 * may still be taken back it counts against the limit, but is no reason to call a gate full.
 *
 * Pools. A group's accounts are waited for at the group's POOL gate, which has no limit of its own:
 * its waiters bring on_try, which tries whatever accounts may serve this very request. A waiter
 * that finds something free but not for it says PASS, and the next one (of another class) is tried,
 * in this process and then in the process with the next younger head, so that a request for a model
 * whose only account is busy does not block the others. An account's slot is given back with the
 * pools it serves (`also`): the oldest of each is woken. Giving begins a new round of the pool
 * (round.h), and a process tries its waiters only when those who came before its first, elsewhere,
 * were tried in this round; else it wakes those, and its turn comes when they pass the wake on.
 * What it took although a round had begun meanwhile it gives back, while an elder waits.
 *
 * Writers: gate_cell[gate][slot] the slot's process; after its death the recorder (gate_sweep).
 *          gate_key[gate] whoever comes first, one CAS, never changed again.
 * If the process dies at any step: its words are cleared and every gate that is waited for is
 * woken. Runs in: worker (all), keeper (take, give), recorder (sweep), admin (read).
 */
#ifndef SHM_GATE_H
#define SHM_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/list.h"
#include "shm/segment.h"

/* PLAN: never taken; its place is where a plan's budget stands (budget.h).
 * POOL: the queue for a group's accounts, under the group's id. GROUP: the group's own limit. */
enum gate_kind { GATE_NONE, GATE_USER, GATE_KEY, GATE_GROUP, GATE_ACCOUNT, GATE_POOL, GATE_PLAN };
#define GATE_KINDS 7u
#define GATE_INDEX_NONE UINT32_MAX
/* In gate_cell.held beside the count: its last 1 may still be taken back. One a process, so sums of
 * all slots' words show how many there are. */
#define GATE_TRYING (1u << 24)

/* --- in the segment --- */

struct gate_key {
    _Atomic uint64_t word;  /* kind in the top 8 bits, id below; 0 = free. Insert only. */
    _Atomic uint64_t round; /* of a pool: how often something came free [hint: who gives adds] */
};

struct gate_cell {
    _Atomic uint64_t head_ns; /* arrival of this process's oldest waiter; 0 = none waits */
    union {
        struct {
            _Atomic uint32_t held; /* and GATE_TRYING, while it does. Of a pool: round.h */
            _Atomic uint32_t waiting;
        };
        _Atomic uint64_t load; /* both, for gate_load: sums of neither reach the other */
    };
};

/* --- in the process's own memory --- */

enum gate_turn {
    GATE_TURN_TAKEN, /* it holds what it waited for */
    GATE_TURN_FULL,  /* all that it may use is full */
    GATE_TURN_PASS,  /* nothing that it may use can be had, for another reason */
};
/* FULL and PASS: others may have other accounts, so the next waiter of another class is tried. */

struct gate_waiter;
/* POOL waiters only. Must not call gate_wait, gate_leave or gate_on_wake. */
typedef enum gate_turn (*gate_try_fn)(struct gate_waiter *waiter);
/* As if on_try had not taken what it took; it waits on. Gives, with the pool in `also`. */
typedef void (*gate_undo_fn)(struct gate_waiter *waiter);
/* It holds the gate (or what on_try took) and has left the queue. May do anything. */
typedef void (*gate_turn_fn)(struct gate_waiter *waiter);

/* Embedded in the request; fill all but `link`, `gate` and `pass`. */
struct gate_waiter {
    struct list link;
    uint32_t gate;        /* GATE_INDEX_NONE = does not wait [gate.c] */
    uint32_t limit;       /* plain gates; may be changed while waiting, then gate_on_wake() */
    uint64_t arrived_ns;  /* clock_now_ns() of the request; 0 = set by gate_wait */
    uint64_t class_hash;  /* pools: waiters of one class fail alike (model and dialect) */
    uint64_t pass;        /* in which it was tried last [gate.c] */
    gate_try_fn on_try;   /* NULL: gate.c takes the gate itself, under `limit` */
    gate_undo_fn on_undo; /* NULL: on_try takes nothing */
    gate_turn_fn on_turn;
};

struct gate_queue {
    struct list link; /* in gate_local.busy, only while somebody waits */
    struct list waiters;
    uint32_t count;
};

struct gate_local {
    struct segment *segment;
    uint32_t slot;
    struct gate_queue *queues; /* one a gate, by index; zero pages until used */
    struct list busy;          /* queues in which somebody waits */
    uint32_t busy_count;
    uint32_t waiting; /* all waiters of this process */
    uint64_t pass;    /* counts the passes over pools */
};

/* Takes memory once (lazily used). ERR_FULL: no memory. Moves wake flags to "clear". */
MUST_CHECK enum err gate_init(struct gate_local *local, struct segment *segment, uint32_t slot);
void gate_fini(struct gate_local *local);

/* The gate's index, made when it is not there. id < 2^56. ERR_FULL: the table is full. */
MUST_CHECK enum err
gate_find(struct segment *segment, enum gate_kind kind, uint64_t id, uint32_t *out_gate);
/* Without making it. ERR_GONE. */
MUST_CHECK enum err
gate_peek(const struct segment *segment, enum gate_kind kind, uint64_t id, uint32_t *out_gate);

/*
 * Takes one. ERR_FULL: the limit is reached, or somebody who arrived before arrived_ns waits.
 * A newcomer passes its arrival (clock_now_ns()); 0 = overtake nobody at all.
 */
MUST_CHECK enum err gate_take(struct segment *segment, uint32_t slot, uint32_t gate, uint32_t limit,
                              uint64_t arrived_ns);

/* Gives one back and wakes the oldest of the gate and of each of `also` (GATE_INDEX_NONE: skipped).
 */
void gate_give(struct segment *segment, uint32_t slot, uint32_t gate, const uint32_t *also,
               uint32_t also_count);

/* Wakes the oldest of the gate and of each of `also`, as gate_give does (GATE_INDEX_NONE: skipped):
 * who stood in their way at another gate has been served or has left. */
void gate_wake(struct segment *segment, uint32_t gate, const uint32_t *also, uint32_t also_count);

/* Does anybody older than arrived_ns wait there? (0: anybody at all.) Newcomers to a pool ask
 * first. */
bool gate_is_waited(const struct segment *segment, uint32_t gate, uint64_t arrived_ns);

/*
 * Queues. The second try is done inside: on_turn may be called before this returns, and then true
 * is returned; otherwise the waiter waits until on_turn or gate_leave().
 */
bool gate_wait(struct gate_local *local, uint32_t gate, struct gate_waiter *waiter);

/* Timeout, client gone. Does nothing when it does not wait. on_turn will not be called. */
void gate_leave(struct gate_local *local, struct gate_waiter *waiter);

static inline void
gate_waiter_init(struct gate_waiter *waiter)
{
    list_init(&waiter->link);
    waiter->gate = GATE_INDEX_NONE;
}

static inline bool
gate_waiter_waits(const struct gate_waiter *waiter)
{
    return waiter->gate != GATE_INDEX_NONE;
}

/*
 * After wake_clear(), and once a second while local->waiting > 0 (a bound on what a bug could
 * cost, not needed by the protocol), and after limits changed: serves what can be served.
 */
void gate_on_wake(struct gate_local *local);

/* The recorder, from slot_sweep(), which then wakes everybody: clears the dead slot's words. */
void gate_sweep(struct segment *segment, uint32_t dead_slot);
/* True when the slot's words are all 0. */
bool gate_is_clean(const struct segment *segment, uint32_t slot);

/* For admission and for people. Less what is only tried. */
uint32_t gate_held(const struct segment *segment, uint32_t gate);
uint32_t gate_waiting(const struct segment *segment, uint32_t gate);

/* Both by one walk over the columns: a choice looks at hundreds of gates. Not of a pool. */
struct gate_load {
    uint32_t held;
    uint32_t waiting;
};

/* Of a cell's word or of the sum of several. */
static inline uint32_t
gate_kept(uint32_t held)
{
    return held % GATE_TRYING - held / GATE_TRYING;
}

static inline struct gate_load
gate_load(const struct segment *segment, uint32_t gate)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "held is the lower half");
    uint64_t sum = 0;
    const struct gate_cell *cell = &segment->gate_cells[(size_t)gate * segment->stride];
    /* A row is whole lines of four cells; those behind the last slot's stay 0. */
    for (const struct gate_cell *end = cell + segment->stride; cell < end; cell += 4) {
        sum += atomic_load_explicit(&cell[0].load, memory_order_relaxed);
        sum += atomic_load_explicit(&cell[1].load, memory_order_relaxed);
        sum += atomic_load_explicit(&cell[2].load, memory_order_relaxed);
        sum += atomic_load_explicit(&cell[3].load, memory_order_relaxed);
    }
    return (struct gate_load){ gate_kept((uint32_t)sum), (uint32_t)(sum >> 32) };
}

struct gate_view {
    enum gate_kind kind; /* GATE_NONE: no such gate (yet) */
    uint64_t id;
    uint32_t held;
    uint32_t waiting;
    uint64_t head_ns; /* arrival of the oldest; 0 = none */
    uint32_t held_by[SLOTS_MAX];
    uint32_t waiting_by[SLOTS_MAX];
};
void gate_read(const struct segment *segment, uint32_t gate, struct gate_view *out);

#endif
