#include "store/pricelist.h"

#include "store/pricedesk.h"
#include "store/record.h"
#include "store/shipped.h"
#include "tests/unit/store/tempdir.h"

TestSuite(pricelist, .init = tempdir_make, .fini = tempdir_remove);

static char why[PRICE_WHY_BYTES];

static enum err
set(struct ledger *ledger, const char *model, const char *row)
{
    struct json_value value;
    struct price price;
    cr_assert_eq(json_read(str_of(row), &value, NULL), ERR_OK, "%s", row);
    cr_assert_eq(price_read(str_of(model), value, &price, why), ERR_OK, "%s: %s", model, why);
    return pricedesk_set(ledger, &price);
}

/* A row whose input costs so many picodollars. */
static void
set_pico(struct ledger *ledger, const char *model, unsigned pico)
{
    char row[128];
    snprintf(row, sizeof(row), "{\"input_cost_per_token\": %ue-12, \"output_cost_per_token\": 0}",
             pico);
    cr_assert_eq(set(ledger, model, row), ERR_OK);
}

static void
import(struct ledger *ledger, const char *text)
{
    static struct pricedesk_import out;
    cr_assert_eq(pricedesk_import(ledger, str_of(text), &out, why), ERR_OK, "%s", why);
}

/* Picodollars of input; 0 = no price. */
static uint64_t
pico_of(const struct pricelist *list, const char *model)
{
    const struct money_rates *rates = NULL;
    const struct pricecard *card = pricelist_find(list, str_of(model));
    if (card == NULL) {
        return 0;
    }
    cr_expect_eq(pricecard_rates(card, PRICE_STANDARD, 0, &rates), PRICE_STANDARD);
    return rates->pico[MONEY_IN_FRESH];
}

static struct pricelist *
load(struct ledger *ledger, struct pricelist *old)
{
    struct pricelist *list = NULL;
    cr_assert_eq(pricedesk_list(ledger, old, &list), ERR_OK);
    return list;
}

#define ROW(pico) "{\"input_cost_per_token\": " #pico "e-12, \"output_cost_per_token\": 1}"

Test(pricelist, own_prices_win_over_imported_and_these_over_shipped)
{
    struct ledger *ledger = tempdir_ledger();
    struct pricelist *list = load(ledger, NULL);
    cr_expect_eq(pico_of(list, "gpt-4o"), 2500000);
    cr_expect_eq(pico_of(list, "gpt-4o-2024-08-06"), 2500000);
    cr_expect_eq(pico_of(list, "gpt-4o-2024-05-13"), 5000000, "an exact name comes first");
    cr_expect_eq(pico_of(list, "no-such-model"), 0);
    pricelist_drop(list);
    import(ledger, "{\"gpt-4o\": " ROW(7) ", \"openai/other\": " ROW(8) "}");
    list = load(ledger, NULL);
    cr_expect_eq(pico_of(list, "gpt-4o"), 7);
    cr_expect_eq(pico_of(list, "gpt-4o-2024-05-13"), 7, "the imported list decides as a whole");
    cr_expect_eq(pico_of(list, "openai/other"), 8);
    cr_expect_eq(pico_of(list, "other"), 0, "prefixes are cut off, not guessed");
    pricelist_drop(list);
    set_pico(ledger, "GPT-4o", 9);
    list = load(ledger, NULL);
    cr_expect_eq(pico_of(list, "gpt-4o"), 9);
    cr_expect_eq(pico_of(list, "models/Gpt-4O-latest"), 9);
    pricelist_drop(list);
    cr_expect_eq(pricedesk_remove(ledger, STR("gpt-4O")), ERR_OK);
    cr_expect_eq(pricedesk_remove(ledger, STR("gpt-4O")), ERR_GONE);
    list = load(ledger, NULL);
    cr_expect_eq(pico_of(list, "gpt-4o"), 7);
    pricelist_drop(list);
    ledger_close(ledger);
}

Test(pricelist, aliases_are_followed_once)
{
    struct ledger *ledger = tempdir_ledger();
    struct pricelist_found found;
    set_pico(ledger, "real", 5);
    cr_assert_eq(set(ledger, "nick", "{\"alias_of\": \"Real\"}"), ERR_OK);
    cr_assert_eq(set(ledger, "nicknick", "{\"alias_of\": \"nick\"}"), ERR_OK);
    cr_assert_eq(set(ledger, "lost", "{\"alias_of\": \"nobody\"}"), ERR_OK);
    cr_assert_eq(set(ledger, "best", "{\"alias_of\": \"gpt-4o\"}"), ERR_OK);
    struct pricelist *list = load(ledger, NULL);
    cr_expect_eq(pico_of(list, "nick"), 5);
    cr_expect_eq(pico_of(list, "x/nick-20250101"), 5);
    cr_expect_eq(pico_of(list, "nicknick"), 0);
    cr_expect_eq(pico_of(list, "lost"), 0);
    cr_expect_eq(pico_of(list, "best"), 2500000, "of any list");
    cr_assert(pricelist_explain(list, STR("x/nick"), &found));
    cr_expect_eq(found.rule, PRICENAME_PREFIX);
    cr_expect(str_equal(found.row->model, STR("nick")));
    cr_expect(str_equal(found.card->model, STR("real")));
    cr_expect_eq(pricelist_count(list, PRICE_OWN), 5);
    cr_expect_eq(pricelist_count(list, PRICE_IMPORTED), 0);
    cr_expect_null(pricelist_at(list, PRICE_OWN, 0)->rates, "an alias has none");
    pricelist_drop(list);
    ledger_close(ledger);
}

Test(pricelist, is_loaded_anew_only_when_prices_changed)
{
    struct ledger *ledger = tempdir_ledger();
    struct pricelist *first = load(ledger, NULL);
    struct pricelist *again = load(ledger, first);
    cr_expect_eq(first, again);
    pricelist_drop(again);
    set_pico(ledger, "m", 5);
    again = load(ledger, first);
    cr_expect_neq(first, again);
    cr_expect_eq(pico_of(first, "m"), 0, "who holds the old one keeps its prices");
    cr_expect_eq(pico_of(again, "m"), 5);
    pricelist_drop(again);
    pricelist_drop(first);
    ledger_close(ledger);
}

Test(pricelist, an_import_replaces_the_one_before_or_changes_nothing)
{
    static struct pricedesk_import out;
    struct ledger *ledger = tempdir_ledger();
    import(ledger, "{\"a\": " ROW(1) ", \"b\": " ROW(2) "}");
    const char *mixed = "{\n"
                        "  \"sample_spec\": {\"mode\": \"one of: chat\"},\n"
                        "  \"b\": " ROW(3) ",\n"
                                           "  \"half\": {\n"
                                           "    \"input_cost_per_token\": 1e-6\n"
                                           "  },\n"
                                           "  \"speech\": {\"input_cost_per_second\": 1},\n"
                                           "  \"B\": " ROW(4) "\n"
                                                              "}\n";
    cr_assert_eq(pricedesk_import(ledger, str_of(mixed), &out, why), ERR_OK, "%s", why);
    cr_expect_eq(out.imported, 1);
    cr_expect_eq(out.unpriced, 2);
    cr_assert_eq(out.refused, 2);
    cr_expect_eq(out.refusals[0].line, 4);
    cr_expect_str_eq(out.refusals[0].model, "half");
    cr_expect_not_null(strstr(out.refusals[0].why, "input without output"));
    cr_expect_eq(out.refusals[1].line, 8);
    cr_expect_not_null(strstr(out.refusals[1].why, "twice"));
    static const char *const bad[] = { "",   "[]",         "{\"c\": ",
                                       "{}", "{\"c\": 1}", "{\"c\": " ROW(1) "} x" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(pricedesk_import(ledger, str_of(bad[i]), &out, why), ERR_BAD, "%s", bad[i]);
        cr_expect_neq(why[0], '\0');
    }
    struct pricelist *list = load(ledger, NULL);
    cr_expect_eq(pico_of(list, "a"), 0);
    cr_expect_eq(pico_of(list, "b"), 3);
    cr_expect_eq(pico_of(list, "c"), 0);
    pricelist_drop(list);
    ledger_close(ledger);
}

static enum err
on_shipped(void *context, enum price_source source, const struct price *price)
{
    uint32_t *count = context;
    struct money_rates rates;
    (*count)++;
    cr_expect_eq(source, PRICE_SHIPPED);
    if (price->alias_of[0] == '\0') {
        pricecard_resolve(price, PRICE_STANDARD, 0, &rates);
        cr_expect_gt(rates.pico[MONEY_IN_FRESH], 0, "%s", price->model);
        cr_expect(rates.pico[MONEY_IN_CACHE_READ] <= rates.pico[MONEY_IN_FRESH], "%s",
                  price->model);
        cr_expect(rates.pico[MONEY_IN_FRESH] < 100000000, "%s: more than $100 a million tokens",
                  price->model);
    }
    return ERR_OK;
}

Test(pricelist, the_shipped_table_is_whole)
{
    struct ledger *ledger = tempdir_ledger();
    uint32_t count = 0;
    cr_assert_eq(shipped_each(on_shipped, &count), ERR_OK);
    cr_expect(count > 50 && count <= PRICES_SHIPPED_MAX);
    struct pricelist *list = load(ledger, NULL);
    cr_expect_eq(pricelist_count(list, PRICE_SHIPPED), count);
    for (uint32_t i = 0; i < count; i++) {
        struct str model = pricelist_at(list, PRICE_SHIPPED, i)->model;
        cr_expect_not_null(pricelist_find(list, model), "%.*s leads nowhere", STR_ARG(model));
    }
    static const char *const todays[] = { "gpt-5.6-sol-2026-07-01",      "claude-opus-5-5",
                                          "anthropic/claude-sonnet-4.5", "models/gemini-3.1-pro",
                                          "claude-haiku-4-5@20251001",   "gpt-5-chat-latest" };
    for (size_t i = 0; i < sizeof(todays) / sizeof(todays[0]); i++) {
        cr_expect_not_null(pricelist_find(list, str_of(todays[i])), "%s", todays[i]);
    }
    pricelist_drop(list);
    ledger_close(ledger);
}

/* As large as the field's file and larger: bounded, and in reasonable time. */
Test(pricelist, takes_a_large_file)
{
    static struct pricedesk_import out;
    struct ledger *ledger = tempdir_ledger();
    struct buf text;
    buf_init(&text, 8u * 1024 * 1024);
    cr_assert_eq(buf_append(&text, STR("{")), ERR_OK);
    for (uint32_t i = 0; i < 5000; i++) {
        cr_assert_eq(buf_printf(&text,
                                "%s\"vendor/model-number-%05u\": {\"max_tokens\": 4096,"
                                "\"supports_vision\": true, \"source\": \"https://example.com\","
                                "\"input_cost_per_token\": %ue-12,"
                                "\"output_cost_per_token\": 2e-6}",
                                i == 0 ? "" : ",\n", i, i + 1),
                     ERR_OK);
    }
    cr_assert_eq(buf_append(&text, STR("}")), ERR_OK);
    cr_assert_eq(pricedesk_import(ledger, buf_str(&text), &out, why), ERR_OK, "%s", why);
    cr_expect_eq(out.imported, 5000);
    struct pricelist *list = load(ledger, NULL);
    cr_expect_eq(pico_of(list, "vendor/model-number-00000"), 1);
    cr_expect_eq(pico_of(list, "vendor/model-number-04999"), 5000);
    pricelist_drop(list);
    buf_fini(&text);
    ledger_close(ledger);
}

Test(pricelist, rates_follow_service_and_size)
{
    struct ledger *ledger = tempdir_ledger();
    const struct money_rates *rates = NULL;
    struct pricelist *list = load(ledger, NULL);
    const struct pricecard *card = pricelist_find(list, STR("gpt-5.4"));
    cr_assert_not_null(card);
    cr_expect_eq(pricecard_rates(card, PRICE_STANDARD, 272000, &rates), PRICE_STANDARD);
    cr_expect_eq(rates->pico[MONEY_OUT_TEXT], 15000000);
    cr_expect_eq(pricecard_rates(card, PRICE_STANDARD, 272001, &rates), PRICE_STANDARD);
    cr_expect_eq(rates->pico[MONEY_OUT_TEXT], 22500000);
    cr_expect_eq(pricecard_rates(card, PRICE_PRIORITY, 5, &rates), PRICE_PRIORITY);
    cr_expect_eq(rates->pico[MONEY_OUT_TEXT], 30000000);
    cr_expect_eq(pricecard_rates(card, PRICE_FLEX, 300000, &rates), PRICE_FLEX);
    cr_expect_eq(rates->pico[MONEY_OUT_TEXT], 11250000);
    card = pricelist_find(list, STR("gpt-5.4-nano"));
    cr_expect_eq(pricecard_rates(card, PRICE_PRIORITY, 5, &rates), PRICE_STANDARD,
                 "not sold in this tier");
    pricelist_drop(list);
    ledger_close(ledger);
}

Test(pricelist, what_is_remembered_is_what_is_found)
{
    struct ledger *ledger = tempdir_ledger();
    struct pricelist *list = load(ledger, NULL);
    uint32_t prices = 0;
    /* More names than are remembered, also such as differ in their middle only, and in turn again.
     */
    for (unsigned round = 0; round < 2000; round++) {
        char model[64];
        unsigned kind = round * 7 % 300;
        snprintf(model, sizeof(model), kind % 3 == 0 ? "gpt-4o" : "gpt-4o-nothing-%u-of-this-kind",
                 kind);
        struct pricelist_found found;
        const struct pricecard *want =
            pricelist_explain(list, str_of(model), &found) ? found.card : NULL;
        cr_assert_eq(pricelist_find(list, str_of(model)), want, "%s", model);
        prices += want != NULL;
    }
    cr_expect(prices > 500 && prices < 1500);
    cr_expect_null(pricelist_find(list, STR("")));
    pricelist_drop(list);
    ledger_close(ledger);
}
