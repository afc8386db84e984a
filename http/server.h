/*
 * server.h - our side of a client: connections, requests in order, answers.
 *
 *   connection  HEAD -parsed-> ASKED -server_take_body-> BODY -whole-> BUSY -server_end-> HEAD |
 * CLOSING
 *                  \-bad head: answered here-> CLOSING        ASKED|BODY|BUSY -client gone-> GONE
 *
 * One request at a time is handed out; what is pipelined behind it stays in the kernel or in the
 * input buffer until server_end. The owner (worker/relay.c, admin/api.c) gets calls through hooks
 * and answers with server_begin / server_write / server_end, or in one go with server_answer. Heads
 * that break the rules never reach the owner: hooks.on_bad writes the answer for them.
 *
 * Memory: the head and its spans live in request->arena, the body in one block counted against the
 * process's body pool; server_release() gives both back early (a stream that has begun needs
 * neither), server_end() always does. An idle connection holds its struct only.
 *
 * Deadlines: head, body (gap and rate), idle, send stall, all from struct httpconf.
 *
 * The loop must have room for want.conns_max + SERVER_SPARE_CONNS (limits.h: connections that are
 * told 503 before they go) + the listening sockets, in descriptors and in timers.
 *
 * Hooks are called from the loop only, never from inside a function of this header.
 *
 * Runs in: worker, recorder. Process death: the kernel closes the sockets; nothing else is held.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "http/parser.h"

struct httpconf;
struct server;
struct server_request;

struct server_hooks {
    /* The head is whole and good. The owner must call server_take_body, or answer. */
    void (*on_head)(struct server_request *request);
    /* The body is whole in request->body (decompressed); also called for requests without one
     * after server_take_body. The owner answers now or later. */
    void (*on_body)(struct server_request *request);
    /* The client is gone (is_half = it only ended its side and may still read). Called at most once
     * with is_half true and at most once with false, only between on_head and server_end. After the
     * false call nothing can be written; the owner must still call server_end. */
    void (*on_gone)(struct server_request *request, bool is_half);
    /* server_pending() fell below CONN_OUT_HIGH_BYTES after having been above. */
    void (*on_room)(struct server_request *request);
    /* Refused by the server before or instead of the owner (bad head, body too large, timeout,
     * unsupported encoding): write an error answer in the right dialect with server_answer. The
     * head may be partly empty. The connection closes after it. Called instead of on_body when it
     * happens in the body. */
    void (*on_bad)(struct server_request *request, const struct parser_error *error);
};

struct server_request {
    struct parser_head head;
    struct str body;     /* empty until on_body */
    struct arena arena;  /* lives until server_release/server_end; the owner may use it */
    struct str address;  /* the client's address without port, "127.0.0.1" or "::1"; "unix" */
    uint64_t started_ms; /* first byte of the head, loop's clock */
    uint64_t bytes_in;   /* head and body as received */
    uint64_t bytes_out;
    uint64_t number; /* counts requests of this process */
    bool is_begun;   /* server_begin was called */
    bool is_gone;
    void *owner; /* the owner's; NULL at on_head */
};

struct server_want {
    struct loop *loop;
    const struct httpconf *conf;
    const struct server_hooks *hooks;
    void *context; /* server_context() */
    uint32_t conns_max;
};

MUST_CHECK enum err server_make(const struct server_want *want, struct server **out);
/* Closes everything. */
void server_free(struct server *server);
void *server_context(const struct server_request *request);

/* Accepts from this listening socket, which is the server's to close when it accepts no more.
 * ERR_FULL: too many listeners. */
MUST_CHECK enum err server_listen(struct server *server, int listen_fd);
/* No more accepts; idle connections are closed, busy ones after their answer ("Connection: close"),
 * fresh ones after their first, when it comes within DRAIN_FIRST_MS. */
void server_drain(struct server *server);
/* A drain that goes on accepting, for the hooks to refuse what comes: nobody else would take these
 * connections, and they would wait for the end. */
void server_turn_away(struct server *server);
/* The end of a drain: every head and body that is still coming in is refused with this error
 * through on_bad, before the next turn ends. A client gets the usual moment to read it
 * (LINGER_MS_MAX). */
void server_refuse_input(struct server *server, const struct parser_error *error);
uint32_t server_conns(const struct server *server);
uint32_t server_busy(const struct server *server); /* requests between on_head and server_end */

/* After on_head: read the body (sends 100 Continue when asked for), then on_body. */
void server_take_body(struct server_request *request, uint64_t bytes_max);

/*
 * Starts an answer. `fields`: whole lines "name: value\r\n" besides framing, Date and what
 * Connection says of keeping it, which are added. body_bytes: SERVER_CHUNKED = not known (HTTP/1.0
 * clients get close-delimited bytes).
 */
#define SERVER_CHUNKED UINT64_MAX
void server_begin(struct server_request *request, uint16_t status, struct str fields,
                  uint64_t body_bytes);
/* Appends body bytes (framed as needed). ERR_FULL: the client does not read (bound reached; the
 * owner stops its source at CONN_OUT_HIGH_BYTES so that this cannot happen), ERR_GONE. */
MUST_CHECK enum err server_write(struct server_request *request, struct str bytes);
/* Sends what is queued now. Call once at the end of a handler, not for every write. */
void server_flush(struct server_request *request);
/* Bytes queued for this client. */
uint32_t server_pending(const struct server_request *request);
/* Memory for a request that is held elsewhere comes out of the same pool as bodies: *counted, 0 at
 * first, becomes `bytes`. ERR_FULL: the pool is used up; fewer always fit. 0 before the end. */
MUST_CHECK enum err server_count(struct server *server, uint64_t *counted, uint64_t bytes);
/* Gives head, body and arena back; only server_write, server_flush, server_end may follow. */
void server_release(struct server_request *request);
/* The answer is complete (is_whole) or must be cut (reset the framing: close without terminator).
 * The request is not to be touched afterwards. Flushes. */
void server_end(struct server_request *request, bool is_whole);
/* begin + write + end. `body` may be of any size: what the client does not take at once is copied.
 */
void
server_answer(struct server_request *request, uint16_t status, struct str fields, struct str body);
/* The connection is closed after this answer. Before server_begin. */
void server_close_after(struct server_request *request);
/* The user id of the process at the other end (SO_PEERCRED) of a UNIX socket; ERR_GONE for TCP. */
MUST_CHECK enum err server_peer_uid(const struct server_request *request, uint32_t *out_uid);

#endif
