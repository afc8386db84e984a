/* A provider's error as a client of another dialect shall see it. */
#include <criterion/criterion.h>

#include "proto/blame.h"

static struct error_info
blamed(enum dialect client, enum dialect upstream, uint32_t status, const char *body)
{
    static struct blame blame;
    struct error_info info;
    blame_body(client, upstream, status, str_of(body), &blame, &info);
    cr_expect(info.status >= 400 && info.code != NULL && info.message.len > 0, "%s", body);
    return info;
}

Test(blame, keeps_what_our_account_caused_from_the_client)
{
    static const uint32_t statuses[] = { 401, 402, 403, 529, 503 };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        const char *body =
            "{\"error\":{\"message\":\"key sk-abcdef is out of credit\",\"param\":\"key\"}}";
        struct error_info info = blamed(DIALECT_RESPONSES, DIALECT_CHAT, statuses[i], body);
        cr_expect_eq(info.status, 503, "%u", statuses[i]);
        cr_expect(str_equal(info.message, STR("The service is overloaded, please retry later")));
        cr_expect_null(info.param);
        cr_expect_eq(blamed(DIALECT_ANTHROPIC, DIALECT_CHAT, statuses[i], body).status, 529);
    }
}

Test(blame, tells_the_client_what_it_did_itself)
{
    const char *body =
        "{\"error\":{\"message\":\"bad temperature, see https://api.example.com/x\","
        "\"type\":\"invalid_request_error\",\"param\":\"temperature\",\"code\":\"odd\"}}";
    struct error_info info = blamed(DIALECT_RESPONSES, DIALECT_CHAT, 400, body);
    cr_expect_eq(info.status, 400);
    cr_expect(str_starts(info.message, STR("bad temperature")));
    cr_expect_null(strstr(info.message.data, "example.com"), "%s", info.message.data);
    cr_expect_str_eq(info.code, "odd");
    cr_expect_str_eq(info.param, "temperature");
    info = blamed(DIALECT_ANTHROPIC, DIALECT_CHAT, 400, body);
    cr_expect_null(info.param, "the field has another name there");
    cr_expect_eq(
        blamed(DIALECT_CHAT, DIALECT_ANTHROPIC, 422, "{\"error\":{\"message\":\"no\"}}").status,
        422);
}

Test(blame, names_a_full_context_as_the_clients_know_it)
{
    struct error_info info = blamed(
        DIALECT_ANTHROPIC, DIALECT_CHAT, 400,
        "{\"error\":{\"message\":\"too many tokens\",\"code\":\"context_length_exceeded\"}}");
    cr_expect(str_equal(info.message, STR("prompt is too long: too many tokens")));
    info = blamed(DIALECT_CHAT, DIALECT_ANTHROPIC, 400,
                  "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
                  "\"prompt is too long: 9 tokens\"}}");
    cr_expect_str_eq(info.code, "context_length_exceeded");
}

Test(blame, makes_an_error_of_anything)
{
    static const char *const bodies[] = {
        "",  "<html>nginx</html>", "[]",
        "{", "{\"error\":7}",      "{\"error\":{\"message\":null,\"param\":[]}}"
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        for (int client = 0; client < DIALECT_COUNT; client++) {
            cr_expect_eq(blamed((enum dialect)client, DIALECT_GEMINI, 500, bodies[i]).status, 502);
            (void)blamed((enum dialect)client, DIALECT_CHAT, 400, bodies[i]);
        }
    }
}
