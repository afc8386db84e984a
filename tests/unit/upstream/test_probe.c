/* An account's test: one request a dialect, the list of models, one line for people. */
#include "base/json.h"
#include "shm/lack.h"
#include "tests/unit/upstream/yard.h"
#include "upstream/probe.h"

struct fixture {
    struct yard yard;
    struct catalog_account account;
    struct probe probe;
    uint32_t ends;
    char json[8192];
};

static void
on_end(struct probe *probe, struct str json)
{
    struct fixture *f = LIST_OWNER(probe, struct fixture, probe);
    f->ends++;
    cr_assert(str_copy(f->json, sizeof f->json, json));
}

static void
begin(struct fixture *f, const char *dialects)
{
    *f = (struct fixture){ .ends = 0 };
    yard_begin(&f->yard);
    snprintf(f->yard.account.name, NAME_BYTES, "acme");
    snprintf(f->yard.account.dialects, sizeof f->yard.account.dialects, "%s", dialects);
    yard_retarget(&f->yard);
    f->account.account = f->yard.account;
    f->account.secret = STR("sk-very-secret");
    f->account.extra = f->yard.target;
}

static void
finish(struct fixture *f)
{
    probe_stop(&f->probe);
    yard_finish(&f->yard);
}

#define FIXTURE_UNTIL(f, condition)                                    \
    do {                                                               \
        int turns_left = NEAR_TURNS_MAX;                               \
        while (!(condition) && turns_left-- > 0) {                     \
            near_turn(&(f)->yard.near);                                \
        }                                                              \
        cr_assert(condition, "waited in vain; phase %s, got \"%.*s\"", \
                  exchange_phase_text((f)->probe.exchange.phase),      \
                  STR_ARG(buf_str(&(f)->yard.near.got)));              \
    } while (0)

/* Awaits a request with this in it and answers. */
static void
serve(struct fixture *f, const char *expect, const char *status, const char *body)
{
    char text[4096];
    FIXTURE_UNTIL(f, near_has_got(&f->yard.near, expect));
    near_some_turns(&f->yard.near);
    buf_clear(&f->yard.near.got);
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
             strlen(body), body);
    near_say(&f->yard.near, str_of(text));
}

static bool
says(const struct fixture *f, const char *what)
{
    return strstr(f->json, what) != NULL;
}

Test(probe, tries_each_dialect_and_the_list)
{
    struct fixture f;
    begin(&f, "chat,anthropic");
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    serve(&f, "POST /v1/chat/completions HTTP/1.1\r\n", "200 OK", "{}");
    serve(&f, "POST /v1/messages HTTP/1.1\r\n", "404 Not Found",
          "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"no such "
          "path\"}}");
    serve(&f, "GET /v1/models HTTP/1.1\r\n", "200 OK",
          "{\"data\":[{\"id\":\"gpt-4o-mini\"},{\"id\":\"o1\"},{\"no\":1}]}");
    FIXTURE_UNTIL(&f, f.ends == 1);
    struct json_value root;
    cr_expect_eq(json_read(str_of(f.json), &root, NULL), ERR_OK, "%s", f.json);
    cr_expect(says(&f, "\"ok\":true"), "one dialect that works is enough: %s", f.json);
    cr_expect(says(&f, "\"line\":\"acme: chat ok ") &&
                  says(&f, "no /v1/messages here; chat/completions works, translating; 2 models"),
              "%s", f.json);
    cr_expect(says(&f, "\"models\":[\"gpt-4o-mini\",\"o1\"]") && says(&f, "\"model_count\":2"));
    finish(&f);
}

static enum lack_kind
lack_of(const struct fixture *f, enum dialect dialect)
{
    struct lack_view view;
    const struct reach *reach = f->yard.reach;
    lack_read(reach->segment, f->account.account.index, dialect, loop_now_ms(reach->loop), &view);
    return view.kind;
}

Test(probe, learns_which_endpoints_are_missing)
{
    struct fixture f;
    begin(&f, "chat,responses");
    f.yard.conf.endpoint_retry_ms = 3600000;
    lack_note(f.yard.reach->segment, f.account.account.index, DIALECT_CHAT, LACK_PROVEN, 404,
              3600000, loop_now_ms(f.yard.reach->loop));
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    serve(&f, "POST /v1/chat/completions HTTP/1.1\r\n", "200 OK", "{}");
    serve(&f, "POST /v1/responses HTTP/1.1\r\n", "405 Method Not Allowed", "");
    serve(&f, "GET /v1/models HTTP/1.1\r\n", "404 Not Found", "");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "no /v1/responses here; chat/completions works, translating\""), "%s",
              f.json);
    cr_expect(says(&f, "\"dialect\":\"responses\",\"ok\":false,\"missing\":true"), "%s", f.json);
    cr_expect_eq(lack_of(&f, DIALECT_RESPONSES), LACK_PROVEN);
    cr_expect_eq(lack_of(&f, DIALECT_CHAT), LACK_NONE, "it answered");
    finish(&f);
}

Test(probe, doubts_the_url_where_no_endpoint_is)
{
    struct fixture f;
    begin(&f, "chat,responses");
    f.yard.conf.endpoint_retry_ms = 3600000;
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    serve(&f, "POST /v1/chat/completions HTTP/1.1\r\n", "404 Not Found", "<html>404</html>");
    serve(&f, "POST /v1/responses HTTP/1.1\r\n", "404 Not Found", "<html>404</html>");
    serve(&f, "GET /v1/models HTTP/1.1\r\n", "404 Not Found", "");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "\"ok\":false") &&
                  says(&f, "no /v1/responses here (HTTP 404): is the base URL right?"),
              "%s", f.json);
    cr_expect_eq(lack_of(&f, DIALECT_RESPONSES), LACK_DOUBTED);
    cr_expect_eq(lack_of(&f, DIALECT_CHAT), LACK_DOUBTED);
    finish(&f);
}

Test(probe, a_model_that_is_missing_is_no_missing_endpoint)
{
    struct fixture f;
    begin(&f, "chat,responses");
    f.yard.conf.endpoint_retry_ms = 3600000;
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    serve(&f, "POST /v1/chat/completions HTTP/1.1\r\n", "200 OK", "{}");
    serve(&f, "POST /v1/responses HTTP/1.1\r\n", "404 Not Found",
          "{\"error\":{\"message\":\"The model `gpt-4o-mini` does not exist\"}}");
    serve(&f, "GET /v1/models HTTP/1.1\r\n", "200 OK", "{}");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "responses: HTTP 404 The model"), "%s", f.json);
    cr_expect_eq(lack_of(&f, DIALECT_RESPONSES), LACK_NONE);
    finish(&f);
}

Test(probe, reads_geminis_list)
{
    struct fixture f;
    begin(&f, "gemini");
    probe_start(&f.probe, f.yard.reach, &f.account, STR("my-model"), on_end);
    serve(&f, "POST /v1beta/models/my-model:generateContent HTTP/1.1\r\n", "200 OK", "{}");
    serve(&f, "GET /v1beta/models HTTP/1.1\r\n", "200 OK",
          "{\"models\":[{\"name\":\"models/a\"}]}");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "\"models\":[\"models/a\"]"), "%s", f.json);
    finish(&f);
}

Test(probe, asks_for_the_model_that_the_account_serves)
{
    struct fixture f;
    begin(&f, "chat");
    snprintf(f.account.account.models, LIST_TEXT_BYTES, "gpt-*, our-model");
    snprintf(f.account.account.model_map, LIST_TEXT_BYTES, "our-model=real-model");
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    serve(&f, "\"model\":\"real-model\"", "200 OK", "{}");
    serve(&f, "GET /v1/models", "200 OK", "not json");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "\"ok\":true") && says(&f, "\"models\":[]"), "%s", f.json);
    finish(&f);
}

Test(probe, cleans_what_the_provider_says)
{
    struct fixture f;
    begin(&f, "chat");
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    serve(&f, "Authorization: Bearer sk-very-secret\r\n", "401 Unauthorized",
          "{\"error\":{\"message\":\"Incorrect API key provided: sk-very-secret. "
          "See\\u001b[31m docs\"}}");
    serve(&f, "GET /v1/models", "401 Unauthorized", "{}");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "\"ok\":false") && says(&f, "HTTP 401"), "%s", f.json);
    cr_expect(!says(&f, "sk-very-secret"), "%s", f.json);
    cr_expect(!says(&f, "\\u001b"), "%s", f.json);
    finish(&f);
}

Test(probe, gives_up_at_once_when_nobody_is_there)
{
    struct fixture f;
    begin(&f, "chat,responses,anthropic");
    close(f.yard.near.listen_fd);
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "\"ok\":false") && says(&f, "refused"), "%s", f.json);
    cr_expect(!says(&f, "anthropic"), "the others would fail alike: %s", f.json);
    finish(&f);
}

Test(probe, names_the_setting_that_a_private_address_needs)
{
    struct fixture f;
    begin(&f, "chat,anthropic");
    f.yard.conf.allow_private = false;
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "\"ok\":false") && says(&f, "[upstream] allow_private = yes"), "%s", f.json);
    cr_expect_eq(f.yard.near.accepts, 0);
    finish(&f);
}

Test(probe, keeps_a_bounded_part_of_an_answer)
{
    struct fixture f;
    begin(&f, "chat");
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    FIXTURE_UNTIL(&f, near_has_got(&f.yard.near, "POST"));
    buf_clear(&f.yard.near.got);
    near_say(&f.yard.near, STR("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n"));
    static char block[8000];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 50; i++) {
        near_say(&f.yard.near, str_make(block, sizeof block));
        near_some_turns(&f.yard.near);
    }
    cr_expect_leq(buf_len(&f.probe.answer), PROBE_ANSWER_BYTES);
    serve(&f, "GET /v1/models", "200 OK", "{}");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "\"ok\":true"));
    finish(&f);
}

/* A credential that cannot be sent fails every step at once: still not inside of probe_start. */
Test(probe, tells_later_also_what_it_knows_at_once)
{
    struct fixture f;
    begin(&f, "chat,anthropic");
    f.account.secret = STR("sk\r\nX-Evil: 1");
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    cr_expect_eq(f.ends, 0, "not from inside");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(says(&f, "\"ok\":false") && says(&f, "the request could not be made"), "%s", f.json);
    near_some_turns(&f.yard.near);
    cr_expect_eq(f.ends, 1);
    probe_stop(&f.probe);

    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    probe_stop(&f.probe);
    near_some_turns(&f.yard.near);
    cr_expect_eq(f.ends, 1, "stopped before it was told");
    cr_expect_eq(f.yard.near.accepts, 0);
    finish(&f);
}

Test(probe, stopped_is_silent)
{
    struct fixture f;
    begin(&f, "chat");
    probe_start(&f.probe, f.yard.reach, &f.account, STR(""), on_end);
    FIXTURE_UNTIL(&f, near_has_got(&f.yard.near, "POST"));
    probe_stop(&f.probe);
    near_some_turns(&f.yard.near);
    cr_expect_eq(f.ends, 0);
    finish(&f);
}

/* --- check-ups --- */

static void
check_up(struct fixture *f, bool wants_answer)
{
    begin(f, "chat,anthropic");
    f->yard.conf.bench_ms_max = 3600000;
    probe_checkup(&f->probe, f->yard.reach, &f->account, wants_answer, on_end);
}

#define LIST "GET /v1/models HTTP/1.1\r\n"
#define CHAT "POST /v1/chat/completions HTTP/1.1\r\n"

/* The list gets this status; is that the end? */
static bool
ends_with_the_list(struct fixture *f, bool wants_answer, const char *status)
{
    check_up(f, wants_answer);
    serve(f, LIST, status, "{}");
    int turns = NEAR_TURNS_MAX;
    while (f->ends == 0 && !near_has_got(&f->yard.near, CHAT) && turns-- > 0) {
        near_turn(&f->yard.near);
    }
    cr_assert(turns > 0, "%s: neither", status);
    bool is_over = f->ends == 1;
    finish(f);
    return is_over;
}

Test(probe, checkup_spends_tokens_only_where_the_list_speaks_for_it)
{
    struct fixture f;
    cr_expect(!ends_with_the_list(&f, false, "200 OK"));
    cr_expect(!ends_with_the_list(&f, false, "404 Not Found"), "there is no list");
    cr_expect(!ends_with_the_list(&f, false, "401 No"), "a key may be refused the list alone");
    cr_expect(!ends_with_the_list(&f, false, "403 No"));
    cr_expect(ends_with_the_list(&f, false, "429 Too Many"));
    cr_expect(ends_with_the_list(&f, false, "402 Pay"));
    cr_expect(ends_with_the_list(&f, false, "500 Oh"));
    cr_expect(ends_with_the_list(&f, false, "503 Busy"));
    cr_expect(ends_with_the_list(&f, false, "529 Overloaded"));
    cr_expect(ends_with_the_list(&f, true, "200 OK"), "any answer will do");
    cr_expect(ends_with_the_list(&f, true, "401 No"));
}

Test(probe, checkup_tells_what_decided)
{
    struct fixture f;
    check_up(&f, false);
    serve(&f, LIST, "429 Too Many\r\nRetry-After: 600", "{\"error\":{\"message\":\"slow down\"}}");
    FIXTURE_UNTIL(&f, f.ends == 1);
    const struct probe_result *result = probe_decided(&f.probe);
    cr_expect(result->status == 429 && result->decision.blame == RETRY_BLAME_RATE);
    cr_expect(!result->is_ok && result->retry_after_ms == 600000);
    cr_expect_str_eq(result->why, "HTTP 429 slow down");
    finish(&f);

    check_up(&f, false);
    serve(&f, LIST, "200 OK", "{\"data\":[]}");
    serve(&f, CHAT, "401 No", "{}");
    FIXTURE_UNTIL(&f, f.ends == 1);
    result = probe_decided(&f.probe);
    cr_expect(result->status == 401 && result->decision.blame == RETRY_BLAME_AUTH);
    cr_expect(!probe_is_ok(&f.probe));
    finish(&f);

    check_up(&f, false);
    serve(&f, LIST, "200 OK", "{\"data\":[]}");
    serve(&f, CHAT, "200 OK", "{}");
    FIXTURE_UNTIL(&f, f.ends == 1);
    cr_expect(probe_decided(&f.probe)->is_ok && probe_is_ok(&f.probe));
    cr_expect(!near_has_got(&f.yard.near, "/v1/messages"), "one dialect is enough");
    finish(&f);
}

Test(probe, checkup_of_a_silent_place_is_short)
{
    struct fixture f;
    begin(&f, "chat,anthropic");
    close(f.yard.near.listen_fd);
    probe_checkup(&f.probe, f.yard.reach, &f.account, false, on_end);
    FIXTURE_UNTIL(&f, f.ends == 1);
    const struct probe_result *result = probe_decided(&f.probe);
    cr_expect(result->status == 0 && result->decision.blame == RETRY_BLAME_NETWORK);
    cr_expect(result->phase == EXCHANGE_CONNECT && strstr(result->why, "refused") != NULL);
    finish(&f);
}
