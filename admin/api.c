#include "admin/api.h"

#include <unistd.h>

#include "admin/adminconf.h"
#include "admin/bindings.h"
#include "admin/books.h"
#include "admin/explain.h"
#include "admin/live.h"
#include "admin/objects.h"
#include "admin/prices.h"
#include "admin/recorder.h"
#include "admin/slots.h"
#include "admin/trial.h"
#include "admin/unpriced.h"
#include "admin/wish.h"
#include "base/check.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/httpconf.h"
#include "http/server.h"
#include "shm/counter.h"
#include "shm/heritage.h"

#define ERROR_BYTES_MAX 4096u

static const char json_field[] = "Content-Type: application/json\r\n";

void
api_answer(struct server_request *request, uint16_t status, struct str json)
{
    server_answer(request, status, str_of(json_field), json);
}

void
api_answer_buf(struct server_request *request, enum err err, struct buf *json)
{
    if (err == ERR_OK) {
        api_answer(request, 200, buf_str(json));
    } else {
        api_error(request, 500, "internal_error", "The answer could not be put together");
    }
    buf_fini(json);
}

void
api_error(struct server_request *request, uint16_t status, const char *code, const char *message)
{
    struct buf body;
    struct jsonw w;
    buf_init(&body, ERROR_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_name(&w, "error");
    jsonw_object(&w);
    jsonw_put_text(&w, "code", code);
    jsonw_put_text(&w, "message", message);
    jsonw_close(&w);
    jsonw_close(&w);
    enum err err = jsonw_end(&w);
    api_answer(request, status, err == ERR_OK ? buf_str(&body) : STR("{}"));
    buf_fini(&body);
}

/* --- who may --- */

static bool
is_allowed(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    uint32_t uid = UINT32_MAX;
    if (server_peer_uid(request, &uid) != ERR_OK) {
        return false;
    }
    uint32_t also = recorder->heritage->admin->allow_uid;
    return uid == 0 || uid == (uint32_t)geteuid() || (also != 0 && uid == also);
}

/* --- routing --- */

/* /v1/accounts[/NAME[/VERB]] and the like. False: no such resource. */
static bool
route_objects(struct server_request *request, struct str noun, struct str name, struct str verb)
{
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        if (str_equal(noun, str_of(model_table(kind)->nouns))) {
            objects_handle(request, (enum model_kind)kind, name, verb);
            return true;
        }
    }
    return false;
}

static bool
route_rest(struct server_request *request, struct str first, struct str second, struct str third)
{
    bool is_get = str_equal(request->head.method, STR("GET"));
    bool is_post = str_equal(request->head.method, STR("POST"));
    bool is_delete = str_equal(request->head.method, STR("DELETE"));
    if (is_get && str_equal(first, STR("status"))) {
        live_status(request);
    } else if (is_get && str_equal(first, STR("top"))) {
        live_top(request);
    } else if (is_get && str_equal(first, STR("slots"))) {
        slots_handle(request);
    } else if (is_get && str_equal(first, STR("sticky")) && second.len == 0) {
        bindings_list(request);
    } else if (is_delete && str_equal(first, STR("sticky")) && second.len == 0) {
        bindings_clear(request);
    } else if (is_get && str_equal(first, STR("explain"))) {
        explain_handle(request);
    } else if (is_get && str_equal(first, STR("usage")) && str_equal(second, STR("recent"))) {
        live_recent(request);
    } else if (is_get && str_equal(first, STR("usage")) && str_equal(second, STR("report"))) {
        books_report(request);
    } else if (is_get && str_equal(first, STR("ledger")) && str_equal(second, STR("verify"))) {
        books_verify(request);
    } else if (is_get && str_equal(first, STR("ledger")) && str_equal(second, STR("export"))) {
        books_export(request);
    } else if (str_equal(first, STR("prices")) && third.len == 0) {
        return prices_handle(request, second);
    } else if (is_get && str_equal(first, STR("unpriced"))) {
        unpriced_handle(request);
    } else if (is_post && str_equal(first, STR("requests")) && str_equal(third, STR("kill"))) {
        live_kill(request, second);
    } else if (is_post && str_equal(first, STR("reload"))) {
        wish_reload(request);
    } else if (is_post && str_equal(first, STR("stop"))) {
        wish_stop(request);
    } else {
        return false;
    }
    return true;
}

static void
on_body(struct server_request *request)
{
    struct str path = str_skip(request->head.path, 1);
    struct str version = str_cut(&path, '/');
    struct str first = str_cut(&path, '/');
    struct str second = str_cut(&path, '/');
    struct str third = str_cut(&path, '/');
    if (!str_equal(version, STR("v1")) || path.len > 0 ||
        (!route_objects(request, first, second, third) &&
         !route_rest(request, first, second, third))) {
        api_error(request, 404, "not_found", "There is no such resource here");
    }
}

static void
on_head(struct server_request *request)
{
    struct recorder *recorder = server_context(request);
    counter_add(recorder->segment, recorder->slot, COUNTER_ADMIN_REQUESTS, 1);
    if (!is_allowed(request)) {
        log_event(LOG_WARN, "admin", "why=\"a peer of another user was refused\"");
        server_close_after(request);
        api_error(request, 403, "forbidden", "This user may not administer the gateway");
        return;
    }
    /* A file of prices is the only thing that is large. */
    bool is_file = str_equal(request->head.path, STR("/v1/prices"));
    server_take_body(request, is_file ? PRICE_FILE_BYTES_MAX : ADMIN_BODY_BYTES_MAX);
}

static void
on_gone(struct server_request *request, bool is_half)
{
    const struct api_owner *owner = request->owner;
    if (!is_half && owner != NULL) {
        owner->on_gone(request);
    }
}

static void
on_bad(struct server_request *request, const struct parser_error *error)
{
    api_error(request, error->status, error->code, error->message);
}

static void
on_room(struct server_request *request)
{
    const struct api_owner *owner = request->owner;
    if (owner != NULL && owner->on_room != NULL) {
        owner->on_room(request);
    }
}

static const struct server_hooks hooks = {
    .on_head = on_head, .on_body = on_body, .on_gone = on_gone, .on_room = on_room, .on_bad = on_bad
};

enum err
api_open(struct recorder *recorder)
{
    /* The clients' settings fit: same deadlines, fewer connections. */
    struct server_want want = { .loop = recorder->loop,
                                .conf = recorder->heritage->http,
                                .hooks = &hooks,
                                .context = recorder,
                                .conns_max = ADMIN_CONNS_MAX };
    enum err err = server_make(&want, &recorder->server);
    if (err == ERR_OK) {
        err = server_listen(recorder->server, recorder->heritage->admin_fd);
    }
    return err;
}
