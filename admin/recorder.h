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

#include "base/limits.h"
#include "base/list.h"

struct heritage;
struct ledger;
struct loop;
struct segment;
struct server;

/* census.h: a bit an account, by its index. */
struct census {
    uint64_t known[ACCOUNTS_MAX / 64];
    uint64_t usable[ACCOUNTS_MAX / 64]; /* and enabled */
    uint32_t known_count;
    uint32_t usable_count;
};

/* What all of admin/'s recorder side shares. */
struct recorder {
    const struct heritage *heritage;
    struct segment *segment;
    uint32_t slot;
    struct loop *loop;
    struct server *server;
    struct ledger *ledger;
    struct census census;
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

/* A configuration record changed: workers and keeper read the store again. */
void recorder_changed(struct recorder *recorder);

/* A key, a user or a plan changed: keys are read again, each when it is used next. */
void recorder_changed_key(struct recorder *recorder);

#endif
