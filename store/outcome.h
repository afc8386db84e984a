/*
 * outcome.h - what became of a request with an Idempotency-Key: kept for whoever asks again.
 *
 * A row says when, under which request id and with which status a request was served and what was
 * asked (a digest), and has the answer itself where it is kept: fields of its head and its body.
 * Where it is not, `state` says why; the row stands all the same, since what it is there for is
 * that nobody is billed twice.
 *
 * An outcome is written in the transaction that writes the record of its bill: there is never one
 * without the other (journal.c). A younger one of the same name takes the place of an older one,
 * which somebody took for expired. A second table has them by age, for removing them: at most so
 * many at a time. Their bytes are counted; beyond OUTCOMES_BYTES_MAX, or OUTCOMES_TURN_BYTES_MAX in
 * one transaction, a row is stored without its answer.
 *
 * Runs in: recorder (put, sweep), worker (read), master before it forks (put). Dying here: the
 * transaction is there or is not.
 */
#ifndef STORE_OUTCOME_H
#define STORE_OUTCOME_H

#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "store/kv.h"

/* X(name, text): what a client is told who asks again. */
#define OUTCOME_STATE_ROWS(X)                              \
    X(NONE, "")                                            \
    X(KEPT, "")                                            \
    X(STREAM, "it was streamed, and streams are not kept") \
    X(LARGE, "its answer was too large to be kept")        \
    X(CUT, "its answer did not come through whole")        \
    X(DIED, "the process that served it died")             \
    X(CROWDED, "there was no room to keep its answer")

enum outcome_state {
#define OUTCOME_ENUM(name, text) OUTCOME_##name,
    OUTCOME_STATE_ROWS(OUTCOME_ENUM)
#undef OUTCOME_ENUM
};
#define OUTCOME_STATES 7u

struct outcome {
    enum outcome_state state;
    uint16_t status;     /* HTTP, of the answer */
    uint64_t wall_ms;    /* when it was over */
    struct digest print; /* of what was asked */
    char request_id[REQUEST_ID_BYTES];
    struct str fields; /* lines of the answer's head, each with its CRLF; KEPT only */
    struct str body;   /* KEPT only */
};

#define OUTCOME_HEAD_BYTES 96u

/* The row's bytes: this head, the fields, the body. */
void outcome_head(const struct outcome *outcome, uint8_t out[OUTCOME_HEAD_BYTES]);
/* ERR_BAD: not a row of ours. `out` points into value. */
MUST_CHECK enum err outcome_read(struct str value, struct outcome *out);
const char *outcome_text(enum outcome_state state);

/* Room that one transaction has for answers. */
struct outcome_room {
    uint64_t bytes;
};
void outcome_room_begin(struct outcome_room *room);

/* `value` is a row's bytes. ERR_BAD: it is none. */
MUST_CHECK enum err outcome_put(struct kv_txn *txn, const uint8_t name[CLAIM_NAME_BYTES],
                                struct str value, struct outcome_room *room);
/* The row's bytes, good until the transaction ends. ERR_GONE: none. */
MUST_CHECK enum err
outcome_get(struct kv_txn *txn, const uint8_t name[CLAIM_NAME_BYTES], struct str *out);

/* Removes what is older than wall_ms, at most `count`. *out_removed: how many. */
MUST_CHECK enum err
outcome_sweep(struct kv *kv, uint64_t wall_ms, uint32_t count, uint32_t *out_removed);

#endif
