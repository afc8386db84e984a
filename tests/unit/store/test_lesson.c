/* What was learned of accounts' providers, over a restart. */
#include "store/lesson.h"
#include "tests/unit/store/tempdir.h"

TestSuite(lesson, .init = tempdir_make, .fini = tempdir_remove);

static struct lesson
make(uint64_t id, uint32_t count)
{
    struct lesson item = { .account_id = id, .count = count };
    for (uint32_t i = 0; i < count; i++) {
        item.entries[i] =
            (struct lesson_entry){ .until_wall_ms = 100 * id + i,
                                   .kind = i % 2 == 0 ? LESSON_ENDPOINT : LESSON_MODEL,
                                   .number = 404 + i };
        snprintf(item.entries[i].name, LESSON_NAME_BYTES, "d%u", i);
    }
    return item;
}

Test(lesson, is_kept_in_order_until_there_is_nothing_in_it)
{
    struct ledger *ledger = tempdir_ledger();
    static struct lesson items[3];
    items[0] = make(300, 1);
    items[1] = make(2, LESSON_ENTRIES);
    items[2] = make(7, 2);
    cr_assert_eq(lesson_put(ledger_kv(ledger), items, 3), ERR_OK);
    items[0].count = 0;
    items[2] = make(999, 0); /* never was there */
    cr_assert_eq(lesson_put(ledger_kv(ledger), items, 3), ERR_OK);
    cr_assert_eq(lesson_put(ledger_kv(ledger), items, 0), ERR_OK);
    ledger_close(ledger);

    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    uint64_t cursor = 0;
    struct lesson got;
    cr_assert_eq(lesson_next(ledger_kv(ledger), &cursor, &got), ERR_OK);
    cr_expect(got.account_id == 2 && got.count == LESSON_ENTRIES);
    for (uint32_t i = 0; i < got.count; i++) {
        cr_expect_arr_eq(&got.entries[i], &items[1].entries[i], sizeof got.entries[i]);
    }
    cr_assert_eq(lesson_next(ledger_kv(ledger), &cursor, &got), ERR_OK);
    cr_expect(got.account_id == 7 && got.count == 2);
    cr_expect_eq(lesson_next(ledger_kv(ledger), &cursor, &got), ERR_EOF);
    ledger_close(ledger);
}

static enum err
put_odd(struct kv_txn *txn, void *context)
{
    struct kv_id id;
    (void)context;
    return kv_put(txn, KV_LESSON, kv_id(&id, 1), STR("of another version"));
}

Test(lesson, passes_over_a_row_it_cannot_read)
{
    struct ledger *ledger = tempdir_ledger();
    struct lesson item = make(2, 1);
    cr_assert_eq(kv_write(ledger_kv(ledger), put_odd, NULL), ERR_OK);
    cr_assert_eq(lesson_put(ledger_kv(ledger), &item, 1), ERR_OK);
    uint64_t cursor = 0;
    struct lesson got;
    cr_assert_eq(lesson_next(ledger_kv(ledger), &cursor, &got), ERR_OK);
    cr_expect_eq(got.account_id, 2);
    cr_expect_eq(lesson_next(ledger_kv(ledger), &cursor, &got), ERR_EOF);
    ledger_close(ledger);
}
