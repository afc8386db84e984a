/*
 * bindings.c - see bindings.h.
 *
 * Runs in: recorder.
 */
#include "admin/bindings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api.h"
#include "admin/recorder.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "http/server.h"
#include "proto/endpoint.h"
#include "shm/sticky.h"
#include "store/ledger.h"

/* Sessions of one answer: for people; the total says how many there are. */
#define BINDINGS_SHOWN_MAX 10000u

struct names {
    char of[ACCOUNTS_MAX][NAME_BYTES]; /* by index; "" = no such account */
};

static void
read_names(const struct recorder *recorder, struct names *names)
{
    static struct account account;
    uint64_t cursor = 0;
    while (ledger_next(recorder->ledger, MODEL_ACCOUNT, &cursor, &account) == ERR_OK) {
        if (account.index < ACCOUNTS_MAX) {
            str_copy(names->of[account.index], NAME_BYTES, str_of(account.name));
        }
    }
}

static void
put_binding(struct jsonw *w, const struct sticky_view *view, const struct names *names)
{
    char session[32];
    snprintf(session, sizeof session, "%x-%07x", view->row, view->tag);
    jsonw_object(w);
    jsonw_put_text(w, "session", session);
    jsonw_put_text(w, "account",
                   view->account_index < ACCOUNTS_MAX ? names->of[view->account_index] : "");
    jsonw_put_u64(w, "expires_s", view->left_ms / 1000);
    jsonw_close(w);
}

void
bindings_list(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    struct names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        api_error(request, 500, "internal_error", "Out of memory");
        return;
    }
    read_names(recorder, names);
    struct buf body;
    struct jsonw w;
    struct sticky_view view;
    uint64_t cursor = 0;
    uint64_t total = 0;
    char line[64];
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_name(&w, "items");
    jsonw_array(&w);
    while (sticky_next(recorder->segment, &cursor, loop_now_ms(recorder->loop), &view)) {
        if (total++ < BINDINGS_SHOWN_MAX) {
            put_binding(&w, &view, names);
        }
    }
    jsonw_close(&w);
    jsonw_put_u64(&w, "total", total);
    jsonw_put_u64(&w, "places", recorder->segment->sticky);
    snprintf(line, sizeof line, "%llu sessions are bound", (unsigned long long)total);
    jsonw_put_text(&w, "line", line);
    jsonw_close(&w);
    free(names);
    api_answer_buf(request, jsonw_end(&w), &body);
}

/* account=NAME of the query. False: something else stands there, and is answered. */
static bool
wanted_account(struct server_request *request, char name[NAME_BYTES])
{
    size_t length = 0;
    struct str value = request->head.query;
    name[0] = '\0';
    if (value.len == 0) {
        return true;
    }
    struct str word = str_cut(&value, '=');
    if (str_equal(word, STR("account")) && value.len > 0 &&
        memchr(value.data, '&', value.len) == NULL &&
        endpoint_model_decode(value, name, NAME_BYTES, &length) == ERR_OK) {
        return true;
    }
    api_error(request, 400, "invalid_request", "The query is account=NAME, percent-encoded");
    return false;
}

void
bindings_clear(struct server_request *request)
{
    static struct account record;
    struct recorder *recorder = server_context(request);
    uint32_t index = UINT32_MAX;
    char name[NAME_BYTES];
    if (!wanted_account(request, name)) {
        return;
    }
    if (name[0] != '\0') {
        enum err err = ledger_find(recorder->ledger, MODEL_ACCOUNT, str_of(name), &record);
        if (err != ERR_OK) {
            api_error(request, err == ERR_GONE ? 404 : 500,
                      err == ERR_GONE ? "not_found" : "internal_error",
                      err == ERR_GONE ? "There is no account of this name"
                                      : "The store cannot be read");
            return;
        }
        index = record.index;
    }
    uint32_t dropped = sticky_drop_account(recorder->segment, index, loop_now_ms(recorder->loop));
    log_event(LOG_INFO, "sticky", "dropped=%u account=\"%s\"", dropped, name);
    char json[128];
    int length = snprintf(json, sizeof json, "{\"dropped\":%u,\"line\":\"%u sessions forgotten\"}",
                          dropped, dropped);
    api_answer(request, 200, str_make(json, (size_t)length));
}
