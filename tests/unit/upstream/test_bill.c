/* What a record costs, by what its lease says: who pays, what is free, what does not fit. */
#include "upstream/bill.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "store/price.h"

static struct lease_bill
make_bill(void)
{
    struct lease_bill bill = { .multiplier_ppm = 2 * MONEY_PPM_ONE,
                               .account_ppm = MONEY_PPM_ONE / 2,
                               .price_source = PRICE_SHIPPED,
                               .is_billable = 1 };
    /* Picodollars: 1,000 are a nanodollar. */
    bill.rates.pico[MONEY_IN_FRESH] = 1000;
    bill.rates.pico[MONEY_OUT_TEXT] = 10000;
    bill.rates.pico[MONEY_IMAGE] = 1000000;
    bill.rates.pico[MONEY_REQUEST] = 100000;
    bill.upstream = bill.rates;
    return bill;
}

static struct ledger_record
make_record(void)
{
    return (struct ledger_record){
        .status = 200, .source = LEDGER_UPSTREAM, .in_fresh = 100, .out_total = 10, .is_last = 1
    };
}

Test(bill, charges_the_user_by_its_multiplier_and_the_operator_by_the_accounts)
{
    struct lease_bill bill = make_bill();
    struct ledger_record record = make_record();
    bill.tier = 1;
    bill_fill(&bill, true, &record);
    /* 100 tokens in, 10 out, one request: 100 + 100 + 100 nanodollars at the list's price. */
    cr_expect_eq(record.cost_nano, 600);
    cr_expect_eq(record.upstream_nano, 150);
    cr_expect_eq(record.requests, 1);
    cr_expect_eq(record.flags, 0);
    cr_expect_eq(memcmp(&record.rates, &bill.rates, sizeof(record.rates)), 0);
    cr_expect(record.multiplier_ppm == bill.multiplier_ppm &&
              record.account_ppm == bill.account_ppm && record.tier == 1 &&
              record.price_source == PRICE_SHIPPED);
}

Test(bill, images_are_priced_one_by_one_only_where_no_tokens_are_reported)
{
    struct lease_bill bill = make_bill();
    struct ledger_record record = make_record();
    bill.images = 3;
    bill_fill(&bill, true, &record);
    cr_expect_eq(record.images, 0, "the provider's report has them in its tokens");
    record = make_record();
    record.source = LEDGER_ESTIMATED;
    bill_fill(&bill, true, &record);
    cr_expect_eq(record.images, 3);
    cr_expect_eq(record.cost_nano, 600 + 2 * 3000);
    record = make_record();
    record.source = LEDGER_ESTIMATED;
    record.status = 500;
    bill_fill(&bill, true, &record);
    cr_expect_eq(record.images, 0, "a failure made none");
}

Test(bill, a_failure_that_delivered_nothing_is_free)
{
    struct lease_bill bill = make_bill();
    struct ledger_record record = make_record();
    record.status = 502;
    bill_fill(&bill, false, &record);
    cr_expect((record.flags & LEDGER_FREE) != 0 && record.cost_nano == 0);
    cr_expect_eq(record.requests, 0);
    cr_expect_eq(record.upstream_nano, 100, "the operator pays for what was used");
    cr_expect_eq(bill_tokens(&record), 0);
    /* Something reached the client before it broke: that is paid. */
    record = make_record();
    snprintf(record.code, sizeof(record.code), "upstream_error");
    bill_fill(&bill, true, &record);
    cr_expect((record.flags & LEDGER_FREE) == 0 && record.cost_nano == 400, "%lld",
              (long long)record.cost_nano);
    cr_expect_eq(bill_tokens(&record), 110);
}

Test(bill, without_a_price_it_says_so)
{
    struct lease_bill bill = { .multiplier_ppm = MONEY_PPM_ONE,
                               .account_ppm = MONEY_PPM_ONE,
                               .price_source = PRICE_NONE,
                               .is_billable = 1 };
    struct ledger_record record = make_record();
    bill_fill(&bill, true, &record);
    cr_expect((record.flags & LEDGER_UNPRICED) != 0 && record.cost_nano == 0);
    bill.is_billable = 0;
    record = make_record();
    bill_fill(&bill, true, &record);
    cr_expect((record.flags & LEDGER_UNPRICED) == 0, "nothing was to be paid");
    cr_expect_eq(record.requests, 0);
}

Test(bill, tells_a_cost_that_does_not_fit)
{
    struct lease_bill bill = make_bill();
    struct ledger_record record = make_record();
    bill.rates.pico[MONEY_IN_FRESH] = MONEY_PICO_MAX;
    record.in_fresh = MONEY_COUNT_MAX;
    bill_fill(&bill, true, &record);
    cr_expect_eq(record.cost_nano, INT64_MAX);
    cr_expect((record.flags & LEDGER_CUT) != 0);
    record = make_record();
    bill = make_bill();
    bill.upstream.pico[MONEY_OUT_TEXT] = MONEY_PICO_MAX;
    record.out_total = MONEY_COUNT_MAX;
    bill_fill(&bill, true, &record);
    cr_expect((record.flags & LEDGER_CUT) != 0 && record.upstream_nano == INT64_MAX);
}

Test(bill, counts_tokens_of_the_attempt_that_answered)
{
    struct ledger_record record = make_record();
    record.in_cache_read = 1;
    record.in_cache_write_5m = 2;
    record.in_cache_write_1h = 3;
    record.out_reasoning = 5; /* in out_total already */
    cr_expect_eq(bill_tokens(&record), 116);
    record.is_last = 0;
    cr_expect_eq(bill_tokens(&record), 0);
}
