/* Hours add up to what their records say, whatever order they come in and however many there are.
 */
#include "store/rollup.h"

#include "tests/unit/store/tempdir.h"

TestSuite(rollup, .init = tempdir_make, .fini = tempdir_remove);

#define HOUR ROLLUP_HOUR_MS
#define START (498000ull * HOUR)

static struct ledger_record
make(uint64_t hour, uint64_t key, const char *model)
{
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .status = 200,
                                    .source = LEDGER_UPSTREAM,
                                    .key_id = key,
                                    .user_id = key + 100,
                                    .group_id = 3,
                                    .account_id = 4,
                                    .start_wall_ms = START + hour * HOUR + 5,
                                    .first_byte_ms = 10,
                                    .duration_ms = 20,
                                    .in_fresh = 1,
                                    .in_cache_read = 2,
                                    .in_cache_write_5m = 3,
                                    .in_cache_write_1h = 4,
                                    .out_total = 5,
                                    .out_reasoning = 6,
                                    .cost_nano = 7,
                                    .upstream_nano = 8,
                                    .charged = LEDGER_BALANCE,
                                    .is_last = 1 };
    snprintf(record.model, sizeof record.model, "%s", model);
    return record;
}

static void
commit(struct ledger *ledger, uint64_t sequence, const struct ledger_record *records,
       uint32_t count)
{
    struct ledger_batch batch = { 1, 77, sequence, records, count, NULL, NULL };
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
}

static struct rollup_row rows[4096];
static uint32_t row_count;

static enum err
take(void *context, const struct rollup_row *row)
{
    (void)context;
    cr_assert_lt(row_count, 4096);
    rows[row_count++] = *row;
    return ERR_OK;
}

/* Closes the ledger: a process has one store open. */
static void
read_rows(struct ledger *ledger, uint64_t from, uint64_t to)
{
    struct kv *kv = NULL;
    struct kv_txn *txn = NULL;
    ledger_close(ledger);
    row_count = 0;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_READ, &kv), ERR_OK);
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    uint32_t first = (uint32_t)(START / HOUR);
    cr_assert_eq(rollup_each(txn, first + (uint32_t)from, first + (uint32_t)to, take, NULL),
                 ERR_OK);
    kv_end(txn);
    kv_close(kv);
}

Test(rollup, rows_are_kept_apart_by_hour_key_and_model)
{
    struct ledger *ledger = tempdir_ledger();
    struct ledger_record records[] = { make(0, 1, "a"), make(0, 1, "a"), make(0, 1, "b"),
                                       make(0, 2, "a"), make(1, 1, "a"), make(0, 1, "") };
    records[1].status = 502;
    records[1].is_last = 0;
    records[1].first_byte_ms = 0;
    records[1].source = LEDGER_ESTIMATED;
    records[1].charged = 0;
    commit(ledger, 0, records, 6);
    read_rows(ledger, 0, 1);
    cr_assert_eq(row_count, 4);
    cr_expect_str_eq(rows[0].model, "");
    const struct rollup_row *a = &rows[1];
    cr_expect(a->key_id == 1 && a->user_id == 101 && a->group_id == 3 && a->account_id == 4);
    cr_expect_str_eq(a->model, "a");
    cr_expect(a->sums.requests == 1 && a->sums.attempts == 2 && a->sums.failures == 1);
    cr_expect(a->sums.in_fresh == 2 && a->sums.in_cache_read == 4 && a->sums.in_cache_write == 14);
    cr_expect(a->sums.out_total == 10 && a->sums.out_reasoning == 12);
    cr_expect(a->sums.cost_nano == 14 && a->sums.balance_nano == 7 && a->sums.upstream_nano == 16);
    cr_expect(a->sums.first_byte_ms == 10 && a->sums.first_bytes == 1 && a->sums.estimated == 1);
    cr_expect(rows[3].key_id == 2);
}

Test(rollup, more_rows_than_fit_in_memory_lose_nothing)
{
    static struct ledger_record records[3000];
    struct ledger *ledger = tempdir_ledger();
    for (uint32_t i = 0; i < 3000; i++) {
        records[i] = make(i % 2, 1 + i * 7919 % 700, i % 3 == 0 ? "x" : "y");
    }
    commit(ledger, 0, records, 1500);
    commit(ledger, 1500, records + 1500, 1500);
    commit(ledger, 0, records, 1500); /* again: is there already */
    read_rows(ledger, 0, 2);
    uint64_t requests = 0;
    uint64_t cost = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        requests += rows[i].sums.requests;
        cost += rows[i].sums.cost_nano;
    }
    cr_expect(row_count > 4 * ROLLUP_CELLS && requests == 3000 && cost == 21000, "%u %lu",
              row_count, (unsigned long)requests);
}

Test(rollup, a_span_has_its_hours_only)
{
    struct ledger *ledger = tempdir_ledger();
    struct ledger_record records[6];
    for (uint32_t i = 0; i < 6; i++) {
        records[i] = make(i, 1, "a");
    }
    commit(ledger, 0, records, 6);
    read_rows(ledger, 2, 4);
    cr_assert_eq(row_count, 2);
    cr_expect_eq(rows[0].hour, START / HOUR + 2);
    cr_expect_eq(rows[1].hour, START / HOUR + 3);
}

Test(rollup, sums_stop_at_their_end)
{
    struct rollup_sums a = { .cost_nano = UINT64_MAX - 1, .requests = 1 };
    const struct rollup_sums b = { .cost_nano = 5, .requests = 2 };
    rollup_sum(&a, &b);
    cr_expect(a.cost_nano == UINT64_MAX && a.requests == 3);
}
