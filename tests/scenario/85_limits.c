/*
 * 85_limits.c - limits as clients meet them, and how the operator sees what is held and why an
 * account is, or is not, used.
 */
#include "tests/scenario/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
has(const struct play_run *run, const char *text)
{
    return strstr(run->out, text) != NULL;
}

/* Each text begins another conversation, which is bound to no account yet. */
static struct play_conn *
ask(const char *model, bool wants_stream)
{
    static unsigned count;
    struct play_conn *c = play_open(play_world.port);
    char *body = play_text("{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\","
                           "\"content\":\"hi %u\"}]}",
                           model, wants_stream ? "true" : "false", count++);
    play_print(c, "%s", play_post_text("/v1/chat/completions", body));
    return c;
}

/* The number of the gate of this kind and name in `slots --json`; 0 when it is not shown. */
static uint64_t
gate_number(const char *json, const char *kind, const char *name, const char *member)
{
    for (unsigned i = 0; i < 100; i++) {
        const char *has_kind = play_json(json, play_text("items.%u.kind", i));
        if (has_kind == NULL) {
            return 0;
        }
        if (strcmp(has_kind, kind) == 0 &&
            play_json_is(json, play_text("items.%u.name", i), name)) {
            return play_json_number(json, play_text("items.%u.%s", i, member));
        }
    }
    return 0;
}

/* Waits until this gate's member has the value; the last picture. */
static char *
wait_gate(const char *kind, const char *name, const char *member, uint64_t value)
{
    uint64_t end = play_now_ms() + 5000;
    struct play_run run;
    do {
        run = play_ctl("--json", "slots", NULL);
        if (gate_number(run.out, kind, name, member) == value) {
            break;
        }
        play_sleep(20);
    } while (play_now_ms() < end);
    PLAY_CHECK(gate_number(run.out, kind, name, member) == value, "%s %s is not %llu: %s", kind,
               member, (unsigned long long)value, run.out);
    return run.out;
}

/* Two hold, one waits: columns, limits and leases agree in every state, and in the end all is 0. */
static void
slots_equal_leases(void)
{
    play_must_ctl("user", "set", "tester", "--concurrency", "2", NULL);
    struct play_conn *first = ask("fake-n60-gap50", true);
    struct play_conn *second = ask("fake-n60-gap50", true);
    PLAY_NEED(play_read_head(first, 5000).status == 200, "the first is not served");
    PLAY_NEED(play_read_head(second, 5000).status == 200, "the second is not served");
    struct play_conn *third = ask("fake-usage", false);
    char *json = wait_gate("user", "tester", "waiting", 1);
    PLAY_CHECK(gate_number(json, "user", "tester", "held") == 2 &&
                   gate_number(json, "user", "tester", "limit") == 2 &&
                   gate_number(json, "user", "tester", "leases") == 2,
               "the user's gate: %s", json);
    PLAY_CHECK(gate_number(json, "account", "openai", "held") == 2, "the account's gate: %s", json);
    PLAY_CHECK(play_json_is(json, "ok", "true") && play_json_is(json, "line", "ok"), "check: %s",
               json);
    struct play_run run = play_must_ctl("slots", NULL);
    PLAY_CHECK(has(&run, "tester") && has(&run, "HELD") && has(&run, "\nok\n"), "slots: %s",
               run.out);
    play_reset(first);
    play_reset(second);
    PLAY_CHECK(play_read(third, 10000).status == 200, "the third is not served");
    json = wait_gate("user", "tester", "held", 0);
    run = play_must_ctl("--json", "slots", "--all", NULL);
    PLAY_CHECK(play_json_number(run.out, "held") == 0 && play_json_number(run.out, "leases") == 0,
               "not all is given back: %s", run.out);
    PLAY_CHECK(gate_number(run.out, "user", "tester", "limit") == 2, "--all shows idle gates: %s",
               run.out);
    play_must_ctl("user", "set", "tester", "--concurrency", "0", NULL);
    PLAY_CHECK(play_ctl("slots", "--nonsense", NULL).status == 2, "an unknown option is taken");
}

static struct play_run
explain(const char *model, const char *dialect)
{
    return play_ctl("--json", "explain", "--key", "explained", "--model", model, "--dialect",
                    dialect, NULL);
}

/* A reason for each account of the key's group, the choice, and what the key itself may not. */
static void
selection_is_explained(void)
{
    play_must_ctl("key", "create", "explained", "--user", "tester", "--models", "fake-*,x/y:z",
                  NULL);
    struct play_run run = explain("fake-usage", "chat");
    PLAY_CHECK(run.status == 0 && play_json_is(run.out, "chosen", "openai") &&
                   has(&run, "claude") && has(&run, "does not speak the dialect") &&
                   has(&run, "can serve"),
               "chat: %s%s", run.out, run.err);
    run = explain("fake-usage", "anthropic");
    PLAY_CHECK(play_json_is(run.out, "chosen", "claude"), "anthropic: %s", run.out);
    run = explain("gpt-4o", "chat");
    PLAY_CHECK(run.status == 1 && play_json_is(run.out, "code", "model_not_allowed"), "model: %s",
               run.out);
    run = explain("x/y:z", "chat");
    PLAY_CHECK(play_json_is(run.out, "model", "x/y:z") && play_json_is(run.out, "ok", "true"),
               "an odd name: %s", run.out);
    play_must_ctl("account", "disable", "claude", NULL);
    run = explain("fake-usage", "anthropic");
    PLAY_CHECK(run.status == 1 && play_json_is(run.out, "result", "disabled"), "disabled: %s",
               run.out);
    play_must_ctl("account", "enable", "claude", NULL);
    play_must_ctl("account", "set", "openai", "--model-map", "fake-usage=fake-other", NULL);
    run = explain("fake-usage", "chat");
    PLAY_CHECK(has(&run, "fake-other"), "mapping: %s", run.out);
    play_must_ctl("account", "set", "openai", "--model-map", "", NULL);
    run = play_must_ctl("explain", "--key", "explained", "--model", "fake-usage", NULL);
    PLAY_CHECK(has(&run, "ACCOUNT") && has(&run, "openai would serve it"), "table: %s", run.out);
    play_must_ctl("key", "disable", "explained", NULL);
    run = explain("fake-usage", "chat");
    PLAY_CHECK(run.status == 1 && play_json_is(run.out, "code", "invalid_api_key"), "key: %s",
               run.out);
    play_must_ctl("key", "remove", "explained", NULL);
    PLAY_CHECK(explain("fake-usage", "chat").status == 1, "a key that is gone");
    PLAY_CHECK(play_ctl("explain", "--key", NULL).status == 2, "no value");
}

/* The client is told when the first account is there again, in whole seconds, not what a provider
 * wrote. */
static void
waits_are_told_in_seconds(void)
{
    play_must_ctl("account", "reset", "openai", NULL);
    struct play_answer a = play_read(ask("fake-status429-retryafter9", false), 10000);
    char *after = play_field(&a, "retry-after");
    PLAY_CHECK(a.status == 429 && after != NULL && atoi(after) >= 8 && atoi(after) <= 9,
               "429: %d, retry-after %s", a.status, after);
    struct play_run run = play_ctl("--json", "account", "show", "openai", NULL);
    uint64_t ms = play_json_number(run.out, "cooling_ms");
    PLAY_CHECK(play_json_is(run.out, "state", "cooling") && ms > 5000 && ms <= 9000, "account: %s",
               run.out);
    play_must_ctl("account", "reset", "openai", NULL);
    /* A relay that says "in 18 days" is asked again after [upstream] bench_max. */
    a = play_read(ask("fake-status429-retryafter1555200", false), 10000);
    after = play_field(&a, "retry-after");
    PLAY_CHECK(after != NULL && atoi(after) > 55 && atoi(after) <= 60, "18 days: %s", after);
    run = play_ctl("--json", "account", "show", "openai", NULL);
    PLAY_CHECK(play_json_number(run.out, "cooling_ms") <= 60000, "account: %s", run.out);
    play_must_ctl("account", "reset", "openai", NULL);
}

/* A provider that does not have the model: another account is asked, and the first one rests for
 * this model only. When there is no other, its answer is passed on. */
static void
a_model_rests_alone(void)
{
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    char *secret = play_text("%s/nomodel.key", play_world.dir);
    play_write_file(secret, "fake-status404\n");
    play_must_ctl("account", "create", "nomodel", "--platform", "openai", "--base-url", url,
                  "--api-key-file", secret, "--priority", "1", NULL);
    struct play_answer a = play_read(ask("fake-usage", false), 10000);
    PLAY_CHECK(a.status == 200, "the other account is not asked: %d %s", a.status, a.body);
    struct play_run run = play_ctl("--json", "account", "show", "nomodel", NULL);
    PLAY_CHECK(play_json_is(run.out, "state", "ok"), "the account itself is well: %s", run.out);
    play_must_ctl("key", "create", "modelkey", "--user", "tester", NULL);
    run = play_ctl("--json", "explain", "--key", "modelkey", "--model", "fake-usage", NULL);
    PLAY_CHECK(has(&run, "its provider does not have the model") &&
                   play_json_is(run.out, "chosen", "openai"),
               "explain: %s", run.out);
    run = play_ctl("--json", "explain", "--key", "modelkey", "--model", "fake-n3", NULL);
    PLAY_CHECK(play_json_is(run.out, "chosen", "nomodel"), "another model: %s", run.out);
    play_must_ctl("account", "reset", "nomodel", NULL);
    run = play_ctl("--json", "explain", "--key", "modelkey", "--model", "fake-usage", NULL);
    PLAY_CHECK(play_json_is(run.out, "chosen", "nomodel"), "after a reset: %s", run.out);
    play_must_ctl("account", "disable", "openai", NULL);
    for (unsigned i = 0; i < 2; i++) {
        a = play_read(ask("fake-usage", false), 10000);
        PLAY_CHECK(a.status == 404 && strstr(a.body, "model") != NULL, "no other: %d %s", a.status,
                   a.body);
    }
    play_must_ctl("account", "enable", "openai", NULL);
    play_must_ctl("account", "remove", "nomodel", NULL);
    play_must_ctl("key", "remove", "modelkey", NULL);
}

/* Tokens are known when an answer ends; the next request of the minute finds them. The limiter is
 * named, and the other keys of the user go on. */
static void
tokens_a_minute(void)
{
    static const char *const nouns[] = { "user", "group", "account" };
    static const char *const names[] = { "tester", "default", "openai" };
    for (unsigned i = 0; i < 3; i++) {
        /* Both requests in one minute of the clock that windows use. */
        if (play_now_ms() % 60000 > 50000) {
            play_sleep((unsigned)(60000 - play_now_ms() % 60000) + 50);
        }
        play_must_ctl(nouns[i], "set", names[i], "--tpm", "1", NULL);
        struct play_answer a = play_read(ask("fake-usage", false), 10000);
        bool had = a.status == 429; /* what earlier tests used in this minute */
        PLAY_CHECK(had || a.status == 200, "%s: %d %s", nouns[i], a.status, a.body);
        a = play_read(ask("fake-usage", false), 10000);
        PLAY_CHECK(a.status == 429 && play_field(&a, "retry-after") != NULL, "%s: %d %s", nouns[i],
                   a.status, a.body);
        PLAY_CHECK(i == 2 || (strstr(a.body, nouns[i]) != NULL && strstr(a.body, "tokens") != NULL),
                   "the limiter is not named: %s", a.body);
        play_must_ctl(nouns[i], "set", names[i], "--tpm", "0", NULL);
        a = play_read(ask("fake-usage", false), 10000);
        PLAY_CHECK(a.status == 200, "%s without a limit: %d %s", nouns[i], a.status, a.body);
    }
}

static const struct play_test tests[] = {
    { "slots_equal_leases", slots_equal_leases, 60 },
    { "selection_is_explained", selection_is_explained, 60 },
    { "waits_are_told_in_seconds", waits_are_told_in_seconds, 0 },
    { "a_model_rests_alone", a_model_rests_alone, 60 },
    { "tokens_a_minute", tokens_a_minute, 90 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "upstream.bench_max=60s", "worker.sticky_time=0", NULL };

PLAY_GROUP(group, "limits", tests, settings, NULL)
