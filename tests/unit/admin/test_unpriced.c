/* Models that cost nothing because nobody has said their price. */
#include "tests/unit/admin/office.h"

static void
push_unpriced(struct office *office, const char *model)
{
    uint32_t slot = testseg_active(&office->test, SLOT_WORKER);
    struct ring_local ring;
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .is_last = 1,
                                    .start_wall_ms = clock_wall_ms(),
                                    .flags = LEDGER_UNPRICED };
    str_copy(record.model, sizeof record.model, str_of(model));
    ring_init(&ring, office->segment, slot);
    cr_assert(ring_reserve(&ring, 1) == ERR_OK);
    ring_push(&ring, &record);
    for (int i = 0; i < 2000 && ring_used(office->segment, slot) > 0; i++) {
        usleep(1000);
    }
    cr_assert_eq(ring_used(office->segment, slot), 0);
}

Test(unpriced, names_are_found_in_traffic_and_accounts)
{
    struct office *office = office_open();
    EXPECT(office, 201, "POST", "/v1/accounts",
           "{\"name\":\"a\",\"platform\":\"openai\",\"secret\":\"sk-very-secret-1234\","
           "\"models\":\"gpt-4o,listed,any-*,mapped\","
           "\"model_map\":\"mapped=gpt-4o,fast=strange,gpt-4o=deployment\"}");
    push_unpriced(office, "seen");
    push_unpriced(office, "seen");
    EXPECT(office, 200, "GET", "/v1/unpriced", "");
    cr_expect(office_says(office, "\"model\":\"seen\",\"requests\":2,"), "%s", office->body);
    cr_expect(office_says(office, "\"model\":\"listed\"") &&
                  office_says(office, "\"model\":\"strange\"") &&
                  office_says(office, "\"account\":\"a\""),
              "%s", office->body);
    cr_expect(!office_says(office, "\"mapped\"") && !office_says(office, "any-") &&
                  !office_says(office, "deployment") && !office_says(office, "\"gpt-4o\""),
              "%s", office->body);
    EXPECT(office, 200, "PUT", "/v1/prices/seen", "{\"input\":0,\"output\":0}");
    EXPECT(office, 200, "GET", "/v1/unpriced", "");
    cr_expect(!office_says(office, "\"seen\""), "%s", office->body);
    office_close(office);
}

Test(unpriced, names_are_counted_once_each_whatever_they_hold)
{
    struct office *office = office_open();
    EXPECT(office, 200, "GET", "/v1/unpriced", "");
    cr_expect_str_eq(office->body, "{\"items\":[]}");
    office_account(office, "one", ",\"models\":\"strange,*\"");
    office_account(office, "two", ",\"models\":\"strange\"");
    push_unpriced(office, "a\"b\\c");
    push_unpriced(office, "");
    push_unpriced(office, "strange");
    push_unpriced(office, "gpt-4o");
    EXPECT(office, 200, "GET", "/v1/unpriced", "");
    SAYS(office, "\"model\":\"a\\\"b\\\\c\",\"requests\":1,");
    SAYS(office, "\"model\":\"strange\",\"requests\":1,");
    SAYS(office, "\"account\":\"one\"");
    cr_expect(!office_says(office, "\"two\"") && !office_says(office, "\"model\":\"\"") &&
                  !office_says(office, "gpt-4o"),
              "once, and none that has its price by now: %s", office->body);
    office_close(office);
}
