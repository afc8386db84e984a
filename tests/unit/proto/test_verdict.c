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
    EXPECT(ERROR_NOT_FOUND, 404, "", "no such path");
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
