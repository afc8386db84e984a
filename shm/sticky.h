/*
 * sticky.h - which account served a session last, so that its next turn goes there again.
 *
 * Providers keep what they read of a prompt for a while; a session that stays at its account is
 * cheaper and faster. An entry is one word: a piece of the key, the account's index (of the health
 * table) and when it expires. The key says which row of STICKY_WAYS words (one cache line) to look
 * at; in a full row the entry that would expire first gives way.
 *
 * Every word is a hint: any process may write it, with one compare-and-swap. What it says is judged
 * where it is used (does the account still exist, belong to the group, serve the model), so a lost
 * update or two entries of one session cost at most a cold cache. Two sessions whose keys agree in
 * row and tag share an entry: with full rows that is one look-up in 30 million.
 *
 * Times are monotonic milliseconds, kept in ticks of 4096 ms: an entry lives up to two ticks longer
 * than it was asked to. Ticks wrap after 49 days, when what nobody touched since may look alive for
 * as long as STICKY_TIME_MS_MAX: harmless, for the reason above.
 *
 * Runs in: worker (find, put, drop), recorder (drop_account, next). If a process dies: one word was
 * written or was not.
 */
#ifndef SHM_STICKY_H
#define SHM_STICKY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "shm/segment.h"

#define STICKY_WAYS 8u

struct sticky_row {
    _Atomic uint64_t words[STICKY_WAYS]; /* tag 28, account index 16, expiry 20 bits; 0 = free */
} __attribute__((aligned(64)));

/*
 * The session's key in this run, never 0: a keyed hash of its id within a scope. Requests of
 * different groups or gateway keys never meet, whatever ids they send. Ids of different origin are
 * different sessions though they be spelled alike.
 */
enum sticky_kind {
    STICKY_EXPLICIT, /* the client names its session */
    STICKY_RESPONSE, /* id of an answer that the next turn names */
    STICKY_OPENING,  /* how the conversation began */
};
uint64_t sticky_key(const struct segment *segment, uint64_t group_id, uint64_t key_id,
                    enum sticky_kind kind, struct str session);

/* The account's index. ERR_GONE: not bound, expired, or the table has no rows. */
MUST_CHECK enum err sticky_find(const struct segment *segment, uint64_t key, uint64_t now_ms,
                                uint32_t *out_account_index);

/* Binds, or binds anew, for time_ms (> 0, <= STICKY_TIME_MS_MAX). Writes nothing when that changes
 * little. */
void sticky_put(struct segment *segment, uint64_t key, uint32_t account_index, uint64_t now_ms,
                uint64_t time_ms);

void sticky_drop(struct segment *segment, uint64_t key);

/* All sessions of one account, or of all: UINT32_MAX. Returns how many were alive. */
uint32_t sticky_drop_account(struct segment *segment, uint32_t account_index, uint64_t now_ms);

struct sticky_view {
    uint32_t tag; /* with the row: what is known of the session */
    uint32_t row;
    uint32_t account_index;
    uint64_t left_ms; /* until it expires, to a tick */
};
/* The next entry that is alive; *cursor begins with 0. False: no more. */
bool sticky_next(const struct segment *segment, uint64_t *cursor, uint64_t now_ms,
                 struct sticky_view *out);

#endif
