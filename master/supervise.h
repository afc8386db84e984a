/*
 * supervise.h - the parent's one loop: starts, watches, replaces, reloads and ends the children.
 *
 * There is no list of things to do. After every event the loop compares what should be with what is
 * and starts what is missing: the recorder, the keeper, and worker 0 to N-1 of the current
 * generation. A dead child is simply missing; a reload makes a whole generation missing and tells
 * the old one to end.
 *
 *   STARTING -all are active-> RUNNING -TERM, INT, wish-> DRAINING -no worker left-> CLOSING ->
 * over
 *
 * Recorder and keeper exist once: at a reload the next one starts when the last has ended (the
 * rings hold what is finished meanwhile). The recorder ends after the workers, so that it sees the
 * last record.
 *
 * Runs in: master. No lock, no client's byte, no store: what it does not do cannot kill it.
 * If it dies: the children see the end of the life pipe, drain and end.
 */
#ifndef MASTER_SUPERVISE_H
#define MASTER_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"
#include "base/loop.h"
#include "master/care.h"
#include "master/process.h"
#include "master/reload.h"

enum supervise_stage {
    SUPERVISE_STARTING,
    SUPERVISE_RUNNING,
    SUPERVISE_DRAINING,
    SUPERVISE_CLOSING
};

struct supervise_child {
    pid_t pid; /* 0 = this entry is free */
    struct process_post post;
    uint32_t generation;
    uint32_t slot;
    bool is_retired; /* told to end: its death is no news */
    struct care_child care;
};

/* Children that may exist at the same time: every one has a slot. */
#define SUPERVISE_CHILDREN SLOTS_MAX

struct supervise {
    struct process_ground ground;
    struct reload_source source;
    enum supervise_stage stage;
    uint64_t stop_ms;       /* when the stop was asked for; 0 = it was not */
    bool has_failed;        /* a child could not start: the exit code says so */
    bool is_reload_pending; /* asked for while the last generation still drains */
    struct supervise_child children[SUPERVISE_CHILDREN];
    struct care_post worker_posts[WORKERS_MAX];
    struct care_post recorder_post;
    struct care_post keeper_post;

    struct loop *loop;
    struct loop_io signal_io;
    struct loop_io wish_io;
    struct loop_timer tick;
};

/*
 * Runs until everything has ended; ground, source and the signal descriptor are filled, the
 * segment is created, nothing is forked yet. Returns the exit code: 0 after a stop that was asked
 * for, 1 when a child could not start or the loop cannot be made.
 */
int supervise_run(struct supervise *supervise, int signal_fd);

/* True: every slot is free and every ring empty, so nothing is lost with the segment. */
bool supervise_is_clean(const struct supervise *supervise);

#endif
