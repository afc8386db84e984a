#include "worker/local.h"

#include "base/check.h"
#include "http/header.h"
#include "shm/version.h"
#include "worker/models.h"
#include "worker/relay.h"
#include "worker/statement.h"

/* The longest model list: MODELS_MAX names with what stands around each. */
#define LIST_BYTES_MAX (2u * 1024 * 1024)

static void
answer(struct relay *relay, struct str body)
{
    struct reply_to to = relay_reply_to(relay);
    relay->status = 200;
    relay->request = NULL;
    reply_json(&to, body);
    relay_finish(relay, NULL);
}

static void
ready(struct relay *relay)
{
    const char *why = worker_is_stopping(relay->worker)
                          ? "draining"
                          : version_why_not_ready(relay->worker->segment);
    if (why == NULL) {
        answer(relay, STR("{\"status\":\"ready\"}"));
        return;
    }
    struct str message = arena_printf(&relay->request->arena, "Not ready: %s", why);
    bool is_draining = str_equal(str_of(why), STR("draining"));
    bool is_store = str_equal(str_of(why), STR("store_not_writable"));
    const char *code = is_draining ? "draining" : is_store ? "overloaded" : "no_channel_available";
    relay_refuse(relay, &(struct reply){ .status = 503, .code = code, .message = message });
}

void
local_open(struct relay *relay)
{
    enum endpoint endpoint = relay->row->endpoint;
    if (endpoint == ENDPOINT_HEALTHZ) {
        answer(relay, STR("{\"status\":\"ok\"}"));
    } else if (endpoint == ENDPOINT_READYZ) {
        ready(relay);
    } else if (endpoint == ENDPOINT_ROOT) {
        answer(relay, STR("{\"service\":\"sub2api\",\"status\":\"ok\"}"));
    } else {
        CHECK(endpoint == ENDPOINT_RESPONSES_WEBSOCKET);
        bool wants = relay->request->head.wants_upgrade;
        relay_refuse(relay,
                     &(struct reply){ .status = wants ? 426 : 405,
                                      .code = wants ? "upgrade_required" : "method_not_allowed",
                                      .message = wants ? STR("WebSocket is not offered here: use "
                                                             "POST with HTTP/1.1")
                                                       : STR("Use POST on this path"),
                                      .allow = "POST",
                                      .upgrade = wants ? "HTTP/1.1" : NULL });
    }
}

/* What a list's reader speaks. */
static uint32_t
speaks_of(enum dialect shape)
{
    return shape == DIALECT_CHAT ? DIALECT_BIT(DIALECT_CHAT) | DIALECT_BIT(DIALECT_RESPONSES)
                                 : DIALECT_BIT(shape);
}

static struct str
decoded_id(struct relay *relay)
{
    char *id = arena_alloc_raw(&relay->request->arena, MODEL_NAME_BYTES);
    size_t length = 0;
    if (id == NULL ||
        endpoint_model_decode(relay->hit.model, id, MODEL_NAME_BYTES, &length) != ERR_OK) {
        return STR("");
    }
    return str_make(id, length);
}

static void
own_usage(struct relay *relay, const struct catalog_key *key)
{
    struct buf body;
    buf_init(&body, LIST_BYTES_MAX);
    if (statement_write(relay->worker, key, &body) == ERR_OK) {
        answer(relay, buf_str(&body));
    } else {
        relay_refuse(relay, &(struct reply){ .status = 503,
                                             .code = "overloaded",
                                             .message = STR("The gateway's store cannot be read, "
                                                            "please retry later") });
    }
    buf_fini(&body);
}

void
local_keyed(struct relay *relay, const struct catalog_key *key)
{
    if (relay->row->endpoint == ENDPOINT_OWN_USAGE) {
        own_usage(relay, key);
        return;
    }
    struct models_want want = { .view = relay->view,
                                .key = key,
                                .shape = relay->hit.dialect,
                                .speaks = speaks_of(relay->hit.dialect),
                                .query = relay->request->head.query };
    struct arena *arena = &relay->request->arena;
    struct buf body;
    buf_init(&body, LIST_BYTES_MAX);
    struct str id = STR("");
    enum err err;
    if (relay->row->endpoint == ENDPOINT_MODEL_GET) {
        id = decoded_id(relay);
        err = models_one(&want, id, arena, &body);
    } else {
        err = models_list(&want, arena, &body);
    }
    if (err == ERR_OK) {
        answer(relay, buf_str(&body));
    } else if (err == ERR_GONE) {
        struct str message =
            arena_printf(arena, "The model '%.*s' is not reachable with this key", STR_ARG(id));
        relay_refuse(relay, &(struct reply){ .status = 404,
                                             .code = "model_not_found",
                                             .message = message,
                                             .param = "model" });
    } else {
        relay_refuse(relay, &(struct reply){ .status = 500,
                                             .code = "internal_error",
                                             .message = STR("The model list is too long") });
    }
    buf_fini(&body);
}
