/*
 * 95_translate.c - clients of one dialect at accounts that speak only another: text, streams, tools
 * and errors, through the whole gateway.
 */
#include "tests/scenario/play.h"

#include <string.h>

/* Who asks, by the path and the shape of its body; the group has one account, of another dialect.
 */
struct asker {
    const char *path;
    const char *head; /* of the body, behind the model */
    const char *text; /* where an answer that is no stream says its text */
    const char *last; /* what the last event of a stream has in it */
};

#define HELLO ",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]"
static const struct asker chat = { "/v1/chat/completions", HELLO, "choices.0.message.content",
                                   "[DONE]" };
static const struct asker anthropic = { "/v1/messages", ",\"max_tokens\":50" HELLO,
                                        "content.0.text", "message_stop" };
static const struct asker responses = { "/v1/responses", ",\"input\":\"hello\"",
                                        "output.0.content.0.text", "response.completed" };

static void
add_account(const char *name, const char *platform, const char *dialects, const char *models)
{
    char *file = play_text("%s/%s.key", play_world.dir, name);
    play_write_file(file, "fake-usage");
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    play_must_ctl("account", "create", name, "--platform", platform, "--base-url", url,
                  "--api-key-file", file, "--dialects", dialects, "--models", models, NULL);
}

/* Each account has models of its own, so that the model says which dialect is spoken upstream. */
static void
prepare(void)
{
    static const char *const standard[] = { "openai", "claude", "gemini" };
    play_standard();
    for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++) {
        play_must_ctl("account", "remove", standard[i], NULL);
    }
    add_account("only-chat", "openai", "chat", "to-chat*,both,fake-n40*,fake-n2-*");
    add_account("only-anthropic", "anthropic", "anthropic", "to-anthropic*,both");
}

static struct play_answer
ask(const struct asker *asker, const char *model, const char *more)
{
    return play_post(play_text("%s", asker->path),
                     play_text("{\"model\":\"%s\"%s%s}", model, asker->head, more));
}

static const struct {
    const struct asker *asker;
    const char *model;
    const char *pair;
} ways[] = {
    { &anthropic, "to-chat", "anthropic->chat" },
    { &responses, "to-chat", "responses->chat" },
    { &chat, "to-anthropic", "chat->anthropic" },
    { &responses, "to-anthropic", "responses->anthropic" },
};
#define WAYS (sizeof ways / sizeof ways[0])

static void
answers_in_the_clients_dialect(void)
{
    for (size_t i = 0; i < WAYS; i++) {
        struct play_answer a = ask(ways[i].asker, ways[i].model, "");
        PLAY_CHECK(a.status == 200, "%s: %d %s", ways[i].pair, a.status, a.body);
        PLAY_CHECK(play_json_is(a.body, ways[i].asker->text, "You said: hello"), "%s: %s",
                   ways[i].pair, a.body);
        PLAY_CHECK(play_json_is(a.body, "model", ways[i].model), "%s: %s", ways[i].pair, a.body);
        const char *pair = play_field(&a, "x-protocol-translation");
        PLAY_CHECK(pair != NULL && strcmp(pair, ways[i].pair) == 0, "%s: %s", ways[i].pair, a.head);
    }
}

static void
streams_in_the_clients_dialect(void)
{
    for (size_t i = 0; i < WAYS; i++) {
        struct play_answer a = ask(ways[i].asker, ways[i].model, ",\"stream\":true");
        PLAY_CHECK(a.status == 200, "%s: %d %s", ways[i].pair, a.status, a.body);
        const char *type = play_field(&a, "content-type");
        PLAY_CHECK(type != NULL && strcmp(type, "text/event-stream") == 0, "%s: %s", ways[i].pair,
                   a.head);
        PLAY_CHECK(strstr(a.body, "\"llo\"") != NULL, "%s: %s", ways[i].pair, a.body);
        PLAY_CHECK(strstr(a.body, ways[i].asker->last) != NULL, "%s: %s", ways[i].pair, a.body);
        const char *pair = play_field(&a, "x-protocol-translation");
        PLAY_CHECK(pair != NULL && strcmp(pair, ways[i].pair) == 0, "%s: %s", ways[i].pair, a.head);
    }
}

#define PARAMETERS "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}"

static void
calls_of_tools_come_through(void)
{
    struct play_answer a = play_post(
        "/v1/messages", "{\"model\":\"to-chat\",\"max_tokens\":50,\"messages\":[{\"role\":\"user\","
                        "\"content\":\"use tool\"}],\"tools\":[{\"name\":\"weather\","
                        "\"input_schema\":" PARAMETERS "}]}");
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, "stop_reason", "tool_use"), "%d %s",
               a.status, a.body);
    PLAY_CHECK(strstr(a.body, "\"name\":\"weather\"") != NULL, "%s", a.body);
    a = play_post("/v1/chat/completions",
                  "{\"model\":\"to-anthropic\",\"messages\":[{\"role\":\"user\",\"content\":"
                  "\"use tool\"}],\"stream\":true,\"tools\":[{\"type\":\"function\",\"function\":{"
                  "\"name\":\"weather\",\"parameters\":" PARAMETERS "}}]}");
    PLAY_CHECK(a.status == 200 && strstr(a.body, "\"name\":\"weather\"") != NULL, "%d %s", a.status,
               a.body);
    PLAY_CHECK(strstr(a.body, "\"finish_reason\":\"tool_calls\"") != NULL, "%s", a.body);
}

/* The last events of a Responses stream repeat all of its text: more than waits for a client. */
static void
long_answers_come_whole(void)
{
    for (int is_stream = 0; is_stream < 2; is_stream++) {
        struct play_answer a =
            ask(&responses, "fake-n40-gap0-bigchunk9000", is_stream ? ",\"stream\":true" : "");
        PLAY_CHECK(a.status == 200 && strlen(a.body) > 300000, "%d %zu", a.status, strlen(a.body));
        if (is_stream) {
            const char *last = strstr(a.body, "event: response.completed");
            PLAY_CHECK(last != NULL && strlen(last) > 300000, "cut: %zu", strlen(a.body));
        }
    }
}

/* One event that is longer than what is kept of one where nothing is translated: an image, or the
 * arguments of a call in one piece. */
static void
an_event_of_a_megabyte_comes_whole(void)
{
    static const struct asker *const askers[] = { &responses, &anthropic };
    for (size_t i = 0; i < 2; i++) {
        struct play_answer a = ask(askers[i], "fake-n2-gap0-bigchunk1048576", ",\"stream\":true");
        PLAY_CHECK(a.status == 200 && a.whole && strlen(a.body) > 2 * 1048576, "%d %zu", a.status,
                   strlen(a.body));
        PLAY_CHECK(strstr(a.body, askers[i]->last) != NULL, "cut: %zu", strlen(a.body));
    }
}

static void
the_clients_dialect_is_never_translated(void)
{
    struct play_answer a = ask(&chat, "both", "");
    PLAY_CHECK(a.status == 200 && play_field(&a, "x-protocol-translation") == NULL, "%s", a.head);
    a = ask(&anthropic, "both", ",\"stream\":true");
    PLAY_CHECK(a.status == 200 && play_field(&a, "x-protocol-translation") == NULL, "%s", a.head);
}

/* What cannot cross is said by its name in the client's own body. */
static void
what_cannot_cross_is_refused(void)
{
    struct play_answer a = ask(&chat, "to-anthropic", ",\"n\":2");
    PLAY_CHECK(a.status == 400 && play_json_is(a.body, "error.param", "n"), "%d %s", a.status,
               a.body);
    PLAY_CHECK(play_json_is(a.body, "error.type", "invalid_request_error"), "%s", a.body);
}

static void
a_model_that_nobody_has_is_not_found(void)
{
    struct play_answer a = ask(&chat, "to-nobody", "");
    PLAY_CHECK(a.status == 404 && play_json_is(a.body, "error.code", "model_not_found"), "%d %s",
               a.status, a.body);
}

static const struct play_test tests[] = {
    { "answers_in_the_clients_dialect", answers_in_the_clients_dialect, 0 },
    { "streams_in_the_clients_dialect", streams_in_the_clients_dialect, 0 },
    { "calls_of_tools_come_through", calls_of_tools_come_through, 0 },
    { "long_answers_come_whole", long_answers_come_whole, 0 },
    { "an_event_of_a_megabyte_comes_whole", an_event_of_a_megabyte_comes_whole, 0 },
    { "the_clients_dialect_is_never_translated", the_clients_dialect_is_never_translated, 0 },
    { "what_cannot_cross_is_refused", what_cannot_cross_is_refused, 0 },
    { "a_model_that_nobody_has_is_not_found", a_model_that_nobody_has_is_not_found, 0 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "translate", tests, NULL, prepare)
