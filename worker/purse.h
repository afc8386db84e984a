/*
 * purse.h - who pays for a request: what it reserves before it goes out, and what is charged.
 *
 * Two budgets (shm/budget.h) stand behind a request: the key's own quota, and its payer's. The
 * payer is the plan that its user has for the group; without one, the user's balance if the user is
 * prepaid; else nobody (the operator pays). A plan that has run out does not fall back to the
 * balance: people would not notice.
 *
 * A request reserves its estimate on both or on none. `[store] budget = strict` reserves all that
 * it may cost, so that no race passes a limit; `soft` reserves next to nothing, so a budget may be
 * passed by the requests that were under way when it was used up.
 *
 * Runs in: worker. Dying here: reservations are this slot's words, cleared by slot_sweep().
 */
#ifndef WORKER_PURSE_H
#define WORKER_PURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "shm/budget.h"
#include "store/catalog.h"
#include "worker/reply.h"

struct relay;

enum purse_budget { PURSE_KEY, PURSE_PAYER };
#define PURSE_BUDGETS 2u

struct purse_hold {
    uint32_t gate;
    bool is_held;
    struct budget_amount reserved;
};

struct purse {
    struct purse_hold holds[PURSE_BUDGETS];
    uint64_t plan_id; /* which plan pays; 0 = none */
    uint8_t charged;  /* enum ledger_charged: what the cost will be taken from */
    bool is_taken;    /* admitted and not settled yet; there may be nothing to hold */
};

/* Is money of this key, its plan or its user limited? Then its models must have a price. */
bool purse_is_limited(const struct catalog_key *key);

/* Reserves the request's estimate where limits are. Another result than ERR_OK: *refusal says which
 * budget, what is used and of how much. The gates of key and user are found, and relay->minute has
 * the estimate of tokens. */
MUST_CHECK enum err
purse_take(struct relay *relay, const struct catalog_key *key, struct reply *refusal);
/* Nothing was used. */
void purse_give(struct relay *relay);
/* `actual` was used and stands in the ring record `sequence`. */
void purse_settle(struct relay *relay, struct budget_amount actual, uint64_t sequence);

#endif
