/* Totals inside one transaction: whom a record counts for, what stops at its end, what is stored.
 */
#include "store/tally.h"

#include <string.h>

#include "tests/unit/store/tempdir.h"

TestSuite(tally, .init = tempdir_make, .fini = tempdir_remove);

static struct tally tally;

static struct kv *
open_kv(void)
{
    struct kv *kv = NULL;
    char why[256];
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    return kv;
}

static struct ledger_record
make_record(void)
{
    return (struct ledger_record){ .version = LEDGER_RECORD_VERSION,
                                   .status = 200,
                                   .key_id = 1,
                                   .user_id = 2,
                                   .group_id = 3,
                                   .account_id = 4,
                                   .start_wall_ms = 1795262400000ull,
                                   .in_fresh = 1,
                                   .in_cache_read = 10,
                                   .in_cache_write_5m = 100,
                                   .in_cache_write_1h = 1000,
                                   .out_total = 7,
                                   .cost_nano = 50,
                                   .upstream_nano = 20,
                                   .is_last = 1,
                                   .model = "m" };
}

struct batch {
    const struct ledger_record *records;
    uint32_t count;
};

static enum err
add_in_txn(struct kv_txn *txn, void *context)
{
    const struct batch *batch = context;
    tally_begin(&tally);
    for (uint32_t i = 0; i < batch->count; i++) {
        enum err err = tally_add(&tally, txn, &batch->records[i]);
        if (err != ERR_OK) {
            return err;
        }
    }
    return tally_end(&tally, txn);
}

static void
add(struct kv *kv, const struct ledger_record *records, uint32_t count)
{
    struct batch batch = { records, count };
    cr_assert_eq(kv_write(kv, add_in_txn, &batch), ERR_OK);
}

static struct ledger_total
total(struct kv *kv, enum model_kind kind, uint64_t id)
{
    struct ledger_total out;
    struct kv_txn *txn = NULL;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(tally_read(txn, kind, id, &out), ERR_OK);
    kv_end(txn);
    return out;
}

Test(tally, counts_a_record_for_each_object_it_names)
{
    static const uint64_t ids[MODEL_KINDS] = {
        [MODEL_USER] = 2, [MODEL_KEY] = 1, [MODEL_GROUP] = 3, [MODEL_ACCOUNT] = 4, [MODEL_PLAN] = 9
    };
    struct kv *kv = open_kv();
    struct ledger_record record = make_record();
    record.subscription_id = 9;
    add(kv, &record, 1);
    for (uint32_t i = 0; i < MODEL_KINDS; i++) {
        struct ledger_total sum = total(kv, (enum model_kind)i, ids[i]);
        cr_expect(sum.requests == 1 && sum.failures == 0, "kind %u", i);
        cr_expect(sum.tokens_in == 1111 && sum.tokens_out == 7, "kind %u", i);
        cr_expect(sum.cost_nano == 50 && sum.upstream_nano == 20, "kind %u", i);
        cr_expect_eq(sum.last_used_ms, record.start_wall_ms);
        cr_expect_eq(total(kv, (enum model_kind)i, 77).requests, 0, "never seen: all zero");
    }
    /* The same number is another object in another kind. */
    cr_expect_eq(total(kv, MODEL_USER, 1).requests, 0);
    kv_close(kv);
}

Test(tally, adds_to_what_is_stored)
{
    struct kv *kv = open_kv();
    struct ledger_record records[2] = { make_record(), make_record() };
    records[1].start_wall_ms -= 5000; /* came late */
    records[1].status = 502;
    add(kv, records, 2);
    add(kv, records, 1);
    struct ledger_total sum = total(kv, MODEL_KEY, 1);
    cr_expect(sum.requests == 3 && sum.failures == 1 && sum.tokens_out == 21);
    cr_expect_eq(sum.last_used_ms, records[0].start_wall_ms, "a late one does not turn it back");
    kv_close(kv);
}

/* What is not charged is nobody's use but the account's; what it cost the operator is known of all.
 */
Test(tally, attempts_that_are_not_charged_count_for_their_account)
{
    struct kv *kv = open_kv();
    struct ledger_record records[2] = { make_record(), make_record() };
    records[0].is_last = 0;
    records[0].cost_nano = 0;
    records[1].flags = LEDGER_FREE;
    records[1].cost_nano = 0;
    snprintf(records[1].code, sizeof(records[1].code), "upstream_error");
    add(kv, records, 2);
    struct ledger_total key = total(kv, MODEL_KEY, 1);
    cr_expect(key.requests == 1 && key.failures == 1, "one request, whatever was tried");
    cr_expect(key.tokens_in == 0 && key.tokens_out == 0 && key.upstream_nano == 40);
    struct ledger_total account = total(kv, MODEL_ACCOUNT, 4);
    cr_expect(account.requests == 2 && account.tokens_in == 2222 && account.tokens_out == 14);
    kv_close(kv);
}

Test(tally, sums_stop_at_their_greatest_value)
{
    struct kv *kv = open_kv();
    struct ledger_record records[2] = { make_record(), make_record() };
    records[0].in_fresh = UINT64_MAX - 5;
    records[0].cost_nano = INT64_MAX - 1;
    records[0].out_total = UINT64_MAX;
    add(kv, records, 2);
    struct ledger_total sum = total(kv, MODEL_KEY, 1);
    cr_expect_eq(sum.tokens_in, UINT64_MAX);
    cr_expect_eq(sum.tokens_out, UINT64_MAX);
    cr_expect_eq(sum.cost_nano, INT64_MAX);
    cr_expect_eq(sum.requests, 2);
    kv_close(kv);
}

/* More objects than cells, mixed: each cell is written and read again many times. */
Test(tally, collisions_lose_nothing)
{
    enum { KEYS = 3 * TALLY_CELLS, ROUNDS = 2 };
    static struct ledger_record records[KEYS * ROUNDS];
    struct kv *kv = open_kv();
    for (uint32_t i = 0; i < KEYS * ROUNDS; i++) {
        records[i] = make_record();
        records[i].key_id = i % KEYS + 1;
        records[i].user_id = i % 5 + 1;
        records[i].account_id = 0; /* none was reached */
        records[i].group_id = i % KEYS + 1;
    }
    add(kv, records, KEYS * ROUNDS);
    for (uint32_t i = 1; i <= KEYS; i++) {
        cr_assert_eq(total(kv, MODEL_KEY, i).requests, ROUNDS, "key %u", i);
        cr_assert_eq(total(kv, MODEL_GROUP, i).tokens_out, ROUNDS * 7, "group %u", i);
    }
    uint64_t users = 0;
    for (uint32_t i = 1; i <= 5; i++) {
        users += total(kv, MODEL_USER, i).requests;
    }
    cr_expect_eq(users, KEYS * ROUNDS);
    cr_expect_eq(total(kv, MODEL_ACCOUNT, 0).requests, 0);
    kv_close(kv);
}

/* As the first layout wrote it: six numbers; and rows that nobody wrote. */
static enum err
write_row(struct kv_txn *txn, void *context)
{
    uint8_t key[9] = { MODEL_KEY };
    kv_pack64(key + 1, 1);
    return kv_put(txn, KV_TOTAL, str_make((const char *)key, sizeof(key)), *(struct str *)context);
}

Test(tally, reads_rows_of_older_layouts_and_refuses_damaged_ones)
{
    struct kv *kv = open_kv();
    uint8_t old[6 * 8];
    for (uint32_t i = 0; i < 6; i++) {
        kv_pack64(old + (size_t)8 * i, i + 1);
    }
    struct str row = str_make((const char *)old, sizeof(old));
    cr_assert_eq(kv_write(kv, write_row, &row), ERR_OK);
    struct ledger_total sum = total(kv, MODEL_KEY, 1);
    cr_expect(sum.requests == 1 && sum.failures == 2 && sum.tokens_in == 3);
    cr_expect(sum.tokens_out == 4 && sum.cost_nano == 5 && sum.last_used_ms == 6);
    cr_expect(sum.upstream_nano == 0 && sum.balance_nano == 0);
    static const size_t bad[] = { 0, 1, 5 * 8, 6 * 8 + 1, 60 * 8 };
    static char bytes[60 * 8];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct kv_txn *txn = NULL;
        row = str_make(bytes, bad[i]);
        cr_assert_eq(kv_write(kv, write_row, &row), ERR_OK);
        cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
        cr_expect_eq(tally_read(txn, MODEL_KEY, 1, &sum), ERR_BAD, "%zu bytes", bad[i]);
        kv_end(txn);
    }
    kv_close(kv);
}
