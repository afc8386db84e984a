/*
 * 87_recall.c - an account that its provider sent away for an hour comes back when it is well.
 */
#include "tests/scenario/play.h"

#include <stdio.h>
#include <string.h>

static const char *const settings[] = { "admin.probe_interval=1s", NULL };

/* The first choice of the group, with a provider of its own. Its first two requests are refused. */
static uint16_t first_port;

static void
prepare(void)
{
    play_standard();
    play_start_fake(NULL, &first_port);
    char *secret = play_text("%s/first.key", play_world.dir);
    play_write_file(secret, "fake-first2-status429-retryafter3600");
    play_must_ctl("account", "create", "first", "--platform", "openai", "--base-url",
                  play_text("http://127.0.0.1:%u", first_port), "--api-key-file", secret,
                  "--priority", "1", "--models", "fake-n2", NULL);
}

/* A conversation of its own each time, so that no session decides. */
static void
ask(void)
{
    static unsigned count;
    struct play_answer answer = play_post(
        "/v1/chat/completions", play_text("{\"model\":\"fake-n2\",\"messages\":[{\"role\":\"user\","
                                          "\"content\":\"hello %u\"}]}",
                                          count++));
    PLAY_CHECK(answer.status == 200, "a client sees the trouble: %d %s", answer.status,
               answer.body);
}

static uint64_t
first_requests(void)
{
    struct play_answer answer = play_request(first_port, "GET", "/__fake/stats", NULL, "", 0);
    return play_json_number(answer.body, "models.fake-n2.requests");
}

static struct play_run
show(void)
{
    return play_must_ctl("--json", "account", "show", "first", NULL);
}

/* Refused, an hour's rest; refused again when the keeper asks; then well, and back in use. */
static void
an_account_returns_before_its_time(void)
{
    ask();
    struct play_run run = show();
    PLAY_CHECK(first_requests() == 1 && play_json_is(run.out, "state", "cooling") &&
                   play_json_number(run.out, "cooling_ms") > 3000000,
               "not benched for an hour: %s", run.out);
    uint64_t end = play_now_ms() + 20000;
    bool was_ill = false;
    while (first_requests() < 4 && play_now_ms() < end) {
        ask();
        run = show();
        was_ill = was_ill || (play_json_is(run.out, "state", "cooling") &&
                              play_json_number(run.out, "probe_misses") == 1 &&
                              strstr(run.out, "ago: 429 until ") != NULL);
        play_sleep(100);
    }
    PLAY_CHECK(first_requests() >= 4, "it serves no client again: %s", run.out);
    PLAY_CHECK(was_ill, "the probe in vain was not shown");
    run = show();
    PLAY_CHECK(play_json_is(run.out, "state", "ok") && strstr(run.out, "ago: 200 ok") != NULL,
               "afterwards: %s", run.out);
    PLAY_CHECK(play_log_has("act=probe account=first found=ill status=429", 1000) &&
                   play_log_has("act=probe account=first found=well status=200", 1000),
               "the log does not tell it");
    run = play_must_ctl("account", "list", NULL);
    PLAY_CHECK(strstr(run.out, "PROBED") != NULL && strstr(run.out, "200 ok") != NULL, "%s",
               run.out);
}

static const struct play_test tests[] = {
    { "an_account_returns_before_its_time", an_account_returns_before_its_time, 60 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "recall", tests, settings, prepare)
