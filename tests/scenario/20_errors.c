/*
 * 20_errors.c - the rows of the error table, in the shape of each dialect, with x-request-id; what
 * the provider says and what it must not say; failover.
 */
#include "tests/scenario/play.h"

#include <stdlib.h>
#include <string.h>

enum shape { OPENAI, ANTHROPIC, GEMINI };

static const char *const targets[] = { "/v1/chat/completions", "/v1/messages",
                                       "/v1beta/models/%s:generateContent" };

static char *
body_for(enum shape shape, const char *model)
{
    if (shape == GEMINI) {
        return play_text("{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hello\"}]}]}");
    }
    return play_text("{\"model\":\"%s\",\"max_tokens\":9,"
                     "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
                     model);
}

static char *
target_for(enum shape shape, const char *model)
{
    if (shape == GEMINI) {
        return play_text("/v1beta/models/%s:generateContent", model);
    }
    return play_text("%s", targets[shape]);
}

static struct play_answer
ask(enum shape shape, const char *model)
{
    return play_post(target_for(shape, model), body_for(shape, model));
}

/* The error in the endpoint's shape, with this status and code (NULL: any code). */
static void
check_error(const struct play_answer *a, enum shape shape, int status, const char *code,
            const char *what)
{
    PLAY_CHECK(a->status == status, "%s, shape %d: status %d, not %d: %s", what, shape, a->status,
               status, a->body);
    PLAY_CHECK(play_field(a, "x-request-id") != NULL, "%s: no x-request-id: %s", what, a->head);
    char *message = play_json(a->body, "error.message");
    PLAY_CHECK(message != NULL && message[0] != '\0', "%s: no message: %s", what, a->body);
    if (shape == ANTHROPIC) {
        PLAY_CHECK(play_json_is(a->body, "type", "error"), "%s: %s", what, a->body);
        PLAY_CHECK(play_json(a->body, "error.type") != NULL, "%s: %s", what, a->body);
        PLAY_CHECK(play_json(a->body, "request_id") != NULL, "%s: no request_id: %s", what,
                   a->body);
        PLAY_CHECK(play_field(a, "request-id") != NULL, "%s: no request-id", what);
    } else if (shape == GEMINI) {
        PLAY_CHECK(play_json_number(a->body, "error.code") == (uint64_t)status, "%s: %s", what,
                   a->body);
        PLAY_CHECK(play_json(a->body, "error.status") != NULL, "%s: %s", what, a->body);
    } else {
        PLAY_CHECK(play_json(a->body, "error.type") != NULL, "%s: %s", what, a->body);
        PLAY_CHECK(play_json(a->body, "error.param") != NULL, "%s: no param: %s", what, a->body);
        PLAY_CHECK(code == NULL || play_json_is(a->body, "error.code", code), "%s: code %s, not %s",
                   what, play_json(a->body, "error.code"), code);
    }
}

static void
keys_missing_and_wrong(void)
{
    play_fake_reset();
    for (int s = OPENAI; s <= GEMINI; s++) {
        enum shape shape = (enum shape)s;
        char *body = body_for(shape, "fake-n3");
        char *target = target_for(shape, "fake-n3");
        struct play_answer a =
            play_request(play_world.port, "POST", target, "Content-Type: application/json\r\n",
                         body, strlen(body));
        check_error(&a, shape, 401, "missing_api_key", "no key");
        a = play_request(play_world.port, "POST", target,
                         "Content-Type: application/json\r\nAuthorization: Bearer sk-wrong\r\n",
                         body, strlen(body));
        check_error(&a, shape, 401, "invalid_api_key", "wrong key");
    }
    PLAY_CHECK(play_fake_stat("requests") == 0, "something was forwarded");
}

/* Without alt=sse Google's stream is one JSON array, and so is every refusal of it, early or late;
 * with it, as all its SDKs ask, an error is the plain object. */
static void
gemini_errors_have_the_form_of_what_was_asked(void)
{
    static const struct {
        const char *model;
        const char *key; /* NULL: the good one */
        const char *body;
        int status;
    } rows[] = {
        { "fake-n3", "sk-wrong", "{}", 401 }, /* by the head */
        { "fake-n3", NULL, "not json", 400 }, /* by the body */
        { "no-such", NULL, "{}", 404 },       /* by the choice of an account */
        { "fake-status400", NULL, "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]}]}", 400 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int is_sse = 0; is_sse < 2; is_sse++) {
            char *fields = play_text("Content-Type: application/json\r\nx-goog-api-key: %s\r\n",
                                     rows[i].key == NULL ? play_world.key : rows[i].key);
            char *target = play_text("/v1beta/models/%s:streamGenerateContent%s", rows[i].model,
                                     is_sse ? "?alt=sse" : "");
            struct play_answer a = play_request(play_world.port, "POST", target, fields,
                                                rows[i].body, strlen(rows[i].body));
            const char *path = is_sse ? "error.code" : "0.error.code";
            PLAY_CHECK(a.body != NULL && a.body[0] == (is_sse ? '{' : '[') &&
                           play_json_number(a.body, path) == (uint64_t)a.status,
                       "row %zu sse %d: %d %s", i, is_sse, a.status, a.body);
            PLAY_CHECK(a.status == rows[i].status || rows[i].status == 404, "row %zu: %d", i,
                       a.status);
        }
    }
    char *late = play_text("POST /v1beta/models/m:streamGenerateContent HTTP/1.1\r\nHost: x\r\n"
                           "x-goog-api-key: %s\r\nContent-Length: 99999999999\r\n\r\n",
                           play_world.key);
    struct play_conn *c = play_open(play_world.port);
    play_write(c, late, strlen(late));
    struct play_answer a = play_read(c, 3000);
    PLAY_CHECK(a.status == 413 && play_json_number(a.body, "0.error.code") == 413, "%d %s",
               a.status, a.body);
}

static void
unknown_key_never_sends_a_body(void)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\n"
                  "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n");
    struct play_answer a = play_read(c, 3000);
    PLAY_CHECK(a.status == 401, "status %d before the body", a.status);
    PLAY_CHECK(play_is_closed(c, 4000), "the connection stays open");
}

static char *
make_key(const char *name, const char *option, const char *value)
{
    struct play_run run = play_must_ctl("--json", "key", "create", "--user", "tester", "--name",
                                        name, option, value, NULL);
    char *key = play_json(run.out, "key");
    PLAY_NEED(key != NULL, "no key in %s", run.out);
    return key;
}

/* A request with a key of its own. */
static struct play_answer
ask_with(const char *key, const char *model, const char *text)
{
    char *body = play_text("{\"model\":\"%s\",\"max_tokens\":9,"
                           "\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
                           model, text);
    char *fields = play_text("Authorization: Bearer %s\r\nContent-Type: application/json\r\n", key);
    return play_request(play_world.port, "POST", "/v1/chat/completions", fields, body,
                        strlen(body));
}

/* Workers see a change at once, but the test must not depend on the microsecond. */
static struct play_answer
ask_until(const char *key, const char *model, int status)
{
    uint64_t end = play_now_ms() + 3000;
    struct play_answer a = ask_with(key, model, "hello");
    while (a.status != status && play_now_ms() < end) {
        play_sleep(50);
        a = ask_with(key, model, "hello");
    }
    return a;
}

static void
rules_of_a_key(void)
{
    char *key = make_key("models", "--models", "gpt-*,fake-n*");
    struct play_answer a = ask_with(key, "fake-n3", "hello");
    PLAY_CHECK(a.status == 200, "allowed model: %d %s", a.status, a.body);
    a = ask_with(key, "other", "hello");
    check_error(&a, OPENAI, 403, "model_not_allowed", "model list");
    key = make_key("address", "--addresses", "10.0.0.0/8");
    a = ask_with(key, "fake-n3", "hello");
    check_error(&a, OPENAI, 403, "forbidden", "address");
    key = make_key("input", "--input-tokens-max", "50");
    a = ask_with(key, "fake-n3", "hello");
    PLAY_CHECK(a.status == 200, "small input: %d %s", a.status, a.body);
    char *words = play_repeat('w', 5000); /* A single word that long would count as data. */
    for (size_t i = 5; i < 5000; i += 6) {
        words[i] = ' ';
    }
    a = ask_with(key, "fake-n3", words);
    check_error(&a, OPENAI, 412, "input_too_large", "input size");
}

static void
keys_end(void)
{
    char *key = make_key("short", "--expires", "1s");
    play_sleep(1300);
    struct play_answer a = ask_with(key, "fake-n3", "hello");
    check_error(&a, OPENAI, 401, "invalid_api_key", "expired");
    key = make_key("gone", "--note", "to be removed");
    a = ask_with(key, "fake-n3", "hello");
    PLAY_CHECK(a.status == 200, "fresh key: %d", a.status);
    play_must_ctl("key", "disable", "gone", NULL);
    a = ask_until(key, "fake-n3", 401);
    check_error(&a, OPENAI, 401, "invalid_api_key", "disabled");
    play_must_ctl("key", "enable", "gone", NULL);
    a = ask_until(key, "fake-n3", 200);
    PLAY_CHECK(a.status == 200, "enabled again: %d", a.status);
    play_must_ctl("key", "remove", "gone", NULL);
    a = ask_until(key, "fake-n3", 401);
    check_error(&a, OPENAI, 401, "invalid_api_key", "removed");
}

static void
requests_a_minute(void)
{
    char *key = make_key("rpm", "--rpm", "2");
    for (int i = 0; i < 2; i++) {
        struct play_answer a = ask_with(key, "fake-n3", "hello");
        PLAY_CHECK(a.status == 200, "request %d: %d %s", i, a.status, a.body);
    }
    struct play_answer a = ask_with(key, "fake-n3", "hello");
    check_error(&a, OPENAI, 429, "rate_limit_exceeded", "rpm");
    char *after = play_field(&a, "retry-after");
    PLAY_CHECK(after != NULL && atoi(after) >= 1 && atoi(after) <= 61, "retry-after %s", after);
    PLAY_CHECK(strstr(a.body, "key") != NULL, "the limiter is not named: %s", a.body);
}

static void
quota_of_a_key(void)
{
    /* 18 tokens a request: the quota is used up after a few. */
    char *key = make_key("quota", "--quota-tokens", "90");
    struct play_answer a = { 0 };
    int good = 0;
    for (int i = 0; i < 8; i++) {
        a = ask_with(key, "fake-n3", "hello");
        if (a.status != 200) {
            break;
        }
        good++;
        play_sleep(100);
    }
    PLAY_CHECK(good >= 1 && good <= 5, "%d requests of 18 tokens fit into 90", good);
    check_error(&a, OPENAI, 412, "quota_exhausted", "quota");
}

static void
one_at_a_time(void)
{
    char *key = make_key("one", "--concurrency", "1");
    char *slow = play_text(
        "{\"model\":\"fake-slowhead1500\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
    struct play_conn *c = play_open(play_world.port);
    play_print(c,
               "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               key, strlen(slow), slow);
    play_sleep(300);
    struct play_answer a = ask_with(key, "fake-n3", "hello"); /* queued 0.5 s at most, see below */
    PLAY_CHECK(a.status == 429 || a.status == 503, "second request: %d %s", a.status, a.body);
    PLAY_CHECK(play_json_is(a.body, "error.code", "queue_timeout") ||
                   play_json_is(a.body, "error.code", "concurrency_limit_exceeded"),
               "code: %s", a.body);
    PLAY_CHECK(play_field(&a, "retry-after") != NULL, "no retry-after");
    struct play_answer first = play_read(c, 5000);
    PLAY_CHECK(first.status == 200, "the first: %d", first.status);
    a = ask_with(key, "fake-n3", "hello");
    PLAY_CHECK(a.status == 200, "after the first: %d %s", a.status, a.body);
}

static void
models_and_paths_nobody_has(void)
{
    struct play_answer a = play_post("/v1/nowhere", "{}");
    check_error(&a, OPENAI, 404, "not_found", "unknown path");
    a = play_request(play_world.port, "GET", "/v1/chat/completions",
                     play_text("Authorization: Bearer %s\r\n", play_world.key), NULL, 0);
    check_error(&a, OPENAI, 405, "method_not_allowed", "GET on chat");
    PLAY_CHECK(play_field(&a, "allow") != NULL, "405 without Allow");
    /* One account without a list would be asked, in its own dialect. */
    static const char *const all[] = { "openai", "claude", "gemini" };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        play_must_ctl("account", "set", all[i], "--models", "fake-*,gpt-*", NULL);
    }
    a = ask(OPENAI, "nobody-serves-this");
    check_error(&a, OPENAI, 404, "model_not_found", "unknown model");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        play_must_ctl("account", "set", all[i], "--models", "", NULL);
    }
}

static void
bad_requests(void)
{
    struct play_answer a = play_post("/v1/chat/completions", "{\"model\":");
    check_error(&a, OPENAI, 400, "invalid_json", "half JSON");
    a = play_post("/v1/chat/completions", "{\"messages\":[]}");
    check_error(&a, OPENAI, 400, "missing_model", "no model");
    a = play_post("/v1/messages", "[1,2]");
    check_error(&a, ANTHROPIC, 400, NULL, "an array");
    char *fields =
        play_text("Authorization: Bearer %s\r\nContent-Type: text/plain\r\n", play_world.key);
    a = play_request(play_world.port, "POST", "/v1/chat/completions", fields, "hello", 5);
    PLAY_CHECK(a.status == 415 || a.status == 400, "text/plain: %d", a.status);
    fields = play_text("Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                       "Content-Encoding: br\r\n",
                       play_world.key);
    a = play_request(play_world.port, "POST", "/v1/chat/completions", fields, "{}", 2);
    check_error(&a, OPENAI, 415, NULL, "brotli body");
    PLAY_CHECK(play_fake_stat("bad") == 0, "the provider got bad HTTP");
}

static void
too_large(void)
{
    struct play_conn *c = play_open(play_world.port);
    play_print(c,
               "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
               "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{",
               play_world.key);
    struct play_answer a = play_read(c, 3000);
    check_error(&a, OPENAI, 413, "request_too_large", "declared");
    PLAY_CHECK(play_is_closed(c, 4000), "the connection stays open");
}

static void
provider_errors_keep_their_text(void)
{
    static const char *const names[] = { "fake-status400", "fake-status404", "fake-status422" };
    static const int statuses[] = { 400, 404, 422 };
    for (size_t i = 0; i < 3; i++) {
        struct play_answer a = ask(OPENAI, names[i]);
        PLAY_CHECK(a.status == statuses[i], "%s: %d %s", names[i], a.status, a.body);
        PLAY_CHECK(strstr(a.body, "fake error") != NULL, "%s: %s", names[i], a.body);
        PLAY_CHECK(play_field(&a, "x-request-id") != NULL, "no x-request-id");
    }
    struct play_answer a = ask(ANTHROPIC, "fake-status400");
    PLAY_CHECK(a.status == 400 && strstr(a.body, "fake error 400") != NULL, "%d %s", a.status,
               a.body);
    a = ask(GEMINI, "fake-status400");
    PLAY_CHECK(a.status == 400 && strstr(a.body, "fake error 400") != NULL, "%d %s", a.status,
               a.body);
}

/* Each in its own group of tests would be slow; a fresh model name and a reset are enough, but the
 * account must not stay benched for the next. */
static void
restore(void)
{
    static const char *const names[] = { "openai", "claude", "gemini" };
    for (size_t i = 0; i < 3; i++) {
        (void)play_ctl("account", "reset", names[i], NULL);
    }
}

static void
rate_limited_by_the_provider(void)
{
    struct play_answer a = ask(OPENAI, "fake-status429-retryafter7");
    PLAY_CHECK(a.status == 429, "%d %s", a.status, a.body);
    char *after = play_field(&a, "retry-after");
    PLAY_CHECK(after != NULL && atoi(after) >= 1 && atoi(after) <= 7, "retry-after %s", after);
    restore();
}

static void
server_errors_of_the_provider(void)
{
    for (int s = OPENAI; s <= GEMINI; s++) {
        struct play_answer a = ask((enum shape)s, "fake-status500");
        PLAY_CHECK(a.status >= 500 && a.status <= 529, "500: %d %s", a.status, a.body);
        restore();
    }
    struct play_answer a = ask(OPENAI, "fake-html502");
    check_error(&a, OPENAI, 502, "upstream_error", "HTML page");
    PLAY_CHECK(strstr(a.body, "relay.example") == NULL, "the relay's name got out: %s", a.body);
    restore();
}

static void
our_credential_is_never_the_clients_fault(void)
{
    struct play_answer a = ask(OPENAI, "fake-status401");
    PLAY_CHECK(a.status != 401 && a.status >= 500, "a wrong account key became %d: %s", a.status,
               a.body);
    restore();
    a = ask(ANTHROPIC, "fake-status403");
    PLAY_CHECK(a.status != 401 && a.status != 403, "403 became %d: %s", a.status, a.body);
    restore();
}

static void
broken_providers(void)
{
    static const char *const names[] = { "fake-garbage",  "fake-cut",      "fake-bothlen",
                                         "fake-twolen",   "fake-redirect", "fake-hugehead",
                                         "fake-shortbody" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct play_answer a = ask(OPENAI, names[i]);
        bool cut = strcmp(names[i], "fake-shortbody") == 0 && !a.whole;
        PLAY_CHECK(a.status == 502 || a.status == 503 || cut, "%s: %d whole %d %s", names[i],
                   a.status, a.whole, a.body);
        restore();
    }
    PLAY_CHECK(play_log_has("why=\"waiting for the answer: bad answer: The "
                            "answer is not HTTP/1.1.\"",
                            2000),
               "the log does not say what the provider did");
    struct play_run test = play_ctl("account", "test", "openai", "--model", "fake-garbage", NULL);
    PLAY_CHECK(test.status != 0 && strstr(test.out, "openai") != NULL &&
                   strstr(test.out, "The answer is not HTTP/1.1.") != NULL,
               "account test: %d %s%s", test.status, test.out, test.err);
    for (int i = 0; i < 3; i++) {
        struct play_answer a = ask(OPENAI, "fake-extra");
        PLAY_CHECK(a.status == 200 && strstr(a.body, "You said") != NULL,
                   "spare bytes behind an answer, request %d: %d %s", i, a.status, a.body);
    }
}

static void
silent_provider(void)
{
    uint64_t start = play_now_ms();
    struct play_answer a = ask(OPENAI, "fake-hang");
    uint64_t ms = play_now_ms() - start;
    check_error(&a, OPENAI, 504, "upstream_timeout", "no answer");
    PLAY_CHECK(ms >= 1500 && ms < 12000, "after %llu ms, first_byte_timeout is 2 s",
               (unsigned long long)ms);
    restore();
}

static void
no_account_left(void)
{
    play_must_ctl("account", "disable", "openai", NULL);
    play_sleep(200);
    struct play_answer a = ask(OPENAI, "fake-n3");
    check_error(&a, OPENAI, 503, "no_channel_available", "disabled account");
    play_must_ctl("account", "enable", "openai", NULL);
    play_sleep(200);
    a = ask(OPENAI, "fake-n3");
    PLAY_CHECK(a.status == 200, "enabled again: %d %s", a.status, a.body);
}

static void
not_ready_without_accounts(void)
{
    static const char *const names[] = { "openai", "claude", "gemini" };
    for (size_t i = 0; i < 3; i++) {
        play_must_ctl("account", "disable", names[i], NULL);
    }
    play_sleep(300);
    struct play_answer a = play_request(play_world.port, "GET", "/readyz", NULL, NULL, 0);
    PLAY_CHECK(a.status == 503, "readyz without accounts: %d %s", a.status, a.body);
    a = play_request(play_world.port, "GET", "/healthz", NULL, NULL, 0);
    PLAY_CHECK(a.status == 200, "healthz without accounts: %d", a.status);
    for (size_t i = 0; i < 3; i++) {
        play_must_ctl("account", "enable", names[i], NULL);
    }
    play_sleep(300);
    a = play_request(play_world.port, "GET", "/readyz", NULL, NULL, 0);
    PLAY_CHECK(a.status == 200, "readyz with accounts: %d %s", a.status, a.body);
}

static void
provider_that_does_not_listen(void)
{
    play_must_ctl("account", "set", "openai", "--base-url", "http://127.0.0.1:1", NULL);
    play_sleep(200);
    struct play_answer a = ask(OPENAI, "fake-n3");
    PLAY_CHECK(a.status == 502 || a.status == 503, "%d %s", a.status, a.body);
    play_must_ctl("account", "set", "openai", "--base-url",
                  play_text("http://127.0.0.1:%u", play_world.fake_port), NULL);
    restore();
    play_sleep(200);
    a = ask(OPENAI, "fake-n3");
    PLAY_CHECK(a.status == 200, "back: %d %s", a.status, a.body);
}

/* A second account serves what the first, preferred one, fails at. */
static void
the_next_account_takes_over(void)
{
    static const char *const faults[] = { "fake-status500", "fake-status429", "fake-status401",
                                          "fake-cut",       "fake-garbage",   "fake-html502" };
    char *secret = play_text("%s/bad.key", play_world.dir);
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        play_write_file(secret, faults[i]); /* The fake does what its API key says. */
        play_must_ctl("account", "add", "--name", "first", "--platform", "openai", "--base-url",
                      url, "--api-key-file", secret, "--priority", "1", NULL);
        play_sleep(150);
        play_fake_reset();
        struct play_answer a = ask(OPENAI, "gpt-4o-mini");
        PLAY_CHECK(a.status == 200, "%s: %d %s", faults[i], a.status, a.body);
        char *seen = play_fake_requests();
        PLAY_CHECK(play_json_number(seen, "count") >= 2, "%s: the first was never tried: %s",
                   faults[i], seen);
        PLAY_CHECK(play_json_number(seen, "count") <= 5, "%s: too many attempts: %s", faults[i],
                   play_json(seen, "count"));
        play_must_ctl("account", "remove", "first", NULL);
    }
}

static void
queue_that_is_full(void)
{
    play_must_ctl("account", "set", "openai", "--concurrency", "1", NULL);
    play_sleep(200);
    char *slow = play_text(
        "{\"model\":\"fake-slowhead1700\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
    struct play_conn *holds = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", slow);
    play_write(holds, text, strlen(text));
    play_sleep(300);
    struct play_answer a = ask(OPENAI, "fake-n3");
    PLAY_CHECK(a.status == 429 || a.status == 503, "all slots taken: %d %s", a.status, a.body);
    struct play_answer first = play_read(holds, 6000);
    PLAY_CHECK(first.status == 200, "the holder: %d", first.status);
    play_must_ctl("account", "set", "openai", "--concurrency", "0", NULL);
    play_sleep(200);
    a = ask(OPENAI, "fake-n3");
    PLAY_CHECK(a.status == 200, "afterwards: %d %s", a.status, a.body);
}

static const struct play_test tests[] = {
    { "keys_missing_and_wrong", keys_missing_and_wrong, 0 },
    { "gemini_errors_have_the_form_of_what_was_asked",
      gemini_errors_have_the_form_of_what_was_asked, 0 },
    { "unknown_key_never_sends_a_body", unknown_key_never_sends_a_body, 0 },
    { "rules_of_a_key", rules_of_a_key, 0 },
    { "keys_end", keys_end, 0 },
    { "requests_a_minute", requests_a_minute, 0 },
    { "quota_of_a_key", quota_of_a_key, 0 },
    { "one_at_a_time", one_at_a_time, 0 },
    { "models_and_paths_nobody_has", models_and_paths_nobody_has, 0 },
    { "bad_requests", bad_requests, 0 },
    { "too_large", too_large, 0 },
    { "provider_errors_keep_their_text", provider_errors_keep_their_text, 0 },
    { "rate_limited_by_the_provider", rate_limited_by_the_provider, 0 },
    { "server_errors_of_the_provider", server_errors_of_the_provider, 0 },
    { "our_credential_is_never_the_clients_fault", our_credential_is_never_the_clients_fault, 0 },
    { "broken_providers", broken_providers, 60 },
    { "silent_provider", silent_provider, 0 },
    { "no_account_left", no_account_left, 0 },
    { "not_ready_without_accounts", not_ready_without_accounts, 0 },
    { "provider_that_does_not_listen", provider_that_does_not_listen, 0 },
    { "the_next_account_takes_over", the_next_account_takes_over, 60 },
    { "queue_that_is_full", queue_that_is_full, 0 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "upstream.first_byte_timeout=2s",
                                        "worker.queue_user_time=500ms",
                                        "worker.queue_account_time=500ms",
                                        "worker.auth_failures=100000",
                                        "worker.sticky_time=0",
                                        NULL };

PLAY_GROUP(group, "errors", tests, settings, NULL)
