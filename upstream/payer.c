#include "upstream/payer.h"

/* 0 stands for "no limit" in records. */
static uint64_t
most_of(uint64_t limit)
{
    return limit == 0 ? BUDGET_UNLIMITED : limit;
}

static void
limit_windows(const uint64_t window_nano[PERIODS], struct budget_limits *limits)
{
    for (uint32_t i = 0; i < PERIODS; i++) {
        limits->most[BUDGET_WINDOWS + i] = most_of(window_nano[i]);
    }
}

void
payer_key_limits(const struct key *key, struct budget_limits *limits)
{
    limits->most[BUDGET_TOKENS] = most_of(key->quota_tokens);
    limits->most[BUDGET_MONEY] = most_of(key->quota_nano);
    limit_windows(key->window_nano, limits);
}

void
payer_plan_limits(const struct plan *plan, struct budget_limits *limits)
{
    budget_no_limits(limits);
    limit_windows(plan->window_nano, limits);
}

void
payer_user_limits(const struct user *user, struct budget_limits *limits)
{
    budget_no_limits(limits);
    if (user->is_prepaid) {
        limits->most[BUDGET_MONEY] = user->credit_nano < 0 ? 0 : (uint64_t)user->credit_nano;
    }
}

bool
payer_plan_is_over(const struct plan *plan, uint64_t wall_ms)
{
    return plan->is_disabled || (plan->expires_ms != 0 && wall_ms >= plan->expires_ms);
}
