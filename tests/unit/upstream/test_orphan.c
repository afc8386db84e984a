/* The bill of a dead worker's request. */
#include <criterion/criterion.h>
#include <string.h>

#include "upstream/orphan.h"

static struct lease_view
lease_of_a_stream(void)
{
    return (struct lease_view){
        .state = LEASE_ORPHAN,
        .data = { .key_id = 1,
                  .user_id = 2,
                  .group_id = 3,
                  .account_id = 4,
                  .start_ms = 1000,
                  .start_wall_ms = 99,
                  .first_byte_ms = 1200,
                  .last_byte_ms = 4000,
                  .bytes_in = 10,
                  .bytes_out = 20,
                  .tokens = { 5, 6, 7, 8, 9, 3 },
                  .status = 200,
                  .endpoint = 4,
                  .client_dialect = 1,
                  .upstream_dialect = 2,
                  .is_stream = 1,
                  .attempt = 2,
                  .request_id = "req-1",
                  .model = "asked",
                  .model_sent = "sent",
                  .address = "192.0.2.1" },
    };
}

Test(orphan, is_billed_what_its_lease_saw)
{
    struct lease_view lease = lease_of_a_stream();
    struct ledger_record record;
    memset(&record, 0xff, sizeof record);
    cr_assert(orphan_bill(&lease, &record));
    cr_expect_eq(record.version, LEDGER_RECORD_VERSION);
    cr_expect(record.key_id == 1 && record.user_id == 2 && record.group_id == 3 &&
              record.account_id == 4);
    cr_expect(record.in_fresh == 5 && record.in_cache_read == 6 && record.in_cache_write_5m == 7 &&
              record.in_cache_write_1h == 8 && record.out_total == 9 && record.out_reasoning == 3);
    cr_expect_eq(record.source, LEDGER_PARTIAL);
    cr_expect(record.status == 200 && record.endpoint == 4 && record.is_stream == 1);
    cr_expect(record.client_dialect == 1 && record.upstream_dialect == 2 && record.attempt == 2);
    cr_expect(record.first_byte_ms == 200 && record.duration_ms == 3000);
    cr_expect(record.start_wall_ms == 99 && record.bytes_in == 10 && record.bytes_out == 20);
    cr_expect_eq(record.is_last, 1);
    cr_expect_str_eq(record.request_id, "req-1");
    cr_expect_str_eq(record.code, "worker_died");
    cr_expect_str_eq(record.model, "asked");
    cr_expect_str_eq(record.model_sent, "sent");
    cr_expect_str_eq(record.address, "192.0.2.1");
    cr_expect_eq(record.pad, 0);
}

Test(orphan, that_reached_no_account_leaves_no_record)
{
    struct lease_view lease = lease_of_a_stream();
    lease.data.account_id = 0;
    struct ledger_record record;
    cr_expect(!orphan_bill(&lease, &record));
}

Test(orphan, without_a_byte_has_no_usage_and_no_times)
{
    struct lease_view lease = lease_of_a_stream();
    lease.data.tokens = (struct lease_tokens){ 0 };
    lease.data.first_byte_ms = 0;
    lease.data.last_byte_ms = 0;
    lease.data.status = 0;
    struct ledger_record record;
    cr_assert(orphan_bill(&lease, &record));
    cr_expect_eq(record.source, LEDGER_NONE);
    cr_expect_eq(record.status, 500);
    cr_expect(record.first_byte_ms == 0 && record.duration_ms == 0);
}

Test(orphan, of_cache_tokens_alone_is_a_partial_report)
{
    struct lease_view lease = lease_of_a_stream();
    lease.data.tokens = (struct lease_tokens){ .in_cache_read = 1 };
    struct ledger_record record;
    cr_assert(orphan_bill(&lease, &record));
    cr_expect_eq(record.source, LEDGER_PARTIAL);
}

Test(orphan, with_torn_values_stays_in_bounds)
{
    struct lease_view lease = lease_of_a_stream();
    lease.data.first_byte_ms = 1;                           /* before the start */
    lease.data.last_byte_ms = UINT64_MAX;                   /* longer than a record can say */
    memset(lease.data.model, 'm', sizeof lease.data.model); /* no NUL */
    memset(lease.data.address, 'a', sizeof lease.data.address);
    struct ledger_record record;
    cr_assert(orphan_bill(&lease, &record));
    cr_expect_eq(record.first_byte_ms, 0);
    cr_expect_eq(record.duration_ms, UINT32_MAX);
    cr_expect_eq(strlen(record.model), sizeof record.model - 1);
    cr_expect_eq(strlen(record.address), sizeof record.address - 1);
}

/* The worker would have come to the same sum: prices and multipliers stand in the lease. */
Test(orphan, is_charged_at_the_prices_of_its_lease)
{
    struct lease_view lease = lease_of_a_stream();
    struct ledger_record record;
    struct lease_bill *bill = &lease.data.bill;
    bill->is_billable = 1;
    bill->price_source = 1;
    bill->tier = 1;
    bill->multiplier_ppm = 2000000;
    bill->account_ppm = 500000;
    bill->rates.pico[MONEY_IN_FRESH] = 1000000;
    bill->rates.pico[MONEY_OUT_TEXT] = 3000000;
    bill->rates.pico[MONEY_OUT_REASONING] = 4000000;
    bill->upstream.pico[MONEY_IN_FRESH] = 7000000;
    cr_assert(orphan_bill(&lease, &record));
    /* 5 fresh, 6 of 9 out are text, 3 are reasoning: 5 + 18 + 12 microdollars, twice */
    cr_expect_eq(record.cost_nano, 70000);
    cr_expect_eq(record.upstream_nano, 17500);
    cr_expect(record.flags == 0 && record.tier == 1 && record.price_source == 1);
    lease.data.tokens.is_estimated = 1;
    cr_assert(orphan_bill(&lease, &record));
    cr_expect_eq(record.source, LEDGER_ESTIMATED);
    lease.data.bytes_out = 0;
    cr_assert(orphan_bill(&lease, &record));
    cr_expect(record.cost_nano == 0 && record.flags == LEDGER_FREE, "nothing was delivered");
    cr_expect_eq(record.upstream_nano, 17500);
    bill->price_source = 0;
    cr_assert(orphan_bill(&lease, &record));
    cr_expect_eq(record.flags, LEDGER_FREE | LEDGER_UNPRICED);
}
