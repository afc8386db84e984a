/*
 * verdict.c - what a provider's error means (see verdict.h).
 */
#include "proto/verdict.h"

/* Where a row's text is looked for. */
enum where { IN_NAME, IN_MESSAGE, IN_BODY };

/* In order: the first that fits decides, before the status. */
static const struct {
    enum where where;
    const char *text; /* IN_NAME: the whole type or code; else a part, lower case */
    enum error_kind kind;
} rows[] = {
    { IN_NAME, "context_length_exceeded", ERROR_CONTEXT },
    { IN_MESSAGE, "prompt is too long", ERROR_CONTEXT },
    { IN_MESSAGE, "maximum context length", ERROR_CONTEXT },
    { IN_MESSAGE, "exceeds the maximum number of tokens", ERROR_CONTEXT },
    { IN_MESSAGE, "exceed context limit", ERROR_CONTEXT },
    { IN_NAME, "invalid_encrypted_content", ERROR_REPLAY },
    { IN_MESSAGE, "`signature` in `thinking`", ERROR_REPLAY },
    { IN_MESSAGE, "thought signature", ERROR_REPLAY },
    { IN_MESSAGE, "thought_signature", ERROR_REPLAY },
    { IN_NAME, "content_policy_violation", ERROR_POLICY },
    { IN_NAME, "content_filter", ERROR_POLICY },
    { IN_NAME, "insufficient_quota", ERROR_BILLING },
    { IN_NAME, "billing_error", ERROR_BILLING },
    { IN_NAME, "billing_hard_limit_reached", ERROR_BILLING },
    { IN_MESSAGE, "credit balance is too low", ERROR_BILLING },
    { IN_MESSAGE, "insufficient balance", ERROR_BILLING },
    { IN_MESSAGE, "exceeded your current quota, please check your plan and billing details",
      ERROR_BILLING },
    { IN_NAME, "invalid_api_key", ERROR_AUTH },
    { IN_NAME, "authentication_error", ERROR_AUTH },
    { IN_NAME, "unauthenticated", ERROR_AUTH },
    { IN_BODY, "API_KEY_INVALID", ERROR_AUTH },
    { IN_NAME, "model_not_found", ERROR_MODEL },
    { IN_NAME, "model_not_supported", ERROR_MODEL },
    { IN_MESSAGE, "no available channel", ERROR_MODEL },
    { IN_NAME, "overloaded_error", ERROR_OVERLOADED },
    { IN_NAME, "server_is_overloaded", ERROR_OVERLOADED },
    { IN_NAME, "slow_down", ERROR_OVERLOADED },
    { IN_NAME, "unavailable", ERROR_OVERLOADED },
    { IN_NAME, "rate_limit_error", ERROR_RATE_LIMIT },
    { IN_NAME, "rate_limit_exceeded", ERROR_RATE_LIMIT },
    { IN_NAME, "too_many_requests", ERROR_RATE_LIMIT },
    { IN_NAME, "resource_exhausted", ERROR_RATE_LIMIT },
    { IN_NAME, "permission_error", ERROR_PERMISSION },
    { IN_NAME, "permission_denied", ERROR_PERMISSION },
    { IN_MESSAGE, "user location is not supported", ERROR_PERMISSION },
    { IN_NAME, "timeout_error", ERROR_TIMEOUT },
    { IN_NAME, "deadline_exceeded", ERROR_TIMEOUT },
    { IN_NAME, "request_too_large", ERROR_TOO_LARGE },
};

static bool
contains_nocase(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static bool
has_text(struct str body, const char *text)
{
    return body.len > 0 && memmem(body.data, body.len, text, strlen(text)) != NULL;
}

/* "/v1/models/x:generateContent" and "https://host/models" are paths that were asked for. */
static bool
is_path(struct str word)
{
    while (word.len > 0 && memchr("\"'`(", word.data[0], 4) != NULL) {
        word = str_skip(word, 1);
    }
    return str_starts(word, STR("/")) || str_starts(word, STR("v1")) ||
           (word.len > 0 && memmem(word.data, word.len, "://", 3) != NULL);
}

static bool
has_word(struct str text, const char *word)
{
    size_t bytes = strlen(word);
    for (; text.len >= bytes; text = str_skip(text, 1)) {
        if (str_equal_nocase(str_make(text.data, bytes), str_make(word, bytes))) {
            return true;
        }
    }
    return false;
}

/* A path does not count: Gemini's has the model in it whatever is wrong. */
static bool
names_model(const struct error_found *found)
{
    struct str rest = str_of(found->message);
    while (rest.len > 0) {
        struct str word = str_cut(&rest, ' ');
        if (!is_path(word) && (has_word(word, "model") || has_word(word, "deployment"))) {
            return true;
        }
    }
    return false;
}

/* --- is there anything at this path? --- */

/* All that is said, but for case and stops at its end. */
static const char *const nothing_said[] = {
    "",
    "404",
    "404 not found",
    "not found",
    "resource not found",
    "the requested resource was not found",
    "the requested resource could not be found",
};
/* A part of what is said. */
static const char *const nowhere[] = {
    "cannot post",        "endpoint not found",  "invalid url",     "no route",
    "no static resource", "no such endpoint",    "no such path",    "page not found",
    "path not found",     "requested url",       "route not found", "unknown endpoint",
    "unknown path",       "unknown request url", "unknown url",     "unrecognized request url",
};

/* An API that knows the request would say more than that. */
static bool
says_nowhere(const struct error_found *found)
{
    struct str said = str_of(found->message);
    while (said.len > 0 && memchr(" .!", said.data[said.len - 1], 3) != NULL) {
        said.len--;
    }
    for (size_t i = 0; i < sizeof nothing_said / sizeof nothing_said[0]; i++) {
        if (str_equal_nocase(said, str_of(nothing_said[i]))) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        if (contains_nocase(found->message, nowhere[i])) {
            return true;
        }
    }
    return false;
}

static bool
is_no_endpoint(uint32_t status, struct str body, const struct error_found *found)
{
    body = str_trim(body);
    if (status == 400) { /* others call it a bad request; then only these words are sure */
        return strcasecmp(found->code, "unknown_url") == 0 ||
               strncasecmp(found->message, "invalid url (", 13) == 0 ||
               strncasecmp(found->message, "unknown request url", 19) == 0;
    }
    if (status != 404 && status != 405 && status != 501) {
        return false;
    }
    bool is_page = body.len > 0 && body.data[0] == '<';
    bool is_json = body.len > 0 && (body.data[0] == '{' || body.data[0] == '[');
    return is_page || (!names_model(found) && (status != 404 || !is_json || says_nowhere(found)));
}

static enum error_kind
kind_by_status(uint32_t status, struct str body, const struct error_found *found)
{
    if (is_no_endpoint(status, body, found)) {
        return ERROR_ENDPOINT;
    }
    switch (status) {
    case 401:
        return ERROR_AUTH;
    case 402:
        return ERROR_BILLING;
    case 403:
        return ERROR_PERMISSION;
    case 404:
        return names_model(found) ? ERROR_MODEL : ERROR_NOT_FOUND;
    case 408:
    case 504:
        return ERROR_TIMEOUT;
    case 409:
        return ERROR_CONFLICT;
    case 413:
        return ERROR_TOO_LARGE;
    case 429:
        return ERROR_RATE_LIMIT;
    case 503:
    case 529:
        return ERROR_OVERLOADED;
    default:
        break;
    }
    if (status >= 400 && status < 500) {
        return ERROR_BAD_REQUEST;
    }
    bool is_client = status == 200 && (strcmp(found->type, "invalid_request_error") == 0 ||
                                       strcmp(found->type, "INVALID_ARGUMENT") == 0);
    return is_client ? ERROR_BAD_REQUEST : ERROR_SERVER;
}

enum error_kind
verdict_of(enum dialect dialect, uint32_t status, struct str body, const struct error_found *found)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *text = rows[i].text;
        bool is_it = false;
        switch (rows[i].where) {
        case IN_NAME:
            is_it = strcasecmp(found->type, text) == 0 || strcasecmp(found->code, text) == 0;
            break;
        case IN_MESSAGE:
            is_it = contains_nocase(found->message, text);
            break;
        case IN_BODY:
            is_it = has_text(body, text);
            break;
        }
        if (is_it) {
            /* A day's quota does not come back in a minute, nor does money. */
            bool is_daily = dialect == DIALECT_GEMINI && has_text(body, "PerDay");
            bool is_billing = rows[i].kind == ERROR_RATE_LIMIT && (is_daily || status == 402);
            return is_billing ? ERROR_BILLING : rows[i].kind;
        }
    }
    return kind_by_status(status, body, found);
}
