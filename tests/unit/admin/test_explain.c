/* A dry run of the selection: who would serve, and a reason for everybody else. */
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/spell.h"
#include "shm/sticky.h"
#include "tests/unit/admin/office.h"

#define HOUR_MS 3600000u

/* Two accounts of the standard group, `a` before `b`, and a key of joe. */
static struct office *
open_two(void)
{
    struct office *office = office_open();
    office_account(office, "a", ",\"priority\":1");
    office_account(office, "b", ",\"priority\":2");
    cr_assert_eq(office_ask(office, "POST", "/v1/users", "{\"name\":\"joe\"}"), 201);
    cr_assert_eq(office_ask(office, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\"}"), 201);
    return office;
}

/* What an account of this name says in the items; the text behind its name, to be looked at. */
static bool
account_says(const struct office *office, const char *name, const char *what)
{
    char mark[NAME_BYTES + 16];
    snprintf(mark, sizeof mark, "\"account\":\"%s\"", name);
    const char *at = strstr(office->body, mark);
    const char *end = at == NULL ? NULL : strchr(at, '}');
    const char *found = at == NULL ? NULL : strstr(at, what);
    return found != NULL && end != NULL && found < end;
}

#define ASK(office, more) EXPECT(office, 200, "GET", "/v1/explain?key=k&model=m" more, "")
#define OF(office, name, what) \
    cr_expect(account_says(office, name, what), "%s: no %s in %s", name, what, (office)->body)

Test(explain, wants_a_key_and_a_model)
{
    struct office *office = open_two();
    EXPECT(office, 400, "GET", "/v1/explain", "");
    EXPECT(office, 400, "GET", "/v1/explain?key=k", "");
    SAYS(office, "A key and a model are needed");
    EXPECT(office, 400, "GET", "/v1/explain?model=m", "");
    EXPECT(office, 400, "GET", "/v1/explain?key=k&model=m&dialect=latin", "");
    SAYS(office, "chat, responses, anthropic or gemini");
    EXPECT(office, 400, "GET", "/v1/explain?key=k&model=m&colour=red", "");
    EXPECT(office, 400, "GET", "/v1/explain?key=k&model=", "");
    EXPECT(office, 400, "GET", "/v1/explain?key=k&model=%zz", "");
    EXPECT(office, 400, "GET", "/v1/explain?key=k&model=%", "");
    EXPECT(office, 400, "GET", "/v1/explain?key=k&model=a%00b", "");
    EXPECT(office, 400, "GET", "/v1/explain?key=k&&model=m", "");
    EXPECT(office, 404, "GET", "/v1/explain?key=nobody&model=m", "");
    char path[700];
    snprintf(path, sizeof path, "/v1/explain?key=k&model=m&session=%0*d", 512, 1);
    EXPECT(office, 400, "GET", path, "");
    snprintf(path, sizeof path, "/v1/explain?key=k&model=%0*d", 400, 1);
    EXPECT(office, 400, "GET", path, "");
    office_close(office);
}

Test(explain, chooses_and_gives_a_reason_for_each)
{
    struct office *office = open_two();
    EXPECT(office, 201, "POST", "/v1/groups", "{\"name\":\"other\"}");
    office_account(office, "c", ",\"priority\":3,\"models\":\"gpt-*\"");
    office_account(office, "d", ",\"dialects\":\"anthropic\"");
    office_account(office, "e", "");
    office_account(office, "f", ",\"group\":\"other\"");
    office_account(office, "g", ",\"model_map\":\"m=sent-name\"");
    EXPECT(office, 200, "POST", "/v1/accounts/e/disable", "");
    ASK(office, "");
    SAYS(office, "\"chosen\":\"a\"");
    SAYS(office, "\"ok\":true");
    SAYS(office, "a would serve it");
    SAYS(office, "\"group\":\"default\"");
    OF(office, "a", "\"reason\":\"can serve\"");
    OF(office, "a", "\"priority\":1");
    OF(office, "c", "model");
    OF(office, "d", "dialect");
    OF(office, "e", "disabled");
    OF(office, "g", "\"sent\":\"sent-name\"");
    cr_expect(!office_says(office, "\"account\":\"f\""), "another group's: %s", office->body);
    cr_expect(!office_says(office, "very-secret"));
    ASK(office, "&dialect=anthropic");
    SAYS(office, "\"chosen\":\"d\"");
    office_close(office);
}

Test(explain, sees_benches_full_gates_and_spells)
{
    struct office *office = open_two();
    struct segment *segment = office->segment;
    uint64_t now_ms = clock_now_ms();
    health_failure(segment, 0, 0, HEALTH_REASON_RATE_LIMITED, HOUR_MS, 429, STR("no"), now_ms);
    ASK(office, "");
    SAYS(office, "\"chosen\":\"b\"");
    OF(office, "a", "\"health\":\"cooling\"");
    OF(office, "a", "\"why\":\"rate limited\"");
    OF(office, "a", "\"cooling_s\":3");
    spell_cast(segment, 1, STR("m"), HOUR_MS, now_ms);
    ASK(office, "");
    SAYS(office, "a would serve it (it cools down, but there is no other)");
    OF(office, "b", "model");
    health_reset(segment, 0, now_ms);
    spell_forget(segment, 1);
    EXPECT(office, 200, "PATCH", "/v1/accounts/a", "{\"concurrency\":1}");
    EXPECT(office, 200, "PATCH", "/v1/accounts/b", "{\"concurrency\":1}");
    uint32_t worker = testseg_active(&office->test, SLOT_WORKER);
    uint32_t gates[2];
    const char *const paths[] = { "/v1/accounts/a", "/v1/accounts/b" };
    for (int i = 0; i < 2; i++) {
        uint64_t id = office_id(office, paths[i]);
        cr_assert(gate_find(segment, GATE_ACCOUNT, id, &gates[i]) == ERR_OK);
        cr_assert(gate_take(segment, worker, gates[i], 1, clock_now_ns()) == ERR_OK);
    }
    ASK(office, "");
    SAYS(office, "it would wait: all accounts that could serve it are full");
    SAYS(office, "\"chosen\":\"\"");
    SAYS(office, "\"ok\":true");
    OF(office, "a", "\"load\":100");
    gate_give(segment, worker, gates[0], NULL, 0);
    gate_give(segment, worker, gates[1], NULL, 0);
    cr_assert(slot_leave(segment, worker));
    office_close(office);
}

Test(explain, judges_the_key_its_user_and_its_group)
{
    static const struct {
        const char *method;
        const char *path;
        const char *json;
        const char *says;
        const char *undo;
        const char *undo_json;
    } cases[] = {
        { "POST", "/v1/keys/k/disable", "", "the key is disabled", "/v1/keys/k/enable", "" },
        { "POST", "/v1/users/joe/disable", "", "its user joe is disabled", "/v1/users/joe/enable",
          "" },
        { "POST", "/v1/groups/default/disable", "", "its group default is disabled",
          "/v1/groups/default/enable", "" },
        { "PATCH", "/v1/keys/k", "{\"models\":\"gpt-*\"}", "the key may not use this model",
          "/v1/keys/k", "{\"models\":\"\"}" },
        { "PATCH", "/v1/groups/default", "{\"models\":\"gpt-*\"}",
          "its group default may not use this model", "/v1/groups/default", "{\"models\":\"\"}" },
        { "PATCH", "/v1/keys/k", "{\"expires\":\"2020-01-01T00:00:00Z\"}", "the key has expired",
          "/v1/keys/k", "{\"expires\":\"never\"}" },
    };
    struct office *office = open_two();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT(office, 200, cases[i].method, cases[i].path, cases[i].json);
        ASK(office, "");
        SAYS(office, cases[i].says);
        SAYS(office, "\"ok\":false");
        SAYS(office, "\"chosen\":\"\"");
        EXPECT(office, 200, cases[i].method, cases[i].undo, cases[i].undo_json);
    }
    ASK(office, "");
    SAYS(office, "\"ok\":true");
    office_close(office);
}

/* --- sessions --- */

static void
bind_session(struct office *office, enum sticky_kind kind, const char *session, uint32_t index)
{
    uint64_t group = office_id(office, "/v1/groups/default");
    uint64_t key = office_id(office, "/v1/keys/k");
    uint64_t id = sticky_key(office->segment, group, key, kind, str_of(session));
    sticky_put(office->segment, id, index, clock_now_ms(), HOUR_MS);
}

Test(explain, tells_where_a_session_stays)
{
    struct office *office = open_two();
    ASK(office, "");
    cr_expect(!office_says(office, "\"session\""), "none was named: %s", office->body);
    ASK(office, "&session=s%201");
    SAYS(office, "a would serve it; the session is bound to none");
    SAYS(office, "\"session\":{\"id\":\"s 1\",\"account\":\"\",\"kept\":false,\"why\":\"it is "
                 "bound to none\"}");
    bind_session(office, STICKY_EXPLICIT, "s 1", 1);
    ASK(office, "&session=s%201");
    SAYS(office, "\"chosen\":\"b\"");
    SAYS(office, "b would serve it; the session is bound to b");
    SAYS(office, "\"session\":{\"id\":\"s 1\",\"account\":\"b\",\"kept\":true,\"why\":\"\"}");
    ASK(office, "&session=S%201");
    SAYS(office, "\"chosen\":\"a\"");
    bind_session(office, STICKY_RESPONSE, "resp_1", 1);
    ASK(office, "&session=resp_1");
    SAYS(office, "\"chosen\":\"b\"");
    office_close(office);
}

Test(explain, tells_why_a_session_leaves)
{
    struct office *office = open_two();
    struct segment *segment = office->segment;
    bind_session(office, STICKY_EXPLICIT, "s", 1);
    health_failure(segment, 0, 1, HEALTH_REASON_RATE_LIMITED, HOUR_MS, 429, STR("no"),
                   clock_now_ms());
    ASK(office, "&session=s");
    SAYS(office, "\"chosen\":\"a\"");
    SAYS(office, "the session is bound to b, which it leaves: ");
    SAYS(office, "\"account\":\"b\",\"kept\":false");
    health_reset(segment, 1, clock_now_ms());

    EXPECT(office, 201, "POST", "/v1/groups", "{\"name\":\"other\"}");
    EXPECT(office, 200, "PATCH", "/v1/accounts/b", "{\"group\":\"other\"}");
    ASK(office, "&session=s");
    SAYS(office, "which it leaves: it is not of the key's group");
    EXPECT(office, 200, "PATCH", "/v1/accounts/b", "{\"group\":\"default\",\"concurrency\":1}");

    uint32_t worker = testseg_active(&office->test, SLOT_WORKER);
    uint32_t gate = 0;
    uint64_t id = office_id(office, "/v1/accounts/b");
    cr_assert(gate_find(segment, GATE_ACCOUNT, id, &gate) == ERR_OK);
    cr_assert(gate_take(segment, worker, gate, 1, clock_now_ns()) == ERR_OK);
    ASK(office, "&session=s");
    SAYS(office, "it would wait: the account of its session is full");
    SAYS(office, "\"account\":\"b\",\"kept\":true");
    SAYS(office, "\"ok\":true");
    gate_give(segment, worker, gate, NULL, 0);
    cr_assert(slot_leave(segment, worker));

    EXPECT(office, 200, "DELETE", "/v1/accounts/b", "");
    ASK(office, "&session=s");
    SAYS(office, "\"chosen\":\"a\"");
    cr_expect(!office_says(office, "\"kept\":true"), "%s", office->body);
    office_close(office);
}

Test(explain, leaves_a_slow_account_as_a_worker_does)
{
    struct office *office = office_furnish();
    office->confs.upstream.slow_first_byte_ms = 1000;
    office_fork(office, NULL);
    office_account(office, "a", ",\"priority\":1");
    office_account(office, "b", ",\"priority\":2");
    cr_assert_eq(office_ask(office, "POST", "/v1/users", "{\"name\":\"joe\"}"), 201);
    cr_assert_eq(office_ask(office, "POST", "/v1/keys", "{\"name\":\"k\",\"user\":\"joe\"}"), 201);
    bind_session(office, STICKY_EXPLICIT, "s", 1);
    health_success(office->segment, 1, clock_now_ms(), 5000);
    ASK(office, "&session=s");
    SAYS(office, "which it leaves: its first bytes take too long");
    SAYS(office, "\"chosen\":\"a\"");
    office_close(office);
}

Test(explain, says_what_the_group_makes_of_the_model_and_who_translates)
{
    struct office *office = open_two();
    EXPECT(office, 200, "PATCH", "/v1/groups/default", "{\"model_map\":\"m=big\"}");
    ASK(office, "");
    SAYS(office, "\"wanted\":\"big\"");
    SAYS(office, "\"spoken\":\"chat\"");
    SAYS(office, "a would serve it; the group makes big of it\"");
    ASK(office, "&dialect=anthropic");
    SAYS(office, "\"spoken\":\"chat\"");
    SAYS(office, "; translated anthropic->chat\"");
    SAYS(office, "\"ok\":true");
    office_account(office, "d", ",\"dialects\":\"anthropic\",\"models\":\"big\"");
    EXPECT(office, 200, "POST", "/v1/accounts/d/disable", "");
    ASK(office, "&dialect=anthropic");
    SAYS(office, "\"spoken\":\"anthropic\"");
    SAYS(office, "\"ok\":false");
    office_close(office);
}
