/* Which prices a request has, and what it is charged: to the nanodollar. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/money.h"
#include "shm/version.h"
#include "store/pricedesk.h"
#include "store/record.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define ASK(more) "{\"model\":\"m\"" more ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define USAGE(in, cached, out)                                         \
    "\"usage\":{\"prompt_tokens\":" #in ",\"completion_tokens\":" #out \
    ",\"prompt_tokens_details\":{\"cached_tokens\":" #cached "}}"
#define ANSWER "{\"choices\":[]," USAGE(100, 60, 40) "}"

/* 40 fresh at $2, 60 cached at $1, 40 out at $8, a million each: 80 + 60 + 320 microdollars */
#define PLAIN_PRICE                                                                      \
    "{\"input_cost_per_token\": 2e-6, \"cache_read_input_token_cost\": 1e-6,"            \
    "\"output_cost_per_token\": 8e-6, \"input_cost_per_token_above_200k_tokens\": 4e-6," \
    "\"output_cost_per_token_above_200k_tokens\": 12e-6,"                                \
    "\"input_cost_per_token_flex\": 1e-6, \"output_cost_per_token_flex\": 4e-6}"
#define PLAIN_COST 460000

static void
set_price(struct mill *mill, const char *model, const char *row)
{
    struct ledger *ledger = NULL;
    struct json_value value;
    static struct price price;
    char why[PRICE_WHY_BYTES];
    cr_assert(ledger_open(mill->confs.store.dir, mill->confs.store.map_bytes, &ledger) == ERR_OK);
    cr_assert(json_read(str_of(row), &value, NULL) == ERR_OK);
    cr_assert(price_read(str_of(model), value, &price, why) == ERR_OK, "%s", why);
    cr_assert(pricedesk_set(ledger, &price) == ERR_OK);
    ledger_close(ledger);
}

static void
be_mapped(struct account *account)
{
    snprintf(account->model_map, sizeof account->model_map, "m=sent");
    account->multiplier_ppm = 500000;
}

static void
cost_half_more(struct group *group)
{
    group->multiplier_ppm = 1500000;
}

static void
cost_a_third(struct user *user)
{
    user->multiplier_ppm = 333333;
}

static void
be_budgeted(struct key *key)
{
    key->quota_nano = 5000000000;
}

static struct mill *
make(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", be_mapped);
    mill_key(mill, "k", NULL);
    mill_key(mill, "budgeted", be_budgeted);
    return mill;
}

static void
ask(struct mill *mill, const char *path, const char *key, const char *body, const char *status,
    const char *answer, struct ledger_record *out)
{
    int client = mill_connect(mill);
    mill_post(client, path, key, body);
    mill_take(mill);
    mill_answer(mill, status, "application/json", answer);
    mill_read(mill, client, "}");
    close(client);
    mill_record(mill, out);
    cr_expect_eq(record_cost(out), out->cost_nano, "a record repeats its own bill");
}

Test(charge, is_the_price_of_what_was_asked_for_times_the_multiplier)
{
    struct mill *mill = make();
    struct ledger_record record;
    set_price(mill, "m", PLAIN_PRICE);
    set_price(mill, "sent", "{\"input_cost_per_token\": 1e-6, \"output_cost_per_token\": 1e-6}");
    mill_run(mill);
    ask(mill, CHAT, "k", ASK(""), "200 OK", ANSWER, &record);
    cr_expect_eq(record.cost_nano, PLAIN_COST);
    cr_expect_eq(record.upstream_nano, 70000, "140 tokens at half of $1 a million: %ld",
                 record.upstream_nano);
    cr_expect(record.price_source == PRICE_OWN && record.flags == 0);
    cr_expect_eq(record.rates.pico[MONEY_IN_CACHE_READ], 1000000);
    cr_expect(record.multiplier_ppm == MONEY_PPM_ONE && record.account_ppm == 500000);
    mill_group(mill, cost_half_more);
    ask(mill, CHAT, "k", ASK(""), "200 OK", ANSWER, &record);
    cr_expect_eq(record.cost_nano, PLAIN_COST * 3 / 2);
    mill_user(mill, cost_a_third);
    ask(mill, CHAT, "k", ASK(""), "200 OK", ANSWER, &record);
    cr_expect_eq(record.cost_nano, 153333, "rounded once: %ld", record.cost_nano);
    cr_expect_eq(record.upstream_nano, 70000);
    mill_stop(mill);
}

Test(charge, takes_the_tier_that_the_answer_proves)
{
    struct mill *mill = make();
    struct ledger_record record;
    set_price(mill, "m", PLAIN_PRICE);
    mill_run(mill);
    ask(mill, CHAT, "k", ASK(""), "200 OK", "{\"choices\":[]," USAGE(200001, 0, 1) "}", &record);
    cr_expect_eq(record.cost_nano, 200001 * 4000 + 12000, "all of it: %ld", record.cost_nano);
    ask(mill, CHAT, "k", ASK(""), "200 OK", "{\"choices\":[]," USAGE(200000, 0, 1) "}", &record);
    cr_expect_eq(record.cost_nano, 200000 * 2000 + 8000);
    ask(mill, CHAT, "k", ASK(",\"service_tier\":\"flex\""), "200 OK", ANSWER, &record);
    cr_expect(record.cost_nano == PLAIN_COST / 2 && record.tier == PRICE_FLEX, "%ld",
              record.cost_nano);
    ask(mill, CHAT, "k", ASK(",\"service_tier\":\"flex\""), "200 OK",
        "{\"service_tier\":\"default\",\"choices\":[]," USAGE(100, 60, 40) "}", &record);
    cr_expect(record.cost_nano == PLAIN_COST && record.tier == PRICE_STANDARD);
    mill_stop(mill);
}

Test(charge, keeps_the_price_of_the_admission)
{
    struct mill *mill = make();
    struct ledger_record record;
    set_price(mill, "m", PLAIN_PRICE);
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", ASK(""));
    mill_take(mill);
    set_price(mill, "m", "{\"input_cost_per_token\": 1, \"output_cost_per_token\": 1}");
    version_bump_catalog(&mill->test.segment);
    mill_ask(mill, "GET", "/v1/models", "Authorization: Bearer k\r\n");
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, client, "}");
    close(client);
    mill_record(mill, &record);
    cr_expect_eq(record.cost_nano, PLAIN_COST, "%ld", record.cost_nano);
    ask(mill, CHAT, "k", ASK(""), "200 OK", ANSWER, &record);
    cr_expect_eq(record.cost_nano, 140 * 1000000000ll);
    mill_stop(mill);
}

Test(charge, is_nothing_for_what_delivered_nothing)
{
    struct mill *mill = make();
    struct ledger_record record;
    set_price(mill, "m",
              "{\"input_cost_per_token\": 1e-6, \"output_cost_per_token\": 1e-6,"
              "\"input_cost_per_request\": 0.01}");
    mill_run(mill);
    ask(mill, CHAT, "k", ASK(""), "400 Bad Request", "{\"error\":{\"message\":\"no\"}}", &record);
    cr_expect(record.cost_nano == 0 && record.flags == LEDGER_FREE, "%u", record.flags);
    ask(mill, CHAT, "k", ASK(""), "500 Internal Server Error", "{}", &record);
    cr_expect(record.cost_nano == 0 && record.flags == LEDGER_FREE, "%u", record.flags);
    ask(mill, CHAT, "k", ASK(""), "200 OK", ANSWER, &record);
    cr_expect_eq(record.cost_nano, 10000000 + 140000);
    mill_stop(mill);
}

Test(charge, falls_back_to_what_accounts_make_of_the_name)
{
    struct mill *mill = make();
    struct ledger_record record;
    set_price(mill, "sent", PLAIN_PRICE);
    mill_run(mill);
    ask(mill, CHAT, "budgeted", ASK(""), "200 OK", ANSWER, &record);
    cr_expect_eq(record.cost_nano, PLAIN_COST);
    cr_expect_eq(record.upstream_nano, PLAIN_COST / 2);
    mill_stop(mill);
}

Test(charge, a_model_without_a_price_is_marked_or_refused)
{
    struct mill *mill = make();
    struct ledger_record record;
    mill->confs.worker.log_requests = WORKERCONF_LOG_ALL;
    mill_keep_log(mill);
    mill_run(mill);
    ask(mill, CHAT, "k", ASK(""), "200 OK", ANSWER, &record);
    cr_expect(record.cost_nano == 0 && record.flags == LEDGER_UNPRICED);
    mill_log(mill, "cost=unpriced");
    cr_expect(mill_is(mill_talk(mill, CHAT, "budgeted", ASK("")), 403, "model_not_priced"), "%s",
              mill->answer);
    mill_counts(mill, COUNTER_REFUSED_UNPRICED, 1);
    mill_stop(mill);
}

Test(charge, unpriced_models_are_refused_to_all_or_to_nobody_as_set)
{
    struct mill *mill = make();
    struct ledger_record record;
    mill->confs.store.unpriced = STORECONF_UNPRICED_REFUSE_ALL;
    mill_run(mill);
    cr_expect(mill_is(mill_talk(mill, CHAT, "k", ASK("")), 403, "model_not_priced"));
    mill_stop(mill);
    mill = make();
    mill->confs.store.unpriced = STORECONF_UNPRICED_ZERO;
    mill_run(mill);
    ask(mill, CHAT, "budgeted", ASK(""), "200 OK", ANSWER, &record);
    cr_expect(record.cost_nano == 0 && record.flags == LEDGER_UNPRICED);
    mill_stop(mill);
}

Test(charge, images_without_tokens_are_priced_one_by_one)
{
    struct mill *mill = make();
    struct ledger_record record;
    set_price(mill, "m", "{\"mode\": \"image_generation\", \"output_cost_per_image\": 0.04}");
    mill_run(mill);
    const char *draw = "{\"model\":\"m\",\"prompt\":\"a fox\",\"n\":3}";
    ask(mill, "/v1/images/generations", "k", draw, "200 OK", "{\"data\":[{},{},{}]}", &record);
    cr_expect(record.cost_nano == 120000000 && record.images == 3, "%ld", record.cost_nano);
    ask(mill, "/v1/images/generations", "k", draw, "400 Bad Request", "{}", &record);
    cr_expect(record.cost_nano == 0 && record.images == 0);
    mill_stop(mill);
}

/* A provider that had the request and said nothing may bill it: the operator sees that. */
Test(charge, a_silent_provider_costs_the_operator_and_not_the_user, .timeout = 30)
{
    struct mill *mill = make();
    struct ledger_record records[4];
    mill_account(mill, "other", NULL);
    set_price(mill, "m", PLAIN_PRICE);
    set_price(mill, "sent", PLAIN_PRICE);
    mill->confs.upstream.first_byte_ms = 300;
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", ASK(""));
    mill_take(mill);
    mill->provider = -1; /* it stays silent; the next one comes on another connection */
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, client, "}");
    close(client);
    mill_settled(mill);
    cr_assert_eq(mill_records(mill, records, 4), 2);
    cr_expect(records[0].is_last == 0 && records[0].source == LEDGER_ESTIMATED);
    cr_expect(records[0].cost_nano == 0 && records[0].upstream_nano > 0);
    cr_expect(records[0].status == 504 && records[0].attempt == 0 && records[0].charged == 0);
    cr_expect(records[1].is_last == 1 && records[1].attempt == 1);
    cr_expect_eq(records[1].cost_nano, PLAIN_COST);
    cr_expect_neq(records[0].account_id, records[1].account_id);
    cr_expect_str_eq(records[0].request_id, records[1].request_id);
    mill_stop(mill);
}
