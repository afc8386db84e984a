#include "store/migrate.h"

#include <sys/stat.h>

#include "store/catalog.h"
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

/* As layout 2 had it: the password stands in the record. */
static enum err
write_bare(struct kv_txn *txn, void *context)
{
    static struct account account;
    uint64_t cursor = 0;
    enum err err;
    while ((err = object_next(txn, MODEL_ACCOUNT, &cursor, &account)) == ERR_OK) {
        if (account.name[0] == 'p') {
            snprintf(account.proxy, sizeof(account.proxy), "http://joe:%s@p.test:1", account.name);
            err = object_update(txn, MODEL_ACCOUNT, &account, context);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return err == ERR_EOF ? ERR_OK : err;
}

static enum err
look_for_bare(void *context, uint64_t id, struct str record)
{
    (void)id;
    *(uint32_t *)context += memmem(record.data, record.len, "joe:p-", 6) != NULL ? 1 : 0;
    return ERR_OK;
}

static uint32_t
count_bare(void)
{
    struct kv *kv = NULL;
    struct kv_txn *txn = NULL;
    uint32_t count = 0;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_READ, &kv), ERR_OK);
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_assert_eq(object_each(txn, MODEL_ACCOUNT, look_for_bare, &count), ERR_OK);
    kv_end(txn);
    kv_close(kv);
    return count;
}

static void
expect_passwords(void)
{
    struct catalog *catalog = NULL;
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_open(tempdir, TEMPDIR_MAP_BYTES, NULL, &catalog), ERR_OK);
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    cr_assert_eq(view->account_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct catalog_account *entry = &view->accounts[i];
        bool is_proxied = entry->account.name[0] == 'p';
        cr_expect_not(entry->is_broken, "%s", entry->account.name);
        cr_expect(
            str_equal(entry->proxy_password, is_proxied ? str_of(entry->account.name) : STR("")),
            "%s", entry->account.name);
        cr_expect_str_eq(entry->account.proxy, is_proxied ? "http://joe:***@p.test:1" : "");
    }
    catalog_close(catalog);
}

Test(migrate, passwords_of_proxies_are_sealed)
{
    struct kv *kv = NULL;
    struct kv_id id;
    struct ledger *ledger = tempdir_ledger();
    cr_assert_eq(tempdir_make_account(ledger, "p-one", "", 1, NULL), ERR_OK);
    cr_assert_eq(tempdir_make_account(ledger, "direct", "", 1, NULL), ERR_OK);
    cr_assert_eq(tempdir_make_account(ledger, "p-two", "", 1, NULL), ERR_OK);
    ledger_close(ledger);
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    cr_assert_eq(kv_write(kv, write_bare, why), ERR_OK);
    kv_close(kv);
    write_layout(kv_id(&id, 2));
    cr_assert_eq(count_bare(), 2);

    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_expect_eq(count_bare(), 0);
    expect_passwords();
    /* A second start changes nothing. */
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    expect_passwords();
}
