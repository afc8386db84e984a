#include "worker/purse.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/money.h"
#include "shm/counter.h"
#include "shm/gate.h"
#include "shm/heritage.h"
#include "store/ledger.h"
#include "store/storeconf.h"
#include "upstream/payer.h"
#include "worker/relay.h"

static bool
has_plan(const struct catalog_key *key)
{
    return key->plan.id != 0;
}

static bool
is_money_limited(const struct budget_limits *limits)
{
    struct budget_limits money = *limits;
    money.most[BUDGET_TOKENS] = BUDGET_UNLIMITED;
    return budget_is_limited(&money);
}

bool
purse_is_limited(const struct catalog_key *key)
{
    struct budget_limits limits;
    payer_key_limits(&key->key, &limits);
    return is_money_limited(&limits) || has_plan(key) || key->user.is_prepaid;
}

/* "$0.25 of $5", or tokens. */
static struct str
amounts_text(struct relay *relay, enum budget_meter meter, uint64_t used, uint64_t most)
{
    struct arena *arena = &relay->request->arena;
    if (meter == BUDGET_TOKENS) {
        return arena_printf(arena, "%" PRIu64 " of %" PRIu64 " tokens used", used, most);
    }
    char used_text[MONEY_TEXT_BYTES];
    char most_text[MONEY_TEXT_BYTES];
    money_text(used > INT64_MAX ? INT64_MAX : (int64_t)used, 9, used_text);
    money_text(most > INT64_MAX ? INT64_MAX : (int64_t)most, 9, most_text);
    return arena_printf(arena, "$%s of $%s used", used_text, most_text);
}

static struct str
under_way_text(struct relay *relay, enum budget_meter meter, uint64_t reserved, uint64_t want)
{
    struct arena *arena = &relay->request->arena;
    if (meter == BUDGET_TOKENS) {
        return arena_printf(
            arena, "%" PRIu64 " reserved by requests under way, this one may need %" PRIu64,
            reserved, want);
    }
    char reserved_text[MONEY_TEXT_BYTES];
    char want_text[MONEY_TEXT_BYTES];
    money_text(reserved > INT64_MAX ? INT64_MAX : (int64_t)reserved, 9, reserved_text);
    money_text(want > INT64_MAX ? INT64_MAX : (int64_t)want, 9, want_text);
    return arena_printf(arena, "$%s reserved by requests under way, this one may need $%s",
                        reserved_text, want_text);
}

/* Which budget it is, in the words of the one who must raise it. */
static struct str
name_of(struct relay *relay, const struct catalog_key *key, enum purse_budget budget,
        enum budget_meter meter)
{
    struct arena *arena = &relay->request->arena;
    if (budget == PURSE_PAYER && !has_plan(key)) {
        return arena_printf(arena, "The balance of user '%s'", key->user.name);
    }
    bool is_window = (uint32_t)meter >= BUDGET_WINDOWS;
    return arena_printf(arena, "The %s%s of %s%s%s", is_window ? budget_meter_text(meter) : "",
                        is_window ? " limit" : "quota",
                        budget == PURSE_KEY ? "this API key" : "plan '",
                        budget == PURSE_KEY ? "" : key->plan.name, budget == PURSE_KEY ? "" : "'");
}

/* " It begins anew at ...", for windows. */
static struct str
until_text(struct relay *relay, enum budget_meter meter, uint64_t wall_ms, struct reply *refusal)
{
    if ((uint32_t)meter < BUDGET_WINDOWS) {
        return STR("");
    }
    char text[CLOCK_TEXT_BYTES];
    uint64_t end_ms = period_end((enum period)(meter - BUDGET_WINDOWS), wall_ms);
    refusal->retry_after_s = (uint32_t)((end_ms - wall_ms) / 1000 + 1);
    return arena_printf(&relay->request->arena, "; it begins anew at %s", clock_text(end_ms, text));
}

static enum err
refuse(struct relay *relay, struct reply *refusal, struct str message)
{
    *refusal = (struct reply){ .status = 412,
                               .code = "quota_exhausted",
                               .message = message,
                               .retry_after_s = refusal->retry_after_s };
    counter_add(relay->worker->segment, relay->worker->slot, COUNTER_REFUSED_QUOTA, 1);
    return ERR_DENIED;
}

static enum err
refuse_used_up(struct relay *relay, const struct catalog_key *key, enum purse_budget budget,
               const struct budget_limits *limits, enum budget_meter meter,
               struct budget_amount want, struct reply *refusal)
{
    uint64_t wall_ms = clock_wall_ms();
    struct budget_view view;
    budget_read(relay->worker->segment, relay->purse.holds[budget].gate, wall_ms, &view);
    bool is_tokens = meter == BUDGET_TOKENS;
    uint64_t reserved = is_tokens ? view.reserved.tokens : view.reserved.nano;
    uint64_t used = budget_used(&view, meter) - reserved;
    struct str name = name_of(relay, key, budget, meter);
    struct str amounts = amounts_text(relay, meter, used, limits->most[meter]);
    struct str under_way =
        under_way_text(relay, meter, reserved, is_tokens ? want.tokens : want.nano);
    struct str until = until_text(relay, meter, wall_ms, refusal);
    return refuse(relay, refusal,
                  arena_printf(&relay->request->arena, "%.*s is used up: %.*s, %.*s%.*s",
                               STR_ARG(name), STR_ARG(amounts), STR_ARG(under_way),
                               STR_ARG(until)));
}

/* What is not limited is not reserved, so that a sum of reservations stays below a limit. */
static struct budget_amount
cut_want(const struct relay *relay, const struct budget_limits *limits, struct budget_amount want)
{
    if (limits->most[BUDGET_TOKENS] == BUDGET_UNLIMITED) {
        want.tokens = 0;
    }
    if (!is_money_limited(limits)) {
        want.nano = 0;
    }
    if (relay->worker->heritage->store->budget == STORECONF_SOFT) {
        /* Asks only whether anything is left. */
        want.tokens = want.tokens > 0 ? 1 : 0;
        want.nano = want.nano > 0 ? 1 : 0;
    }
    return want;
}

/* Reserves from one budget; nothing to do where nothing is limited. */
static enum err
take_one(struct relay *relay, const struct catalog_key *key, enum purse_budget budget,
         const struct budget_limits *limits, struct budget_amount want, struct reply *refusal)
{
    struct worker *worker = relay->worker;
    struct purse_hold *hold = &relay->purse.holds[budget];
    enum budget_meter meter = BUDGET_TOKENS;
    if (!budget_is_limited(limits)) {
        return ERR_OK;
    }
    want = cut_want(relay, limits, want);
    if (budget_take(worker->segment, worker->slot, hold->gate, limits, want, clock_wall_ms(),
                    &meter) != ERR_OK) {
        return refuse_used_up(relay, key, budget, limits, meter, want, refusal);
    }
    hold->is_held = true;
    hold->reserved = want;
    return ERR_OK;
}

/* The limits of who pays, and the gate where that budget stands. */
static enum err
find_payer(struct relay *relay, const struct catalog_key *key, struct budget_limits *limits,
           struct reply *refusal)
{
    struct purse *purse = &relay->purse;
    purse->plan_id = 0;
    purse->holds[PURSE_PAYER].gate = relay->holds[RELAY_GATE_USER].gate;
    if (!has_plan(key)) {
        payer_user_limits(&key->user, limits);
        return ERR_OK;
    }
    const struct plan *plan = &key->plan;
    if (payer_plan_is_over(plan, clock_wall_ms())) {
        return refuse(relay, refusal,
                      arena_printf(&relay->request->arena, "The plan '%s' of user '%s' %s",
                                   plan->name, key->user.name,
                                   plan->is_disabled ? "is disabled" : "has expired"));
    }
    payer_plan_limits(plan, limits);
    purse->plan_id = plan->id;
    if (gate_find(relay->worker->segment, GATE_PLAN, plan->id, &purse->holds[PURSE_PAYER].gate) !=
        ERR_OK) {
        *refusal = (struct reply){
            .status = 503,
            .code = "overloaded",
            .message = STR("The gateway's table of limits is full; the operator should raise "
                           "[shm] gates"),
        };
        counter_add(relay->worker->segment, relay->worker->slot, COUNTER_REFUSED_OVERLOADED, 1);
        return ERR_FULL;
    }
    return ERR_OK;
}

/* Written into the record, and into the lease: what a dead worker's request is billed by. */
static void
note_charged(struct relay *relay, const struct catalog_key *key, bool is_key_limited)
{
    struct purse *purse = &relay->purse;
    purse->is_taken = true;
    purse->charged = (uint8_t)((is_key_limited ? LEDGER_KEY_QUOTA : 0) |
                               (purse->plan_id != 0    ? LEDGER_SUBSCRIPTION
                                : key->user.is_prepaid ? LEDGER_BALANCE
                                                       : 0));
    struct lease_data *data = lease_edit(&relay->worker->leases, relay->lease);
    data->subscription_id = purse->plan_id;
    data->charged = purse->charged;
    data->reserved_tokens = purse->holds[PURSE_KEY].reserved.tokens;
    data->reserved_nano = purse->holds[PURSE_PAYER].is_held
                              ? purse->holds[PURSE_PAYER].reserved.nano
                              : purse->holds[PURSE_KEY].reserved.nano;
    lease_done(&relay->worker->leases, relay->lease);
}

enum err
purse_take(struct relay *relay, const struct catalog_key *key, struct reply *refusal)
{
    struct purse *purse = &relay->purse;
    struct budget_limits limits;
    /* The minute's estimate is one more than input and output. */
    uint64_t output = relay->minute.tokens - 1 - relay->stream.input_tokens;
    struct budget_amount want = { .tokens = relay->minute.tokens,
                                  .nano = (uint64_t)charge_estimate(relay, output) };
    CHECK(!purse->is_taken && !purse->holds[PURSE_KEY].is_held);
    refusal->retry_after_s = 0;
    purse->holds[PURSE_KEY].gate = relay->holds[RELAY_GATE_KEY].gate;
    payer_key_limits(&key->key, &limits);
    bool is_key_limited = budget_is_limited(&limits);
    enum err err = take_one(relay, key, PURSE_KEY, &limits, want, refusal);
    if (err == ERR_OK) {
        err = find_payer(relay, key, &limits, refusal);
    }
    if (err == ERR_OK) {
        err = take_one(relay, key, PURSE_PAYER, &limits, want, refusal);
    }
    if (err != ERR_OK) {
        purse_give(relay);
        return err;
    }
    note_charged(relay, key, is_key_limited);
    return ERR_OK;
}

void
purse_give(struct relay *relay)
{
    relay->purse.is_taken = false;
    for (uint32_t i = 0; i < PURSE_BUDGETS; i++) {
        struct purse_hold *hold = &relay->purse.holds[i];
        if (hold->is_held) {
            hold->is_held = false;
            budget_give(relay->worker->segment, relay->worker->slot, hold->gate, hold->reserved);
        }
    }
}

void
purse_settle(struct relay *relay, struct budget_amount actual, uint64_t sequence)
{
    CHECK(relay->purse.is_taken);
    relay->purse.is_taken = false;
    for (uint32_t i = 0; i < PURSE_BUDGETS; i++) {
        struct purse_hold *hold = &relay->purse.holds[i];
        if (hold->is_held) {
            hold->is_held = false;
            budget_settle(relay->worker->segment, relay->worker->slot, hold->gate, hold->reserved,
                          actual, sequence);
        }
    }
}
