/*
 * 96_learning.c - providers that do not have every endpoint that their account speaks: the client
 * sees its answer, the next request knows, and the operator sees why.
 */
#include "tests/scenario/play.h"

#include <string.h>

struct asker {
    const char *path; /* one %s: the model */
    const char *body; /* with the model */
    const char *more; /* of a stream */
    const char *text; /* where an answer that is no stream says its text */
    const char *last; /* what the last event of a stream has in it */
    const char *pair; /* translated to chat */
};

static const struct asker responses = { "/v1/responses",
                                        "{\"model\":\"%s\",\"input\":\"hello\"%s}",
                                        ",\"stream\":true",
                                        "output.0.content.0.text",
                                        "event: response.completed",
                                        "responses->chat" };
static const struct asker anthropic = { "/v1/messages",
                                        "{\"model\":\"%s\",\"max_tokens\":50,\"messages\":[{"
                                        "\"role\":\"user\",\"content\":\"hello\"}]%s}",
                                        ",\"stream\":true",
                                        "content.0.text",
                                        "message_stop",
                                        "anthropic->chat" };
static const struct asker chat = {
    "/v1/chat/completions",
    "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]%s}",
    ",\"stream\":true",
    "choices.0.message.content",
    "[DONE]",
    NULL
};
static const struct asker gemini = {
    "/v1beta/models/%s:generateContent",
    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hello\"}]}]}",
    "",
    "candidates.0.content.parts.0.text",
    NULL,
    "gemini->chat"
};

/* An account whose provider does what its key says, with models of its own. */
static void
add_account_of(const char *platform, const char *name, const char *key, const char *models,
               const char *priority)
{
    char *file = play_text("%s/%s.key", play_world.dir, name);
    play_write_file(file, key);
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    play_must_ctl("account", "create", name, "--platform", platform, "--base-url", url,
                  "--api-key-file", file, "--models", models, "--priority", priority, NULL);
}

static void
add_account(const char *name, const char *key, const char *models)
{
    add_account_of("openai", name, key, models, "1");
}

static void
prepare(void)
{
    static const char *const standard[] = { "openai", "claude", "gemini" };
    play_standard();
    for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++) {
        play_must_ctl("account", "remove", standard[i], NULL);
    }
    add_account("plain", "fake-lack2", "plain*,fake-status404");
    add_account("html", "fake-lack2-lackpage1", "html*");
    add_account("empty", "fake-lack2-lackpage2", "empty*");
    add_account("refused", "fake-lack2-lackas405", "refused*");
    add_account("unmade", "fake-lack2-lackas501", "unmade*");
    add_account("modern", "fake-lack1", "modern*");
    add_account("nowhere", "fake-lack15", "nowhere*");
    add_account("lost", "fake-lack15", "lost*");
    add_account_of("anthropic", "rescue", "fake-usage", "lost*", "2");
    add_account("half", "fake-lack2", "half*");
    add_account_of("openai", "whole", "fake-usage", "half*", "2");
}

static struct play_answer
ask(const struct asker *asker, const char *model, const char *more)
{
    bool in_path = strchr(asker->path, '%') != NULL;
    char *path = play_text("%s", asker->path);
    if (in_path) {
        path = play_text("/v1beta/models/%s:generateContent", model);
        return play_post(path, asker->body);
    }
    const char *hole = strstr(asker->body, "%s");
    const char *end = strstr(hole + 2, "%s");
    char *body = play_text("%.*s%s%.*s%s%s", (int)(hole - asker->body), asker->body, model,
                           (int)(end - hole - 2), hole + 2, more, end + 2);
    return play_post(path, body);
}

/* How often the fake was asked at this path. */
static unsigned
asked_at(const char *path)
{
    char *want = play_text("\"%s\"", path);
    unsigned count = 0;
    for (const char *at = play_fake_requests(); (at = strstr(at, want)) != NULL; at++) {
        count++;
    }
    return count;
}

static void
check_answer(const struct asker *asker, const struct play_answer *a)
{
    PLAY_CHECK(a->status == 200, "%s: %d %s", asker->path, a->status, a->body);
    PLAY_CHECK(play_json_is(a->body, asker->text, "You said: hello"), "%s: %s", asker->path,
               a->body);
    const char *pair = play_field(a, "x-protocol-translation");
    PLAY_CHECK(asker->pair == NULL || (pair != NULL && strcmp(pair, asker->pair) == 0), "%s: %s",
               asker->path, a->head);
}

static const char *const kinds[] = { "plain", "html", "empty", "refused", "unmade" };
#define KINDS (sizeof kinds / sizeof kinds[0])

/* Codex at a provider that has chat only: the first request finds out, the second one knows. */
static void
the_client_sees_its_answer_only(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        play_fake_reset();
        struct play_answer a = ask(&responses, kinds[i], "");
        check_answer(&responses, &a);
        PLAY_CHECK(asked_at("/v1/responses") == 1 && asked_at("/v1/chat/completions") == 1,
                   "%s: %s", kinds[i], play_fake_requests());
        a = ask(&responses, kinds[i], responses.more);
        PLAY_CHECK(a.status == 200 && strstr(a.body, responses.last) != NULL, "%s: %d %s", kinds[i],
                   a.status, a.body);
        PLAY_CHECK(asked_at("/v1/responses") == 1 && asked_at("/v1/chat/completions") == 2,
                   "%s: %s", kinds[i], play_fake_requests());
        struct play_run run = play_must_ctl("--json", "account", "show", kinds[i], NULL);
        PLAY_CHECK(play_json_is(run.out, "state", "ok"), "%s", run.out);
        PLAY_CHECK(play_json_is(run.out, "missing.0.dialect", "responses") &&
                       strstr(play_json(run.out, "lacks"), "no /v1/responses (") != NULL,
                   "%s", run.out);
    }
}

static void
a_stream_finds_out_as_well(void)
{
    play_must_ctl("account", "reset", "plain", NULL);
    play_fake_reset();
    struct play_answer a = ask(&responses, "plain", responses.more);
    PLAY_CHECK(a.status == 200 && strstr(a.body, responses.last) != NULL, "%d %s", a.status,
               a.body);
    PLAY_CHECK(asked_at("/v1/responses") == 1 && asked_at("/v1/chat/completions") == 1, "%s",
               play_fake_requests());
}

static void
every_client_is_served(void)
{
    static const struct asker *const askers[] = { &responses, &anthropic, &gemini, &chat };
    for (size_t i = 0; i < sizeof askers / sizeof askers[0]; i++) {
        play_must_ctl("account", "reset", "plain", NULL);
        struct play_answer a = ask(askers[i], "plain", "");
        check_answer(askers[i], &a);
        a = ask(askers[i], "plain", askers[i]->more);
        PLAY_CHECK(a.status == 200 &&
                       (askers[i]->last == NULL || strstr(a.body, askers[i]->last) != NULL),
                   "%s: %d %s", askers[i]->path, a.status, a.body);
    }
}

/* The other way round: an account that has responses only. */
static void
clients_of_chat_are_served_by_responses(void)
{
    static const struct asker *const askers[] = { &chat, &anthropic, &gemini };
    for (size_t i = 0; i < 3; i++) {
        play_must_ctl("account", "reset", "modern", NULL);
        for (int round = 0; round < 2; round++) {
            struct play_answer a = ask(askers[i], "modern", "");
            PLAY_CHECK(a.status == 200 && play_json_is(a.body, askers[i]->text, "You said: hello"),
                       "%s: %d %s", askers[i]->path, a.status, a.body);
        }
    }
}

static void
a_model_that_is_not_there_teaches_nothing(void)
{
    play_must_ctl("account", "reset", "plain", NULL);
    play_must_ctl("account", "set", "plain", "--dialects", "chat", NULL);
    struct play_answer a = ask(&chat, "fake-status404", "");
    PLAY_CHECK(a.status == 404, "%d %s", a.status, a.body);
    play_must_ctl("account", "set", "plain", "--dialects", "", NULL);
    a = ask(&chat, "fake-status404", "");
    PLAY_CHECK(a.status == 404, "%d %s", a.status, a.body);
    struct play_run run = play_must_ctl("--json", "account", "show", "plain", NULL);
    PLAY_CHECK(play_json_is(run.out, "lacks", ""), "%s", run.out);
}

/* Not billed, not counted, not benched; one record, and a line that says what was found. */
static void
finding_out_costs_nothing(void)
{
    play_must_ctl("account", "reset", "plain", NULL);
    struct play_run run = play_must_ctl("--json", "account", "show", "plain", NULL);
    uint64_t before = play_json_number(run.out, "totals.requests");
    uint64_t failures = play_json_number(run.out, "totals.failures");
    uint64_t switches = play_json_number(play_must_ctl("--json", "status", NULL).out, "switches");
    struct play_answer a = ask(&responses, "plain", "");
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    uint64_t end = play_now_ms() + 10000;
    do {
        run = play_must_ctl("--json", "account", "show", "plain", NULL);
    } while (play_json_number(run.out, "totals.requests") != before + 1 && play_now_ms() < end);
    PLAY_CHECK(play_json_number(run.out, "totals.requests") == before + 1 &&
                   play_json_number(run.out, "totals.failures") == failures,
               "%s", run.out);
    PLAY_CHECK(play_json_number(play_must_ctl("--json", "status", NULL).out, "switches") ==
                   switches,
               "counted as a switch");
    PLAY_CHECK(play_log_has("act=detour", 2000) &&
                   play_log_has("account=plain missing=responses status=404 then=chat", 2000),
               "the log does not tell it");
}

static void
explain_says_why(void)
{
    play_must_ctl("account", "reset", "html", NULL);
    struct play_answer a = ask(&responses, "html", "");
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    struct play_run run = play_must_ctl("--json", "explain", "--key", "scenario", "--model", "html",
                                        "--dialect", "responses", NULL);
    PLAY_CHECK(play_json_is(run.out, "ok", "true") && play_json_is(run.out, "chosen", "html"), "%s",
               run.out);
    PLAY_CHECK(strstr(run.out, "no /v1/responses (404), asked again in") != NULL, "%s", run.out);
    run = play_must_ctl("account", "list", NULL);
    PLAY_CHECK(strstr(run.out, "LACKS") != NULL &&
                   strstr(run.out, "no /v1/responses (404)") != NULL,
               "%s", run.out);
}

static void
the_account_test_says_it_in_words(void)
{
    play_must_ctl("account", "reset", "plain", NULL);
    struct play_run run = play_must_ctl("account", "test", "plain", "--model", "plain", NULL);
    PLAY_CHECK(strstr(run.out, "no /v1/responses here; chat/completions works, translating") !=
                   NULL,
               "%s", run.out);
    play_fake_reset();
    struct play_answer a = ask(&responses, "plain", "");
    check_answer(&responses, &a);
    PLAY_CHECK(asked_at("/v1/responses") == 0, "the test taught nothing: %s", play_fake_requests());
}

static void
an_account_without_any_endpoint_is_not_silent(void)
{
    struct play_answer a = ask(&responses, "nowhere", "");
    PLAY_CHECK(a.status == 404, "%d %s", a.status, a.body);
    struct play_run run = play_must_ctl("explain", "--key", "scenario", "--model", "nowhere",
                                        "--dialect", "responses", NULL);
    PLAY_CHECK(strstr(run.out, "is the base URL right?") != NULL, "%s", run.out);
    run = play_ctl("account", "test", "nowhere", NULL);
    PLAY_CHECK(run.status != 0 && strstr(run.out, "is the base URL right?") != NULL, "%d %s",
               run.status, run.out);
}

/* As another failure of the account: the next one serves, though it speaks another dialect. */
static void
another_account_serves_by_translation(void)
{
    static const struct asker *const askers[] = { &chat, &responses };
    for (size_t i = 0; i < 2; i++) {
        play_fake_reset();
        struct play_answer a = ask(askers[i], "lost", "");
        const char *pair = play_field(&a, "x-protocol-translation");
        PLAY_CHECK(a.status == 200 && play_json_is(a.body, askers[i]->text, "You said: hello"),
                   "%s: %d %s", askers[i]->path, a.status, a.body);
        PLAY_CHECK(pair != NULL && strstr(pair, "->anthropic") != NULL, "%s", a.head);
        PLAY_CHECK(asked_at("/v1/responses") == 1 && asked_at("/v1/chat/completions") == 1 &&
                       asked_at("/v1/messages") == 1,
                   "%s", play_fake_requests());
        a = ask(askers[i], "lost", askers[i]->more);
        PLAY_CHECK(a.status == 200 && strstr(a.body, askers[i]->last) != NULL, "%s: %d %s",
                   askers[i]->path, a.status, a.body);
    }
}

/* Asked in its own dialect it is nothing that a provider refuses. */
static void
what_cannot_be_translated_goes_to_who_takes_it(void)
{
    static const char *const more = ",\"previous_response_id\":\"resp_1\"";
    play_must_ctl("account", "reset", "half", NULL);
    play_must_ctl("account", "reset", "plain", NULL);
    play_fake_reset();
    struct play_answer a = ask(&responses, "half", more);
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, responses.text, "You said: hello"), "%d %s",
               a.status, a.body);
    PLAY_CHECK(play_field(&a, "x-protocol-translation") == NULL, "%s", a.head);
    PLAY_CHECK(asked_at("/v1/responses") == 2 && asked_at("/v1/chat/completions") == 0, "%s",
               play_fake_requests());
    /* Nobody takes it: the client hears which field stands in the way. */
    a = ask(&responses, "plain", more);
    PLAY_CHECK(a.status == 400 && play_json_is(a.body, "error.param", "previous_response_id"),
               "%d %s", a.status, a.body);
}

static void
what_was_learned_survives_a_restart(void)
{
    play_must_ctl("account", "reset", "plain", NULL);
    struct play_answer a = ask(&responses, "plain", "");
    check_answer(&responses, &a);
    PLAY_NEED(play_stop_gateway(20000) == 0, "it does not stop");
    play_start_gateway();
    PLAY_NEED(play_wait_ready(20000), "it is not ready");
    play_fake_reset();
    a = ask(&responses, "plain", "");
    check_answer(&responses, &a);
    PLAY_CHECK(asked_at("/v1/responses") == 0, "forgotten: %s", play_fake_requests());
    /* The operator's word, and back to what the provider says. */
    play_must_ctl("account", "set", "plain", "--dialects", "responses", NULL);
    a = ask(&responses, "plain", "");
    PLAY_CHECK(a.status == 404 && asked_at("/v1/responses") == 1, "%d %s", a.status, a.body);
    play_must_ctl("account", "set", "plain", "--dialects", "chat", NULL);
    a = ask(&responses, "plain", "");
    check_answer(&responses, &a);
    PLAY_CHECK(asked_at("/v1/responses") == 1, "%s", play_fake_requests());
    play_must_ctl("account", "set", "plain", "--dialects", "", NULL);
    a = ask(&responses, "plain", "");
    check_answer(&responses, &a);
    PLAY_CHECK(asked_at("/v1/responses") == 2, "learned anew: %s", play_fake_requests());
}

/* Which account would be asked for the model by this key. */
static void
expect_chosen(const char *model, const char *account, const char *when)
{
    struct play_run run = play_must_ctl("--json", "explain", "--key", "scenario", "--model", model,
                                        "--dialect", "chat", NULL);
    PLAY_CHECK(play_json_is(run.out, "chosen", account), "%s: %s", when, run.out);
}

static void
a_model_that_an_account_does_not_have_rests_over_a_restart(void)
{
    add_account("absent", "fake-status404", "rare*");
    add_account("present", "fake-present", "rare*");
    play_must_ctl("account", "set", "absent", "--priority", "1", NULL);
    struct play_answer a = ask(&chat, "rare", "");
    check_answer(&chat, &a);
    expect_chosen("rare", "present", "before");
    PLAY_NEED(play_stop_gateway(20000) == 0, "it does not stop");
    play_start_gateway();
    PLAY_NEED(play_wait_ready(20000), "it is not ready");
    expect_chosen("rare", "present", "after a restart");
    expect_chosen("rare-2", "absent", "another model");
    play_must_ctl("account", "reset", "absent", NULL);
    expect_chosen("rare", "absent", "after a reset");
    PLAY_NEED(play_stop_gateway(20000) == 0, "it does not stop");
    play_start_gateway();
    PLAY_NEED(play_wait_ready(20000), "it is not ready");
    expect_chosen("rare", "absent", "after a reset and a restart");
    play_must_ctl("account", "remove", "absent", NULL);
    play_must_ctl("account", "remove", "present", NULL);
}

static const struct play_test tests[] = {
    { "the_client_sees_its_answer_only", the_client_sees_its_answer_only, 0 },
    { "a_stream_finds_out_as_well", a_stream_finds_out_as_well, 0 },
    { "every_client_is_served", every_client_is_served, 0 },
    { "clients_of_chat_are_served_by_responses", clients_of_chat_are_served_by_responses, 0 },
    { "a_model_that_is_not_there_teaches_nothing", a_model_that_is_not_there_teaches_nothing, 0 },
    { "finding_out_costs_nothing", finding_out_costs_nothing, 0 },
    { "explain_says_why", explain_says_why, 0 },
    { "the_account_test_says_it_in_words", the_account_test_says_it_in_words, 0 },
    { "an_account_without_any_endpoint_is_not_silent",
      an_account_without_any_endpoint_is_not_silent, 0 },
    { "another_account_serves_by_translation", another_account_serves_by_translation, 0 },
    { "what_cannot_be_translated_goes_to_who_takes_it",
      what_cannot_be_translated_goes_to_who_takes_it, 0 },
    { "what_was_learned_survives_a_restart", what_was_learned_survives_a_restart, 60 },
    { "a_model_that_an_account_does_not_have_rests_over_a_restart",
      a_model_that_an_account_does_not_have_rests_over_a_restart, 90 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "learning", tests, NULL, prepare)

/* --- what is known has its time --- */

static const char *const soon[] = { "upstream.endpoint_retry=2s", NULL };

static void
a_missing_endpoint_is_asked_for_again(void)
{
    play_fake_reset();
    struct play_answer a = ask(&responses, "plain", "");
    check_answer(&responses, &a);
    a = ask(&responses, "plain", "");
    check_answer(&responses, &a);
    PLAY_CHECK(asked_at("/v1/responses") == 1, "%s", play_fake_requests());
    play_sleep(3200);
    a = ask(&responses, "plain", "");
    check_answer(&responses, &a);
    PLAY_CHECK(asked_at("/v1/responses") == 2, "not asked again: %s", play_fake_requests());
}

static const struct play_test later[] = {
    { "a_missing_endpoint_is_asked_for_again", a_missing_endpoint_is_asked_for_again, 0 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(expiry, "learning_again", later, soon, prepare)
