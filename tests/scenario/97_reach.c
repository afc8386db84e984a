/*
 * 97_reach.c - what a client of one dialect can reach at accounts of others beyond a talk: counts,
 * lists of models, names that its group maps, and what group and account say of translation.
 */
#include "tests/scenario/play.h"

#include <string.h>

#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]"
#define CHAT "/v1/chat/completions"
#define MESSAGES "/v1/messages"

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
    add_account("a-chat", "openai", "chat", "gpt-4o,to-chat*");
    add_account("a-responses", "openai", "responses", "to-responses,gpt-5");
    add_account("a-anthropic", "anthropic", "anthropic", "to-anthropic,claude-opus-5");
    add_account("a-gemini", "gemini", "gemini", "to-gemini");
}

static struct play_answer
get(const char *path, const char *more)
{
    char *fields = play_text("Authorization: Bearer %s\r\n%s", play_world.key, more);
    return play_request(play_world.port, "GET", path, fields, NULL, 0);
}

static bool
is_estimate(const struct play_answer *a)
{
    const char *said = play_field(a, "x-sub2api-estimate");
    return said != NULL && strcmp(said, "true") == 0;
}

/* --- counts --- */

static const char *const models[] = { "to-chat", "to-responses", "to-anthropic", "to-gemini" };
#define MODELS (sizeof models / sizeof models[0])

static struct play_answer
count(size_t asker, const char *model)
{
    switch (asker) {
    case 0:
        return play_post("/v1/messages/count_tokens",
                         play_text("{\"model\":\"%s\",\"system\":\"be good\"," HELLO "}", model));
    case 1:
        return play_post("/v1/responses/input_tokens",
                         play_text("{\"model\":\"%s\",\"input\":\"hello\"}", model));
    default:
        return play_post(play_text("/v1beta/models/%s:countTokens", model),
                         "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hello\"}]}]}");
    }
}

/* The number is the provider's, 11, but at chat, which has no number. */
static void
counts_come_from_every_upstream(void)
{
    static const char *const members[] = { "input_tokens", "input_tokens", "totalTokens" };
    for (size_t asker = 0; asker < 3; asker++) {
        for (size_t i = 0; i < MODELS; i++) {
            struct play_answer a = count(asker, models[i]);
            uint64_t tokens = play_json_number(a.body, members[asker]);
            PLAY_CHECK(a.status == 200, "%s: %d %s", models[i], a.status, a.body);
            PLAY_CHECK(is_estimate(&a) == (i == 0), "%s: %s", models[i], a.head);
            PLAY_CHECK(i == 0 ? tokens > 3 && tokens < 60 : tokens == 11, "%s: %s", models[i],
                       a.body);
            bool is_object = play_json_is(a.body, "object", "response.input_tokens");
            PLAY_CHECK(is_object == (asker == 1), "%s: %s", models[i], a.body);
            PLAY_CHECK(play_json(a.body, "output_tokens") == NULL, "%s", a.body);
        }
    }
    struct play_answer a = count(0, "to-nobody");
    PLAY_CHECK(a.status == 404 && play_json_is(a.body, "error.type", "not_found_error"), "%d %s",
               a.status, a.body);
    a = play_request(play_world.port, "POST", "/v1/messages/count_tokens", NULL, "{}", 2);
    PLAY_CHECK(a.status == 401, "%d %s", a.status, a.body);
}

/* --- lists --- */

static void
lists_name_what_is_reached_through_translation(void)
{
    struct play_answer a = get("/v1/models", "");
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, "object", "list"), "%d %s", a.status,
               a.body);
    for (size_t i = 1; i < MODELS; i++) {
        PLAY_CHECK(strstr(a.body, play_text("\"id\":\"%s\"", models[i])) != NULL, "%s", a.body);
    }
    a = get("/v1/models", "anthropic-version: 2023-06-01\r\n");
    PLAY_CHECK(strstr(a.body, "\"id\":\"gpt-4o\"") != NULL, "%s", a.body);
    PLAY_CHECK(play_json_is(a.body, "data.0.type", "model"), "%s", a.body);
    a = get("/v1beta/models", "");
    PLAY_CHECK(strstr(a.body, "\"name\":\"models/gpt-4o\"") != NULL, "%s", a.body);
}

static void
one_is_found_in_each_shape(void)
{
    struct play_answer a = get("/v1/models/gpt-4o", "anthropic-version: 2023-06-01\r\n");
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, "type", "model"), "%d %s", a.status, a.body);
    PLAY_CHECK(play_json_is(a.body, "id", "gpt-4o"), "%s", a.body);
    a = get("/v1/models/claude-opus-5", "");
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, "object", "model"), "%d %s", a.status,
               a.body);
    a = get("/v1beta/models/gpt-4o", "");
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, "name", "models/gpt-4o"), "%d %s", a.status,
               a.body);
    a = get("/v1/models/nothing", "anthropic-version: 2023-06-01\r\n");
    PLAY_CHECK(a.status == 404 && play_json_is(a.body, "error.type", "not_found_error"), "%d %s",
               a.status, a.body);
}

/* --- a group's mapping --- */

static void
a_group_maps_names_across_dialects(void)
{
    play_must_ctl("group", "set", "default", "--model-map", "claude-*=gpt-4o,gpt-x=to-anthropic",
                  NULL);
    struct play_answer a =
        play_post(MESSAGES, "{\"model\":\"claude-sonnet-5\",\"max_tokens\":50," HELLO "}");
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, "content.0.text", "You said: hello"),
               "%d %s", a.status, a.body);
    PLAY_CHECK(play_json_is(a.body, "model", "claude-sonnet-5"), "%s", a.body);
    a = play_post(CHAT, "{\"model\":\"gpt-x\"," HELLO "}");
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, "model", "gpt-x"), "%d %s", a.status,
               a.body);
    a = count(0, "claude-sonnet-5");
    PLAY_CHECK(a.status == 200 && is_estimate(&a), "%d %s", a.status, a.head);
    a = get("/v1/models", "anthropic-version: 2023-06-01\r\n");
    PLAY_CHECK(strstr(a.body, "\"id\":\"claude-sonnet-5\"") != NULL, "%s", a.body);
    PLAY_CHECK(strstr(a.body, "\"id\":\"gpt-x\"") != NULL, "%s", a.body);
    a = get("/v1/models/claude-any", "anthropic-version: 2023-06-01\r\n");
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    struct play_run run = play_ctl("explain", "--key", "scenario", "--model", "claude-sonnet-5",
                                   "--dialect", "anthropic", NULL);
    PLAY_CHECK(strstr(run.out, "the group makes gpt-4o of it") != NULL &&
                   strstr(run.out, "translated anthropic->chat") != NULL,
               "%s%s", run.out, run.err);
    play_must_ctl("group", "set", "default", "--model-map", "", NULL);
    a = play_post(MESSAGES, "{\"model\":\"claude-sonnet-5\",\"max_tokens\":50," HELLO "}");
    PLAY_CHECK(a.status == 404, "%d %s", a.status, a.body);
}

/* --- what is said about translation --- */

#define DROPPING(more) \
    "{\"model\":\"to-anthropic\",\"seed\":7,\"logit_bias\":{\"1\":2}" more "," HELLO "}"

static void
what_is_dropped_is_told_or_refused(void)
{
    for (int is_stream = 0; is_stream < 2; is_stream++) {
        struct play_answer a =
            play_post(CHAT, is_stream ? DROPPING(",\"stream\":true") : DROPPING(""));
        const char *dropped = play_field(&a, "x-sub2api-dropped");
        PLAY_CHECK(a.status == 200 && dropped != NULL && strcmp(dropped, "seed,logit_bias") == 0,
                   "%d %s", a.status, a.head);
        const char *pair = play_field(&a, "x-protocol-translation");
        PLAY_CHECK(pair != NULL && strcmp(pair, "chat->anthropic") == 0, "%s", a.head);
    }
    struct play_answer a = play_post(CHAT, "{\"model\":\"to-anthropic\"," HELLO "}");
    PLAY_CHECK(play_field(&a, "x-sub2api-dropped") == NULL, "%s", a.head);
    play_must_ctl("group", "set", "default", "--translate-mode", "strict", NULL);
    a = play_post(CHAT, DROPPING(""));
    PLAY_CHECK(a.status == 400 && play_json_is(a.body, "error.param", "seed"), "%d %s", a.status,
               a.body);
    PLAY_CHECK(play_json_is(a.body, "error.code", "unsupported_parameter"), "%s", a.body);
    const char *pair = play_field(&a, "x-protocol-translation");
    PLAY_CHECK(pair != NULL && strcmp(pair, "chat->anthropic") == 0, "%s", a.head);
    play_must_ctl("group", "set", "default", "--translate-mode", "lenient", NULL);
}

static void
errors_of_the_provider_tell_it_too(void)
{
    struct play_answer a = play_post(
        MESSAGES, "{\"model\":\"to-chat\",\"max_tokens\":50,\"messages\":[{\"role\":\"user\","
                  "\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"file\","
                  "\"file_id\":\"f\"}}]}]}");
    const char *pair = play_field(&a, "x-protocol-translation");
    PLAY_CHECK(a.status == 400 && play_json_is(a.body, "type", "error"), "%d %s", a.status, a.body);
    PLAY_CHECK(pair != NULL && strcmp(pair, "anthropic->chat") == 0, "%s", a.head);
}

/* Nobody loads what stands behind a URL: who cannot himself says which field it is. */
static void
images_by_url_are_refused_where_they_cannot_be_loaded(void)
{
    struct play_answer a = play_post(
        CHAT, "{\"model\":\"to-gemini\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
              "\"image_url\",\"image_url\":{\"url\":\"http://127.0.0.1:1/secret.png\"}}]}]}");
    PLAY_CHECK(a.status == 400 && play_json_is(a.body, "error.param", "messages[0].content[0]"),
               "%d %s", a.status, a.body);
    PLAY_CHECK(play_json_is(a.body, "error.code", "unsupported_value"), "%s", a.body);
}

/* What the fake was asked since it was reset. */
static bool
was_asked(const char *text)
{
    char *requests = play_fake_requests();
    return strstr(requests, text) != NULL;
}

static void
groups_and_accounts_shape_what_is_sent(void)
{
    play_must_ctl("group", "set", "default", "--instructions", "Be brief.", "--effort-map",
                  "high=low", NULL);
    play_must_ctl("account", "set", "a-chat", "--caps", "max_field=max_tokens", NULL);
    play_fake_reset();
    struct play_answer a =
        play_post(CHAT, "{\"model\":\"to-responses\",\"reasoning_effort\":\"high\"," HELLO "}");
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    PLAY_CHECK(was_asked("Be brief."), "%s", play_fake_requests());
    PLAY_CHECK(was_asked("low") && !was_asked("high"), "%s", play_fake_requests());
    play_fake_reset();
    a = play_post("/v1/responses", "{\"model\":\"to-responses\",\"input\":\"hello\"}");
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    PLAY_CHECK(was_asked("Be brief."), "%s", play_fake_requests());
    a = play_post(MESSAGES, "{\"model\":\"to-chat\",\"max_tokens\":50," HELLO "}");
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    PLAY_CHECK(was_asked("max_tokens") && !was_asked("max_completion_tokens"), "%s",
               play_fake_requests());
    struct play_run run =
        play_ctl("group", "set", "default", "--effort-map", "high=enormous", NULL);
    PLAY_CHECK(run.status != 0 && strstr(run.err, "effort_map") != NULL, "%s", run.err);
    run = play_ctl("account", "set", "a-chat", "--caps", "telepathy", NULL);
    PLAY_CHECK(run.status != 0 && strstr(run.err, "telepathy") != NULL, "%s", run.err);
    play_must_ctl("group", "set", "default", "--instructions", "", "--effort-map", "", NULL);
    play_must_ctl("account", "set", "a-chat", "--caps", "", NULL);
}

static const struct play_test tests[] = {
    { "counts_come_from_every_upstream", counts_come_from_every_upstream, 0 },
    { "lists_name_what_is_reached_through_translation",
      lists_name_what_is_reached_through_translation, 0 },
    { "one_is_found_in_each_shape", one_is_found_in_each_shape, 0 },
    { "a_group_maps_names_across_dialects", a_group_maps_names_across_dialects, 0 },
    { "what_is_dropped_is_told_or_refused", what_is_dropped_is_told_or_refused, 0 },
    { "errors_of_the_provider_tell_it_too", errors_of_the_provider_tell_it_too, 0 },
    { "images_by_url_are_refused_where_they_cannot_be_loaded",
      images_by_url_are_refused_where_they_cannot_be_loaded, 0 },
    { "groups_and_accounts_shape_what_is_sent", groups_and_accounts_shape_what_is_sent, 0 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "reach", tests, NULL, prepare)
