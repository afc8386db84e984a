/* How many tokens a request has, at accounts that speak another dialect or cannot count, through a
 * real worker with the test as the provider. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/worker/pair.h"

#define ANTHROPIC_COUNT "/v1/messages/count_tokens"
#define RESPONSES_COUNT "/v1/responses/input_tokens"
#define GEMINI_COUNT "/v1beta/models/m:countTokens"
#define ANTHROPIC_ASK "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define RESPONSES_ASK "{\"model\":\"m\",\"input\":\"hi\"}"
#define GEMINI_ASK "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}"

static const struct asker {
    const char *path;
    const char *body;
    const char *answer; /* with the number that a dialect tells, 7, in its own shape */
    const char *upstream;
} askers[] = {
    { ANTHROPIC_COUNT, ANTHROPIC_ASK, "{\"input_tokens\":7}", "anthropic" },
    { RESPONSES_COUNT, RESPONSES_ASK, "{\"object\":\"response.input_tokens\",\"input_tokens\":7}",
      "responses" },
    { GEMINI_COUNT, GEMINI_ASK, "{\"totalTokens\":7}", "gemini" },
};
#define ASKERS (sizeof askers / sizeof askers[0])

static const char *spoken;

static void
speak(struct account *account)
{
    snprintf(account->dialects, sizeof account->dialects, "%s", spoken);
    account->platform = strcmp(spoken, "gemini") == 0 ? MODEL_GEMINI : MODEL_OPENAI;
}

static struct mill *
make(const char *dialects)
{
    struct mill *mill = mill_make();
    mill->confs.worker.sticky_ms = 0;
    spoken = dialects;
    mill_account(mill, "one", speak);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    return mill;
}

static void
expect_estimate(const char *answer, const struct asker *asker)
{
    const char *member =
        strstr(asker->upstream, "gemini") != NULL ? "{\"totalTokens\":" : "\"input_tokens\":";
    cr_expect(mill_is(answer, 200, NULL), "%s", answer);
    cr_expect(has(answer, "\r\nx-sub2api-estimate: true\r\n"), "%s", answer);
    cr_expect(!has(answer, "x-protocol-translation"), "%s", answer);
    const char *at = strstr(answer, member);
    cr_assert_not_null(at, "%s", answer);
    unsigned long tokens = strtoul(at + strlen(member), NULL, 10);
    cr_expect(tokens > 0 && tokens < 40, "%s", answer);
}

/* Every dialect's client at every other dialect that counts: its own shape comes back. */
Test(counting, is_asked_in_the_accounts_dialect, .timeout = 60)
{
    for (size_t u = 0; u < ASKERS; u++) {
        struct mill *mill = make(askers[u].upstream);
        for (size_t c = 0; c < ASKERS; c++) {
            int client = mill_connect(mill);
            mill_post(client, askers[c].path, "k", askers[c].body);
            mill_take(mill);
            const char *path =
                strchr(askers[u].path, ':') != NULL ? ":countTokens HTTP" : askers[u].path;
            cr_expect(has(mill->asked, path), "%s", mill->asked);
            cr_expect(!has(mill->asked, "max_tokens") && !has(mill->asked, "\"stream\""), "%s",
                      mill->asked);
            mill_answer(mill, "200 OK", "application/json", askers[u].answer);
            mill_read(mill, client, ":7}");
            close(client);
            cr_expect(has(mill->answer, askers[c].answer), "%s", mill->answer);
            cr_expect(has(mill->answer, "x-protocol-translation") == (c != u), "%s", mill->answer);
            cr_expect(!has(mill->answer, "estimate"), "%s", mill->answer);
        }
        mill_settled(mill);
        struct ledger_record records[ASKERS];
        cr_assert_eq(mill_records(mill, records, ASKERS), ASKERS);
        for (size_t i = 0; i < ASKERS; i++) {
            cr_expect(records[i].cost_nano == 0 && records[i].in_fresh == 0, "not billed");
        }
        mill_stop(mill);
    }
}

/* Chat has nothing that counts: nobody is asked. */
Test(counting, is_estimated_where_only_chat_is_spoken, .timeout = 30)
{
    struct mill *mill = make("chat");
    for (size_t i = 0; i < ASKERS; i++) {
        expect_estimate(mill_talk(mill, askers[i].path, "k", askers[i].body), &askers[i]);
    }
    cr_expect(mill_is(mill_talk(mill, ANTHROPIC_COUNT, "no", ANTHROPIC_ASK), 401, NULL));
    struct ledger_record record;
    mill_settled(mill);
    cr_expect_eq(mill_records(mill, &record, 1), 0, "nobody was asked");
    mill_stop(mill);
}

/* An account without the endpoint is not to blame, one that fails is; the client hears a number. */
Test(counting, is_estimated_where_the_account_cannot_say, .timeout = 60)
{
    static const char *const dialects[] = { "anthropic", "responses", "gemini" };
    static const char *const failures[] = { "404 Not Found", "405 Not", "501 Not", "500 Odd",
                                            "401 Who" };
    for (size_t d = 0; d < sizeof dialects / sizeof dialects[0]; d++) {
        for (size_t f = 0; f < sizeof failures / sizeof failures[0]; f++) {
            if (d > 0 && f > 0 && f != 3) {
                continue;
            }
            struct mill *mill = make(dialects[d]);
            int client = mill_connect(mill);
            mill_post(client, askers[0].path, "k", askers[0].body);
            mill_take(mill);
            fail_with(mill, failures[f]);
            expect_estimate(mill_read(mill, client, "}"), &askers[0]);
            close(client);
            cr_expect_eq(health_of(mill, ONE).streak > 0, f >= 3, "%s", failures[f]);
            mill_stop(mill);
        }
    }
}

/* The provider knows the request to be wrong, or has no such model: that is not estimated away. */
Test(counting, refusals_of_the_provider_pass, .timeout = 30)
{
    struct mill *mill = make("anthropic");
    int client = mill_connect(mill);
    mill_post(client, RESPONSES_COUNT, "k", RESPONSES_ASK);
    mill_take(mill);
    mill_answer(mill, "400 Bad Request", "application/json",
                "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
                "\"message\":\"tools: too many\"}}");
    cr_expect(mill_is(mill_read(mill, client, "}}"), 400, NULL), "%s", mill->answer);
    cr_expect(has(mill->answer, "tools: too many"), "%s", mill->answer);
    close(client);
    client = mill_connect(mill);
    mill_post(client, ANTHROPIC_COUNT, "k", ANTHROPIC_ASK);
    mill_take(mill);
    mill_answer(mill, "404 Not Found", "application/json",
                "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\","
                "\"message\":\"model: m\"}}");
    cr_expect(mill_is(mill_read(mill, client, "}}"), 404, NULL), "%s", mill->answer);
    close(client);
    mill_stop(mill);
}
