/*
 * payer.h - the limits of budgets, as records of keys, users and plans say them.
 *
 * The same limits admit a request (worker/purse), explain a refusal and show what is left.
 *
 * Pure. Runs in: worker, recorder.
 */
#ifndef UPSTREAM_PAYER_H
#define UPSTREAM_PAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/budget.h"
#include "store/model.h"

/* Quotas of the key itself. */
void payer_key_limits(const struct key *key, struct budget_limits *limits);
/* The windows of a plan. */
void payer_plan_limits(const struct plan *plan, struct budget_limits *limits);
/* The credit of a prepaid user; none of another. */
void payer_user_limits(const struct user *user, struct budget_limits *limits);

/* Has it ended, by time or by an operator? A plan that has ended pays nothing and is not replaced
 * by the balance: people would not notice. */
bool payer_plan_is_over(const struct plan *plan, uint64_t wall_ms);

#endif
