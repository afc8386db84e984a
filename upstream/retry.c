#include "upstream/retry.h"

#include "base/check.h"

static struct retry_decision
switched(enum retry_blame blame, uint16_t status, const char *code, const char *message)
{
    return (struct retry_decision){ RETRY_SWITCH, blame, status, code, message };
}

struct retry_decision
retry_of_status(uint16_t status)
{
    CHECK(status >= 100);
    switch (status) {
    case 401:
        return switched(RETRY_BLAME_AUTH, 502, "upstream_error",
                        "Upstream authentication failed, please contact the administrator");
    case 402:
        return switched(RETRY_BLAME_MONEY, 502, "upstream_error",
                        "Upstream account has no quota left, please contact the administrator");
    case 403:
        return switched(RETRY_BLAME_AUTH, 502, "upstream_error",
                        "Upstream access forbidden, please contact the administrator");
    case 429:
        return switched(RETRY_BLAME_RATE, 429, "rate_limit_exceeded",
                        "Upstream rate limit exceeded, please retry later");
    case 529:
        return switched(RETRY_BLAME_OVERLOAD, 503, "overloaded",
                        "Upstream service overloaded, please retry later");
    case 504:
        return switched(RETRY_BLAME_SLOW, 504, "upstream_timeout", "Upstream service timed out");
    case 503:
        return switched(RETRY_BLAME_OVERLOAD, 502, "upstream_error",
                        "Upstream service temporarily unavailable");
    }
    if (status >= 500 || status < 200 || (status >= 300 && status < 400)) {
        return switched(RETRY_BLAME_SERVER, 502, "upstream_error",
                        "Upstream service temporarily unavailable");
    }
    return (struct retry_decision){ .verdict = RETRY_PASS, .status = status };
}

/* Beginnings of messages of a 4xx that speak of the account, and the status that should be. */
static const struct {
    struct str opening;
    uint16_t status;
} openings[] = {
    { { "Your credit balance is too low", 30 }, 402 },
    { { "This organization has been disabled", 35 }, 401 },
    { { "Your organization has been disabled", 35 }, 401 },
    { { "Identity verification is required", 33 }, 401 },
    { { "API key not valid", 17 }, 401 },
    { { "API key expired", 15 }, 401 },
    { { "User location is not supported", 30 }, 403 },
};

static struct retry_decision
of_opening(uint16_t status, const char *message)
{
    struct str text = str_of(message);
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        struct str opening = openings[i].opening;
        if (text.len >= opening.len &&
            str_equal_nocase(str_make(text.data, opening.len), opening)) {
            return retry_of_status(openings[i].status);
        }
    }
    return retry_of_status(status);
}

struct retry_decision
retry_of_error(uint16_t status, const struct error_found *found)
{
    struct retry_decision decision = retry_of_status(status);
    if (decision.verdict == RETRY_PASS) {
        return of_opening(status, found->message);
    }
    switch (found->kind) {
    case ERROR_CONTEXT:
    case ERROR_POLICY:
        /* No account would take it. */
        return (struct retry_decision){ .verdict = RETRY_PASS, .status = status };
    case ERROR_BILLING:
        decision.blame = RETRY_BLAME_MONEY;
        return decision;
    case ERROR_RATE_LIMIT:
        return retry_of_status(429);
    case ERROR_OVERLOADED:
        return status == 503 ? decision : retry_of_status(529);
    case ERROR_ENDPOINT:
        /* It serves what it has. */
        decision.blame = RETRY_NO_BLAME;
        return decision;
    case ERROR_PERMISSION:
        /* A page, not an API's answer: something in front of it refuses. */
        if (found->type[0] == '\0' && found->code[0] == '\0') {
            decision.blame = RETRY_BLAME_SERVER;
        }
        return decision;
    case ERROR_BAD_REQUEST:
    case ERROR_AUTH:
    case ERROR_MODEL:
    case ERROR_NOT_FOUND:
    case ERROR_CONFLICT:
    case ERROR_TOO_LARGE:
    case ERROR_REPLAY:
    case ERROR_TIMEOUT:
    case ERROR_SERVER:
        return decision;
    }
    return decision;
}

struct retry_decision
retry_of_failure(const struct exchange_failure *failure)
{
    if (failure->err == ERR_TIMEOUT) {
        return switched(RETRY_BLAME_SLOW, 504, "upstream_timeout",
                        "The upstream did not answer in time");
    }
    if (failure->err == ERR_FULL) {
        return switched(RETRY_NO_BLAME, 503, "overloaded",
                        "The gateway has too many upstream connections, please retry later");
    }
    return switched(RETRY_BLAME_NETWORK, 502, "upstream_error", "Upstream request failed");
}

enum health_reason
retry_reason(enum retry_blame blame, uint16_t status, enum exchange_phase phase)
{
    switch (blame) {
    case RETRY_BLAME_AUTH:
        return status == 403 ? HEALTH_REASON_FORBIDDEN : HEALTH_REASON_AUTH;
    case RETRY_BLAME_MONEY:
        return HEALTH_REASON_BILLING;
    case RETRY_BLAME_RATE:
        return HEALTH_REASON_RATE_LIMITED;
    case RETRY_BLAME_OVERLOAD:
        return HEALTH_REASON_OVERLOADED;
    case RETRY_BLAME_SERVER:
        return HEALTH_REASON_SERVER_ERROR;
    case RETRY_BLAME_NETWORK:
        return phase == EXCHANGE_RESOLVE ? HEALTH_REASON_NAME : HEALTH_REASON_CONNECT;
    case RETRY_BLAME_SLOW:
        return HEALTH_REASON_TIMEOUT;
    case RETRY_NO_BLAME:
        return HEALTH_REASON_NONE;
    }
    return HEALTH_REASON_NONE;
}

const char *
retry_blame_text(enum retry_blame blame)
{
    switch (blame) {
    case RETRY_NO_BLAME:
        return "none";
    case RETRY_BLAME_AUTH:
        return "auth";
    case RETRY_BLAME_MONEY:
        return "quota";
    case RETRY_BLAME_RATE:
        return "rate";
    case RETRY_BLAME_OVERLOAD:
        return "overload";
    case RETRY_BLAME_SERVER:
        return "server";
    case RETRY_BLAME_NETWORK:
        return "network";
    case RETRY_BLAME_SLOW:
        return "slow";
    }
    return "none";
}
