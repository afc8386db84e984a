/* Status, requests in flight and finished ones, as a running recorder tells them. */
#include "tests/unit/admin/office.h"

Test(live, tells_what_is_happening)
{
    struct office *office = office_open();
    EXPECT(office, 200, "GET", "/v1/status", "");
    cr_expect(office_says(office, "\"processes\":[") && office_says(office, "recorder"), "%s",
              office->body);
    EXPECT(office, 200, "GET", "/v1/top", "");
    cr_expect(office_says(office, "\"items\":[]"), "%s", office->body);
    /* A worker with one request under way. */
    uint32_t worker = testseg_active(&office->test, SLOT_WORKER);
    struct lease_local leases;
    struct ring_local ring;
    cr_assert(lease_init(&leases, office->segment, worker) == ERR_OK);
    ring_init(&ring, office->segment, worker);
    struct lease_data data = { .start_ms = clock_now_ms(),
                               .account_id = 1,
                               .request_id = "req_test",
                               .key_name = "k",
                               .model = "gpt-4o" };
    uint32_t lease = 0;
    cr_assert(ring_reserve(&ring, 1) == ERR_OK && lease_take(&leases, &data, &lease) == ERR_OK);
    EXPECT(office, 200, "GET", "/v1/top", "");
    cr_expect(office_says(office, "req_test") && office_says(office, "gpt-4o"), "%s", office->body);
    EXPECT(office, 404, "POST", "/v1/requests/req_other/kill", "");
    EXPECT(office, 202, "POST", "/v1/requests/req_test/kill", "");
    struct lease_view view;
    cr_assert(lease_read(office->segment, worker, lease, &view) == ERR_OK);
    cr_expect(view.is_ending);
    /* It ends, and stands in the list of finished ones. */
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .start_wall_ms = clock_wall_ms(),
                                    .request_id = "req_test",
                                    .out_total = 77 };
    lease_settle(&leases, lease, &ring, &record, NULL);
    lease_fini(&leases);
    bool is_there = false;
    for (int i = 0; i < 300 && !is_there; i++) {
        usleep(10000);
        is_there = office_ask(office, "GET", "/v1/usage/recent?count=5", "") == 200 &&
                   office_says(office, "req_test");
    }
    cr_expect(is_there && office_says(office, "77"), "%s", office->body);
    cr_assert(slot_leave(office->segment, worker));
    office_close(office);
}

Test(live, counts_a_dead_workers_request)
{
    struct office *office = office_open();
    uint32_t worker = testseg_active(&office->test, SLOT_WORKER);
    struct lease_local leases;
    struct ring_local ring;
    cr_assert(lease_init(&leases, office->segment, worker) == ERR_OK);
    ring_init(&ring, office->segment, worker);
    struct lease_data data = { .start_ms = 1,
                               .start_wall_ms = clock_wall_ms(), /* or it would be pruned as old */
                               .account_id = 1,
                               .request_id = "req_dead" };
    uint32_t lease = 0;
    cr_assert(ring_reserve(&ring, 1) == ERR_OK && lease_take(&leases, &data, &lease) == ERR_OK);
    free(leases.free_list);
    cr_assert(!slot_reap(office->segment, worker));
    bool is_there = false;
    for (int i = 0; i < 300 && !is_there; i++) {
        usleep(10000);
        is_there = office_ask(office, "GET", "/v1/usage/recent", "") == 200 &&
                   office_says(office, "req_dead");
    }
    cr_expect(is_there && office_says(office, "worker_died"), "%s", office->body);
    cr_expect_eq(slot_state(office->segment, worker), SLOT_FREE);
    office_close(office);
}
