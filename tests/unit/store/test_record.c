#include "store/record.h"

#include "store/kv.h"
#include "tests/unit/store/tempdir.h"

TestSuite(record, .init = tempdir_make, .fini = tempdir_remove);

/* As layout 1 wrote it: 512 bytes, these offsets. */
static void
make_old(uint8_t bytes[512])
{
    uint32_t version = 1;
    uint16_t status = 200;
    uint64_t key_id = 7;
    uint64_t fresh = 100;
    uint64_t out = 20;
    uint64_t reasoning = 5;
    memset(bytes, 0, 512);
    memcpy(bytes, &version, 4);
    memcpy(bytes + 4, &status, 2);
    memcpy(bytes + 8, &key_id, 8);
    memcpy(bytes + 56, &fresh, 8);
    memcpy(bytes + 88, &out, 8);
    memcpy(bytes + 96, &reasoning, 8);
    bytes[132] = 1; /* is_last */
    memcpy(bytes + 136, "req_old", 7);
    memcpy(bytes + 200, "gpt-4o", 6);
    memcpy(bytes + 392, "127.0.0.1", 9);
}

static enum err
put_old(struct kv_txn *txn, void *context)
{
    struct kv_id id;
    enum err err = kv_put(txn, KV_META, STR("layout"), kv_id(&id, 1));
    err = err != ERR_OK ? err : kv_append(txn, KV_USAGE, kv_id(&id, 1), str_make(context, 512));
    return err != ERR_OK ? err : kv_put(txn, KV_META, STR("next_usage"), kv_id(&id, 2));
}

Test(record, of_layout_1_is_read_after_the_store_was_upgraded)
{
    uint8_t old[512];
    char why[256];
    struct kv *kv = NULL;
    struct ledger *ledger = NULL;
    struct ledger_record records[4];
    uint64_t sequences[4];
    uint32_t count = 0;
    make_old(old);
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    cr_assert_eq(kv_write(kv, put_old, old), ERR_OK);
    kv_close(kv);

    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    struct ledger_record fresh = { .version = LEDGER_RECORD_VERSION, .key_id = 7, .is_last = 1 };
    struct ledger_batch batch = { .slot = 0, .run_id = 1, .records = &fresh, .count = 1 };
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
    cr_assert_eq(ledger_recent(ledger, 0, records, sequences, 4, &count), ERR_OK);
    cr_assert_eq(count, 2);
    cr_expect_eq(sequences[0], 2);
    cr_expect_eq(sequences[1], 1);
    cr_expect_eq(records[1].key_id, 7);
    cr_expect_eq(records[1].status, 200);
    cr_expect_eq(records[1].in_fresh, 100);
    cr_expect_eq(records[1].out_total, 20);
    cr_expect_eq(records[1].out_reasoning, 5);
    cr_expect_eq(records[1].flags, LEDGER_UNPRICED);
    cr_expect_eq(record_cost(&records[1]), 0);
    cr_expect_str_eq(records[1].request_id, "req_old");
    cr_expect_str_eq(records[1].model, "gpt-4o");
    cr_expect_str_eq(records[1].address, "127.0.0.1");
    ledger_close(ledger);
}

Test(record, of_no_known_layout_is_refused)
{
    uint8_t bytes[600] = { 4 };
    struct ledger_record record;
    cr_expect_eq(record_read(str_make((char *)bytes, LEDGER_RECORD_BYTES), &record), ERR_BAD);
    cr_expect_eq(record_read(str_make((char *)bytes, 512), &record), ERR_BAD);
    bytes[0] = 2;
    cr_expect_eq(record_read(str_make((char *)bytes, 512), &record), ERR_BAD);
    cr_expect_eq(record_read(str_make((char *)bytes, 3), &record), ERR_BAD);
    cr_expect_eq(record_read(str_make((char *)bytes, LEDGER_RECORD_BYTES), &record), ERR_BAD);
    cr_expect_eq(record_read(str_make((char *)bytes, 560), &record), ERR_OK);
}

/* Every byte counts: words that are 0 but for one of them, and the last byte of all. */
static void
make_full(struct ledger_record *record)
{
    *record = (struct ledger_record){ .version = LEDGER_RECORD_VERSION,
                                      .status = 200,
                                      .key_id = 7,
                                      .out_total = 1ull << 63,
                                      .is_last = 1,
                                      .request_id = "req_0123456789",
                                      .model = "gpt-4o",
                                      .address = "127.0.0.1" };
    record->media_pico[MONEY_MEDIA_KINDS - 1] = 1;
}

Test(record, is_stored_small_and_comes_out_as_it_was)
{
    struct ledger_record record;
    struct ledger_record again;
    struct record_packed packed;
    make_full(&record);
    struct str value = record_pack(&record, &packed);
    cr_expect_lt(value.len, 150);
    cr_assert_eq(record_read(value, &again), ERR_OK);
    cr_expect(memcmp(&record, &again, sizeof record) == 0);
    /* Nothing but its version, and no word at all that is 0. */
    record = (struct ledger_record){ .version = LEDGER_RECORD_VERSION };
    value = record_pack(&record, &packed);
    cr_expect_eq(value.len, 24);
    cr_assert_eq(record_read(value, &again), ERR_OK);
    cr_expect(memcmp(&record, &again, sizeof record) == 0);
    memset(&record, 0x5a, sizeof record);
    record.version = LEDGER_RECORD_VERSION;
    value = record_pack(&record, &packed);
    cr_expect_eq(value.len, sizeof packed);
    cr_assert_eq(record_read(value, &again), ERR_OK);
    cr_expect(memcmp(&record, &again, sizeof record) == 0);
}

Test(record, that_is_packed_badly_is_refused)
{
    struct ledger_record record;
    struct ledger_record again;
    struct record_packed packed;
    make_full(&record);
    struct str value = record_pack(&record, &packed);
    for (size_t len = 0; len <= sizeof packed; len++) {
        enum err err = record_read(str_make(value.data, len), &again);
        cr_expect_eq(err, len == value.len ? ERR_OK : ERR_BAD, "%zu bytes", len);
    }
    packed.masks[2] |= 1u << 31; /* a word behind the record's end */
    cr_expect_eq(record_read(str_make(value.data, value.len + 8), &again), ERR_BAD);
    record.version = 1;
    value = record_pack(&record, &packed);
    cr_expect_eq(record_read(value, &again), ERR_BAD);
}

Test(record, repeats_its_own_bill)
{
    struct ledger_record record = { .version = LEDGER_RECORD_VERSION,
                                    .is_last = 1,
                                    .in_fresh = 1000,
                                    .in_cache_read = 500,
                                    .out_total = 300,
                                    .out_reasoning = 100,
                                    .images = 2,
                                    .multiplier_ppm = 1500000 };
    record.rates.pico[MONEY_IN_FRESH] = 2500000;
    record.rates.pico[MONEY_IN_CACHE_READ] = 1250000;
    record.rates.pico[MONEY_OUT_TEXT] = 10000000;
    record.rates.pico[MONEY_OUT_REASONING] = 20000000;
    record.rates.pico[MONEY_IMAGE] = 40000000000;
    /* (2.5 + 0.625 + 2.0 + 2.0) millidollars and 8 cents, times 1.5 */
    cr_expect_eq(record_cost(&record), 130687500);
    record.flags = LEDGER_FREE;
    cr_expect_eq(record_cost(&record), 0);
    record.flags = 0;
    record.is_last = 0;
    cr_expect_eq(record_cost(&record), 0);
}

/* Sounds and pictures are a part of what they came in, and of no more than that. */
Test(record, counts_sounds_and_pictures_once)
{
    struct ledger_record record;
    struct money_amounts amounts;
    struct money_rates rates = { .pico = { [MONEY_IN_FRESH] = 1000000,
                                           [MONEY_OUT_TEXT] = 10000000,
                                           [MONEY_IN_AUDIO] = 40000000,
                                           [MONEY_IN_IMAGE] = 2000000,
                                           [MONEY_OUT_AUDIO] = 80000000 } };
    struct money_rates again;
    record = (struct ledger_record){ .version = LEDGER_RECORD_VERSION,
                                     .in_fresh = 100,
                                     .out_total = 50,
                                     .out_reasoning = 10,
                                     .media_tokens = { 30, 20, 15 },
                                     .multiplier_ppm = MONEY_PPM_ONE,
                                     .is_last = 1 };
    record_set_rates(&record, &rates);
    record_rates(&record, &again);
    cr_expect_eq(memcmp(&rates, &again, sizeof rates), 0);
    record_amounts(&record, &amounts);
    cr_expect(amounts.count[MONEY_IN_FRESH] == 50 && amounts.count[MONEY_IN_AUDIO] == 30 &&
              amounts.count[MONEY_IN_IMAGE] == 20);
    cr_expect(amounts.count[MONEY_OUT_TEXT] == 25 && amounts.count[MONEY_OUT_REASONING] == 10 &&
              amounts.count[MONEY_OUT_AUDIO] == 15);
    /* In microdollars: 50 * 1 + 30 * 40 + 20 * 2 + 25 * 10 + 15 * 80; reasoning is free here. */
    cr_expect_eq(record_cost(&record), 2740000);
    record.in_fresh = 40;
    record.out_total = 12;
    record_amounts(&record, &amounts);
    cr_expect(amounts.count[MONEY_IN_AUDIO] == 30 && amounts.count[MONEY_IN_IMAGE] == 10 &&
              amounts.count[MONEY_IN_FRESH] == 0);
    cr_expect(amounts.count[MONEY_OUT_AUDIO] == 2 && amounts.count[MONEY_OUT_TEXT] == 0);
    /* Too dear for its place: taken for text, whose price it followed. */
    rates.pico[MONEY_IN_AUDIO] = (uint64_t)MONEY_MEDIA_PICO_MAX + 1;
    record_set_rates(&record, &rates);
    cr_expect(record.media_tokens[0] == 0 && record.media_pico[0] == 0 &&
              record.media_tokens[1] == 20);
}
