/*
 * care.h - how the parent judges its children: when a dead one's place is filled again, and when a
 * silent one is killed. Pure: no clock, no system call.
 *
 * Runs in: master.
 */
#ifndef MASTER_CARE_H
#define MASTER_CARE_H

#include <stdbool.h>
#include <stdint.h>

/* One place that must be filled (worker 3, the recorder). All zero to begin with. */
struct care_post {
    uint32_t quick_count; /* lives in a row that were too short */
    uint64_t retry_ms;    /* not before this; 0 = at once */
};

/*
 * Its child died unwanted at `now_ms` after living for lived_ms. The first short life is followed
 * by a new start at once, more in a row by a growing delay of at most CHILD_DELAY_MS_MAX.
 */
void care_died(struct care_post *post, uint64_t now_ms, uint64_t lived_ms);

/* What is to be done to a child now. */
enum care_act { CARE_NOTHING, CARE_QUIT, CARE_ABORT, CARE_KILL };

struct care_child {
    uint64_t born_ms;
    uint64_t heartbeat_ms; /* 0 = none yet */
    uint64_t quit_ms;      /* told to end: by then it must have; 0 = was not told */
    uint64_t kill_ms;      /* told firmly: killed then; 0 = was not */
};

/*
 * A child that beats no more for HEARTBEAT_MS_MAX is aborted (that leaves a trace), one that
 * outlives its grace is told to quit; CHILD_KILL_MS later either is killed. The caller sets kill_ms
 * when it has acted.
 */
enum care_act care_judge(const struct care_child *child, uint64_t now_ms);

#endif
