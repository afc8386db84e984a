/* All accounts and groups as one transaction saw them: ready for use, counted, damage left out. */
#include "store/snapshot.h"

#include <string.h>

#include "tests/unit/store/tempdir.h"

TestSuite(snapshot, .init = tempdir_make, .fini = tempdir_remove);

static uint32_t extras; /* made and not freed yet */

static enum err
read_dialects(struct str list, uint32_t *out_mask)
{
    *out_mask = (uint32_t)list.len;
    return str_equal(list, STR("bad")) ? ERR_BAD : ERR_OK;
}

static void *
make_extra(void *context, const struct catalog_account *account)
{
    (void)context;
    extras++;
    return strdup(account->account.name);
}

static void
free_extra(void *context, void *extra)
{
    (void)context;
    extras--;
    free(extra);
}

static const struct catalog_hooks hooks = { .dialects = read_dialects,
                                            .extra_make = make_extra,
                                            .extra_free = free_extra };

static void
add_account(struct ledger *ledger, const char *name, const char *groups, uint32_t priority,
            const char *dialects)
{
    static struct account account;
    model_defaults(MODEL_ACCOUNT, &account);
    snprintf(account.name, sizeof(account.name), "%s", name);
    snprintf(account.groups, sizeof(account.groups), "%s", groups);
    snprintf(account.base_url, sizeof(account.base_url), "https://h");
    snprintf(account.dialects, sizeof(account.dialects), "%s", dialects);
    account.priority = priority;
    char secret[64];
    snprintf(secret, sizeof(secret), "sk-%s-secret", name);
    cr_assert_eq(ledger_seal(ledger, &account, str_of(secret)), ERR_OK);
    cr_assert_eq(ledger_create(ledger, MODEL_ACCOUNT, &account), ERR_OK, "%s", ledger_why(ledger));
}

static void
fill(void)
{
    struct ledger *ledger = tempdir_ledger();
    cr_assert_eq(tempdir_make_group(ledger, "g"), ERR_OK);
    add_account(ledger, "late", "g, default, g", 90, "");
    add_account(ledger, "early", "g", 10, "chat");
    add_account(ledger, "twin", "g", 10, "");
    add_account(ledger, "odd", "", 50, "bad");
    ledger_close(ledger);
}

static struct kv *
open_kv(enum kv_mode mode)
{
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, mode, &kv), ERR_OK);
    return kv;
}

static struct snapshot *
load(struct kv *kv)
{
    struct snapshot *snapshot = NULL;
    struct secret *secret = NULL;
    char why[SECRET_WHY_BYTES];
    cr_assert_eq(secret_load(tempdir, &secret, why), ERR_OK, "%s", why);
    cr_assert_eq(snapshot_load(kv, secret, &hooks, NULL, &snapshot), ERR_OK);
    secret_free(secret);
    return snapshot;
}

static const char *
members(const struct snapshot *snapshot, uint64_t group_id)
{
    static char text[256];
    uint32_t at = snapshot_find_group(snapshot, group_id);
    size_t len = 0;
    cr_assert_neq(at, UINT32_MAX);
    const struct catalog_group *group = &snapshot->groups[at];
    text[0] = '\0';
    for (uint32_t i = 0; i < group->account_count; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ",
                                snapshot->accounts[group->accounts[i]].account.name);
    }
    return text;
}

Test(snapshot, lists_members_by_priority_then_id_each_once)
{
    fill();
    struct kv *kv = open_kv(KV_READ);
    struct snapshot *snapshot = load(kv);
    cr_expect(snapshot->account_count == 4 && snapshot->group_count == 2);
    cr_expect_str_eq(members(snapshot, 2), "early twin late ");
    cr_expect_str_eq(members(snapshot, 1), "odd late ");
    cr_expect_eq(snapshot_find_group(snapshot, 3), UINT32_MAX);
    cr_expect_eq(snapshot_find_group(snapshot, 0), UINT32_MAX);
    snapshot_drop(snapshot);
    kv_close(kv);
}

Test(snapshot, opens_credentials_into_its_own_area)
{
    fill();
    struct kv *kv = open_kv(KV_READ);
    struct snapshot *snapshot = load(kv);
    const struct secret_area *area = &snapshot->area;
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        const struct catalog_account *entry = &snapshot->accounts[i];
        char want[NAME_BYTES + 16];
        snprintf(want, sizeof(want), "sk-%s-secret", entry->account.name);
        cr_expect(str_equal(entry->secret, str_of(want)));
        const uint8_t *at = (const uint8_t *)entry->secret.data;
        cr_expect(at >= area->bytes && at + entry->secret.len <= area->bytes + area->size);
        cr_expect_eq(entry->account.sealed_bytes, 0);
        cr_expect_str_eq((const char *)entry->extra, entry->account.name);
        cr_expect_eq(entry->is_broken, strcmp(entry->account.name, "odd") == 0,
                     "dialects that nobody knows");
    }
    snapshot_drop(snapshot);
    kv_close(kv);
}

/* A request keeps it although the catalog has moved on; the last holder frees what was made. */
Test(snapshot, lives_until_its_last_holder_drops_it)
{
    fill();
    struct kv *kv = open_kv(KV_READ);
    struct snapshot *snapshot = load(kv);
    kv_close(kv); /* it needs the store no more */
    cr_expect_eq(extras, 4);
    snapshot_hold(snapshot);
    snapshot_drop(snapshot);
    cr_expect_eq(extras, 4);
    cr_expect_str_eq(members(snapshot, 2), "early twin late ");
    snapshot_drop(snapshot);
    cr_expect_eq(extras, 0);
}

static enum err
damage(struct kv_txn *txn, void *context)
{
    (void)context;
    struct kv_id id;
    enum err err = kv_put(txn, KV_ACCOUNT, kv_id(&id, 2), STR("{\"id\":2,"));
    /* A record under another id than its own. */
    struct str record;
    err = err != ERR_OK ? err : kv_get(txn, KV_ACCOUNT, kv_id(&id, 3), &record);
    static char copy[32768];
    cr_assert(str_copy(copy, sizeof(copy), record));
    return err != ERR_OK ? err : kv_put(txn, KV_ACCOUNT, kv_id(&id, 9), str_of(copy));
}

Test(snapshot, leaves_out_what_cannot_be_read)
{
    fill();
    struct kv *kv = open_kv(KV_WRITE);
    cr_assert_eq(kv_write(kv, damage, NULL), ERR_OK);
    struct snapshot *snapshot = load(kv);
    cr_expect_eq(snapshot->account_count, 3);
    cr_expect_str_eq(members(snapshot, 2), "twin late ");
    cr_expect_eq(extras, 3);
    snapshot_drop(snapshot);
    kv_close(kv);
}

Test(snapshot, with_another_key_has_accounts_that_are_broken)
{
    fill();
    cr_assert_eq(unlink(tempdir_path("secret.key")), 0);
    char why[SECRET_WHY_BYTES];
    cr_assert_eq(secret_prepare(tempdir, true, why), ERR_OK, "%s", why);
    struct kv *kv = open_kv(KV_READ);
    struct snapshot *snapshot = load(kv);
    cr_expect_eq(snapshot->account_count, 4);
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        cr_expect(snapshot->accounts[i].is_broken);
        cr_expect(str_is_empty(snapshot->accounts[i].secret));
    }
    snapshot_drop(snapshot);
    kv_close(kv);
}
