/*
 * 10_endpoints.c - every endpoint under every alias, streaming and not, and what reaches the
 * provider.
 */
#include "tests/scenario/play.h"

#include <string.h>

#define CHAT "{\"model\":\"fake-n3\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"
#define CHAT_STREAM                                                                        \
    "{\"model\":\"fake-n3\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":" \
    "\"hello\"}]}"
#define RESPONSES "{\"model\":\"fake-n3\",\"input\":\"hello\"}"
#define RESPONSES_STREAM "{\"model\":\"fake-n3\",\"stream\":true,\"input\":\"hello\"}"
#define MESSAGES                                                                            \
    "{\"model\":\"fake-n3\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":" \
    "\"hello\"}]}"
#define MESSAGES_STREAM                                        \
    "{\"model\":\"fake-n3\",\"max_tokens\":9,\"stream\":true," \
    "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"
#define GEMINI "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hello\"}]}]}"

struct row {
    const char *target;
    const char *upstream; /* the path that the provider must see */
    const char *body;
    const char *holds; /* in the answer */
};

/* One request through the gateway and one to the provider: the same bytes must come back. */
static void
check_row(const struct row *row)
{
    play_fake_reset();
    struct play_answer a = play_post(row->target, row->body);
    char *seen = play_fake_requests();
    PLAY_CHECK(a.status == 200, "%s: status %d %s", row->target, a.status, a.body);
    PLAY_CHECK(a.whole, "%s: the answer is not whole", row->target);
    PLAY_CHECK(strstr(a.body, row->holds) != NULL, "%s: no %s in %s", row->target, row->holds,
               a.body);
    PLAY_CHECK(play_field(&a, "x-request-id") != NULL, "%s: no x-request-id", row->target);
    PLAY_CHECK(play_json_number(seen, "count") == 1, "%s: forwarded %s times", row->target,
               play_json(seen, "count"));
    PLAY_CHECK(play_json_is(seen, "requests.0.path", row->upstream), "%s: the provider saw %s",
               row->target, play_json(seen, "requests.0.path"));
    struct play_answer direct =
        play_request(play_world.fake_port, "POST", row->upstream,
                     "Content-Type: application/json\r\n", row->body, strlen(row->body));
    PLAY_CHECK(a.body_len == direct.body_len && memcmp(a.body, direct.body, a.body_len) == 0,
               "%s: the bytes differ: %s / %s", row->target, a.body, direct.body);
}

static void
check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_row(&rows[i]);
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void
a00_anything_gets_through(void)
{
    struct play_answer a = play_post("/v1/chat/completions", CHAT);
    PLAY_NEED(a.status == 200, "status %d: %s%s", a.status, a.head, a.body);
    PLAY_CHECK(strstr(a.body, "You said: hello") != NULL, "%s", a.body);
}

static void
chat_under_every_alias(void)
{
    static const struct row rows[] = {
        { "/v1/chat/completions", "/v1/chat/completions", CHAT, "You said: hello" },
        { "/chat/completions", "/v1/chat/completions", CHAT, "You said: hello" },
        { "/openai/v1/chat/completions", "/v1/chat/completions", CHAT, "You said: hello" },
        { "/v1/chat/completions", "/v1/chat/completions", CHAT_STREAM,
          "\"finish_reason\":\"stop\"" },
        { "/v1/chat/completions/", "/v1/chat/completions", CHAT, "You said: hello" },
    };
    /* A stream without include_usage is compared in its own group: its request is spliced. */
    check_rows(rows, 3);
    check_row(&rows[4]);
    struct play_answer a = play_post(rows[3].target, rows[3].body);
    PLAY_CHECK(a.status == 200 && strstr(a.body, rows[3].holds) != NULL, "%d %s", a.status, a.body);
    PLAY_CHECK(strstr(a.body, "data: [DONE]") != NULL, "no [DONE]: %s", a.body);
    char *type = play_field(&a, "content-type");
    PLAY_CHECK(type != NULL && strstr(type, "text/event-stream") == type, "type %s", type);
}

static void
responses_under_every_alias(void)
{
    static const struct row rows[] = {
        { "/v1/responses", "/v1/responses", RESPONSES, "You said: hello" },
        { "/responses", "/v1/responses", RESPONSES, "You said: hello" },
        { "/openai/v1/responses", "/v1/responses", RESPONSES, "You said: hello" },
        { "/backend-api/codex/responses", "/v1/responses", RESPONSES_STREAM, "response.completed" },
        { "/v1/responses", "/v1/responses", RESPONSES_STREAM, "response.completed" },
        { "/v1/responses/compact", "/v1/responses/compact", RESPONSES, "compaction" },
        { "/v1/responses/input_tokens", "/v1/responses/input_tokens", RESPONSES,
          "\"input_tokens\":11" },
    };
    CHECK_ROWS(rows);
}

static void
messages_under_every_alias(void)
{
    static const struct row rows[] = {
        { "/v1/messages", "/v1/messages", MESSAGES, "You said: hello" },
        { "/messages", "/v1/messages", MESSAGES, "You said: hello" },
        { "/v1/messages", "/v1/messages", MESSAGES_STREAM, "event: message_stop" },
    };
    CHECK_ROWS(rows);
    struct play_answer a = play_post("/v1/messages?beta=true", MESSAGES_STREAM);
    PLAY_CHECK(a.status == 200 && strstr(a.body, "message_stop") != NULL, "%d %s", a.status,
               a.body);
    PLAY_CHECK(play_field(&a, "request-id") != NULL, "no request-id: %s", a.head);
    a = play_post("/v1/messages/count_tokens?beta=true", MESSAGES);
    PLAY_CHECK(a.status == 200 && play_json_number(a.body, "input_tokens") == 11, "%d %s", a.status,
               a.body);
}

static void
gemini_in_both_versions(void)
{
    static const struct row rows[] = {
        { "/v1beta/models/fake-n3:generateContent", "/v1beta/models/fake-n3:generateContent",
          GEMINI, "You said: hello" },
        { "/v1beta/models/fake-n3:streamGenerateContent?alt=sse",
          "/v1beta/models/fake-n3:streamGenerateContent?alt=sse", GEMINI, "STOP" },
        { "/v1beta/models/fake-n3:countTokens", "/v1beta/models/fake-n3:countTokens", GEMINI,
          "\"totalTokens\":11" },
        { "/v1beta/models/fake-n3:embedContent", "/v1beta/models/fake-n3:embedContent",
          "{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}", "\"embedding\"" },
        { "/v1beta/models/fake-n3:batchEmbedContents", "/v1beta/models/fake-n3:batchEmbedContents",
          "{\"requests\":[{\"model\":\"models/"
          "fake-n3\",\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}",
          "\"embeddings\"" },
    };
    CHECK_ROWS(rows);
    struct play_answer a = play_post("/v1/models/fake-n3:generateContent", GEMINI);
    PLAY_CHECK(a.status == 200 && strstr(a.body, "You said: hello") != NULL, "/v1: %d %s", a.status,
               a.body);
    a = play_post("/v1beta/models/fake-n3:streamGenerateContent", GEMINI);
    PLAY_CHECK(a.status == 200 && a.body[0] == '[' && a.body[a.body_len - 1] == ']', "array: %d %s",
               a.status, a.body);
    char *type = play_field(&a, "content-type");
    PLAY_CHECK(type != NULL && strstr(type, "application/json") != NULL, "array as %s", type);
}

static void
gemini_key_in_the_query(void)
{
    play_fake_reset();
    char *target = play_text("/v1beta/models/fake-n3:generateContent?key=%s", play_world.key);
    struct play_answer a =
        play_request(play_world.port, "POST", target, "Content-Type: application/json\r\n", GEMINI,
                     strlen(GEMINI));
    char *seen = play_fake_requests();
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    PLAY_CHECK(strstr(seen, play_world.key) == NULL, "the key went upstream: %s", seen);
    char *chat = play_text("/v1/chat/completions?key=%s", play_world.key);
    a = play_request(play_world.port, "POST", chat, "Content-Type: application/json\r\n", CHAT,
                     strlen(CHAT));
    PLAY_CHECK(a.status == 401, "?key= on a chat path: %d", a.status);
}

static void
small_endpoints(void)
{
    static const struct row rows[] = {
        { "/v1/embeddings", "/v1/embeddings", "{\"model\":\"fake-e\",\"input\":[\"a\",\"b\"]}",
          "\"embedding\":[" },
        { "/v1/embeddings", "/v1/embeddings",
          "{\"model\":\"fake-e\",\"input\":\"a\",\"encoding_format\":\"base64\"}",
          "\"embedding\":\"" },
        { "/v1/completions", "/v1/completions", "{\"model\":\"fake-n3\",\"prompt\":\"hello\"}",
          "You said: hello" },
        { "/v1/images/generations", "/v1/images/generations",
          "{\"model\":\"fake-i\",\"prompt\":\"a cat\"}", "b64_json" },
        { "/v1/audio/speech", "/v1/audio/speech",
          "{\"model\":\"fake-s\",\"input\":\"hello\",\"voice\":\"alloy\"}", "ID3" },
        { "/v1/moderations", "/v1/moderations", "{\"model\":\"fake-m\",\"input\":\"hello\"}",
          "\"flagged\":false" },
        { "/v1/rerank", "/v1/rerank",
          "{\"model\":\"fake-r\",\"query\":\"q\",\"documents\":[\"a\",\"b\"]}", "relevance_score" },
        { "/rerank", "/v1/rerank", "{\"model\":\"fake-r\",\"query\":\"q\",\"documents\":[\"a\"]}",
          "relevance_score" },
    };
    CHECK_ROWS(rows);
}

#define BOUNDARY "----scenario7MA4YWxkTrZu0gW"
#define PART(name, text) \
    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"
#define FILE_PART                                                                             \
    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n" \
    "Content-Type: audio/wav\r\n\r\nRIFF\r\n\r\n--not-the-boundary\r\n"                       \
    "\r\n"

static void
multipart(void)
{
    static const char *const targets[] = { "/v1/audio/transcriptions", "/v1/audio/translations",
                                           "/v1/images/edits" };
    static const char form[] =
        PART("model", "fake-n3") FILE_PART PART("prompt", "hello") "--" BOUNDARY "--\r\n";
    char *fields = play_text("Authorization: Bearer %s\r\n"
                             "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n",
                             play_world.key);
    for (size_t i = 0; i < 3; i++) {
        play_fake_reset();
        struct play_answer a =
            play_request(play_world.port, "POST", targets[i], fields, form, sizeof(form) - 1);
        char *seen = play_fake_requests();
        PLAY_CHECK(a.status == 200, "%s: %d %s", targets[i], a.status, a.body);
        PLAY_CHECK(play_json_number(seen, "requests.0.body_bytes") == sizeof(form) - 1,
                   "%s: the form changed: %s", targets[i], seen);
        PLAY_CHECK(strstr(seen, BOUNDARY) != NULL, "%s: no boundary: %s", targets[i], seen);
    }
}

static void
models_in_three_shapes(void)
{
    char *bearer = play_text("Authorization: Bearer %s\r\n", play_world.key);
    char *anthropic =
        play_text("x-api-key: %s\r\nanthropic-version: 2023-06-01\r\n", play_world.key);
    char *google = play_text("x-goog-api-key: %s\r\n", play_world.key);
    struct play_answer a = play_request(play_world.port, "GET", "/v1/models", bearer, NULL, 0);
    PLAY_CHECK(a.status == 200 && play_json_is(a.body, "object", "list"), "openai: %d %s", a.status,
               a.body);
    a = play_request(play_world.port, "GET", "/v1/models?limit=1000", anthropic, NULL, 0);
    PLAY_CHECK(a.status == 200 && play_json(a.body, "has_more") != NULL, "anthropic: %d %s",
               a.status, a.body);
    a = play_request(play_world.port, "GET", "/v1beta/models", google, NULL, 0);
    PLAY_CHECK(a.status == 200 && play_json(a.body, "models") != NULL, "gemini: %d %s", a.status,
               a.body);
    a = play_request(play_world.port, "GET", "/v1/models", google, NULL, 0);
    PLAY_CHECK(a.status == 200 && play_json(a.body, "models") != NULL, "gemini on /v1: %d %s",
               a.status, a.body);
    a = play_request(play_world.port, "GET", "/v1/models", "", NULL, 0);
    PLAY_CHECK(a.status == 401, "a list without a key: %d", a.status);
}

static void
health(void)
{
    struct play_answer a = play_request(play_world.port, "GET", "/healthz", NULL, NULL, 0);
    PLAY_CHECK(a.status == 200, "healthz %d", a.status);
    a = play_request(play_world.port, "GET", "/readyz", NULL, NULL, 0);
    PLAY_CHECK(a.status == 200, "readyz %d %s", a.status, a.body);
    struct play_conn *c = play_open(play_world.port);
    play_print(c, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    struct play_answer first = play_read_head(c, 3000);
    c->left = 0; /* HEAD has no body, whatever its length says. */
    c->ended = true;
    struct play_answer second = play_read(c, 3000);
    PLAY_CHECK(first.status == 200 && second.status == 200, "HEAD %d, then GET %d", first.status,
               second.status);
}

static void
websocket_is_told_to_use_http(void)
{
    char *fields = play_text("Authorization: Bearer %s\r\nConnection: Upgrade\r\n"
                             "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                             "openai-beta: responses_websockets=2026-02-06\r\n",
                             play_world.key);
    struct play_answer a = play_request(play_world.port, "GET", "/v1/responses", fields, NULL, 0);
    PLAY_CHECK(a.status == 426, "upgrade: %d %s", a.status, a.body);
    char *connection = play_field(&a, "connection");
    char *upgrade = play_field(&a, "upgrade");
    PLAY_CHECK(connection != NULL && strcmp(connection, "upgrade") == 0 && upgrade != NULL &&
                   strcmp(upgrade, "HTTP/1.1") == 0,
               "426 without its two fields: %s", a.head);
    a = play_request(play_world.port, "GET", "/v1/responses",
                     play_text("Authorization: Bearer %s\r\n", play_world.key), NULL, 0);
    PLAY_CHECK(a.status == 405, "plain GET: %d %s", a.status, a.body);
}

static void
what_goes_upstream_and_what_does_not(void)
{
    play_fake_reset();
    char *fields = play_text(
        "Authorization: Bearer %s\r\nContent-Type: application/json\r\nCookie: a=b\r\n"
        "X-Forwarded-For: 1.2.3.4\r\nReferer: http://x/\r\nOrigin: http://x\r\n"
        "OpenAI-Organization: mine\r\nopenai-beta: assistants=v2\r\nUser-Agent: my-agent/1\r\n"
        "Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nTE: trailers\r\n",
        play_world.key);
    struct play_answer a =
        play_request(play_world.port, "POST", "/v1/chat/completions", fields, CHAT, strlen(CHAT));
    char *seen = play_fake_requests();
    PLAY_NEED(a.status == 200, "%d %s", a.status, a.body);
    static const char *const never[] = { "[\"cookie\"",
                                         "[\"x-forwarded-for\"",
                                         "[\"referer\"",
                                         "[\"origin\"",
                                         "[\"openai-organization\"",
                                         "[\"x-hop\"",
                                         "[\"te\"",
                                         "[\"connection\",\"keep-alive, x-hop\"" };
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        PLAY_CHECK(strstr(seen, never[i]) == NULL, "%s went upstream: %s", never[i], seen);
    }
    PLAY_CHECK(strstr(seen, play_world.key) == NULL, "the gateway key went upstream");
    PLAY_CHECK(strstr(seen, "[\"authorization\",\"Bearer sk-upstream-secret-0123456789\"]") != NULL,
               "the account's key is missing: %s", seen);
    PLAY_CHECK(strstr(seen, "[\"openai-beta\",\"assistants=v2\"]") != NULL, "openai-beta is lost");
}

static void
what_comes_back_and_what_does_not(void)
{
    struct play_answer a = play_post(
        "/v1/chat/completions",
        "{\"model\":\"fake-headers\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}");
    static const char *const never[] = { "set-cookie", "openai-organization", "via", "cf-ray",
                                         "anthropic-organization-id" };
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        PLAY_CHECK(play_field(&a, never[i]) == NULL, "%s reached the client", never[i]);
    }
    char *server = play_field(&a, "server");
    PLAY_CHECK(server == NULL || strstr(server, "fake") == NULL, "server: %s", server);
    char *left = play_field(&a, "x-ratelimit-remaining-requests");
    PLAY_CHECK(left != NULL && strcmp(left, "99") == 0, "x-ratelimit-* is lost: %s", a.head);
    char *retry = play_field(&a, "x-should-retry");
    PLAY_CHECK(retry != NULL, "x-should-retry is lost: %s", a.head);
}

static void
unknown_fields_and_numbers_survive(void)
{
    static const char body[] =
        "{ \"model\" : \"fake-n3\",\"zz_unknown\":{\"a\":[1.0,1e400,-0,9007199254740993]},"
        "\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9llo\",\"zz_x\":null}],"
        "\"seed\":1.10}";
    play_fake_reset();
    struct play_answer a = play_post("/v1/chat/completions", body);
    char *seen = play_fake_requests();
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    PLAY_CHECK(play_json_is(seen, "requests.0.body", body) ||
                   play_json_number(seen, "requests.0.body_bytes") == sizeof(body) - 1,
               "the body changed: %s", seen);
    char *forwarded = play_json(seen, "requests.0.body");
    PLAY_CHECK(forwarded != NULL && strstr(forwarded, "[1.0,1e400,-0,9007199254740993]") != NULL,
               "numbers changed: %s", forwarded);
}

static void
model_names_are_mapped(void)
{
    play_must_ctl("account", "set", "openai", "--model-map", "nice-name=fake-n4", NULL);
    static const char body[] =
        "{\"model\":\"nice-name\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
    play_fake_reset();
    struct play_answer a = play_post("/v1/chat/completions", body);
    char *seen = play_fake_requests();
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    char *forwarded = play_json(seen, "requests.0.body");
    PLAY_CHECK(forwarded != NULL &&
                   strcmp(forwarded, "{\"model\":\"fake-n4\",\"messages\":[{\"role\":\"user\","
                                     "\"content\":\"hello\"}]}") == 0,
               "forwarded %s", forwarded);
    play_must_ctl("account", "set", "openai", "--model-map", "", NULL);
    /* Gemini's clients name it in the path, and again in the body. */
    play_must_ctl("account", "set", "gemini", "--model-map", "nice-name=fake-n4", NULL);
    play_fake_reset();
    a = play_post("/v1beta/models/nice-name:batchEmbedContents",
                  "{\"requests\":[{\"model\":\"models/nice-name\",\"content\":{\"parts\":[]}},"
                  "{\"model\":\"models/nice-name\",\"content\":{\"parts\":[]}}]}");
    seen = play_fake_requests();
    forwarded = play_json(seen, "requests.0.body");
    PLAY_CHECK(a.status == 200 && forwarded != NULL && strstr(forwarded, "nice") == NULL &&
                   strstr(forwarded, "[{\"model\":\"models/fake-n4\",") != NULL,
               "%d forwarded %s", a.status, forwarded);
    play_must_ctl("account", "set", "gemini", "--model-map", "", NULL);
}

static void
large_and_chunked_bodies(void)
{
    char *text = play_repeat('x', 6000000);
    char *body =
        play_text("{\"model\":\"fake-n3\",\"messages\":[{\"role\":\"system\",\"content\":\"%s\"},"
                  "{\"role\":\"user\",\"content\":\"hello\"}]}",
                  text);
    struct play_answer a = play_post("/v1/chat/completions", body);
    PLAY_CHECK(a.status == 200 && strstr(a.body, "You said: hello") != NULL, "6 MB: %d %s",
               a.status, a.body);
    struct play_conn *c = play_open(play_world.port);
    play_print(c,
               "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
               "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
               play_world.key);
    const char *p = CHAT;
    for (size_t left = strlen(CHAT); left > 0;) {
        size_t n = left > 7 ? 7 : left;
        play_print(c, "%zx\r\n%.*s\r\n", n, (int)n, p);
        p += n;
        left -= n;
    }
    play_print(c, "0\r\n\r\n");
    a = play_read(c, 10000);
    PLAY_CHECK(a.status == 200 && a.whole, "chunked: %d %s", a.status, a.body);
}

static void
answers_in_every_framing(void)
{
    static const char *const models[] = { "fake-chunked", "fake-eofbody", "fake-interim",
                                          "fake-close",   "fake-drip50",  "fake-size200000" };
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        char *body =
            play_text("{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
                      models[i]);
        struct play_answer a = play_post("/v1/chat/completions", body);
        PLAY_CHECK(a.status == 200 && a.whole && strstr(a.body, "You said: hello") != NULL,
                   "%s: %d whole %d %.300s", models[i], a.status, a.whole, a.body);
    }
}

static void
pooled_connection_that_died(void)
{
    static const char body[] = "{\"model\":\"fake-closeafter\",\"messages\":[{\"role\":\"user\","
                               "\"content\":\"hello\"}]}";
    static const char idle[] = "{\"model\":\"fake-idleclose20\",\"messages\":[{\"role\":\"user\","
                               "\"content\":\"hello\"}]}";
    for (int i = 0; i < 4; i++) {
        struct play_answer a = play_post("/v1/chat/completions", body);
        PLAY_CHECK(a.status == 200, "closed at request %d: %d %s", i, a.status, a.body);
    }
    for (int i = 0; i < 3; i++) {
        struct play_answer a = play_post("/v1/chat/completions", idle);
        PLAY_CHECK(a.status == 200, "closed while idle, request %d: %d %s", i, a.status, a.body);
        play_sleep(60);
    }
}

static const struct play_test tests[] = {
    { "a00_anything_gets_through", a00_anything_gets_through, 0 },
    { "chat_under_every_alias", chat_under_every_alias, 0 },
    { "responses_under_every_alias", responses_under_every_alias, 0 },
    { "messages_under_every_alias", messages_under_every_alias, 0 },
    { "gemini_in_both_versions", gemini_in_both_versions, 0 },
    { "gemini_key_in_the_query", gemini_key_in_the_query, 0 },
    { "small_endpoints", small_endpoints, 0 },
    { "multipart", multipart, 0 },
    { "models_in_three_shapes", models_in_three_shapes, 0 },
    { "health", health, 0 },
    { "websocket_is_told_to_use_http", websocket_is_told_to_use_http, 0 },
    { "what_goes_upstream_and_what_does_not", what_goes_upstream_and_what_does_not, 0 },
    { "what_comes_back_and_what_does_not", what_comes_back_and_what_does_not, 0 },
    { "unknown_fields_and_numbers_survive", unknown_fields_and_numbers_survive, 0 },
    { "model_names_are_mapped", model_names_are_mapped, 0 },
    { "large_and_chunked_bodies", large_and_chunked_bodies, 60 },
    { "answers_in_every_framing", answers_in_every_framing, 0 },
    { "pooled_connection_that_died", pooled_connection_that_died, 0 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "endpoints", tests, NULL, NULL)
