/*
 * 90_money.c - what the provider counted, times the price, is what the ledger says and what the
 * totals say: to the nanodollar, in every dialect, whatever broke on the way.
 */
#include "tests/scenario/play.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 200u

/* Dollars as JSON has them, to nanodollars. */
static int64_t
nano_of(const char *text)
{
    int64_t nano = 0;
    unsigned places = 0;
    bool is_fraction = false;
    PLAY_NEED(text != NULL, "no amount");
    for (; *text != '\0' && places < 9; text++) {
        if (*text == '.') {
            is_fraction = true;
        } else {
            nano = nano * 10 + (*text - '0');
            places += is_fraction ? 1 : 0;
        }
    }
    for (; places < 9; places++) {
        nano *= 10;
    }
    return nano;
}

static int64_t
total_of(const char *noun, const char *name, const char *member)
{
    struct play_run run = play_must_ctl("--json", noun, "show", name, NULL);
    return nano_of(play_json(run.out, play_text("totals.%s", member)));
}

static uint64_t
recorded(void)
{
    struct play_run run = play_must_ctl("--json", "user", "show", "tester", NULL);
    return play_json_number(run.out, "totals.requests");
}

static void
await_records(uint64_t count)
{
    for (unsigned i = 0; i < 300 && recorded() < count; i++) {
        play_sleep(20);
    }
    PLAY_NEED(recorded() == count, "%llu requests are recorded, not %llu",
              (unsigned long long)recorded(), (unsigned long long)count);
}

struct sums {
    int64_t cost;
    int64_t upstream;
    uint64_t count;
};

static struct sums
sum_records(void)
{
    struct sums sums = { 0, 0, 0 };
    struct play_run run =
        play_must_ctl("--json", "usage", "--count", play_text("%u", RECORDS_MAX), NULL);
    for (; sums.count < RECORDS_MAX; sums.count++) {
        char *cost =
            play_json(run.out, play_text("items.%llu.cost", (unsigned long long)sums.count));
        if (cost == NULL) {
            return sums;
        }
        sums.cost += nano_of(cost);
        sums.upstream += nano_of(play_json(
            run.out, play_text("items.%llu.upstream_cost", (unsigned long long)sums.count)));
    }
    return sums;
}

/* Records, user, key, group and accounts say the same, and the ledger proves itself. */
static void
books_agree(int64_t *out_cost)
{
    struct sums sums = sum_records();
    int64_t accounts = total_of("account", "openai", "upstream_cost") +
                       total_of("account", "claude", "upstream_cost") +
                       total_of("account", "gemini", "upstream_cost");
    PLAY_CHECK(total_of("user", "tester", "cost") == sums.cost, "user: %lld, records: %lld",
               (long long)total_of("user", "tester", "cost"), (long long)sums.cost);
    PLAY_CHECK(total_of("group", "default", "cost") == sums.cost, "group");
    struct play_run run = play_must_ctl("--json", "key", "list", NULL);
    PLAY_CHECK(nano_of(play_json(run.out, "items.0.totals.cost")) == sums.cost, "key: %s", run.out);
    PLAY_CHECK(accounts == sums.upstream, "accounts: %lld, records: %lld", (long long)accounts,
               (long long)sums.upstream);
    struct play_run proof = play_must_ctl("ledger", "verify", NULL);
    PLAY_CHECK(proof.status == 0, "verify: %s", proof.out);
    *out_cost = sums.cost;
}

static void
set_price(const char *model)
{
    play_must_ctl("price", "set", model, "--input", "3", "--output", "15", "--cache-read", "0.3",
                  "--cache-write", "3.75", "--cache-write-1h", "6", "--reasoning", "20", NULL);
}

static char *
talk(const char *model, bool wants_stream)
{
    return play_text("{\"model\":\"%s\",\"stream\":%s,\"max_tokens\":500,\"messages\":[{\"role\":"
                     "\"user\",\"content\":\"hi\"}]}",
                     model, wants_stream ? "true" : "false");
}

/* 70 fresh, 30 cached, 30 out and 10 of reasoning; 40, 30, 20 and 10 written, 40 out; 50 and 20. */
#define MIXED "fake-in100-out40-cached30-reason10-n5-gap1"
#define MIXED_NANO ((70 * 3000 + 30 * 300 + 30 * 15000 + 10 * 20000))
#define CACHES "fake-in100-out40-cached30-write20-write1h10-n5-gap1"
#define CACHES_NANO ((40 * 3000 + 30 * 300 + 20 * 3750 + 10 * 6000 + 40 * 15000))
#define SIMPLE "fake-in50-out20-n5-gap1"
#define SIMPLE_NANO ((50 * 3000 + 20 * 15000))
#define ROUNDS 4u

static void
ask_all(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool wants_stream = i % 2 != 0;
        struct play_answer a = play_post("/v1/chat/completions", talk(MIXED, wants_stream));
        PLAY_CHECK(a.status == 200, "chat: %d %s", a.status, a.body);
        a = play_post("/v1/responses",
                      play_text("{\"model\":\"" MIXED "\",\"stream\":%s,\"input\":\"hi\"}",
                                wants_stream ? "true" : "false"));
        PLAY_CHECK(a.status == 200, "responses: %d %s", a.status, a.body);
        a = play_post("/v1/messages", talk(CACHES, wants_stream));
        PLAY_CHECK(a.status == 200, "messages: %d %s", a.status, a.body);
        a = play_post(play_text("/v1beta/models/" SIMPLE ":%s",
                                wants_stream ? "streamGenerateContent" : "generateContent"),
                      "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}");
        PLAY_CHECK(a.status == 200, "gemini: %d %s", a.status, a.body);
    }
}

static uint64_t done; /* requests of this group so far that reached an account */

static void
providers_count_times_price_is_the_ledger(void)
{
    int64_t cost = 0;
    play_fake_reset();
    set_price(MIXED);
    set_price(CACHES);
    set_price(SIMPLE);
    ask_all();
    done += 4 * ROUNDS;
    await_records(done);
    PLAY_CHECK(play_fake_stat("models." MIXED ".usage.input") == 2 * ROUNDS * 100 &&
                   play_fake_stat("models." MIXED ".usage.output") == 2 * ROUNDS * 40 &&
                   play_fake_stat("models." CACHES ".usage.output") == ROUNDS * 40 &&
                   play_fake_stat("models." SIMPLE ".usage.input") == ROUNDS * 50,
               "the provider counted otherwise");
    books_agree(&cost);
    int64_t want = ROUNDS * (2 * MIXED_NANO + CACHES_NANO + SIMPLE_NANO);
    PLAY_CHECK(cost == want, "%lld nanodollars, not %lld", (long long)cost, (long long)want);
    struct play_run run = play_must_ctl("usage", "--count", "1", NULL);
    PLAY_CHECK(strstr(run.out, "COST $") != NULL && strstr(run.out, "0.00045") != NULL, "usage: %s",
               run.out);
    PLAY_CHECK(play_log_has("cost=0.000869", 1000), "no cost in the log");
}

/* The group's multiplier, the user's in place of it, the account's for the operator alone. */
static void
multipliers_apply(void)
{
    int64_t before = 0;
    int64_t after = 0;
    books_agree(&before);
    play_must_ctl("group", "set", "default", "--multiplier", "1.25", NULL);
    play_must_ctl("account", "set", "claude", "--multiplier", "0.5", NULL);
    int64_t upstream = total_of("account", "claude", "upstream_cost");
    PLAY_CHECK(play_post("/v1/messages", talk(CACHES, false)).status == 200, "not served");
    await_records(++done);
    books_agree(&after);
    PLAY_CHECK(after - before == CACHES_NANO / 4 * 5, "%lld", (long long)(after - before));
    upstream = total_of("account", "claude", "upstream_cost") - upstream;
    PLAY_CHECK(upstream == CACHES_NANO / 2, "%lld", (long long)upstream);
    play_must_ctl("user", "set", "tester", "--multiplier", "0.000001", NULL);
    PLAY_CHECK(play_post("/v1/messages", talk(CACHES, false)).status == 200, "not served");
    await_records(++done);
    books_agree(&before);
    PLAY_CHECK(before - after == 1, "0.864 nanodollars are one: %lld", (long long)(before - after));
    play_must_ctl("group", "set", "default", "--multiplier", "1", NULL);
    play_must_ctl("account", "set", "claude", "--multiplier", "1", NULL);
    play_must_ctl("user", "set", "tester", "--multiplier", "0", NULL);
}

/* What fails before anything was delivered is free; what was cut is billed by what is known. */
static void
what_breaks_is_billed_by_what_came(void)
{
    int64_t before = 0;
    int64_t after = 0;
    set_price("fake-status400");
    set_price("fake-n40-gap5-cut4");
    books_agree(&before);
    struct play_answer a = play_post("/v1/chat/completions", talk("fake-status400", false));
    PLAY_CHECK(a.status == 400, "%d %s", a.status, a.body);
    await_records(++done);
    books_agree(&after);
    PLAY_CHECK(before == after, "a refusal costs %lld", (long long)(after - before));
    a = play_post("/v1/chat/completions", talk("fake-n40-gap5-cut4", true));
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    await_records(++done);
    books_agree(&after);
    PLAY_CHECK(after > before, "what came is not billed");
    struct play_run run = play_must_ctl("--json", "usage", "--count", "1", NULL);
    PLAY_CHECK(play_json_is(run.out, "items.0.usage", "estimated"), "source: %s", run.out);
    play_must_ctl("account", "reset", "openai", NULL);
}

/* kill -9 in the middle of a stream: the recorder bills it from its lease, once. */
static void
a_killed_workers_request_is_billed(void)
{
    int64_t before = 0;
    int64_t after = 0;
    set_price("fake-n200-gap20");
    books_agree(&before);
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "%s", play_post_text("/v1/chat/completions", talk("fake-n200-gap20", true)));
    PLAY_NEED(play_read_head(c, 5000).status == 200, "not served");
    for (unsigned i = 0; i < 20; i++) {
        PLAY_NEED(play_event(c, 3000) != NULL, "no event");
    }
    struct play_run run = play_must_ctl("--json", "top", NULL);
    PLAY_CHECK(nano_of(play_json(run.out, "items.0.cost")) > 0, "top: %s", run.out);
    kill(play_process("sub2api: worker 0"), SIGKILL);
    play_close(c);
    await_records(++done);
    books_agree(&after);
    run = play_must_ctl("--json", "usage", "--count", "1", NULL);
    PLAY_CHECK(play_json_is(run.out, "items.0.code", "worker_died") &&
                   play_json_is(run.out, "items.0.usage", "estimated"),
               "record: %s", run.out);
    PLAY_CHECK(after - before == nano_of(play_json(run.out, "items.0.cost")) && after > before,
               "billed %lld", (long long)(after - before));
    PLAY_CHECK(play_wait_ready(5000), "no new worker");
}

/* A new price, a lower limit and a removed account: who is served is billed as it was admitted. */
static void
changes_meanwhile_change_no_bill(void)
{
    int64_t before = 0;
    int64_t after = 0;
    set_price("fake-in50-out20-n20-gap50");
    books_agree(&before);
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "%s",
               play_post_text("/v1/chat/completions", talk("fake-in50-out20-n20-gap50", true)));
    PLAY_NEED(play_read_head(c, 5000).status == 200 && play_event(c, 3000) != NULL, "not served");
    play_must_ctl("price", "set", "fake-in50-out20-n20-gap50", "--input", "300", "--output", "1500",
                  NULL);
    play_must_ctl("group", "set", "default", "--multiplier", "7", NULL);
    play_must_ctl("user", "set", "tester", "--concurrency", "1", NULL);
    play_must_ctl("account", "disable", "openai", NULL);
    while (play_event(c, 3000) != NULL) {
        /* The rest of the answer, whoever may be asked by now. */
    }
    play_close(c);
    await_records(++done);
    books_agree(&after);
    PLAY_CHECK(after - before == SIMPLE_NANO, "billed %lld, not %d", (long long)(after - before),
               SIMPLE_NANO);
    play_must_ctl("group", "set", "default", "--multiplier", "1", NULL);
    play_must_ctl("user", "set", "tester", "--concurrency", "0", NULL);
    play_must_ctl("account", "enable", "openai", NULL);
}

static void
unpriced_models_are_seen(void)
{
    struct play_answer a = play_post("/v1/chat/completions", talk("fake-nobody-knows", false));
    PLAY_CHECK(a.status == 200, "served and marked: %d %s", a.status, a.body);
    await_records(++done);
    struct play_run run = play_must_ctl("price", "missing", NULL);
    PLAY_CHECK(strstr(run.out, "fake-nobody-knows") != NULL, "missing: %s", run.out);
    run = play_must_ctl("--json", "usage", "--count", "1", NULL);
    PLAY_CHECK(play_json_is(run.out, "items.0.priced", "false"), "record: %s", run.out);
    set_price("fake-nobody-knows");
    run = play_must_ctl("price", "missing", NULL);
    PLAY_CHECK(strstr(run.out, "fake-nobody-knows") == NULL, "missing: %s", run.out);
}

static void
prices_are_imported_and_shown(void)
{
    char *file = play_text("%s/prices.json", play_world.dir);
    play_write_file(file,
                    "{\n\"sample_spec\": {},\n\"half-model\": {\"input_cost_per_token\": 1},\n"
                    "\"good-model\": {\"input_cost_per_token\": 2.5e-06, "
                    "\"output_cost_per_token\": 1e-05}\n}\n");
    struct play_run run = play_must_ctl("price", "import", file, NULL);
    PLAY_CHECK(strstr(run.out, "1 prices imported, 1 rows refused") != NULL &&
                   strstr(run.out, "half-model") != NULL &&
                   strstr(run.out, "input without output") != NULL,
               "import: %s", run.out);
    run = play_must_ctl("--json", "price", "import", file, NULL);
    PLAY_CHECK(play_json_number(run.out, "items.0.line") == 3, "line: %s", run.out);
    run = play_must_ctl("price", "show", "openai/good-model-2025-01-31", NULL);
    PLAY_CHECK(strstr(run.out, "2.5") != NULL && strstr(run.out, "imported price of good-model"),
               "show: %s", run.out);
    play_must_ctl("price", "set", "vendor/my-model", "--alias-of", "good-model", NULL);
    run = play_must_ctl("price", "list", "--source", "own", "--match", "vendor/*", NULL);
    PLAY_CHECK(strstr(run.out, "vendor/my-model") != NULL && strstr(run.out, "good-model") != NULL,
               "list: %s", run.out);
    play_must_ctl("price", "remove", "vendor/my-model", NULL);
}

static void
bad_prices_are_refused(void)
{
    struct play_run run = play_ctl("price", "set", "half", "--input", "2", NULL);
    PLAY_CHECK(run.status == 1 && strstr(run.err, "input without output") != NULL, "%s", run.err);
    run = play_ctl("price", "set", "bad", "--input", "x", "--output", "1", NULL);
    PLAY_CHECK(run.status == 1 && strstr(run.err, "dollars a million") != NULL, "%s", run.err);
    run = play_ctl("price", "show", "no-such-model", NULL);
    PLAY_CHECK(run.status == 1 && strstr(run.err, "No price is known") != NULL, "%s", run.err);
    run = play_ctl("price", "remove", "gpt-4o", NULL);
    PLAY_CHECK(run.status == 1, "a shipped price cannot be removed");
}

static const struct play_test tests[] = {
    { "providers_count_times_price_is_the_ledger", providers_count_times_price_is_the_ledger, 60 },
    { "multipliers_apply", multipliers_apply, 60 },
    { "what_breaks_is_billed_by_what_came", what_breaks_is_billed_by_what_came, 60 },
    { "a_killed_workers_request_is_billed", a_killed_workers_request_is_billed, 60 },
    { "changes_meanwhile_change_no_bill", changes_meanwhile_change_no_bill, 60 },
    { "unpriced_models_are_seen", unpriced_models_are_seen, 60 },
    { "prices_are_imported_and_shown", prices_are_imported_and_shown, 0 },
    { "bad_prices_are_refused", bad_prices_are_refused, 0 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.sticky_time=0", "master.workers=1", NULL };

PLAY_GROUP(group, "money", tests, settings, NULL)
