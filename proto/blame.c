/*
 * blame.c - errors across dialects (see blame.h).
 */
#include "proto/blame.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"

/* What each kind becomes; text NULL: the provider's words, cleaned. */
static const struct row {
    uint32_t status;
    const char *code;
    const char *text;
} rows[] = {
    [ERROR_BAD_REQUEST] = { 400, "invalid_request", NULL },
    [ERROR_CONTEXT] = { 400, "context_length_exceeded", NULL },
    [ERROR_POLICY] = { 400, "content_policy_violation", NULL },
    [ERROR_AUTH] = { 503, "server_is_overloaded", "The service is overloaded, please retry later" },
    [ERROR_BILLING] = { 503, "server_is_overloaded",
                        "The service is overloaded, please retry later" },
    [ERROR_PERMISSION] = { 503, "server_is_overloaded",
                           "The service is overloaded, please retry later" },
    [ERROR_MODEL] = { 404, "model_not_found", NULL },
    [ERROR_ENDPOINT] = { 404, "not_found", "The upstream does not have this endpoint" },
    [ERROR_NOT_FOUND] = { 404, "not_found", NULL },
    [ERROR_CONFLICT] = { 409, "conflict", NULL },
    [ERROR_TOO_LARGE] = { 413, "request_too_large", NULL },
    [ERROR_RATE_LIMIT] = { 429, "rate_limit_exceeded",
                           "Upstream rate limit exceeded, please retry later" },
    [ERROR_REPLAY] = { 400, "invalid_request", NULL },
    [ERROR_OVERLOADED] = { 503, "server_is_overloaded",
                           "The service is overloaded, please retry later" },
    [ERROR_TIMEOUT] = { 504, "upstream_timeout", "Upstream service timed out" },
    [ERROR_SERVER] = { 502, "upstream_error", NULL },
};

static bool
is_client_fault(enum error_kind kind)
{
    return kind == ERROR_BAD_REQUEST || kind == ERROR_CONTEXT || kind == ERROR_POLICY ||
           kind == ERROR_TOO_LARGE || kind == ERROR_MODEL;
}

static void
put_message(enum dialect client, const struct error_found *found, struct blame *blame)
{
    const struct row *row = &rows[found->kind];
    struct str words = row->text != NULL ? str_of(row->text) : str_of(found->message);
    if (words.len == 0) {
        words = STR("Upstream request failed");
    }
    /* Anthropic's clients know a full context by these words. */
    static const char prefix[] = "prompt is too long";
    bool is_marked = found->kind == ERROR_CONTEXT && client == DIALECT_ANTHROPIC &&
                     !str_starts(words, STR("prompt is too long"));
    size_t len = 0;
    if (is_marked) {
        memcpy(blame->message, prefix, sizeof prefix - 1);
        memcpy(blame->message + sizeof prefix - 1, ": ", 2);
        len = sizeof prefix + 1;
    }
    (void)error_clean(words, blame->message + len, sizeof blame->message - len);
}

void
blame_found(enum dialect client, const struct error_found *found, uint32_t status,
            struct blame *blame, struct error_info *out)
{
    CHECK(found->kind < sizeof rows / sizeof rows[0]);
    const struct row *row = &rows[found->kind];
    *blame = (struct blame){ .param = "" };
    put_message(client, found, blame);
    bool is_malformed_call = str_equal(str_of(found->code), STR("upstream_malformed_tool_call"));
    CHECK(str_copy(blame->code, sizeof blame->code,
                   str_of(is_malformed_call ? found->code : row->code)));
    *out = (struct error_info){ .status = row->status,
                                .code = blame->code,
                                .message = str_of(blame->message) };
    if (row->status == 503 && client == DIALECT_ANTHROPIC) {
        out->status = 529;
    }
    if (found->kind == ERROR_BAD_REQUEST && status == 422) {
        out->status = 422;
    }
}

/* Both have the same envelope: what it says about the client's own fault stays. */
static void
keep_openai(struct str body, const struct error_found *found, struct blame *blame,
            struct error_info *out)
{
    struct json_value top, param;
    if (found->code[0] != '\0') {
        CHECK(str_copy(blame->code, sizeof blame->code, str_of(found->code)));
    }
    if (json_read(body, &top, NULL) == ERR_OK && json_get_path(top, STR("error.param"), &param) &&
        param.kind == JSON_STRING && !param.is_escaped &&
        str_copy(blame->param, sizeof blame->param,
                 str_make(param.raw.data + 1, param.raw.len - 2)) &&
        blame->param[0] != '\0') {
        out->param = blame->param;
    }
}

void
blame_body(enum dialect client, enum dialect upstream, uint32_t status, struct str body,
           struct blame *blame, struct error_info *out)
{
    struct error_found found;
    error_read(upstream, status, body, &found);
    blame_found(client, &found, status, blame, out);
    bool is_openai_pair = client != DIALECT_ANTHROPIC && client != DIALECT_GEMINI &&
                          upstream != DIALECT_ANTHROPIC && upstream != DIALECT_GEMINI;
    if (is_openai_pair && is_client_fault(found.kind)) {
        keep_openai(body, &found, blame, out);
    }
}
