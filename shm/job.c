/*
 * job.c - see job.h; move() is the only door between states.
 *
 * Runs in: recorder, keeper.
 */
#include "shm/job.h"

#include <string.h>

#include "base/check.h"
#include "base/fault.h"
#include "shm/slot.h"
#include "shm/wake.h"

#define JOB_RUNNER_SHIFT 8u
#define JOB_STATE_MASK 0xffu

static const struct {
    const char *text;
    uint32_t next;
} state_rows[JOB_STATES] = {
#define JOB_ROW(name, text, next) { text, next },
    JOB_STATE_ROWS(JOB_ROW)
#undef JOB_ROW
};

static const char keeper_died[] = "{\"ok\":false,\"line\":\"the keeper died during this test\"}";

static struct job_cell *
cell_of(const struct segment *segment, uint32_t job)
{
    CHECK(job < JOBS_MAX);
    return &segment->job_cells[job];
}

bool
job_may_go(enum job_state from, enum job_state to)
{
    CHECK((uint32_t)from < JOB_STATES && (uint32_t)to < JOB_STATES);
    return (state_rows[from].next & (1u << to)) != 0;
}

enum job_state
job_state(const struct segment *segment, uint32_t job)
{
    uint32_t state = atomic_load(&cell_of(segment, job)->word) & JOB_STATE_MASK;
    CHECK(state < JOB_STATES);
    return (enum job_state)state;
}

/* True when the cell was in `from`; two may want to move an ASKED one (start, cancel). */
static bool
move(struct job_cell *cell, uint32_t from_word, enum job_state to, uint32_t runner)
{
    CHECK(job_may_go((enum job_state)(from_word & JOB_STATE_MASK), to));
    uint32_t next = (uint32_t)to | (runner << JOB_RUNNER_SHIFT);
    return atomic_compare_exchange_strong(&cell->word, &from_word, next);
}

enum err
job_ask(struct segment *segment, uint64_t account_id, struct str options, uint64_t deadline_ms,
        uint32_t *out_job)
{
    for (uint32_t job = 0; job < JOBS_MAX; job++) {
        struct job_cell *cell = cell_of(segment, job);
        if (job_state(segment, job) != JOB_EMPTY) {
            continue;
        }
        if (!str_copy(cell->options, sizeof cell->options, options)) {
            return ERR_BAD;
        }
        cell->account_id = account_id;
        cell->deadline_ms = deadline_ms;
        cell->is_abandoned = 0;
        FAULT("job.before_asked");
        bool is_asked = move(cell, JOB_EMPTY, JOB_ASKED, 0);
        CHECK(is_asked); /* EMPTY ones are the recorder's, and there is one */
        wake_poke(segment, slot_of_kind(segment, SLOT_KEEPER));
        *out_job = job;
        return ERR_OK;
    }
    return ERR_FULL;
}

enum err
job_take(struct segment *segment, uint32_t job, char out[JOB_TEXT_BYTES])
{
    struct job_cell *cell = cell_of(segment, job);
    CHECK(job_state(segment, job) != JOB_EMPTY);
    if (job_state(segment, job) != JOB_DONE) {
        return ERR_AGAIN;
    }
    memcpy(out, cell->result, JOB_TEXT_BYTES);
    out[JOB_TEXT_BYTES - 1u] = '\0';
    bool is_empty = move(cell, JOB_DONE, JOB_EMPTY, 0);
    CHECK(is_empty);
    return ERR_OK;
}

void
job_cancel(struct segment *segment, uint32_t job)
{
    struct job_cell *cell = cell_of(segment, job);
    cell->is_abandoned = 1;
    if (job_state(segment, job) == JOB_ASKED) {
        (void)move(cell, JOB_ASKED, JOB_EMPTY, 0); /* or the keeper was quicker: job_tidy() then */
    }
    job_tidy(segment);
}

void
job_tidy(struct segment *segment)
{
    for (uint32_t job = 0; job < JOBS_MAX; job++) {
        struct job_cell *cell = cell_of(segment, job);
        if (cell->is_abandoned != 0 && job_state(segment, job) == JOB_DONE) {
            (void)move(cell, JOB_DONE, JOB_EMPTY, 0);
        }
    }
}

void
job_reborn(struct segment *segment)
{
    for (uint32_t job = 0; job < JOBS_MAX; job++) {
        if (job_state(segment, job) != JOB_EMPTY) {
            job_cancel(segment, job);
        }
    }
}

void
job_keeper_died(struct segment *segment, uint32_t keeper_slot)
{
    CHECK(keeper_slot < segment->slots);
    for (uint32_t job = 0; job < JOBS_MAX; job++) {
        struct job_cell *cell = cell_of(segment, job);
        uint32_t word = atomic_load(&cell->word);
        bool is_its = (word & JOB_STATE_MASK) == JOB_RUNNING &&
                      (word >> JOB_RUNNER_SHIFT) == keeper_slot + 1u;
        if (is_its) {
            memcpy(cell->result, keeper_died, sizeof keeper_died);
            (void)move(cell, word, JOB_DONE, 0);
        }
    }
    job_tidy(segment);
}

bool
job_start(struct segment *segment, uint32_t keeper_slot, struct job_view *out)
{
    CHECK(keeper_slot < segment->slots);
    for (uint32_t job = 0; job < JOBS_MAX; job++) {
        struct job_cell *cell = cell_of(segment, job);
        if (job_state(segment, job) != JOB_ASKED ||
            !move(cell, JOB_ASKED, JOB_RUNNING, keeper_slot + 1u)) {
            continue;
        }
        FAULT("job.after_running");
        out->job = job;
        out->account_id = cell->account_id;
        out->deadline_ms = cell->deadline_ms;
        memcpy(out->options, cell->options, sizeof out->options);
        out->options[sizeof out->options - 1u] = '\0';
        return true;
    }
    return false;
}

void
job_finish(struct segment *segment, uint32_t job, struct str result)
{
    struct job_cell *cell = cell_of(segment, job);
    uint32_t word = atomic_load(&cell->word);
    CHECK((word & JOB_STATE_MASK) == JOB_RUNNING);
    size_t bytes = result.len < JOB_TEXT_BYTES ? result.len : JOB_TEXT_BYTES - 1u;
    memset(cell->result, 0, sizeof cell->result);
    if (bytes > 0) {
        memcpy(cell->result, result.data, bytes);
    }
    FAULT("job.before_done");
    bool is_done = move(cell, word, JOB_DONE, 0);
    CHECK(is_done);
    wake_poke(segment, slot_of_kind(segment, SLOT_RECORDER));
}

const char *
job_state_text(enum job_state state)
{
    CHECK((uint32_t)state < JOB_STATES);
    return state_rows[state].text;
}
