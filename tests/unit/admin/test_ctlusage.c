/* Finished requests, as an admin asks for them. */
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

Test(ctlusage, shows_as_many_as_are_wanted)
{
    struct office *office = office_furnish();
    struct office_worker worker;
    office_hire(office, &worker);
    for (int i = 0; i < 3; i++) {
        struct lease_data data = { .start_ms = 1, .account_id = 1 };
        struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                        .start_wall_ms = clock_wall_ms() };
        snprintf(record.request_id, sizeof record.request_id, "req_%d", i);
        lease_settle(&worker.leases, office_begin(&worker, &data), &worker.ring, &record, NULL);
    }
    office_fork(office, NULL);
    cr_assert(office_await(office, "/v1/usage/recent", "req_2"));
    DESK(office->path, 0, "usage --count 2");
    PRINTED("req_2");
    PRINTED("req_1");
    cr_expect(strstr(desk_out, "req_0") == NULL, "%s", desk_out);
    cr_expect_eq(desk_run(office->path, true, "usage --count 3"), 0);
    PRINTED("req_0");
    DESK(office->path, 2, "usage --county 2");
    office_dismiss(office, &worker);
    office_close(office);
}
