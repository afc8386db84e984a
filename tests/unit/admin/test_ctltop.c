/* The requests in flight, as an admin sees them. */
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

Test(ctltop, shows_them_by_the_wanted_number)
{
    struct office *office = office_open();
    struct office_worker worker;
    office_hire(office, &worker);
    DESK(office->path, 0, "top");
    PRINTED("(none)");
    uint64_t now_ms = clock_now_ms();
    struct lease_data old = { .start_ms = now_ms - 5000,
                              .tokens = { .out = 1 },
                              .sticky = LEASE_STICKY_HIT,
                              .request_id = "req_old" };
    struct lease_data big = { .start_ms = now_ms - 1000,
                              .tokens = { .out = 900 },
                              .sticky = LEASE_STICKY_MOVED,
                              .request_id = "req_big" };
    uint32_t first = office_begin(&worker, &old);
    uint32_t second = office_begin(&worker, &big);
    DESK(office->path, 0, "top --once");
    PRINTED("SESSION");
    PRINTED("hit");
    PRINTED("moved");
    cr_expect_lt(strstr(desk_out, "req_old"), strstr(desk_out, "req_big"), "the oldest first");
    DESK(office->path, 0, "top --sort tokens_out");
    cr_expect_gt(strstr(desk_out, "req_old"), strstr(desk_out, "req_big"), "%s", desk_out);
    cr_expect_eq(desk_run(office->path, true, "top"), 0);
    PRINTED("\"sticky\":\"hit\"");
    DESK(office->path, 2, "top --often");
    DESK(office->path, 2, "top --sort");
    DESK(office->path, 2, "top --sort tokens");
    COMPLAINED("not tokens");
    DESK(office->path, 0, "top --sort request");
    cr_expect_lt(strstr(desk_out, "req_big"), strstr(desk_out, "req_old"), "%s", desk_out);
    lease_settle(&worker.leases, first, &worker.ring, NULL, NULL);
    lease_settle(&worker.leases, second, &worker.ring, NULL, NULL);
    office_dismiss(office, &worker);
    office_close(office);
}

Test(ctltop, of_nobody_fails)
{
    DESK("/nowhere/admin.sock", 1, "top");
    COMPLAINED("/nowhere/admin.sock");
}
