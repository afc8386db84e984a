/*
 * job.h - work that the recorder hands to the keeper (account tests) and its answer.
 *
 *   EMPTY -ask(recorder)-> ASKED -start(keeper)-> RUNNING -finish(keeper)-> DONE -take(recorder)->
 * EMPTY ASKED -cancel(recorder)-> EMPTY RUNNING -keeper dead(recorder)-> DONE        ASKED|DONE
 * -recorder reborn(recorder)-> EMPTY
 *
 * The state says whose the cell is: EMPTY and DONE the recorder's, ASKED anyone's by CAS, RUNNING
 * the keeper's. `number` tells one use of a cell from the next, so an answer that comes too late is
 * taken by nobody.
 *
 * If the recorder dies: its successor calls job_reborn(); what is RUNNING is dropped when DONE.
 * If the keeper dies: slot_sweep() of its slot ends what it was RUNNING.
 * Runs in: recorder, keeper.
 */
#ifndef SHM_JOB_H
#define SHM_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "shm/segment.h"

/* X(name, text, allowed next states as bits) */
#define JOB_STATE_ROWS(X)                                \
    X(EMPTY, "empty", JOB_BIT(ASKED))                    \
    X(ASKED, "asked", JOB_BIT(RUNNING) | JOB_BIT(EMPTY)) \
    X(RUNNING, "running", JOB_BIT(DONE))                 \
    X(DONE, "done", JOB_BIT(EMPTY))

enum job_state {
#define JOB_ENUM(name, text, next) JOB_##name,
    JOB_STATE_ROWS(JOB_ENUM)
#undef JOB_ENUM
};
#define JOB_STATES 4u
#define JOB_BIT(name) (1u << JOB_##name)

struct job_cell {
    _Atomic uint32_t word; /* enum job_state | (keeper's slot + 1) << 8 while RUNNING */
    uint32_t is_abandoned; /* the recorder does not wait for it any more [recorder] */
    _Atomic uint64_t number;
    uint64_t account_id;             /* [recorder while EMPTY] */
    uint64_t deadline_ms;            /* monotonic [recorder while EMPTY] */
    char options[JOB_OPTIONS_BYTES]; /* JSON [recorder while EMPTY] */
    char result[JOB_TEXT_BYTES];     /* JSON [keeper while RUNNING] */
} __attribute__((aligned(64)));

/* Recorder. ERR_FULL: JOBS_MAX are under way. ERR_BAD: options too long. Wakes the keeper. */
MUST_CHECK enum err job_ask(struct segment *segment, uint64_t account_id, struct str options,
                            uint64_t deadline_ms, uint32_t *out_job);

/* Recorder: ERR_AGAIN not done yet; ERR_OK: the result is copied (NUL-terminated) and the cell
 * EMPTY. */
MUST_CHECK enum err job_take(struct segment *segment, uint32_t job, char out[JOB_TEXT_BYTES]);

/* Recorder: nobody waits any more (admin hung up, deadline). The cell is freed when it can be. */
void job_cancel(struct segment *segment, uint32_t job);

/* Recorder: at its start, and from time to time (frees abandoned cells that are DONE). */
void job_reborn(struct segment *segment);
void job_tidy(struct segment *segment);

/* Recorder, from slot_sweep(): what the keeper in this slot was RUNNING is DONE, and failed. */
void job_keeper_died(struct segment *segment, uint32_t keeper_slot);

struct job_view {
    uint32_t job;
    uint64_t account_id;
    uint64_t deadline_ms;
    char options[JOB_OPTIONS_BYTES];
};
/* Keeper: takes the next ASKED job. False: none. */
bool job_start(struct segment *segment, uint32_t keeper_slot, struct job_view *out);

/* Keeper: cut to JOB_TEXT_BYTES - 1 (a cut one is no JSON: keep below). Wakes the recorder. */
void job_finish(struct segment *segment, uint32_t job, struct str result);

enum job_state job_state(const struct segment *segment, uint32_t job);
const char *job_state_text(enum job_state state);
bool job_may_go(enum job_state from, enum job_state to);

#endif
