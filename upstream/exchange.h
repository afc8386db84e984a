/*
 * exchange.h - one attempt: one request to one account, from a connection to the end of its answer.
 *
 *   IDLE -exchange_start-> RESOLVE -> CONNECT -> SEND -> HEAD -> BODY -> DONE
 *           \- pooled connection -----------------^        any -> FAILED
 *
 * A kept-alive connection that dies before a byte of the answer came is replaced by a new one once,
 * inside the same attempt. Each phase has its own deadline ([upstream] resolve, connect, handshake,
 * first_byte, idle). Each connect asks route.h where to and whether it may; the next address of a
 * name is tried when one refuses.
 *
 * Cold TLS handshakes cost milliseconds of CPU: at most REACH_COLD_MAX at a time in one process,
 * the others wait for the session that the first one brings, but never longer than COLD_WAIT_MS:
 * one account's silent provider must not keep the others from theirs.
 *
 * Runs in: worker, keeper. Owner: the request (embedded). Hooks are never called from inside
 * exchange_start or exchange_stop. Dying here: sockets close; the lease tells the recorder the
 * rest.
 */
#ifndef UPSTREAM_EXCHANGE_H
#define UPSTREAM_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "http/client.h"
#include "upstream/reach.h"
#include "upstream/route.h"
#include "upstream/target.h"

/* X(name, text) */
#define EXCHANGE_PHASE_ROWS(X)            \
    X(IDLE, "idle")                       \
    X(RESOLVE, "resolving")               \
    X(CONNECT, "connecting")              \
    X(SEND, "sending")                    \
    X(HEAD, "waiting for the first byte") \
    X(BODY, "streaming")                  \
    X(DONE, "done")                       \
    X(FAILED, "failed")

enum exchange_phase {
#define EXCHANGE_ENUM(name, text) EXCHANGE_##name,
    EXCHANGE_PHASE_ROWS(EXCHANGE_ENUM)
#undef EXCHANGE_ENUM
};

struct exchange;

struct exchange_failure {
    enum exchange_phase phase; /* in which it happened */
    enum err err;              /* TIMEOUT, REFUSED, GONE, EOF, BAD, DENIED, FULL, IO */
    const char *why; /* for a person: "connect: Connection refused"; lives in the exchange */
};

struct exchange_hooks {
    /* An answer's final head; the spans live until the end or exchange_stop. */
    void (*on_head)(struct exchange *exchange, const struct parser_head *head);
    void (*on_body)(struct exchange *exchange, struct str bytes);
    void (*on_turn)(struct exchange *exchange); /* flush now */
    void (*on_end)(struct exchange *exchange);
    void (*on_fail)(struct exchange *exchange, const struct exchange_failure *failure);
    void (*on_phase)(struct exchange *exchange); /* exchange->phase moved; may be NULL */
};

struct exchange {
    struct reach *reach;
    const struct target *target;
    const struct exchange_hooks *hooks;
    struct client *client;
    enum exchange_phase phase;
    bool is_reused;    /* on a kept-alive connection */
    bool has_retried;  /* a dead kept-alive connection was replaced */
    bool is_cold;      /* counted in reach->cold_count */
    bool has_extended; /* the connect deadline was extended by the handshake's */
    bool of_head;
    bool got_byte; /* of the answer */
    uint32_t address_index;
    uint32_t piece_count;
    struct str pieces[CLIENT_PIECES_MAX];
    struct loop_timer timer;
    struct loop_task task; /* puts a result off to the end of the turn */
    enum err task_err;
    uint32_t first_byte_ms_max; /* deadline of this request; 0 = the configured one */
    uint64_t started_ms;
    uint64_t head_ms;          /* when the answer's head came; 0 = not yet */
    char why[ROUTE_WHY_BYTES]; /* the state's text and the client's reason */
};

void
exchange_init(struct exchange *exchange, struct reach *reach, const struct exchange_hooks *hooks);

/*
 * Sends `pieces` (head and body; they must live until the exchange ended or was stopped) to the
 * target. In phase IDLE, DONE or FAILED only. A result always comes through the hooks, later.
 */
void exchange_start(struct exchange *exchange, const struct target *target,
                    const struct str *pieces, uint32_t piece_count, bool of_head);

/* Ends it now, whatever it does; the connection is closed unless the answer was whole. No hook is
 * called any more. Fine to call in any phase, also from inside a hook. */
void exchange_stop(struct exchange *exchange);

/* The pieces go away while the answer is still wanted: a dead kept-alive connection is not replaced
 * any more. Only when exchange_is_sent(), or when the answer's head has come. */
void exchange_forget(struct exchange *exchange);

/* Back-pressure: stop and go on reading. */
void exchange_pause(struct exchange *exchange, bool paused);

/* Has the kernel all bytes of the request? Then its pieces are not needed any more. */
bool exchange_is_sent(const struct exchange *exchange);

bool exchange_is_running(const struct exchange *exchange);
const char *exchange_phase_text(enum exchange_phase phase);

#endif
