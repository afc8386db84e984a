/* Account tests: the admin waits, a keeper works, dies, or never comes. */
#include "shm/job.h"
#include "tests/unit/admin/office.h"

#define PATH "/v1/accounts/a/test"

/* The next job, taken as the keeper in this slot. */
static struct job_view
take_job(struct office *office, uint32_t keeper)
{
    struct job_view job;
    for (int i = 0; i < 500; i++) {
        if (job_start(office->segment, keeper, &job)) {
            return job;
        }
        usleep(10000);
    }
    cr_assert(false, "no job came");
    return job;
}

static bool
all_empty(const struct office *office)
{
    for (int i = 0; i < 300; i++) {
        uint32_t used = 0;
        for (uint32_t job = 0; job < JOBS_MAX; job++) {
            used += job_state(office->segment, job) != JOB_EMPTY;
        }
        if (used == 0) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

Test(trial, passes_on_what_the_keeper_found)
{
    struct office *office = office_open();
    uint32_t keeper = testseg_active(&office->test, SLOT_KEEPER);
    office_account(office, "a", "");
    uint64_t id = office_id(office, "/v1/accounts/a");
    struct office_call call = office_call(office, "POST", PATH, "{\"model\":\"m-1\"}");
    struct job_view job = take_job(office, keeper);
    cr_expect_eq(job.account_id, id);
    cr_expect_str_eq(job.options, "{\"model\":\"m-1\"}");
    cr_expect_gt(job.deadline_ms, clock_now_ms());
    job_finish(office->segment, job.job, STR("{\"ok\":true,\"line\":\"well\"}"));
    cr_expect_eq(office_hear(office, &call), 200);
    cr_expect_str_eq(office->body, "{\"ok\":true,\"line\":\"well\"}");
    cr_expect(all_empty(office));
    /* Without options. */
    call = office_call(office, "POST", PATH, "");
    job = take_job(office, keeper);
    cr_expect_str_eq(job.options, "{}");
    job_finish(office->segment, job.job, STR("{\"ok\":false}"));
    cr_expect_eq(office_hear(office, &call), 200);
    cr_assert(slot_leave(office->segment, keeper));
    office_close(office);
}

Test(trial, refuses_what_cannot_be_tested)
{
    struct office *office = office_open();
    office_account(office, "a", "");
    EXPECT(office, 404, "POST", "/v1/accounts/nobody/test", "");
    char json[JOB_OPTIONS_BYTES + 64];
    snprintf(json, sizeof json, "{\"model\":\"%0*d\"}", (int)JOB_OPTIONS_BYTES, 1);
    EXPECT(office, 400, "POST", PATH, json);
    cr_expect(all_empty(office));
    office_close(office);
}

Test(trial, says_that_the_keeper_died)
{
    struct office *office = office_open();
    uint32_t keeper = testseg_active(&office->test, SLOT_KEEPER);
    office_account(office, "a", "");
    struct office_call call = office_call(office, "POST", PATH, "");
    (void)take_job(office, keeper);
    cr_assert(!slot_reap(office->segment, keeper), "it did not leave in good order");
    cr_expect_eq(office_hear(office, &call), 200);
    SAYS(office, "\"ok\":false");
    SAYS(office, "\"line\":\"the keeper died during this test\"");
    cr_expect(all_empty(office));
    office_close(office);
}

Test(trial, is_taken_up_by_the_next_keeper)
{
    struct office *office = office_open();
    office_account(office, "a", "");
    struct office_call call = office_call(office, "POST", PATH, "");
    usleep(100000);
    uint32_t keeper = testseg_active(&office->test, SLOT_KEEPER);
    struct job_view job = take_job(office, keeper);
    job_finish(office->segment, job.job, STR("{\"ok\":true,\"line\":\"late\"}"));
    cr_expect_eq(office_hear(office, &call), 200);
    SAYS(office, "late");
    cr_assert(slot_leave(office->segment, keeper));
    office_close(office);
}

Test(trial, ends_at_its_deadline_and_at_most_sixteen_wait)
{
    struct office *office = office_furnish();
    office->confs.admin.test_timeout_ms = 1500;
    office_fork(office, NULL);
    office_account(office, "a", "");
    struct office_call calls[JOBS_MAX];
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        calls[i] = office_call(office, "POST", PATH, "");
    }
    uint32_t asked = 0;
    for (int turn = 0; turn < 300 && asked < JOBS_MAX; turn++) {
        asked = 0;
        for (uint32_t job = 0; job < JOBS_MAX; job++) {
            asked += job_state(office->segment, job) == JOB_ASKED;
        }
        usleep(5000);
    }
    cr_assert_eq(asked, JOBS_MAX);
    EXPECT(office, 503, "POST", PATH, "");
    SAYS(office, "Too many tests");
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        cr_expect_eq(office_hear(office, &calls[i]), 504, "%s", office->body);
    }
    cr_expect(all_empty(office));
    office_close(office);
}

Test(trial, of_an_admin_who_hangs_up_ends)
{
    struct office *office = office_open();
    uint32_t keeper = testseg_active(&office->test, SLOT_KEEPER);
    office_account(office, "a", "");
    struct office_call call = office_call(office, "POST", PATH, "");
    struct job_view job = take_job(office, keeper);
    cr_assert(kill(call.pid, SIGKILL) == 0);
    cr_assert_eq(tempdir_wait(call.pid), 128 + SIGKILL);
    close(call.fd);
    usleep(50000);
    job_finish(office->segment, job.job, STR("{\"ok\":true}"));
    cr_expect(all_empty(office), "nobody waits for it: the cell is free again");
    /* What another recorder had asked for is dropped by the next one. */
    call = office_call(office, "POST", PATH, "");
    job = take_job(office, keeper);
    cr_assert(kill(office->pid, SIGKILL) == 0);
    cr_assert_eq(tempdir_wait(office->pid), 128 + SIGKILL);
    (void)waitpid(call.pid, NULL, 0);
    close(call.fd);
    office_replace(office);
    EXPECT(office, 200, "GET", "/v1/status", "");
    job_finish(office->segment, job.job, STR("{\"ok\":true}"));
    cr_expect(all_empty(office));
    cr_assert(slot_leave(office->segment, keeper));
    office_close(office);
}
