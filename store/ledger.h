/*
 * ledger.h - what the recorder writes: configuration records and the record of every request.
 *
 * One writer process (the recorder; the master before it forks). Usage records arrive through the
 * rings and are committed together with the ring position they came from in one transaction, so a
 * record is in the ledger exactly once whoever dies when. Keys of usage records are a rising 64-bit
 * big-endian sequence.
 *
 * Runs in: recorder; master before fork (ledger_prepare only).
 */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/money.h"
#include "base/str.h"
#include "store/model.h"

/*
 * One finished attempt, as it lies in a ring cell and, packed (store/record.h), in the store. Fixed
 * size, no pointers.
 *
 * It explains its own bill: cost_nano is what base/money.h makes of the tokens, `rates` and
 * multiplier_ppm (record_cost() repeats it), whatever prices and multipliers are today.
 *
 * A request's last attempt (is_last) is the one that the client's answer came from; it is charged.
 * Attempts before it are there when they used tokens; they cost the operator, never the user.
 *
 * Version 1 had 512 bytes and no prices; record_read() makes one of these of both. New fields go to
 * its end: 0 must mean that they are not known.
 */
#define LEDGER_RECORD_BYTES 576u
#define LEDGER_RECORD_VERSION 2u

enum ledger_source { LEDGER_NONE, LEDGER_UPSTREAM, LEDGER_PARTIAL, LEDGER_ESTIMATED };

/* Bits of ledger_record.flags. */
enum ledger_flag {
    LEDGER_UNPRICED = 1, /* no price was known: charged nothing */
    LEDGER_CUT = 2,      /* the cost did not fit its type and stands at its greatest value */
    LEDGER_FREE = 4      /* failed without having delivered anything: the user pays nothing */
};

/* Bits of ledger_record.charged: what the cost was taken from. */
enum ledger_charged {
    LEDGER_BALANCE = 1,     /* the user's balance */
    LEDGER_KEY_QUOTA = 2,   /* the key's quota and windows */
    LEDGER_SUBSCRIPTION = 4 /* the subscription named by subscription_id */
};

/* The kinds before MONEY_MEDIA. */
struct ledger_rates {
    uint64_t pico[MONEY_KINDS - MONEY_MEDIA_KINDS];
};

struct ledger_record {
    uint32_t version; /* LEDGER_RECORD_VERSION */
    uint16_t status;  /* HTTP status the client got; 499 = it left first */
    uint8_t endpoint; /* enum endpoint */
    uint8_t source;   /* enum ledger_source */
    uint64_t key_id;
    uint64_t user_id;
    uint64_t group_id;
    uint64_t account_id; /* 0 = none was reached */
    uint64_t start_wall_ms;
    uint32_t first_byte_ms; /* since start; 0 = none */
    uint32_t duration_ms;
    uint64_t in_fresh; /* disjoint token buckets, see proto/usage.h */
    uint64_t in_cache_read;
    uint64_t in_cache_write_5m;
    uint64_t in_cache_write_1h;
    uint64_t out_total; /* includes reasoning */
    uint64_t out_reasoning;
    uint64_t bytes_in;
    uint64_t bytes_out;
    int64_t cost_nano;         /* nanodollars, to the user */
    int64_t upstream_nano;     /* to the operator: list price of what was sent, times the account's
                                  multiplier */
    struct ledger_rates rates; /* picodollars, the user's, of the tier that applied */
    uint64_t subscription_id;  /* 0 = none */
    uint32_t multiplier_ppm;   /* the user's: the group's, or the user's own */
    uint32_t account_ppm;      /* the account's, in upstream_nano */
    uint32_t images;           /* that were priced one by one */
    uint8_t is_stream;
    uint8_t client_dialect;
    uint8_t upstream_dialect;
    uint8_t attempt;      /* 0 = first */
    uint8_t is_last;      /* the attempt that answered the client */
    uint8_t flags;        /* enum ledger_flag */
    uint8_t charged;      /* enum ledger_charged */
    uint8_t tier;         /* enum price_service: the service tier that was billed */
    uint8_t price_source; /* enum price_source; with LEDGER_UNPRICED 0 */
    uint8_t requests;     /* 1: the price of a request applies */
    uint8_t reserved[2];
    char request_id[REQUEST_ID_BYTES];
    char code[ERROR_CODE_BYTES]; /* stable error code, empty = success */
    char model[96];              /* asked; cut when longer */
    char model_sent[96];
    char address[46];                /* the client's */
    uint8_t claim[CLAIM_NAME_BYTES]; /* digest of key and Idempotency-Key; zeros = none, or freed */
    uint8_t outcome;                 /* enum outcome_state, as it left the worker; 0 = none */
    uint8_t pad;
    /* By enum money_kind from MONEY_MEDIA on. Tokens are part of in_fresh, or of out_total without
     * its reasoning. */
    uint32_t media_tokens[MONEY_MEDIA_KINDS];
    uint32_t media_pico[MONEY_MEDIA_KINDS];
};

_Static_assert(sizeof(struct ledger_record) == LEDGER_RECORD_BYTES, "a ring cell's payload");

struct kv;
struct ledger;

/*
 * Before fork, in the master: makes the directory (0700), secret.key (0600) and the store when
 * missing, migrates an older layout, and closes everything again. `why` names the path and the
 * reason when it fails.
 */
MUST_CHECK enum err ledger_prepare(const char *dir, uint64_t map_bytes, char why[256]);

/* In the recorder. */
MUST_CHECK enum err ledger_open(const char *dir, uint64_t map_bytes, struct ledger **out);
void ledger_close(struct ledger *ledger);

/* --- usage records --- */

/* The position up to which this ring (named by its run id and slot) is already in the store: all
 * before it are; 0 for a ring that was never seen. */
MUST_CHECK enum err
ledger_position(struct ledger *ledger, uint64_t run_id, uint32_t slot, uint64_t *out_sequence);

/*
 * What became of a record's request with an Idempotency-Key, as a row of store/outcome.h: *out is
 * good until the next call. Asked for records whose `outcome` is not 0, inside the transaction, and
 * once more when that is tried again. ERR_GONE: nothing is known.
 */
typedef enum err (*ledger_outcome_fn)(void *context, uint32_t slot, uint64_t sequence,
                                      const struct ledger_record *record, struct str *out);

struct ledger_batch {
    uint32_t slot;
    uint64_t run_id;
    uint64_t sequence; /* of the first record; they are consecutive */
    const struct ledger_record *records;
    uint32_t count;
    ledger_outcome_fn outcome; /* NULL: none of them has one */
    void *context;
};
/* All batches and their positions in one durable transaction; totals of users, keys, groups and
 * accounts too. Records below the stored position are skipped; a gap above it is logged and
 * accepted. ERR_FULL: map or disk full, nothing was written. ERR_IO: the disk failed. */
MUST_CHECK enum err
ledger_commit(struct ledger *ledger, const struct ledger_batch *batches, uint32_t count);

/* Running totals of one object since its creation. */
struct ledger_total {
    uint64_t requests;
    uint64_t failures;
    uint64_t tokens_in; /* all input buckets */
    uint64_t tokens_out;
    int64_t cost_nano;     /* to users */
    int64_t upstream_nano; /* to the operator */
    uint64_t last_used_ms;
    int64_t balance_nano; /* of the cost, what was taken from balances */
    /* The cost by windows (base/period.h): when the last one began, and what it has. */
    uint64_t window_start_ms[PERIODS];
    uint64_t window_nano[PERIODS];
};
MUST_CHECK enum err
ledger_total(struct ledger *ledger, enum model_kind kind, uint64_t id, struct ledger_total *out);

/* Newest first, at most `count`; before_sequence 0 = from the end. Returns how many. */
MUST_CHECK enum err
ledger_recent(struct ledger *ledger, uint64_t before_sequence, struct ledger_record *out,
              uint64_t *out_sequences, uint32_t count, uint32_t *out_count);

/* Removes records started before wall_ms from the old end, at most `count` at a time, and the
 * positions of rings not heard of since then; totals stay. A record that was stored behind a
 * younger one goes when that one goes. */
MUST_CHECK enum err
ledger_prune(struct ledger *ledger, uint64_t wall_ms, uint32_t count, uint32_t *out_removed);

/* --- balances --- */

#define LEDGER_NOTE_BYTES 128u

/* One change of a user's credit, as it is stored. */
struct ledger_credit {
    uint64_t user_id;
    uint64_t wall_ms;
    int64_t amount_nano; /* negative: taken back */
    int64_t credit_nano; /* the sum after it */
    char note[LEDGER_NOTE_BYTES];
};

/*
 * Adds to (or takes from) a user's credit, writes the change down in the same transaction, and
 * makes the user a prepaid one. *user is the record afterwards. ERR_GONE: no such user; ERR_BAD
 * with ledger_why(): nothing, too much, or more taken back than there is.
 */
MUST_CHECK enum err ledger_topup(struct ledger *ledger, struct str name, int64_t amount_nano,
                                 struct str note, struct user *user);
/* A user's changes, newest first, at most `count`. */
MUST_CHECK enum err ledger_credits(struct ledger *ledger, uint64_t user_id,
                                   struct ledger_credit *out, uint32_t count, uint32_t *out_count);

/* --- configuration records --- */

/* Assigns id (unless ledger_seal did), index and created_ms, and fills in what is not given: the
 * ids of a key's user and group, the group "default" of an account. A password in the URL of an
 * account's proxy is sealed and shows as *** in the object then (store/proxy.h), in update too.
 * ERR_DENIED: the name (or the key's digest) is taken; ERR_GONE: a user or group it names does not
 * exist; ERR_FULL: as many as there may be, or no space. ledger_why() has a sentence. */
MUST_CHECK enum err ledger_create(struct ledger *ledger, enum model_kind kind, void *object);
/* The same errors. The name, an account's index and created_ms stay as they are. ERR_GONE also when
 * the object itself is not there. */
MUST_CHECK enum err ledger_update(struct ledger *ledger, enum model_kind kind, const void *object);
/* A sentence about the last failure of create or update; empty when there is none. Good until the
 * next call. */
const char *ledger_why(const struct ledger *ledger);
/* ERR_DENIED with why: something still refers to it (a user's keys, a group's keys). */
MUST_CHECK enum err
ledger_remove(struct ledger *ledger, enum model_kind kind, uint64_t id, char why[MODEL_WHY_BYTES]);
MUST_CHECK enum err
ledger_find(struct ledger *ledger, enum model_kind kind, struct str name, void *object);
/* The plan of a user for a group. ERR_GONE: none. */
MUST_CHECK enum err
ledger_find_plan(struct ledger *ledger, uint64_t user_id, uint64_t group_id, struct plan *plan);
/* Ascending ids; start with *cursor 0; ERR_EOF after the last. */
MUST_CHECK enum err
ledger_next(struct ledger *ledger, enum model_kind kind, uint64_t *cursor, void *object);

/*
 * Seals a credential into the account and sets its hint; the account is not written: create or
 * update it next. An account without an id gets one now, since the seal is bound to it. ERR_BAD:
 * empty or longer than SECRET_BYTES_MAX.
 */
MUST_CHECK enum err ledger_seal(struct ledger *ledger, struct account *account, struct str secret);

/* For what has a file of its own beside this one (pricedesk.h): the open store. */
struct kv *ledger_kv(struct ledger *ledger);

/* Frees the pages that dead readers hold; returns how many there were. After each death of a
 * process and each minute. */
uint32_t ledger_check_readers(struct ledger *ledger);

/* Nothing works here any more: another process must open the store. */
bool ledger_is_broken(const struct ledger *ledger);

/* Bytes of the data file in use and of the map; for status. */
void ledger_space(struct ledger *ledger, uint64_t *out_used_bytes, uint64_t *out_map_bytes);

#endif
