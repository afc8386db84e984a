/*
 * migrate.c - the layout row.
 */
#include "store/migrate.h"

#include <stdio.h>

#include "base/check.h"
#include "base/str.h"
#include "store/object.h"
#include "store/proxy.h"
#include "store/record.h"
#include "store/rollup.h"

static enum err
read_layout(struct kv_txn *txn, uint64_t *out)
{
    struct str value;
    *out = 0;
    enum err err = kv_get(txn, KV_META, STR("layout"), &value);
    if (err != ERR_OK) {
        return err;
    }
    if (value.len != sizeof(struct kv_id)) {
        return ERR_BAD;
    }
    *out = kv_unpack64(value.data);
    return ERR_OK;
}

static enum err
judge(enum err err, uint64_t layout, char why[MODEL_WHY_BYTES])
{
    if (err == ERR_OK && layout > MIGRATE_LAYOUT) {
        snprintf(why, MODEL_WHY_BYTES,
                 "the store has layout %llu and was written by a newer sub2api; this one knows "
                 "layout %u: start the newer program, or restore a backup made before it",
                 (unsigned long long)layout, MIGRATE_LAYOUT);
        return ERR_DENIED;
    }
    if (err == ERR_BAD || (err == ERR_OK && layout == 0)) {
        snprintf(why, MODEL_WHY_BYTES, "the store's layout row is damaged: restore a backup");
        return ERR_BAD;
    }
    return err;
}

enum err
migrate_check(struct kv *kv, char why[MODEL_WHY_BYTES])
{
    struct kv_txn *txn = NULL;
    uint64_t layout = 0;
    enum err err = kv_begin(kv, &txn);
    if (err != ERR_OK) {
        return err;
    }
    err = read_layout(txn, &layout);
    kv_end(txn);
    return judge(err, layout, why);
}

struct run {
    const struct secret *secret;
    migrate_fill_fn fill;
    char *why;
};

/* Accounts whose record cannot be read stay as they are: nothing else can be done with them. */
static enum err
seal_proxies(struct kv_txn *txn, const struct run *run)
{
    union object object;
    uint64_t cursor = 0;
    enum err err;
    while ((err = object_next(txn, MODEL_ACCOUNT, &cursor, &object)) == ERR_OK) {
        if (proxy_is_bare(&object.account)) {
            err = proxy_seal(run->secret, &object.account);
            if (err == ERR_BAD) {
                snprintf(run->why, MODEL_WHY_BYTES, "the proxy of account %.64s is too long",
                         object.account.name);
            }
            err = err == ERR_OK ? object_update(txn, MODEL_ACCOUNT, &object, run->why) : err;
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return err == ERR_EOF ? ERR_OK : err;
}

/* The records that are there, added up; they are few in a store of that age. */
static enum err
make_rollups(struct kv_txn *txn, const struct run *run)
{
    static struct rollup rollup;
    (void)run;
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    struct ledger_record record;
    rollup_begin(&rollup);
    enum err err = kv_cursor_open(txn, KV_USAGE, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_next(cursor, &key, &value);
    bool is_short = err == ERR_OK && key.len == sizeof(struct kv_id) && kv_unpack64(key.data) > 1;
    while (err == ERR_OK) {
        err = record_read(value, &record);
        err = err != ERR_OK ? err : rollup_add(&rollup, txn, &record);
        err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    }
    kv_cursor_close(cursor);
    err = err == ERR_GONE ? rollup_end(&rollup, txn) : err;
    return err == ERR_OK && is_short ? kv_put(txn, KV_META, STR("rollup_short"), STR("1")) : err;
}

/* By the layout they begin with, the one before the first first; NULL: nothing is rewritten. */
static enum err (*const steps[MIGRATE_LAYOUT])(struct kv_txn *txn, const struct run *run) = {
    [1] = NULL, /* record.c and tally.c read what layout 1 wrote */
    [2] = seal_proxies,
    [3] = make_rollups,
    [4] = NULL, /* record.c reads records that are not packed */
};

static enum err
run_steps(struct kv_txn *txn, uint64_t layout, const struct run *run)
{
    enum err err = ERR_OK;
    CHECK(layout > 0 && layout <= MIGRATE_LAYOUT);
    for (; layout < MIGRATE_LAYOUT && err == ERR_OK; layout++) {
        err = steps[layout] == NULL ? ERR_OK : steps[layout](txn, run);
    }
    return err;
}

static enum err
run_in_txn(struct kv_txn *txn, void *context)
{
    const struct run *run = context;
    uint64_t layout = 0;
    enum err err = read_layout(txn, &layout);
    err = judge(err, layout, run->why);
    bool is_fresh = err == ERR_GONE;
    if (err == ERR_OK) {
        err = run_steps(txn, layout, run);
    }
    if ((err != ERR_OK && !is_fresh) || layout == MIGRATE_LAYOUT) {
        return err;
    }
    struct kv_id value;
    err = kv_put(txn, KV_META, STR("layout"), kv_id(&value, MIGRATE_LAYOUT));
    return err == ERR_OK && is_fresh ? run->fill(txn, run->secret) : err;
}

enum err
migrate_run(struct kv *kv, const struct secret *secret, migrate_fill_fn fill,
            char why[MODEL_WHY_BYTES])
{
    struct run run = { secret, fill, why };
    return kv_write(kv, run_in_txn, &run);
}
