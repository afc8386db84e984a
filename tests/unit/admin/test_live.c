/* Status, requests in flight and finished ones, as a running recorder tells them. */
#include "shm/health.h"
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

Test(live, status_says_why_it_is_not_ready)
{
    struct office *office = office_open();
    EXPECT(office, 200, "GET", "/v1/status", "");
    SAYS(office, "\"ready\":false,\"why_not\":\"loading\"");
    version_set_resolving(office->segment, true); /* a keeper is up */
    EXPECT(office, 200, "GET", "/v1/status", "");
    SAYS(office, "\"why_not\":\"no_account\"");
    office_account(office, "a", "");
    EXPECT(office, 200, "GET", "/v1/status", "");
    SAYS(office, "\"ready\":true");
    SAYS(office, "\"store\":{\"writable\":true");
    SAYS(office, "\"kind\":\"recorder\"");
    cr_expect_eq(office_number(office, "usable_accounts"), 1);
    cr_expect_geq(office_number(office, "counters.admin_requests"), 4);
    version_set_draining(office->segment, true);
    EXPECT(office, 200, "GET", "/v1/status", "");
    SAYS(office, "\"why_not\":\"draining\"");
    office_close(office);
}

Test(live, top_escapes_what_clients_say)
{
    struct office *office = office_open();
    struct office_worker worker;
    office_hire(office, &worker);
    uint64_t now_ms = clock_now_ms();
    struct lease_data data = { .start_ms = now_ms - 3000,
                               .first_byte_ms = now_ms - 2000,
                               .last_byte_ms = now_ms - 1000,
                               .tokens = { .in_fresh = 3, .in_cache_read = 4, .out = 5 },
                               .endpoint = 255,
                               .client_dialect = 255,
                               .sticky = 255,
                               .is_stream = 1,
                               .request_id = "req_1",
                               .key_name = "k",
                               .model = "a\"b\\c\x01\x1b[31m",
                               .address = "127.0.0.1" };
    uint32_t lease = office_begin(&worker, &data);
    EXPECT(office, 200, "GET", "/v1/top", "");
    SAYS(office, "\"model\":\"a\\\"b\\\\c\\u0001\\u001b[31m\"");
    SAYS(office, "\"endpoint\":\"\"");
    SAYS(office, "\"dialect\":\"\"");
    SAYS(office, "\"sticky\":\"\"");
    SAYS(office, "\"first_byte_ms\":1000");
    SAYS(office, "\"tokens_in\":7,\"tokens_out\":5");
    SAYS(office, "\"stream\":true");
    lease_edit(&worker.leases, lease)->sticky = LEASE_STICKY_MISS;
    lease_done(&worker.leases, lease);
    EXPECT(office, 200, "GET", "/v1/top", "");
    SAYS(office, "\"sticky\":\"miss\"");
    EXPECT(office, 404, "POST", "/v1/requests//kill", "");
    EXPECT(office, 404, "POST", "/v1/requests/req_1/revive", "");
    lease_settle(&worker.leases, lease, &worker.ring, NULL, NULL);
    EXPECT(office, 404, "POST", "/v1/requests/req_1/kill", "");
    office_dismiss(office, &worker);
    office_close(office);
}

static uint32_t
count_of(struct office *office, const char *query)
{
    char path[128];
    uint32_t count = 0;
    snprintf(path, sizeof path, "/v1/usage/recent%s", query);
    cr_assert_eq(office_ask(office, "GET", path, ""), 200, "%s: %s", path, office->body);
    for (const char *at = office->body; (at = strstr(at, "\"sequence\":")) != NULL; at++) {
        count++;
    }
    return count;
}

Test(live, lists_as_many_finished_ones_as_are_wanted)
{
    struct office *office = office_furnish();
    struct office_worker worker;
    office_hire(office, &worker);
    for (uint32_t i = 0; i < 16; i++) {
        struct lease_data data = { .start_ms = 1, .account_id = 1 };
        struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                        .start_wall_ms = clock_wall_ms() };
        snprintf(record.request_id, sizeof record.request_id, "req_%02u", i);
        lease_settle(&worker.leases, office_begin(&worker, &data), &worker.ring, &record, NULL);
    }
    office_fork(office, NULL);
    cr_assert(office_await(office, "/v1/usage/recent", "req_15"));
    cr_expect_eq(count_of(office, "?count=1"), 1);
    SAYS(office, "req_15");
    cr_expect_eq(count_of(office, "?count=15"), 15);
    cr_expect_eq(count_of(office, "?count=16"), 16);
    cr_expect_eq(count_of(office, "?count=18446744073709551615"), 16);
    cr_expect_eq(count_of(office, "?count=0"), 0);
    cr_expect_eq(count_of(office, "?count=many"), 16);
    cr_expect_eq(count_of(office, "?count=-1&x"), 16);
    office_dismiss(office, &worker);
    office_close(office);
}

/* What a list says of an account, from what the workers and the keeper note. */
Test(live, shows_an_accounts_health)
{
    struct office *office = office_open();
    struct segment *segment = office->segment;
    office_account(office, "a", "");
    uint64_t id = office_id(office, "/v1/accounts/a");
    SAYS(office, "\"state\":\"ok\"");
    cr_expect(!office_says(office, "\"probed\""), "nobody asked: %s", office->body);
    uint64_t now_ms = clock_now_ms();
    health_failure(segment, 0, 0, HEALTH_REASON_RATE_LIMITED, 3600000, 429, STR("slow down"),
                   now_ms - 20000);
    EXPECT(office, 200, "GET", "/v1/accounts", "");
    SAYS(office, "\"state\":\"cooling\",\"why\":\"rate limited\"");
    SAYS(office, "\"last_status\":429,\"last_error\":\"slow down\"");
    cr_expect(!office_says(office, "\"probed\""));
    struct health_finding ill = { .found = HEALTH_FOUND_ILL,
                                  .account_id = id,
                                  .reason = HEALTH_REASON_RATE_LIMITED,
                                  .status = 429 };
    cr_assert(health_recall(segment, 0, now_ms - 12000, &ill.until_ms));
    EXPECT(office, 200, "GET", "/v1/accounts/a", "");
    SAYS(office, "\"state\":\"probing\"");
    health_recalled(segment, 0, 0, &ill, now_ms - 12000);
    EXPECT(office, 200, "GET", "/v1/accounts/a", "");
    SAYS(office, "\"probed\":\"12 s ago: 429 until 2");
    cr_expect_eq(office_number(office, "probe_misses"), 1);
    cr_expect_eq(office_number(office, "probe_status"), 429);
    struct health_finding well = { .found = HEALTH_FOUND_WELL, .account_id = id, .status = 200 };
    cr_assert(health_recall(segment, 0, now_ms, &well.until_ms));
    health_recalled(segment, 0, 0, &well, now_ms);
    EXPECT(office, 200, "GET", "/v1/accounts/a", "");
    SAYS(office, "\"state\":\"ok\"");
    SAYS(office, "s ago: 200 ok\"");
    cr_assert(health_recall(segment, 0, now_ms, &well.until_ms) == false);
    EXPECT(office, 200, "POST", "/v1/accounts/a/disable", "");
    SAYS(office, "\"state\":\"disabled\"");
    office_close(office);
}
