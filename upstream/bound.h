/*
 * bound.h - the account that a session is bound to, before all others.
 *
 * A session's request goes to the account that the session is bound to before all others, as long
 * as that one can serve. When only its slots are in use, the request may wait for one of them at
 * the account's own gate, where arrival counts as everywhere. Whoever leaves that gate, served or
 * not, wakes the pools (select_wake): a waiter in a pool that came later could not overtake it.
 *
 * A session leaves its account when that one is benched, out of its minute or of its model, slow,
 * or failing; also while it waits there (bound_judge).
 *
 * Runs in: worker. If the process dies after taking: the sweep clears the column.
 */
#ifndef UPSTREAM_BOUND_H
#define UPSTREAM_BOUND_H

#include <stdbool.h>

#include "upstream/select.h"

/*
 * The bound account and no other. OK: held, as above. FULL: it could serve but for its slots; *out
 * names it, nothing is held, and the request may wait at out->gate. Otherwise it is no use now:
 * gone, another group's, slow, or what select_judge says; *out is not set. With is_queued, others
 * who came before wait for accounts of the group: a free slot is theirs, so nothing is taken
 * (NONE).
 */
enum select_result
bound_take(const struct select_want *want, bool is_queued, struct select_choice *out);

/* Why a session leaves this account although it may serve, for people; NULL: it stays. */
const char *bound_complaint(const struct select_want *want, const struct catalog_account *account);

/* Is the bound account still worth waiting for? OK and FULL: yes. */
enum select_result bound_judge(const struct select_want *want);

#endif
