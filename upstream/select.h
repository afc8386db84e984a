/*
 * select.h - which account serves a request, and why not the others.
 *
 * Of the group's accounts, those are candidates that are enabled, speak the dialect, serve the
 * model (after mapping), were not tried by this request, and are healthy. Among them: lowest
 * priority number, then lowest load ((held + waiting) * 100 / limit), then least recently used with
 * weights. The best one whose gate can be taken is taken, all in one call: what comes back is held.
 *
 * Runs in: worker; admin (a dry run for `explain`). Writes only its own gate column and health's
 * hints. If the process dies after taking: the sweep clears the column.
 */
#ifndef UPSTREAM_SELECT_H
#define UPSTREAM_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/str.h"
#include "proto/dialect.h"
#include "shm/gate.h"
#include "shm/segment.h"
#include "store/catalog.h"

/* X(name, text): what became of one account, or of the whole choice. */
#define SELECT_ROWS(X)                                                          \
    X(OK, "chosen")                                                             \
    X(DISABLED, "disabled")                                                     \
    X(BROKEN, "its credential or URL cannot be used")                           \
    X(DIALECT, "does not speak the dialect")                                    \
    X(ENDPOINT, "its provider does not have the dialect's endpoint")            \
    X(MODEL, "does not serve the model")                                        \
    X(TRIED, "failed for this request already")                                 \
    X(BENCHED, "cooling down")                                                  \
    X(STOPPED, "its credential was refused again and again, until it is reset") \
    X(MODEL_COOLING, "cooling down for this model")                             \
    X(MODEL_MISSING, "its provider does not have the model")                    \
    X(RATE, "its minute is used up")                                            \
    X(FULL, "all its slots are in use")                                         \
    X(NONE, "the group has no account")

enum select_result {
#define SELECT_ENUM(name, text) SELECT_##name,
    SELECT_ROWS(SELECT_ENUM)
#undef SELECT_ENUM
};

struct select_want {
    struct segment *segment;
    uint32_t slot;
    const struct catalog_view *view;
    uint32_t group;        /* index into view->groups */
    enum dialect dialect;  /* the account must speak it */
    bool is_side;          /* not for the dialect's own endpoint, of which alone lacks are known */
    struct str model;      /* asked */
    const uint64_t *tried; /* account ids that failed for this request */
    uint32_t tried_count;
    bool skips_tried; /* for select_speaks: what those speak does not count */
    uint64_t now_ms;
    uint64_t arrived_ns;  /* of the request, for the gates' order; 0 = overtake nobody */
    uint64_t bound;       /* id of the account that the session is bound to; 0 = none */
    uint64_t tokens;      /* that the request may use, an estimate: accounts limit them too */
    uint32_t slow_ms;     /* a session leaves an account whose first byte takes longer; 0 = never */
    uint32_t failing_ppm; /* ... and one of whose answers more fail; 0 = never */
};

struct select_choice {
    const struct catalog_account *account;
    uint32_t account_index; /* in view->accounts */
    uint32_t gate;          /* taken */
    bool is_probe;          /* the account is being tried after a bench */
    uint64_t reserved;      /* tokens of the account's minute, while held */
    uint64_t counted_ms;    /* when */
};

/* This one account, by its place in the view, if its gate, its minute and its bench let it. OK:
 * held, as by select_take. */
enum select_result
select_take_account(const struct select_want *want, uint32_t index, struct select_choice *out);

/*
 * OK: *out is held until select_give(). Otherwise the most telling reason over all accounts: FULL
 * (wait: something will free up), RATE, BENCHED, MODEL_COOLING, MODEL_MISSING, TRIED, BROKEN,
 * STOPPED, DISABLED, MODEL, ENDPOINT, DIALECT, NONE, in this order of preference.
 */
enum select_result select_take(const struct select_want *want, struct select_choice *out);

/*
 * The turn at the bound account's gate came: out->gate is held. OK: it is as if bound_take had
 * taken it. Otherwise the account does not serve any more, and the slot was given back.
 */
enum select_result select_enter(const struct select_want *want, struct select_choice *out);

/* As if it had not been taken, by any of the above. Wakes as select_give does. */
void select_undo(const struct select_want *want, struct select_choice *choice);

/* A waiter of the account's own gate was served or has left: those in the pools of its groups who
 * came later may have been refused because of it. */
void select_wake(struct segment *segment, const struct catalog_view *view,
                 const struct select_choice *choice);

/* What the held account's request used, in place of what it had reserved. */
void select_settle(struct segment *segment, uint32_t slot, struct select_choice *choice,
                   uint64_t used, uint64_t now_ms);

/* Gives the account's slot back, and what is still reserved, and wakes who waits for it or for one
 * of its groups. */
void select_give(struct segment *segment, uint32_t slot, const struct catalog_view *view,
                 const struct select_choice *choice);

/* What would become of this one account now; takes nothing. */
enum select_result
select_judge(const struct select_want *want, const struct catalog_account *account);

/*
 * Milliseconds until the first of the group's accounts that could serve comes out of its bench or
 * its minute; the accounts that this request tried count too. 0: one can be had now, or none ever.
 */
uint64_t select_wait_ms(const struct select_want *want);

/* Is there an account of the group (with skips_tried: one not tried) that speaks the dialect, at a
 * provider that has its endpoint as far as is known, and serves the model, whatever its health and
 * load? with_disabled: also one that is out of service for the time being. */
bool select_speaks(const struct select_want *want, bool with_disabled);

/* Is there an account of the group, other than those tried, that could take the request now or
 * when it has waited? */
bool select_has_other(const struct select_want *want);

/* Do all accounts that cool down do so because a limit of their provider was reached? */
bool select_is_limited(const struct select_want *want);

/* Field by field: less is better, of `idle` more. */
struct select_rank {
    uint32_t priority;
    uint32_t load; /* percent of the limit, held and waiting */
    uint64_t idle; /* since its last use, times its weight: who is used w times as often is w times
                    * as soon due again */
};
void select_weigh(const struct select_want *want, const struct catalog_account *account,
                  struct select_rank *out);
bool select_is_better(const struct select_rank *a, const struct select_rank *b);

/* Of two accounts' reasons the one that tells more, in select_take's order. */
enum select_result select_more_telling(enum select_result a, enum select_result b);

const char *select_text(enum select_result result);

#endif
