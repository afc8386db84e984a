/*
 * catalog.c - snapshots of accounts and groups, and the keys that were asked for.
 */
#include "store/catalog.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/log.h"
#include "store/keycache.h"
#include "store/kv.h"
#include "store/object.h"
#include "store/outcome.h"
#include "store/secret.h"
#include "store/snapshot.h"
#include "store/tally.h"

#define KEYS_SHIFT 32u /* of a version: the half that keys, users and plans have */
#define RETRY_MS 1000u /* after a failed load: one line in the log a second, not one a request */
/* A load that takes long holds up streams; accounts that change all the time (ten thousand are
 * being made) must not take more than a tenth of a process. */
#define LONG_LOAD_MS 20u
#define LONG_LOAD_REST 10u /* times as long */

/*
 * What the caller knows as a view: a snapshot of accounts and groups, which several views may
 * share, and a cache of keys of its own. When the cache is full a new view with the same snapshot
 * begins, so that no key moves while somebody may still look at it.
 */
struct view {
    struct catalog_view view; /* first: the caller's pointer is this */
    struct list link;
    struct snapshot *snapshot;
    struct keycache keys;
};

struct catalog {
    struct kv *kv;
    struct secret *secret;
    struct catalog_hooks hooks;
    struct view *current; /* NULL before the first load */
    struct list views;    /* all that somebody holds */
    uint64_t retry_ms;    /* no new load before; 0 = at once */
    bool has_failed;      /* the last load */
    struct catalog_key scratch;
};

void
catalog_brief(const struct catalog_account *account, uint32_t (*speaks)(const void *extra),
              struct catalog_brief *out)
{
    const struct account *record = &account->account;
    *out = (struct catalog_brief){ .id = record->id,
                                   .tpm = record->tpm,
                                   .index = record->index,
                                   .priority = record->priority,
                                   .weight = record->weight,
                                   .concurrency = record->concurrency,
                                   .rpm = record->rpm,
                                   .dialects = UINT32_MAX,
                                   .is_disabled = record->is_disabled,
                                   .is_broken = account->is_broken || account->extra == NULL,
                                   .has_models =
                                       record->models[0] != '\0' || record->model_map[0] != '\0' };
    if (account->extra != NULL && speaks != NULL) {
        out->dialects = speaks(account->extra);
    }
}

enum err
catalog_open(const char *store_dir, uint64_t map_bytes, const struct catalog_hooks *hooks,
             struct catalog **out)
{
    char why[SECRET_WHY_BYTES] = "";
    *out = NULL;
    struct catalog *catalog = calloc(1, sizeof(*catalog));
    if (catalog == NULL) {
        return ERR_IO;
    }
    list_init(&catalog->views);
    if (hooks != NULL) {
        catalog->hooks = *hooks;
    }
    enum err err = secret_load(store_dir, &catalog->secret, why);
    if (err == ERR_OK) {
        err = kv_open(store_dir, map_bytes, KV_READ, &catalog->kv);
    }
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "store", "call=open err=%s why=\"%s\"", err_name(err), why);
        catalog_close(catalog);
        return err;
    }
    *out = catalog;
    return ERR_OK;
}

void
catalog_derive(const struct catalog *catalog, struct str label, struct digest *out)
{
    secret_derive(catalog->secret, label, out);
}

static struct view *
view_of(struct catalog_view *view)
{
    return (struct view *)(void *)view;
}

static void
free_view(struct view *view)
{
    list_remove(&view->link);
    snapshot_drop(view->snapshot);
    keycache_fini(&view->keys);
    free(view);
}

void
catalog_close(struct catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    while (!list_is_empty(&catalog->views)) {
        free_view(LIST_OWNER(list_first(&catalog->views), struct view, link));
    }
    kv_close(catalog->kv);
    secret_free(catalog->secret);
    free(catalog);
}

void
catalog_hold(struct catalog_view *view)
{
    CHECK(view->references > 0 && view->references < UINT32_MAX);
    view->references++;
}

void
catalog_drop(struct catalog *catalog, struct catalog_view *view)
{
    CHECK(view->references > 0);
    CHECK(view_of(view) != catalog->current || view->references > 1);
    view->references--;
    if (view->references == 0) {
        free_view(view_of(view));
    }
}

/* The catalog's own reference moves from the old view to a new one with this snapshot. */
static enum err
begin_view(struct catalog *catalog, uint64_t version, struct snapshot *snapshot)
{
    struct view *view = calloc(1, sizeof(*view));
    if (view == NULL || keycache_init(&view->keys) != ERR_OK) {
        free(view);
        return ERR_IO;
    }
    snapshot_hold(snapshot);
    view->snapshot = snapshot;
    view->view = (struct catalog_view){
        .version = version,
        .serial = snapshot->serial,
        .references = 1,
        .accounts = snapshot->accounts,
        .briefs = snapshot->briefs,
        .account_count = snapshot->account_count,
        .groups = snapshot->groups,
        .group_count = snapshot->group_count,
        .prices = snapshot->prices,
    };
    list_push_tail(&catalog->views, &view->link);
    struct view *old = catalog->current;
    catalog->current = view;
    if (old != NULL) {
        catalog_drop(catalog, &old->view);
    }
    return ERR_OK;
}

static enum err
load_view(struct catalog *catalog, uint64_t version)
{
    struct snapshot *snapshot = NULL;
    struct pricelist *prices = catalog->current == NULL ? NULL : catalog->current->snapshot->prices;
    enum err err = snapshot_load(catalog->kv, catalog->secret, &catalog->hooks, prices, &snapshot);
    if (err == ERR_OK) {
        err = begin_view(catalog, version, snapshot);
        snapshot_drop(snapshot);
    }
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "store", "call=view version=%llu err=%s", (unsigned long long)version,
                  err_name(err));
    }
    return err;
}

/* Accounts, groups and prices are others by now: loads them, unless it is too early for that. */
static enum err
renew(struct catalog *catalog, uint64_t version)
{
    uint64_t start_ms = clock_now_ms();
    if (start_ms < catalog->retry_ms) {
        return catalog->has_failed ? ERR_IO : ERR_OK;
    }
    FAULT("catalog.load");
    enum err err = load_view(catalog, version);
    uint64_t end_ms = clock_now_ms();
    uint64_t took_ms = end_ms - start_ms;
    catalog->has_failed = err != ERR_OK;
    catalog->retry_ms = catalog->has_failed       ? start_ms + RETRY_MS
                        : took_ms >= LONG_LOAD_MS ? end_ms + took_ms * LONG_LOAD_REST
                                                  : 0;
    return err;
}

enum err
catalog_view(struct catalog *catalog, uint64_t version, struct catalog_view **out)
{
    enum err err = ERR_OK;
    if (catalog->current == NULL || (uint32_t)catalog->current->view.version != (uint32_t)version) {
        err = renew(catalog, version);
    }
    struct view *current = catalog->current;
    bool has_other_keys =
        current != NULL && current->view.version >> KEYS_SHIFT != version >> KEYS_SHIFT;
    if (err == ERR_OK && (has_other_keys || keycache_is_full(&current->keys))) {
        uint64_t keys_version = version >> KEYS_SHIFT << KEYS_SHIFT;
        err =
            begin_view(catalog, keys_version | (uint32_t)current->view.version, current->snapshot);
    }
    *out = catalog->current == NULL ? NULL : &catalog->current->view;
    return err;
}

uint32_t
catalog_find_group(const struct catalog_view *view, uint64_t id)
{
    return snapshot_find_group(((const struct view *)(const void *)view)->snapshot, id);
}

/* A key and its user in one read transaction; both are decoded into the scratch place. */
static enum err
read_key(struct catalog *catalog, const struct digest *digest)
{
    struct catalog_key *key = &catalog->scratch;
    struct kv_txn *txn = NULL;
    enum err err = kv_begin(catalog->kv, &txn);
    if (err != ERR_OK) {
        return err;
    }
    err = object_find_key(txn, digest, &key->key);
    if (err == ERR_OK) {
        err = object_get(txn, MODEL_USER, key->key.user_id, &key->user);
    }
    if (err == ERR_OK) {
        err = object_find_plan(txn, key->key.user_id, key->key.group_id, &key->plan);
        if (err == ERR_GONE) {
            memset(&key->plan, 0, sizeof(key->plan));
            err = ERR_OK;
        }
    }
    kv_end(txn);
    return err;
}

enum err
catalog_key(struct catalog *catalog, const struct digest *digest, const struct catalog_key **out)
{
    struct view *view = catalog->current;
    *out = NULL;
    if (view == NULL) {
        return ERR_IO;
    }
    *out = keycache_find(&view->keys, digest);
    if (*out != NULL) {
        return ERR_OK;
    }
    enum err err = read_key(catalog, digest);
    if (err != ERR_OK) {
        return err;
    }
    catalog->scratch.group = snapshot_find_group(view->snapshot, catalog->scratch.key.group_id);
    *out = keycache_add(&view->keys, &catalog->scratch);
    return *out == NULL ? ERR_FULL : ERR_OK;
}

enum err
catalog_total(struct catalog *catalog, enum model_kind kind, uint64_t id, struct ledger_total *out)
{
    struct kv_txn *txn = NULL;
    *out = (struct ledger_total){ 0 };
    enum err err = kv_begin(catalog->kv, &txn);
    if (err == ERR_OK) {
        err = tally_read(txn, kind, id, out);
        kv_end(txn);
    }
    return err;
}

enum err
catalog_outcome(struct catalog *catalog, const uint8_t name[CLAIM_NAME_BYTES], struct buf *out)
{
    struct kv_txn *txn = NULL;
    struct str row;
    enum err err = kv_begin(catalog->kv, &txn);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_IO : err;
    }
    err = outcome_get(txn, name, &row);
    err = err != ERR_OK ? err : buf_append(out, row);
    kv_end(txn);
    return err;
}
