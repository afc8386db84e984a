/* Users, keys, groups, accounts over the admin socket: made, changed, shown, refused. */
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/spell.h"
#include "shm/wake.h"
#include "tests/unit/admin/office.h"

Test(objects, live_from_creation_to_removal)
{
    struct office *office = office_open();
    uint64_t version = version_catalog(office->segment);
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\",\"concurrency\":3}");
    cr_expect(office_says(office, "\"name\":\"joe\"") && office_says(office, "\"concurrency\":3"));
    cr_expect_gt(version_catalog(office->segment), version, "workers look again");
    EXPECT(office, 409, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 200, "GET", "/v1/users/joe", "");
    EXPECT(office, 200, "PATCH", "/v1/users/joe", "{\"rpm\":9,\"note\":\"x\"}");
    cr_expect(office_says(office, "\"rpm\":9") && office_says(office, "\"concurrency\":3"), "%s",
              office->body);
    EXPECT(office, 200, "POST", "/v1/users/joe/disable", "");
    cr_expect(office_says(office, "\"disabled\":true"), "%s", office->body);
    EXPECT(office, 200, "POST", "/v1/users/joe/enable", "");
    cr_expect(office_says(office, "\"disabled\":false"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/users", "");
    cr_expect(office_says(office, "{\"items\":[{") && office_says(office, "\"in_flight\":0"), "%s",
              office->body);
    EXPECT(office, 200, "DELETE", "/v1/users/joe", "");
    EXPECT(office, 404, "GET", "/v1/users/joe", "");
    EXPECT(office, 404, "DELETE", "/v1/users/joe", "");
    office_close(office);
}

Test(objects, show_a_key_once_and_never_its_digest)
{
    struct office *office = office_open();
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 201, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\"}");
    struct json_value root;
    struct json_value value;
    cr_assert(json_read(str_of(office->body), &root, NULL) == ERR_OK);
    cr_assert(json_get(root, STR("key"), &value) && value.raw.len > 22, "%s", office->body);
    char key[300];
    cr_assert(str_copy(key, sizeof key, str_make(value.raw.data + 1, value.raw.len - 2)));
    EXPECT(office, 200, "GET", "/v1/keys/k", "");
    cr_expect(!office_says(office, key) && !office_says(office, "digest"), "%s", office->body);
    EXPECT(office, 200, "GET", "/v1/keys", "");
    cr_expect(!office_says(office, key));
    EXPECT(office, 400, "PATCH", "/v1/keys/k", "{\"key\":\"sk-mine-and-long-enough-to-be-one\"}");
    EXPECT(office, 409, "DELETE", "/v1/users/joe", "");
    cr_expect(office_says(office, "\"message\":"), "it says what refers to it: %s", office->body);
    office_close(office);
}

Test(objects, never_show_a_credential)
{
    struct office *office = office_open();
    EXPECT(office, 201, "POST", "/v1/accounts",
           "{\"name\":\"a\",\"platform\":\"openai\",\"secret\":\"sk-very-secret-1234\","
           "\"proxy\":\"http://u:hidden@p.test:1\"}");
    cr_expect(!office_says(office, "very-secret") && !office_says(office, "hidden"), "%s",
              office->body);
    EXPECT(office, 200, "GET", "/v1/accounts/a", "");
    cr_expect(!office_says(office, "very-secret") && !office_says(office, "sealed\"") &&
                  !office_says(office, "hidden"),
              "%s", office->body);
    cr_expect(office_says(office, "1234"), "the hint: %s", office->body);
    EXPECT(office, 200, "PATCH", "/v1/accounts/a", "{\"secret\":\"sk-another-5678\"}");
    cr_expect(!office_says(office, "another") && office_says(office, "5678"), "%s", office->body);
    EXPECT(office, 200, "POST", "/v1/accounts/a/reset", "");
    office_close(office);
}

Test(objects, say_what_is_wrong_with_a_record)
{
    struct office *office = office_open();
    static const char *const bad[][2] = {
        { "/v1/users", "{\"name\":\"a b\"}" },
        { "/v1/users", "{\"name\":\"joe\",\"concurrency\":\"many\"}" },
        { "/v1/users", "{\"name\":\"joe\",\"concurrency\":-1}" },
        { "/v1/users", "{\"name\":\"joe\",\"nonsense\":1}" },
        { "/v1/users", "{\"name\":\"joe\",\"id\":7}" },
        { "/v1/users", "{}" },
        { "/v1/users", "[]" },
        { "/v1/users", "" },
        { "/v1/users", "{\"name\":\"joe\"" },
        { "/v1/accounts", "{\"name\":\"a\",\"platform\":\"pigeon\"}" },
        { "/v1/accounts", "{\"name\":\"a\",\"base_url\":\"ftp://x\"}" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(office, 400, "POST", bad[i][0], bad[i][1]);
        cr_expect(office_says(office, "\"error\":{\"code\":") &&
                      office_says(office, "\"message\":"),
                  "%s", office->body);
    }
    uint16_t status =
        office_ask(office, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"nobody\"}");
    cr_expect(status >= 400 && status < 500, "%u", status);
    EXPECT(office, 200, "GET", "/v1/users", "");
    cr_expect(office_says(office, "\"items\":[]"), "nothing was made: %s", office->body);
    office_close(office);
}

Test(objects, have_plans_that_name_a_user_and_a_group)
{
    struct office *office = office_open();
    EXPECT(office, 201, "POST", "/v1/users", "{\"name\":\"joe\"}");
    EXPECT(office, 201, "POST", "/v1/plans",
           "{\"name\":\"pro\",\"user\":\"joe\",\"day\":\"5\",\"month\":60.25}");
    cr_expect(office_says(office, "\"group\":\"default\"") && office_says(office, "\"day\":5") &&
                  office_says(office, "\"month\":60.25"),
              "%s", office->body);
    cr_expect(office_says(office, "\"used\":{\"tokens\":0,\"money\":0,\"5h\":0,\"day\":0"), "%s",
              office->body);
    EXPECT(office, 409, "POST", "/v1/plans", "{\"name\":\"two\",\"user\":\"joe\"}");
    EXPECT(office, 400, "PATCH", "/v1/plans/pro", "{\"user\":\"ann\"}");
    EXPECT(office, 200, "PATCH", "/v1/plans/pro", "{\"week\":20,\"expires\":\"30d\"}");
    EXPECT(office, 409, "DELETE", "/v1/users/joe", "");
    EXPECT(office, 200, "POST", "/v1/plans/pro/disable", "");
    EXPECT(office, 200, "DELETE", "/v1/plans/pro", "");
    EXPECT(office, 200, "DELETE", "/v1/users/joe", "");
    office_close(office);
}

/* An error names the field that is meant. */
Test(objects, name_the_field_that_is_wrong)
{
    static const struct {
        const char *path;
        const char *json;
        const char *says;
    } bad[] = {
        { "/v1/users", "{\"name\":\"a b\"}", "name" },
        { "/v1/users", "{\"name\":\"\"}", "name" },
        { "/v1/users", "{\"name\":\"joe\",\"concurrency\":\"many\"}", "concurrency" },
        { "/v1/users", "{\"name\":\"joe\",\"rpm\":4294967296}", "rpm" },
        { "/v1/users", "{\"name\":\"joe\",\"rpm\":1.5}", "rpm" },
        { "/v1/users", "{\"name\":\"joe\",\"rpm\":[1]}", "rpm" },
        { "/v1/users", "{\"name\":\"joe\",\"rpm\":1,\"rpm\":2}", "rpm" },
        { "/v1/users", "{\"name\":\"joe\",\"disabled\":\"perhaps\"}", "disabled" },
        { "/v1/users", "{\"name\":\"joe\",\"nonsense\":1}", "nonsense" },
        { "/v1/users", "{\"name\":\"joe\",\"note\":\"a\\u0000b\"}", "note" },
        { "/v1/accounts", "{\"name\":\"a\",\"secret\":\"\"}", "secret" },
        { "/v1/accounts", "{\"name\":\"a\",\"secret\":\"a\\r\\nb\"}", "secret" },
        { "/v1/accounts", "{\"name\":\"a\",\"platform\":\"pigeon\"}", "platform" },
        { "/v1/accounts", "{\"name\":\"a\",\"base_url\":\"ftp://x\"}", "base_url" },
        { "/v1/accounts", "{\"name\":\"a\",\"dialects\":\"latin\"}", "dialects" },
        { "/v1/accounts", "{\"name\":\"a\",\"proxy\":\"gopher://x\"}", "proxy" },
        { "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\",\"expires\":\"soon\"}", "expires" },
        { "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\",\"addresses\":\"1.2.3\"}", "addresses" },
        { "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\",\"key\":\"short\"}", "key" },
    };
    struct office *office = office_open();
    EXPECT(office, 200, "GET", "/v1/status", "");
    uint64_t version = version_catalog(office->segment);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(office, 400, "POST", bad[i].path, bad[i].json);
        char message[NAME_BYTES + 32];
        snprintf(message, sizeof message, "\"message\":\"");
        const char *at = strstr(office->body, message);
        cr_expect(at != NULL && strstr(at, bad[i].says) != NULL, "%s: %s", bad[i].json,
                  office->body);
    }
    cr_expect_eq(version_catalog(office->segment), version, "nothing was made");
    office_close(office);
}

static enum gate_turn
nothing_yet(struct gate_waiter *waiter)
{
    (void)waiter;
    return GATE_TURN_FULL;
}

/* Has somebody rung since the last look? */
static bool
is_rung(const struct office *office, uint32_t slot)
{
    uint64_t pokes = 0;
    bool is = read(office->test.fds[slot], &pokes, sizeof pokes) == (ssize_t)sizeof pokes;
    wake_clear(office->segment, slot);
    return is;
}

/* Who waits in a group's pool is told of an account that may serve it, and not of others. */
Test(objects, wake_who_waits_for_an_account)
{
    struct office *office = office_open();
    struct gate_local gates;
    struct gate_waiter waiter = { .on_try = nothing_yet };
    uint32_t slot = testseg_active(&office->test, SLOT_WORKER);
    uint32_t pool = GATE_INDEX_NONE;
    EXPECT(office, 201, "POST", "/v1/groups", "{\"name\":\"other\"}");
    EXPECT(office, 201, "POST", "/v1/groups", "{\"name\":\"busy\"}");
    uint64_t group_id = office_id(office, "/v1/groups/busy");
    cr_assert_eq(gate_find(office->segment, GATE_POOL, group_id, &pool), ERR_OK);
    cr_assert_eq(gate_init(&gates, office->segment, slot), ERR_OK);
    gate_waiter_init(&waiter);
    cr_assert(!gate_wait(&gates, pool, &waiter));
    (void)is_rung(office, slot);
    office_account(office, "away", ",\"group\":\"other\"");
    cr_expect_not(is_rung(office, slot));
    office_account(office, "here", ",\"group\":\"other,busy\"");
    cr_expect(is_rung(office, slot), "made");
    EXPECT(office, 200, "POST", "/v1/accounts/here/disable", "");
    (void)is_rung(office, slot);
    EXPECT(office, 200, "POST", "/v1/accounts/here/enable", "");
    cr_expect(is_rung(office, slot), "enabled");
    EXPECT(office, 200, "PATCH", "/v1/accounts/here", "{\"concurrency\":9}");
    cr_expect(is_rung(office, slot), "more slots");
    EXPECT(office, 200, "POST", "/v1/accounts/here/reset", "");
    cr_expect(is_rung(office, slot), "reset");
    gate_leave(&gates, &waiter);
    gate_fini(&gates);
    cr_assert(slot_leave(office->segment, slot));
    office_close(office);
}

Test(objects, survive_what_nobody_should_send)
{
    struct office *office = office_open();
    static char json[200000];
    /* Deeper than any record, and as long as a body may be. */
    memset(json, '[', 100000);
    json[100000] = '\0';
    EXPECT(office, 400, "POST", "/v1/users", json);
    memset(json, 'x', 150000);
    memcpy(json, "{\"name\":\"joe\",\"note\":\"", 22);
    memcpy(json + 149990, "\"}", 3);
    EXPECT(office, 400, "POST", "/v1/users", json);
    SAYS(office, "note");
    EXPECT(office, 400, "POST", "/v1/users", "{\"name\":\"\xff\xfe\"}");
    EXPECT(office, 400, "PATCH", "/v1/groups/default", "null");
    EXPECT(office, 404, "PATCH", "/v1/users/nobody", "{\"rpm\":1}");
    EXPECT(office, 404, "POST", "/v1/users/nobody/enable", "");
    char path[400];
    snprintf(path, sizeof path, "/v1/users/%0*d", 300, 1);
    EXPECT(office, 404, "GET", path, "");
    EXPECT(office, 200, "GET", "/v1/users", "");
    SAYS(office, "\"items\":[]");
    office_close(office);
}

Test(objects, keep_the_standard_group)
{
    struct office *office = office_open();
    EXPECT(office, 200, "GET", "/v1/groups/default", "");
    EXPECT(office, 409, "DELETE", "/v1/groups/default", "");
    EXPECT(office, 409, "POST", "/v1/groups", "{\"name\":\"default\"}");
    EXPECT(office, 201, "POST", "/v1/groups", "{\"name\":\"team\"}");
    office_account(office, "a", ",\"group\":\"team,default\"");
    EXPECT(office, 409, "DELETE", "/v1/groups/team", "");
    SAYS(office, "a");
    EXPECT(office, 200, "PATCH", "/v1/accounts/a", "{\"group\":\"default\"}");
    EXPECT(office, 200, "DELETE", "/v1/groups/team", "");
    office_close(office);
}

Test(objects, of_an_account_that_is_reset_or_given_another_key_start_fresh)
{
    struct office *office = office_open();
    struct segment *segment = office->segment;
    office_account(office, "a", "");
    static const char *const ways[][3] = {
        { "POST", "/v1/accounts/a/reset", "" },
        { "PATCH", "/v1/accounts/a", "{\"secret\":\"sk-another-5678\"}" },
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        uint64_t now_ms = clock_now_ms();
        health_failure(segment, 0, 0, HEALTH_REASON_AUTH, 3600000, 401, STR("no"), now_ms);
        spell_cast(segment, 0, STR("m"), 3600000, now_ms);
        EXPECT(office, 200, ways[i][0], ways[i][1], ways[i][2]);
        cr_expect(health_ok(segment, 0, now_ms), "%s", ways[i][1]);
        cr_expect_eq(spell_left_ms(segment, 0, STR("m"), now_ms), 0, "%s", ways[i][1]);
    }
    EXPECT(office, 404, "POST", "/v1/accounts/a/revive", "");
    EXPECT(office, 405, "GET", "/v1/accounts/a/reset", "");
    office_close(office);
}

Test(objects, words_of_the_dialects_are_checked)
{
    struct office *office = office_open();
    office_account(office, "a", "");
    EXPECT(office, 400, "PATCH", "/v1/groups/default", "{\"effort_map\":\"high=much\"}");
    SAYS(office, "like high=xhigh");
    EXPECT(office, 200, "PATCH", "/v1/groups/default", "{\"effort_map\":\"high=xhigh\"}");
    SAYS(office, "\"effort_map\":\"high=xhigh\"");
    EXPECT(office, 400, "PATCH", "/v1/groups/default", "{\"translate_mode\":\"odd\"}");
    SAYS(office, "translate_mode: one of lenient strict");
    EXPECT(office, 400, "PATCH", "/v1/accounts/a", "{\"caps\":\"web_search,fly\"}");
    SAYS(office, "is none that can be set");
    EXPECT(office, 200, "PATCH", "/v1/accounts/a", "{\"caps\":\"no-web_search\"}");
    office_close(office);
}
