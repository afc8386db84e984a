/* What a prepaid user has left, as an admin asks it and pays in. */
#include "shm/budget.h"
#include "tests/unit/admin/office.h"

Test(balance, is_what_was_paid_in)
{
    struct office *office = office_open();
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 200, "GET", "/v1/users/joe/balance", "");
    cr_expect(office_says(office, "\"prepaid\":false"), "%s", office->body);
    EXPECT(office, 200, "POST", "/v1/users/joe/topup", "{\"amount\":\"12.5\",\"note\":\"cash\"}");
    cr_expect(office_says(office, "\"balance\":12.5") && office_says(office, "\"note\":\"cash\""),
              "%s", office->body);
    EXPECT(office, 200, "POST", "/v1/users/joe/topup", "{\"amount\":-2.500000001}");
    EXPECT(office, 200, "GET", "/v1/users/joe/balance", "");
    cr_expect(office_says(office, "\"balance\":9.999999999") &&
                  office_says(office, "\"prepaid\":true"),
              "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/users/joe", "");
    cr_expect(office_says(office, "\"balance\":9.999999999") && !office_says(office, "credit_nano"),
              "%s", office->body);
    static const char *const bad[] = { "{}",
                                       "{\"amount\":0}",
                                       "{\"amount\":\"much\"}",
                                       "{\"amount\":-10}",
                                       "{\"amount\":1e300}",
                                       "{\"amount\":0.0000000001}",
                                       "{\"amount\":[1]}",
                                       "{\"amount\":1,\"note\":7}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(office, 400, "POST", "/v1/users/joe/topup", bad[i]);
    }
    EXPECT(office, 404, "POST", "/v1/users/ann/topup", "{\"amount\":1}");
    EXPECT(office, 200, "GET", "/v1/users/joe/balance", "");
    cr_expect(office_says(office, "\"balance\":9.999999999"), "%s", office->body);
    office_close(office);
}

Test(balance, shows_what_was_used_and_the_latest_changes_first)
{
    struct office *office = office_furnish();
    struct office_worker worker;
    office_hire(office, &worker);
    office_fork(office, NULL);
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"ann\"}");
    uint64_t ann = office_id(office, "/v1/users/ann");
    EXPECT(office, 200, "POST", "/v1/users/ann/topup", "{\"amount\":3}");
    struct lease_data data = { .start_ms = 1, .user_id = ann };
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .is_last = 1,
                                    .start_wall_ms = clock_wall_ms(),
                                    .user_id = ann,
                                    .charged = LEDGER_BALANCE,
                                    .cost_nano = 1250000000 };
    lease_settle(&worker.leases, office_begin(&worker, &data), &worker.ring, &record, NULL);
    cr_expect(office_await(office, "/v1/users/ann/balance", "\"used\":1.25,"));
    SAYS(office, "\"balance\":1.75,\"credit\":3,");
    SAYS(office, "ann has $1.75 left; $1.25 used, $0 reserved");
    EXPECT(office, 200, "POST", "/v1/users/ann/topup", "{\"amount\":-0.5,\"note\":\"back\"}");
    const char *back = strstr(office->body, "\"amount\":-0.5,\"credit\":2.5,\"note\":\"back\"");
    const char *first = strstr(office->body, "\"amount\":3,\"credit\":3,\"note\":\"\"");
    cr_expect(back != NULL && first != NULL && back < first, "%s", office->body);
    office_dismiss(office, &worker);
    office_close(office);
}

Test(balance, of_nobody_or_of_a_hostile_body_is_refused_with_a_reason)
{
    struct office *office = office_open();
    EXPECT(office, 404, "GET", "/v1/users/nobody/balance", "");
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 400, "POST", "/v1/users/joe/topup", "[{\"amount\":1}]");
    SAYS(office, "dollars are needed");
    EXPECT(office, 400, "POST", "/v1/users/joe/topup", "{\"amount\":\"99999999999999999999\"}");
    SAYS(office, "dollars like 12.5");
    EXPECT(office, 200, "GET", "/v1/users/joe/balance", "");
    SAYS(office, "\"credit\":0,\"used\":0,\"reserved\":0,");
    SAYS(office, "joe is not prepaid");
    SAYS(office, "\"items\":[]");
    office_close(office);
}
