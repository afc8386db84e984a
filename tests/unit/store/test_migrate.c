#include "store/migrate.h"

#include <sys/stat.h>

#include "tests/unit/store/tempdir.h"

TestSuite(migrate, .init = tempdir_make, .fini = tempdir_remove);

static char why[256];

static enum err
set_layout(struct kv_txn *txn, void *context)
{
    return kv_put(txn, KV_META, STR("layout"), *(struct str *)context);
}

static void
write_layout(struct str bytes)
{
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    cr_assert_eq(kv_write(kv, set_layout, &bytes), ERR_OK);
    kv_close(kv);
}

Test(migrate, a_fresh_store_has_our_layout_and_stays_so)
{
    struct kv *kv = NULL;
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_PEEK, &kv), ERR_OK);
    cr_expect_eq(migrate_check(kv, why), ERR_OK);
    kv_close(kv);
}

Test(migrate, a_newer_store_is_refused_and_not_touched)
{
    struct kv_id id;
    struct stat before;
    struct stat after;
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    write_layout(kv_id(&id, MIGRATE_LAYOUT + 1));
    cr_assert_eq(stat(tempdir_path("data.mdb"), &before), 0);
    cr_expect_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_DENIED);
    cr_expect_not_null(strstr(why, "newer sub2api"), "%s", why);
    cr_assert_eq(stat(tempdir_path("data.mdb"), &after), 0);
    cr_expect_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    cr_expect_eq(before.st_size, after.st_size);
}

Test(migrate, a_damaged_row_is_refused)
{
    struct kv_id id;
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    write_layout(STR("x"));
    cr_expect_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_BAD);
    cr_expect_not_null(strstr(why, "damaged"), "%s", why);
    write_layout(kv_id(&id, 0));
    cr_expect_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_BAD);
}
