/* What the gateway answers without a provider, through a real worker. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

#include "shm/version.h"
#include "tests/unit/worker/mill.h"

#define KEY "Authorization: Bearer k\r\n"

static struct mill *
begin(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    return mill;
}

static bool
has(const char *answer, const char *text)
{
    return strstr(answer, text) != NULL;
}

Test(local, says_that_it_lives_without_a_key)
{
    struct mill *mill = begin();
    version_set_loaded(&mill->test.segment, false); /* it lives, whatever is missing */
    const char *answer = mill_ask(mill, "GET", "/healthz", "");
    cr_expect(mill_is(answer, 200, "ok"), "%s", answer);
    cr_expect(has(answer, "\r\nContent-Type: application/json\r\n"), "%s", answer);
    cr_expect(has(answer, "\r\nx-request-id: req_"), "%s", answer);
    answer = mill_ask(mill, "GET", "/", "");
    cr_expect(mill_is(answer, 200, "sub2api"), "%s", answer);
    answer = mill_ask(mill, "HEAD", "/healthz", "");
    cr_expect(mill_is(answer, 200, NULL), "%s", answer);
    cr_expect_str_eq(strstr(answer, "\r\n\r\n"), "\r\n\r\n", "a HEAD has no body: %s", answer);
    cr_expect(has(answer, "\r\ncontent-length: 15\r\n"), "%s", answer);
    mill_stop(mill);
}

Test(local, says_why_it_is_not_ready)
{
    struct mill *mill = begin();
    struct segment *segment = &mill->test.segment;
    version_set_resolving(segment, true);
    const char *answer = mill_ask(mill, "GET", "/readyz", "");
    cr_expect(mill_is(answer, 200, "ready"), "%s", answer);

    version_set_usable_accounts(segment, 0);
    answer = mill_ask(mill, "GET", "/readyz", "");
    cr_expect(mill_is(answer, 503, "no_channel_available") && has(answer, "Not ready: no_account"),
              "%s", answer);
    version_set_writable(segment, false);
    answer = mill_ask(mill, "GET", "/readyz", "");
    cr_expect(mill_is(answer, 503, "overloaded") && has(answer, "Not ready: store_not_writable"),
              "%s", answer);
    version_set_resolving(segment, false);
    answer = mill_ask(mill, "GET", "/readyz", "");
    cr_expect(mill_is(answer, 503, NULL) && has(answer, "Not ready: loading"), "%s", answer);
    version_set_resolving(segment, true);
    version_set_loaded(segment, false);
    answer = mill_ask(mill, "GET", "/readyz", "");
    cr_expect(mill_is(answer, 503, NULL) && has(answer, "Not ready: loading"), "%s", answer);
    version_set_draining(segment, true);
    answer = mill_ask(mill, "GET", "/readyz", "");
    cr_expect(mill_is(answer, 503, "draining") && has(answer, "Not ready: draining"), "%s", answer);
    cr_expect(has(answer, "\r\nretry-after: "), "%s", answer);

    version_set_draining(segment, false);
    version_set_loaded(segment, true);
    version_set_writable(segment, true);
    version_set_usable_accounts(segment, 1);
    answer = mill_ask(mill, "GET", "/readyz", "");
    cr_expect(mill_is(answer, 200, "ready"), "and it is again: %s", answer);
    mill_stop(mill);
}

Test(local, refuses_a_path_it_does_not_have_in_the_dialect_of_the_path)
{
    static const struct {
        const char *path;
        const char *shape; /* what only this dialect's errors have */
    } rows[] = {
        { "/v1/unheard_of", "\"param\":" },
        { "/v1/messages/unheard_of", "\"type\":\"error\"" },
        { "/v1beta/models/m:unheardOf", "\"status\":\"NOT_FOUND\"" },
        { "/favicon.ico", "\"param\":" },
    };
    struct mill *mill = begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *answer = mill_ask(mill, "POST", rows[i].path, KEY "Content-Length: 0\r\n");
        cr_expect(mill_is(answer, 404, NULL), "%s: %s", rows[i].path, answer);
        cr_expect(has(answer, rows[i].shape), "%s: %s", rows[i].path, answer);
        cr_expect(has(answer, "\r\nx-should-retry: false\r\n"), "%s: %s", rows[i].path, answer);
    }
    const char *answer = mill_ask(mill, "GET", "/v1/unheard_of", "");
    cr_expect(mill_is(answer, 404, "not_found"), "also without a key: %s", answer);
    cr_expect(has(answer, "There is no endpoint /v1/unheard_of"), "%s", answer);
    mill_stop(mill);
}

Test(local, names_the_method_that_a_path_takes)
{
    static const struct {
        const char *method;
        const char *path;
        const char *allow;
    } rows[] = {
        { "GET", "/v1/chat/completions", "\r\nAllow: POST\r\n" },
        { "PUT", "/v1/messages", "\r\nAllow: POST\r\n" },
        { "DELETE", "/v1/models", "\r\nAllow: GET, HEAD\r\n" },
        { "POST", "/healthz", "\r\nAllow: GET, HEAD\r\n" },
        { "GET", "/v1beta/models/m:generateContent", "\r\nAllow: POST\r\n" },
        { "GET", "/v1/responses", "\r\nAllow: POST\r\n" },
    };
    struct mill *mill = begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *answer = mill_ask(mill, rows[i].method, rows[i].path, KEY);
        cr_expect(mill_is(answer, 405, NULL), "%s: %s", rows[i].path, answer);
        cr_expect(has(answer, rows[i].allow), "%s: %s", rows[i].path, answer);
        cr_expect(has(answer, "Use "), "%s: %s", rows[i].path, answer);
    }
    mill_stop(mill);
}

Test(local, tells_a_websocket_client_to_use_post)
{
    struct mill *mill = begin();
    const char *answer =
        mill_ask(mill, "GET", "/v1/responses",
                 KEY "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    cr_expect(mill_is(answer, 426, "upgrade_required"), "%s", answer);
    cr_expect(has(answer, "\r\nUpgrade: HTTP/1.1\r\n"), "%s", answer);
    mill_stop(mill);
}

static void
two_models(struct account *account)
{
    snprintf(account->models, sizeof account->models, "gpt-4o,o/1");
}
static void
one_model(struct key *key)
{
    snprintf(key->models, sizeof key->models, "gpt-*");
}

Test(local, lists_the_models_of_the_key_to_who_has_one)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", two_models);
    mill_key(mill, "k", NULL);
    mill_key(mill, "narrow", one_model);
    mill_run(mill);
    const char *answer = mill_ask(mill, "GET", "/v1/models", "");
    cr_expect(mill_is(answer, 401, "missing_api_key"), "%s", answer);
    answer = mill_ask(mill, "GET", "/v1/models", KEY);
    cr_expect(mill_is(answer, 200, "gpt-4o") && has(answer, "\"o/1\"") &&
                  has(answer, "\"object\":\"list\""),
              "%s", answer);
    answer = mill_ask(mill, "GET", "/v1/models", "Authorization: Bearer narrow\r\n");
    cr_expect(mill_is(answer, 200, "gpt-4o") && !has(answer, "\"o/1\""), "%s", answer);
    /* One path, three kinds of clients: each gets its own shape. */
    answer = mill_ask(mill, "GET", "/v1/models", KEY "anthropic-version: 2023-06-01\r\n");
    cr_expect(mill_is(answer, 200, "gpt-4o") && has(answer, "\"has_more\":"), "%s", answer);
    answer = mill_ask(mill, "GET", "/v1beta/models?key=k", "");
    cr_expect(mill_is(answer, 200, NULL) && has(answer, "\"models/gpt-4o\""), "%s", answer);
    answer = mill_ask(mill, "GET", "/v1/models", "x-goog-api-key: k\r\n");
    cr_expect(mill_is(answer, 200, NULL) && has(answer, "\"models/gpt-4o\""), "%s", answer);
    mill_stop(mill);
}

Test(local, shows_one_model_and_refuses_one_that_is_not_reachable)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", two_models);
    mill_key(mill, "k", NULL);
    mill_key(mill, "narrow", one_model);
    mill_run(mill);
    const char *answer = mill_ask(mill, "GET", "/v1/models/gpt-4o", KEY);
    cr_expect(mill_is(answer, 200, "gpt-4o") && has(answer, "\"object\":\"model\""), "%s", answer);
    answer = mill_ask(mill, "GET", "/v1/models/o%2F1", KEY);
    cr_expect(mill_is(answer, 200, "o/1"), "escaped in the path: %s", answer);
    answer = mill_ask(mill, "GET", "/v1/models/o%2F1", "Authorization: Bearer narrow\r\n");
    cr_expect(mill_is(answer, 404, "model_not_found") && has(answer, "'o/1'"), "%s", answer);
    answer = mill_ask(mill, "GET", "/v1/models/unknown", KEY);
    cr_expect(mill_is(answer, 404, "model_not_found") && has(answer, "\"param\":\"model\""), "%s",
              answer);
    answer = mill_ask(mill, "GET", "/v1beta/models/unknown", "x-goog-api-key: k\r\n");
    cr_expect(mill_is(answer, 404, "NOT_FOUND"), "%s", answer);
    answer = mill_ask(mill, "GET", "/v1/models/%00", KEY);
    cr_expect(mill_is(answer, 404, "model_not_found"), "%s", answer);
    mill_stop(mill);
}

Test(local, leaves_no_record_and_holds_nothing)
{
    struct mill *mill = begin();
    (void)mill_ask(mill, "GET", "/healthz", "");
    (void)mill_ask(mill, "GET", "/v1/models", KEY);
    (void)mill_ask(mill, "GET", "/v1/unheard_of", KEY);
    mill_counts(mill, COUNTER_REQUESTS, 3);
    struct ledger_record records[1];
    cr_expect_eq(mill_records(mill, records, 1), 0);
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_ANSWERED_2XX), 2);
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_ANSWERED_4XX), 1);
    mill_settled(mill);
    mill_stop(mill);
}
