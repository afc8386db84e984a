/*
 * lease.h - one record per admitted request, in its slot's part of the table.
 *
 * It says which request holds what, and how far it is: it is `top`, the debug dump, and what a dead
 * worker's requests are billed from. What is held is counted elsewhere (gate.h, budget.h).
 *
 *   FREE -take-> HELD -settle-> FREE        HELD(slot DEAD) -orphans-> ORPHAN -billed-> FREE
 *
 * Writers: the slot's process, from take to settle; the recorder when the slot is DEAD. wanted_end
 * is a hint that admin writes. Readers copy under the record's guard (lease_read).
 *
 * Exactly one record a request: lease_settle() notes in the lease the ring sequence that its record
 * will get, pushes, and frees. If the worker dies between these, the recorder sees by the ring's
 * tail whether the record was published, and bills only when it was not. The same holds for the
 * recorder's own billing of an orphan.
 *
 * Runs in: worker (take, edit, settle), recorder (orphans), admin (read, want_end).
 */
#ifndef SHM_LEASE_H
#define SHM_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/money.h"
#include "shm/guard.h"
#include "shm/ring.h"
#include "shm/segment.h"

enum lease_state { LEASE_FREE, LEASE_HELD, LEASE_ORPHAN };

/* X(name, text): what a request is doing. */
#define LEASE_ACTION_ROWS(X)    \
    X(BODY, "reading body")     \
    X(WAITING, "waiting")       \
    X(PICKING, "picking")       \
    X(RESOLVING, "resolving")   \
    X(CONNECTING, "connecting") \
    X(HANDSHAKE, "handshake")   \
    X(SENT, "sent")             \
    X(STREAMING, "streaming")   \
    X(DRAINING, "draining")     \
    X(SETTLING, "settling")

enum lease_action {
#define LEASE_ENUM(name, text) LEASE_##name,
    LEASE_ACTION_ROWS(LEASE_ENUM)
#undef LEASE_ENUM
};
#define LEASE_ACTIONS 10u

/* X(name, text): what its session had to do with the choice of its account. */
#define LEASE_STICKY_ROWS(X) \
    X(NONE, "")              \
    X(MISS, "miss")          \
    X(HIT, "hit")            \
    X(MOVED, "moved")

/* NONE: no session is known (or no account yet). MISS: it was bound to none, and is to this one
 * from here on. HIT: it was bound to this one. MOVED: it was bound to another. */
enum lease_sticky {
#define LEASE_STICKY_ENUM(name, text) LEASE_STICKY_##name,
    LEASE_STICKY_ROWS(LEASE_STICKY_ENUM)
#undef LEASE_STICKY_ENUM
};
#define LEASE_STICKIES 4u

#define LEASE_MODEL_BYTES 96u
#define LEASE_ADDRESS_BYTES 46u
#define LEASE_NONE UINT32_MAX

/* Disjoint token buckets, as proto/usage.h has them; out includes reasoning. */
struct lease_tokens {
    uint64_t in_fresh;
    uint64_t in_cache_read;
    uint64_t in_cache_write_5m;
    uint64_t in_cache_write_1h;
    uint64_t out;
    uint64_t out_reasoning;
    uint64_t in_audio;     /* part of in_fresh */
    uint64_t in_image;     /* part of in_fresh */
    uint64_t out_audio;    /* part of out */
    uint64_t is_estimated; /* 1: the provider has not said all of them yet */
};

/*
 * What the request costs as far as is known: the prices of its admission, of the tier that holds
 * for its tokens so far. upstream/bill.h makes the costs of a record from it.
 */
struct lease_bill {
    struct money_rates rates;    /* the user's */
    struct money_rates upstream; /* of the model that was sent */
    uint32_t multiplier_ppm;     /* the user's */
    uint32_t account_ppm;        /* the account's */
    uint32_t images;             /* that will be priced one by one if no tokens are reported */
    uint8_t price_source;        /* enum price_source; 0 = no price is known */
    uint8_t tier;                /* enum price_service */
    uint8_t is_billable;         /* the endpoint's requests cost something */
    uint8_t reserved;
};

/* Plain values; texts always end with a NUL. */
struct lease_data {
    uint64_t key_id;
    uint64_t user_id;
    uint64_t group_id;
    uint64_t account_id; /* 0 = none picked yet */
    uint64_t start_ms;   /* monotonic */
    uint64_t start_wall_ms;
    uint64_t first_byte_ms; /* monotonic; 0 = none yet */
    uint64_t last_byte_ms;  /* monotonic; 0 = none yet */
    uint64_t bytes_in;      /* from the client */
    uint64_t bytes_out;     /* to the client */
    struct lease_tokens tokens;
    struct lease_bill bill;
    uint64_t reserved_tokens; /* of the key's budget */
    uint64_t reserved_nano;   /* of its payer's */
    uint64_t subscription_id; /* of the plan that pays; 0 = none */
    uint32_t gate_user;       /* gate indexes held; GATE_INDEX_NONE = not (yet) */
    uint32_t gate_key;
    uint32_t gate_group;
    uint32_t gate_account;
    uint16_t status; /* HTTP status sent to the client; 0 = none yet */
    uint8_t endpoint;
    uint8_t client_dialect;
    uint8_t upstream_dialect;
    uint8_t is_stream;
    uint8_t attempt;                 /* 0 = first */
    uint8_t charged;                 /* enum ledger_charged (store/ledger.h) */
    uint8_t sticky;                  /* enum lease_sticky */
    uint8_t claim[CLAIM_NAME_BYTES]; /* its Idempotency-Key's (claim.h); zeros = none */
    char request_id[REQUEST_ID_BYTES];
    char key_name[NAME_BYTES];
    char account_name[NAME_BYTES];
    char model[LEASE_MODEL_BYTES];      /* asked; cut when longer */
    char model_sent[LEASE_MODEL_BYTES]; /* empty = not sent yet */
    char address[LEASE_ADDRESS_BYTES];  /* the client's */
};

struct lease {
    _Atomic uint32_t state;  /* enum lease_state [slot's process; recorder when DEAD] */
    _Atomic uint32_t action; /* enum lease_action [same] */
    _Atomic uint64_t number; /* names the request in this run; rises, never 0 when HELD [same] */
    _Atomic uint64_t ring_sequence; /* of its record, +1; 0 = not pushed yet [same] */
    _Atomic uint64_t wanted_end;    /* [hint] admin: the number of the request that shall end */
    struct guard guard;             /* of `data` */
    struct lease_data data;         /* [slot's process; recorder when DEAD] */
} __attribute__((aligned(64)));

/* The process's own part: the free list. */
struct lease_local {
    struct segment *segment;
    struct lease *rows; /* of the slot, segment->leases of them */
    uint32_t row_count;
    uint32_t slot;
    uint32_t held; /* leases out */
    uint32_t free_count;
    uint32_t *free_list; /* stack of indexes */
    uint64_t last_number;
};

/* ERR_FULL: no memory. */
MUST_CHECK enum err lease_init(struct lease_local *local, struct segment *segment, uint32_t slot);
void lease_fini(struct lease_local *local);

/* `data` is copied in before the lease is HELD. ERR_FULL: all leases of this slot are out. */
MUST_CHECK enum err
lease_take(struct lease_local *local, const struct lease_data *data, uint32_t *out_index);

/*
 * Changing several fields or a text: edit gives the data to write to, done publishes. Between the
 * two, readers see nothing; nothing may fail there.
 */
struct lease_data *lease_edit(struct lease_local *local, uint32_t index);
void lease_done(struct lease_local *local, uint32_t index);

/* Its owner reads its own data without ceremony. */
const struct lease_data *lease_mine(const struct lease_local *local, uint32_t index);

/* The hot ones: one or two stores. */
void lease_set_action(struct lease_local *local, uint32_t index, enum lease_action action);
void lease_add_bytes(struct lease_local *local, uint32_t index, uint64_t in, uint64_t out,
                     uint64_t now_ms);
void lease_set_tokens(struct lease_local *local, uint32_t index, const struct lease_tokens *tokens);

/*
 * The end, exactly once: pushes the record (RING_PAYLOAD_BYTES, one reservation of `ring`) and
 * frees the lease. record NULL: nothing to write down, the reservation is given back. *out_sequence
 * (may be NULL): the record's, for budget_settle. Give gates and budget back before or after; both
 * are columns of this slot.
 */
void lease_settle(struct lease_local *local, uint32_t index, struct ring_local *ring,
                  const void *record, uint64_t *out_sequence);

/* --- readers --- */

struct lease_view {
    enum lease_state state;
    enum lease_action action;
    uint64_t number;
    bool is_ending; /* wanted_end names it */
    struct lease_data data;
};
/* ERR_GONE: free. ERR_AGAIN: was being written, ask again (never for a DEAD slot). */
MUST_CHECK enum err
lease_read(const struct segment *segment, uint32_t slot, uint32_t index, struct lease_view *out);

/* Leases not FREE in a slot's part. */
uint32_t lease_count(const struct segment *segment, uint32_t slot);

/* --- ending a request from outside --- */

/* Admin: asks the worker to end the request with this number, and pokes it. ERR_GONE: not there. */
MUST_CHECK enum err lease_want_end(struct segment *segment, uint64_t number);

/* Worker, on wake: calls fn for each lease of ours that shall end. Costs one load when none. */
typedef void (*lease_end_fn)(uint32_t index, void *context);
void lease_ends(struct lease_local *local, lease_end_fn fn, void *context);

/* --- the dead --- */

/*
 * Recorder, for a DEAD slot (or any slot of an adopted segment): for each lease whose record was
 * not published, fn fills the record (RING_PAYLOAD_BYTES, zeroed) from what the lease says and
 * returns true, or returns false when there is nothing to write down. The record goes into the
 * slot's ring. Returns how many leases were freed. ERR-free: the ring has room by ring_reserve's
 * promise; when it has none (an adopted ring that was not drained), the rest is left for the next
 * call.
 */
typedef bool (*lease_orphan_fn)(const struct lease_view *lease, void *record, void *context);
uint32_t lease_orphans(struct segment *segment, uint32_t slot, lease_orphan_fn fn, void *context);

const char *lease_action_text(enum lease_action action);
/* Also of a word that a reader found: what is no such number is "". */
const char *lease_sticky_text(uint8_t sticky);

#endif
