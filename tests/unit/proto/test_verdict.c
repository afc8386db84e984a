/* What a provider's error means: its words first, its status second. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/verdict.h"

static enum error_kind
verdict(enum dialect dialect, uint32_t status, const char *name, const char *message,
        const char *body)
{
    struct error_found found = { .kind = ERROR_SERVER };
    snprintf(found.type, sizeof(found.type), "%s", name);
    snprintf(found.message, sizeof(found.message), "%s", message);
    return verdict_of(dialect, status, str_of(body), &found);
}

#define EXPECT(kind, status, name, message)                                             \
    cr_expect_str_eq(error_kind_name(verdict(DIALECT_CHAT, status, name, message, "")), \
                     error_kind_name(kind), "%u %s %s", (unsigned)(status), name, message)

Test(verdict, by_status_where_the_words_say_nothing)
{
    EXPECT(ERROR_BAD_REQUEST, 400, "", "");
    EXPECT(ERROR_BAD_REQUEST, 422, "whatever", "nobody knows these words");
    EXPECT(ERROR_AUTH, 401, "", "");
    EXPECT(ERROR_BILLING, 402, "", "");
    EXPECT(ERROR_PERMISSION, 403, "", "");
    EXPECT(ERROR_ENDPOINT, 404, "", "");
    EXPECT(ERROR_MODEL, 404, "", "The Model `x` does not exist");
    EXPECT(ERROR_MODEL, 404, "", "this deployment is not there");
    EXPECT(ERROR_TIMEOUT, 408, "", "");
    EXPECT(ERROR_TIMEOUT, 504, "", "");
    EXPECT(ERROR_CONFLICT, 409, "", "");
    EXPECT(ERROR_TOO_LARGE, 413, "", "");
    EXPECT(ERROR_RATE_LIMIT, 429, "", "");
    EXPECT(ERROR_OVERLOADED, 503, "", "");
    EXPECT(ERROR_OVERLOADED, 529, "", "");
    EXPECT(ERROR_SERVER, 500, "", "");
    EXPECT(ERROR_SERVER, 302, "", "");
    EXPECT(ERROR_SERVER, 0, "", "");
}

Test(verdict, words_go_before_the_status)
{
    EXPECT(ERROR_CONTEXT, 400, "context_length_exceeded", "");
    EXPECT(ERROR_CONTEXT, 413, "", "Prompt is too long: 210000 tokens > 200000");
    EXPECT(ERROR_BILLING, 429, "insufficient_quota", "");
    EXPECT(ERROR_BILLING, 400, "invalid_request_error", "Your credit balance is too low");
    EXPECT(ERROR_BILLING, 429, "",
           "You exceeded your current quota, please check your plan and billing details.");
    EXPECT(ERROR_AUTH, 400, "INVALID_API_KEY", "");
    /* Gemini has no word of its own for a bill that is not paid. */
    EXPECT(ERROR_BILLING, 402, "RESOURCE_EXHAUSTED", "Prepayment credits are depleted");
    EXPECT(ERROR_MODEL, 403, "model_not_found", "");
    EXPECT(ERROR_OVERLOADED, 500, "overloaded_error", "");
    EXPECT(ERROR_OVERLOADED, 429, "slow_down", "");
    EXPECT(ERROR_RATE_LIMIT, 403, "rate_limit_error", "");
    EXPECT(ERROR_POLICY, 400, "content_policy_violation", "");
    EXPECT(ERROR_REPLAY, 400, "", "Invalid `signature` in `thinking` block");
    EXPECT(ERROR_PERMISSION, 400, "", "User location is not supported for the API use.");
    EXPECT(ERROR_TOO_LARGE, 400, "request_too_large", "");
}

/* A name is the whole type or code; a part of another word is not it. */
Test(verdict, a_name_counts_as_a_whole)
{
    EXPECT(ERROR_BAD_REQUEST, 400, "not_rate_limit_error", "");
    EXPECT(ERROR_BAD_REQUEST, 400, "slow_down_please", "");
    EXPECT(ERROR_BAD_REQUEST, 400, "", "rate_limit_error is only a word of this message");
    struct error_found found = { .type = "", .code = "insufficient_quota" };
    cr_expect_eq(verdict_of(DIALECT_CHAT, 429, STR(""), &found), ERROR_BILLING,
                 "the code as well as the type");
}

/* A minute's limit comes back in a minute, a day's does not. */
Test(verdict, geminis_limit_of_a_day_is_an_empty_account)
{
    static const char day[] = "{\"quotaId\":\"GenerateRequestsPerDayPerProject\"}";
    static const char minute[] = "{\"quotaId\":\"GenerateRequestsPerMinute\"}";
    cr_expect_eq(verdict(DIALECT_GEMINI, 429, "RESOURCE_EXHAUSTED", "", day), ERROR_BILLING);
    cr_expect_eq(verdict(DIALECT_GEMINI, 429, "RESOURCE_EXHAUSTED", "", minute), ERROR_RATE_LIMIT);
    cr_expect_eq(verdict(DIALECT_CHAT, 429, "rate_limit_error", "", day), ERROR_RATE_LIMIT);
    cr_expect_eq(verdict(DIALECT_GEMINI, 400, "INVALID_ARGUMENT", "",
                         "{\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}"),
                 ERROR_AUTH);
}

/* 200 stands for an event inside of a stream. */
Test(verdict, of_an_event_in_a_stream)
{
    EXPECT(ERROR_SERVER, 200, "", "");
    EXPECT(ERROR_BAD_REQUEST, 200, "invalid_request_error", "");
    EXPECT(ERROR_BAD_REQUEST, 200, "INVALID_ARGUMENT", "");
    EXPECT(ERROR_OVERLOADED, 200, "overloaded_error", "");
}

/* What gateways, frameworks and providers answer at a path that they do not have. */
Test(verdict, nothing_at_this_path)
{
    static const struct {
        enum dialect dialect;
        uint32_t status;
        const char *body;
        enum error_kind kind;
    } rows[] = {
        { DIALECT_RESPONSES, 404, "", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 404, "404 page not found\n", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 404, "{\"detail\":\"Not Found\"}", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 404, "{\"error\":\"Not Found\"}", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 404, "{\"code\":404,\"message\":\"Not found.\"}", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 404, "<html><h1>404 Not Found</h1>nginx</html>", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 404, "<title>ModelHub</title>no page", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 404,
          "{\"timestamp\":1,\"status\":404,\"error\":\"Not Found\",\"path\":\"/v1/responses\"}",
          ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 404,
          "{\"error\":{\"message\":\"Invalid URL (POST /v1/responses)\",\"type\":"
          "\"invalid_request_error\",\"param\":null,\"code\":null}}",
          ERROR_ENDPOINT },
        { DIALECT_CHAT, 404, "Cannot POST /openai/chat/completions", ERROR_ENDPOINT },
        { DIALECT_ANTHROPIC, 404,
          "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"Not Found\"}}",
          ERROR_ENDPOINT },
        { DIALECT_GEMINI, 404, "Cannot POST /v1beta/models/gemini-x:generateContent",
          ERROR_ENDPOINT },
        { DIALECT_GEMINI, 404, "<p>The requested URL /v1beta/models/x:generateContent",
          ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 405, "{\"detail\":\"Method Not Allowed\"}", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 405, "", ERROR_ENDPOINT },
        { DIALECT_RESPONSES, 501, "{\"error\":{\"message\":\"Not implemented\"}}", ERROR_ENDPOINT },
        { DIALECT_CHAT, 400, "{\"error\":{\"message\":\"?\",\"code\":\"unknown_url\"}}",
          ERROR_ENDPOINT },
        { DIALECT_CHAT, 400, "{\"error\":{\"message\":\"Invalid URL of an image\"}}",
          ERROR_BAD_REQUEST },
        /* The endpoint is there; something else is not. */
        { DIALECT_CHAT, 404, "{\"error\":{\"message\":\"The model `x` does not exist\"}}",
          ERROR_MODEL },
        { DIALECT_CHAT, 404, "{\"error\":\"model 'x' not found, try pulling it first\"}",
          ERROR_MODEL },
        { DIALECT_CHAT, 404, "model x not found", ERROR_MODEL },
        { DIALECT_CHAT, 404,
          "{\"error\":{\"message\":\"This is not a chat model and thus not supported in the "
          "v1/chat/completions endpoint.\"}}",
          ERROR_MODEL },
        { DIALECT_GEMINI, 404,
          "{\"error\":{\"code\":404,\"message\":\"models/x is not found for API version v1beta\","
          "\"status\":\"NOT_FOUND\"}}",
          ERROR_MODEL },
        { DIALECT_ANTHROPIC, 404,
          "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model: x\"}}",
          ERROR_MODEL },
        { DIALECT_RESPONSES, 405, "{\"error\":{\"message\":\"not for this model\"}}",
          ERROR_BAD_REQUEST },
        { DIALECT_RESPONSES, 404, "{\"error\":{\"message\":\"No such File object: file-1\"}}",
          ERROR_NOT_FOUND },
        { DIALECT_CHAT, 404, "{\"error\":{\"message\":\"gpt-9 was not found\"}}", ERROR_NOT_FOUND },
        { DIALECT_GEMINI, 404,
          "{\"error\":{\"message\":\"Requested entity was not found.\",\"status\":\"NOT_FOUND\"}}",
          ERROR_NOT_FOUND },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error_found found;
        error_read(rows[i].dialect, rows[i].status, str_of(rows[i].body), &found);
        cr_expect_str_eq(error_kind_name(found.kind), error_kind_name(rows[i].kind), "%u %s",
                         rows[i].status, rows[i].body);
    }
}
