/* Whose fault a failure is: the account's, or one model's at it. */
#include "shm/spell.h"
#include "tests/unit/worker/pair.h"

Test(culprit, an_account_without_the_model_rests_for_that_model_only, .timeout = 30)
{
    static const char missing[] = "{\"error\":{\"message\":\"The model `one` does not exist\","
                                  "\"type\":\"invalid_request_error\",\"code\":"
                                  "\"model_not_found\"}}";
    struct mill *mill = make_two();
    mill_run(mill);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    mill_answer(mill, "404 Not Found", "application/json", missing);
    take_from(mill, "two");
    expect_fine(mill, client);
    client = ask(mill, PLAIN);
    take_from(mill, "two"); /* the first one is not asked again for a while */
    expect_fine(mill, client);
    client = ask(mill, OTHER);
    take_from(mill, "one-n");
    expect_fine(mill, client);
    cr_expect_eq(health_of(mill, ONE).state, HEALTH_OK);
    mill_stop(mill);
}

/* What a provider says of one model does not bench the account for the others. */
Test(culprit, a_model_that_is_limited_rests_alone, .timeout = 30)
{
    static const struct {
        const char *status;
        const char *body;
    } rows[] = {
        { "429 Too Many Requests",
          "{\"error\":{\"message\":\"Rate limit reached for one in organization org-x on tokens "
          "per "
          "min (TPM): Limit 1. Please try again in 20s.\",\"type\":\"tokens\",\"code\":"
          "\"rate_limit_exceeded\"}}" },
        { "503 Service Unavailable",
          "{\"error\":{\"message\":\"The model 'one' is overloaded\",\"type\":\"x\"}}" },
        { "403 Forbidden",
          "{\"error\":{\"message\":\"You are not allowed to sample from one.\",\"type\":"
          "\"permission_error\"}}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mill *mill = make_two();
        mill_run(mill);
        int client = ask(mill, PLAIN);
        take_from(mill, "one");
        mill_answer(mill, rows[i].status, "application/json", rows[i].body);
        take_from(mill, "two");
        expect_fine(mill, client);
        client = ask(mill, PLAIN);
        take_from(mill, "two"); /* the first one rests for this model ... */
        expect_fine(mill, client);
        client = ask(mill, OTHER);
        take_from(mill, "one-n"); /* ... and only for it */
        expect_fine(mill, client);
        cr_expect_eq(health_of(mill, ONE).state, HEALTH_OK, "%zu", i);
        uint64_t left_ms = spell_left_ms(&mill->test.segment, ONE, STR("m"), clock_now_ms());
        cr_expect(left_ms > (i == 0 ? 15000u : 3000u) && left_ms <= (i == 0 ? 20100u : 5100u),
                  "%zu: %lu", i, (unsigned long)left_ms);
        mill_stop(mill);
    }
}

Test(culprit, a_name_within_another_is_not_the_model, .timeout = 30)
{
    struct mill *mill = make_two();
    mill_run(mill);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    mill_answer(mill, "429 Too Many Requests", "application/json",
                "{\"error\":{\"message\":\"Limit of one-n and none reached: phone.one\",\"code\":"
                "\"rate_limit_exceeded\"}}");
    take_from(mill, "two");
    expect_fine(mill, client);
    cr_expect_eq(health_of(mill, ONE).state, HEALTH_COOLING);
    mill_stop(mill);
}

Test(culprit, says_so_when_every_account_is_limited_for_the_model, .timeout = 30)
{
    struct mill *mill = make_two();
    mill_run(mill);
    uint64_t now_ms = clock_now_ms();
    spell_fail(&mill->test.segment, ONE, STR("m"), 30000, now_ms);
    spell_fail(&mill->test.segment, TWO, STR("m"), 9000, now_ms);
    expect_refused(mill, ask(mill, PLAIN), 429, "rate_limit_exceeded");
    unsigned long seconds = retry_after_of(mill->answer);
    cr_expect(seconds >= 7 && seconds <= 10, "%lu", seconds);
    spell_forget(&mill->test.segment, ONE);
    spell_forget(&mill->test.segment, TWO);
    spell_cast(&mill->test.segment, ONE, STR("m"), 30000, now_ms);
    spell_cast(&mill->test.segment, TWO, STR("m"), 30000, now_ms);
    expect_refused(mill, ask(mill, PLAIN), 404, "model_not_found");
    mill_stop(mill);
}

/* Gemini names it in the details of its errors, and the client is told by Gemini's error. */
Test(culprit, a_model_named_in_geminis_details_rests_alone)
{
    static const char quota[] =
        "{\"error\":{\"code\":429,\"message\":\"Quota exceeded\",\"status\":"
        "\"RESOURCE_EXHAUSTED\",\"details\":[{\"violations\":[{"
        "\"quotaDimensions\":{\"model\":\"one\"}}]},{\"retryDelay\":"
        "\"34s\"}]}}";
    struct mill *mill = make_two();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, "/v1beta/models/m:generateContent", "k",
              "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}");
    mill_take(mill);
    cr_expect(has(mill->asked, "/models/one:"), "%s", mill->asked);
    mill_answer(mill, "429 Too Many Requests", "application/json", quota);
    mill_take(mill);
    cr_expect(has(mill->asked, "/models/two:"), "%s", mill->asked);
    expect_fine(mill, client);
    cr_expect_eq(health_of(mill, ONE).state, HEALTH_OK);
    uint64_t left_ms = spell_left_ms(&mill->test.segment, ONE, STR("m"), clock_now_ms());
    cr_expect(left_ms > 30000 && left_ms <= 34100, "%lu", (unsigned long)left_ms);
    mill_stop(mill);
}
