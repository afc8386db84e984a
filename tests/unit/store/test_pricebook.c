/*
 * test_pricebook.c - rows of prices in the store.
 */
#include "store/pricebook.h"

#include <string.h>

#include "tests/unit/store/tempdir.h"

TestSuite(pricebook, .init = tempdir_make, .fini = tempdir_remove);

static struct kv *
open_kv(void)
{
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_CREATE, &kv), ERR_OK);
    return kv;
}

static struct price
row(const char *model, uint64_t dollars)
{
    char text[128];
    char why[PRICE_WHY_BYTES];
    struct json_value value;
    struct price price;
    snprintf(text, sizeof(text), "{\"input_cost_per_token\":%llue-6,\"output_cost_per_token\":1}",
             (unsigned long long)dollars);
    cr_assert_eq(json_read(str_of(text), &value, NULL), ERR_OK);
    cr_assert_eq(price_read(str_of(model), value, &price, why), ERR_OK, "%s", why);
    return price;
}

struct change {
    enum { SET, REMOVE, CLEAR, ADD, PUT } what;
    const char *model; /* PUT: the raw key */
    uint64_t dollars;
};

static enum err
apply(struct kv_txn *txn, void *context)
{
    const struct change *change = context;
    struct price price;
    switch (change->what) {
    case SET:
        price = row(change->model, change->dollars);
        return pricebook_set(txn, &price);
    case REMOVE:
        return pricebook_remove(txn, str_of(change->model));
    case CLEAR:
        return pricebook_clear(txn);
    case ADD:
        price = row(change->model, change->dollars);
        return pricebook_add(txn, &price);
    case PUT:
        return kv_put(txn, KV_PRICE, str_of(change->model), STR("{\"input"));
    }
    return ERR_BUG;
}

static enum err
change(struct kv *kv, int what, const char *model, uint64_t dollars)
{
    struct change change = { what, model, dollars };
    return kv_write(kv, apply, &change);
}

static uint64_t
version(struct kv *kv)
{
    struct kv_txn *txn = NULL;
    uint64_t out = 99;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_expect_eq(pricebook_version(txn, &out), ERR_OK);
    kv_end(txn);
    return out;
}

/* Dollars a million of input tokens; 0: there is no such row. */
static uint64_t
dollars_of(struct kv *kv, enum price_source source, const char *model)
{
    struct kv_txn *txn = NULL;
    struct price price;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    enum err err = pricebook_get(txn, source, str_of(model), &price);
    kv_end(txn);
    cr_expect(err == ERR_OK || err == ERR_GONE, "%d", (int)err);
    return err == ERR_OK ? price.pico[PRICE_STANDARD][0][MONEY_IN_FRESH] / 1000000 : 0;
}

Test(pricebook, own_rows_are_set_replaced_and_removed)
{
    struct kv *kv = open_kv();
    cr_expect_eq(version(kv), 0);
    cr_expect_eq(change(kv, REMOVE, "a", 0), ERR_GONE);
    cr_assert_eq(change(kv, SET, "Big-Model", 3), ERR_OK);
    cr_assert_eq(change(kv, SET, "big-model", 4), ERR_OK);
    cr_expect_eq(dollars_of(kv, PRICE_OWN, "BIG-model"), 4);
    cr_expect_eq(dollars_of(kv, PRICE_OWN, "big-mode"), 0);
    cr_expect_eq(dollars_of(kv, PRICE_OWN, ""), 0);
    cr_expect_eq(dollars_of(kv, PRICE_IMPORTED, "big-model"), 0);
    cr_expect_eq(version(kv), 2);
    cr_assert_eq(change(kv, REMOVE, "BIG-MODEL", 0), ERR_OK);
    cr_expect_eq(dollars_of(kv, PRICE_OWN, "big-model"), 0);
    cr_expect_eq(version(kv), 3);
    kv_close(kv);
}

/* Names come from requests: one that is longer than any row's finds nothing, not its beginning. */
Test(pricebook, longest_names)
{
    struct kv *kv = open_kv();
    char name[2 * MODEL_NAME_BYTES];
    memset(name, 'x', sizeof(name));
    name[MODEL_NAME_BYTES - 1] = '\0';
    cr_assert_eq(change(kv, SET, name, 5), ERR_OK);
    cr_expect_eq(dollars_of(kv, PRICE_OWN, name), 5);
    name[MODEL_NAME_BYTES - 1] = 'x';
    name[sizeof(name) - 1] = '\0';
    cr_expect_eq(dollars_of(kv, PRICE_OWN, name), 0);
    kv_close(kv);
}

Test(pricebook, an_import_replaces_imported_rows_only)
{
    struct kv *kv = open_kv();
    cr_assert_eq(change(kv, SET, "m", 1), ERR_OK);
    cr_assert_eq(change(kv, ADD, "m", 2), ERR_OK);
    cr_assert_eq(change(kv, ADD, "n", 3), ERR_OK);
    cr_assert_eq(change(kv, ADD, "o", 4), ERR_OK);
    cr_expect_eq(change(kv, ADD, "N", 9), ERR_DENIED);
    cr_expect_eq(dollars_of(kv, PRICE_IMPORTED, "n"), 3);
    uint64_t before = version(kv);
    cr_assert_eq(change(kv, CLEAR, NULL, 0), ERR_OK);
    cr_expect_gt(version(kv), before);
    cr_expect_eq(dollars_of(kv, PRICE_OWN, "m"), 1);
    cr_expect_eq(dollars_of(kv, PRICE_IMPORTED, "m"), 0);
    cr_expect_eq(dollars_of(kv, PRICE_IMPORTED, "n"), 0);
    cr_expect_eq(dollars_of(kv, PRICE_IMPORTED, "o"), 0);
    cr_expect_eq(change(kv, CLEAR, NULL, 0), ERR_OK, "nothing to clear is no error");
    kv_close(kv);
}

struct seen {
    char text[128];
    uint32_t left; /* rows until it stops */
};

static enum err
note(void *context, enum price_source source, const struct price *price)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof(seen->text) - len, "%s:%s ", price_source_text(source),
             price->model);
    return --seen->left == 0 ? ERR_DENIED : ERR_OK;
}

static enum err
each(struct kv *kv, struct seen *seen)
{
    struct kv_txn *txn = NULL;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    enum err err = pricebook_each(txn, note, seen);
    kv_end(txn);
    return err;
}

/* A damaged row costs its own price and no other. */
Test(pricebook, rows_come_source_by_source_without_damaged_ones)
{
    struct kv *kv = open_kv();
    struct seen none = { .left = 9 };
    cr_expect_eq(each(kv, &none), ERR_OK);
    cr_expect_str_eq(none.text, "");
    cr_assert_eq(change(kv, ADD, "a", 1), ERR_OK);
    cr_assert_eq(change(kv, SET, "z", 1), ERR_OK);
    cr_assert_eq(change(kv, SET, "b", 1), ERR_OK);
    static const char *const damaged[] = { "\1c", "\1", "\7x", "\2" };
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        cr_assert_eq(change(kv, PUT, damaged[i], 0), ERR_OK);
    }
    struct seen all = { .left = 9 };
    cr_expect_eq(each(kv, &all), ERR_OK);
    cr_expect_str_eq(all.text, "own:b own:z imported:a ");
    struct seen some = { .left = 2 };
    cr_expect_eq(each(kv, &some), ERR_DENIED);
    cr_expect_str_eq(some.text, "own:b own:z ");
    struct kv_txn *txn = NULL;
    struct price price;
    cr_assert_eq(kv_begin(kv, &txn), ERR_OK);
    cr_expect_eq(pricebook_get(txn, PRICE_OWN, STR("c"), &price), ERR_BAD);
    kv_end(txn);
    kv_close(kv);
}

/* As many as there may be, of which one is the operator's own. */
static enum err
fill(struct kv_txn *txn, void *context)
{
    char model[32];
    struct price price = row("own", 1);
    (void)context;
    enum err err = pricebook_set(txn, &price);
    price = row("imported", 1);
    for (uint32_t i = 1; i < PRICES_MAX - PRICES_SHIPPED_MAX && err == ERR_OK; i++) {
        snprintf(model, sizeof(model), "imported-%u", i);
        memcpy(price.model, model, sizeof(model));
        err = pricebook_add(txn, &price);
    }
    return err;
}

Test(pricebook, a_full_list_takes_no_more_rows_and_lets_those_there_be_replaced)
{
    struct kv *kv = open_kv();
    struct change again = { SET, "own", 5 };
    struct change one_more = { SET, "another", 5 };
    cr_assert_eq(kv_write(kv, fill, NULL), ERR_OK);
    cr_expect_eq(kv_write(kv, apply, &one_more), ERR_FULL);
    cr_expect_eq(kv_write(kv, apply, &again), ERR_OK);
    cr_expect_eq(kv_write(kv, apply, &(struct change){ REMOVE, "own", 0 }), ERR_OK);
    cr_expect_eq(kv_write(kv, apply, &one_more), ERR_OK);
    kv_close(kv);
}
