/*
 * caller.c - see caller.h.
 */
#include "http/caller.h"

#include <sys/socket.h>

#include "base/check.h"
#include "base/sys.h"

static const struct parser_error slow_head = {
    408,
    "request_timeout",
    "The request head did not come in time.",
};
static const struct parser_error slow_body = {
    408,
    "request_timeout",
    "The request body did not come in time.",
};
static const struct parser_error too_many = {
    503,
    "overloaded",
    "The gateway has too many connections: try again.",
};
static const struct parser_error too_many_yours = {
    503,
    "overloaded",
    "There are too many connections from this address.",
};

/* --- state --- */

#define TO(name) (1u << CALLER_##name)
static const struct {
    const char *text;
    uint32_t next;
} states[] = {
#define CALLER_ROW(name, text, next) [CALLER_##name] = { text, next },
    CALLER_STATE_ROWS(CALLER_ROW)
#undef CALLER_ROW
};

void
caller_set_state(struct caller *caller, enum caller_state state)
{
    CHECK((states[caller->state].next & 1u << state) != 0);
    caller->state = state;
}

const char *
caller_state_text(enum caller_state state)
{
    return states[state].text;
}

/* Between on_head (or on_bad) and server_end. */
static bool
has_request(const struct caller *caller)
{
    return caller->state == CALLER_ASKED || caller->state == CALLER_BODY ||
           caller->state == CALLER_BUSY;
}

/* --- deadlines --- */

void
caller_set_deadline(struct caller *caller, uint64_t after_ms)
{
    struct loop *loop = caller->server->loop;
    caller->deadline_ms = loop_now_ms(loop) + after_ms;
    if (caller->timer.at_ms == 0 || caller->timer.at_ms > caller->deadline_ms) {
        loop_timer_set(loop, &caller->timer, caller->deadline_ms);
    }
}

/* Nothing of the answer may leave: a plain close would make a cut answer look whole, or wait. */
static void
reset_socket(struct caller *caller)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(caller->conn.io.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* A stall counts from the last byte that moved, or from when bytes began to wait. */
static bool
send_goes_on(struct caller *caller)
{
    uint64_t limit_ms = caller->conn.moved_ms + caller->server->conf->send_timeout_ms;
    if (limit_ms <= loop_now_ms(caller->server->loop)) {
        return false;
    }
    caller_set_deadline(caller, limit_ms - loop_now_ms(caller->server->loop));
    return true;
}

static void
stall(struct caller *caller)
{
    if (caller_pending(caller) > 0 && !send_goes_on(caller)) {
        reset_socket(caller);
        caller->conn.is_dead = true;
    }
}

static void
expire(struct caller *caller)
{
    switch (caller->state) {
    case CALLER_HEAD:
        if (caller->request.started_ms == 0) {
            caller_set_state(caller, CALLER_CLOSED);
        } else {
            caller->bad = slow_head;
        }
        break;
    case CALLER_BODY:
        caller->bad = slow_body;
        break;
    case CALLER_ASKED:
    case CALLER_BUSY:
    case CALLER_SENT:
        stall(caller);
        break;
    case CALLER_LINGER:
        caller_set_state(caller, CALLER_CLOSED);
        break;
    case CALLER_CLOSED:
        break;
    }
}

static void
on_due(struct loop_timer *timer)
{
    struct caller *caller = LIST_OWNER(timer, struct caller, timer);
    uint64_t now_ms = loop_now_ms(caller->server->loop);
    if (caller->deadline_ms == 0) {
        return;
    }
    if (caller->deadline_ms > now_ms) {
        caller_set_deadline(caller, caller->deadline_ms - now_ms);
        return;
    }
    caller->deadline_ms = 0;
    expire(caller);
    caller_run(caller);
}

/* --- output --- */

uint64_t
caller_pending(const struct caller *caller)
{
    return outlet_pending(&caller->server->outlet, &caller->conn) + caller->tail.len -
           caller->tail_sent;
}

static enum err
flush_tail(struct caller *caller)
{
    while (caller->tail_sent < caller->tail.len) {
        struct iovec part = { caller->tail.data + caller->tail_sent,
                              caller->tail.len - caller->tail_sent };
        size_t sent = 0;
        enum err err = conn_sendv(&caller->conn, &part, 1, &sent);
        if (err != ERR_OK) {
            return err;
        }
        caller->tail_sent += sent;
    }
    body_give(&caller->server->bodies, &caller->tail);
    caller->tail_sent = 0;
    return ERR_OK;
}

void
caller_flush(struct caller *caller)
{
    enum err err = outlet_flush(&caller->server->outlet, &caller->conn);
    if (err == ERR_OK) {
        err = flush_tail(caller);
    }
    if (err == ERR_OK) {
        /* The body's and the head's deadlines are not the answer's to clear. */
        if (caller->state == CALLER_BUSY || caller->state == CALLER_SENT) {
            caller->deadline_ms = 0;
        }
    } else if (err == ERR_AGAIN) {
        if (caller->deadline_ms == 0) {
            caller_set_deadline(caller, caller->server->conf->send_timeout_ms);
        }
    } else if (!caller->is_running) {
        /* The owner may be anywhere: it hears of it when the turn ends. */
        conn_again(&caller->conn);
    }
}

/* --- from one request to the next --- */

static void
wait_for_request(struct caller *caller, uint64_t limit_ms)
{
    list_remove(&caller->link);
    list_push_tail(&caller->server->idle, &caller->link);
    caller_set_deadline(caller, limit_ms);
}

static void
next_request(struct caller *caller)
{
    struct server_request *request = &caller->request;
    intake_consume(caller, (size_t)caller->skip_bytes);
    caller->skip_bytes = 0;
    struct arena arena = request->arena;
    *request = (struct server_request){ .arena = arena, .address = request->address };
    caller->is_dropping = false;
    caller->told_half = false;
    caller->was_high = false;
    caller->sent_continue = false;
    caller_set_state(caller, CALLER_HEAD);
    wait_for_request(caller, caller->server->conf->idle_timeout_ms);
}

/* Closing over unread input would reset the connection and could take the answer with it. */
static void
begin_close(struct caller *caller)
{
    const struct conn *conn = &caller->conn;
    bool is_unread = caller->is_refused || intake_bytes(caller).len > 0 || conn->can_read;
    if (!is_unread || (conn->peer_ended && !conn->can_read)) {
        caller_set_state(caller, CALLER_CLOSED);
        return;
    }
    (void)shutdown(caller->conn.io.fd, SHUT_WR);
    caller_set_state(caller, CALLER_LINGER);
    caller_set_deadline(caller, LINGER_MS_MAX);
}

/* The kernel has the whole answer. */
static void
after_answer(struct caller *caller)
{
    CHECK(caller->state == CALLER_SENT);
    if (caller->is_cut) {
        if (caller->framing == HEADING_UNTIL_CLOSE) {
            reset_socket(caller);
        }
        caller_set_state(caller, CALLER_CLOSED);
    } else if (caller->close_after) {
        begin_close(caller);
    } else {
        next_request(caller);
    }
}

void
caller_end(struct caller *caller)
{
    CHECK(has_request(caller));
    upload_end(&caller->upload, &caller->server->bodies);
    arena_reset(&caller->request.arena);
    caller->is_listed = false;
    CHECK(caller->server->busy_count > 0);
    caller->server->busy_count--;
    if (caller->conn.is_dead || !caller->request.is_begun) {
        caller_set_state(caller, CALLER_CLOSED);
    } else {
        caller_set_state(caller, CALLER_SENT);
        caller_flush(caller);
        if (!caller->conn.is_dead && caller_pending(caller) == 0) {
            after_answer(caller);
        }
    }
    if (caller->is_running) {
        return;
    }
    if (caller->state == CALLER_CLOSED) {
        caller_free(caller);
    } else if (caller->conn.can_read || intake_bytes(caller).len > 0 ||
               caller->server->is_draining) {
        conn_again(&caller->conn);
    }
}

/* --- one turn of a connection --- */

static void
tell_gone(struct caller *caller)
{
    if (!has_request(caller)) {
        if (caller->state != CALLER_CLOSED) {
            caller_set_state(caller, CALLER_CLOSED);
        }
    } else if (!caller->request.is_gone) {
        caller->request.is_gone = true;
        caller->deadline_ms = 0;
        caller->server->hooks->on_gone(&caller->request, false);
    }
}

/* While the body comes in, an end of input is the body's affair. */
static void
tell_half_gone(struct caller *caller)
{
    if ((caller->state == CALLER_ASKED || caller->state == CALLER_BUSY) &&
        caller->conn.peer_ended && !caller->told_half && !caller->request.is_gone) {
        caller->told_half = true;
        caller->server->hooks->on_gone(&caller->request, true);
    }
}

static void
tell_room(struct caller *caller)
{
    if (caller->was_high && caller->state == CALLER_BUSY && !caller->request.is_gone &&
        caller_pending(caller) < CONN_OUT_HIGH_BYTES) {
        caller->was_high = false;
        caller->server->hooks->on_room(&caller->request);
    }
}

static void
run_output(struct caller *caller)
{
    if (caller->conn.is_dead) {
        return;
    }
    if (caller->conn.can_write && caller_pending(caller) > 0) {
        caller_flush(caller);
    }
    tell_room(caller);
    if (caller->state == CALLER_SENT && !caller->conn.is_dead && caller_pending(caller) == 0) {
        after_answer(caller);
    }
}

void
caller_run(struct caller *caller)
{
    CHECK(!caller->is_running);
    CHECK(caller->server->rest_owner == NULL);
    caller->is_running = true;
    caller->turn_bytes = 0;
    run_output(caller);
    while (!caller->conn.is_dead && intake_step(caller)) {
        continue;
    }
    if (caller->conn.is_dead) {
        tell_gone(caller);
    }
    tell_half_gone(caller);
    tell_room(caller);
    intake_keep(caller);
    caller->is_running = false;
    if (caller->state == CALLER_CLOSED) {
        caller_free(caller);
    }
}

static void
on_change(struct conn *conn)
{
    caller_run(LIST_OWNER(conn, struct caller, conn));
}

/* --- begin and end of a connection --- */

bool
caller_close_idle(struct server *server)
{
    struct list *oldest = list_first(&server->idle);
    if (oldest == NULL) {
        return false;
    }
    caller_free(LIST_OWNER(oldest, struct caller, link));
    return true;
}

static struct caller *
make(struct server *server, int fd)
{
    struct caller *caller = pool_take(&server->callers);
    if (caller == NULL) {
        return NULL;
    }
    caller->server = server;
    caller->peer = PEER_NONE;
    caller->timer.on_due = on_due;
    list_init(&caller->link);
    arena_init(&caller->request.arena, REQUEST_ARENA_BYTES_MAX);
    if (conn_open(&caller->conn, server->loop, fd, CONN_IN_BYTES, CONN_OUT_BYTES_MAX, on_change) !=
        ERR_OK) {
        pool_give(&server->callers, caller);
        return NULL;
    }
    server->conn_count++;
    return caller;
}

void
caller_make(struct server *server, int fd, const struct sockaddr_storage *address)
{
    bool is_full = server->conn_count >= server->conns_max && !caller_close_idle(server);
    struct caller *caller = make(server, fd);
    if (caller == NULL) {
        sys_close(&fd);
        return;
    }
    peer_text(address, caller->address);
    caller->request.address = str_of(caller->address);
    wait_for_request(caller, server->is_draining ? DRAIN_FIRST_MS : server->conf->head_timeout_ms);
    if (is_full) {
        caller->bad = too_many;
    } else if (peer_take(server->peers, address, server->conf->conns_per_address, &caller->peer) !=
               ERR_OK) {
        caller->bad = too_many_yours;
    }
    if (caller->bad.status != 0) {
        list_remove(&caller->link);
        list_push_tail(&server->active, &caller->link);
        caller_run(caller);
    }
}

void
caller_free(struct caller *caller)
{
    struct server *server = caller->server;
    CHECK(!caller->is_running);
    CHECK(server->rest_owner != caller);
    if (caller->is_listed) {
        server->busy_count--;
    }
    list_remove(&caller->link);
    loop_timer_clear(server->loop, &caller->timer);
    outlet_drop(&server->outlet, &caller->conn);
    upload_end(&caller->upload, &server->bodies);
    body_give(&server->bodies, &caller->tail);
    arena_reset(&caller->request.arena);
    peer_give(server->peers, caller->peer);
    conn_close(&caller->conn);
    server->conn_count--;
    pool_give(&server->callers, caller);
    accept_resume(server);
}
