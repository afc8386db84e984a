/*
 * intake.c - what comes in on a client's connection: heads, bodies, and what is dropped at the end.
 *
 * Runs in: worker, recorder.
 */
#include <string.h>

#include "base/check.h"
#include "http/caller.h"

static const struct parser_error cut_body = {
    400,
    "invalid_request",
    "The request body ended before it was whole.",
};
static const struct parser_error no_memory = {
    503,
    "overloaded",
    "There is no memory for this request now: try again.",
};
static const struct parser_error slow_body = {
    408,
    "request_timeout",
    "The request body did not come in time.",
};

struct str
intake_bytes(const struct caller *caller)
{
    return caller->server->rest_owner == caller ? caller->server->rest : buf_str(&caller->conn.in);
}

void
intake_consume(struct caller *caller, size_t bytes)
{
    struct server *server = caller->server;
    if (server->rest_owner != caller) {
        buf_consume(&caller->conn.in, (uint32_t)bytes);
        buf_shrink(&caller->conn.in);
        return;
    }
    CHECK(bytes <= server->rest.len);
    server->rest = str_make(server->rest.data + bytes, server->rest.len - bytes);
    if (server->rest.len == 0) {
        server->rest_owner = NULL;
    }
}

/* What is left in the scratch memory when this caller stops running becomes its own. */
void
intake_keep(struct caller *caller)
{
    struct server *server = caller->server;
    if (server->rest_owner != caller) {
        return;
    }
    server->rest_owner = NULL;
    if (caller->state == CALLER_CLOSED || caller->state == CALLER_LINGER) {
        return;
    }
    if (buf_append(&caller->conn.in, server->rest) != ERR_OK) {
        caller->conn.is_dead = true;
        conn_again(&caller->conn);
    }
}

/* One read: to the scratch memory when nothing waits, else behind what waits. */
static enum err
read_more(struct caller *caller)
{
    struct server *server = caller->server;
    if (buf_len(&caller->conn.in) > 0) {
        return conn_fill(&caller->conn);
    }
    CHECK(server->rest_owner == NULL);
    size_t got = 0;
    enum err err = conn_read(&caller->conn, server->scratch, sizeof(server->scratch), &got);
    if (err == ERR_OK && got > 0) {
        server->rest_owner = caller;
        server->rest = str_make(server->scratch, got);
    }
    return err;
}

static void
count_request(struct caller *caller)
{
    if (!caller->is_listed) {
        caller->is_listed = true;
        caller->server->busy_count++;
    }
}

/* The owner writes the answer; nothing more is read as a request from this connection. */
static void
refuse(struct caller *caller, const struct parser_error *error)
{
    struct parser_error told = *error;
    caller_set_state(caller, CALLER_BUSY);
    caller->bad = (struct parser_error){ 0 };
    caller->is_refused = true;
    caller->close_after = true;
    caller->deadline_ms = 0;
    count_request(caller);
    upload_end(&caller->upload, &caller->server->bodies);
    caller->server->hooks->on_bad(&caller->request, &told);
}

/* --- heads --- */

/* The head is here, `bytes` of it; how it was judged. */
static void
open_request(struct caller *caller, size_t bytes, enum err err, const struct parser_error *error)
{
    struct server_request *request = &caller->request;
    request->bytes_in = bytes;
    intake_consume(caller, bytes);
    caller->scanned = 0;
    if (err != ERR_OK) {
        refuse(caller, error);
        return;
    }
    caller_set_state(caller, CALLER_ASKED);
    caller->deadline_ms = 0;
    count_request(caller);
    caller->server->hooks->on_head(request);
}

static enum err
judge_head(struct server_request *request, struct str bytes, struct parser_error *error)
{
    struct str head = arena_dup(&request->arena, bytes);
    if (head.data == NULL) {
        *error = no_memory;
        return ERR_FULL;
    }
    return parser_request(head, &request->arena, &request->head, error);
}

/* A head that is not plain, or comes in pieces. false: more bytes are needed. */
static bool
try_pieces(struct caller *caller, struct str bytes, bool is_first)
{
    size_t head_bytes = 0;
    struct parser_error error;
    if (parser_head_end(bytes, &caller->scanned, &head_bytes, &error) != ERR_OK) {
        refuse(caller, &error);
        return true;
    }
    if (head_bytes == 0) {
        if (is_first) {
            caller_set_deadline(caller, caller->server->conf->head_timeout_ms);
        }
        return false;
    }
    enum err err = judge_head(&caller->request, str_make(bytes.data, head_bytes), &error);
    open_request(caller, head_bytes, err, &error);
    return true;
}

/* false: more bytes are needed. An empty line alone is no request yet. */
static bool
try_head(struct caller *caller, struct str bytes)
{
    struct server *server = caller->server;
    struct server_request *request = &caller->request;
    if (bytes.len == 0 || str_equal(bytes, STR("\r")) || str_equal(bytes, STR("\r\n"))) {
        return false;
    }
    bool is_first = request->started_ms == 0;
    if (is_first) {
        request->started_ms = loop_now_ms(server->loop);
        request->number = ++server->number;
        caller->served++;
        list_remove(&caller->link);
        list_push_tail(&server->active, &caller->link);
        size_t head_bytes = 0;
        struct parser_error error;
        enum err err =
            parser_request_whole(bytes, &request->arena, &request->head, &head_bytes, &error);
        if (head_bytes > 0) {
            open_request(caller, head_bytes, err, &error);
            return true;
        }
    }
    return try_pieces(caller, bytes, is_first);
}

static bool
step_head(struct caller *caller)
{
    if (caller->bad.status != 0) {
        refuse(caller, &caller->bad);
        return true;
    }
    if (try_head(caller, intake_bytes(caller))) {
        return true;
    }
    if (!caller->conn.can_read) {
        if (caller->server->is_draining && caller->served > 0 && caller->request.started_ms == 0) {
            caller_set_state(caller, CALLER_CLOSED);
        }
        return false;
    }
    intake_keep(caller);
    enum err err = read_more(caller);
    if (err != ERR_OK && err != ERR_AGAIN) {
        caller_set_state(caller, CALLER_CLOSED);
    }
    return true;
}

/* --- bodies --- */

/* Slow in two ways: nothing for body_timeout, or less than the rate on average after it. */
static void
note_progress(struct caller *caller)
{
    const struct httpconf *conf = caller->server->conf;
    uint64_t now_ms = loop_now_ms(caller->server->loop);
    uint64_t elapsed_ms = now_ms - caller->upload.started_ms;
    caller_set_deadline(caller, conf->body_timeout_ms);
    if (!caller->upload.is_whole && elapsed_ms > conf->body_timeout_ms &&
        caller->upload.wire_bytes < elapsed_ms * conf->body_rate_min / 1000) {
        caller->bad = slow_body;
    }
}

void
intake_begin_body(struct caller *caller)
{
    caller_set_deadline(caller, caller->server->conf->body_timeout_ms);
}

static void
take_input(struct caller *caller, struct str bytes)
{
    size_t used = 0;
    size_t room = 0;
    size_t before = caller->upload.body.len;
    char *place = upload_place(&caller->upload, &room);
    if (place != NULL) {
        used = bytes.len < room ? bytes.len : room;
        memcpy(place, bytes.data, used);
        upload_placed(&caller->upload, used);
    } else if (upload_feed(&caller->upload, &caller->server->bodies, bytes, &used, &caller->bad) !=
               ERR_OK) {
        return;
    }
    caller->turn_bytes += caller->upload.body.len - before;
    intake_consume(caller, used);
}

static void
read_body(struct caller *caller)
{
    size_t room = 0;
    char *place = upload_place(&caller->upload, &room);
    size_t got = 0;
    enum err err;
    if (place != NULL) {
        room = room < BODY_TURN_BYTES_MAX ? room : BODY_TURN_BYTES_MAX;
        err = conn_read(&caller->conn, place, room, &got);
        upload_placed(&caller->upload, got);
        caller->turn_bytes += got;
    } else {
        err = read_more(caller);
    }
    if (err == ERR_OK) {
        note_progress(caller);
    } else if (err == ERR_EOF) {
        caller->bad = cut_body;
    }
}

static void
finish_body(struct caller *caller)
{
    struct server_request *request = &caller->request;
    request->body = str_make(caller->upload.body.data, caller->upload.body.len);
    request->bytes_in += caller->upload.wire_bytes;
    caller_set_state(caller, CALLER_BUSY);
    caller->deadline_ms = 0;
    caller->server->hooks->on_body(request);
}

static bool
step_body(struct caller *caller)
{
    if (caller->bad.status != 0) {
        refuse(caller, &caller->bad);
        return true;
    }
    if (caller->upload.is_whole) {
        finish_body(caller);
        return true;
    }
    struct str bytes = intake_bytes(caller);
    if (bytes.len == 0 && !caller->conn.can_read) {
        return false;
    }
    if (caller->turn_bytes >= BODY_TURN_BYTES_MAX) {
        conn_again(&caller->conn);
        return false;
    }
    if (bytes.len > 0) {
        take_input(caller, bytes);
    } else {
        read_body(caller);
    }
    return true;
}

static bool
step_linger(struct caller *caller)
{
    if (!caller->conn.can_read) {
        return false;
    }
    size_t got = 0;
    char *scratch = caller->server->scratch;
    enum err err = conn_read(&caller->conn, scratch, sizeof(caller->server->scratch), &got);
    caller->linger_bytes += (uint32_t)got;
    if ((err != ERR_OK && err != ERR_AGAIN) || caller->linger_bytes > LINGER_BYTES_MAX) {
        caller_set_state(caller, CALLER_CLOSED);
    }
    return true;
}

/* true: something moved, so look again. */
bool
intake_step(struct caller *caller)
{
    switch (caller->state) {
    case CALLER_HEAD:
        return step_head(caller);
    case CALLER_BODY:
        return step_body(caller);
    case CALLER_LINGER:
        return step_linger(caller);
    case CALLER_ASKED:
    case CALLER_BUSY:
    case CALLER_SENT:
    case CALLER_CLOSED:
        break;
    }
    return false;
}
