#include "store/catalog.h"

#include <signal.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/rand.h"
#include "tests/unit/store/tempdir.h"

/*
 * A process has one store open, so the writer of these tests is a child that does one thing at a
 * time, or the same process before it opens the catalog.
 */
TestSuite(catalog, .init = tempdir_make, .fini = tempdir_remove);

static uint32_t extras_made;
static uint32_t extras_freed;

static enum err
read_dialects(struct str list, uint32_t *out_mask)
{
    *out_mask = 6;
    return str_equal(list, STR("bad")) ? ERR_BAD : ERR_OK;
}

static void *
make_extra(void *context, const struct catalog_account *account)
{
    extras_made++;
    cr_assert_eq(context, &extras_made);
    return strdup(account->account.name);
}

static void
free_extra(void *context, void *extra)
{
    (void)context;
    extras_freed++;
    free(extra);
}

static struct catalog *
open_catalog_of(uint32_t accounts)
{
    struct catalog_hooks hooks = { .dialects = read_dialects,
                                   .extra_make = make_extra,
                                   .extra_free = free_extra,
                                   .accounts = accounts,
                                   .context = &extras_made };
    struct catalog *catalog = NULL;
    cr_assert_eq(catalog_open(tempdir, TEMPDIR_MAP_BYTES, &hooks, &catalog), ERR_OK);
    return catalog;
}

static struct catalog *
open_catalog(void)
{
    return open_catalog_of(0);
}

/* Runs `work` with the ledger in a child. */
static void
in_writer(void (*work)(struct ledger *ledger))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct ledger *ledger = NULL;
        if (ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger) != ERR_OK) {
            _exit(1);
        }
        work(ledger);
        ledger_close(ledger);
        _exit(0);
    }
    cr_assert_eq(tempdir_wait(pid), 0);
}

static void
need(enum err err)
{
    if (err != ERR_OK) {
        fprintf(stderr, "writer: %s\n", err_name(err));
        _exit(2);
    }
}

static void
add_account(struct ledger *ledger, const char *name, const char *groups, uint32_t priority,
            const char *secret, const char *dialects)
{
    static struct account account;
    model_defaults(MODEL_ACCOUNT, &account);
    snprintf(account.name, sizeof(account.name), "%s", name);
    snprintf(account.groups, sizeof(account.groups), "%s", groups);
    snprintf(account.base_url, sizeof(account.base_url), "https://h");
    snprintf(account.dialects, sizeof(account.dialects), "%s", dialects);
    account.priority = priority;
    if (secret[0] != '\0') {
        need(ledger_seal(ledger, &account, str_of(secret)));
    }
    need(ledger_create(ledger, MODEL_ACCOUNT, &account));
}

static void
fill(struct ledger *ledger)
{
    need(tempdir_make_group(ledger, "g"));
    need(tempdir_make_group(ledger, "empty"));
    need(tempdir_make_user(ledger, "u"));
    need(tempdir_make_key(ledger, "key-one", "u", "g"));
    add_account(ledger, "late", "g, default, g", 90, "sk-late-secret", "");
    add_account(ledger, "early", "g", 10, "sk-early-secret", "chat");
    add_account(ledger, "plain", "", 50, "", "");
    add_account(ledger, "twin", "g", 10, "sk-twin-secret", "bad");
}

static void
prepare(void (*work)(struct ledger *ledger))
{
    char why[256];
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    in_writer(work);
}

static const struct catalog_key *
find_key(struct catalog *catalog, const char *text, enum err expected)
{
    const struct catalog_key *key = NULL;
    struct digest digest;
    digest_sha256(str_of(text), &digest);
    cr_assert_eq(catalog_key(catalog, &digest, &key), expected, "%s", text);
    return key;
}

static bool
lists(const struct catalog_view *view, const char *group, const char *names)
{
    char text[256] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < view->group_count; i++) {
        const struct catalog_group *g = &view->groups[i];
        for (uint32_t k = 0; strcmp(g->group.name, group) == 0 && k < g->account_count; k++) {
            const char *name = view->accounts[g->accounts[k]].account.name;
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%s ", name);
            cr_assert_lt(at, sizeof(text));
        }
    }
    return strcmp(text, names) == 0;
}

Test(catalog, view_has_accounts_groups_and_opened_credentials)
{
    prepare(fill);
    struct catalog *catalog = open_catalog();
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    cr_assert_eq(view->account_count, 4);
    cr_assert_eq(view->group_count, 3);
    cr_expect(lists(view, "g", "early twin late "));
    cr_expect(lists(view, "default", "plain late "));
    cr_expect(lists(view, "empty", ""));
    const struct catalog_account *late = &view->accounts[0];
    cr_expect(str_equal(late->secret, STR("sk-late-secret")));
    cr_expect_eq(late->account.sealed_bytes, 0);
    cr_expect_eq(late->group_count, 2);
    cr_expect_eq(late->dialects, 0);
    cr_expect_str_eq(late->extra, "late");
    cr_expect_eq(view->accounts[1].dialects, 6);
    cr_expect_not(view->accounts[1].is_broken);
    cr_expect(str_is_empty(view->accounts[2].secret));
    cr_expect_not(view->accounts[2].is_broken);
    cr_expect(view->accounts[3].is_broken);
    catalog_close(catalog);
    cr_expect_eq(extras_made, 4);
    cr_expect_eq(extras_freed, 4);
}

static void
change(struct ledger *ledger)
{
    static struct account account;
    need(ledger_find(ledger, MODEL_ACCOUNT, STR("early"), &account));
    account.priority = 99;
    need(ledger_update(ledger, MODEL_ACCOUNT, &account));
    static struct key key;
    need(ledger_find(ledger, MODEL_KEY, STR("key-one"), &key));
    key.is_disabled = true;
    need(ledger_update(ledger, MODEL_KEY, &key));
}

Test(catalog, change_is_seen_with_the_next_version_and_held_views_stay)
{
    prepare(fill);
    struct catalog *catalog = open_catalog();
    struct catalog_view *old = NULL;
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 1, &old), ERR_OK);
    catalog_hold(old);
    const struct catalog_key *old_key = find_key(catalog, "key-one", ERR_OK);
    in_writer(change);
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    cr_expect_eq(view, old);
    cr_expect_eq(find_key(catalog, "key-one", ERR_OK), old_key);
    cr_assert_eq(catalog_view(catalog, 2, &view), ERR_OK);
    cr_expect_neq(view, old);
    cr_expect_eq(view->version, 2);
    cr_expect(lists(view, "g", "twin late early "));
    cr_expect(find_key(catalog, "key-one", ERR_OK)->key.is_disabled);
    cr_expect(lists(old, "g", "early twin late "));
    cr_expect(str_equal(old->accounts[0].secret, STR("sk-late-secret")));
    cr_expect_not(old_key->key.is_disabled);
    cr_expect_eq(extras_freed, 0);
    catalog_drop(catalog, old);
    cr_expect_eq(extras_freed, 4);
    catalog_hold(view);
    catalog_close(catalog);
    cr_expect_eq(extras_freed, 8);
}

/* The upper half of a version moved: keys are read again, and ten thousand accounts are not. */
Test(catalog, a_changed_key_does_not_read_the_accounts_again)
{
    prepare(fill);
    struct catalog *catalog = open_catalog();
    struct catalog_view *old = NULL;
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 7, &old), ERR_OK);
    catalog_hold(old);
    const struct catalog_key *old_key = find_key(catalog, "key-one", ERR_OK);
    in_writer(change);
    cr_assert_eq(catalog_view(catalog, 7 | 1ull << 32, &view), ERR_OK);
    cr_expect_neq(view, old);
    cr_expect_eq(view->version, 7 | 1ull << 32);
    cr_expect_eq(view->serial, old->serial, "it shows the same accounts");
    cr_expect_eq(view->accounts, old->accounts);
    cr_expect(find_key(catalog, "key-one", ERR_OK)->key.is_disabled);
    cr_expect_not(old_key->key.is_disabled);
    cr_expect(lists(view, "g", "early twin late "));
    cr_assert_eq(catalog_view(catalog, 8 | 1ull << 32, &view), ERR_OK);
    cr_expect_neq(view->serial, old->serial);
    cr_expect(lists(view, "g", "twin late early "));
    catalog_drop(catalog, old);
    catalog_close(catalog);
    cr_expect_eq(extras_made, 8);
}

/* Many changes of many accounts: one load, and the next one later; keys are not late. */
Test(catalog, a_load_that_takes_long_is_not_repeated_at_once)
{
    prepare(fill);
    struct catalog *catalog = open_catalog();
    struct catalog_view *view = NULL;
    fault_set("catalog.load=sleep40");
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    uint64_t serial = view->serial;
    find_key(catalog, "key-one", ERR_OK);
    in_writer(change);
    uint64_t start_ms = clock_now_ms();
    cr_assert_eq(catalog_view(catalog, 2 | 1ull << 32, &view), ERR_OK);
    cr_expect_eq(view->serial, serial);
    cr_expect_eq(view->version, 1 | 1ull << 32);
    cr_expect(find_key(catalog, "key-one", ERR_OK)->key.is_disabled);
    while (view->serial == serial && clock_now_ms() < start_ms + 20000) {
        usleep(10000);
        cr_assert_eq(catalog_view(catalog, 2 | 1ull << 32, &view), ERR_OK);
    }
    cr_expect(lists(view, "g", "twin late early "), "in the end it is loaded");
    cr_expect_eq(view->version, 2 | 1ull << 32);
    cr_expect_geq(clock_now_ms() - start_ms, 350);
    catalog_close(catalog);
}

/* Its index has no row in the segment: whoever looked there would die of it. */
Test(catalog, accounts_that_the_segment_has_no_room_for_are_left_out)
{
    prepare(fill);
    struct catalog *catalog = open_catalog_of(2);
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    cr_expect_eq(view->account_count, 2);
    cr_expect(lists(view, "g", "early late "));
    cr_expect(lists(view, "default", "late "));
    catalog_close(catalog);
}

Test(catalog, key_comes_with_its_user_and_group)
{
    prepare(fill);
    struct catalog *catalog = open_catalog();
    struct catalog_view *view = NULL;
    const struct catalog_key *key = NULL;
    struct digest digest = { { 1 } };
    cr_expect_eq(catalog_key(catalog, &digest, &key), ERR_IO, "no view yet");
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    key = find_key(catalog, "key-one", ERR_OK);
    cr_expect_str_eq(key->key.name, "key-one");
    cr_expect_str_eq(key->user.name, "u");
    cr_expect_str_eq(view->groups[key->group].group.name, "g");
    cr_expect_eq(find_key(catalog, "key-one", ERR_OK), key);
    cr_expect_null(find_key(catalog, "key-two", ERR_GONE));
    catalog_close(catalog);
}

#define MANY (CATALOG_KEYS_MAX + 200u)

static void
fill_keys(struct ledger *ledger)
{
    need(tempdir_make_user(ledger, "u"));
    need(tempdir_make_group(ledger, "g"));
    add_account(ledger, "a", "g", 1, "sk-secret-secret", "");
    for (uint32_t i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof(name), "key-%u", i);
        need(tempdir_make_key(ledger, name, "u", "g"));
    }
}

Test(catalog, more_keys_than_are_kept_begin_a_view_with_the_same_accounts, .timeout = 120)
{
    prepare(fill_keys);
    struct catalog *catalog = open_catalog();
    struct catalog_view *first = NULL;
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 1, &first), ERR_OK);
    catalog_hold(first);
    const struct catalog_key *zero = find_key(catalog, "key-0", ERR_OK);
    for (uint32_t i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof(name), "key-%u", i);
        cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
        cr_assert_str_eq(find_key(catalog, name, ERR_OK)->key.name, name);
    }
    cr_expect_neq(view, first);
    cr_expect_eq(view->accounts, first->accounts);
    cr_expect_eq(extras_made, 1);
    cr_expect_str_eq(zero->key.name, "key-0");
    catalog_drop(catalog, first);
    cr_expect_eq(extras_freed, 0);
    catalog_close(catalog);
    cr_expect_eq(extras_freed, 1);
}

Test(catalog, one_view_that_is_never_asked_for_again_fills_up, .timeout = 120)
{
    prepare(fill_keys);
    struct catalog *catalog = open_catalog();
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    for (uint32_t i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof(name), "key-%u", i);
        find_key(catalog, name, i < CATALOG_KEYS_MAX ? ERR_OK : ERR_FULL);
    }
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    find_key(catalog, "key-1100", ERR_OK);
    catalog_close(catalog);
}

static enum err
spoil_row(struct kv_txn *txn, void *context)
{
    (void)context;
    struct kv_id key;
    return kv_put(txn, KV_ACCOUNT, kv_id(&key, 1), STR("{\"id\":1,"));
}

Test(catalog, an_unreadable_account_does_not_stop_the_others)
{
    prepare(fill);
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    cr_assert_eq(kv_write(kv, spoil_row, NULL), ERR_OK);
    kv_close(kv);
    struct catalog *catalog = open_catalog();
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    cr_expect_eq(view->account_count, 3);
    cr_expect(lists(view, "g", "early twin "));
    cr_expect(lists(view, "default", "plain "));
    catalog_close(catalog);
}

/* Sealed bytes carried to another account do not open there. */
static enum err
swap_seals(struct kv_txn *txn, void *context)
{
    (void)context;
    static struct account first;
    static struct account second;
    static char why[MODEL_WHY_BYTES];
    cr_assert_eq(object_get(txn, MODEL_ACCOUNT, 1, &first), ERR_OK);
    cr_assert_eq(object_get(txn, MODEL_ACCOUNT, 2, &second), ERR_OK);
    memcpy(second.sealed, first.sealed, first.sealed_bytes);
    second.sealed_bytes = first.sealed_bytes;
    return object_update(txn, MODEL_ACCOUNT, &second, why);
}

Test(catalog, a_seal_of_another_account_is_broken)
{
    prepare(fill);
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    cr_assert_eq(kv_write(kv, swap_seals, NULL), ERR_OK);
    kv_close(kv);
    struct catalog *catalog = open_catalog();
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    cr_expect_not(view->accounts[0].is_broken);
    cr_expect(view->accounts[1].is_broken);
    cr_expect(str_is_empty(view->accounts[1].secret));
    catalog_close(catalog);
}

static void
fill_proxies(struct ledger *ledger)
{
    static struct account account;
    for (int i = 0; i < 2; i++) {
        model_defaults(MODEL_ACCOUNT, &account);
        snprintf(account.name, sizeof(account.name), "a%d", i);
        snprintf(account.base_url, sizeof(account.base_url), "https://h");
        snprintf(account.proxy, sizeof(account.proxy), "http://joe:hunter%d@p.test:1", i);
        need(ledger_create(ledger, MODEL_ACCOUNT, &account));
    }
}

static enum err
swap_proxies(struct kv_txn *txn, void *context)
{
    static struct account first;
    static struct account second;
    cr_assert_eq(object_get(txn, MODEL_ACCOUNT, 1, &first), ERR_OK);
    cr_assert_eq(object_get(txn, MODEL_ACCOUNT, 2, &second), ERR_OK);
    memcpy(second.proxy_sealed, first.proxy_sealed, first.proxy_sealed_bytes);
    second.proxy_sealed_bytes = first.proxy_sealed_bytes;
    return object_update(txn, MODEL_ACCOUNT, &second, context);
}

Test(catalog, opens_a_proxys_password_for_its_account_alone)
{
    static char why[MODEL_WHY_BYTES];
    prepare(fill_proxies);
    struct catalog *catalog = open_catalog();
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    cr_expect(str_equal(view->accounts[0].proxy_password, STR("hunter0")));
    cr_expect(str_equal(view->accounts[1].proxy_password, STR("hunter1")));
    cr_expect_str_eq(view->accounts[1].account.proxy, "http://joe:***@p.test:1");
    cr_expect_eq(view->accounts[1].account.proxy_sealed_bytes, 0);
    cr_expect_not(view->accounts[1].is_broken);
    catalog_close(catalog);
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(tempdir, TEMPDIR_MAP_BYTES, KV_WRITE, &kv), ERR_OK);
    cr_assert_eq(kv_write(kv, swap_proxies, why), ERR_OK);
    kv_close(kv);
    catalog = open_catalog();
    cr_assert_eq(catalog_view(catalog, 1, &view), ERR_OK);
    cr_expect_not(view->accounts[0].is_broken);
    cr_expect(view->accounts[1].is_broken, "the seal of another account");
    cr_expect(str_is_empty(view->accounts[1].proxy_password));
    catalog_close(catalog);
}

Test(catalog, an_empty_store_has_a_view)
{
    char why[256];
    cr_assert_eq(ledger_prepare(tempdir, TEMPDIR_MAP_BYTES, why), ERR_OK, "%s", why);
    struct catalog *catalog = NULL;
    struct catalog_view *view = NULL;
    cr_assert_eq(catalog_open(tempdir, TEMPDIR_MAP_BYTES, NULL, &catalog), ERR_OK);
    cr_assert_eq(catalog_view(catalog, 7, &view), ERR_OK);
    cr_expect_eq(view->account_count, 0);
    cr_expect_eq(view->group_count, 1);
    find_key(catalog, "x", ERR_GONE);
    catalog_close(catalog);
    cr_expect_eq(catalog_open(tempdir_path("none"), TEMPDIR_MAP_BYTES, NULL, &catalog), ERR_GONE);
}

/* Writes until it is killed: each transaction sets the note of the user and of the key alike. */
static void
write_pairs(struct ledger *ledger)
{
    static struct key key;
    struct user user;
    need(ledger_find(ledger, MODEL_KEY, STR("key-one"), &key));
    need(ledger_find(ledger, MODEL_USER, STR("u"), &user));
    for (uint32_t i = 0; i < 100000; i++) {
        snprintf(key.note, sizeof(key.note), "%0200u", i);
        need(ledger_update(ledger, MODEL_KEY, &key));
    }
}

Test(catalog, reads_beside_a_writer_that_is_killed_are_whole, .timeout = 60)
{
    prepare(fill);
    struct catalog *catalog = open_catalog();
    struct catalog_view *view = NULL;
    uint64_t version = 0;
    for (int round = 0; round < 5; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct ledger *ledger = NULL;
            need(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &ledger));
            write_pairs(ledger);
            _exit(0);
        }
        uint64_t end_ms = clock_now_ms() + 20 + rand_below(30);
        while (clock_now_ms() < end_ms) {
            cr_assert_eq(catalog_view(catalog, ++version, &view), ERR_OK);
            cr_assert_eq(view->account_count, 4);
            size_t len = strlen(find_key(catalog, "key-one", ERR_OK)->key.note);
            cr_assert(len == 0 || len == 200, "%zu", len);
        }
        kill(pid, SIGKILL);
        cr_assert_eq(tempdir_wait(pid), 128 + SIGKILL);
    }
    catalog_close(catalog);
}
