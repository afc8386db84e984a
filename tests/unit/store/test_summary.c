/* A report has the sums of its span, by whatever it is asked for. */
#include "store/summary.h"

#include "tests/unit/store/tempdir.h"

TestSuite(summary, .init = tempdir_make, .fini = tempdir_remove);

#define HOUR ROLLUP_HOUR_MS
#define START (20750ull * 24 * HOUR) /* midnight of a day in 2026 */

/* Hours 0 to 47, keys 1 to 4 in turn (users 101, 102), models a and b; cost: the hour. */
static void
fill(void)
{
    static struct ledger_record records[48];
    struct ledger *ledger = tempdir_ledger();
    for (uint32_t i = 0; i < 48; i++) {
        records[i] = (struct ledger_record){ .version = LEDGER_RECORD_VERSION,
                                             .status = 200,
                                             .key_id = 1 + i % 4,
                                             .user_id = 101 + i % 2,
                                             .group_id = 3,
                                             .account_id = 4,
                                             .start_wall_ms = START + i * HOUR + 1,
                                             .cost_nano = i,
                                             .is_last = 1 };
        snprintf(records[i].model, sizeof records[i].model, "%s", i % 4 == 0 ? "b" : "a");
    }
    struct ledger_batch batch = { 1, 77, 0, records, 48, NULL, NULL };
    cr_assert_eq(ledger_commit(ledger, &batch, 1), ERR_OK);
    ledger_close(ledger);
}

static void
make(enum summary_by by, uint64_t from_ms, uint64_t to_ms, struct summary *out)
{
    struct kv *kv = NULL;
    struct kv_txn *txn = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_READ, &kv), ERR_OK);
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(summary_make(txn, by, from_ms, to_ms, out), ERR_OK);
    kv_end(txn);
    kv_close(kv);
}

Test(summary, by_object_has_the_dearest_first)
{
    struct summary summary;
    fill();
    make(SUMMARY_KEY, START, START + 48 * HOUR, &summary);
    cr_assert_eq(summary.count, 4);
    cr_expect(summary.lines[0].id == 4 && summary.lines[3].id == 1);
    cr_expect(summary.lines[0].sums.requests == 12 && summary.all.cost_nano == 47 * 48 / 2);
    summary_free(&summary);
    make(SUMMARY_USER, START, START + 48 * HOUR, &summary);
    cr_expect(summary.count == 2 && summary.lines[0].id == 102);
    summary_free(&summary);
    make(SUMMARY_MODEL, START, START + 48 * HOUR, &summary);
    cr_assert_eq(summary.count, 2);
    cr_expect_str_eq(summary.lines[0].model, "a");
    cr_expect_eq(summary.lines[1].sums.requests, 12);
    summary_free(&summary);
    make(SUMMARY_GROUP, START, START + 48 * HOUR, &summary);
    cr_expect(summary.count == 1 && summary.lines[0].id == 3);
    summary_free(&summary);
    make(SUMMARY_ACCOUNT, START, START + 48 * HOUR, &summary);
    cr_expect(summary.count == 1 && summary.lines[0].id == 4);
    summary_free(&summary);
}

Test(summary, by_time_rises_and_grows_past_its_first_room)
{
    struct summary summary;
    fill();
    make(SUMMARY_DAY, START, START + 48 * HOUR, &summary);
    cr_assert_eq(summary.count, 2);
    cr_expect(summary.lines[0].id == START && summary.lines[1].id == START + 24 * HOUR);
    cr_expect_eq(summary.lines[0].sums.cost_nano, 23 * 24 / 2);
    summary_free(&summary);
    make(SUMMARY_HOUR, START + HOUR / 2, START + 10 * HOUR + 1, &summary);
    cr_assert_eq(summary.count, 11, "begun hours count whole");
    for (uint32_t i = 0; i < 11; i++) {
        cr_expect_eq(summary.lines[i].id, START + i * HOUR);
    }
    summary_free(&summary);
}

Test(summary, of_nothing_is_empty)
{
    struct summary summary;
    fill();
    make(SUMMARY_USER, START + 100 * HOUR, START + 200 * HOUR, &summary);
    cr_expect(summary.count == 0 && summary.all.attempts == 0);
    summary_free(&summary);
}

Test(summary, knows_its_words)
{
    for (uint32_t i = 0; i < SUMMARY_BYS; i++) {
        enum summary_by by = SUMMARY_USER;
        cr_expect(summary_by_of(str_of(summary_by_text((enum summary_by)i)), &by));
        cr_expect_eq((uint32_t)by, i);
    }
    enum summary_by by;
    cr_expect_not(summary_by_of(STR("colour"), &by));
}
