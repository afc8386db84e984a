/*
 * child.h - what every child process of the master does alike: it enters its slot, hears signals,
 * wakes and the master's death in its loop, and leaves its last words when a CHECK fails.
 *
 *   SIGTERM, or the master's end of the life pipe closed -> on_drain     SIGQUIT -> _exit(0) at
 * once the slot's eventfd                                   -> on_wake (the eventfd is emptied
 * before)
 *
 * Runs in: worker, recorder, keeper. Dying here: the slot stays ASSIGNED or ACTIVE, which the
 * master finds.
 */
#ifndef SHM_CHILD_H
#define SHM_CHILD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"

struct child;
struct heritage;

struct child_hooks {
    void (*on_drain)(struct child *child); /* may be called more than once */
    void (*on_wake)(struct child *child);  /* calls wake_clear() when it is about to look */
};

struct child {
    const struct heritage *heritage;
    const struct child_hooks *hooks;
    struct loop *loop;
    struct loop_io signal_io;
    struct loop_io wake_io;
    struct loop_io life_io;
};

/* The first act: the slot is ACTIVE, a failing CHECK is counted and leaves its text there. One a
 * process. */
void child_enter(const struct heritage *heritage);

/* False once the life pipe is closed. */
bool child_has_master(const struct child *child);

/* Hears signals, wakes and the master's death from now on. ERR_FULL, ERR_IO. */
MUST_CHECK enum err child_open(struct child *child, struct loop *loop,
                               const struct heritage *heritage, const struct child_hooks *hooks);

#endif
