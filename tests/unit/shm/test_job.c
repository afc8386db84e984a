/* Work handed from recorder to keeper and back, and what either's death does to it. */
#include <criterion/criterion.h>

#include "shm/job.h"
#include "tests/unit/shm/testseg.h"

struct job_test {
    struct testseg test;
    uint32_t recorder;
    uint32_t keeper;
    struct job_view view;
    char result[JOB_TEXT_BYTES];
};

static struct job_test it;

static uint32_t
ask(void)
{
    uint32_t job = 99;
    enum err err = job_ask(&it.test.segment, 5, STR("{\"model\":\"m\"}"), 1000, &job);
    cr_assert(err == ERR_OK);
    return job;
}

static void
make(void)
{
    testseg_make(&it.test, 4, 16, 16, 16);
    it.recorder = testseg_active(&it.test, SLOT_RECORDER);
    it.keeper = testseg_active(&it.test, SLOT_KEEPER);
}

Test(job, goes_there_and_back, .init = make)
{
    struct segment *segment = &it.test.segment;
    uint32_t job = ask();
    cr_expect(job_take(segment, job, it.result) == ERR_AGAIN);
    cr_assert(job_start(segment, it.keeper, &it.view));
    cr_expect(it.view.job == job && it.view.account_id == 5 && it.view.deadline_ms == 1000);
    cr_expect_str_eq(it.view.options, "{\"model\":\"m\"}");
    cr_expect(!job_start(segment, it.keeper, &it.view));
    job_finish(segment, job, STR("{\"ok\":true}"));
    cr_expect_str_eq(job_state_text(job_state(segment, job)), "done");
    cr_expect(job_take(segment, job, it.result) == ERR_OK);
    cr_expect_str_eq(it.result, "{\"ok\":true}");
    cr_expect(job_state(segment, job) == JOB_EMPTY);
}

Test(job, is_refused_when_too_many_or_too_long, .init = make)
{
    struct segment *segment = &it.test.segment;
    char options[JOB_OPTIONS_BYTES + 1];
    memset(options, 'x', sizeof options);
    uint32_t job;
    cr_expect(job_ask(segment, 1, str_make(options, sizeof options), 1, &job) == ERR_BAD);
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        cr_expect(ask() == i);
    }
    cr_expect(job_ask(segment, 1, STR(""), 1, &job) == ERR_FULL);
}

Test(job, cancelled_is_free_at_once_or_when_the_keeper_is_through, .init = make)
{
    struct segment *segment = &it.test.segment;
    uint32_t asked = ask();
    job_cancel(segment, asked);
    cr_expect(job_state(segment, asked) == JOB_EMPTY);
    uint32_t running = ask();
    cr_assert(job_start(segment, it.keeper, &it.view));
    job_cancel(segment, running);
    cr_expect(job_state(segment, running) == JOB_RUNNING);
    job_finish(segment, running, STR("late"));
    job_tidy(segment);
    cr_expect(job_state(segment, running) == JOB_EMPTY);
}

static void
start_and_die(void *context)
{
    (void)context;
    struct job_view view;
    (void)!job_start(&it.test.segment, it.keeper, &view);
    raise(SIGKILL);
}

Test(job, of_a_dead_keeper_is_done_and_says_so, .init = make)
{
    static const char *const faults[] = { NULL, "job.after_running=kill" };
    for (size_t i = 0; i < 2; i++) {
        struct segment *segment = &it.test.segment;
        uint32_t job = ask();
        uint32_t waiting = ask();
        cr_assert(testseg_dies(faults[i], start_and_die, NULL));
        uint32_t next = testseg_active(&it.test, SLOT_KEEPER);
        cr_assert(job_start(segment, next, &it.view) && it.view.job == waiting);
        cr_expect(!slot_reap(segment, it.keeper));
        cr_expect(slot_sweep(segment, it.keeper) == ERR_OK);
        cr_expect(job_take(segment, job, it.result) == ERR_OK);
        cr_expect(strstr(it.result, "keeper died") != NULL);
        cr_expect(job_state(segment, waiting) == JOB_RUNNING, "the next keeper's stays");
        job_finish(segment, waiting, STR("fine"));
        cr_expect(job_take(segment, waiting, it.result) == ERR_OK);
        it.keeper = next;
    }
}

Test(job, of_a_dead_recorder_is_cleared_by_the_next, .init = make)
{
    struct segment *segment = &it.test.segment;
    uint32_t done = ask();
    cr_assert(job_start(segment, it.keeper, &it.view));
    uint32_t running = ask();
    job_finish(segment, done, STR("x"));
    cr_assert(job_start(segment, it.keeper, &it.view));
    uint32_t asked = ask();
    job_reborn(segment);
    cr_expect(job_state(segment, done) == JOB_EMPTY && job_state(segment, asked) == JOB_EMPTY);
    cr_expect(job_state(segment, running) == JOB_RUNNING);
    job_finish(segment, running, STR("x"));
    job_tidy(segment);
    cr_expect(job_state(segment, running) == JOB_EMPTY);
    cr_expect(ask() == 0);
}

Test(job, allows_the_edges_of_the_diagram_and_no_other)
{
    uint32_t edges[JOB_STATES] = { JOB_BIT(ASKED), JOB_BIT(RUNNING) | JOB_BIT(EMPTY), JOB_BIT(DONE),
                                   JOB_BIT(EMPTY) };
    for (uint32_t from = 0; from < JOB_STATES; from++) {
        for (uint32_t to = 0; to < JOB_STATES; to++) {
            cr_expect(job_may_go((enum job_state)from, (enum job_state)to) ==
                      ((edges[from] & (1u << to)) != 0));
        }
    }
}
