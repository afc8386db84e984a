/*
 * snapshot.c - loading accounts and groups, and what is made of them once.
 */
#include "store/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/match.h"
#include "store/object.h"
#include "store/proxy.h"

#define LARGE_BYTES (16u * 1024 * 1024)

/* Fresh pages are zero, and a record's unused list space is never touched by us again. */
static void *
map_array(size_t count, size_t bytes)
{
    void *at =
        mmap(NULL, count * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    /* Thousands of accounts: one page fault for a hundred of them, if the system has large pages.
     */
    if (count * bytes >= LARGE_BYTES) {
        (void)madvise(at, count * bytes, MADV_HUGEPAGE);
    }
    return at;
}

static void
unmap_array(void *at, size_t count, size_t bytes)
{
    if (at != NULL) {
        munmap(at, count * bytes);
    }
}

static void
free_extras(struct snapshot *snapshot)
{
    if (snapshot->hooks.extra_free == NULL) {
        return;
    }
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        if (snapshot->accounts[i].extra != NULL) {
            snapshot->hooks.extra_free(snapshot->hooks.context, snapshot->accounts[i].extra);
        }
    }
}

void
snapshot_hold(struct snapshot *snapshot)
{
    CHECK(snapshot->references > 0);
    snapshot->references++;
}

void
snapshot_drop(struct snapshot *snapshot)
{
    CHECK(snapshot->references > 0);
    snapshot->references--;
    if (snapshot->references > 0) {
        return;
    }
    free_extras(snapshot);
    unmap_array(snapshot->accounts, snapshot->account_room, sizeof(*snapshot->accounts));
    unmap_array(snapshot->briefs, snapshot->account_room, sizeof(*snapshot->briefs));
    unmap_array(snapshot->groups, snapshot->group_room, sizeof(*snapshot->groups));
    free(snapshot->members);
    secret_area_free(&snapshot->area);
    pricelist_drop(snapshot->prices);
    free(snapshot);
}

uint32_t
snapshot_find_group(const struct snapshot *snapshot, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = snapshot->group_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (snapshot->groups[middle].group.id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_found = low < snapshot->group_count && snapshot->groups[low].group.id == id;
    return is_found ? low : UINT32_MAX;
}

/* --- loading --- */

static void
log_unreadable(const char *kind, uint64_t id, const char *why)
{
    log_event(LOG_ERROR, "store", "call=view kind=%s id=%llu why=\"%s\"", kind,
              (unsigned long long)id, why);
}

static enum err
on_group(void *context, uint64_t id, struct str record)
{
    struct snapshot *snapshot = context;
    if (snapshot->group_count == snapshot->group_room) {
        return ERR_BUG;
    }
    struct group *group = &snapshot->groups[snapshot->group_count].group;
    if (model_decode(MODEL_GROUP, record, group) != ERR_OK || group->id != id) {
        log_unreadable("group", id, "no readable record");
        return ERR_OK;
    }
    snapshot->group_count++;
    return ERR_OK;
}

static enum err
on_account(void *context, uint64_t id, struct str record)
{
    struct snapshot *snapshot = context;
    if (snapshot->account_count == snapshot->account_room) {
        return ERR_BUG;
    }
    struct account *account = &snapshot->accounts[snapshot->account_count].account;
    if (model_decode(MODEL_ACCOUNT, record, account) != ERR_OK || account->id != id ||
        account->index >= ACCOUNTS_MAX) {
        log_unreadable("account", id, "no readable record");
        return ERR_OK;
    }
    uint32_t room = snapshot->hooks.accounts;
    if (room != 0 && account->index >= room) {
        snapshot->left_out++;
        return ERR_OK;
    }
    snapshot->account_count++;
    return ERR_OK;
}

static enum err
count_rows(struct snapshot *snapshot, struct kv_txn *txn)
{
    uint64_t accounts = 0;
    uint64_t groups = 0;
    enum err err = kv_count(txn, KV_ACCOUNT, &accounts);
    err = err != ERR_OK ? err : kv_count(txn, KV_GROUP, &groups);
    if (err == ERR_OK && (accounts > ACCOUNTS_MAX || groups > GROUPS_MAX)) {
        log_event(LOG_ERROR, "store", "call=view why=\"more accounts or groups than fit\"");
        return ERR_FULL;
    }
    /* One at least, so that an empty store has arrays as well. */
    snapshot->account_room = (uint32_t)accounts + 1;
    snapshot->group_room = (uint32_t)groups + 1;
    return err;
}

static enum err
read_records(struct snapshot *snapshot, struct kv_txn *txn)
{
    enum err err = count_rows(snapshot, txn);
    if (err != ERR_OK) {
        return err;
    }
    snapshot->accounts = map_array(snapshot->account_room, sizeof(*snapshot->accounts));
    snapshot->briefs = map_array(snapshot->account_room, sizeof(*snapshot->briefs));
    snapshot->groups = map_array(snapshot->group_room, sizeof(*snapshot->groups));
    if (snapshot->accounts == NULL || snapshot->briefs == NULL || snapshot->groups == NULL) {
        return ERR_IO;
    }
    err = object_each(txn, MODEL_GROUP, on_group, snapshot);
    err = err != ERR_OK ? err : object_each(txn, MODEL_ACCOUNT, on_account, snapshot);
    if (snapshot->left_out > 0) {
        log_event(LOG_ERROR, "store",
                  "call=view left_out=%u why=\"there are more accounts than [shm] accounts\"",
                  snapshot->left_out);
    }
    return err;
}

static void
open_credential(struct snapshot *snapshot, const struct secret *secret,
                struct catalog_account *entry)
{
    struct account *account = &entry->account;
    char context[40];
    if (account->sealed_bytes == 0) {
        return; /* a provider that asks for none */
    }
    int len = snprintf(context, sizeof(context), "account:%llu", (unsigned long long)account->id);
    CHECK(len > 0 && (size_t)len < sizeof(context));
    struct str sealed = str_make((const char *)account->sealed, account->sealed_bytes);
    enum err err = ERR_BAD;
    if (sealed.len > DIGEST_SEAL_EXTRA_BYTES) {
        size_t bytes = sealed.len - DIGEST_SEAL_EXTRA_BYTES;
        char *plain = secret_area_cut(&snapshot->area, bytes);
        CHECK(plain != NULL);
        err = secret_open(secret, str_of(context), sealed, (uint8_t *)plain);
        entry->secret = err == ERR_OK ? str_make(plain, bytes) : (struct str){ NULL, 0 };
    }
    if (err != ERR_OK) {
        entry->is_broken = true;
        log_unreadable("account", account->id, "the credential cannot be opened: set it again");
    }
    memset(account->sealed, 0, account->sealed_bytes);
    account->sealed_bytes = 0;
}

static void
open_proxy(struct snapshot *snapshot, const struct secret *secret, struct catalog_account *entry)
{
    struct account *account = &entry->account;
    size_t bytes = proxy_password_bytes(account);
    if (bytes == 0) {
        return;
    }
    char *plain = secret_area_cut(&snapshot->area, bytes);
    CHECK(plain != NULL);
    if (proxy_open(secret, account, (uint8_t *)plain) == ERR_OK) {
        entry->proxy_password = str_make(plain, bytes);
    } else {
        entry->is_broken = true;
        log_unreadable("account", account->id,
                       "its proxy's password cannot be opened: set it again");
    }
    memset(account->proxy_sealed, 0, account->proxy_sealed_bytes);
    account->proxy_sealed_bytes = 0;
}

static enum err
open_credentials(struct snapshot *snapshot, const struct secret *secret)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        bytes += snapshot->accounts[i].account.sealed_bytes;
        bytes += proxy_password_bytes(&snapshot->accounts[i].account);
    }
    enum err err = secret_area_make(&snapshot->area, bytes);
    for (uint32_t i = 0; i < snapshot->account_count && err == ERR_OK; i++) {
        open_credential(snapshot, secret, &snapshot->accounts[i]);
        open_proxy(snapshot, secret, &snapshot->accounts[i]);
    }
    return err;
}

static uint32_t
find_group_named(const struct snapshot *snapshot, struct str name)
{
    for (uint32_t i = 0; i < snapshot->group_count; i++) {
        if (str_equal(str_of(snapshot->groups[i].group.name), name)) {
            return i;
        }
    }
    return UINT32_MAX;
}

static bool
is_member(const struct catalog_account *entry, uint32_t group)
{
    for (uint32_t i = 0; i < entry->group_count; i++) {
        if (entry->groups[i] == group) {
            return true;
        }
    }
    return false;
}

static void
join_groups(const struct snapshot *snapshot, struct catalog_account *entry)
{
    bool is_empty = entry->account.groups[0] == '\0';
    struct str rest = str_of(is_empty ? OBJECT_DEFAULT_GROUP : entry->account.groups);
    struct str name;
    while (entry->group_count < GROUPS_PER_ACCOUNT_MAX && match_next(&rest, &name)) {
        uint32_t group = find_group_named(snapshot, name);
        if (group == UINT32_MAX) {
            log_unreadable("account", entry->account.id, "one of its groups does not exist");
        } else if (!is_member(entry, group)) {
            entry->groups[entry->group_count++] = group;
        }
    }
}

static void
read_dialects(const struct snapshot *snapshot, struct catalog_account *entry)
{
    if (snapshot->hooks.dialects == NULL || entry->account.dialects[0] == '\0') {
        return;
    }
    if (snapshot->hooks.dialects(str_of(entry->account.dialects), &entry->dialects) != ERR_OK) {
        entry->dialects = 0;
        entry->is_broken = true;
        log_unreadable("account", entry->account.id, "its dialects are not known");
    }
}

/* For qsort: it gets no context, and accounts are sorted by one process on one thread. */
static const struct catalog_account *sorted_accounts;

static int
compare_members(const void *a, const void *b)
{
    const struct account *left = &sorted_accounts[*(const uint32_t *)a].account;
    const struct account *right = &sorted_accounts[*(const uint32_t *)b].account;
    if (left->priority != right->priority) {
        return left->priority < right->priority ? -1 : 1;
    }
    return left->id < right->id ? -1 : left->id > right->id;
}

/* Gives each group its piece of one array: count, cut, fill, sort. */
static enum err
list_members(struct snapshot *snapshot)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        for (uint32_t k = 0; k < snapshot->accounts[i].group_count; k++) {
            snapshot->groups[snapshot->accounts[i].groups[k]].account_count++;
            total++;
        }
    }
    snapshot->members = calloc(total + 1, sizeof(*snapshot->members));
    uint32_t *fill[GROUPS_MAX];
    if (snapshot->members == NULL) {
        return ERR_IO;
    }
    uint32_t *at = snapshot->members;
    for (uint32_t i = 0; i < snapshot->group_count; i++) {
        fill[i] = at;
        snapshot->groups[i].accounts = at;
        at += snapshot->groups[i].account_count;
    }
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        for (uint32_t k = 0; k < snapshot->accounts[i].group_count; k++) {
            *fill[snapshot->accounts[i].groups[k]]++ = i;
        }
    }
    sorted_accounts = snapshot->accounts;
    for (uint32_t i = 0; i < snapshot->group_count; i++) {
        struct catalog_group *group = &snapshot->groups[i];
        qsort(fill[i] - group->account_count, group->account_count, sizeof(uint32_t),
              compare_members);
    }
    sorted_accounts = NULL;
    return ERR_OK;
}

static void
make_extras(struct snapshot *snapshot)
{
    if (snapshot->hooks.extra_make == NULL) {
        return;
    }
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        struct catalog_account *entry = &snapshot->accounts[i];
        entry->extra = snapshot->hooks.extra_make(snapshot->hooks.context, entry);
    }
}

static void
make_briefs(struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        catalog_brief(&snapshot->accounts[i], snapshot->hooks.speaks, &snapshot->briefs[i]);
    }
}

static enum err
finish(struct snapshot *snapshot, const struct secret *secret)
{
    enum err err = open_credentials(snapshot, secret);
    if (err != ERR_OK) {
        return err;
    }
    for (uint32_t i = 0; i < snapshot->account_count; i++) {
        join_groups(snapshot, &snapshot->accounts[i]);
        read_dialects(snapshot, &snapshot->accounts[i]);
    }
    err = list_members(snapshot);
    if (err == ERR_OK) {
        make_extras(snapshot);
        make_briefs(snapshot);
    }
    return err;
}

enum err
snapshot_load(struct kv *kv, const struct secret *secret, const struct catalog_hooks *hooks,
              struct pricelist *prices, struct snapshot **out)
{
    static uint64_t serials;
    *out = NULL;
    struct kv_txn *txn = NULL;
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL) {
        return ERR_IO;
    }
    snapshot->serial = ++serials;
    snapshot->references = 1;
    snapshot->hooks = *hooks;
    enum err err = kv_begin(kv, &txn);
    if (err == ERR_OK) {
        err = read_records(snapshot, txn);
        err = err != ERR_OK ? err : pricelist_load(txn, prices, &snapshot->prices);
        kv_end(txn);
    }
    if (err == ERR_OK) {
        err = finish(snapshot, secret);
    }
    if (err != ERR_OK) {
        snapshot_drop(snapshot);
        return err;
    }
    *out = snapshot;
    return ERR_OK;
}
