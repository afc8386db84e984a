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
#define SELECT_ROWS(X)                                \
    X(OK, "chosen")                                   \
    X(DISABLED, "disabled")                           \
    X(BROKEN, "its credential or URL cannot be used") \
    X(DIALECT, "does not speak the dialect")          \
    X(MODEL, "does not serve the model")              \
    X(TRIED, "failed for this request already")       \
    X(BENCHED, "cooling down")                        \
    X(RATE, "its requests a minute are used up")      \
    X(FULL, "all its slots are in use")               \
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
    struct str model;      /* asked */
    const uint64_t *tried; /* account ids that failed for this request */
    uint32_t tried_count;
    uint64_t now_ms;
    uint64_t arrived_ns; /* of the request, for the gates' order; 0 = overtake nobody */
};

struct select_choice {
    const struct catalog_account *account;
    uint32_t account_index; /* in view->accounts */
    uint32_t gate;          /* taken */
    bool is_probe;          /* the account is being tried after a bench */
};

/*
 * OK: *out is held until select_give(). Otherwise the most telling reason over all accounts: FULL
 * (wait: something will free up), RATE, BENCHED, TRIED, BROKEN, DISABLED, MODEL, DIALECT, NONE, in
 * this order of preference.
 */
enum select_result select_take(const struct select_want *want, struct select_choice *out);

/* Gives the account's slot back and wakes who waits for it or for one of its groups. */
void select_give(struct segment *segment, uint32_t slot, const struct catalog_view *view,
                 const struct select_choice *choice);

/* What would become of this one account now; takes nothing. */
enum select_result
select_judge(const struct select_want *want, const struct catalog_account *account);

/* Less is better, field by field. */
struct select_rank {
    uint32_t priority;
    uint32_t load;         /* percent of the limit, held and waiting */
    uint64_t last_used_ms; /* minus a head start for weight */
};
void select_weigh(const struct select_want *want, const struct catalog_account *account,
                  struct select_rank *out);
bool select_is_better(const struct select_rank *a, const struct select_rank *b);

/* Of two accounts' reasons the one that tells more, in select_take's order. */
enum select_result select_more_telling(enum select_result a, enum select_result b);

const char *select_text(enum select_result result);

#endif
