/* How accounts stand, over a restart. */
#include "store/standing.h"
#include "tests/unit/store/tempdir.h"

TestSuite(standing, .init = tempdir_make, .fini = tempdir_remove);

static struct standing
make(uint64_t id, uint64_t until_ms, const char *reason)
{
    struct standing item = { .account_id = id, .until_wall_ms = until_ms, .status = 401 };
    str_copy(item.reason, sizeof item.reason, str_of(reason));
    str_copy(item.excerpt, sizeof item.excerpt, STR("no such key"));
    return item;
}

Test(standing, is_kept_in_order_until_it_is_gone)
{
    struct ledger *ledger = tempdir_ledger();
    struct standing items[3] = { make(300, 5, "forbidden"), make(2, 0, "credential refused"),
                                 make(7, 9, "rate limited") };
    cr_assert_eq(standing_put(ledger_kv(ledger), items, 3), ERR_OK);
    items[0].is_gone = true;
    items[1].until_wall_ms = 77;
    items[2].account_id = 999; /* never was there */
    items[2].is_gone = true;
    cr_assert_eq(standing_put(ledger_kv(ledger), items, 3), ERR_OK);
    cr_assert_eq(standing_put(ledger_kv(ledger), items, 0), ERR_OK);
    ledger_close(ledger);

    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    uint64_t cursor = 0;
    struct standing got;
    cr_assert_eq(standing_next(ledger_kv(ledger), &cursor, &got), ERR_OK);
    cr_expect(got.account_id == 2 && got.until_wall_ms == 77 && got.status == 401);
    cr_expect_str_eq(got.reason, "credential refused");
    cr_expect_str_eq(got.excerpt, "no such key");
    cr_assert_eq(standing_next(ledger_kv(ledger), &cursor, &got), ERR_OK);
    cr_expect_eq(got.account_id, 7);
    cr_expect_eq(standing_next(ledger_kv(ledger), &cursor, &got), ERR_EOF);
    ledger_close(ledger);
}

static enum err
put_odd(struct kv_txn *txn, void *context)
{
    struct kv_id id;
    (void)context;
    return kv_put(txn, KV_STANDING, kv_id(&id, 1), STR("of another version"));
}

Test(standing, passes_over_a_row_it_cannot_read)
{
    struct ledger *ledger = tempdir_ledger();
    struct standing item = make(2, 0, "forbidden");
    cr_assert_eq(kv_write(ledger_kv(ledger), put_odd, NULL), ERR_OK);
    cr_assert_eq(standing_put(ledger_kv(ledger), &item, 1), ERR_OK);
    uint64_t cursor = 0;
    struct standing got;
    cr_assert_eq(standing_next(ledger_kv(ledger), &cursor, &got), ERR_OK);
    cr_expect_eq(got.account_id, 2);
    ledger_close(ledger);
}
