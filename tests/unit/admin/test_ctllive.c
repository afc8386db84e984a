/* What runs now, as an admin types it: slots, explain, kill, reload, stop. */
#include "shm/gate.h"
#include "tests/unit/admin/desk.h"
#include "tests/unit/admin/office.h"

Test(ctllive, slots_end_with_the_check)
{
    struct office *office = office_open();
    DESK(office->path, 0, "slots");
    PRINTED("\nok\n");
    struct office_worker worker;
    uint32_t gate = 0;
    office_hire(office, &worker);
    cr_assert(gate_find(office->segment, GATE_USER, 5, &gate) == ERR_OK);
    cr_assert(gate_take(office->segment, worker.slot, gate, 0, clock_now_ns()) == ERR_OK);
    DESK(office->path, 1, "slots");
    PRINTED("differs");
    cr_expect_eq(desk_run(office->path, true, "slots --all"), 1);
    PRINTED("\"ok\":false");
    gate_give(office->segment, worker.slot, gate, NULL, 0);
    DESK(office->path, 0, "slots --all");
    DESK(office->path, 2, "slots --none");
    office_dismiss(office, &worker);
    office_close(office);
}

Test(ctllive, explain_ends_with_1_when_it_would_be_refused)
{
    struct office *office = office_open();
    office_account(office, "a", "");
    DESK(office->path, 0, "user create joe");
    DESK(office->path, 0, "key create k --user joe");
    DESK(office->path, 0, "explain --key k --model x/y:z --session s");
    PRINTED("a would serve it; the session is bound to none");
    PRINTED("REASON");
    DESK(office->path, 0, "key disable k");
    DESK(office->path, 1, "explain --key k --model m");
    PRINTED("the key is disabled");
    DESK(office->path, 1, "explain --key k");
    COMPLAINED("A key and a model are needed");
    DESK(office->path, 1, "explain --key nobody --model m");
    DESK(office->path, 2, "explain k");
    office_close(office);
}

Test(ctllive, kill_reload_and_stop_say_what_they_began)
{
    struct office *office = office_open();
    struct office_worker worker;
    char byte = 0;
    office_hire(office, &worker);
    struct lease_data data = { .start_ms = 1, .account_id = 1, .request_id = "req_1" };
    uint32_t lease = office_begin(&worker, &data);
    DESK(office->path, 1, "kill req_2");
    COMPLAINED("No request of this id");
    DESK(office->path, 2, "kill");
    DESK(office->path, 1, "kill ../keys");
    DESK(office->path, 0, "kill req_1");
    cr_expect_str_eq(desk_out, "ending\n");
    DESK(office->path, 0, "stop");
    cr_expect_str_eq(desk_out, "stopping\n");
    cr_expect(read(office->master[0], &byte, 1) == 1 && byte == HERITAGE_WISH_STOP);
    DESK(office->path, 2, "stop now");
    lease_settle(&worker.leases, lease, &worker.ring, NULL, NULL);
    office_dismiss(office, &worker);
    office_close(office);
}
