/* Which object names which: rows inside one transaction. */
#include "store/reference.h"

#include "tests/unit/store/tempdir.h"

TestSuite(reference, .init = tempdir_make, .fini = tempdir_remove);

static struct kv *
open_kv(void)
{
    struct kv *kv = NULL;
    char why[256];
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    return kv;
}

static void
expect_first(struct kv_txn *txn, enum model_kind named, uint64_t id, enum err expected,
             enum model_kind naming, uint64_t naming_id)
{
    enum model_kind kind = MODEL_USER;
    uint64_t found = 0;
    cr_assert_eq(reference_first(txn, named, id, &kind, &found), expected);
    if (expected == ERR_OK) {
        cr_expect(kind == naming && found == naming_id, "kind %d id %llu", (int)kind,
                  (unsigned long long)found);
    }
}

static enum err
rows_come_and_go(struct kv_txn *txn, void *context)
{
    (void)context;
    expect_first(txn, MODEL_GROUP, 7, ERR_GONE, 0, 0);
    cr_assert_eq(reference_set(txn, MODEL_GROUP, 7, MODEL_KEY, 3, true), ERR_OK);
    cr_assert_eq(reference_set(txn, MODEL_GROUP, 7, MODEL_KEY, 3, true), ERR_OK, "twice is fine");
    expect_first(txn, MODEL_GROUP, 7, ERR_OK, MODEL_KEY, 3);
    cr_assert_eq(reference_set(txn, MODEL_GROUP, 7, MODEL_KEY, 3, false), ERR_OK);
    expect_first(txn, MODEL_GROUP, 7, ERR_GONE, 0, 0);
    cr_assert_eq(reference_set(txn, MODEL_GROUP, 7, MODEL_KEY, 3, false), ERR_OK, "twice is fine");
    return ERR_OK;
}

Test(reference, rows_come_and_go)
{
    struct kv *kv = open_kv();
    cr_assert_eq(kv_write(kv, rows_come_and_go, NULL), ERR_OK);
    kv_close(kv);
}

/* Neighbours in the table: ids on both sides, the same id of another kind, the largest id. */
static enum err
neighbours(struct kv_txn *txn, void *context)
{
    (void)context;
    cr_assert_eq(reference_set(txn, MODEL_USER, 6, MODEL_KEY, 1, true), ERR_OK);
    cr_assert_eq(reference_set(txn, MODEL_USER, 8, MODEL_KEY, 2, true), ERR_OK);
    cr_assert_eq(reference_set(txn, MODEL_GROUP, 7, MODEL_ACCOUNT, 3, true), ERR_OK);
    cr_assert_eq(reference_set(txn, MODEL_USER, UINT64_MAX, MODEL_PLAN, UINT64_MAX, true), ERR_OK);
    expect_first(txn, MODEL_USER, 7, ERR_GONE, 0, 0);
    expect_first(txn, MODEL_USER, 6, ERR_OK, MODEL_KEY, 1);
    expect_first(txn, MODEL_USER, 8, ERR_OK, MODEL_KEY, 2);
    expect_first(txn, MODEL_GROUP, 7, ERR_OK, MODEL_ACCOUNT, 3);
    expect_first(txn, MODEL_USER, UINT64_MAX, ERR_OK, MODEL_PLAN, UINT64_MAX);
    expect_first(txn, MODEL_GROUP, UINT64_MAX, ERR_GONE, 0, 0);
    return ERR_OK;
}

Test(reference, an_object_is_not_taken_for_its_neighbour)
{
    struct kv *kv = open_kv();
    cr_assert_eq(kv_write(kv, neighbours, NULL), ERR_OK);
    kv_close(kv);
}

static enum err
walk(struct kv_txn *txn, void *context)
{
    (void)context;
    static const uint64_t keys[] = { 2, 5, 1ull << 40 };
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(reference_set(txn, MODEL_GROUP, 9, MODEL_KEY, keys[i], true), ERR_OK);
    }
    cr_assert_eq(reference_set(txn, MODEL_GROUP, 9, MODEL_ACCOUNT, 4, true), ERR_OK);
    cr_assert_eq(reference_set(txn, MODEL_GROUP, 10, MODEL_KEY, 6, true), ERR_OK);
    uint64_t cursor = 0;
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(reference_next(txn, MODEL_GROUP, 9, MODEL_KEY, &cursor), ERR_OK);
        cr_expect_eq(cursor, keys[i]);
    }
    cr_expect_eq(reference_next(txn, MODEL_GROUP, 9, MODEL_KEY, &cursor), ERR_EOF,
                 "neither another kind's nor another group's");
    cr_expect_eq(cursor, keys[2]);
    cursor = 0;
    cr_expect_eq(reference_next(txn, MODEL_GROUP, 9, MODEL_PLAN, &cursor), ERR_EOF);
    cr_expect_eq(reference_next(txn, MODEL_USER, 9, MODEL_KEY, &cursor), ERR_EOF);
    return ERR_OK;
}

Test(reference, all_of_a_kind_are_found_in_order)
{
    struct kv *kv = open_kv();
    cr_assert_eq(kv_write(kv, walk, NULL), ERR_OK);
    kv_close(kv);
}

static enum err
objects(struct kv_txn *txn, void *context)
{
    (void)context;
    static struct account account;
    static struct key key;
    char why[MODEL_WHY_BYTES] = "";
    model_defaults(MODEL_ACCOUNT, &account);
    account.id = 40;
    cr_expect_eq(reference_resolve(txn, MODEL_ACCOUNT, &account, why), ERR_OK);
    cr_expect_str_eq(account.groups, OBJECT_DEFAULT_GROUP, "one that names none is in this");
    snprintf(account.groups, sizeof(account.groups), "default, g, default, nowhere");
    cr_expect_eq(reference_resolve(txn, MODEL_ACCOUNT, &account, why), ERR_GONE);
    cr_expect(strstr(why, "no group \"nowhere\"") != NULL, "%s", why);
    snprintf(account.groups, sizeof(account.groups), "default, g, default");
    cr_expect_eq(reference_resolve(txn, MODEL_ACCOUNT, &account, why), ERR_OK);
    cr_expect_eq(reference_object(txn, MODEL_ACCOUNT, &account, true), ERR_OK);
    expect_first(txn, MODEL_GROUP, 1, ERR_OK, MODEL_ACCOUNT, 40);
    expect_first(txn, MODEL_GROUP, 2, ERR_OK, MODEL_ACCOUNT, 40);
    cr_expect_eq(reference_object(txn, MODEL_ACCOUNT, &account, false), ERR_OK);
    expect_first(txn, MODEL_GROUP, 1, ERR_GONE, 0, 0);
    expect_first(txn, MODEL_GROUP, 2, ERR_GONE, 0, 0);

    model_defaults(MODEL_KEY, &key);
    key.id = 50;
    snprintf(key.user, sizeof(key.user), "u");
    cr_expect_eq(reference_resolve(txn, MODEL_KEY, &key, why), ERR_OK, "%s", why);
    cr_expect(key.user_id == 1 && key.group_id == 1, "the default group");
    cr_expect_eq(reference_object(txn, MODEL_KEY, &key, true), ERR_OK);
    expect_first(txn, MODEL_USER, 1, ERR_OK, MODEL_KEY, 50);
    snprintf(key.user, sizeof(key.user), "nobody");
    cr_expect_eq(reference_resolve(txn, MODEL_KEY, &key, why), ERR_GONE);
    cr_expect(strstr(why, "no user \"nobody\"") != NULL, "%s", why);
    return ERR_OK;
}

Test(reference, an_objects_rows_follow_what_it_names)
{
    struct ledger *ledger = tempdir_ledger();
    cr_assert_eq(tempdir_make_group(ledger, "g"), ERR_OK);
    cr_assert_eq(tempdir_make_user(ledger, "u"), ERR_OK);
    ledger_close(ledger);
    struct kv *kv = open_kv();
    cr_assert_eq(kv_write(kv, objects, NULL), ERR_OK);
    kv_close(kv);
}
