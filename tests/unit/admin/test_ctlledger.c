/* The books, proved and written out, as an admin types it. */
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

/* Three requests of one account: the first two days old, the others of now. */
static struct office *
open_with_records(struct office_worker *worker)
{
    struct office *office = office_furnish();
    office_hire(office, worker);
    for (int i = 0; i < 3; i++) {
        struct lease_data data = { .start_ms = 1, .account_id = 1 };
        struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                        .is_last = 1,
                                        .start_wall_ms =
                                            clock_wall_ms() - (i == 0 ? 2u * 86400000u : 0) };
        snprintf(record.request_id, sizeof record.request_id, "req_%d", i);
        snprintf(record.model, sizeof record.model, "a,\"b\"");
        lease_settle(&worker->leases, office_begin(worker, &data), &worker->ring, &record, NULL);
    }
    office_fork(office, NULL);
    cr_assert(office_await(office, "/v1/usage/recent", "req_2"));
    return office;
}

Test(ctlledger, exports_every_record_oldest_first)
{
    struct office_worker worker;
    struct office *office = open_with_records(&worker);
    DESK(office->path, 0, "ledger export");
    const char *first = strstr(desk_out, "req_0");
    const char *last = strstr(desk_out, "req_2");
    cr_expect(first != NULL && last != NULL && first < last, "%s", desk_out);
    PRINTED("\"a,\"\"b\"\"\"");
    static char standard[DESK_BYTES];
    cr_assert(str_copy(standard, sizeof standard, str_of(desk_out)));
    DESK(office->path, 0, "ledger export --csv");
    cr_expect_str_eq(desk_out, standard, "CSV is the standard");
    DESK(office->path, 0, "ledger export --jsonl --since 24h");
    PRINTED("\"req_1\"");
    cr_expect(desk_out[0] == '{' && strstr(desk_out, "req_0") == NULL, "%s", desk_out);
    DESK(office->path, 0, "ledger export --until 24h");
    PRINTED("req_0");
    cr_expect(strstr(desk_out, "req_1") == NULL, "%s", desk_out);
    office_dismiss(office, &worker);
    office_close(office);
}

Test(ctlledger, refuses_what_is_no_time_or_no_option)
{
    struct office *office = office_open();
    DESK(office->path, 1, "ledger export --since yesteryear");
    cr_expect_str_eq(desk_out, "", "no half of a file");
    DESK(office->path, 2, "ledger export --xml");
    DESK(office->path, 2, "ledger export --since");
    DESK(office->path, 2, "ledger export all");
    DESK(office->path, 2, "ledger");
    office_close(office);
}

Test(ctlledger, says_in_a_line_that_all_adds_up)
{
    struct office_worker worker;
    struct office *office = open_with_records(&worker);
    DESK(office->path, 0, "ledger verify");
    cr_expect(strncmp(desk_out, "ok: ", 4) == 0, "%s", desk_out);
    PRINTED("3 ");
    cr_expect_eq(desk_run(office->path, true, "ledger verify"), 0);
    PRINTED("\"ok\":true");
    office_dismiss(office, &worker);
    office_close(office);
}
