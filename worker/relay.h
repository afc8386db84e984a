/*
 * relay.h - the life of one request: the spine that everything else is called from.
 *
 *   HEAD -> BODY -> ADMIT -> (WAIT) -> PICK -> ATTEMPT -> STREAM -> SETTLED
 *                                       ^---------'  a failure before the first byte: next account
 *                                            STREAM -> ATTEMPT  the same one, in another dialect
 *   any state: failure, timeout, client gone, killed -> SETTLED, exactly once, through settle.c
 *
 *   HEAD     the head is there: route, key                              relay_on_head
 *   BODY     the body is being read by http/server                      relay_on_body
 *   ADMIT    peek, rules, minute windows, quota; a lease is held        admit
 *   WAIT     for a slot of the key, user or group, or for an account    on_turn, on_deadline
 *   PICK     an account is chosen and held                              pick
 *   ATTEMPT  its provider has the request; no byte for the client yet   on_head, on_fail
 *   STREAM   the answer is being passed on (stream.c)                   on_body, on_end
 *   SETTLED  everything is given back; the struct is free               settle_relay
 *
 * What is held when: from ADMIT the lease, a ring reservation, the key's window and quota; from
 * WAIT/PICK the gates named in `held`; from PICK the account. settle_relay gives back exactly what
 * these fields say, so any state may end.
 *
 * Runs in: worker. Dying here: the lease says how far it was.
 */
#ifndef WORKER_RELAY_H
#define WORKER_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/loop.h"
#include "http/server.h"
#include "proto/endpoint.h"
#include "proto/peek.h"
#include "shm/gate.h"
#include "upstream/exchange.h"
#include "upstream/retry.h"
#include "upstream/select.h"
#include "worker/affinity.h"
#include "worker/bridge.h"
#include "worker/charge.h"
#include "worker/detour.h"
#include "worker/minute.h"
#include "worker/purse.h"
#include "worker/repeat.h"
#include "worker/reply.h"
#include "worker/stream.h"
#include "worker/worker.h"

/* X(name, text) */
#define RELAY_STATE_ROWS(X) \
    X(HEAD, "head")         \
    X(BODY, "reading body") \
    X(ADMIT, "admission")   \
    X(WAIT, "waiting")      \
    X(PICK, "picking")      \
    X(ATTEMPT, "attempt")   \
    X(STREAM, "streaming")  \
    X(SETTLED, "settled")

enum relay_state {
#define RELAY_ENUM(name, text) RELAY_##name,
    RELAY_STATE_ROWS(RELAY_ENUM)
#undef RELAY_ENUM
};

/* The gates a request passes, in this order, before it picks an account. */
enum relay_gate { RELAY_GATE_KEY, RELAY_GATE_USER, RELAY_GATE_GROUP, RELAY_GATES };

struct relay_hold {
    uint32_t gate;  /* index in the segment; GATE_INDEX_NONE = not found yet */
    uint32_t limit; /* 0 = none */
    bool is_held;
};

struct relay {
    struct worker *worker;
    struct server_request *request; /* NULL once the client was let go (draining) */
    enum relay_state state;
    char id[REQUEST_ID_BYTES];

    /* the route */
    struct endpoint_hit hit;
    const struct endpoint_row *row;
    struct str model;  /* asked; in the request's arena until the answer begins */
    bool wants_array;  /* Gemini's stream without alt=sse: one JSON array, refusals as well */
    bool wants_stream; /* the client asked for a stream */
    bool wants_sse;    /* ... in SSE framing (not as Gemini's array) */
    bool added_usage;  /* include_usage was ours: hide the chunk */

    /* who */
    struct digest digest; /* of the key, for looking it up again */
    uint64_t key_id;
    uint64_t user_id;
    uint64_t group_id;
    uint32_t group;            /* in view */
    struct catalog_view *view; /* held by reference from ADMIT on */

    /* what it holds */
    uint32_t lease;     /* LEASE_NONE = none */
    struct purse purse; /* what it reserved of its key's and its payer's budget */
    struct minute minute;
    struct relay_hold holds[RELAY_GATES];
    struct select_choice choice; /* held when has_choice; waited for when waits_bound */
    bool has_choice;
    bool is_astray; /* an account had no endpoint: those tried do not choose the dialect */

    /* waiting */
    struct gate_waiter waiter;
    enum relay_gate waits_at;   /* RELAY_GATES = for an account */
    bool waits_bound;           /* ... for the session's own, at that account's gate */
    struct list waits_link;     /* in worker->bound, while it does */
    uint64_t arrived_ns;        /* at the queue that it stands in, or at the first */
    struct loop_timer deadline; /* of a wait, a half-closed client, a drain */
    struct loop_timer ping;
    struct loop_task resume; /* goes on after a turn at a gate, outside gate.c's call */
    struct loop_task gone;   /* looks at a client that left, outside http/server's call */

    struct charge charge; /* its prices */

    /* the attempts */
    struct affinity affinity;
    struct exchange exchange;
    struct retry_decision failure; /* of the last attempt */
    uint32_t retry_after_s;        /* the provider's, of the last failure */
    uint32_t tried_count;          /* of the accounts in `tried` */
    struct peek *peek;             /* in the request's arena */

    struct bridge bridge;  /* into another dialect, when that is needed */
    struct detour detour;  /* what the held account's provider turned out not to have */
    struct repeat *repeat; /* of its Idempotency-Key; NULL = it has none */
    struct carbon *carbon; /* the copy of its answer; NULL = there is none */

    /* the answer */
    uint16_t status;       /* sent to the client; 0 = none */
    const char *code;      /* stable error code; NULL = success */
    uint64_t drained_from; /* bytes of the provider's answer when its client left */
    bool is_client_gone;
    bool is_half_gone;
    struct stream stream; /* last but one, see below */
    uint64_t tried[ATTEMPTS_MAX];
};

/* What a stream remembers of its events' text and the accounts tried come last, and are only read
 * as far as written. */
#define RELAY_ZEROED_BYTES offsetof(struct relay, stream.usage.words.before)
_Static_assert(sizeof(struct relay) - RELAY_ZEROED_BYTES < WORDS_BEFORE_BYTES + WORDS_BEHIND_BYTES +
                                                               ATTEMPTS_MAX * sizeof(uint64_t) +
                                                               2 * _Alignof(struct relay),
               "nothing but those is left as it was");
/* A larger block is cleared by another way of the C library, slower to get going. */
_Static_assert(RELAY_ZEROED_BYTES < 2048, "a relay is cleared for each request");

extern const struct server_hooks relay_server_hooks;

/* Frees the pool's object; called by settle.c only. */
void relay_free(struct relay *relay);

/* The only door between states. */
void relay_set_state(struct relay *relay, enum relay_state state);

/* Ends it with this refusal (or the dialect's error event when the answer has begun). */
void relay_refuse(struct relay *relay, const struct reply *reply);
/* Nobody waits for it any more: ends it, billed by what is known. */
void relay_abort(struct relay *relay);
/* A client that ended its side is taken for gone after [worker] half_close: sees to it that the
 * deadline, which waiting moves, comes by then. */
void relay_watch_half(struct relay *relay);
/* The admin wants it to end. */
void relay_kill(struct relay *relay);

/* stream.c tells: the answer is over. `code` NULL = success. */
void relay_finish(struct relay *relay, const char *code);

/* While its request is there. */
struct reply_to relay_reply_to(struct relay *relay);
const char *relay_state_text(enum relay_state state);

#endif
