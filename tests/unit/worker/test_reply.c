/* What the gateway answers by itself, in each client's shape, through a real worker. */
#include <criterion/criterion.h>

#include "tests/unit/worker/mill.h"
#include "worker/reply.h"

Test(reply, is_final_when_the_same_request_can_never_succeed)
{
    static const uint16_t finals[] = { 401, 403, 404, 412 };
    static const uint16_t others[] = { 400, 408, 409, 413, 429, 499, 500, 502, 503, 504, 529 };
    for (size_t i = 0; i < sizeof finals / sizeof finals[0]; i++) {
        cr_expect(reply_is_final(finals[i]), "%u", finals[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_expect(!reply_is_final(others[i]), "%u", others[i]);
    }
}

Test(reply, speaks_the_clients_dialect)
{
    static const struct {
        const char *path;
        const char *body;     /* how the error's object begins */
        const char *id_field; /* NULL: only x-request-id */
    } rows[] = {
        { "/v1/chat/completions", "{\"error\":{\"message\":", NULL },
        { "/v1/responses", "{\"error\":{\"message\":", NULL },
        { "/v1/messages", "{\"type\":\"error\",\"error\":{\"type\":", "\r\nrequest-id: req_" },
        { "/v1beta/models/m:generateContent", "{\"error\":{\"code\":401,", NULL },
        { "/v1beta/models/m:streamGenerateContent?alt=sse", "{\"error\":{\"code\":401,", NULL },
        { "/v1beta/models/m:streamGenerateContent", "[{\"error\":{\"code\":401,", NULL },
        { "/v1beta/models/m:streamGenerateContent?alt=json", "[{\"error\":{\"code\":401,", NULL },
    };
    struct mill *mill = mill_make();
    mill->confs.worker.auth_failures = 0;
    mill_run(mill);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *answer = mill_talk(mill, rows[i].path, "nobody", "{}");
        const char *body = strstr(answer, "\r\n\r\n");
        cr_assert_not_null(body, "%s", answer);
        cr_expect_eq(strncmp(body + 4, rows[i].body, strlen(rows[i].body)), 0, "%s: %s",
                     rows[i].path, body + 4);
        cr_expect(strstr(answer, "\r\nx-request-id: req_") != NULL);
        cr_expect_eq(strstr(answer, "\r\nrequest-id: ") != NULL, rows[i].id_field != NULL, "%s",
                     rows[i].path);
        cr_expect(strstr(answer, "\r\nContent-Type: application/json\r\n") != NULL);
    }
    mill_stop(mill);
}

Test(reply, tells_which_methods_are_allowed)
{
    struct mill *mill = mill_make();
    mill_key(mill, "k", NULL);
    mill_run(mill);
    int client = mill_connect(mill);
    mill_send(client, "DELETE /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                      "Authorization: Bearer k\r\n\r\n");
    const char *answer = mill_read(mill, client, NULL);
    cr_expect(strstr(answer, "HTTP/1.1 405 ") == answer, "%s", answer);
    cr_expect(strstr(answer, "\r\nAllow: POST\r\n") != NULL, "%s", answer);
    close(client);
    mill_stop(mill);
}
