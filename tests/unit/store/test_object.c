#include "store/object.h"

#include "tests/unit/store/tempdir.h"

TestSuite(object, .init = tempdir_make, .fini = tempdir_remove);

static char why[MODEL_WHY_BYTES];

static uint64_t
id_of(struct ledger *ledger, enum model_kind kind, const char *name)
{
    static union object object;
    cr_assert_eq(ledger_find(ledger, kind, str_of(name), &object), ERR_OK, "%s", name);
    return object.id;
}

Test(object, ids_rise_and_are_never_used_again)
{
    struct ledger *ledger = tempdir_ledger();
    cr_assert_eq(tempdir_make_user(ledger, "a"), ERR_OK);
    cr_assert_eq(tempdir_make_user(ledger, "b"), ERR_OK);
    cr_expect_eq(id_of(ledger, MODEL_USER, "a"), 1);
    cr_expect_eq(id_of(ledger, MODEL_USER, "b"), 2);
    cr_assert_eq(ledger_remove(ledger, MODEL_USER, 2, why), ERR_OK);
    cr_assert_eq(tempdir_make_user(ledger, "b"), ERR_OK);
    cr_expect_eq(id_of(ledger, MODEL_USER, "b"), 3);
    ledger_close(ledger);
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
    cr_assert_eq(ledger_remove(ledger, MODEL_USER, 3, why), ERR_OK);
    cr_assert_eq(tempdir_make_user(ledger, "c"), ERR_OK);
    cr_expect_eq(id_of(ledger, MODEL_USER, "c"), 4);
    ledger_close(ledger);
}

Test(object, names_and_digests_are_unique)
{
    struct ledger *ledger = tempdir_ledger();
    static struct key key;
    cr_assert_eq(tempdir_make_user(ledger, "a"), ERR_OK);
    cr_expect_eq(tempdir_make_user(ledger, "a"), ERR_DENIED);
    cr_expect_str_eq(ledger_why(ledger), "name: is taken");
    cr_expect_eq(tempdir_make_user(ledger, "b c"), ERR_BAD);
    cr_expect_eq(tempdir_make_group(ledger, "a"), ERR_OK);
    cr_expect_eq(tempdir_make_group(ledger, "default"), ERR_DENIED);
    cr_expect_eq(tempdir_make_key(ledger, "k", "a", "default"), ERR_OK);
    cr_expect_eq(tempdir_make_key(ledger, "k", "a", "default"), ERR_DENIED);
    cr_assert_eq(ledger_find(ledger, MODEL_KEY, STR("k"), &key), ERR_OK);
    key.id = 0;
    snprintf(key.name, sizeof(key.name), "k2");
    cr_expect_eq(ledger_create(ledger, MODEL_KEY, &key), ERR_DENIED);
    cr_expect_str_eq(ledger_why(ledger), "this key exists already");
    cr_expect_eq(key.id, 0);
    cr_expect_eq(ledger_find(ledger, MODEL_KEY, STR("k2"), &key), ERR_GONE);
    cr_expect_eq(tempdir_make_account(ledger, "a", "", 1, NULL), ERR_OK);
    cr_expect_eq(tempdir_make_account(ledger, "a", "", 1, NULL), ERR_DENIED);
    ledger_close(ledger);
}

Test(object, what_is_named_must_be_there)
{
    struct ledger *ledger = tempdir_ledger();
    cr_expect_eq(tempdir_make_key(ledger, "k", "nobody", "default"), ERR_GONE);
    cr_expect_str_eq(ledger_why(ledger), "user: there is no user \"nobody\"");
    cr_assert_eq(tempdir_make_user(ledger, "a"), ERR_OK);
    cr_expect_eq(tempdir_make_key(ledger, "k", "a", "nowhere"), ERR_GONE);
    cr_expect_str_eq(ledger_why(ledger), "group: there is no group \"nowhere\"");
    cr_expect_eq(tempdir_make_account(ledger, "x", "default, nowhere", 1, NULL), ERR_GONE);
    ledger_close(ledger);
}

Test(object, what_is_named_is_not_removed)
{
    struct ledger *ledger = tempdir_ledger();
    cr_assert_eq(tempdir_make_user(ledger, "u"), ERR_OK);
    cr_assert_eq(tempdir_make_group(ledger, "g"), ERR_OK);
    cr_assert_eq(tempdir_make_group(ledger, "h"), ERR_OK);
    cr_assert_eq(tempdir_make_key(ledger, "k", "u", "g"), ERR_OK);
    cr_assert_eq(tempdir_make_account(ledger, "acc", "h, g, h", 1, NULL), ERR_OK);
    uint64_t user = id_of(ledger, MODEL_USER, "u");
    uint64_t g = id_of(ledger, MODEL_GROUP, "g");
    uint64_t h = id_of(ledger, MODEL_GROUP, "h");
    cr_expect_eq(ledger_remove(ledger, MODEL_USER, user, why), ERR_DENIED);
    cr_expect_str_eq(why, "key \"k\" still names this user");
    cr_expect_eq(ledger_remove(ledger, MODEL_GROUP, g, why), ERR_DENIED);
    cr_expect_eq(ledger_remove(ledger, MODEL_GROUP, h, why), ERR_DENIED);
    cr_expect_str_eq(why, "account \"acc\" still names this group");
    static struct account account;
    cr_assert_eq(ledger_find(ledger, MODEL_ACCOUNT, STR("acc"), &account), ERR_OK);
    snprintf(account.groups, sizeof(account.groups), "g");
    cr_assert_eq(ledger_update(ledger, MODEL_ACCOUNT, &account), ERR_OK);
    cr_expect_eq(ledger_remove(ledger, MODEL_GROUP, h, why), ERR_OK, "%s", why);
    static struct key key;
    cr_assert_eq(ledger_find(ledger, MODEL_KEY, STR("k"), &key), ERR_OK);
    cr_expect_eq(key.group_id, g);
    snprintf(key.group, sizeof(key.group), "default");
    cr_assert_eq(ledger_update(ledger, MODEL_KEY, &key), ERR_OK);
    cr_assert_eq(ledger_remove(ledger, MODEL_ACCOUNT, account.id, why), ERR_OK);
    cr_expect_eq(ledger_remove(ledger, MODEL_GROUP, g, why), ERR_OK, "%s", why);
    cr_expect_eq(ledger_remove(ledger, MODEL_KEY, key.id, why), ERR_OK);
    cr_expect_eq(ledger_remove(ledger, MODEL_USER, user, why), ERR_OK, "%s", why);
    cr_expect_eq(ledger_remove(ledger, MODEL_USER, user, why), ERR_GONE);
    cr_expect_eq(ledger_remove(ledger, MODEL_GROUP, 1, why), ERR_DENIED);
    cr_expect_not_null(strstr(why, "stays"));
    ledger_close(ledger);
}

Test(object, account_takes_the_smallest_free_index)
{
    struct ledger *ledger = tempdir_ledger();
    static struct account account;
    static const char *const names[] = { "a", "b", "c", "d" };
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(tempdir_make_account(ledger, names[i], "", 1, &account), ERR_OK);
        cr_expect_eq(account.index, i);
        cr_expect_str_eq(account.groups, "default");
    }
    cr_assert_eq(ledger_remove(ledger, MODEL_ACCOUNT, 2, why), ERR_OK);
    cr_assert_eq(ledger_remove(ledger, MODEL_ACCOUNT, 1, why), ERR_OK);
    cr_assert_eq(tempdir_make_account(ledger, "e", "", 1, &account), ERR_OK);
    cr_expect_eq(account.index, 0);
    cr_expect_eq(account.id, 5);
    cr_assert_eq(tempdir_make_account(ledger, "f", "", 1, &account), ERR_OK);
    cr_expect_eq(account.index, 1);
    cr_assert_eq(tempdir_make_account(ledger, "g", "", 1, &account), ERR_OK);
    cr_expect_eq(account.index, 4);
    ledger_close(ledger);
}

Test(object, key_without_group_belongs_to_default)
{
    struct ledger *ledger = tempdir_ledger();
    static struct key key;
    cr_assert_eq(tempdir_make_user(ledger, "u"), ERR_OK);
    cr_assert_eq(tempdir_make_key(ledger, "k", "u", ""), ERR_OK);
    cr_assert_eq(ledger_find(ledger, MODEL_KEY, STR("k"), &key), ERR_OK);
    cr_expect_str_eq(key.group, "default");
    cr_expect_eq(key.group_id, 1);
    cr_expect_eq(key.user_id, 1);
    ledger_close(ledger);
}

Test(object, update_keeps_name_index_and_creation)
{
    struct ledger *ledger = tempdir_ledger();
    static struct account account;
    static struct account back;
    cr_assert_eq(tempdir_make_account(ledger, "a", "", 1, &account), ERR_OK);
    uint64_t created = account.created_ms;
    cr_expect_neq(created, 0);
    account.created_ms = 1;
    account.index = 77;
    account.priority = 9;
    cr_assert_eq(ledger_update(ledger, MODEL_ACCOUNT, &account), ERR_OK);
    cr_assert_eq(ledger_find(ledger, MODEL_ACCOUNT, STR("a"), &back), ERR_OK);
    cr_expect_eq(back.priority, 9);
    cr_expect_eq(back.index, 0);
    cr_expect_eq(back.created_ms, created);
    snprintf(account.name, sizeof(account.name), "b");
    cr_expect_eq(ledger_update(ledger, MODEL_ACCOUNT, &account), ERR_DENIED);
    account.id = 99;
    cr_expect_eq(ledger_update(ledger, MODEL_ACCOUNT, &account), ERR_GONE);
    ledger_close(ledger);
}

Test(object, walk_goes_by_id)
{
    struct ledger *ledger = tempdir_ledger();
    struct user user;
    uint64_t cursor = 0;
    cr_expect_eq(ledger_next(ledger, MODEL_USER, &cursor, &user), ERR_EOF);
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", 300 - i);
        cr_assert_eq(tempdir_make_user(ledger, name), ERR_OK);
    }
    cr_assert_eq(ledger_remove(ledger, MODEL_USER, 2, why), ERR_OK);
    cursor = 0;
    uint64_t count = 0;
    uint64_t last = 0;
    enum err err = ERR_OK;
    while ((err = ledger_next(ledger, MODEL_USER, &cursor, &user)) == ERR_OK) {
        cr_assert_gt(user.id, last);
        cr_assert_eq(user.id, cursor);
        last = user.id;
        count++;
    }
    cr_expect_eq(err, ERR_EOF);
    cr_expect_eq(count, 299);
    ledger_close(ledger);
}

Test(object, groups_have_a_bound, .timeout = 60)
{
    struct ledger *ledger = tempdir_ledger();
    enum err err = ERR_OK;
    uint32_t count = 1; /* default */
    while (err == ERR_OK && count <= GROUPS_MAX) {
        char name[16];
        snprintf(name, sizeof(name), "g%u", count);
        err = tempdir_make_group(ledger, name);
        count += err == ERR_OK ? 1 : 0;
    }
    cr_expect_eq(err, ERR_FULL);
    cr_expect_eq(count, GROUPS_MAX);
    cr_expect_not_null(strstr(ledger_why(ledger), "no more fit"));
    ledger_close(ledger);
}

/* A record that a broken disk or a hand changed: it is told and passed over. */
static enum err
spoil(struct kv_txn *txn, void *context)
{
    struct kv_id key;
    return kv_put(txn, KV_USER, kv_id(&key, 2), str_of(context));
}

Test(object, an_unreadable_record_is_passed_over)
{
    struct ledger *ledger = tempdir_ledger();
    cr_assert_eq(tempdir_make_user(ledger, "a"), ERR_OK);
    cr_assert_eq(tempdir_make_user(ledger, "b"), ERR_OK);
    cr_assert_eq(tempdir_make_user(ledger, "c"), ERR_OK);
    ledger_close(ledger);
    static char spoiled[][32] = { "", "{\"id\":2,", "{\"id\":3,\"name\":\"c\"}" };
    for (size_t i = 0; i < 3; i++) {
        struct kv *kv = NULL;
        struct user user;
        uint64_t cursor = 1;
        cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
        cr_assert_eq(kv_write(kv, spoil, spoiled[i]), ERR_OK);
        kv_close(kv);
        cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger), ERR_OK);
        cr_expect_eq(ledger_find(ledger, MODEL_USER, STR("b"), &user), ERR_BAD);
        cr_expect_eq(ledger_next(ledger, MODEL_USER, &cursor, &user), ERR_OK);
        cr_expect_eq(cursor, 3);
        ledger_close(ledger);
    }
}

/* --- plans --- */

static enum err
make_plan(struct ledger *ledger, const char *name, const char *user, const char *group)
{
    static struct plan plan;
    model_defaults(MODEL_PLAN, &plan);
    snprintf(plan.name, sizeof(plan.name), "%s", name);
    snprintf(plan.user, sizeof(plan.user), "%s", user);
    snprintf(plan.group, sizeof(plan.group), "%s", group);
    plan.window_nano[PERIOD_DAY] = 5;
    return ledger_create(ledger, MODEL_PLAN, &plan);
}

Test(object, plan_is_the_only_one_of_its_user_in_its_group)
{
    struct ledger *ledger = tempdir_ledger();
    struct plan plan;
    cr_assert_eq(tempdir_make_user(ledger, "a"), ERR_OK);
    cr_assert_eq(tempdir_make_user(ledger, "b"), ERR_OK);
    cr_assert_eq(tempdir_make_group(ledger, "g"), ERR_OK);
    cr_expect_eq(make_plan(ledger, "p", "nobody", "g"), ERR_GONE);
    cr_expect_eq(make_plan(ledger, "a-in-default", "a", "default"), ERR_OK);
    cr_expect_eq(make_plan(ledger, "a-in-g", "a", "g"), ERR_OK);
    cr_expect_eq(make_plan(ledger, "b-in-g", "b", "g"), ERR_OK);
    cr_expect_eq(make_plan(ledger, "twice", "a", "g"), ERR_DENIED);
    cr_expect_str_eq(ledger_why(ledger),
                     "user \"a\" has the plan \"a-in-g\" for group \"g\" already");
    uint64_t a = id_of(ledger, MODEL_USER, "a");
    uint64_t b = id_of(ledger, MODEL_USER, "b");
    uint64_t g = id_of(ledger, MODEL_GROUP, "g");
    cr_assert_eq(ledger_find_plan(ledger, a, g, &plan), ERR_OK);
    cr_expect_str_eq(plan.name, "a-in-g");
    cr_expect_eq(plan.window_nano[PERIOD_DAY], 5);
    cr_assert_eq(ledger_find_plan(ledger, b, g, &plan), ERR_OK);
    cr_expect_str_eq(plan.name, "b-in-g");
    cr_expect_eq(ledger_find_plan(ledger, b, id_of(ledger, MODEL_GROUP, "default"), &plan),
                 ERR_GONE);
    cr_expect_eq(ledger_remove(ledger, MODEL_USER, b, why), ERR_DENIED);
    cr_expect_str_eq(why, "plan \"b-in-g\" still names this user");
    cr_expect_eq(ledger_remove(ledger, MODEL_GROUP, g, why), ERR_DENIED);
    cr_assert_eq(ledger_remove(ledger, MODEL_PLAN, plan.id, why), ERR_OK, "%s", why);
    cr_expect_eq(ledger_remove(ledger, MODEL_USER, b, why), ERR_OK, "%s", why);
    ledger_close(ledger);
}
