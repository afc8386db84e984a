/* What each failure means for the account and for the client. */
#include <criterion/criterion.h>
#include <string.h>

#include "upstream/retry.h"

Test(retry, decides_by_status)
{
    static const struct {
        uint16_t status;
        enum retry_verdict verdict;
        enum retry_blame blame;
        uint16_t for_client;
        const char *code;
    } rows[] = {
        { 200, RETRY_PASS, RETRY_NO_BLAME, 200, NULL },
        { 201, RETRY_PASS, RETRY_NO_BLAME, 201, NULL },
        { 204, RETRY_PASS, RETRY_NO_BLAME, 204, NULL },
        { 400, RETRY_PASS, RETRY_NO_BLAME, 400, NULL },
        { 404, RETRY_PASS, RETRY_NO_BLAME, 404, NULL },
        { 405, RETRY_PASS, RETRY_NO_BLAME, 405, NULL },
        { 413, RETRY_PASS, RETRY_NO_BLAME, 413, NULL },
        { 422, RETRY_PASS, RETRY_NO_BLAME, 422, NULL },
        { 499, RETRY_PASS, RETRY_NO_BLAME, 499, NULL },
        { 101, RETRY_SWITCH, RETRY_BLAME_SERVER, 502, "upstream_error" },
        { 301, RETRY_SWITCH, RETRY_BLAME_SERVER, 502, "upstream_error" },
        { 307, RETRY_SWITCH, RETRY_BLAME_SERVER, 502, "upstream_error" },
        { 401, RETRY_SWITCH, RETRY_BLAME_AUTH, 502, "upstream_error" },
        { 402, RETRY_SWITCH, RETRY_BLAME_MONEY, 502, "upstream_error" },
        { 403, RETRY_SWITCH, RETRY_BLAME_AUTH, 502, "upstream_error" },
        { 429, RETRY_SWITCH, RETRY_BLAME_RATE, 429, "rate_limit_exceeded" },
        { 500, RETRY_SWITCH, RETRY_BLAME_SERVER, 502, "upstream_error" },
        { 502, RETRY_SWITCH, RETRY_BLAME_SERVER, 502, "upstream_error" },
        { 503, RETRY_SWITCH, RETRY_BLAME_OVERLOAD, 502, "upstream_error" },
        { 504, RETRY_SWITCH, RETRY_BLAME_SLOW, 504, "upstream_timeout" },
        { 520, RETRY_SWITCH, RETRY_BLAME_SERVER, 502, "upstream_error" },
        { 529, RETRY_SWITCH, RETRY_BLAME_OVERLOAD, 503, "overloaded" },
        { 599, RETRY_SWITCH, RETRY_BLAME_SERVER, 502, "upstream_error" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct retry_decision got = retry_of_status(rows[i].status);
        cr_expect_eq(got.verdict, rows[i].verdict, "%u", rows[i].status);
        cr_expect_eq(got.blame, rows[i].blame, "%u", rows[i].status);
        cr_expect_eq(got.status, rows[i].for_client, "%u", rows[i].status);
        if (rows[i].code == NULL) {
            cr_expect_null(got.code, "%u", rows[i].status);
        } else {
            cr_expect_str_eq(got.code, rows[i].code, "%u", rows[i].status);
            cr_expect(got.message != NULL && got.message[0] != '\0', "%u", rows[i].status);
        }
    }
}

Test(retry, never_shows_the_client_that_our_credential_was_refused)
{
    for (uint16_t status = 400; status < 600; status++) {
        struct retry_decision got = retry_of_status(status);
        if (got.verdict == RETRY_SWITCH) {
            cr_expect(got.status == 429 || got.status >= 500, "%u became %u", status, got.status);
        }
    }
}

Test(retry, decides_by_failure)
{
    static const struct {
        enum err err;
        enum retry_blame blame;
        uint16_t status;
        const char *code;
    } rows[] = {
        { ERR_TIMEOUT, RETRY_BLAME_SLOW, 504, "upstream_timeout" },
        { ERR_FULL, RETRY_NO_BLAME, 503, "overloaded" },
        { ERR_REFUSED, RETRY_BLAME_NETWORK, 502, "upstream_error" },
        { ERR_GONE, RETRY_BLAME_NETWORK, 502, "upstream_error" },
        { ERR_EOF, RETRY_BLAME_NETWORK, 502, "upstream_error" },
        { ERR_BAD, RETRY_BLAME_NETWORK, 502, "upstream_error" },
        { ERR_DENIED, RETRY_BLAME_NETWORK, 502, "upstream_error" },
        { ERR_IO, RETRY_BLAME_NETWORK, 502, "upstream_error" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct exchange_failure failure = { EXCHANGE_CONNECT, rows[i].err, "secret host name" };
        struct retry_decision got = retry_of_failure(&failure);
        cr_expect_eq(got.verdict, RETRY_SWITCH);
        cr_expect_eq(got.blame, rows[i].blame, "%s", err_name(rows[i].err));
        cr_expect_eq(got.status, rows[i].status, "%s", err_name(rows[i].err));
        cr_expect_str_eq(got.code, rows[i].code);
        cr_expect_null(strstr(got.message, "secret"), "what failed where stays in the log");
    }
}

Test(retry, names_every_blame_differently)
{
    for (int a = RETRY_NO_BLAME; a <= RETRY_BLAME_SLOW; a++) {
        for (int b = a + 1; b <= RETRY_BLAME_SLOW; b++) {
            cr_expect_str_neq(retry_blame_text((enum retry_blame)a),
                              retry_blame_text((enum retry_blame)b));
        }
    }
}

Test(retry, gives_a_reason_for_every_blame)
{
    cr_expect_eq(retry_reason(RETRY_BLAME_AUTH, 401, EXCHANGE_BODY), HEALTH_REASON_AUTH);
    cr_expect_eq(retry_reason(RETRY_BLAME_AUTH, 403, EXCHANGE_BODY), HEALTH_REASON_FORBIDDEN);
    cr_expect_eq(retry_reason(RETRY_BLAME_NETWORK, 0, EXCHANGE_RESOLVE), HEALTH_REASON_NAME);
    cr_expect_eq(retry_reason(RETRY_BLAME_NETWORK, 0, EXCHANGE_CONNECT), HEALTH_REASON_CONNECT);
    cr_expect_eq(retry_reason(RETRY_NO_BLAME, 200, EXCHANGE_BODY), HEALTH_REASON_NONE);
    for (int blame = RETRY_BLAME_AUTH; blame <= RETRY_BLAME_SLOW; blame++) {
        cr_expect_neq(retry_reason((enum retry_blame)blame, 500, EXCHANGE_BODY),
                      HEALTH_REASON_NONE);
    }
}

Test(retry, the_words_of_an_error_know_better_than_its_status)
{
    static const struct {
        uint16_t status;
        enum error_kind kind;
        const char *type;
        const char *message;
        enum retry_verdict verdict;
        enum retry_blame blame;
        uint16_t for_client;
    } rows[] = {
        { 400, ERROR_BAD_REQUEST, "", "no such field", RETRY_PASS, RETRY_NO_BLAME, 400 },
        { 400, ERROR_BILLING, "", "Your credit balance is too low to access the API", RETRY_SWITCH,
          RETRY_BLAME_MONEY, 502 },
        { 400, ERROR_BILLING, "", "Bad value 'Your credit balance is too low'", RETRY_PASS,
          RETRY_NO_BLAME, 400 },
        { 400, ERROR_AUTH, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
          RETRY_SWITCH, RETRY_BLAME_AUTH, 502 },
        { 400, ERROR_BAD_REQUEST, "", "This organization has been disabled.", RETRY_SWITCH,
          RETRY_BLAME_AUTH, 502 },
        { 400, ERROR_PERMISSION, "", "User location is not supported for the API use.",
          RETRY_SWITCH, RETRY_BLAME_AUTH, 502 },
        { 429, ERROR_RATE_LIMIT, "", "slow down", RETRY_SWITCH, RETRY_BLAME_RATE, 429 },
        { 429, ERROR_BILLING, "insufficient_quota", "no money", RETRY_SWITCH, RETRY_BLAME_MONEY,
          429 },
        { 403, ERROR_BILLING, "billing_error", "no money", RETRY_SWITCH, RETRY_BLAME_MONEY, 502 },
        { 403, ERROR_PERMISSION, "permission_error", "no", RETRY_SWITCH, RETRY_BLAME_AUTH, 502 },
        { 403, ERROR_PERMISSION, "", "Just a moment...", RETRY_SWITCH, RETRY_BLAME_SERVER, 502 },
        { 403, ERROR_RATE_LIMIT, "rate_limit_error", "no", RETRY_SWITCH, RETRY_BLAME_RATE, 429 },
        { 500, ERROR_OVERLOADED, "overloaded_error", "busy", RETRY_SWITCH, RETRY_BLAME_OVERLOAD,
          503 },
        { 529, ERROR_OVERLOADED, "overloaded_error", "busy", RETRY_SWITCH, RETRY_BLAME_OVERLOAD,
          503 },
        { 500, ERROR_CONTEXT, "", "maximum context length", RETRY_PASS, RETRY_NO_BLAME, 500 },
        { 500, ERROR_SERVER, "", "oops", RETRY_SWITCH, RETRY_BLAME_SERVER, 502 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error_found found = { .kind = rows[i].kind };
        str_copy(found.type, sizeof found.type, str_of(rows[i].type));
        str_copy(found.message, sizeof found.message, str_of(rows[i].message));
        struct retry_decision got = retry_of_error(rows[i].status, &found);
        cr_expect_eq(got.verdict, rows[i].verdict, "%zu", i);
        cr_expect_eq(got.blame, rows[i].blame, "%zu: %s", i, retry_blame_text(got.blame));
        cr_expect_eq(got.status, rows[i].for_client, "%zu: %u", i, got.status);
    }
}
