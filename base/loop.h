/*
 * loop.h - one epoll loop, a timer heap, and calls put off to the end of a turn.
 *
 * Descriptors are registered once, edge-triggered, for reading, writing and hang-up, so that a
 * request costs no epoll_ctl. The contract that follows: a handler reads until the kernel would
 * block or returned less than asked (or notes that it stopped on purpose and calls itself again
 * later, see loop_defer), and writes until it would block.
 *
 * Timers are intrusive. Moving a deadline later only stores it (the heap is put right when the old
 * place comes up), so re-arming an idle timer at every chunk is one store.
 *
 * A turn: epoll_wait, clock read, ready handlers, due timers, deferred calls. Events of a
 * descriptor removed during the turn are not delivered.
 *
 * Runs in: worker, recorder, keeper, and the master's supervisor. One loop a process, no threads.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

struct loop;
struct loop_io;
struct loop_timer;
struct loop_task;

/* What happened, or-ed together. HANGUP: both directions are dead (reset or fully closed). */
#define LOOP_READ 1u
#define LOOP_WRITE 2u
#define LOOP_READ_END 4u /* the peer will send no more (FIN); LOOP_READ is set with it */
#define LOOP_HANGUP 8u

typedef void (*loop_io_fn)(struct loop_io *io, uint32_t events);
typedef void (*loop_timer_fn)(struct loop_timer *timer);
typedef void (*loop_task_fn)(struct loop_task *task);

/* Embedded in the owner, who finds itself by LIST_OWNER(io, type, member). */
struct loop_io {
    int fd;         /* set by loop_add; -1 when not registered */
    uint32_t gen;   /* the loop's: tells stale events */
    uint32_t index; /* the loop's: place in its table */
    loop_io_fn on_ready;
};

struct loop_timer {
    uint64_t at_ms;   /* due; 0 = not set */
    uint64_t heap_ms; /* the loop's: where it stands in the heap, <= at_ms */
    uint32_t heap_at; /* the loop's: index + 1 in the heap, 0 = not in it */
    loop_timer_fn on_due;
};

struct loop_task {
    struct list link; /* the loop's */
    loop_task_fn on_run;
};

/* `ios_max` descriptors and `timers_max` timers at most; memory is taken here, once. */
MUST_CHECK enum err loop_make(uint32_t ios_max, uint32_t timers_max, struct loop **out);
/* What still stands in it is marked as not standing in it (fd -1, timers not set); closes no fd. */
void loop_free(struct loop *loop);

/* Runs turns until loop_stop(). */
void loop_run(struct loop *loop);
/* One turn that waits at most wait_ms_max; for tests and tools. */
void loop_turn(struct loop *loop, int wait_ms_max);
void loop_stop(struct loop *loop);

/* The monotonic clock as read after this turn's epoll_wait. */
uint64_t loop_now_ms(const struct loop *loop);

/*
 * Registers fd edge-triggered for everything. ERR_FULL at the bound. io->on_ready is set before.
 * The loop never closes the fd.
 */
MUST_CHECK enum err loop_add(struct loop *loop, struct loop_io *io, int fd);
/* Level-triggered and for reading only: listening sockets, eventfds, signalfds. */
MUST_CHECK enum err loop_add_level(struct loop *loop, struct loop_io *io, int fd);
/* Stop or go on delivering a level-triggered descriptor (accept pause). One system call. */
void loop_pause(struct loop *loop, struct loop_io *io, bool paused);
/* No event for io is delivered after this, also none of this turn. Call before close(fd). Does
 * nothing for an io whose fd is -1, which its owner sets before the first loop_add. */
void loop_remove(struct loop *loop, struct loop_io *io);

/* (Re-)arms for at_ms on loop_now_ms's scale. At the bound: CHECK (timers_max is sized by limits).
 */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ms);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

static inline void
loop_task_init(struct loop_task *task, loop_task_fn on_run)
{
    list_init(&task->link);
    task->on_run = on_run;
}

/* Runs once at the end of this turn; a second defer before that changes nothing. */
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_undefer(struct loop_task *task);

#endif
