/* The process: what it takes up, when it ends, what it tells before. */
#include "tests/unit/admin/office.h"

Test(recorder, takes_up_what_another_left)
{
    struct office *office = office_open();
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    cr_assert(kill(office->pid, SIGKILL) == 0);
    cr_assert_eq(tempdir_wait(office->pid), 128 + SIGKILL);
    cr_assert(!slot_reap(office->segment, office->heritage.slot));
    office->heritage.slot = testseg_slot(&office->test, SLOT_RECORDER);
    office->pid = fork();
    if (office->pid == 0) {
        testseg_child();
        close(office->life[1]);
        _exit(recorder_main(&office->heritage));
    }
    EXPECT(office, 200, "GET", "/v1/users/joe", "");
    office_close(office);
}

static void
finish_request(struct office_worker *worker, uint32_t lease, const char *id)
{
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .start_wall_ms = clock_wall_ms(),
                                    .out_total = 5 };
    snprintf(record.request_id, sizeof record.request_id, "%s", id);
    lease_settle(&worker->leases, lease, &worker->ring, &record, NULL);
}

static uint32_t
times_listed(struct office *office, const char *id)
{
    uint32_t count = 0;
    cr_assert_eq(office_ask(office, "GET", "/v1/usage/recent?count=100", ""), 200);
    for (const char *at = office->body; (at = strstr(at, id)) != NULL; at++) {
        count++;
    }
    return count;
}

/* LMDB has given up in the process: it ends, requests are refused until the next one is there, and
 * what was not committed is committed by that one, once. */
Test(recorder, ends_when_its_store_is_broken)
{
    struct office *office = office_furnish();
    struct office_worker worker;
    office->confs.store.keep_days = 0; /* else pruning is the first to write */
    office_fork(office, "kv.commit_panics:2=fail");
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    cr_expect(version_is_writable(office->segment));
    office_hire(office, &worker);
    struct lease_data data = { .start_ms = clock_now_ms(), .account_id = 1 };
    finish_request(&worker, office_begin(&worker, &data), "req_first");
    cr_assert_eq(tempdir_wait(office->pid), 3);
    cr_expect(!version_is_writable(office->segment), "readyz says 503 meanwhile");
    cr_expect_str_eq(version_why_not_ready(office->segment), "loading",
                     "no keeper is here; else store_not_writable");
    cr_expect_eq(ring_used(office->segment, worker.slot), 1, "nothing is lost");
    cr_expect_neq(slot_state(office->segment, office->heritage.slot), SLOT_LEFT);

    office_replace(office);
    cr_expect(office_await(office, "/v1/usage/recent", "req_first"), "%s", office->body);
    cr_expect_eq(times_listed(office, "req_first"), 1);
    cr_expect(version_is_writable(office->segment));
    EXPECT(office, 200, "GET", "/v1/users/joe", "");
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"jim\"}");
    office_dismiss(office, &worker);
    office_close(office);
}

/* The fault is met by an admin's change: the change is not made and not claimed to be. */
Test(recorder, refuses_the_change_that_broke_it)
{
    struct office *office = office_furnish();
    office->confs.store.keep_days = 0; /* else pruning is the first to write */
    office_fork(office, "kv.commit_panics:1=fail");
    EXPECT(office, 500, "POST", "/v1/users", "{\"name\":\"joe\"}");
    SAYS(office, "\"code\":\"internal_error\"");
    cr_assert_eq(tempdir_wait(office->pid), 3);
    office_replace(office);
    EXPECT(office, 404, "GET", "/v1/users/joe", "");
    office_close(office);
}

Test(recorder, commits_what_is_left_before_it_leaves)
{
    struct office *office = office_open();
    struct office_worker worker;
    EXPECT(office, 200, "GET", "/v1/status", "");
    office_hire(office, &worker);
    struct lease_data data = { .start_ms = clock_now_ms(), .account_id = 1 };
    for (int i = 0; i < 10; i++) {
        finish_request(&worker, office_begin(&worker, &data), "req_late");
    }
    /* The signal may come twice: from the master, and to the whole group. */
    cr_assert(kill(office->pid, SIGTERM) == 0 && kill(office->pid, SIGTERM) == 0);
    cr_assert_eq(tempdir_wait(office->pid), 0);
    cr_expect_eq(slot_state(office->segment, office->heritage.slot), SLOT_LEFT);
    cr_expect_eq(ring_used(office->segment, worker.slot), 0);
    struct ledger *ledger = NULL;
    struct ledger_record records[16];
    uint64_t sequences[16];
    uint32_t count = 0;
    cr_assert(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) == ERR_OK);
    cr_assert(ledger_recent(ledger, 0, records, sequences, 16, &count) == ERR_OK);
    cr_expect_eq(count, 10);
    ledger_close(ledger);
    office_dismiss(office, &worker);
    office_clear(office);
}

Test(recorder, ends_in_good_order_when_the_master_is_dead)
{
    struct office *office = office_open();
    EXPECT(office, 200, "GET", "/v1/status", "");
    close(office->life[1]);
    cr_assert_eq(tempdir_wait(office->pid), 0);
    cr_expect_eq(slot_state(office->segment, office->heritage.slot), SLOT_LEFT);
    office_clear(office);
}

Test(recorder, does_not_start_without_a_store)
{
    struct office *office = office_furnish();
    cr_assert(str_copy(office->confs.store.dir, sizeof office->confs.store.dir, STR("/nowhere")));
    office_fork(office, NULL);
    cr_assert_eq(tempdir_wait(office->pid), 2, "the master waits before the next try");
    cr_expect(!version_is_loaded(office->segment));
    office_clear(office);
}

Test(recorder, tells_everybody_when_a_record_changed)
{
    struct office *office = office_open();
    struct segment *segment = office->segment;
    uint32_t keeper = testseg_active(&office->test, SLOT_KEEPER);
    office_account(office, "a", "");
    uint64_t version = version_catalog(segment);
    uint64_t pokes = 0;
    cr_expect_eq(version_usable_accounts(segment), 1);
    cr_expect_eq(read(office->test.fds[keeper], &pokes, sizeof pokes), (ssize_t)sizeof pokes);
    EXPECT(office, 200, "POST", "/v1/accounts/a/disable", "");
    cr_expect_eq(version_usable_accounts(segment), 0);
    cr_expect_gt(version_catalog(segment), version);
    version = version_catalog(segment);
    EXPECT(office, 200, "GET", "/v1/accounts/a", "");
    EXPECT(office, 400, "PATCH", "/v1/accounts/a", "{\"priority\":\"x\"}");
    cr_expect_eq(version_catalog(segment), version, "nothing changed");
    cr_assert(slot_leave(segment, keeper));
    office_close(office);
}

Test(recorder, forgets_records_after_their_time)
{
    struct office *office = office_furnish();
    office->confs.store.keep_days = 30;
    struct office_worker worker;
    office_hire(office, &worker);
    struct lease_data data = { .start_ms = clock_now_ms(), .account_id = 1 };
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .start_wall_ms = clock_wall_ms() - 31ull * 86400000,
                                    .request_id = "req_old" };
    uint32_t lease = office_begin(&worker, &data);
    lease_settle(&worker.leases, lease, &worker.ring, &record, NULL);
    finish_request(&worker, office_begin(&worker, &data), "req_new");
    office_fork(office, NULL);
    cr_expect(office_await(office, "/v1/usage/recent", "req_new"), "%s", office->body);
    usleep(300000); /* a beat */
    cr_expect_eq(times_listed(office, "req_old"), 0);
    cr_expect_eq(times_listed(office, "req_new"), 1);
    office_dismiss(office, &worker);
    office_close(office);
}
