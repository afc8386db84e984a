/*
 * Our errors in each envelope and frame, providers' errors read for what they mean, and texts
 * cleaned of what identifies.
 */
#include <criterion/criterion.h>

#include "base/json.h"
#include "proto/error.h"

static struct buf buf;

static const char *
text(void)
{
    cr_assert_eq(buf_append(&buf, str_make("", 1)), ERR_OK);
    return buf.data + buf.start;
}

static const struct error_info info = { .status = 429,
                                        .code = "queue_full",
                                        .message = { "a \"b\"\n", 6 },
                                        .param = NULL,
                                        .request_id = "req_1" };

static const char *
written(enum dialect dialect, const struct error_info *what)
{
    buf_init(&buf, 65536);
    cr_assert_eq(error_write(&buf, dialect, what), ERR_OK);
    return text();
}

Test(error, writes_the_three_envelopes)
{
    const char *openai = "{\"error\":{\"message\":\"a \\\"b\\\"\\n\",\"type\":\"rate_limit_error\","
                         "\"param\":null,\"code\":\"queue_full\"}}";
    cr_expect_str_eq(written(DIALECT_CHAT, &info), openai);
    buf_fini(&buf);
    cr_expect_str_eq(written(DIALECT_RESPONSES, &info), openai);
    buf_fini(&buf);
    cr_expect_str_eq(written(DIALECT_ANTHROPIC, &info),
                     "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":"
                     "\"a \\\"b\\\"\\n\",\"code\":\"queue_full\"},\"request_id\":\"req_1\"}");
    buf_fini(&buf);
    cr_expect_str_eq(written(DIALECT_GEMINI, &info),
                     "{\"error\":{\"code\":429,\"message\":\"a \\\"b\\\"\\n\",\"status\":"
                     "\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type.googleapis.com/"
                     "google.rpc.ErrorInfo\",\"reason\":\"queue_full\",\"domain\":\"sub2api\"}]}}");
    buf_fini(&buf);
}

Test(error, calls_each_status_as_the_dialect_does)
{
    static const struct {
        uint32_t status;
        const char *openai;
        const char *anthropic;
        const char *gemini;
    } cases[] = {
        { 400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT" },
        { 401, "authentication_error", "authentication_error", "UNAUTHENTICATED" },
        { 404, "invalid_request_error", "not_found_error", "NOT_FOUND" },
        { 412, "invalid_request_error", "invalid_request_error", "FAILED_PRECONDITION" },
        { 413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT" },
        { 415, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT" },
        { 500, "server_error", "api_error", "INTERNAL" },
        { 502, "server_error", "api_error", "UNAVAILABLE" },
        { 503, "server_error", "overloaded_error", "UNAVAILABLE" },
        { 504, "server_error", "timeout_error", "DEADLINE_EXCEEDED" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error_info what = { .status = cases[i].status, .code = "c", .message = STR("m") };
        cr_expect_not_null(strstr(written(DIALECT_CHAT, &what), cases[i].openai));
        buf_fini(&buf);
        cr_expect_not_null(strstr(written(DIALECT_ANTHROPIC, &what), cases[i].anthropic));
        buf_fini(&buf);
        cr_expect_not_null(strstr(written(DIALECT_GEMINI, &what), cases[i].gemini));
        buf_fini(&buf);
    }
}

static const char *
event(enum dialect dialect, struct error_place place)
{
    buf_init(&buf, 65536);
    cr_assert_eq(error_event(&buf, dialect, &info, &place), ERR_OK);
    return text();
}

Test(error, writes_each_dialects_terminal_event)
{
    struct error_place place = { .sequence = 7, .response_id = "resp_1" };
    cr_expect_str_eq(
        event(DIALECT_CHAT, place),
        "data: {\"error\":{\"message\":\"a \\\"b\\\"\\n\",\"type\":\"rate_limit_error\","
        "\"param\":null,\"code\":\"queue_full\"}}\n\ndata: [DONE]\n\n");
    buf_fini(&buf);
    cr_expect_str_eq(
        event(DIALECT_RESPONSES, place),
        "event: response.failed\ndata: {\"type\":\"response.failed\","
        "\"sequence_number\":7,\"response\":{\"id\":\"resp_1\",\"object\":\"response\","
        "\"status\":\"failed\",\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":"
        "\"a \\\"b\\\"\\n\"},\"incomplete_details\":null,\"output\":[],\"usage\":null}}"
        "\n\n");
    buf_fini(&buf);
    place.response_id = "";
    cr_expect_str_eq(event(DIALECT_RESPONSES, place),
                     "event: error\ndata: {\"type\":\"error\",\"sequence_number\":7,\"code\":"
                     "\"rate_limit_exceeded\",\"message\":\"a \\\"b\\\"\\n\",\"param\":null}\n\n");
    buf_fini(&buf);
    cr_expect_str_eq(event(DIALECT_ANTHROPIC, place),
                     "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                     "\"rate_limit_error\",\"message\":\"a "
                     "\\\"b\\\"\\n\",\"code\":\"queue_full\"},\"request_id\":\"req_1\"}"
                     "\n\n");
    buf_fini(&buf);
    const char *gemini =
        "{\"error\":{\"code\":429,\"message\":\"a \\\"b\\\"\\n\",\"status\":"
        "\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type.googleapis.com/"
        "google.rpc.ErrorInfo\",\"reason\":\"queue_full\",\"domain\":\"sub2api\"}]}}";
    const char *got = event(DIALECT_GEMINI, place);
    cr_expect(strncmp(got, "data: {", 7) == 0 && strstr(got, gemini) != NULL, "%s", got);
    buf_fini(&buf);
    place.is_array = true;
    got = event(DIALECT_GEMINI, place);
    cr_expect(strncmp(got, "\n,\n{", 4) == 0 && got[strlen(got) - 1] == ']', "%s", got);
    buf_fini(&buf);
    place.is_first = true;
    got = event(DIALECT_GEMINI, place);
    struct json_value value;
    cr_expect(json_read(str_of(got), &value, NULL) == ERR_OK && value.kind == JSON_ARRAY);
    buf_fini(&buf);
}

Test(error, tells_a_full_buffer)
{
    struct error_place place = { .response_id = "r" };
    for (int i = 0; i < DIALECT_COUNT; i++) {
        buf_init(&buf, 40);
        cr_expect_eq(error_write(&buf, (enum dialect)i, &info), ERR_FULL);
        buf_clear(&buf);
        cr_expect_eq(error_event(&buf, (enum dialect)i, &info, &place), ERR_FULL);
        buf_fini(&buf);
    }
}

static const struct {
    enum dialect dialect;
    uint32_t status;
    const char *body;
    enum error_kind kind;
    const char *message;
} said[] = {
    { DIALECT_CHAT, 400,
      "{\"error\":{\"message\":\"maximum \\u0063ontext\",\"type\":\"invalid_request_error\","
      "\"param\":\"messages\",\"code\":\"context_length_exceeded\"}}",
      ERROR_CONTEXT, "maximum context" },
    { DIALECT_CHAT, 429,
      "{\"error\":{\"message\":\"You exceeded your current quota\",\"code\":"
      "\"insufficient_quota\"}}",
      ERROR_BILLING, "You exceeded your current quota" },
    { DIALECT_CHAT, 429, "{\"error\":{\"message\":\"slow\",\"code\":null}}", ERROR_RATE_LIMIT,
      "slow" },
    { DIALECT_CHAT, 401, "{\"error\":{\"message\":\"bad key\",\"code\":401}}", ERROR_AUTH,
      "bad key" },
    { DIALECT_CHAT, 404, "{\"error\":{\"message\":\"The model `x` does not exist\"}}", ERROR_MODEL,
      "The model `x` does not exist" },
    { DIALECT_CHAT, 404, "{\"detail\":\"Not Found\"}", ERROR_ENDPOINT, "Not Found" },
    { DIALECT_CHAT, 503, "{\"error\":{\"message\":\"No available channel for m\"}}", ERROR_MODEL,
      "No available channel for m" },
    { DIALECT_CHAT, 500, "{\"error\":\"boom\"}", ERROR_SERVER, "boom" },
    { DIALECT_CHAT, 422, "{\"message\":\"odd\"}", ERROR_BAD_REQUEST, "odd" },
    { DIALECT_RESPONSES, 200,
      "{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":"
      "\"server_is_overloaded\",\"message\":\"busy\"}}}",
      ERROR_OVERLOADED, "busy" },
    { DIALECT_RESPONSES, 200,
      "{\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"wait\"}",
      ERROR_RATE_LIMIT, "wait" },
    { DIALECT_RESPONSES, 400, "{\"error\":{\"code\":\"invalid_encrypted_content\"}}", ERROR_REPLAY,
      "" },
    { DIALECT_ANTHROPIC, 529,
      "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}"
      ","
      "\"request_id\":\"req_0\"}",
      ERROR_OVERLOADED, "Overloaded" },
    { DIALECT_ANTHROPIC, 200,
      "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}",
      ERROR_OVERLOADED, "x" },
    { DIALECT_ANTHROPIC, 400,
      "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too "
      "low\"}}",
      ERROR_BILLING, "Your credit balance is too low" },
    { DIALECT_ANTHROPIC, 400,
      "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"messages.1: Invalid "
      "`signature` in `thinking` block\"}}",
      ERROR_REPLAY, "messages.1: Invalid `signature` in `thinking` block" },
    { DIALECT_ANTHROPIC, 404,
      "{\"error\":{\"type\":\"not_found_error\",\"message\":\"model: claude-x\"}}", ERROR_MODEL,
      "model: claude-x" },
    { DIALECT_GEMINI, 400,
      "[{\"error\":{\"code\":400,\"message\":\"API key not valid.\",\"status\":"
      "\"INVALID_ARGUMENT\",\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}]",
      ERROR_AUTH, "API key not valid." },
    { DIALECT_GEMINI, 404,
      "{\"error\":{\"code\":404,\"message\":\"models/x is not "
      "found\",\"status\":\"NOT_FOUND\"}}",
      ERROR_MODEL, "models/x is not found" },
    { DIALECT_CHAT, 502,
      "<html><head><style>b{}</style><title>502 Bad\n Gateway</title></head><body>"
      "<h1>nginx</h1></body>",
      ERROR_SERVER, "502 Bad Gateway nginx" },
    { DIALECT_CHAT, 503, "upstream \x01 connect error", ERROR_OVERLOADED,
      "upstream connect error" },
    { DIALECT_CHAT, 504, "", ERROR_TIMEOUT, "" },
    { DIALECT_CHAT, 500, "[]", ERROR_SERVER, "" },
    { DIALECT_CHAT, 413, "null", ERROR_TOO_LARGE, "" },
};

Test(error, reads_what_providers_say)
{
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        struct error_found found;
        error_read(said[i].dialect, said[i].status, str_of(said[i].body), &found);
        cr_expect_eq(found.kind, said[i].kind, "%s: %s", said[i].body, error_kind_name(found.kind));
        cr_expect_str_eq(found.message, said[i].message, "%s", found.message);
    }
}

Test(error, reads_types_codes_and_delays)
{
    struct error_found found;
    error_read(DIALECT_GEMINI, 429,
               STR("{\"error\":{\"code\":429,\"message\":\"q\",\"status\":\"RESOURCE_EXHAUSTED\","
                   "\"details\":[{\"@type\":\"RetryInfo\",\"retryDelay\":\"1.5s\"}]}}"),
               &found);
    cr_assert_eq(found.kind, ERROR_RATE_LIMIT);
    cr_assert_eq(found.retry_after_ms, 1500);
    cr_assert_str_eq(found.type, "RESOURCE_EXHAUSTED");
    cr_assert_str_eq(found.code, "429");
    error_read(
        DIALECT_GEMINI, 429,
        STR("{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"quotaId\":"
            "\"GenerateRequestsPerDayPerProject\"},{\"retryDelay\":\"99999999999999999999s\"}]"
            "}}"),
        &found);
    cr_assert_eq(found.kind, ERROR_BILLING);
    cr_assert_eq(found.retry_after_ms, 3600000);
}

Test(error, bounds_messages_on_a_characters_edge)
{
    struct json_value top;
    buf_init(&buf, 8192);
    cr_assert_eq(buf_append(&buf, STR("{\"error\":{\"message\":\"")), ERR_OK);
    for (int i = 0; i < 500; i++) {
        cr_assert_eq(buf_append(&buf, STR("\xe2\x82\xac")), ERR_OK);
    }
    cr_assert_eq(buf_append(&buf, STR("\"}}")), ERR_OK);
    cr_assert_eq(json_read(buf_str(&buf), &top, NULL), ERR_OK);
    struct error_found found;
    error_read(DIALECT_CHAT, 400, buf_str(&buf), &found);
    buf_fini(&buf);
    cr_assert_eq(strlen(found.message), EXCERPT_BYTES / 3 * 3);
    char out[12];
    cr_assert_eq(
        error_clean(STR("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), out, sizeof out), 9);
    cr_assert_eq(error_clean(STR("\xf0\x9f\x98\x80"), out, 4), 0);
    cr_assert_eq(error_clean(STR("abc"), out, 1), 0);
    cr_assert_str_eq(out, "");
}

Test(error, cleans_what_identifies_and_nothing_else)
{
    static const struct {
        const char *text;
        const char *clean;
    } cases[] = {
        { "Incorrect API key provided: sk-proj-ab12cd34ef56.",
          "Incorrect API key provided: [...]." },
        { "key AIzaSyA1234567890abcdefghijklmnopqrstu is bad", "key [...] is bad" },
        { "organization org-Ab12Cd34Ef on tokens per min", "organization [...] on tokens per min" },
        { "see https://platform.openai.com/account/api-keys, please", "see [...], please" },
        { "dial tcp 10.0.3.7:443: connection refused", "dial tcp [...]:443: connection refused" },
        { "Post api.relay-host.com/v1/chat failed", "Post [...]/v1/chat failed" },
        { "mail admin@example.org!", "mail [...]!" },
        { "boom (request id: 20260101123456abcdef)", "boom (request id: [...])" },
        { "request_id=abcdef01 x", "request_id=[...] x" },
        { "trace 123e4567-e89b-12d3-a456-426614174000 end", "trace [...] end" },
        { "Authorization: Bearer abcdefghijk rest", "Authorization: Bearer [...] rest" },
        { "messages.1.content.0.type: Field required",
          "messages.1.content.0.type: Field required" },
        { "model gpt-4.1-mini and claude-opus-4-5-20251101 are fine, e.g. this",
          "model gpt-4.1-mini and claude-opus-4-5-20251101 are fine, e.g. this" },
        { "max_completion_tokens must be <= 4096", "max_completion_tokens must be <= 4096" },
        { "sk-abcdefghijk and user-specified key-values", "[...] and user-specified key-values" },
        { "a\nb\tc", "a b c" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[256];
        size_t len = error_clean(str_of(cases[i].text), out, sizeof out);
        cr_expect_eq(len, strlen(out));
        cr_expect_str_eq(out, cases[i].clean, "%s", out);
    }
}
