/* What an admin does with prices: each thing whole or not at all. */
#include "store/pricedesk.h"

#include "tests/unit/store/tempdir.h"

TestSuite(pricedesk, .init = tempdir_make, .fini = tempdir_remove);

static char why[PRICE_WHY_BYTES];
static struct pricedesk_import import;

static enum err
set(struct ledger *ledger, const char *model, const char *row)
{
    struct json_value value;
    struct price price;
    cr_assert_eq(json_read(str_of(row), &value, NULL), ERR_OK, "%s", row);
    cr_assert_eq(price_read(str_of(model), value, &price, why), ERR_OK, "%s: %s", model, why);
    return pricedesk_set(ledger, &price);
}

#define ROW(dollars) "{\"input_cost_per_token\":" dollars ",\"output_cost_per_token\":1e-6}"

Test(pricedesk, sets_and_removes_the_operators_own)
{
    struct ledger *ledger = tempdir_ledger();
    struct price price;
    cr_expect_eq(pricedesk_get(ledger, PRICE_OWN, STR("m"), &price), ERR_GONE);
    cr_expect_eq(set(ledger, "m", ROW("1e-6")), ERR_OK);
    cr_expect_eq(set(ledger, "m", ROW("2e-6")), ERR_OK);
    cr_expect_eq(pricedesk_get(ledger, PRICE_OWN, STR("m"), &price), ERR_OK);
    cr_expect_eq(price.pico[PRICE_STANDARD][0][MONEY_IN_FRESH], 2000000,
                 "in place of the older one");
    cr_expect_eq(pricedesk_get(ledger, PRICE_IMPORTED, STR("m"), &price), ERR_GONE);
    cr_expect_eq(pricedesk_get(ledger, PRICE_SHIPPED, STR("gpt-4o"), &price), ERR_OK);
    cr_expect_eq(pricedesk_remove(ledger, STR("m")), ERR_OK);
    cr_expect_eq(pricedesk_remove(ledger, STR("m")), ERR_GONE);
    cr_expect_eq(pricedesk_remove(ledger, STR("gpt-4o")), ERR_GONE, "a shipped one stays");
    ledger_close(ledger);
}

Test(pricedesk, imports_the_rows_that_are_prices_and_tells_of_the_others)
{
    struct ledger *ledger = tempdir_ledger();
    struct price price;
    cr_assert_eq(
        pricedesk_import(
            ledger,
            STR("{\"a\":" ROW(
                "1e-6") ",\n\"b\":{\"input_cost_per_second\":1},\n"
                        "\"c\":{\"input_cost_per_token\":-1,\"output_cost_per_token\":1},\n"
                        "\"d\":7}"),
            &import, why),
        ERR_OK, "%s", why);
    cr_expect_eq(import.imported, 1);
    cr_expect_eq(import.unpriced + import.refused, 3);
    cr_assert_geq(import.refused, 1);
    cr_expect_str_eq(import.refusals[0].model, "c");
    cr_expect_eq(import.refusals[0].line, 3);
    cr_expect_neq(import.refusals[0].why[0], '\0');
    cr_assert_eq(pricedesk_import(ledger, STR("{\"z\":" ROW("1e-6") "}"), &import, why), ERR_OK);
    cr_expect_eq(pricedesk_get(ledger, PRICE_IMPORTED, STR("a"), &price), ERR_GONE, "replaced");
    cr_expect_eq(pricedesk_get(ledger, PRICE_IMPORTED, STR("z"), &price), ERR_OK);
    ledger_close(ledger);
}

Test(pricedesk, changes_nothing_by_a_file_that_is_none)
{
    static const char *const bad[] = { "",          "[]",      "null",         "{}",
                                       "{\"a\":1}", "{\"a\":", "{\"a\":{}} x", "\"a\"" };
    struct ledger *ledger = tempdir_ledger();
    struct price price;
    cr_assert_eq(pricedesk_import(ledger, STR("{\"a\":" ROW("1e-6") "}"), &import, why), ERR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why[0] = '\0';
        cr_expect_eq(pricedesk_import(ledger, str_of(bad[i]), &import, why), ERR_BAD, "%s", bad[i]);
        cr_expect_neq(why[0], '\0', "%s", bad[i]);
        cr_expect_eq(pricedesk_get(ledger, PRICE_IMPORTED, STR("a"), &price), ERR_OK, "%s", bad[i]);
    }
    ledger_close(ledger);
}

Test(pricedesk, finds_the_operators_own_before_the_others)
{
    struct ledger *ledger = tempdir_ledger();
    struct pricelist *list = NULL;
    struct pricelist *next = NULL;
    cr_assert_eq(pricedesk_list(ledger, NULL, &list), ERR_OK);
    cr_expect_null(pricelist_find(list, STR("mine")));
    cr_expect_not_null(pricelist_find(list, STR("gpt-4o")));
    cr_assert_eq(set(ledger, "mine", ROW("1e-6")), ERR_OK);
    cr_assert_eq(pricedesk_list(ledger, list, &next), ERR_OK);
    cr_expect_not_null(pricelist_find(next, STR("mine")));
    pricelist_drop(next);
    pricelist_drop(list);
    ledger_close(ledger);
}
