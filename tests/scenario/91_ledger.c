/*
 * 91_ledger.c - budgets hold however many requests race, and the ledger proves itself.
 */
#include "tests/scenario/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARALLEL 250u
#define ROUNDS 4u

#define BODY                                                                                      \
    "{\"model\":\"by-request\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"h" \
    "i\"}]}"

static char *
ask_text(const char *key)
{
    return play_text("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     key, strlen(BODY), BODY);
}

/* A model whose every request costs a cent, and a key of this user. */
static char *
make_key(const char *name, const char *user, const char *option, const char *value)
{
    play_must_ctl("price", "set", "by-request", "--request", "0.01", NULL);
    struct play_run run =
        option == NULL
            ? play_must_ctl("--json", "key", "create", name, "--user", user, NULL)
            : play_must_ctl("--json", "key", "create", name, "--user", user, option, value, NULL);
    char *key = play_json(run.out, "key");
    PLAY_NEED(key != NULL, "no key: %s", run.out);
    return key;
}

struct race {
    unsigned served;
    unsigned refused;
};

/* As many requests at once as there are connections, round after round. */
static struct race
run_race(const char *key)
{
    struct race race = { 0, 0 };
    struct play_conn *conns[PARALLEL];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < PARALLEL; i++) {
            conns[i] = play_open(play_world.port);
            play_print(conns[i], "%s", ask_text(key));
        }
        for (unsigned i = 0; i < PARALLEL; i++) {
            struct play_answer answer = play_read(conns[i], 30000);
            race.served += answer.status == 200 ? 1 : 0;
            race.refused += answer.status == 412 ? 1 : 0;
            if (answer.status == 412) {
                PLAY_CHECK(play_json_is(answer.body, "error.code", "quota_exhausted"), "%s",
                           answer.body);
            }
            play_close(conns[i]);
        }
    }
    return race;
}

/* Collisions refuse a little early; what is left is there for who comes alone. */
static unsigned
use_up(const char *key)
{
    unsigned served = 0;
    for (unsigned i = 0; i < 200; i++) {
        struct play_conn *c = play_open(play_world.port);
        play_print(c, "%s", ask_text(key));
        struct play_answer answer = play_read(c, 10000);
        play_close(c);
        if (answer.status == 412) {
            return served;
        }
        PLAY_NEED(answer.status == 200, "status %d: %s", answer.status, answer.body);
        served++;
    }
    return served;
}

static void
await_cost(const char *noun, const char *name, const char *cost)
{
    struct play_run run = { 0, NULL, NULL };
    for (unsigned i = 0; i < 300; i++) {
        run = play_must_ctl("--json", noun, "show", name, NULL);
        if (play_json_is(run.out, "totals.cost", cost)) {
            return;
        }
        play_sleep(20);
    }
    PLAY_CHECK(false, "%s %s has not cost %s: %s", noun, name, cost, run.out);
}

static void
verify(void)
{
    struct play_run run = play_must_ctl("--json", "ledger", "verify", NULL);
    PLAY_CHECK(play_json_is(run.out, "ok", "true"), "%s", run.out);
}

static void
strict_quota(void)
{
    char *key = make_key("racer", "tester", "--quota-day", "1");
    struct race race = run_race(key);
    PLAY_CHECK(race.served <= 100, "%u served of 100", race.served);
    PLAY_CHECK(race.served + race.refused == PARALLEL * ROUNDS, "%u and %u", race.served,
               race.refused);
    unsigned more = use_up(key);
    PLAY_CHECK(race.served + more == 100, "%u and %u more", race.served, more);
    await_cost("key", "racer", "1");
    struct play_run run = play_must_ctl("--json", "key", "show", "racer", NULL);
    PLAY_CHECK(play_json_is(run.out, "used.day", "1") && play_json_is(run.out, "reserved", "0"),
               "%s", run.out);
    verify();
}

static void
balance(void)
{
    play_must_ctl("user", "create", "payer", NULL);
    char *key = make_key("paid", "payer", NULL, NULL);
    play_must_ctl("user", "topup", "payer", "--amount", "0.5", NULL);
    struct race race = run_race(key);
    PLAY_CHECK(race.served <= 50, "%u served of 50", race.served);
    unsigned more = use_up(key);
    PLAY_CHECK(race.served + more == 50, "%u and %u more", race.served, more);
    await_cost("user", "payer", "0.5");
    struct play_run run = play_must_ctl("--json", "user", "balance", "payer", NULL);
    PLAY_CHECK(play_json_is(run.out, "balance", "0"), "%s", run.out);
    /* Paid in again, it works again. */
    play_must_ctl("user", "topup", "payer", "--amount", "0.02", NULL);
    PLAY_CHECK(use_up(key) == 2, "two cents are two requests");
    verify();
}

static void
plan(void)
{
    play_must_ctl("user", "create", "subscriber", NULL);
    char *key = make_key("sub", "subscriber", NULL, NULL);
    play_must_ctl("plan", "create", "small", "--user", "subscriber", "--week", "0.03", NULL);
    PLAY_CHECK(use_up(key) == 3, "three cents a week are three requests");
    play_must_ctl("plan", "set", "small", "--week", "0.05", NULL);
    PLAY_CHECK(use_up(key) == 2, "two more");
    play_must_ctl("plan", "disable", "small", NULL);
    PLAY_CHECK(use_up(key) == 0, "a plan that is over refuses");
    play_must_ctl("plan", "remove", "small", NULL);
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "%s", ask_text(key));
    PLAY_CHECK(play_read(c, 10000).status == 200, "without a plan nothing is limited");
    play_close(c);
    verify();
}

/* Budgets are kept over a restart of everything. */
static void
restart(void)
{
    char *key = make_key("keeper", "tester", "--quota", "0.04");
    for (unsigned i = 0; i < 3; i++) {
        struct play_conn *c = play_open(play_world.port);
        play_print(c, "%s", ask_text(key));
        PLAY_CHECK(play_read(c, 10000).status == 200, "there is enough");
        play_close(c);
    }
    PLAY_CHECK(play_stop_gateway(20000) == 0, "it stops in good order");
    play_start_gateway();
    PLAY_NEED(play_wait_ready(20000), "it starts again");
    PLAY_CHECK(use_up(key) == 1, "one of four is left");
    verify();
}

static void
reports(void)
{
    char *key = make_key("reported", "tester", NULL, NULL);
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "%s", ask_text(key));
    PLAY_CHECK(play_read(c, 10000).status == 200, "served");
    play_close(c);
    await_cost("key", "reported", "0.01");
    struct play_run run = play_must_ctl("--json", "usage", "--by", "key", "--since", "1h", NULL);
    PLAY_CHECK(strstr(run.out, "{\"name\":\"reported\",\"requests\":1,") != NULL, "%s", run.out);
    run = play_must_ctl("ledger", "export", "--csv", NULL);
    PLAY_CHECK(strncmp(run.out, "sequence,time,", 14) == 0, "%.200s", run.out);
    struct play_answer answer =
        play_request(play_world.port, "GET", "/v1/usage",
                     play_text("Authorization: Bearer %s\r\n", key), NULL, 0);
    PLAY_CHECK(answer.status == 200 && play_json_is(answer.body, "usage.total.cost", "0.01"), "%s",
               answer.body);
}

static const struct play_test tests[] = {
    { "strict_quota", strict_quota, 120 },
    { "balance", balance, 120 },
    { "plan", plan, 60 },
    { "restart", restart, 90 },
    { "reports", reports, 60 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "ledger", tests, NULL, NULL)
