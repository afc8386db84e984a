/*
 * house.h - a small household for the master's tests: a segment, sockets, and children whose
 * entries are doubles that only enter, beat, and leave or misbehave as told.
 */
#ifndef TESTS_UNIT_MASTER_HOUSE_H
#define TESTS_UNIT_MASTER_HOUSE_H

#include "master/supervise.h"

enum house_mood {
    HOUSE_GOOD,     /* beats, leaves at TERM */
    HOUSE_NO_START, /* exit(2) */
    HOUSE_STUBBORN, /* ignores TERM, obeys QUIT */
    HOUSE_DEAF,     /* ignores TERM and QUIT */
    HOUSE_QUICK,    /* dies at once, every time */
};

/* Set before the fork. */
extern enum house_mood house_worker_mood;
extern enum house_mood house_recorder_mood;

/* One worker, grace 300 ms, a free port, everything else small. The segment's path is house_path.
 */
extern char house_path[64];
void house_build(struct supervise *supervise, uint32_t workers);

/* Runs supervise_run in a child process; returns its pid. Its exit code is the run's, or 9 when the
 * segment was not clean afterwards. */
pid_t house_open(struct supervise *supervise);

/* Waits until `workers` workers of this generation or a later one are active; their first one's
 * pid. */
pid_t house_wait_worker(struct supervise *supervise, uint32_t worker, pid_t not_this);
pid_t house_wait_kind(struct supervise *supervise, enum slot_kind kind, pid_t not_this);

/* Exit code of what house_open returned, within 10 s; -1 otherwise. */
int house_close(pid_t pid);

#endif
