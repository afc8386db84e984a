/*
 * 86_rates.c - requests and tokens a minute as clients meet them, and that every 429 of the gateway
 * names its limiter and says when to come back.
 */
#include "tests/scenario/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000u

/* So that the next so many milliseconds lie in one minute of the clock that windows use. */
static void
await_minute(unsigned need_ms)
{
    unsigned left_ms = (unsigned)(MINUTE_MS - play_now_ms() % MINUTE_MS);
    if (left_ms < need_ms) {
        play_sleep(left_ms + 50);
    }
}

static char *
chat(const char *model, unsigned max_tokens, bool wants_stream)
{
    return play_text("{\"model\":\"%s\",\"max_tokens\":%u,\"stream\":%s,\"messages\":[{\"role\":"
                     "\"user\",\"content\":\"hi\"}]}",
                     model, max_tokens, wants_stream ? "true" : "false");
}

static struct play_conn *
begin(const char *model, bool wants_stream)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "%s", play_post_text("/v1/chat/completions", chat(model, 50, wants_stream)));
    return c;
}

/* A field's number; -1 when it is not there. */
static long
number(const struct play_answer *a, const char *name)
{
    char *value = play_field(a, name);
    return value == NULL ? -1 : strtol(value, NULL, 10);
}

static void
limit(const char *noun, const char *name, const char *option, const char *value)
{
    play_must_ctl(noun, "set", name, option, value, NULL);
}

/* A 429 with this code, which names the limiter and says in whole seconds when to come back. */
static void
is_told(const struct play_answer *a, const char *code, const char *who)
{
    char *after = play_field(a, "retry-after");
    PLAY_CHECK(a->status == 429 && strstr(a->body, code) != NULL, "not 429 %s: %d %s", code,
               a->status, a->body);
    PLAY_CHECK(strstr(a->body, who) != NULL, "'%s' is not named: %s", who, a->body);
    PLAY_CHECK(after != NULL && strspn(after, "0123456789") == strlen(after) && atoi(after) >= 1 &&
                   atoi(after) <= 60,
               "retry-after: %s", after == NULL ? "none" : after);
}

static void
clients_see_their_limits(void)
{
    struct play_answer a = play_post("/v1/chat/completions", chat("fake-usage", 50, false));
    PLAY_CHECK(a.status == 200 && play_field(&a, "x-ratelimit-limit-requests") == NULL,
               "no limit is set: %s", a.head);
    limit("user", "tester", "--rpm", "1000");
    limit("group", "default", "--tpm", "50000");
    await_minute(10000);
    a = play_post("/v1/chat/completions", chat("fake-headers", 50, false));
    PLAY_CHECK(a.status == 200 && number(&a, "x-ratelimit-limit-requests") == 1000 &&
                   number(&a, "x-ratelimit-limit-tokens") == 50000,
               "limits: %s", a.head);
    long left = number(&a, "x-ratelimit-remaining-requests");
    PLAY_CHECK(left > 900 && left < 1000, "not the provider's 99, but ours: %s", a.head);
    char *reset = play_field(&a, "x-ratelimit-reset-tokens");
    PLAY_CHECK(reset != NULL && reset[strlen(reset) - 1] == 's' && atoi(reset) >= 1 &&
                   atoi(reset) <= 60,
               "reset: %s", a.head);
    struct play_answer b = play_post("/v1/chat/completions", chat("fake-usage", 50, false));
    PLAY_CHECK(number(&b, "x-ratelimit-remaining-requests") == left - 1, "one less: %s", b.head);
    b = play_post("/v1/responses", "{\"model\":\"fake-n3\",\"stream\":true,\"input\":\"hi\"}");
    PLAY_CHECK(b.status == 200 && number(&b, "x-ratelimit-remaining-requests") == left - 2,
               "a stream: %s", b.head);
    b = play_post("/v1/messages", chat("fake-usage", 50, false));
    PLAY_CHECK(b.status == 200 && number(&b, "anthropic-ratelimit-requests-limit") == 1000 &&
                   number(&b, "anthropic-ratelimit-requests-remaining") == left - 3 &&
                   number(&b, "anthropic-ratelimit-tokens-limit") == 50000,
               "anthropic: %s", b.head);
    reset = play_field(&b, "anthropic-ratelimit-tokens-reset");
    PLAY_CHECK(reset != NULL && strlen(reset) == 20 && reset[10] == 'T' && reset[19] == 'Z',
               "reset: %s", b.head);
    PLAY_CHECK(strstr(b.head, "x-ratelimit-") == NULL, "two families: %s", b.head);
    b = play_post("/v1beta/models/fake-usage:generateContent",
                  "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}");
    PLAY_CHECK(b.status == 200 && number(&b, "x-ratelimit-remaining-requests") == left - 4,
               "gemini: %s", b.head);
    b = play_post("/v1/chat/completions", chat("fake-status400", 50, false));
    PLAY_CHECK(b.status == 400 && number(&b, "x-ratelimit-remaining-requests") == left - 5,
               "a provider's refusal: %s", b.head);
    limit("user", "tester", "--rpm", "0");
    limit("group", "default", "--tpm", "0");
}

/* What requests under way may use is taken into account, and free again when they did not. */
static void
tokens_are_reserved(void)
{
    await_minute(20000);
    struct play_run run = play_must_ctl("--json", "key", "create", "reserved", "--user", "tester",
                                        "--tpm", "1000", NULL);
    char *secret = play_json(run.out, "key");
    PLAY_NEED(secret != NULL, "no key: %s", run.out);
    char *fields =
        play_text("Content-Type: application/json\r\nAuthorization: Bearer %s\r\n", secret);
    struct play_conn *first = play_open(play_world.port);
    char *body = chat("fake-n20-gap100", 700, true);
    play_print(first,
               "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
               fields, strlen(body), body);
    struct play_answer a = play_read_head(first, 5000);
    PLAY_NEED(a.status == 200, "the first is not served: %d", a.status);
    PLAY_CHECK(number(&a, "x-ratelimit-remaining-tokens") < 300, "not reserved: %s", a.head);
    body = chat("fake-usage", 400, false);
    a = play_request(play_world.port, "POST", "/v1/chat/completions", fields, body, strlen(body));
    is_told(&a, "rate_limit_exceeded", "The key's limit of 1000 tokens a minute");
    while (play_more(first, 5000)) {
    }
    uint64_t end_ms = play_now_ms() + 3000;
    do { /* the last byte is out before the books are closed */
        a = play_request(play_world.port, "POST", "/v1/chat/completions", fields, body,
                         strlen(body));
    } while (a.status != 200 && play_now_ms() < end_ms);
    PLAY_CHECK(a.status == 200, "what was not used is not free: %d %s", a.status, a.body);
    play_must_ctl("key", "remove", "reserved", NULL);
}

/* One row for each limit that can refuse. */
static void
minute_refusals_name_their_limiter(void)
{
    static const struct {
        const char *noun;
        const char *name;
        const char *option;
        const char *who;
    } rows[] = {
        { "key", "scenario", "--rpm", "The key's limit of 1 requests" },
        { "key", "scenario", "--tpm", "The key's limit of 1 tokens" },
        { "user", "tester", "--rpm", "The user's limit of 1 requests" },
        { "user", "tester", "--tpm", "The user's limit of 1 tokens" },
        { "group", "default", "--rpm", "The group's limit of 1 requests" },
        { "group", "default", "--tpm", "The group's limit of 1 tokens" },
        { "account", "openai", "--rpm", "accounts of your group have used up their minute" },
        { "account", "openai", "--tpm", "accounts of your group have used up their minute" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        await_minute(8000);
        limit(rows[i].noun, rows[i].name, rows[i].option, "1");
        for (unsigned turn = 0; turn < 2; turn++) { /* earlier tests may have used this minute */
            struct play_answer a = play_post("/v1/chat/completions", chat("fake-usage", 5, false));
            if (turn == 1) {
                is_told(&a, "rate_limit_exceeded", rows[i].who);
            }
        }
        struct play_run run =
            play_ctl("--json", "explain", "--key", "scenario", "--model", "fake-usage", NULL);
        PLAY_CHECK(run.status == 1 && strstr(run.out, "minute") != NULL, "explain %s %s: %s",
                   rows[i].noun, rows[i].option, run.out);
        limit(rows[i].noun, rows[i].name, rows[i].option, "0");
    }
}

/* Full gates, with no place to wait, with a full queue, and with a wait that is over. */
static void
queue_refusals_name_their_limiter(void)
{
    static const struct {
        const char *noun;
        const char *name;
        const char *who;
    } rows[] = {
        { "key", "scenario", "the key" },
        { "user", "tester", "the user" },
        { "group", "default", "the group" },
        { "account", "openai", "the account" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        limit(rows[i].noun, rows[i].name, "--concurrency", "1");
        struct play_conn *holder = begin("fake-n200-gap50", true);
        PLAY_NEED(play_read_head(holder, 5000).status == 200, "the holder is not served");
        struct play_conn *waiter = begin("fake-usage", false); /* queue_*_time is 1 s here */
        play_sleep(200);
        struct play_answer a = play_post("/v1/chat/completions", chat("fake-usage", 5, false));
        is_told(&a, "queue_full", rows[i].who);
        a = play_read(waiter, 5000);
        is_told(&a, "queue_timeout", rows[i].who);
        play_reset(holder);
        limit(rows[i].noun, rows[i].name, "--concurrency", "0");
    }
}

/* The provider's own 429: what it said passes, with our whole seconds. */
static void
a_providers_refusal_says_when(void)
{
    struct play_answer a = play_post("/v1/chat/completions", chat("fake-status429", 5, false));
    PLAY_CHECK(a.status == 429 && number(&a, "retry-after") >= 1, "%d %s", a.status, a.head);
    play_must_ctl("account", "reset", "openai", NULL);
    a = play_post("/v1/chat/completions", chat("fake-status529", 5, false));
    PLAY_CHECK(a.status == 503 && number(&a, "retry-after") >= 1 &&
                   strstr(a.body, "overloaded") != NULL,
               "%d %s", a.status, a.head);
    play_must_ctl("account", "reset", "openai", NULL);
}

/* What a provider said of an hour holds over a restart of the gateway; what an admin said, too. */
static void
a_long_bench_survives_a_restart(void)
{
    for (unsigned round = 0; round < 2; round++) {
        if (round == 0) {
            struct play_answer a =
                play_post("/v1/chat/completions", chat("fake-status429-retryafter900", 5, false));
            PLAY_CHECK(a.status == 429, "%d %s", a.status, a.body);
        } else {
            play_must_ctl("account", "reset", "openai", NULL);
        }
        PLAY_NEED(play_stop_gateway(20000) == 0, "it does not stop");
        play_start_gateway();
        PLAY_NEED(play_wait_ready(20000), "it does not start");
        struct play_run run = play_ctl("--json", "account", "show", "openai", NULL);
        uint64_t ms = play_json_number(run.out, "cooling_ms");
        PLAY_CHECK(round == 0
                       ? play_json_is(run.out, "state", "cooling") && ms > 600000 && ms <= 900000
                       : play_json_is(run.out, "state", "ok"),
                   "round %u: %s", round, run.out);
    }
}

static const struct play_test tests[] = {
    { "clients_see_their_limits", clients_see_their_limits, 60 },
    { "tokens_are_reserved", tokens_are_reserved, 60 },
    { "minute_refusals_name_their_limiter", minute_refusals_name_their_limiter, 90 },
    { "queue_refusals_name_their_limiter", queue_refusals_name_their_limiter, 60 },
    { "a_providers_refusal_says_when", a_providers_refusal_says_when, 0 },
    { "a_long_bench_survives_a_restart", a_long_bench_survives_a_restart, 60 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.sticky_time=0",         "worker.queue_per_user=1",
                                        "worker.queue_per_group=1",     "worker.queue_user_time=1s",
                                        "worker.queue_account_time=1s", NULL };

PLAY_GROUP(group, "rates", tests, settings, NULL)
