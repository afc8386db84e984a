/*
 * Every alias reaches its endpoint, and every base URL that operators type reaches its path.
 */
#include <criterion/criterion.h>

#include "proto/endpoint.h"

struct match_case {
    const char *method;
    const char *path;
    enum endpoint_result result;
    enum endpoint endpoint;
    const char *model;
    enum dialect dialect;
};

static void
check_match(const struct match_case *expected)
{
    struct endpoint_hit hit;
    enum endpoint_result result =
        endpoint_match(str_of(expected->method), str_of(expected->path), &hit);
    cr_assert_eq(result, expected->result, "%s %s: %d", expected->method, expected->path, result);
    cr_expect_eq(hit.dialect, expected->dialect, "%s %s", expected->method, expected->path);
    if (result == ENDPOINT_FOUND) {
        cr_expect_eq(hit.endpoint, expected->endpoint, "%s: %d", expected->path, hit.endpoint);
        cr_expect(str_equal(hit.model, str_of(expected->model)), "%s: %.*s", expected->path,
                  STR_ARG(hit.model));
    }
    if (result == ENDPOINT_WRONG_METHOD) {
        cr_expect_not_null(hit.allow);
    }
}

#define F ENDPOINT_FOUND
#define N ENDPOINT_NOT_FOUND
#define W ENDPOINT_WRONG_METHOD
#define C DIALECT_CHAT
#define R DIALECT_RESPONSES
#define A DIALECT_ANTHROPIC
#define G DIALECT_GEMINI

Test(endpoint, finds_each_path_and_alias)
{
    static const struct match_case cases[] = {
        { "POST", "/v1/chat/completions", F, ENDPOINT_CHAT, NULL, C },
        { "POST", "/chat/completions", F, ENDPOINT_CHAT, NULL, C },
        { "POST", "/openai/v1/chat/completions/", F, ENDPOINT_CHAT, NULL, C },
        { "POST", "/v1beta/openai/chat/completions", F, ENDPOINT_CHAT, NULL, C },
        { "POST", "/v1beta/openai/embeddings", F, ENDPOINT_EMBEDDINGS, NULL, C },
        { "POST", "/v1/responses", F, ENDPOINT_RESPONSES, NULL, R },
        { "POST", "/responses", F, ENDPOINT_RESPONSES, NULL, R },
        { "POST", "/backend-api/codex/responses", F, ENDPOINT_RESPONSES, NULL, R },
        { "POST", "/backend-api/codex/responses/compact", F, ENDPOINT_RESPONSES_COMPACT, NULL, R },
        { "POST", "/v1/responses/input_tokens", F, ENDPOINT_RESPONSES_INPUT_TOKENS, NULL, R },
        { "GET", "/v1/responses", F, ENDPOINT_RESPONSES_WEBSOCKET, NULL, R },
        { "GET", "/backend-api/codex/responses", F, ENDPOINT_RESPONSES_WEBSOCKET, NULL, R },
        { "POST", "/v1/messages", F, ENDPOINT_MESSAGES, NULL, A },
        { "POST", "/messages", F, ENDPOINT_MESSAGES, NULL, A },
        { "POST", "/openai/v1/messages", F, ENDPOINT_MESSAGES, NULL, A },
        { "POST", "/v1/messages/count_tokens", F, ENDPOINT_COUNT_TOKENS, NULL, A },
        { "POST", "/v1/completions", F, ENDPOINT_COMPLETIONS, NULL, C },
        { "POST", "/v1/images/edits", F, ENDPOINT_IMAGES_EDITS, NULL, C },
        { "POST", "/v1/audio/transcriptions", F, ENDPOINT_AUDIO_TRANSCRIPTIONS, NULL, C },
        { "POST", "/v1/rerank", F, ENDPOINT_RERANK, NULL, C },
        { "GET", "/v1/usage", F, ENDPOINT_OWN_USAGE, NULL, C },
        { "GET", "/usage", F, ENDPOINT_OWN_USAGE, NULL, C },
        { "GET", "/v1/models", F, ENDPOINT_MODELS_LIST, NULL, C },
        { "HEAD", "/models/", F, ENDPOINT_MODELS_LIST, NULL, C },
        { "GET", "/v1beta/models", F, ENDPOINT_MODELS_LIST, NULL, G },
        { "GET", "/v1beta/openai/models", F, ENDPOINT_MODELS_LIST, NULL, C },
        { "GET", "/backend-api/codex/models", F, ENDPOINT_MODELS_LIST, NULL, C },
        { "GET", "/v1/models/org/name:free", F, ENDPOINT_MODEL_GET, "org/name:free", C },
        { "GET", "/v1beta/models/gemini-x", F, ENDPOINT_MODEL_GET, "gemini-x", G },
        { "POST", "//v1/chat/completions", F, ENDPOINT_CHAT, NULL, C },
        { "POST", "/v1/v1/messages", F, ENDPOINT_MESSAGES, NULL, A },
        { "POST", "/v1/v1beta/models/m:countTokens", F, ENDPOINT_GEMINI_COUNT, "m", G },
        { "GET", "/", F, ENDPOINT_ROOT, NULL, C },
        { "HEAD", "/healthz", F, ENDPOINT_HEALTHZ, NULL, C },
        { "GET", "/readyz", F, ENDPOINT_READYZ, NULL, C },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_match(&cases[i]);
    }
}

Test(endpoint, finds_gemini_verbs_behind_the_last_colon)
{
    static const struct match_case cases[] = {
        { "POST", "/v1beta/models/m:generateContent", F, ENDPOINT_GEMINI_GENERATE, "m", G },
        { "POST", "/v1/models/m:generateContent", F, ENDPOINT_GEMINI_GENERATE, "m", G },
        { "POST", "/models/m:generateContent", F, ENDPOINT_GEMINI_GENERATE, "m", G },
        { "POST", "/v1alpha/models/m:generateContent", F, ENDPOINT_GEMINI_GENERATE, "m", G },
        { "POST", "/v1beta/models/tuned/my:model-x:streamGenerateContent", F,
          ENDPOINT_GEMINI_STREAM, "tuned/my:model-x", G },
        { "POST", "/v1beta/models/models/m:countTokens", F, ENDPOINT_GEMINI_COUNT, "m", G },
        { "POST", "/v1beta/models/m:embedContent", F, ENDPOINT_GEMINI_EMBED, "m", G },
        { "POST", "/v1/models/m:batchEmbedContents", F, ENDPOINT_GEMINI_BATCH_EMBED, "m", G },
        { "GET", "/v1beta/models/m:generateContent", W, ENDPOINT_GEMINI_GENERATE, NULL, G },
        { "POST", "/v1beta/models/m:predict", N, ENDPOINT_CHAT, NULL, G },
        { "POST", "/v1beta/models/:generateContent", W, ENDPOINT_CHAT, NULL, G },
        { "POST", "/v1/models/m", W, ENDPOINT_CHAT, NULL, C },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_match(&cases[i]);
    }
}

Test(endpoint, tells_not_found_from_wrong_method)
{
    static const struct match_case cases[] = {
        { "GET", "/v1/chat/completions", W, ENDPOINT_CHAT, NULL, C },
        { "PUT", "/v1/messages", W, ENDPOINT_CHAT, NULL, A },
        { "OPTIONS", "/v1/responses", W, ENDPOINT_CHAT, NULL, R },
        { "HEAD", "/v1/responses", W, ENDPOINT_CHAT, NULL, R },
        { "POST", "/v1/models", W, ENDPOINT_CHAT, NULL, C },
        { "post", "/v1/chat/completions", W, ENDPOINT_CHAT, NULL, C },
        { "POST", "/v1/chat/completion", N, ENDPOINT_CHAT, NULL, C },
        { "POST", "/v1/chat/completions//", N, ENDPOINT_CHAT, NULL, C },
        { "POST", "/v1/messages/batches", N, ENDPOINT_CHAT, NULL, A },
        { "GET", "/v1/responses/resp_1", N, ENDPOINT_CHAT, NULL, R },
        { "POST", "/v1beta/files", N, ENDPOINT_CHAT, NULL, G },
        { "POST", "/v1beta/chat/completions", N, ENDPOINT_CHAT, NULL, G },
        { "POST", "/backend-api/codex/messages", N, ENDPOINT_CHAT, NULL, A },
        { "POST", "/backend-api/codex/chat/completions", N, ENDPOINT_CHAT, NULL, C },
        { "POST", "/v1x/responses", N, ENDPOINT_CHAT, NULL, C },
        { "GET", "", N, ENDPOINT_CHAT, NULL, C },
        { "GET", "/v1", N, ENDPOINT_CHAT, NULL, C },
        { "GET", "/favicon.ico", N, ENDPOINT_CHAT, NULL, C },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_match(&cases[i]);
    }
}

Test(endpoint, rows_are_complete)
{
    for (uint32_t i = 0; i < ENDPOINT_NUMBER; i++) {
        const struct endpoint_row *row = endpoint_row((enum endpoint)i);
        cr_expect_eq(row->endpoint, (enum endpoint)i);
        cr_expect(row->name != NULL && row->allow != NULL && row->path != NULL, "row %u", i);
        cr_expect_neq(row->methods, 0, "%s", row->name);
        bool is_local = (row->flags & ENDPOINT_LOCAL) != 0;
        bool has_model = (row->flags & (ENDPOINT_MODEL_BODY | ENDPOINT_MODEL_PATH)) != 0;
        cr_expect(is_local || has_model, "%s", row->name);
    }
}

Test(endpoint, decodes_models_of_paths)
{
    char model[16];
    size_t len;
    cr_assert_eq(endpoint_model_decode(STR("a%2Fb%3ac"), model, sizeof model, &len), ERR_OK);
    cr_assert_str_eq(model, "a/b:c");
    cr_assert_eq(len, 5);
    static const char *const bad[] = { "",      "%",        "%4",
                                       "%zz",   "a%00",     "a%0a",
                                       "../a",  "a/%2e%2e", "1234567890123456",
                                       "a/./b", "a%7f" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(endpoint_model_decode(str_of(bad[i]), model, sizeof model, &len), ERR_BAD,
                     "%s", bad[i]);
    }
}

Test(endpoint, joins_base_urls)
{
    static const struct {
        enum endpoint endpoint;
        const char *base;
        const char *path;
    } cases[] = {
        { ENDPOINT_CHAT, "", "/v1/chat/completions" },
        { ENDPOINT_CHAT, "/", "/v1/chat/completions" },
        { ENDPOINT_CHAT, "/v1", "/v1/chat/completions" },
        { ENDPOINT_CHAT, "/v1/", "/v1/chat/completions" },
        { ENDPOINT_CHAT, "/api/paas/v4", "/api/paas/v4/chat/completions" },
        { ENDPOINT_CHAT, "/api", "/api/v1/chat/completions" },
        { ENDPOINT_CHAT, "/v1beta/openai/", "/v1beta/openai/chat/completions" },
        { ENDPOINT_CHAT, "/v1/acc/gw/openai", "/v1/acc/gw/openai/chat/completions" },
        { ENDPOINT_CHAT, "/x/chat/completions", "/x/chat/completions" },
        { ENDPOINT_CHAT, "/v3/chat/completions", "/v3/chat/completions" },
        { ENDPOINT_EMBEDDINGS, "/v3/chat/completions", "/v3/embeddings" },
        { ENDPOINT_RESPONSES, "/v1/responses", "/v1/responses" },
        { ENDPOINT_RESPONSES_COMPACT, "/v1/responses", "/v1/responses/compact" },
        { ENDPOINT_RESPONSES, "/backend-api/codex/responses", "/backend-api/codex/responses" },
        { ENDPOINT_MESSAGES, "", "/v1/messages" },
        { ENDPOINT_MESSAGES, "/v1", "/v1/messages" },
        { ENDPOINT_MESSAGES, "/anthropic", "/anthropic/v1/messages" },
        { ENDPOINT_MESSAGES, "/v1/acc/gw/anthropic", "/v1/acc/gw/anthropic/v1/messages" },
        { ENDPOINT_COUNT_TOKENS, "/v1/messages", "/v1/messages/count_tokens" },
        { ENDPOINT_GEMINI_GENERATE, "", "/v1beta/models/a/b%20c%3F:generateContent" },
        { ENDPOINT_GEMINI_GENERATE, "/v1", "/v1/models/a/b%20c%3F:generateContent" },
        { ENDPOINT_GEMINI_COUNT, "/g/v1beta", "/g/v1beta/models/a/b%20c%3F:countTokens" },
        { ENDPOINT_CHAT, "/version/vx", "/version/vx/v1/chat/completions" },
    };
    struct arena arena;
    arena_init(&arena, 65536);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct endpoint_target target = { .endpoint = cases[i].endpoint,
                                          .base_path = str_of(cases[i].base),
                                          .model = STR("a/b c?") };
        struct str got;
        cr_assert_eq(endpoint_upstream_path(&target, &arena, &got), ERR_OK);
        cr_expect(str_equal(got, str_of(cases[i].path)), "%s: %.*s", cases[i].base, STR_ARG(got));
    }
    arena_reset(&arena);
}

Test(endpoint, adds_queries_and_refuses_paths_that_climb)
{
    struct arena arena;
    arena_init(&arena, 65536);
    struct str got;
    struct endpoint_target target = { .endpoint = ENDPOINT_GEMINI_STREAM,
                                      .model = STR("m"),
                                      .query = STR("a=1"),
                                      .wants_sse = true };
    cr_assert_eq(endpoint_upstream_path(&target, &arena, &got), ERR_OK);
    cr_assert(str_equal(got, STR("/v1beta/models/m:streamGenerateContent?alt=sse&a=1")));
    target.query.len = 0;
    cr_assert_eq(endpoint_upstream_path(&target, &arena, &got), ERR_OK);
    cr_assert(str_equal(got, STR("/v1beta/models/m:streamGenerateContent?alt=sse")));
    target.model = STR("a/../b");
    cr_assert_eq(endpoint_upstream_path(&target, &arena, &got), ERR_BAD);
    target = (struct endpoint_target){ .endpoint = ENDPOINT_MESSAGES,
                                       .query = STR("beta=true"),
                                       .wants_sse = true };
    cr_assert_eq(endpoint_upstream_path(&target, &arena, &got), ERR_OK);
    cr_assert(str_equal(got, STR("/v1/messages?beta=true")));
    arena_reset(&arena);
}
