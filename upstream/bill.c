#include "upstream/bill.h"

#include "store/price.h"
#include "store/record.h"

void
bill_fill(const struct lease_bill *bill, bool is_delivered, struct ledger_record *record)
{
    struct money_amounts amounts;
    bool is_good = record->status < 300 && record->code[0] == '\0';
    record_set_rates(record, &bill->rates);
    record->multiplier_ppm = bill->multiplier_ppm;
    record->account_ppm = bill->account_ppm;
    record->tier = bill->tier;
    record->price_source = bill->price_source;
    record->images = is_good && record->source != LEDGER_UPSTREAM ? bill->images : 0;
    record->requests = is_good && bill->is_billable != 0 ? 1 : 0;
    if (bill->is_billable != 0 && bill->price_source == PRICE_NONE) {
        record->flags |= LEDGER_UNPRICED;
    }
    if (!is_good && !is_delivered) {
        record->flags |= LEDGER_FREE;
    }
    record->cost_nano = record_cost(record);
    record_amounts(record, &amounts);
    bool fits = money_cost(&bill->upstream, &amounts, bill->account_ppm, &record->upstream_nano);
    if (!fits || record->cost_nano == INT64_MAX) {
        record->flags |= LEDGER_CUT;
    }
}

uint64_t
bill_tokens(const struct ledger_record *record)
{
    if (record->is_last == 0 || (record->flags & LEDGER_FREE) != 0) {
        return 0;
    }
    return record->in_fresh + record->in_cache_read + record->in_cache_write_5m +
           record->in_cache_write_1h + record->out_total;
}
