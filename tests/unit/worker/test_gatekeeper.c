/* Who may ask for what, through a real worker: each refusal, and that it consumed nothing. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "shm/budget.h"
#include "shm/counter.h"
#include "shm/gate.h"
#include "shm/version.h"
#include "shm/window.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define BODY "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

static void
disable_key(struct key *key)
{
    key->is_disabled = true;
}
static void
expire_key(struct key *key)
{
    key->expires_ms = 1000;
}
static void
elsewhere_key(struct key *key)
{
    snprintf(key->addresses, sizeof key->addresses, "192.0.2.0/24");
}
static void
models_key(struct key *key)
{
    snprintf(key->models, sizeof key->models, "claude-*");
}
static void
small_key(struct key *key)
{
    key->input_tokens_max = 1;
}
static void
poor_key(struct key *key)
{
    key->quota_tokens = 1;
}
static void
slow_key(struct key *key)
{
    key->rpm = 1;
}

Test(gatekeeper, refuses_what_the_records_say)
{
    static const struct {
        const char *key;
        void (*change)(struct key *key);
        int status;
        const char *code;
        bool is_final; /* no use in trying again */
    } rows[] = {
        { "disabled", disable_key, 401, "invalid_api_key", true },
        { "expired", expire_key, 401, "invalid_api_key", true },
        { "elsewhere", elsewhere_key, 403, "forbidden", true },
        { "models", models_key, 403, "model_not_allowed", true },
        { "small", small_key, 412, "input_too_large", true },
        { "poor", poor_key, 412, "quota_exhausted", true },
    };
    struct mill *mill = mill_make();
    mill->confs.worker.auth_failures = 0;
    mill_account(mill, "acme", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mill_key(mill, rows[i].key, rows[i].change);
    }
    mill_run(mill);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *answer = mill_talk(mill, CHAT, rows[i].key, BODY);
        cr_expect(mill_is(answer, rows[i].status, rows[i].code), "%s: %s", rows[i].key, answer);
        cr_expect(strstr(answer, "\r\nx-request-id: req_") != NULL, "%s", answer);
        cr_expect_eq(strstr(answer, "\r\nx-should-retry: false\r\n") != NULL, rows[i].is_final,
                     "%s: %s", rows[i].key, answer);
    }
    struct ledger_record records[1];
    cr_expect_eq(mill_records(mill, records, 1), 0, "a refusal leaves no record");
    mill_stop(mill);
}

Test(gatekeeper, knows_no_key_and_a_wrong_key_apart)
{
    struct mill *mill = mill_make();
    mill_key(mill, "k", NULL);
    mill_run(mill);
    cr_expect(mill_is(mill_talk(mill, CHAT, "", BODY), 401, "missing_api_key"));
    cr_expect(mill_is(mill_talk(mill, CHAT, "nobody", BODY), 401, "invalid_api_key"));
    char long_key[600];
    memset(long_key, 'a', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    cr_expect(mill_is(mill_talk(mill, CHAT, long_key, BODY), 401, "invalid_api_key"));
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_REFUSED_AUTH), 3);
    mill_stop(mill);
}

/* Sends this head with a body; true when the provider got the request. */
static bool
gets_through(struct mill *mill, const char *path, const char *fields)
{
    char head[1024];
    int client = mill_connect(mill);
    snprintf(head, sizeof head,
             "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Type: application/json\r\n"
             "Content-Length: %zu\r\nConnection: close\r\n\r\n",
             path, fields, strlen(BODY));
    mill_send(client, head);
    mill_send(client, BODY);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", "{\"fine\":1}");
    const char *answer = mill_read(mill, client, NULL);
    close(client);
    return strstr(answer, "{\"fine\":1}") != NULL;
}

Test(gatekeeper, slows_guessers_and_serves_a_good_key_beside_them)
{
    struct mill *mill = mill_make();
    mill->confs.worker.auth_failures = 3;
    mill->confs.worker.auth_window_ms = 60000;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    for (int i = 0; i < 3; i++) {
        cr_expect(mill_is(mill_talk(mill, CHAT, "guess", BODY), 401, "invalid_api_key"));
    }
    const char *answer = mill_talk(mill, CHAT, "guess", BODY);
    cr_expect(mill_is(answer, 429, "rate_limit_exceeded"), "%s", answer);
    cr_expect(strstr(answer, "\r\nretry-after: ") != NULL, "%s", answer);
    /* Many clients may share an address: their keys are as good as before. */
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer k\r\n"));
    mill_stop(mill);
}

Test(gatekeeper, finds_the_key_wherever_clients_put_it)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    static const char gemini[] = "/v1beta/models/gemini-2.5-pro:generateContent";
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer k\r\n"));
    cr_expect(gets_through(mill, CHAT, "authorization: bearer  k\r\n"));
    cr_expect(gets_through(mill, CHAT, "api-key: k\r\n"));
    cr_expect(gets_through(mill, "/v1/messages", "x-api-key: k\r\n"));
    cr_expect(
        gets_through(mill, "/v1/messages", "x-api-key: other\r\nAuthorization: Bearer k\r\n"));
    cr_expect(gets_through(mill, gemini, "x-goog-api-key: k\r\n"));
    cr_expect(gets_through(mill, "/v1beta/models/gemini-2.5-pro:generateContent?key=k", ""));
    cr_expect(strstr(mill->asked, "key=k") == NULL, "%s", mill->asked);
    mill_stop(mill);
}

/* 503, to be tried again, and nothing that a wrong key would hear. */
static bool
is_store_error(const char *answer)
{
    return mill_is(answer, 503, "overloaded") && strstr(answer, "store cannot be read") != NULL &&
           strstr(answer, "\r\nretry-after: ") != NULL &&
           strstr(answer, "x-should-retry: false") == NULL;
}

Test(gatekeeper, a_store_that_cannot_be_read_is_no_wrong_key)
{
    struct mill *mill = mill_make();
    mill->confs.worker.auth_failures = 1;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "seen", NULL);
    mill_key(mill, "fresh", NULL);
    mill_run(mill);
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer seen\r\n"));
    mill_break_store(mill);
    for (int i = 0; i < 3; i++) {
        const char *answer = mill_talk(mill, CHAT, "fresh", BODY);
        cr_expect(is_store_error(answer), "a good key: %s", answer);
        answer = mill_talk(mill, CHAT, "nobody", BODY);
        cr_expect(is_store_error(answer), "who can know that it is wrong: %s", answer);
    }
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer seen\r\n"), "it is remembered");
    struct segment *segment = &mill->test.segment;
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_REFUSED_AUTH), 0);
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_REFUSED_OVERLOADED), 6);
    mill_mend_store(mill);
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer fresh\r\n"));
    /* One wrong key is allowed, and none was counted before. */
    cr_expect(mill_is(mill_talk(mill, CHAT, "nobody", BODY), 401, "invalid_api_key"));
    cr_expect(mill_is(mill_talk(mill, CHAT, "nobody", BODY), 429, "rate_limit_exceeded"));
    mill_stop(mill);
}

Test(gatekeeper, goes_on_with_what_it_knows_when_a_change_cannot_be_read)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer k\r\n"));
    mill_break_store(mill);
    version_bump_catalog(&mill->test.segment);
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer k\r\n"));
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer k\r\n"));
    mill_stop(mill);
}

Test(gatekeeper, waits_for_a_store_that_was_never_read, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    /* It opens the store at its start and looks into it at the first request. */
    cr_expect(mill_is(mill_ask(mill, "GET", "/healthz", ""), 200, "ok"));
    mill_break_store(mill);
    cr_expect(is_store_error(mill_talk(mill, CHAT, "k", BODY)), "%s", mill->answer);
    cr_expect(is_store_error(mill_talk(mill, CHAT, "k", BODY)), "%s", mill->answer);
    mill_mend_store(mill);
    /* It tries again by itself, but not with every request. */
    for (int i = 0;
         i < 100 && !mill_is(mill_ask(mill, "GET", "/v1/models", "api-key: k\r\n"), 200, NULL);
         i++) {
        cr_assert(is_store_error(mill->answer), "%s", mill->answer);
        usleep(50000);
    }
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer k\r\n"));
    mill_stop(mill);
}

static void
disable_user(struct user *user)
{
    user->is_disabled = true;
}
static void
disable_group(struct group *group)
{
    group->is_disabled = true;
}
static void
models_group(struct group *group)
{
    group->is_disabled = false;
    snprintf(group->models, sizeof group->models, "claude-*");
}

Test(gatekeeper, sees_a_change_of_the_records_at_the_next_request)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer k\r\n"));
    mill_group(mill, disable_group);
    cr_expect(mill_is(mill_talk(mill, CHAT, "k", BODY), 403, "forbidden"));
    mill_group(mill, models_group);
    cr_expect(mill_is(mill_talk(mill, CHAT, "k", BODY), 403, "model_not_allowed"));
    mill_user(mill, disable_user);
    cr_expect(mill_is(mill_talk(mill, CHAT, "k", BODY), 401, "invalid_api_key"));
    mill_stop(mill);
}

Test(gatekeeper, counts_requests_a_minute_and_says_when_to_come_again)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "slow", slow_key);
    mill_run(mill);
    /* Not across a minute's turn. */
    uint64_t left_ms = WINDOW_MS - clock_now_ms() % WINDOW_MS;
    if (left_ms < 3000) {
        usleep((useconds_t)left_ms * 1000);
    }
    cr_expect(gets_through(mill, CHAT, "Authorization: Bearer slow\r\n"));
    const char *answer = mill_talk(mill, CHAT, "slow", BODY);
    cr_expect(mill_is(answer, 429, "rate_limit_exceeded"), "%s", answer);
    const char *retry = strstr(answer, "\r\nretry-after: ");
    cr_assert_not_null(retry);
    unsigned long seconds = strtoul(retry + 15, NULL, 10);
    cr_expect(seconds >= 1 && seconds <= 60, "%lu", seconds);
    mill_stop(mill);
}

Test(gatekeeper, consumes_nothing_of_a_limit_when_another_refuses)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "poor", poor_key);
    mill_run(mill);
    for (int i = 0; i < 5; i++) {
        cr_expect(mill_is(mill_talk(mill, CHAT, "poor", BODY), 412, "quota_exhausted"));
    }
    struct segment *segment = &mill->test.segment;
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        struct budget_view budget;
        struct window_view window;
        budget_read(segment, gate, clock_wall_ms(), &budget);
        window_read(segment, gate, clock_now_ms(), &window);
        cr_expect(budget.reserved.tokens == 0 && budget.charged.tokens == 0 &&
                  gate_held(segment, gate) == 0);
        cr_expect_eq(window.requests, 0);
    }
    mill_stop(mill);
}
