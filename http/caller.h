/*
 * caller.h - one client's connection and the server that it belongs to: private to server.c (what
 * the owner calls), caller.c (states, deadlines, output), intake.c (input) and accept.c.
 *
 *   HEAD -good head-> ASKED -take_body-> BODY -whole-> BUSY -end-> SENT -> HEAD | LINGER -> CLOSED
 *     \-bad head-----------------------------------------^   ASKED|BODY|BUSY -gone, end-> CLOSED
 *
 * Input comes from three places, in this order: `rest` (what is left in the server's scratch memory
 * while this caller runs), conn.in (what was left when it last ran), the kernel. So a client that
 * sends a whole request in one piece never has an input buffer.
 *
 * Only caller_run() moves a caller on and calls hooks; what the owner does from outside (take_body,
 * end) changes the state and lets caller_run come at the end of the turn. A caller is freed by
 * caller_run, or by server_end when it is not running.
 *
 * Runs in: worker, recorder.
 */
#ifndef HTTP_CALLER_H
#define HTTP_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/list.h"
#include "base/pool.h"
#include "http/body.h"
#include "http/conn.h"
#include "http/heading.h"
#include "http/httpconf.h"
#include "http/outlet.h"
#include "http/peer.h"
#include "http/server.h"
#include "http/upload.h"

/* X(name, text, states that may follow) */
#define CALLER_STATE_ROWS(X)                                                     \
    X(HEAD, "between or inside heads", TO(ASKED) | TO(BUSY) | TO(CLOSED))        \
    X(ASKED, "the owner has the head", TO(BODY) | TO(BUSY) | TO(CLOSED))         \
    X(BODY, "the body comes in", TO(BUSY) | TO(CLOSED))                          \
    X(BUSY, "the owner answers", TO(SENT) | TO(CLOSED))                          \
    X(SENT, "the answer's last bytes leave", TO(HEAD) | TO(LINGER) | TO(CLOSED)) \
    X(LINGER, "half closed, input is dropped", TO(CLOSED))                       \
    X(CLOSED, "to be freed", 0u)

enum caller_state {
#define CALLER_ENUM(name, text, next) CALLER_##name,
    CALLER_STATE_ROWS(CALLER_ENUM)
#undef CALLER_ENUM
};

struct caller {
    struct conn conn;
    struct server *server;
    struct list link;        /* in server->idle or server->active */
    struct loop_timer timer; /* one for all deadlines; may stand earlier than deadline_ms */
    uint64_t deadline_ms;    /* 0 = none */
    struct server_request request;
    struct upload upload;
    struct body tail; /* of an answer that is larger than conn.out may be */
    size_t tail_sent;
    struct parser_error bad; /* found while the owner called; status 0 = none */
    uint64_t answer_left;    /* HEADING_LENGTH: bytes still to be written */
    uint64_t turn_bytes;     /* of the body, read or expanded in this turn */
    uint64_t skip_bytes;     /* an unread body that lies whole in the input */
    size_t scanned;          /* parser_head_end's */
    uint32_t linger_bytes;
    uint32_t served; /* requests begun on this connection */
    uint32_t peer;   /* index for peer_give */
    enum caller_state state;
    enum heading_framing framing;
    bool is_running;  /* inside caller_run */
    bool is_listed;   /* its request counts in server->busy_count */
    bool is_dropping; /* HEAD request or a status without body: body bytes are dropped */
    bool is_refused;  /* bad or unwanted input: never read on */
    bool close_after; /* the owner or a rule wants the connection closed after this answer */
    bool is_cut;      /* the answer broke off */
    bool told_half;   /* on_gone(true) was called for this request */
    bool was_high;    /* on_room is owed */
    bool sent_continue;
    char address[PEER_TEXT_BYTES];
};

struct listener {
    struct loop_io io;
    struct server *server;
};

struct server {
    struct loop *loop;
    const struct httpconf *conf;
    const struct server_hooks *hooks;
    void *context;
    uint32_t conns_max;
    uint32_t conn_count;
    uint32_t busy_count;
    uint64_t number; /* of the last request */
    struct pool callers;
    struct peer_table *peers;
    struct body_pool bodies;
    struct list idle;   /* callers between requests, longest idle first */
    struct list active; /* all others */
    struct listener listeners[LISTENS_MAX];
    uint32_t listener_count;
    bool is_draining;
    bool is_paused; /* accepting stopped: out of descriptors */
    struct loop_timer pause_timer;
    struct heading_date date;
    struct caller *rest_owner; /* NULL: rest is empty */
    struct str rest;           /* in scratch */
    struct outlet outlet;
    char scratch[CONN_READ_BYTES];
};

/* Takes a fresh connection over; a count that is reached refuses it with 503. */
void caller_make(struct server *server, int fd, const struct sockaddr_storage *address);
/* Does all that can be done now; may free the caller. */
void caller_run(struct caller *caller);
/* Later deadlines only change a number: the timer finds out when it comes up. */
void caller_set_deadline(struct caller *caller, uint64_t after_ms);
/* Frees at once; no hook is called. */
void caller_free(struct caller *caller);
/* Changes the state and checks that it may. */
void caller_set_state(struct caller *caller, enum caller_state state);
const char *caller_state_text(enum caller_state state);
/* The answer is complete or cut: leaves BUSY. The caller may be freed when it is not running. */
void caller_end(struct caller *caller);
/* Sends what is pending and notes a stall. */
void caller_flush(struct caller *caller);
/* Bytes that the kernel has not taken. */
uint64_t caller_pending(const struct caller *caller);
/* Closes the connection that has been idle longest; false: none is. */
bool caller_close_idle(struct server *server);

/* One step forward with the input; true: something moved, so step again. */
bool intake_step(struct caller *caller);
/* Input that is here already, and taking it away. */
struct str intake_bytes(const struct caller *caller);
void intake_consume(struct caller *caller, size_t bytes);
/* What is left in the scratch memory when this caller stops running becomes its own. */
void intake_keep(struct caller *caller);
/* The body is awaited from now on. */
void intake_begin_body(struct caller *caller);

/* Goes on accepting when it was paused: a descriptor was given back. */
void accept_resume(struct server *server);
MUST_CHECK enum err accept_add(struct server *server, int listen_fd);
void accept_stop(struct server *server);

#endif
