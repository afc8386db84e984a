/* What models cost, as an admin asks and sets it. */
#include "tests/unit/admin/office.h"

Test(prices, are_listed_shown_set_and_removed)
{
    struct office *office = office_open();
    uint64_t version = version_catalog(office->segment);
    EXPECT(office, 200, "GET", "/v1/prices?source=shipped&match=gpt-4o*", "");
    cr_expect(office_says(office, "\"model\":\"gpt-4o-mini\"") &&
                  office_says(office, "\"input\":0.15") && !office_says(office, "claude"),
              "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/prices?source=own", "");
    cr_expect(office_says(office, "\"items\":[]"), "%s", office->body);
    EXPECT(office, 200, "PUT", "/v1/prices/vendor%2FMine",
           "{\"input\":\"2.5\",\"output\":10,\"above\":200,\"above_input\":\"5\","
           "\"above_output\":\"15\",\"flex_input\":1,\"flex_output\":4,\"image\":\"0.04\"}");
    cr_expect(office_says(office, "\"price_of\":\"vendor/mine\"") &&
                  office_says(office, "\"source\":\"own\"") &&
                  office_says(office, "\"service\":\"flex\",\"above\":200000,\"input\":2,") &&
                  office_says(office, "\"image\":0.04"),
              "%s", office->body);
    cr_expect_gt(version_catalog(office->segment), version, "workers are told");
    EXPECT(office, 200, "GET", "/v1/prices/x%2Fvendor%2Fmine-2025-01-31", "");
    cr_expect(office_says(office, "\"found_by\":\"dated\""), "%s", office->body);
    EXPECT(office, 200, "PUT", "/v1/prices/nick", "{\"alias_of\":\"vendor/mine\"}");
    cr_expect(office_says(office, "\"alias\":\"nick\""), "%s", office->body);
    EXPECT(office, 200, "PUT", "/v1/prices/raw",
           "{\"input_cost_per_token\":1e-6,\"output_cost_per_token\":2e-6,\"provider\":\"me\"}");
    cr_expect(office_says(office, "\"input\":1,") && office_says(office, "\"output\":2,"), "%s",
              office->body);
    EXPECT(office, 200, "DELETE", "/v1/prices/vendor%2Fmine", "");
    EXPECT(office, 404, "DELETE", "/v1/prices/vendor%2Fmine", "");
    EXPECT(office, 404, "GET", "/v1/prices/nick", "");
    EXPECT(office, 404, "DELETE", "/v1/prices/gpt-4o", "");
    office_close(office);
}

Test(prices, that_are_none_are_refused_with_the_reason)
{
    static const char *const bad[][2] = {
        { "{\"input\":1}", "input without output" },
        { "{}", "has no price" },
        { "[]", "no JSON object" },
        { "nonsense", "no JSON object" },
        { "{\"input\":\"1e-9\",\"output\":1}", "to the millionth" },
        { "{\"input\":-1,\"output\":1}", "dollars a million" },
        { "{\"input\":true,\"output\":1}", "dollars a million" },
        { "{\"image\":\"x\"}", "a price is dollars" },
        { "{\"input\":1,\"output\":1,\"above_input\":2,\"above_output\":2}", "above: how many" },
        { "{\"above\":\"x\",\"input\":1,\"output\":1,\"above_input\":2}", "above: how many" },
        { "{\"input\":1,\"output\":1,\"above\":200,\"above_input\":2}", "without output" },
        { "{\"input\":1,\"input_cost_per_token\":1,\"output\":1}", "twice" },
        { "{\"alias_of\":\"m\"}", "alias" },
    };
    struct office *office = office_open();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(office, 400, "PUT", "/v1/prices/m", bad[i][0]);
        cr_expect(office_says(office, bad[i][1]), "%s: %s", bad[i][0], office->body);
    }
    EXPECT(office, 400, "PUT", "/v1/prices/a%20b", "{\"input\":1,\"output\":1}");
    EXPECT(office, 404, "PATCH", "/v1/prices/m", "{}");
    EXPECT(office, 200, "GET", "/v1/prices?source=own", "");
    cr_expect(office_says(office, "\"items\":[]"), "%s", office->body);
    office_close(office);
}

Test(prices, are_imported_whole_or_not_at_all)
{
    struct office *office = office_open();
    EXPECT(office, 200, "POST", "/v1/prices",
           "{\"a\":{\"input_cost_per_token\":1e-6,\"output_cost_per_token\":2e-6},\n"
           "\"b\":{\"output_cost_per_token\":2e-6},\n\"c\":{\"input_cost_per_second\":1}}");
    cr_expect(office_says(office, "\"imported\":1,\"unpriced\":1,\"refused\":1") &&
                  office_says(office, "\"line\":2,\"model\":\"b\""),
              "%s", office->body);
    EXPECT(office, 400, "POST", "/v1/prices", "{\"a\":{\"mode\":\"chat\"}}");
    EXPECT(office, 400, "POST", "/v1/prices", "{\"a\":\n{");
    cr_expect(office_says(office, "line 2"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/prices?source=imported", "");
    cr_expect(office_says(office, "\"model\":\"a\""), "%s", office->body);
    office_close(office);
}
