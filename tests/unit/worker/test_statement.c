/* What a key's holder reads about it at /v1/usage, through a real worker. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/money.h"
#include "tests/unit/worker/mill.h"

#define KEY "Authorization: Bearer k\r\n"

static bool
has(const char *answer, const char *text)
{
    return strstr(answer, text) != NULL;
}

#define HAS(answer, text) cr_expect(has(answer, text), "no %s in %s", text, answer)

/* What a recorder would have stored of this key so far. */
static void
store_usage(const struct mill *mill)
{
    struct ledger *ledger = NULL;
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .status = 200,
                                    .key_id = 1,
                                    .user_id = 1,
                                    .subscription_id = 1,
                                    .charged = LEDGER_BALANCE,
                                    .start_wall_ms = clock_wall_ms(),
                                    .in_fresh = 10,
                                    .out_total = 5,
                                    .cost_nano = 250000000,
                                    .is_last = 1 };
    struct ledger_batch batch = { 1, 77, 0, &record, 1, NULL, NULL };
    cr_assert_eq(ledger_open(mill->confs.store.dir, mill->confs.store.map_bytes, &ledger), ERR_OK);
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
    ledger_close(ledger);
}

static void
limit_key(struct key *key)
{
    key->quota_nano = 2 * MONEY_NANO_PER_DOLLAR;
    key->window_nano[PERIOD_WEEK] = MONEY_NANO_PER_DOLLAR;
    key->quota_tokens = 1000;
    key->expires_ms = clock_wall_ms() + 10ull * 24 * 3600 * 1000 + 5000;
}

Test(statement, tells_quota_windows_tokens_and_expiry, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", limit_key);
    store_usage(mill);
    mill_run(mill);
    const char *answer = mill_ask(mill, "GET", "/v1/usage", KEY);
    cr_assert(mill_is(answer, 200, NULL), "%s", answer);
    HAS(answer, "\"mode\":\"quota_limited\"");
    HAS(answer, "\"quota\":{\"limit\":2,\"used\":0.25,\"reserved\":0,\"remaining\":1.75,");
    HAS(answer,
        "{\"window\":\"week\",\"limit\":1,\"used\":0.25,\"reserved\":0,\"remaining\":0.75,");
    HAS(answer, "\"tokens\":{\"limit\":1000,\"used\":15,\"remaining\":985}");
    HAS(answer, "\"days_until_expiry\":10");
    HAS(answer, "\"total\":{\"requests\":1,\"input_tokens\":10,\"output_tokens\":5,\"cost\":0.25}");
    cr_expect(!has(answer, "\"window\":\"day\"") && !has(answer, "balance"), "%s", answer);
    cr_expect(mill_is(mill_ask(mill, "GET", "/usage", ""), 401, "missing_api_key"));
    cr_expect(mill_is(mill_ask(mill, "POST", "/v1/usage", KEY), 405, "method_not_allowed"));
    mill_stop(mill);
}

static void
prepay(struct user *user)
{
    user->is_prepaid = true;
    user->credit_nano = MONEY_NANO_PER_DOLLAR;
}

Test(statement, tells_the_balance, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_user(mill, prepay);
    store_usage(mill);
    mill_run(mill);
    const char *answer = mill_ask(mill, "GET", "/v1/usage", KEY);
    HAS(answer, "\"balance\":0.75,\"remaining\":0.75");
    HAS(answer, "\"quota\":{\"limit\":null,\"used\":0.25,");
    mill_stop(mill);
}

static void
make_plan(struct plan *plan)
{
    plan->window_nano[PERIOD_DAY] = 5 * MONEY_NANO_PER_DOLLAR;
}

Test(statement, tells_the_plan, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_plan(mill, make_plan);
    store_usage(mill);
    mill_run(mill);
    const char *answer = mill_ask(mill, "GET", "/v1/usage", KEY);
    HAS(answer, "\"planName\":\"pro\"");
    HAS(answer, "\"active\":true");
    HAS(answer, "{\"window\":\"day\",\"limit\":5,\"used\":0.25,");
    mill_stop(mill);
}

Test(statement, of_a_key_without_limits_has_what_it_used, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    const char *answer = mill_ask(mill, "GET", "/v1/usage", KEY);
    HAS(answer, "\"mode\":\"unrestricted\"");
    HAS(answer, "\"rate_limits\":[]");
    HAS(answer, "\"today\":{\"cost\":0}");
    mill_stop(mill);
}
