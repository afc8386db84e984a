/* Who pays, through a real worker: what is refused, what is held meanwhile, what is charged. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/money.h"
#include "shm/budget.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
/* gpt-4o: $2.5 and $10 for a million tokens. */
#define BODY                                                                                    \
    "{\"model\":\"gpt-4o\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\",\"content\":\"h" \
    "i\"}]}"
#define ANSWER                                                                             \
    "{\"id\":\"x\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{" \
    "\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":\"stop\"}],\"usage\":{"  \
    "\"prompt_tokens\":10,\"completion_tokens\":4,\"total_tokens\":14}}"
#define COST (10 * 2500 + 4 * 10000) /* nanodollars */
/* What 100 tokens of output and some of input may cost. */
#define ESTIMATE_MIN (100 * 10000)

static struct budget_view
view_of(struct mill *mill, uint32_t gate)
{
    struct budget_view view;
    budget_read(&mill->test.segment, gate, clock_wall_ms(), &view);
    return view;
}

static void
serve(struct mill *mill)
{
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", BODY);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    cr_assert(mill_is(mill_read(mill, client, "}}"), 200, NULL), "%s", mill->answer);
    close(client);
    mill_settled(mill);
}

static void
rich_key(struct key *key)
{
    key->quota_nano = 100 * MONEY_NANO_PER_DOLLAR;
    key->window_nano[PERIOD_DAY] = 10 * MONEY_NANO_PER_DOLLAR;
}

Test(purse, holds_the_estimate_and_charges_the_cost, .timeout = 30)
{
    struct mill *mill = mill_make();
    struct ledger_record record;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", rich_key);
    mill_run(mill);
    uint32_t gate = mill_gate(mill, GATE_KEY, "k");
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", BODY);
    mill_take(mill);
    struct budget_view view = view_of(mill, gate);
    cr_expect(view.reserved.nano >= ESTIMATE_MIN && view.reserved.nano < 2 * ESTIMATE_MIN, "%lu",
              (unsigned long)view.reserved.nano);
    cr_expect_eq(view.reserved.tokens, 0, "tokens are not limited");
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, client, "}}");
    close(client);
    mill_settled(mill);
    view = view_of(mill, gate);
    cr_expect(view.reserved.nano == 0 && view.charged.nano == COST, "%lu",
              (unsigned long)view.charged.nano);
    mill_record(mill, &record);
    cr_expect(record.cost_nano == COST && record.charged == LEDGER_KEY_QUOTA);
    mill_stop(mill);
}

static void
cheap_key(struct key *key)
{
    key->window_nano[PERIOD_WEEK] = ESTIMATE_MIN + 200000;
}

Test(purse, refuses_what_might_pass_a_window_and_says_which, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", cheap_key);
    mill_run(mill);
    serve(mill);
    serve(mill);
    serve(mill); /* 195,000 nanodollars */
    const char *answer = mill_talk(mill, CHAT, "k", BODY);
    cr_expect(mill_is(answer, 412, "quota_exhausted"), "%s", answer);
    cr_expect(strstr(answer, "The week limit of this API key is used up: $0.000195 of $0.0012") !=
                  NULL,
              "%s", answer);
    cr_expect(strstr(answer, "it begins anew at ") && strstr(answer, "retry-after: "), "%s",
              answer);
    mill_stop(mill);
}

Test(purse, soft_budgets_end_with_the_request_that_passes_them, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill->confs.store.budget = STORECONF_SOFT;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_change_key(mill, "k", cheap_key);
    mill_run(mill);
    for (int i = 0; i < 1 + (ESTIMATE_MIN + 200000) / COST; i++) {
        serve(mill);
    }
    cr_expect(mill_is(mill_talk(mill, CHAT, "k", BODY), 412, "quota_exhausted"));
    mill_stop(mill);
}

static void
prepay(struct user *user)
{
    user->is_prepaid = true;
    user->credit_nano = ESTIMATE_MIN + 150000;
}

Test(purse, a_prepaid_user_pays_from_the_balance, .timeout = 30)
{
    struct mill *mill = mill_make();
    struct ledger_record record;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_user(mill, prepay);
    mill_run(mill);
    serve(mill);
    mill_record(mill, &record);
    cr_expect(record.charged == LEDGER_BALANCE && record.cost_nano == COST);
    uint32_t gate = mill_gate(mill, GATE_USER, "joe");
    /* There is no recorder here: the test is it. */
    const struct budget_stored stored = { .total = { 14, COST } };
    budget_set_settled(&mill->test.segment, gate, &stored);
    serve(mill);
    const char *answer = mill_talk(mill, CHAT, "k", BODY);
    cr_expect(mill_is(answer, 412, "quota_exhausted"), "%s", answer);
    cr_expect(strstr(answer, "The balance of user 'joe' is used up: $0.00013 of $0.00115 used") !=
                  NULL,
              "%s", answer);
    mill_stop(mill);
}

static void
small_plan(struct plan *plan)
{
    plan->window_nano[PERIOD_MONTH] = ESTIMATE_MIN + 150000;
}

static void
old_plan(struct plan *plan)
{
    plan->expires_ms = 1000;
}

Test(purse, a_plan_pays_before_the_balance_and_is_not_replaced_by_it, .timeout = 30)
{
    struct mill *mill = mill_make();
    struct ledger_record record;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_user(mill, prepay);
    mill_plan(mill, small_plan);
    mill_run(mill);
    serve(mill);
    mill_record(mill, &record);
    cr_expect(record.charged == LEDGER_SUBSCRIPTION && record.subscription_id == 1);
    /* The record is stored, and no recorder says so: what it cost counts no more. */
    serve(mill);
    serve(mill);
    const char *answer = mill_talk(mill, CHAT, "k", BODY);
    cr_expect(mill_is(answer, 412, "quota_exhausted"), "%s", answer);
    cr_expect(strstr(answer, "The month limit of plan 'pro' is used up") != NULL, "%s", answer);
    mill_stop(mill);
}

Test(purse, a_plan_that_is_over_refuses, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_plan(mill, old_plan);
    mill_run(mill);
    const char *answer = mill_talk(mill, CHAT, "k", BODY);
    cr_expect(mill_is(answer, 412, "quota_exhausted"), "%s", answer);
    cr_expect(strstr(answer, "The plan 'pro' of user 'joe' has expired") != NULL, "%s", answer);
    mill_stop(mill);
}
