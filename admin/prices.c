#include "admin/prices.h"

#include <stdio.h>
#include <string.h>

#include "admin/api.h"
#include "admin/recorder.h"
#include "base/check.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "http/server.h"
#include "proto/endpoint.h"
#include "store/match.h"
#include "store/pricedesk.h"

#define MILLION 6u /* picodollars a token are dollars a million tokens times 10^6 */

static struct str
query_value(struct str query, struct str name)
{
    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        if (str_equal(str_cut(&value, '='), name)) {
            return value;
        }
    }
    return STR("");
}

static void
put_decimal(struct jsonw *w, const char *name, uint64_t value, uint32_t scale)
{
    char text[MONEY_TEXT_BYTES];
    jsonw_name(w, name);
    jsonw_raw(w, str_make(text, money_text((int64_t)value, scale, text)));
}

/* Dollars a million tokens; an image and a request by themselves, when they cost anything; sounds
 * and pictures where they cost something else than text. */
static void
put_rates(struct jsonw *w, const struct money_rates *rates)
{
    for (uint32_t kind = 0; kind < MONEY_KINDS; kind++) {
        bool is_one = kind == MONEY_IMAGE || kind == MONEY_REQUEST;
        enum money_kind text = kind == MONEY_OUT_AUDIO ? MONEY_OUT_TEXT : MONEY_IN_FRESH;
        bool is_usual = kind >= MONEY_MEDIA ? rates->pico[kind] == rates->pico[text]
                                            : is_one && rates->pico[kind] == 0;
        if (!is_usual) {
            put_decimal(w, money_kind_text((enum money_kind)kind), rates->pico[kind],
                        is_one ? 12 : MILLION);
        }
    }
}

/* The prices as they are now; the caller drops them. NULL: answered. */
static struct pricelist *
take_list(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    struct pricelist *list = NULL;
    if (pricedesk_list(recorder->ledger, NULL, &list) != ERR_OK) {
        api_error(request, 500, "internal_error", "The store's prices cannot be read");
    }
    return list;
}

/* --- list --- */

static void
put_tiers(struct jsonw *w, const struct pricecard *card)
{
    char text[96] = "";
    size_t len = 0;
    for (uint32_t step = 1; step < card->steps; step++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s>%uk", len == 0 ? "" : " ",
                                (unsigned)(card->above[step] / 1000));
    }
    for (uint32_t service = PRICE_PRIORITY; service < PRICE_SERVICES; service++) {
        if ((card->services >> service & 1u) != 0) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len == 0 ? "" : " ",
                                    price_service_text((enum price_service)service));
        }
    }
    jsonw_put_text(w, "tiers", text);
}

static void
put_card(struct jsonw *w, const struct pricecard *card)
{
    jsonw_object(w);
    jsonw_put_str(w, "model", card->model);
    jsonw_put_text(w, "source", price_source_text(card->source));
    if (card->rates == NULL) {
        jsonw_put_str(w, "alias_of", card->alias_of);
    } else {
        put_rates(w, &card->rates[0]);
        put_tiers(w, card);
    }
    jsonw_close(w);
}

static void
put_items(struct jsonw *w, const struct pricelist *list, struct str source, struct str glob)
{
    jsonw_name(w, "items");
    jsonw_array(w);
    for (uint32_t s = PRICE_OWN; s < PRICE_SOURCES; s++) {
        bool is_wanted =
            source.len == 0 || str_equal(source, str_of(price_source_text((enum price_source)s)));
        uint32_t count = is_wanted ? pricelist_count(list, (enum price_source)s) : 0;
        for (uint32_t i = 0; i < count; i++) {
            const struct pricecard *card = pricelist_at(list, (enum price_source)s, i);
            if (glob.len == 0 || match_glob(glob, card->model)) {
                put_card(w, card);
            }
        }
    }
    jsonw_close(w);
}

static void
answer_list(struct server_request *request)
{
    char glob[MODEL_NAME_BYTES] = "";
    size_t len = 0;
    struct str match = query_value(request->head.query, STR("match"));
    struct str source = query_value(request->head.query, STR("source"));
    if (match.len > 0 && endpoint_model_decode(match, glob, sizeof glob, &len) != ERR_OK) {
        api_error(request, 400, "bad_request", "match: is no glob");
        return;
    }
    struct pricelist *list = take_list(request);
    if (list == NULL) {
        return;
    }
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    put_items(&w, list, source, str_make(glob, len));
    jsonw_close(&w);
    pricelist_drop(list);
    api_answer_buf(request, jsonw_end(&w), &body);
}

/* --- one model --- */

static void
put_tier(struct jsonw *w, const struct pricecard *card, enum price_service service, uint32_t step)
{
    const struct money_rates *rates = NULL;
    enum price_service holds = pricecard_rates(card, service, card->above[step] + 1, &rates);
    CHECK(holds == service);
    jsonw_object(w);
    jsonw_put_text(w, "service", price_service_text(service));
    jsonw_put_u64(w, "above", card->above[step]);
    put_rates(w, rates);
    jsonw_close(w);
}

static void
put_found(struct jsonw *w, struct server_request *request, struct str model,
          const struct pricelist_found *found)
{
    const struct pricecard *card = found->card;
    bool is_alias = found->row != card;
    jsonw_put_str(w, "model", model);
    jsonw_put_str(w, "price_of", card->model);
    jsonw_put_text(w, "source", price_source_text(card->source));
    jsonw_put_text(w, "found_by", pricename_rule_text(found->rule));
    if (is_alias) {
        jsonw_put_str(w, "alias", found->row->model);
    }
    jsonw_name(w, "items");
    jsonw_array(w);
    for (uint32_t service = 0; service < PRICE_SERVICES; service++) {
        for (uint32_t step = 0; step < card->steps && (card->services >> service & 1u) != 0;
             step++) {
            put_tier(w, card, (enum price_service)service, step);
        }
    }
    jsonw_close(w);
    jsonw_name(w, "line");
    jsonw_str(w, arena_printf(&request->arena,
                              "%.*s has the %s price of %.*s (%s name%s); dollars a million tokens",
                              STR_ARG(model), price_source_text(card->source), STR_ARG(card->model),
                              pricename_rule_text(found->rule), is_alias ? " of an alias" : ""));
}

static void
answer_one(struct server_request *request, struct str model)
{
    struct pricelist_found found;
    struct pricelist *list = take_list(request);
    if (list == NULL) {
        return;
    }
    if (!pricelist_explain(list, model, &found)) {
        pricelist_drop(list);
        api_error(request, 404, "not_found",
                  "No price is known of this model: price set, or price import");
        return;
    }
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    put_found(&w, request, model, &found);
    jsonw_close(&w);
    pricelist_drop(list);
    api_answer_buf(request, jsonw_end(&w), &body);
}

/* --- set --- */

/* What people say of a tier, and what the convention calls it. */
static const struct {
    struct str prefix;
    const char *suffix; /* of the convention's member; "%s" = the threshold */
    bool is_above;
} tiers[] = {
    { { "above_", 6 }, "_above_%.*sk_tokens", true },
    { { "priority_", 9 }, "_priority", false },
    { { "flex_", 5 }, "_flex", false },
    { { "", 0 }, "", false },
};

static const struct {
    const char *name;
    const char *member;
    bool is_one; /* dollars for one; else for a million */
} kinds[] = {
    { "input", "input_cost_per_token", false },
    { "output", "output_cost_per_token", false },
    { "cache_read", "cache_read_input_token_cost", false },
    { "cache_write", "cache_creation_input_token_cost", false },
    { "cache_write_1h", "cache_creation_input_token_cost_above_1hr", false },
    { "reasoning", "output_cost_per_reasoning_token", false },
    { "audio_input", "input_cost_per_audio_token", false },
    { "image_input", "input_cost_per_image_token", false },
    { "audio_output", "output_cost_per_audio_token", false },
    { "image", "output_cost_per_image", true },
    { "request", "input_cost_per_request", true },
};

/* A PUT's body on its way into the convention. */
struct setting_row {
    struct jsonw w;
    struct str above; /* thousands of tokens, as text */
    const char *why;  /* NULL = all is well */
    char member[128];
};

/* The digits of a number, or of a text with a number in it. */
static struct str
number_text(struct json_value value)
{
    if (value.kind == JSON_STRING && value.raw.len >= 2) {
        return str_make(value.raw.data + 1, value.raw.len - 2);
    }
    return value.kind == JSON_NUMBER ? value.raw : STR("");
}

static bool
is_thousands(struct str text)
{
    uint64_t count = 0;
    return text.len <= 6 && num_u64(text, &count) == ERR_OK && count > 0;
}

static bool
put_price(struct setting_row *row, struct str value, bool is_one)
{
    uint64_t pico = 0;
    if (money_read(value, is_one ? 12 : MILLION, MONEY_PICO_MAX, &pico, NULL) != ERR_OK) {
        row->why = is_one ? "a price is dollars: 0.04"
                          : "a price is dollars a million tokens, to the millionth: 2.5";
        return false;
    }
    put_decimal(&row->w, row->member, pico, 12);
    return true;
}

static const char above_why[] =
    "above: how many thousands of input tokens the above-prices begin with";

/* "above_cache_read": true when it is one of ours, written under the convention's name. */
static bool
find_member(struct setting_row *row, struct str name, bool *is_one)
{
    for (size_t t = 0; t < sizeof tiers / sizeof tiers[0]; t++) {
        struct str prefix = tiers[t].prefix;
        if (name.len < prefix.len || memcmp(name.data, prefix.data, prefix.len) != 0) {
            continue;
        }
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            if (!str_equal(str_skip(name, prefix.len), str_of(kinds[k].name))) {
                continue;
            }
            int len = snprintf(row->member, sizeof row->member, "%s", kinds[k].member);
            size_t room = sizeof row->member - (size_t)len;
            if (tiers[t].is_above && !is_thousands(row->above)) {
                row->why = above_why;
            } else if (tiers[t].is_above) {
                snprintf(row->member + len, room, "_above_%.*sk_tokens", STR_ARG(row->above));
            } else {
                snprintf(row->member + len, room, "%s", tiers[t].suffix);
            }
            *is_one = kinds[k].is_one;
            return true;
        }
    }
    return false;
}

static bool
on_member(void *context, const struct json_member *member)
{
    struct setting_row *row = context;
    bool is_one = false;
    if (json_name_is(member, STR("above"))) {
        row->why = is_thousands(row->above) ? row->why : above_why;
        return row->why == NULL;
    }
    if (find_member(row, member->name, &is_one)) {
        return row->why == NULL && put_price(row, number_text(member->value), is_one);
    }
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)(member->name.len < 127 ? member->name.len : 127),
             member->name.data);
    jsonw_name(&row->w, str_equal(member->name, STR("provider")) ? "litellm_provider" : name);
    jsonw_raw(&row->w, member->value.raw);
    return true;
}

/* The body as a row of the convention. false: *why. */
static bool
convert(struct json_value body, struct buf *out, const char **why)
{
    struct json_value above;
    struct setting_row row = { .why = NULL };
    if (json_get(body, STR("above"), &above)) {
        row.above = number_text(above);
    }
    jsonw_begin(&row.w, out);
    jsonw_object(&row.w);
    enum err err = json_scan_object(body, on_member, &row);
    if (row.why == NULL) {
        jsonw_close(&row.w);
        err = err != ERR_OK ? err : jsonw_end(&row.w);
    }
    *why = row.why != NULL ? row.why : "the body cannot be understood";
    return row.why == NULL && err == ERR_OK;
}

static void
answer_set(struct server_request *request, struct str model)
{
    struct recorder *recorder = server_context(request);
    struct json_value body;
    struct json_value row;
    static struct price price;
    char why[PRICE_WHY_BYTES];
    const char *text = "the body is no JSON object";
    struct buf json;
    buf_init(&json, RECORD_BYTES_MAX);
    enum err err = json_read(request->body, &body, NULL);
    if (err == ERR_OK && body.kind == JSON_OBJECT && convert(body, &json, &text)) {
        err = json_read(buf_str(&json), &row, NULL);
        err = err != ERR_OK ? err : price_read(model, row, &price, why);
        text = err == ERR_GONE ? "the row has no price: --input and --output at least" : why;
    } else {
        err = ERR_BAD;
    }
    if (err != ERR_OK) {
        api_error(request, 400, "bad_request", text);
    } else if ((err = pricedesk_set(recorder->ledger, &price)) != ERR_OK) {
        api_error(request, 507, "store_full", "The store has no room for it, or too many prices");
    } else {
        log_event(LOG_INFO, "price", "set=\"%s\"", price.model);
        recorder_changed(recorder);
        answer_one(request, model);
    }
    buf_fini(&json);
}

static void
answer_remove(struct server_request *request, struct str model)
{
    struct recorder *recorder = server_context(request);
    enum err err = pricedesk_remove(recorder->ledger, model);
    if (err == ERR_GONE) {
        api_error(request, 404, "not_found", "There is no price of your own for this model");
    } else if (err != ERR_OK) {
        api_error(request, 500, "internal_error", "The store could not be written");
    } else {
        log_event(LOG_INFO, "price", "removed=\"%.*s\"", STR_ARG(model));
        recorder_changed(recorder);
        api_answer(request, 200, STR("{\"ok\":true}"));
    }
}

/* --- import --- */

static void
put_import(struct jsonw *w, struct server_request *request, const struct pricedesk_import *import)
{
    jsonw_put_u64(w, "imported", import->imported);
    jsonw_put_u64(w, "unpriced", import->unpriced);
    jsonw_put_u64(w, "refused", import->refused);
    jsonw_name(w, "items");
    jsonw_array(w);
    for (uint32_t i = 0; i < import->refused && i < PRICEDESK_REFUSED_MAX; i++) {
        jsonw_object(w);
        jsonw_put_u64(w, "line", import->refusals[i].line);
        jsonw_put_text(w, "model", import->refusals[i].model);
        jsonw_put_text(w, "why", import->refusals[i].why);
        jsonw_close(w);
    }
    jsonw_close(w);
    jsonw_name(w, "line");
    jsonw_str(w,
              arena_printf(&request->arena,
                           "%u prices imported, %u rows refused, %u without a price we charge by",
                           import->imported, import->refused, import->unpriced));
}

static void
answer_import(struct server_request *request)
{
    struct recorder *recorder = server_context(request);
    static struct pricedesk_import import;
    char why[PRICE_WHY_BYTES];
    enum err err = pricedesk_import(recorder->ledger, request->body, &import, why);
    if (err != ERR_OK) {
        bool is_full = err == ERR_FULL;
        api_error(request, is_full ? 507 : 400, is_full ? "store_full" : "bad_request",
                  is_full ? "The store has no room for it, or it has too many rows" : why);
        return;
    }
    log_event(LOG_INFO, "price", "imported=%u refused=%u", import.imported, import.refused);
    recorder_changed(recorder);
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    put_import(&w, request, &import);
    jsonw_close(&w);
    api_answer_buf(request, jsonw_end(&w), &body);
}

bool
prices_handle(struct server_request *request, struct str encoded)
{
    struct str method = request->head.method;
    char model[MODEL_NAME_BYTES];
    size_t len = 0;
    if (encoded.len == 0) {
        if (str_equal(method, STR("GET"))) {
            answer_list(request);
        } else if (str_equal(method, STR("POST"))) {
            answer_import(request);
        } else {
            return false;
        }
        return true;
    }
    if (endpoint_model_decode(encoded, model, sizeof model, &len) != ERR_OK) {
        api_error(request, 400, "bad_request", "The model's name cannot be read");
        return true;
    }
    if (str_equal(method, STR("GET"))) {
        answer_one(request, str_make(model, len));
    } else if (str_equal(method, STR("PUT"))) {
        answer_set(request, str_make(model, len));
    } else if (str_equal(method, STR("DELETE"))) {
        answer_remove(request, str_make(model, len));
    } else {
        return false;
    }
    return true;
}
