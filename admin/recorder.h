/*
 * recorder.h - the only writer of the store.
 *
 * Drains the rings with group commit, sweeps what dead processes held and bills their requests,
 * serves the admin socket, and tells the workers by the version word when a record changed.
 *
 * Runs in: recorder, a process of its own. Dying here: the master forks another; what was not
 * committed is still in the rings, what was committed and not freed is known by its position. It
 * ends by itself when LMDB has given up (MDB_PANIC): only another process can open the store anew.
 */
#ifndef ADMIN_RECORDER_H
#define ADMIN_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct heritage;
struct ledger;
struct loop;
struct segment;
struct server;

/* What all of admin/'s recorder side shares. */
struct recorder {
    const struct heritage *heritage;
    struct segment *segment;
    uint32_t slot;
    struct loop *loop;
    struct server *server;
    struct ledger *ledger;
    struct list trials;  /* account tests under way: trial.c */
    struct list reports; /* being made: reporter.c */
    uint32_t report_count;
    bool is_draining;
    bool is_writable;  /* the last commit worked */
    char why_not[128]; /* why it did not, for status */
    uint64_t started_wall_ms;
};

/* The process's exit code. */
int recorder_main(const struct heritage *heritage);

/* A configuration record changed: workers and keeper read the store again, health and readiness
 * follow. */
void recorder_changed(struct recorder *recorder);

#endif
