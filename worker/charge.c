#include "worker/charge.h"

#include <string.h>

#include "base/check.h"
#include "proto/usage.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "store/match.h"
#include "store/storeconf.h"
#include "upstream/bill.h"
#include "worker/dispatch.h"
#include "worker/purse.h"
#include "worker/relay.h"

#define ESTIMATE_MARGIN 5u /* estimates of input are mostly within a fifth */

static bool
is_billable(const struct relay *relay)
{
    return (relay->row->flags & ENDPOINT_USAGE) != 0;
}

/* --- admission --- */

/* The price of what the group makes of the model, or of the first name that an account of the group
 * makes of that. */
static const struct pricecard *
find_mapped(const struct relay *relay)
{
    const struct catalog_view *view = relay->view;
    const struct catalog_group *group = &view->groups[relay->group];
    struct str wanted = dispatch_model(relay);
    if (wanted.data != relay->model.data) {
        const struct pricecard *card = pricelist_find(view->prices, wanted);
        if (card != NULL) {
            return card;
        }
    }
    for (uint32_t i = 0; i < group->account_count; i++) {
        const struct account *account = &view->accounts[group->accounts[i]].account;
        struct str sent = match_mapped(account->model_map, wanted);
        if (sent.data == wanted.data) {
            continue;
        }
        const struct pricecard *card = pricelist_find(view->prices, sent);
        if (card != NULL) {
            return card;
        }
    }
    return NULL;
}

static uint32_t
multiplier_of(const struct relay *relay, const struct catalog_key *key)
{
    uint64_t own = key->user.multiplier_ppm;
    uint64_t ppm = own != 0 ? own : relay->view->groups[relay->group].group.multiplier_ppm;
    CHECK(ppm <= MONEY_PPM_MAX);
    return (uint32_t)ppm;
}

static enum err
refuse_unpriced(struct relay *relay, struct reply *refusal)
{
    *refusal = (struct reply){
        .status = 403,
        .code = "model_not_priced",
        .message = arena_printf(&relay->request->arena,
                                "The model '%.*s' has no price here, and this API key may only "
                                "spend what can be counted",
                                STR_ARG(relay->model)),
        .param = "model",
    };
    counter_add(relay->worker->segment, relay->worker->slot, COUNTER_REFUSED_UNPRICED, 1);
    return ERR_DENIED;
}

enum err
charge_begin(struct relay *relay, const struct catalog_key *key, struct reply *refusal)
{
    struct charge *charge = &relay->charge;
    CHECK(charge->prices == NULL && relay->view != NULL);
    charge->multiplier_ppm = multiplier_of(relay, key);
    if (!is_billable(relay)) {
        return ERR_OK;
    }
    pricelist_hold(relay->view->prices);
    charge->prices = relay->view->prices;
    charge->service = price_service_of(str_of(relay->peek->service_tier));
    charge->images = endpoint_makes_images(relay->row->endpoint) ? relay->peek->answers : 0;
    charge->card = pricelist_find(charge->prices, relay->model);
    if (charge->card == NULL) {
        charge->card = find_mapped(relay);
    }
    uint32_t rule = relay->worker->heritage->store->unpriced;
    bool is_refused = rule == STORECONF_UNPRICED_REFUSE_ALL ||
                      (rule == STORECONF_UNPRICED_REFUSE && purse_is_limited(key));
    return charge->card == NULL && is_refused ? refuse_unpriced(relay, refusal) : ERR_OK;
}

/* --- the tier that holds --- */

static uint64_t
input_known(const struct relay *relay)
{
    const struct usage *usage = &relay->stream.usage.usage;
    bool is_known = (usage->known & USAGE_INPUT) != 0 || usage->source != USAGE_NONE;
    return is_known ? usage_input(usage) : relay->stream.input_tokens;
}

static enum price_service
service_known(const struct relay *relay)
{
    const char *said = relay->stream.usage.usage.service_tier;
    return said[0] != '\0' ? price_service_of(str_of(said)) : relay->charge.service;
}

/* Into the lease, when it is another tier than it has. */
static void
put_bill(struct relay *relay, bool is_new_account)
{
    static const struct money_rates none;
    struct charge *charge = &relay->charge;
    const struct money_rates *rates = &none;
    const struct money_rates *sent = &none;
    enum price_service tier = PRICE_STANDARD;
    uint64_t input = input_known(relay);
    if (charge->sent != NULL) {
        tier = pricecard_rates(charge->sent, service_known(relay), input, &sent);
    }
    if (charge->card != NULL) {
        tier = pricecard_rates(charge->card, service_known(relay), input, &rates);
    }
    if (!is_new_account && rates == charge->now && sent == charge->now_sent) {
        return;
    }
    charge->now = rates;
    charge->now_sent = sent;
    struct lease_bill *bill = &lease_edit(&relay->worker->leases, relay->lease)->bill;
    *bill = (struct lease_bill){
        .rates = *rates,
        .upstream = *sent,
        .multiplier_ppm = charge->multiplier_ppm,
        .account_ppm = charge->account_ppm,
        .images = charge->images,
        .price_source = charge->card == NULL ? PRICE_NONE : (uint8_t)charge->card->source,
        .tier = (uint8_t)tier,
        .is_billable = is_billable(relay),
    };
    lease_done(&relay->worker->leases, relay->lease);
}

void
charge_account(struct relay *relay, struct str sent)
{
    struct charge *charge = &relay->charge;
    uint64_t ppm = relay->choice.account->account.multiplier_ppm;
    CHECK(relay->has_choice && ppm <= MONEY_PPM_MAX);
    charge->account_ppm = (uint32_t)ppm;
    charge->sent = NULL;
    if (charge->prices != NULL) {
        charge->sent = pricelist_find(charge->prices, sent);
        charge->sent = charge->sent == NULL ? charge->card : charge->sent;
    }
    put_bill(relay, true);
}

void
charge_update(struct relay *relay)
{
    if (relay->charge.prices != NULL && relay->lease != LEASE_NONE) {
        put_bill(relay, false);
    }
}

/* --- the end --- */

/* Did the client get something for its money, or leave before it could? */
static bool
is_delivered(const struct relay *relay)
{
    const struct stream *stream = &relay->stream;
    bool has_answer = stream->is_sse ? stream->usage.deltas > 0 : stream->has_content;
    return has_answer || relay->is_client_gone;
}

void
charge_fill(struct relay *relay, const struct lease_data *data, struct ledger_record *record)
{
    charge_update(relay);
    bill_fill(&data->bill, is_delivered(relay), record);
    if (record->is_last != 0) {
        record->upstream_nano = money_add(record->upstream_nano, relay->charge.carried_nano);
    }
}

/* The dearest kind of input: what of it will be written to a cache is not known yet. */
static uint64_t
dearest_input(const struct money_rates *rates)
{
    uint64_t pico = rates->pico[MONEY_IN_FRESH];
    for (uint32_t kind = MONEY_IN_CACHE_READ; kind <= MONEY_IN_IMAGE; kind++) {
        bool is_input = kind <= MONEY_IN_CACHE_WRITE_1H || kind >= MONEY_IN_AUDIO;
        pico = is_input && rates->pico[kind] > pico ? rates->pico[kind] : pico;
    }
    return pico;
}

static uint64_t
dearest_output(const struct money_rates *rates)
{
    uint64_t pico = rates->pico[MONEY_OUT_TEXT];
    pico = rates->pico[MONEY_OUT_REASONING] > pico ? rates->pico[MONEY_OUT_REASONING] : pico;
    return rates->pico[MONEY_OUT_AUDIO] > pico ? rates->pico[MONEY_OUT_AUDIO] : pico;
}

int64_t
charge_estimate(const struct relay *relay, uint64_t output_tokens)
{
    const struct charge *charge = &relay->charge;
    const struct money_rates *rates = NULL;
    int64_t nano = 0;
    if (charge->card == NULL) {
        return 0;
    }
    uint64_t input = relay->stream.input_tokens;
    uint64_t answers = relay->peek->answers;
    /* Who asks for the cheap tier may be served in the standard one. */
    enum price_service service = charge->service == PRICE_FLEX ? PRICE_STANDARD : charge->service;
    /* The estimate may be short: near a threshold the dearer step is reserved. */
    pricecard_rates(charge->card, service, input + input / ESTIMATE_MARGIN, &rates);
    struct money_rates most = *rates;
    most.pico[MONEY_IN_FRESH] = dearest_input(rates);
    most.pico[MONEY_OUT_TEXT] = dearest_output(rates);
    uint64_t output = output_tokens > MONEY_COUNT_MAX ? MONEY_COUNT_MAX : output_tokens;
    struct money_amounts amounts = { .count = { [MONEY_IN_FRESH] = input,
                                                [MONEY_OUT_TEXT] = output * answers,
                                                [MONEY_IMAGE] = charge->images,
                                                [MONEY_REQUEST] = 1 } };
    bool fits = money_cost(&most, &amounts, charge->multiplier_ppm, &nano);
    CHECK(fits || nano == INT64_MAX);
    return nano;
}

void
charge_carry(struct relay *relay, int64_t upstream_nano)
{
    relay->charge.carried_nano = money_add(relay->charge.carried_nano, upstream_nano);
}

void
charge_end(struct relay *relay)
{
    if (relay->charge.prices != NULL) {
        pricelist_drop(relay->charge.prices);
        relay->charge.prices = NULL;
    }
}
