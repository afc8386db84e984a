#include "worker/reply.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "proto/error.h"

/* An error body: a sentence, a code and the envelope around them. */
#define REPLY_BYTES_MAX 16384u

bool
reply_is_final(uint16_t status)
{
    return status == 401 || status == 403 || status == 404 || status == 412;
}

/* Written by hand: every answer has it. */
struct str
reply_id_fields(const struct reply_to *to)
{
    static const struct str plain = { "x-request-id: ", 14 };
    static const struct str second = { "request-id: ", 12 };
    size_t id_len = strlen(to->request_id);
    char *text = arena_alloc_raw(&to->request->arena,
                                 plain.len + second.len + 2 * (id_len + 2) + to->more.len);
    if (text == NULL) {
        return STR("");
    }
    char *end = mempcpy(mempcpy(text, plain.data, plain.len), to->request_id, id_len);
    end = mempcpy(end, "\r\n", 2);
    if (to->dialect == DIALECT_ANTHROPIC) {
        end = mempcpy(mempcpy(end, second.data, second.len), to->request_id, id_len);
        end = mempcpy(end, "\r\n", 2);
    }
    if (to->more.len > 0) {
        end = mempcpy(end, to->more.data, to->more.len);
    }
    return str_make(text, (size_t)(end - text));
}

static void
answer(const struct reply_to *to, uint16_t status, struct str more_fields, struct str body)
{
    struct str ids = reply_id_fields(to);
    struct str fields =
        arena_printf(&to->request->arena, "Content-Type: application/json\r\n%.*s%.*s",
                     STR_ARG(ids), STR_ARG(more_fields));
    server_answer(to->request, status, fields, body);
}

/* Who may come back is told when, also where nobody knows it: soon. */
static uint32_t
retry_after_s(const struct reply *reply)
{
    bool may_come_back = reply->status == 429 || reply->status == 503;
    return reply->retry_after_s == 0 && may_come_back ? 1 : reply->retry_after_s;
}

static struct str
error_fields(const struct reply_to *to, const struct reply *reply)
{
    struct arena *arena = &to->request->arena;
    struct str fields = { NULL, 0 };
    uint32_t after_s = retry_after_s(reply);
    if (after_s > 0) {
        fields = arena_printf(arena, "retry-after: %u\r\n", after_s);
    }
    if (reply->is_final || reply_is_final(reply->status)) {
        fields = arena_printf(arena, "%.*sx-should-retry: false\r\n", STR_ARG(fields));
    }
    if (reply->allow != NULL) {
        fields = arena_printf(arena, "%.*sAllow: %s\r\n", STR_ARG(fields), reply->allow);
    }
    if (reply->upgrade != NULL) {
        /* Upgrade is for the next hop only, which Connection has to say (RFC 9110, 7.8). */
        fields = arena_printf(arena, "%.*sConnection: upgrade\r\nUpgrade: %s\r\n", STR_ARG(fields),
                              reply->upgrade);
    }
    return fields;
}

void
reply_error(const struct reply_to *to, const struct reply *reply)
{
    CHECK(to->request != NULL && !to->request->is_begun);
    CHECK(reply->status >= 400 && reply->status < 600);
    struct error_info info = { .status = reply->status,
                               .code = reply->code,
                               .message = reply->message,
                               .param = reply->param,
                               .request_id = to->request_id };
    struct buf body;
    buf_init(&body, REPLY_BYTES_MAX);
    enum err err = to->is_array ? buf_append(&body, STR("[")) : ERR_OK;
    if (err == ERR_OK) {
        err = error_write(&body, to->dialect, &info);
    }
    if (err == ERR_OK && to->is_array) {
        err = buf_append(&body, STR("]"));
    }
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "reply", "req=%s code=%s err=%s", to->request_id, reply->code,
                  err_name(err));
        buf_clear(&body);
    }
    answer(to, reply->status, error_fields(to, reply), buf_str(&body));
    buf_fini(&body);
}

void
reply_json(const struct reply_to *to, struct str body)
{
    answer(to, 200, STR(""), body);
}
