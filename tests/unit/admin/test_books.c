/* Reports on a ledger of known requests, as an admin asks for them. */
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

/* Three requests of one key and model an hour ago, one of another model now. */
static void
settle(struct office_worker *worker, const char *request, const char *model, uint64_t wall_ms)
{
    struct lease_data data = { .start_ms = 1, .account_id = 1 };
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .status = 200,
                                    .source = LEDGER_UPSTREAM,
                                    .start_wall_ms = wall_ms,
                                    .key_id = 1,
                                    .user_id = 1,
                                    .group_id = 1,
                                    .account_id = 7,
                                    .in_fresh = 1000,
                                    .out_total = 100,
                                    .multiplier_ppm = 1000000,
                                    .account_ppm = 1000000,
                                    .cost_nano = 3500000,
                                    .is_last = 1 };
    record.rates.pico[MONEY_IN_FRESH] = 2500000;
    record.rates.pico[MONEY_OUT_TEXT] = 10000000;
    snprintf(record.request_id, sizeof record.request_id, "%s", request);
    snprintf(record.model, sizeof record.model, "%s", model);
    lease_settle(&worker->leases, office_begin(worker, &data), &worker->ring, &record, NULL);
}

static struct office *
open_books(struct office_worker *worker)
{
    struct office *office = office_furnish();
    uint64_t now_ms = clock_wall_ms();
    office_hire(office, worker);
    for (int i = 0; i < 3; i++) {
        settle(worker, "req_old", "gpt-4o", now_ms - 3600000);
    }
    settle(worker, "req_new", "=cmd,\"x\"", now_ms);
    office_fork(office, NULL);
    cr_assert_eq(office_ask(office, "POST", "/v1/users", "{\"name\":\"joe\"}"), 201);
    cr_assert(office_await(office, "/v1/usage/recent", "req_new"));
    return office;
}

static void
close_books(struct office *office, struct office_worker *worker)
{
    office_dismiss(office, worker);
    office_close(office);
}

Test(books, add_up_by_whatever_is_wanted)
{
    struct office_worker worker;
    struct office *office = open_books(&worker);
    cr_expect_eq(office_ask(office, "GET", "/v1/usage/report?by=user", ""), 200);
    cr_expect(office_says(office, "\"name\":\"joe\",\"requests\":4,\"attempts\":4"), "%s",
              office->body);
    cr_expect(office_says(office, "\"cost\":0.014,"), "%s", office->body);
    cr_expect_eq(office_ask(office, "GET", "/v1/usage/report?by=account", ""), 200);
    cr_expect(office_says(office, "\"name\":\"(gone: 7)\""), "%s", office->body);
    DESK(office->path, 0, "usage --by model --since 2d");
    PRINTED("gpt-4o");
    PRINTED("0.0105");
    DESK(office->path, 0, "usage --by model --csv");
    PRINTED("model,requests,attempts,");
    PRINTED("\"gpt-4o\",3,3,0,3000,0,0,300,0,0.0105,0");
    PRINTED("\"=cmd,\"\"x\"\"\",1,");
    DESK(office->path, 0, "usage --by day --since 2000-01-01 --until 2000-02-01");
    cr_expect(strstr(desk_out, "2026") == NULL, "%s", desk_out);
    close_books(office, &worker);
}

Test(books, say_what_is_wrong_with_a_question)
{
    static const char *const bad[][2] = {
        { "/v1/usage/report?by=colour", "by: one of" },
        { "/v1/usage/report?since=yesterday", "since: " },
        { "/v1/usage/report?since=1d&until=2d", "since: must lie before" },
        { "/v1/usage/report?format=xml", "format: " },
        { "/v1/usage/report?format=jsonl", "format: " },
        { "/v1/usage/report?nonsense=1", "not known" },
        { "/v1/ledger/export?since=%00", "since: " },
    };
    struct office *office = office_open();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(office_ask(office, "GET", bad[i][0], ""), 400, "%s", bad[i][0]);
        cr_expect(office_says(office, bad[i][1]), "%s: %s", bad[i][0], office->body);
    }
    DESK(office->path, 1, "usage --by colour --csv");
    cr_expect(strstr(desk_err, "by: one of") != NULL, "%s", desk_err);
    office_close(office);
}

Test(books, prove_that_all_adds_up_and_export_all_of_it)
{
    struct office_worker worker;
    struct office *office = open_books(&worker);
    DESK(office->path, 0, "ledger verify");
    PRINTED("ok: 4 records (1 to 4)");
    PRINTED("cost $0.014");
    DESK(office->path, 0, "ledger export");
    PRINTED("sequence,time,request,");
    PRINTED("\"req_old\"");
    PRINTED("\" =cmd,\"\"x\"\"\"");
    DESK(office->path, 0, "ledger export --jsonl --since 30m");
    PRINTED("{\"sequence\":4,");
    cr_expect(strstr(desk_out, "req_old") == NULL, "%s", desk_out);
    close_books(office, &worker);
}

Test(books, tell_what_does_not_add_up)
{
    struct office_worker worker;
    struct office *office = office_furnish();
    struct lease_data data = { .start_ms = 1, .account_id = 1 };
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .start_wall_ms = clock_wall_ms(),
                                    .key_id = 1,
                                    .cost_nano = 5,
                                    .is_last = 1 };
    office_hire(office, &worker);
    lease_settle(&worker.leases, office_begin(&worker, &data), &worker.ring, &record, NULL);
    office_fork(office, NULL);
    cr_assert(office_await(office, "/v1/usage/recent", "\"sequence\":1"));
    DESK(office->path, 1, "ledger verify");
    PRINTED("record 1 () costs 5 nanodollars");
    close_books(office, &worker);
}
