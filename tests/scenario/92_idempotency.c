/*
 * 92_idempotency.c - a request with an Idempotency-Key is served and billed once, however often it
 * is sent, whoever is killed in between.
 */
#include "tests/scenario/play.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define CHAT "/v1/chat/completions"
#define CROWD 12u

static char *
talk(const char *model, const char *more)
{
    return play_text("{\"model\":\"%s\"%s,\"max_tokens\":50,\"messages\":[{\"role\":\"user\","
                     "\"content\":\"hello\"}]}",
                     model, more);
}

static char *
request_text(const char *path, const char *key, const char *body)
{
    return play_text("POST %s HTTP/1.1\r\nHost: a\r\nx-api-key: %s\r\nIdempotency-Key: %s\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     path, play_world.key, key, strlen(body), body);
}

static struct play_conn *
send_it(const char *path, const char *key, const char *body)
{
    struct play_conn *c = play_open(play_world.port);
    char *text = request_text(path, key, body);
    play_write(c, text, strlen(text));
    return c;
}

static struct play_answer
ask(const char *path, const char *key, const char *body)
{
    struct play_conn *c = send_it(path, key, body);
    struct play_answer a = play_read(c, 15000);
    play_close(c);
    return a;
}

static bool
is_replayed(const struct play_answer *a)
{
    const char *field = play_field(a, "idempotency-replayed");
    return field != NULL && strcmp(field, "true") == 0;
}

static void
is_code(const struct play_answer *a, int status, const char *code, bool may_retry)
{
    const char *retry = play_field(a, "x-should-retry");
    PLAY_CHECK(a->status == status && play_json_is(a->body, "error.code", code), "%d %s", a->status,
               a->body);
    PLAY_CHECK((retry != NULL && strcmp(retry, "false") == 0) == !may_retry, "%s", a->head);
    PLAY_CHECK(strstr(a->body, "Idempotency-Key") != NULL, "it does not name it: %s", a->body);
}

/* Requests that the ledger has of the test's key, when all is written: when nothing comes any more.
 */
static uint64_t
records(void)
{
    uint64_t before = UINT64_MAX;
    uint64_t now = 0;
    for (int i = 0; i < 20 && now != before; i++) {
        before = now;
        play_sleep(300);
        struct play_run run = play_must_ctl("--json", "key", "show", "scenario", NULL);
        now = play_json_number(run.out, "totals.requests");
        before = i == 0 ? UINT64_MAX : before;
    }
    return now;
}

static void
prepare(void)
{
    play_standard();
    /* So that some names are served through translation. */
    play_must_ctl("account", "set", "openai", "--models", "fake-*", NULL);
    play_must_ctl("account", "set", "claude", "--models", "fake-*,to-claude", NULL);
}

static const struct {
    const char *path;
    const char *body;
} kinds[] = {
    { CHAT, "{\"model\":\"fake-usage\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}" },
    { CHAT, "{\"model\":\"to-claude\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}" },
    { "/v1/responses", "{\"model\":\"fake-usage\",\"input\":\"a\"}" },
    { "/v1/messages", "{\"model\":\"fake-usage\",\"max_tokens\":9,\"messages\":[{\"role\":"
                      "\"user\",\"content\":\"a\"}]}" },
    { "/v1beta/models/fake-usage:generateContent",
      "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"}]}]}" },
    { "/v1/embeddings", "{\"model\":\"fake-usage\",\"input\":\"a\"}" },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void
the_first_answer_comes_again(void)
{
    uint64_t before = records();
    play_fake_reset();
    for (size_t i = 0; i < KINDS; i++) {
        char *key = play_text("again %zu ~!", i);
        struct play_answer first = ask(kinds[i].path, key, kinds[i].body);
        struct play_answer second = ask(kinds[i].path, key, kinds[i].body);
        PLAY_NEED(first.status == 200 && second.status == 200, "%s: %d %s, %d %s", kinds[i].path,
                  first.status, first.body, second.status, second.body);
        PLAY_CHECK(first.body_len == second.body_len &&
                       memcmp(first.body, second.body, first.body_len) == 0,
                   "%s: %s, then %s", kinds[i].path, first.body, second.body);
        PLAY_CHECK(!is_replayed(&first) && is_replayed(&second), "%s: %s", kinds[i].path,
                   second.head);
        const char *type = play_field(&second, "content-type");
        PLAY_CHECK(type != NULL && strcmp(type, play_field(&first, "content-type")) == 0, "%s",
                   second.head);
        const char *original = play_field(&second, "original-request-id");
        const char *id = play_field(&first, "x-request-id");
        PLAY_CHECK(original != NULL && strcmp(original, id) == 0, "%s", second.head);
        PLAY_CHECK(strcmp(play_field(&second, "x-request-id"), id) != 0, "%s", second.head);
    }
    PLAY_CHECK(play_fake_stat("requests") == KINDS, "the provider got %llu",
               (unsigned long long)play_fake_stat("requests"));
    PLAY_CHECK(strstr(play_fake_requests(), "again") == NULL, "the provider got a client's key");
    PLAY_CHECK(records() == before + KINDS, "billed more than once");
}

static void
without_a_key_nothing_is_remembered(void)
{
    play_fake_reset();
    for (int i = 0; i < 2; i++) {
        struct play_answer a = play_post(CHAT, talk("fake-usage", ""));
        PLAY_CHECK(a.status == 200 && !is_replayed(&a), "%d", a.status);
    }
    PLAY_CHECK(play_fake_stat("requests") == 2, "not asked twice");
}

static void
a_crowd_is_one_request(void)
{
    uint64_t before = records();
    struct play_conn *conns[CROWD];
    play_fake_reset();
    for (unsigned i = 0; i < CROWD; i++) {
        conns[i] = send_it(CHAT, "crowd", talk("fake-slowhead500", ""));
    }
    unsigned replayed = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        struct play_answer a = play_read(conns[i], 15000);
        PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
        replayed += is_replayed(&a) ? 1 : 0;
        play_close(conns[i]);
    }
    PLAY_CHECK(replayed == CROWD - 1, "%u of them", replayed);
    PLAY_CHECK(play_fake_stat("requests") == 1, "the provider got more than one");
    PLAY_CHECK(records() == before + 1, "billed more than once");
}

static void
another_request_needs_another_key(void)
{
    struct play_answer a = ask(CHAT, "mine", talk("fake-usage", ""));
    PLAY_CHECK(a.status == 200, "%d", a.status);
    a = ask(CHAT, "mine", talk("fake-usage", ",\"n\":1"));
    is_code(&a, 422, "idempotency_key_reused", false);
    a = ask("/v1/messages", "mine", talk("fake-usage", ""));
    PLAY_CHECK(a.status == 422 && play_json_is(a.body, "type", "error"), "%d %s", a.status, a.body);
    /* While the first one is under way as well. */
    struct play_conn *c = send_it(CHAT, "busy", talk("fake-slowhead700", ""));
    PLAY_CHECK(play_fake_wait("models.fake-slowhead700.requests", 1, 3000), "not sent");
    a = ask(CHAT, "busy", talk("fake-usage", ""));
    is_code(&a, 422, "idempotency_key_reused", false);
    PLAY_CHECK(play_read(c, 5000).status == 200, "the first one is gone");
    play_close(c);
    /* Whose key it is counts: another user's is another one. */
    struct play_run run =
        play_must_ctl("--json", "key", "create", "other", "--user", "tester", NULL);
    char *own = play_world.key;
    play_world.key = play_json(run.out, "key");
    a = ask(CHAT, "mine", talk("fake-usage", ",\"n\":1"));
    play_world.key = own;
    PLAY_CHECK(a.status == 200 && !is_replayed(&a), "%d %s", a.status, a.body);
}

static void
odd_keys_are_refused(void)
{
    static const char *const odd[] = { "", "\x80", "tab\there" };
    play_fake_reset();
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct play_answer a = ask(CHAT, odd[i], talk("fake-usage", ""));
        PLAY_CHECK(a.status == 400, "%zu: %d %s", i, a.status, a.body);
    }
    struct play_answer a = ask(CHAT, play_repeat('k', 256), talk("fake-usage", ""));
    PLAY_CHECK(a.status == 400 && play_json_is(a.body, "error.code", "invalid_idempotency_key"),
               "%d %s", a.status, a.body);
    a = ask(CHAT, "one\r\nidempotency-key: two", talk("fake-usage", ""));
    PLAY_CHECK(a.status == 400, "%d %s", a.status, a.body);
    PLAY_CHECK(play_fake_stat("requests") == 0, "one was served");
    a = ask(CHAT, play_repeat('k', 255), talk("fake-usage", ""));
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
}

static void
a_failure_that_cost_nothing_frees_the_key(void)
{
    uint64_t asked = 0;
    struct play_answer a = ask(CHAT, "fails", talk("fake-first1-status400", ""));
    PLAY_CHECK(a.status == 400, "%d %s", a.status, a.body);
    a = ask(CHAT, "fails", talk("fake-first1-status400", ""));
    PLAY_CHECK(a.status == 200 && !is_replayed(&a), "%d %s", a.status, a.body);
    asked = play_fake_stat("models.fake-first1-status400.requests");
    a = ask(CHAT, "fails", talk("fake-first1-status400", ""));
    PLAY_CHECK(a.status == 200 && is_replayed(&a), "%d %s", a.status, a.body);
    PLAY_CHECK(play_fake_stat("models.fake-first1-status400.requests") == asked, "asked again");
    /* Refused here, before anything was sent. */
    a = ask(CHAT, "refused", "{\"model\":\"to-claude\",\"messages\":[]}");
    PLAY_CHECK(a.status == 400, "%d %s", a.status, a.body);
    a = ask(CHAT, "refused", talk("fake-usage", ""));
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
}

static void
streams_are_billed_once_and_not_kept(void)
{
    play_fake_reset();
    struct play_conn *c = send_it(CHAT, "stream", talk("fake-n70-gap100", ",\"stream\":true"));
    PLAY_NEED(play_read_head(c, 3000).status == 200 && play_event(c, 3000) != NULL, "no stream");
    struct play_answer a = ask(CHAT, "stream", talk("fake-n70-gap100", ",\"stream\":true"));
    is_code(&a, 409, "idempotency_conflict", true);
    PLAY_CHECK(play_field(&a, "retry-after") != NULL, "%s", a.head);
    while (play_event(c, 5000) != NULL) {
    }
    play_close(c);
    a = ask(CHAT, "stream", talk("fake-n70-gap100", ",\"stream\":true"));
    is_code(&a, 409, "idempotency_already_served", false);
    PLAY_CHECK(strstr(a.body, "streams are not kept") != NULL, "%s", a.body);
    PLAY_CHECK(play_fake_stat("requests") == 1, "asked again");
}

static void
large_answers_are_not_kept(void)
{
    struct play_answer a = ask(CHAT, "large", talk("fake-size1500000", ""));
    PLAY_CHECK(a.status == 200 && a.body_len > 1500000, "%d", a.status);
    a = ask(CHAT, "large", talk("fake-size1500000", ""));
    is_code(&a, 409, "idempotency_already_served", false);
    PLAY_CHECK(strstr(a.body, "too large") != NULL, "%s", a.body);
    a = ask(CHAT, "fits", talk("fake-size900000", ""));
    PLAY_CHECK(a.status == 200, "%d", a.status);
    struct play_answer b = ask(CHAT, "fits", talk("fake-size900000", ""));
    PLAY_CHECK(b.status == 200 && is_replayed(&b) && a.body_len == b.body_len &&
                   memcmp(a.body, b.body, a.body_len) == 0,
               "%d %zu", b.status, b.body_len);
}

/* What retries are for: it gave up too early, and finds the answer when it asks again. */
static void
a_client_that_left_finds_its_answer(void)
{
    uint64_t before = records();
    play_fake_reset();
    struct play_conn *c = send_it(CHAT, "left", talk("fake-slowhead600", ""));
    PLAY_CHECK(play_fake_wait("requests", 1, 3000), "not sent");
    play_reset(c);
    struct play_answer a = ask(CHAT, "left", talk("fake-slowhead600", ""));
    PLAY_CHECK(a.status == 200 && is_replayed(&a), "%d %s%s", a.status, a.head, a.body);
    PLAY_CHECK(play_json_is(a.body, "choices.0.message.content", "You said: hello"), "%s", a.body);
    PLAY_CHECK(play_fake_stat("requests") == 1, "asked again");
    PLAY_CHECK(records() == before + 1, "billed more than once");
}

static void
kill_workers(void)
{
    static const char *const titles[] = { "sub2api: worker 0", "sub2api: worker 1" };
    for (size_t i = 0; i < 2; i++) {
        pid_t pid = play_process(titles[i]);
        PLAY_NEED(pid != 0, "no %s", titles[i]);
        kill(pid, SIGKILL);
    }
}

/* Asks until somebody answers: the workers have just been killed. */
static struct play_answer
ask_again(const char *key, const char *body)
{
    struct play_answer a = { 0 };
    uint64_t end = play_now_ms() + 10000;
    while (a.status == 0 && play_now_ms() < end) {
        a = ask(CHAT, key, body);
        play_sleep(50);
    }
    return a;
}

static void
a_killed_workers_request_is_billed_once(void)
{
    /* Nothing had come: nothing is billed, and it may be asked again. */
    play_fake_reset();
    struct play_conn *c = send_it(CHAT, "killed", talk("fake-slowhead2000", ""));
    PLAY_CHECK(play_fake_wait("requests", 1, 3000), "not sent");
    kill_workers();
    struct play_answer a = ask_again("killed", talk("fake-slowhead2000", ""));
    PLAY_CHECK(a.status == 200 && !is_replayed(&a), "%d %s", a.status, a.body);
    play_close(c);
    a = ask(CHAT, "killed", talk("fake-slowhead2000", ""));
    PLAY_CHECK(a.status == 200 && is_replayed(&a), "%d %s", a.status, a.body);
    /* Something had come: it is billed, and asking again says so. */
    uint64_t before = records();
    char *body = talk("fake-n30-gap100-usage", ",\"stream\":true");
    c = send_it(CHAT, "killed stream", body);
    PLAY_NEED(play_read_head(c, 3000).status == 200 && play_event(c, 3000) != NULL, "no stream");
    play_event(c, 3000);
    kill_workers();
    a = ask_again("killed stream", body);
    is_code(&a, 409, "idempotency_already_served", false);
    PLAY_CHECK(strstr(a.body, "died") != NULL, "%s", a.body);
    play_close(c);
    PLAY_CHECK(records() == before + 1, "billed %llu times",
               (unsigned long long)(records() - before));
}

static void
a_killed_recorder_loses_nothing(void)
{
    uint64_t before = records();
    struct play_answer first = ask(CHAT, "recorder", talk("fake-usage", ""));
    pid_t pid = play_process("sub2api: recorder");
    PLAY_NEED(pid != 0, "no recorder");
    kill(pid, SIGKILL);
    struct play_answer second = ask(CHAT, "recorder", talk("fake-usage", ""));
    PLAY_CHECK(first.status == 200 && second.status == 200 && is_replayed(&second), "%d %d %s",
               first.status, second.status, second.body);
    play_sleep(500);
    PLAY_CHECK(records() == before + 1, "billed more than once");
}

static void
over_a_restart(void)
{
    uint64_t before = records();
    struct play_answer first = ask(CHAT, "restart", talk("fake-usage", ""));
    PLAY_CHECK(first.status == 200, "%d", first.status);
    PLAY_CHECK(play_stop_gateway(15000) == 0, "it does not stop");
    play_start_gateway();
    PLAY_NEED(play_wait_ready(15000), "it does not start");
    struct play_answer second = ask(CHAT, "restart", talk("fake-usage", ""));
    PLAY_CHECK(second.status == 200 && is_replayed(&second) && strcmp(first.body, second.body) == 0,
               "%d %s", second.status, second.body);
    PLAY_CHECK(records() == before + 1, "billed more than once");
}

static void
the_books_agree(void)
{
    struct play_run run = play_must_ctl("--json", "ledger", "verify", NULL);
    PLAY_CHECK(play_json_is(run.out, "ok", "true"), "%s", run.out);
    run = play_must_ctl("slots", NULL);
    PLAY_CHECK(run.status == 0, "%s", run.out);
}

static const struct play_test tests[] = {
    { "the_first_answer_comes_again", the_first_answer_comes_again, 0 },
    { "without_a_key_nothing_is_remembered", without_a_key_nothing_is_remembered, 0 },
    { "a_crowd_is_one_request", a_crowd_is_one_request, 0 },
    { "another_request_needs_another_key", another_request_needs_another_key, 0 },
    { "odd_keys_are_refused", odd_keys_are_refused, 0 },
    { "a_failure_that_cost_nothing_frees_the_key", a_failure_that_cost_nothing_frees_the_key, 0 },
    { "streams_are_billed_once_and_not_kept", streams_are_billed_once_and_not_kept, 0 },
    { "large_answers_are_not_kept", large_answers_are_not_kept, 0 },
    { "a_client_that_left_finds_its_answer", a_client_that_left_finds_its_answer, 0 },
    { "a_killed_workers_request_is_billed_once", a_killed_workers_request_is_billed_once, 60 },
    { "a_killed_recorder_loses_nothing", a_killed_recorder_loses_nothing, 0 },
    { "over_a_restart", over_a_restart, 60 },
    { "the_books_agree", the_books_agree, 0 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.sticky_time=0", "master.workers=2",
                                        "worker.idempotency_wait=5s", NULL };

PLAY_GROUP(group, "idempotency", tests, settings, prepare)

/* --- when they expire --- */

static void
after_its_time_a_key_is_new(void)
{
    play_fake_reset();
    struct play_answer a = ask(CHAT, "old", talk("fake-usage", ""));
    PLAY_CHECK(a.status == 200, "%d", a.status);
    a = ask(CHAT, "old", talk("fake-usage", ""));
    PLAY_CHECK(a.status == 200 && is_replayed(&a), "%d %s", a.status, a.body);
    PLAY_CHECK(play_log_has("outcomes=1", 8000), "it is never removed");
    a = ask(CHAT, "old", talk("fake-usage", ",\"n\":1"));
    PLAY_CHECK(a.status == 200 && !is_replayed(&a), "%d %s", a.status, a.body);
    PLAY_CHECK(play_fake_stat("requests") == 2, "not asked again");
}

static const struct play_test expiry_tests[] = {
    { "after_its_time_a_key_is_new", after_its_time_a_key_is_new, 0 },
    { NULL, NULL, 0 },
};
static const char *const expiry_settings[] = { "store.idempotency_time=2s", NULL };

PLAY_GROUP(expiry_group, "idempotency_expiry", expiry_tests, expiry_settings, NULL)

/* --- switched off --- */

static void
the_header_means_nothing(void)
{
    play_fake_reset();
    for (int i = 0; i < 2; i++) {
        struct play_answer a = ask(CHAT, "off", talk("fake-usage", ""));
        PLAY_CHECK(a.status == 200 && !is_replayed(&a), "%d", a.status);
    }
    PLAY_CHECK(play_fake_stat("requests") == 2, "not asked twice");
}

static const struct play_test off_tests[] = {
    { "the_header_means_nothing", the_header_means_nothing, 0 },
    { NULL, NULL, 0 },
};
static const char *const off_settings[] = { "store.idempotency_time=0", NULL };

PLAY_GROUP(off_group, "idempotency_off", off_tests, off_settings, NULL)

/* --- what an answer costs --- */

static void
cost_prepare(void)
{
    play_standard();
    play_must_ctl("account", "set", "openai", "--models", "fake-*", NULL);
    play_must_ctl("account", "set", "claude", "--models", "fake-*,to-claude", NULL);
    static const char *const priced[] = { "fake-in100-out40", "to-claude", "fake-size200000",
                                          "fake-first1-cut0" };
    for (size_t i = 0; i < sizeof priced / sizeof priced[0]; i++) {
        play_must_ctl("price", "set", priced[i], "--input", "2.5", "--output", "10", NULL);
    }
}

static const char *
cost_of(const struct play_answer *a)
{
    const char *cost = play_field(a, "x-sub2api-cost");
    return cost == NULL ? "none" : cost;
}

static void
answers_say_what_they_cost(void)
{
    static const struct {
        const char *path;
        const char *body;
        const char *cost;
    } rows[] = {
        { CHAT,
          "{\"model\":\"fake-in100-out40\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
          "0.00065" },
        { "/v1/responses", "{\"model\":\"fake-in100-out40\",\"input\":\"a\"}", "0.00065" },
        { "/v1/messages",
          "{\"model\":\"fake-in100-out40\",\"max_tokens\":9,\"messages\":[{\"role\":"
          "\"user\",\"content\":\"a\"}]}",
          "0.00065" },
        { "/v1beta/models/fake-in100-out40:generateContent",
          "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"}]}]}", "0.00065" },
        { CHAT, "{\"model\":\"to-claude\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
          "0.0000975" },
        /* Longer than may wait; a stream; without a price. */
        { CHAT,
          "{\"model\":\"fake-size200000\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
          "none" },
        { CHAT,
          "{\"model\":\"fake-in100-out40\",\"stream\":true,\"messages\":[{\"role\":\"user\","
          "\"content\":\"a\"}]}",
          "none" },
        { CHAT, "{\"model\":\"fake-usage\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}",
          "none" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct play_answer a = play_post(rows[i].path, rows[i].body);
        PLAY_CHECK(a.status == 200 && a.whole && a.body_len > 0, "%zu: %d", i, a.status);
        PLAY_CHECK(strcmp(cost_of(&a), rows[i].cost) == 0, "%zu: %s not %s: %.400s", i, cost_of(&a),
                   rows[i].cost, a.head);
    }
    /* Records come into the store up to a commit later than their answers. */
    struct play_run run = play_must_ctl("--json", "usage", "--count", "8", NULL);
    for (int i = 0; i < 200 && strstr(run.out, "0.00065") == NULL; i++) {
        play_sleep(20);
        run = play_must_ctl("--json", "usage", "--count", "8", NULL);
    }
    PLAY_CHECK(strstr(run.out, "0.00065") != NULL, "%s", run.out);
    /* What is given again costs nothing. */
    struct play_answer a = ask(CHAT, "cost", talk("fake-in100-out40", ""));
    PLAY_CHECK(a.status == 200 && strcmp(cost_of(&a), "0.00065") == 0, "%s", a.head);
    struct play_answer b = ask(CHAT, "cost", talk("fake-in100-out40", ""));
    PLAY_CHECK(is_replayed(&b) && strcmp(cost_of(&b), "0") == 0 && strcmp(a.body, b.body) == 0,
               "%s", b.head);
}

/* Nothing had reached the client: the account that broke off is not the last one. */
static void
a_broken_answer_is_another_accounts(void)
{
    play_must_ctl("account", "set", "gemini", "--models", "none", NULL);
    struct play_answer a = play_post(CHAT, talk("fake-first1-cut0", ""));
    PLAY_CHECK(a.status == 200 && a.whole, "%d %s", a.status, a.body);
    PLAY_CHECK(play_json(a.body, "choices.0.message.content") != NULL, "%s", a.body);
}

static const struct play_test cost_tests[] = {
    { "answers_say_what_they_cost", answers_say_what_they_cost, 0 },
    { "a_broken_answer_is_another_accounts", a_broken_answer_is_another_accounts, 0 },
    { NULL, NULL, 0 },
};
static const char *const cost_settings[] = { "worker.cost_header=yes", NULL };

PLAY_GROUP(cost_group, "cost_header", cost_tests, cost_settings, cost_prepare)
