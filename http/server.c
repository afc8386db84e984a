/*
 * server.c - what the owner of a server calls (server.h); what the socket brings is in caller.c.
 */
#include "http/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/num.h"
#include "http/caller.h"

/* Size line, line ends and the last chunk around one server_write. */
#define FRAMING_BYTES 64u

static struct caller *
caller_of(const struct server_request *request)
{
    return LIST_OWNER((uintptr_t)request, struct caller, request);
}

/* --- the server --- */

enum err
server_make(const struct server_want *want, struct server **out)
{
    CHECK(want->loop != NULL && want->conf != NULL && want->hooks != NULL);
    CHECK(want->conns_max > 0 && want->conns_max <= CONNS_MAX);
    *out = NULL;
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return ERR_IO;
    }
    server->loop = want->loop;
    server->conf = want->conf;
    server->hooks = want->hooks;
    server->context = want->context;
    server->conns_max = want->conns_max;
    list_init(&server->idle);
    list_init(&server->active);
    pool_init(&server->callers, sizeof(struct caller), sizeof(struct caller),
              want->conns_max + SERVER_SPARE_CONNS);
    body_pool_init(&server->bodies, want->conf->body_pool_bytes);
    enum err err = peer_table_make(want->conns_max + SERVER_SPARE_CONNS, &server->peers);
    if (err != ERR_OK) {
        server_free(server);
        return err;
    }
    *out = server;
    return ERR_OK;
}

static void
free_all(struct list *list)
{
    for (struct list *link = list_first(list); link != NULL; link = list_first(list)) {
        caller_free(LIST_OWNER(link, struct caller, link));
    }
}

void
server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    accept_stop(server);
    free_all(&server->idle);
    free_all(&server->active);
    CHECK(server->conn_count == 0);
    pool_fini(&server->callers);
    body_pool_fini(&server->bodies);
    peer_table_free(server->peers);
    free(server);
}

void *
server_context(const struct server_request *request)
{
    return caller_of(request)->server->context;
}

enum err
server_listen(struct server *server, int listen_fd)
{
    return accept_add(server, listen_fd);
}

/*
 * An idle connection may have a request that has not been read yet: it is looked at once more, and
 * closed by caller_run when there is none. A new one is given a moment for its first request: a
 * client may try again on a kept-alive connection that closes, and must not on a fresh one.
 */
void
server_turn_away(struct server *server)
{
    if (server->is_draining) {
        return;
    }
    server->is_draining = true;
    for (struct list *at = server->idle.next; at != &server->idle; at = at->next) {
        struct caller *caller = LIST_OWNER(at, struct caller, link);
        caller->conn.can_read = true;
        if (caller->served == 0) {
            caller_set_deadline(caller, DRAIN_FIRST_MS);
        }
        conn_again(&caller->conn);
    }
}

void
server_drain(struct server *server)
{
    accept_stop(server);
    server_turn_away(server);
}

void
server_refuse_input(struct server *server, const struct parser_error *error)
{
    for (struct list *at = server->active.next; at != &server->active; at = at->next) {
        struct caller *caller = LIST_OWNER(at, struct caller, link);
        bool is_coming = caller->state == CALLER_BODY ||
                         (caller->state == CALLER_HEAD && caller->request.started_ms != 0);
        if (is_coming && caller->bad.status == 0) {
            caller->bad = *error;
            conn_again(&caller->conn);
        }
    }
}

uint32_t
server_conns(const struct server *server)
{
    return server->conn_count;
}

uint32_t
server_busy(const struct server *server)
{
    return server->busy_count;
}

/* --- bodies --- */

enum err
server_count(struct server *server, uint64_t *counted, uint64_t bytes)
{
    return body_count(&server->bodies, counted, bytes);
}

static void
send_continue(struct caller *caller)
{
    struct str line = STR("HTTP/1.1 100 Continue\r\n\r\n");
    caller->sent_continue = true;
    if (outlet_put(&caller->server->outlet, &caller->conn, &line, 1) == ERR_OK) {
        caller_flush(caller);
    }
}

void
server_take_body(struct server_request *request, uint64_t bytes_max)
{
    struct caller *caller = caller_of(request);
    struct server *server = caller->server;
    CHECK(caller->state == CALLER_ASKED);
    CHECK(!request->is_begun);
    caller_set_state(caller, CALLER_BODY);
    uint64_t limit = server->conf->body_bytes_max;
    limit = bytes_max < limit ? bytes_max : limit;
    if (upload_begin(&caller->upload, &server->bodies, &request->head, limit, &caller->bad) ==
            ERR_OK &&
        !caller->upload.is_whole) {
        caller->upload.started_ms = loop_now_ms(server->loop);
        intake_begin_body(caller);
        if (request->head.expects_continue && intake_bytes(caller).len == 0) {
            send_continue(caller);
        }
    }
    if (!caller->is_running) {
        conn_again(&caller->conn);
    }
}

/* --- answers --- */

static bool
status_has_no_body(uint16_t status)
{
    return status == 204 || status == 304;
}

/* A body that was not asked for but is here already can be stepped over; any other one makes the
 * connection useless, since where the next request begins is not known yet. */
static bool
body_is_behind(struct caller *caller)
{
    const struct parser_head *head = &caller->request.head;
    if (caller->state == CALLER_BUSY) {
        return !caller->is_refused;
    }
    if (caller->state == CALLER_BODY || head->framing == PARSER_CHUNKED) {
        return false;
    }
    if (head->framing == PARSER_LENGTH && head->content_length > 0) {
        if (head->expects_continue || head->content_length > intake_bytes(caller).len) {
            return false;
        }
        caller->skip_bytes = head->content_length;
    }
    return true;
}

static void
choose_framing(struct caller *caller, uint16_t status, uint64_t body_bytes)
{
    const struct parser_head *head = &caller->request.head;
    caller->is_dropping = status_has_no_body(status) || str_equal(head->method, STR("HEAD"));
    caller->answer_left = caller->is_dropping || body_bytes == SERVER_CHUNKED ? 0 : body_bytes;
    if (status_has_no_body(status)) {
        caller->framing = HEADING_NO_BODY;
    } else if (body_bytes != SERVER_CHUNKED) {
        caller->framing = HEADING_LENGTH;
    } else {
        caller->framing = head->minor == 1 ? HEADING_CHUNKED : HEADING_UNTIL_CLOSE;
    }
}

static enum heading_connection
choose_connection(struct caller *caller)
{
    const struct server *server = caller->server;
    const struct parser_head *head = &caller->request.head;
    /* The rest of an unwanted body may yet come: closing over it takes the answer with it. */
    caller->is_refused = !body_is_behind(caller);
    bool stays = !caller->is_refused && head->keep_alive && !caller->close_after &&
                 !server->is_draining && caller->served < server->conf->requests_per_conn &&
                 caller->framing != HEADING_UNTIL_CLOSE;
    caller->close_after = !stays;
    return !stays ? HEADING_CLOSE : head->minor == 0 ? HEADING_KEEP_ALIVE : HEADING_SILENT;
}

void
server_begin(struct server_request *request, uint16_t status, struct str fields,
             uint64_t body_bytes)
{
    struct caller *caller = caller_of(request);
    struct server *server = caller->server;
    CHECK(!request->is_begun);
    CHECK(caller->state == CALLER_ASKED || caller->state == CALLER_BODY ||
          caller->state == CALLER_BUSY);
    request->is_begun = true;
    choose_framing(caller, status, body_bytes);
    struct heading heading = { status, caller->framing, choose_connection(caller), body_bytes };
    if (caller->state != CALLER_BUSY) {
        caller_set_state(caller, CALLER_BUSY);
        caller->deadline_ms = 0;
    }
    heading_date_refresh(&server->date, loop_now_ms(server->loop));
    char text[HEADING_BYTES];
    struct str parts[] = { { text, heading_text(&heading, &server->date, text) },
                           fields,
                           STR("\r\n") };
    if (outlet_put(&server->outlet, &caller->conn, parts, 3) == ERR_OK) {
        request->bytes_out += parts[0].len + fields.len + 2;
    } else {
        caller->is_cut = true;
    }
}

/* Bytes that count as body go out in the answer's framing. */
static enum err
put_body(struct caller *caller, struct str bytes)
{
    char line[NUM_TEXT_BYTES + 2];
    struct str parts[] = { { line, 0 }, bytes, { "\r\n", 0 } };
    if (caller->framing == HEADING_CHUNKED) {
        parts[0].len = num_hex(bytes.len, line);
        memcpy(line + parts[0].len, "\r\n", 2);
        parts[0].len += 2;
        parts[2].len = 2;
    }
    enum err err = outlet_put(&caller->server->outlet, &caller->conn, parts, 3);
    if (err == ERR_OK) {
        caller->request.bytes_out += parts[0].len + bytes.len + parts[2].len;
    }
    return err;
}

enum err
server_write(struct server_request *request, struct str bytes)
{
    struct caller *caller = caller_of(request);
    CHECK(request->is_begun);
    if (caller->conn.is_dead || caller->is_cut) {
        return ERR_GONE;
    }
    if (bytes.len == 0 || caller->is_dropping) {
        return ERR_OK;
    }
    if (caller_pending(caller) + bytes.len + FRAMING_BYTES > CONN_OUT_BYTES_MAX) {
        return ERR_FULL;
    }
    if (caller->framing == HEADING_LENGTH) {
        CHECK(bytes.len <= caller->answer_left);
    }
    enum err err = put_body(caller, bytes);
    if (err == ERR_OK && caller->framing == HEADING_LENGTH) {
        caller->answer_left -= bytes.len;
    }
    caller->was_high = caller->was_high || caller_pending(caller) >= CONN_OUT_HIGH_BYTES;
    return err;
}

void
server_flush(struct server_request *request)
{
    struct caller *caller = caller_of(request);
    if (caller->conn.is_dead) {
        return;
    }
    caller_flush(caller);
    if (caller->was_high && !caller->is_running && !caller->conn.is_dead &&
        caller_pending(caller) < CONN_OUT_HIGH_BYTES) {
        conn_again(&caller->conn);
    }
}

uint32_t
server_pending(const struct server_request *request)
{
    return (uint32_t)caller_pending(caller_of(request));
}

void
server_release(struct server_request *request)
{
    struct caller *caller = caller_of(request);
    CHECK(request->is_begun);
    request->head = (struct parser_head){ .minor = request->head.minor };
    request->body = (struct str){ NULL, 0 };
    arena_reset(&request->arena);
    upload_end(&caller->upload, &caller->server->bodies);
}

void
server_end(struct server_request *request, bool is_whole)
{
    struct caller *caller = caller_of(request);
    if (!is_whole || caller->answer_left > 0) {
        caller->is_cut = true;
    } else if (caller->framing == HEADING_CHUNKED && !caller->is_dropping && request->is_begun) {
        struct str last = STR("0\r\n\r\n");
        if (outlet_put(&caller->server->outlet, &caller->conn, &last, 1) != ERR_OK) {
            caller->is_cut = true;
        }
    }
    caller_end(caller);
}

/* A body larger than a connection may have waiting: what the client does not take at once is kept
 * in a block of the body pool. */
static void
put_large(struct caller *caller, struct str body)
{
    struct server *server = caller->server;
    size_t left = 0;
    enum err err = outlet_put_most(&server->outlet, &caller->conn, &body, 1, &left);
    if (err == ERR_OK && left > 0) {
        err = body_take(&server->bodies, &caller->tail, left);
    }
    if (err != ERR_OK) {
        caller->is_cut = true;
        return;
    }
    if (left > 0) {
        memcpy(caller->tail.data, body.data + body.len - left, left);
        caller->tail.len = left;
    }
    caller->request.bytes_out += body.len;
    caller->answer_left = 0;
}

void
server_answer(struct server_request *request, uint16_t status, struct str fields, struct str body)
{
    struct caller *caller = caller_of(request);
    server_begin(request, status, fields, body.len);
    if (!caller->is_dropping && body.len > 0 && !caller->is_cut) {
        put_large(caller, body);
    }
    server_end(request, true);
}

void
server_close_after(struct server_request *request)
{
    CHECK(!request->is_begun);
    caller_of(request)->close_after = true;
}

enum err
server_peer_uid(const struct server_request *request, uint32_t *out_uid)
{
    const struct caller *caller = caller_of(request);
    struct ucred who = { 0 };
    socklen_t bytes = sizeof(who);
    *out_uid = UINT32_MAX;
    if (!str_equal(request->address, STR("unix")) ||
        getsockopt(caller->conn.io.fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0) {
        return ERR_GONE;
    }
    *out_uid = who.uid;
    return ERR_OK;
}
