#include "upstream/payer.h"

#include <criterion/criterion.h>

Test(payer, limits_of_a_key_are_its_quotas)
{
    struct key key = { .quota_tokens = 7, .quota_nano = 8 };
    struct budget_limits limits;
    key.window_nano[PERIOD_WEEK] = 9;
    payer_key_limits(&key, &limits);
    cr_expect(limits.most[BUDGET_TOKENS] == 7 && limits.most[BUDGET_MONEY] == 8);
    cr_expect(limits.most[BUDGET_WINDOWS + PERIOD_WEEK] == 9);
    cr_expect(limits.most[BUDGET_WINDOWS + PERIOD_5H] == BUDGET_UNLIMITED);
    cr_expect(limits.most[BUDGET_WINDOWS + PERIOD_DAY] == BUDGET_UNLIMITED);
    cr_expect(limits.most[BUDGET_WINDOWS + PERIOD_MONTH] == BUDGET_UNLIMITED);
    memset(&key, 0, sizeof key);
    payer_key_limits(&key, &limits);
    cr_expect(!budget_is_limited(&limits));
}

Test(payer, only_a_prepaid_user_has_a_balance_and_it_may_be_nothing)
{
    struct user user = { .credit_nano = 5 };
    struct budget_limits limits;
    payer_user_limits(&user, &limits);
    cr_expect(!budget_is_limited(&limits));
    user.is_prepaid = true;
    payer_user_limits(&user, &limits);
    cr_expect(limits.most[BUDGET_MONEY] == 5);
    user.credit_nano = 0;
    payer_user_limits(&user, &limits);
    cr_expect(limits.most[BUDGET_MONEY] == 0);
}

Test(payer, a_plan_is_over_when_its_time_or_an_operator_says_so)
{
    struct plan plan = { .expires_ms = 1000 };
    struct budget_limits limits;
    plan.window_nano[PERIOD_DAY] = 3;
    payer_plan_limits(&plan, &limits);
    cr_expect(limits.most[BUDGET_WINDOWS + PERIOD_DAY] == 3);
    cr_expect(limits.most[BUDGET_MONEY] == BUDGET_UNLIMITED);
    cr_expect(!payer_plan_is_over(&plan, 999) && payer_plan_is_over(&plan, 1000));
    plan.expires_ms = 0;
    cr_expect(!payer_plan_is_over(&plan, UINT64_MAX));
    plan.is_disabled = true;
    cr_expect(payer_plan_is_over(&plan, 1));
}
