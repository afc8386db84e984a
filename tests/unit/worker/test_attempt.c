/* Which account gets the request, what a failure means for it and for the client, through a real
 * worker with two accounts at one provider (the test): each sends its own name of the model. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "shm/window.h"
#include "tests/unit/worker/pair.h"

/* --- which failures go to another account --- */

static const struct {
    const char *said; /* by the provider */
    uint16_t status;  /* what the client gets when nobody is left */
    const char *code;
    enum health_reason reason;
} faults[] = {
    { "401 Unauthorized", 502, "upstream_error", HEALTH_REASON_AUTH },
    { "402 Payment Required", 502, "upstream_error", HEALTH_REASON_BILLING },
    { "403 Forbidden", 502, "upstream_error", HEALTH_REASON_SERVER_ERROR }, /* a page says so */
    { "429 Too Many Requests", 429, "rate_limit_exceeded", HEALTH_REASON_RATE_LIMITED },
    { "302 Found", 502, "upstream_error", HEALTH_REASON_SERVER_ERROR },
    { "500 Internal Server Error", 502, "upstream_error", HEALTH_REASON_SERVER_ERROR },
    { "502 Bad Gateway", 502, "upstream_error", HEALTH_REASON_SERVER_ERROR },
    { "503 Service Unavailable", 502, "upstream_error", HEALTH_REASON_OVERLOADED },
    { "504 Gateway Timeout", 504, "upstream_timeout", HEALTH_REASON_TIMEOUT },
    { "529 Overloaded", 503, "overloaded", HEALTH_REASON_OVERLOADED },
};
#define FAULTS_KNOWN (sizeof faults / sizeof faults[0])

Test(attempt, asks_another_account_when_the_first_one_is_at_fault, .timeout = 60)
{
    struct mill *mill = make_two();
    mill_run(mill);
    for (size_t i = 0; i < FAULTS_KNOWN; i++) {
        int client = ask(mill, PLAIN);
        take_from(mill, "one");
        fail_with(mill, faults[i].said);
        take_from(mill, "two");
        expect_fine(mill, client);
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect(record.status == 200 && record.code[0] == '\0' && record.attempt == 1, "%s",
                  faults[i].said);
        cr_expect_str_eq(record.model_sent, "two", "%s", faults[i].said);
        struct health_view view = health_of(mill, ONE);
        cr_expect_eq(view.reason, faults[i].reason, "%s: %s", faults[i].said,
                     health_reason_text(view.reason));
        cr_expect_eq(view.last_status, (uint32_t)atoi(faults[i].said));
        cr_expect_eq(health_of(mill, TWO).state, HEALTH_OK);
        forgive(mill);
    }
    const struct segment *segment = &mill->test.segment;
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_SWITCHES), FAULTS_KNOWN);
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_UPSTREAM_FAILURES), FAULTS_KNOWN);
    mill_stop(mill);
}

Test(attempt, tells_the_client_of_the_last_failure_when_nobody_is_left, .timeout = 60)
{
    struct mill *mill = make_one();
    mill_run(mill);
    for (size_t i = 0; i < FAULTS_KNOWN; i++) {
        int client = ask(mill, PLAIN);
        take_from(mill, "one");
        fail_with(mill, faults[i].said);
        mill_read(mill, client, "}}");
        close(client);
        cr_expect(mill_is(mill->answer, faults[i].status, faults[i].code), "%s: %s", faults[i].said,
                  mill->answer);
        bool may_come_back = faults[i].status == 429 || faults[i].status == 503;
        cr_expect_eq(has(mill->answer, "\r\nretry-after: "), may_come_back, "%s", mill->answer);
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect_eq(record.status, faults[i].status);
        cr_expect_str_eq(record.code, faults[i].code);
        forgive(mill);
    }
    mill_stop(mill);
}

Test(attempt, passes_what_is_the_clients_own_fault, .timeout = 30)
{
    static const char *const said[] = { "400 Bad Request", "404 Not Found", "409 Conflict",
                                        "413 Payload Too Large", "422 Unprocessable Entity" };
    static const char body[] = "{\"error\":{\"message\":\"no\",\"type\":\"x\",\"code\":\"y\"}}";
    struct mill *mill = make_two();
    mill_run(mill);
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        int client = ask(mill, PLAIN);
        take_from(mill, "one");
        mill_answer(mill, said[i], "application/json", body);
        mill_read(mill, client, body);
        close(client);
        cr_expect(mill_is(mill->answer, (int)strtol(said[i], NULL, 10), "y"), "%s", mill->answer);
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect(record.status == strtol(said[i], NULL, 10) && record.attempt == 0, "%s", said[i]);
        cr_expect_str_eq(record.code, "upstream_rejected");
        cr_expect_eq(health_of(mill, ONE).state, HEALTH_OK, "%s", said[i]);
        cr_expect_eq(health_of(mill, ONE).streak, 0, "%s", said[i]);
    }
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_SWITCHES), 0);
    mill_stop(mill);
}

Test(attempt, passes_a_limit_in_the_providers_own_words_but_never_its_secrets)
{
    static const char shaped[] = "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\","
                                 "\"code\":\"rate_limit_exceeded\"}}";
    static const char telling[] =
        "{\"error\":{\"message\":\"Key sk-proj-abcdefghijklmnop1234567890 of org-"
        "AbCdEfGhIjKlMnOp1234 is out\",\"type\":\"server_error\"}}";
    struct mill *mill = make_one();
    mill_run(mill);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    mill_answer(mill, "429 Too Many Requests", "application/json", shaped);
    mill_read(mill, client, "}}");
    close(client);
    cr_expect(mill_is(mill->answer, 429, NULL) && has(mill->answer, shaped), "%s", mill->answer);
    forgive(mill);
    client = ask(mill, PLAIN);
    take_from(mill, "one");
    mill_answer(mill, "500 Internal Server Error", "application/json", telling);
    mill_read(mill, client, "}}");
    close(client);
    cr_expect(mill_is(mill->answer, 502, "upstream_error"), "%s", mill->answer);
    cr_expect(!has(mill->answer, "abcdefghijklmnop") && !has(mill->answer, "AbCdEfGhIjKl"), "%s",
              mill->answer);
    cr_expect(has(mill->answer, "is out"), "but what it says: %s", mill->answer);
    mill_stop(mill);
}

/* --- how often --- */

static void
be_three(struct account *account)
{
    account->priority = 3;
    snprintf(account->model_map, sizeof account->model_map, "m=three");
}

Test(attempt, switches_no_more_often_than_it_may, .timeout = 30)
{
    static const char *const names[] = { "one", "two", "three" };
    for (uint32_t switches = 0; switches < 3; switches++) {
        struct mill *mill = make_two();
        mill_account(mill, "three", be_three);
        mill->confs.upstream.max_switches = switches;
        mill_run(mill);
        int client = ask(mill, PLAIN);
        for (uint32_t i = 0; i <= switches; i++) {
            take_from(mill, names[i]);
            fail_with(mill, "500 Internal Server Error");
        }
        expect_refused(mill, client, 502, "upstream_error");
        mill_settled(mill);
        const struct segment *segment = &mill->test.segment;
        cr_expect_eq(counter_of(segment, mill->slot, COUNTER_SWITCHES), switches);
        cr_expect_eq(counter_of(segment, mill->slot, COUNTER_UPSTREAM_FAILURES), switches + 1);
        mill_stop(mill);
    }
}

/* A kept connection may have died unnoticed: the provider closes it as the request comes. */
Test(attempt, replaces_a_dead_kept_connection_once)
{
    struct mill *mill = make_one();
    mill_run(mill);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    expect_fine(mill, client);
    struct ledger_record record;
    mill_record(mill, &record);
    client = ask(mill, PLAIN);
    take_from(mill, "one");
    mill_hang_up(mill);
    take_from(mill, "one"); /* by itself, on a new connection */
    expect_fine(mill, client);
    mill_record(mill, &record);
    cr_expect(record.status == 200 && record.attempt == 0,
              "the client and the books do not see it");
    const struct segment *segment = &mill->test.segment;
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_POOL_STALE), 1);
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_UPSTREAM_FAILURES), 0);
    cr_expect_eq(health_of(mill, ONE).streak, 0);
    /* Twice is the account's fault. */
    client = ask(mill, PLAIN);
    take_from(mill, "one");
    mill_hang_up(mill);
    take_from(mill, "one");
    mill_hang_up(mill);
    expect_refused(mill, client, 502, "upstream_error");
    cr_expect_eq(health_of(mill, ONE).reason, HEALTH_REASON_CONNECT);
    mill_stop(mill);
}

Test(attempt, a_new_connection_that_is_cut_is_the_accounts_fault)
{
    struct mill *mill = make_two();
    mill_run(mill);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    mill_hang_up(mill);
    take_from(mill, "two");
    expect_fine(mill, client);
    cr_expect_eq(health_of(mill, ONE).streak, 1);
    mill_stop(mill);
}

static void
be_nowhere(struct account *account)
{
    be_one(account);
    snprintf(account->base_url, sizeof account->base_url, "http://127.0.0.1:1");
}

Test(attempt, goes_on_when_an_account_cannot_be_reached)
{
    struct mill *mill = mill_make();
    mill->confs.worker.sticky_ms = 0;
    mill_account(mill, "one", be_nowhere);
    mill_account(mill, "two", be_two);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    for (int i = 0; i < 2; i++) {
        int client = ask(mill, PLAIN);
        take_from(mill, "two");
        expect_fine(mill, client);
    }
    struct health_view view = health_of(mill, ONE);
    cr_expect(view.state == HEALTH_COOLING && view.reason == HEALTH_REASON_CONNECT, "%s",
              health_reason_text(view.reason));
    cr_expect(has(view.excerpt, "refused"), "%s", view.excerpt);
    mill_stop(mill);
}

Test(attempt, does_not_wait_for_ever_for_the_first_byte, .timeout = 30)
{
    struct mill *mill = make_two();
    mill->confs.upstream.first_byte_ms = 100;
    mill_run(mill);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    take_from(mill, "two"); /* while nothing comes from the first */
    expect_refused(mill, client, 504, "upstream_timeout");
    /* Who was silent too long may have worked: a record of its own, that the client does not pay.
     */
    struct ledger_record records[2];
    mill_settled(mill);
    cr_assert_eq(mill_records(mill, records, 2), 2);
    cr_expect(records[0].is_last == 0 && records[0].cost_nano == 0);
    cr_expect(records[1].is_last == 1 && records[1].status == 504);
    cr_expect_str_eq(records[1].code, "upstream_timeout");
    cr_expect_eq(health_of(mill, ONE).reason, HEALTH_REASON_TIMEOUT);
    cr_expect_eq(health_of(mill, TWO).reason, HEALTH_REASON_TIMEOUT);
    mill_stop(mill);
}

/* --- what is held meanwhile --- */

static void
be_one_at_a_time(struct account *account)
{
    be_one(account);
    account->concurrency = 1;
}
static void
be_two_at_a_time(struct account *account)
{
    be_two(account);
    account->concurrency = 1;
}

Test(attempt, holds_one_account_at_a_time)
{
    struct mill *mill = mill_make();
    mill_account(mill, "one", be_one_at_a_time);
    mill_account(mill, "two", be_two_at_a_time);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    uint32_t one = mill_gate(mill, GATE_ACCOUNT, "one");
    uint32_t two = mill_gate(mill, GATE_ACCOUNT, "two");
    const struct segment *segment = &mill->test.segment;
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    cr_expect(gate_held(segment, one) == 1 && gate_held(segment, two) == 0);
    fail_with(mill, "500 Internal Server Error");
    take_from(mill, "two");
    cr_expect(gate_held(segment, one) == 0 && gate_held(segment, two) == 1);
    expect_fine(mill, client);
    mill_settled(mill);
    cr_expect(gate_held(segment, one) == 0 && gate_held(segment, two) == 0);
    mill_stop(mill);
}

/* It waited for the other account after a failure: that failure is the better answer. */
Test(attempt, a_failure_is_told_rather_than_the_wait_behind_it)
{
    struct mill *mill = mill_make();
    mill->confs.worker.queue_account_ms = 50;
    mill_account(mill, "one", be_one_at_a_time);
    mill_account(mill, "two", be_two_at_a_time);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    uint32_t two = mill_gate(mill, GATE_ACCOUNT, "two");
    mill_occupy(mill, two);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    fail_with(mill, "504 Gateway Timeout");
    expect_refused(mill, client, 504, "upstream_timeout");
    mill_vacate(mill, two);
    mill_stop(mill);
}

/* --- when there is no account at all --- */

static void
be_disabled(struct account *account)
{
    account->is_disabled = true;
}
static void
be_another_model(struct account *account)
{
    snprintf(account->models, sizeof account->models, "other-*");
}
static void
be_slow(struct account *account)
{
    account->rpm = 1;
}

Test(attempt, says_why_there_is_no_account, .timeout = 30)
{
    static const struct {
        void (*change)(struct account *account);
        int status;
        const char *code;
        const char *why;
    } rows[] = {
        { NULL, 503, "no_channel_available", "the group has no account" },
        { be_disabled, 503, "no_channel_available", "(disabled)" },
        { be_another_model, 404, "model_not_found", "serves the model 'm'\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mill *mill = mill_make();
        mill_key(mill, "k", NULL);
        if (rows[i].change != NULL) {
            mill_account(mill, "acme", rows[i].change);
        }
        mill_run(mill);
        int client = ask(mill, PLAIN);
        mill_read(mill, client, "}}");
        close(client);
        cr_expect(mill_is(mill->answer, rows[i].status, rows[i].code), "%s", mill->answer);
        cr_expect(has(mill->answer, rows[i].why), "%s", mill->answer);
        cr_expect_eq(has(mill->answer, "\r\nretry-after: 5\r\n"), rows[i].status == 503, "%s",
                     mill->answer);
        cr_expect_eq(has(mill->answer, "x-should-retry: false"), rows[i].status == 404);
        mill_settled(mill);
        struct ledger_record records[1];
        cr_expect_eq(mill_records(mill, records, 1), 0, "it reached no account");
        mill_counts(mill, COUNTER_REFUSED_NO_CHANNEL, 1);
        mill_stop(mill);
    }
}

Test(attempt, says_when_an_account_comes_back, .timeout = 90)
{
    struct mill *mill = make_two();
    mill_run(mill);
    struct segment *segment = &mill->test.segment;
    uint64_t now_ms = clock_now_ms();
    health_failure(segment, mill->other, ONE, HEALTH_REASON_RATE_LIMITED, 50000, 429, STR(""),
                   now_ms);
    health_failure(segment, mill->other, TWO, HEALTH_REASON_RATE_LIMITED, 20000, 429, STR(""),
                   now_ms);
    expect_refused(mill, ask(mill, PLAIN), 429, "rate_limit_exceeded");
    cr_expect(has(mill->answer, "a limit of their provider"), "%s", mill->answer);
    unsigned long seconds = retry_after_of(mill->answer);
    cr_expect(seconds >= 10 && seconds <= 20, "the first of them: %lu", seconds);
    forgive(mill);
    health_failure(segment, mill->other, ONE, HEALTH_REASON_RATE_LIMITED, 50000, 429, STR(""),
                   now_ms);
    health_failure(segment, mill->other, TWO, HEALTH_REASON_AUTH, 0, 401, STR(""), now_ms);
    expect_refused(mill, ask(mill, PLAIN), 503, "no_channel_available");
    cr_expect(has(mill->answer, "cooling down"), "%s", mill->answer);
    mill_stop(mill);
}

Test(attempt, an_accounts_minute_is_used_up, .timeout = 90)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", be_slow);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    uint64_t left_ms = WINDOW_MS - clock_now_ms() % WINDOW_MS;
    if (left_ms < 5000) {
        usleep((useconds_t)left_ms * 1000); /* not across a minute's turn */
    }
    int client = ask(mill, PLAIN);
    mill_take(mill);
    expect_fine(mill, client);
    expect_refused(mill, ask(mill, PLAIN), 429, "rate_limit_exceeded");
    unsigned long seconds = retry_after_of(mill->answer);
    cr_expect(seconds >= 1 && seconds <= 60, "%lu", seconds);
    mill_stop(mill);
}

/* --- what it learns --- */

Test(attempt, one_request_tries_whether_a_benched_account_is_back)
{
    struct mill *mill = make_two();
    mill_run(mill);
    /* A bench of a second, ten seconds ago. */
    health_failure(&mill->test.segment, mill->other, ONE, HEALTH_REASON_RATE_LIMITED, 1000, 429,
                   STR(""), clock_now_ms() - 10000);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    cr_expect_eq(health_of(mill, ONE).state, HEALTH_PROBING);
    int meanwhile = ask(mill, PLAIN);
    int probe = mill_put_aside(mill);
    take_from(mill, "two"); /* one at a time */
    expect_fine(mill, meanwhile);
    mill_hang_up(mill);
    mill->provider = probe;
    expect_fine(mill, client);
    mill_settled(mill);
    cr_expect_eq(health_of(mill, ONE).state, HEALTH_OK);
    mill_stop(mill);
}

/* --- the log --- */

Test(attempt, logs_each_failed_attempt_and_the_request_once)
{
    struct mill *mill = make_two();
    mill->confs.worker.log_requests = WORKERCONF_LOG_ALL;
    mill_keep_log(mill);
    mill_run(mill);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    mill_answer(mill, "500 Internal Server Error", "application/json",
                "{\"error\":{\"message\":\"boom sk-proj-abcdefghijklmnop1234567890\"}}");
    take_from(mill, "two");
    expect_fine(mill, client);
    char id[64];
    const char *at = strstr(mill->answer, "x-request-id: ");
    cr_assert(at != NULL && sscanf(at, "x-request-id: %60s", id) == 1);
    mill_log(mill, "act=request");
    char line[160];
    snprintf(line, sizeof line, "act=attempt req=%s account=one attempt=0 status=500 blame=server ",
             id);
    cr_expect(has(mill->log, line), "%s", mill->log);
    cr_expect(has(mill->log, "boom") && !has(mill->log, "abcdefghijklmnop"), "%s", mill->log);
    snprintf(line, sizeof line, "act=request req=%s endpoint=chat status=200 key=k account=two ",
             id);
    cr_expect(has(mill->log, line), "%s", mill->log);
    cr_expect(has(mill->log, "model=m sent=two ") && has(mill->log, " attempts=2 "), "%s",
              mill->log);
    cr_expect(!has(mill->log, "sk-provider"), "%s", mill->log);
    mill_stop(mill);
}
