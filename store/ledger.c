/*
 * ledger.c - the writer's side of the store.
 */
#include "store/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "store/credit.h"
#include "store/journal.h"
#include "store/kv.h"
#include "store/migrate.h"
#include "store/object.h"
#include "store/proxy.h"
#include "store/secret.h"
#include "store/tally.h"

#define HINT_SECRET_BYTES_MIN 12 /* of a shorter secret four characters would tell too much */

struct ledger {
    struct kv *kv;
    struct secret *secret;
    uint64_t next_drawn; /* account ids below it were given out by ledger_seal */
    char why[MODEL_WHY_BYTES];
    struct tally tally;
};

/* --- preparation, before fork --- */

static enum err
make_dir(const char *dir, char why[256])
{
    struct stat stat_;
    if (mkdir(dir, 0700) == 0) {
        return ERR_OK;
    }
    if (stat(dir, &stat_) != 0) {
        snprintf(why, 256, "%.180s cannot be made: %m", dir);
        return ERR_IO;
    }
    if (!S_ISDIR(stat_.st_mode)) {
        snprintf(why, 256, "%.180s is not a directory", dir);
        return ERR_IO;
    }
    return ERR_OK;
}

static bool
has_data(const char *dir)
{
    char path[512];
    struct stat stat_;
    int len = snprintf(path, sizeof(path), "%s/data.mdb", dir);
    return len > 0 && (size_t)len < sizeof(path) && stat(path, &stat_) == 0 && stat_.st_size > 0;
}

/* Before anything is written: a store of a newer program is left exactly as it is. */
static enum err
check_layout(const char *dir, uint64_t map_bytes, char why[256])
{
    struct kv *kv = NULL;
    enum err err = kv_open(dir, map_bytes, KV_PEEK, &kv);
    if (err == ERR_OK) {
        err = migrate_check(kv, why);
        kv_close(kv);
    }
    return err == ERR_GONE ? ERR_OK : err;
}

#define KEY_PROOF "sub2api"

/* A sealed word tells whether secret.key is the one that sealed this store's credentials. */
static enum err
put_key_proof(struct kv_txn *txn, const struct secret *secret)
{
    uint8_t sealed[sizeof(KEY_PROOF) - 1 + DIGEST_SEAL_EXTRA_BYTES];
    enum err err = secret_seal(secret, STR("store"), STR(KEY_PROOF), sealed);
    if (err != ERR_OK) {
        return err;
    }
    return kv_put(txn, KV_META, STR("key_proof"), str_make((const char *)sealed, sizeof(sealed)));
}

static enum err
check_key_proof(struct kv *kv, const struct secret *secret)
{
    uint8_t plain[sizeof(KEY_PROOF) - 1];
    struct kv_txn *txn = NULL;
    struct str sealed;
    enum err err = kv_begin(kv, &txn);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_get(txn, KV_META, STR("key_proof"), &sealed);
    if (err == ERR_OK) {
        err = sealed.len == sizeof(plain) + DIGEST_SEAL_EXTRA_BYTES
                  ? secret_open(secret, STR("store"), sealed, plain)
                  : ERR_BAD;
    }
    kv_end(txn);
    return err == ERR_GONE ? ERR_BAD : err;
}

/* What a fresh store begins with. */
static enum err
fill(struct kv_txn *txn, const struct secret *secret)
{
    struct group group;
    char why[MODEL_WHY_BYTES];
    enum err err = put_key_proof(txn, secret);
    if (err != ERR_OK) {
        return err;
    }
    model_defaults(MODEL_GROUP, &group);
    memcpy(group.name, OBJECT_DEFAULT_GROUP, sizeof(OBJECT_DEFAULT_GROUP));
    group.created_ms = clock_wall_ms();
    return object_create(txn, MODEL_GROUP, &group, why);
}

static enum err
prepare_store(const char *dir, uint64_t map_bytes, const struct secret *secret, char why[256])
{
    struct kv *kv = NULL;
    enum err err = kv_open(dir, map_bytes, KV_CREATE, &kv);
    if (err != ERR_OK) {
        return err;
    }
    err = migrate_run(kv, secret, fill, why);
    if (err == ERR_OK && check_key_proof(kv, secret) != ERR_OK) {
        snprintf(why, 256,
                 "%.100s/secret.key is not the key that sealed the credentials in this store: put "
                 "the right one back",
                 dir);
        err = ERR_BAD;
    }
    kv_close(kv);
    return err;
}

enum err
ledger_prepare(const char *dir, uint64_t map_bytes, char why[256])
{
    struct secret *secret = NULL;
    why[0] = '\0';
    enum err err = make_dir(dir, why);
    bool is_old = err == ERR_OK && has_data(dir);
    if (is_old) {
        err = check_layout(dir, map_bytes, why);
    }
    if (err == ERR_OK) {
        err = secret_prepare(dir, !is_old, why);
    }
    if (err == ERR_OK) {
        err = secret_load(dir, &secret, why);
    }
    if (err == ERR_OK) {
        err = prepare_store(dir, map_bytes, secret, why);
    }
    secret_free(secret);
    if (err != ERR_OK && why[0] == '\0') {
        snprintf(why, 256, "the store in %.160s cannot be opened: %s (see the log)", dir,
                 err_text(err));
    }
    return err;
}

/* --- the recorder's --- */

enum err
ledger_open(const char *dir, uint64_t map_bytes, struct ledger **out)
{
    char why[SECRET_WHY_BYTES] = "";
    *out = NULL;
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL) {
        return ERR_IO;
    }
    enum err err = secret_load(dir, &ledger->secret, why);
    if (err == ERR_OK) {
        err = kv_open(dir, map_bytes, KV_WRITE, &ledger->kv);
    }
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "store", "call=open err=%s why=\"%s\"", err_name(err), why);
        ledger_close(ledger);
        return err;
    }
    *out = ledger;
    return ERR_OK;
}

void
ledger_close(struct ledger *ledger)
{
    if (ledger != NULL) {
        kv_close(ledger->kv);
        secret_free(ledger->secret);
        free(ledger);
    }
}

/* --- usage records --- */

enum err
ledger_position(struct ledger *ledger, uint64_t run_id, uint32_t slot, uint64_t *out_sequence)
{
    struct kv_txn *txn = NULL;
    *out_sequence = 0;
    enum err err = kv_begin(ledger->kv, &txn);
    if (err == ERR_OK) {
        err = journal_position(txn, run_id, slot, out_sequence);
        kv_end(txn);
    }
    return err;
}

struct commit {
    struct tally *tally;
    const struct ledger_batch *batches;
    uint32_t count;
};

static enum err
commit_in_txn(struct kv_txn *txn, void *context)
{
    const struct commit *commit = context;
    enum err err = journal_commit(txn, commit->tally, commit->batches, commit->count);
    FAULT("ledger.before_commit");
    return err;
}

enum err
ledger_commit(struct ledger *ledger, const struct ledger_batch *batches, uint32_t count)
{
    struct commit commit = { &ledger->tally, batches, count };
    enum err err = kv_write(ledger->kv, commit_in_txn, &commit);
    FAULT("ledger.after_commit");
    return err;
}

enum err
ledger_total(struct ledger *ledger, enum model_kind kind, uint64_t id, struct ledger_total *out)
{
    struct kv_txn *txn = NULL;
    *out = (struct ledger_total){ 0 };
    enum err err = kv_begin(ledger->kv, &txn);
    if (err == ERR_OK) {
        err = tally_read(txn, kind, id, out);
        kv_end(txn);
    }
    return err;
}

enum err
ledger_recent(struct ledger *ledger, uint64_t before_sequence, struct ledger_record *out,
              uint64_t *out_sequences, uint32_t count, uint32_t *out_count)
{
    struct kv_txn *txn = NULL;
    *out_count = 0;
    enum err err = kv_begin(ledger->kv, &txn);
    if (err == ERR_OK) {
        err = journal_recent(txn, before_sequence, out, out_sequences, count, out_count);
        kv_end(txn);
    }
    return err;
}

struct prune {
    uint64_t wall_ms;
    uint32_t count;
    uint32_t removed;
};

static enum err
prune_in_txn(struct kv_txn *txn, void *context)
{
    struct prune *prune = context;
    return journal_prune(txn, prune->wall_ms, prune->count, &prune->removed);
}

enum err
ledger_prune(struct ledger *ledger, uint64_t wall_ms, uint32_t count, uint32_t *out_removed)
{
    struct prune prune = { wall_ms, count, 0 };
    enum err err = kv_write(ledger->kv, prune_in_txn, &prune);
    *out_removed = err == ERR_OK ? prune.removed : 0;
    return err;
}

/* --- balances --- */

struct topup {
    struct ledger *ledger;
    struct str name;
    int64_t amount_nano;
    struct str note;
    struct user *user;
};

static enum err
topup_in_txn(struct kv_txn *txn, void *context)
{
    const struct topup *topup = context;
    return credit_add(txn, topup->name, topup->amount_nano, topup->note, topup->user,
                      topup->ledger->why);
}

enum err
ledger_topup(struct ledger *ledger, struct str name, int64_t amount_nano, struct str note,
             struct user *user)
{
    struct topup topup = { ledger, name, amount_nano, note, user };
    ledger->why[0] = '\0';
    return kv_write(ledger->kv, topup_in_txn, &topup);
}

enum err
ledger_credits(struct ledger *ledger, uint64_t user_id, struct ledger_credit *out, uint32_t count,
               uint32_t *out_count)
{
    struct kv_txn *txn = NULL;
    *out_count = 0;
    enum err err = kv_begin(ledger->kv, &txn);
    if (err == ERR_OK) {
        err = credit_recent(txn, user_id, out, count, out_count);
        kv_end(txn);
    }
    return err;
}

/* --- configuration records --- */

struct change {
    struct ledger *ledger;
    enum model_kind kind;
    union object object; /* a copy: a second try starts from what was given */
    const void *given;
};

static uint64_t *
created_of(enum model_kind kind, union object *object)
{
    switch (kind) {
    case MODEL_USER:
        return &object->user.created_ms;
    case MODEL_KEY:
        return &object->key.created_ms;
    case MODEL_GROUP:
        return &object->group.created_ms;
    case MODEL_ACCOUNT:
        return &object->account.created_ms;
    case MODEL_PLAN:
        return &object->plan.created_ms;
    }
    CHECK(false);
    return NULL;
}

/* An id before the record is written: never one that a seal before it got. */
static enum err
draw_id(struct ledger *ledger, struct account *account)
{
    struct kv_txn *txn = NULL;
    uint64_t next = 0;
    enum err err = kv_begin(ledger->kv, &txn);
    if (err != ERR_OK) {
        return err;
    }
    err = object_next_id(txn, MODEL_ACCOUNT, &next);
    kv_end(txn);
    if (err == ERR_OK) {
        account->id = next > ledger->next_drawn ? next : ledger->next_drawn;
        ledger->next_drawn = account->id + 1;
    }
    return err;
}

/* A proxy's password never reaches the file as it was written. */
static enum err
seal_proxy(struct ledger *ledger, struct account *account)
{
    enum err err = ERR_OK;
    if (account->id == 0 && proxy_is_bare(account)) {
        err = draw_id(ledger, account);
    }
    if (err == ERR_OK && account->id != 0) {
        err = proxy_seal(ledger->secret, account);
    }
    if (err == ERR_BAD) {
        snprintf(ledger->why, sizeof(ledger->why), "proxy: too long");
    }
    return err;
}

static enum err
create_in_txn(struct kv_txn *txn, void *context)
{
    struct change *change = context;
    memcpy(&change->object, change->given, model_table(change->kind)->size);
    *created_of(change->kind, &change->object) = clock_wall_ms();
    return object_create(txn, change->kind, &change->object, change->ledger->why);
}

enum err
ledger_create(struct ledger *ledger, enum model_kind kind, void *object)
{
    CHECK((unsigned)kind < MODEL_KINDS);
    struct change change = { .ledger = ledger, .kind = kind, .given = object };
    ledger->why[0] = '\0';
    enum err err = kind == MODEL_ACCOUNT ? seal_proxy(ledger, object) : ERR_OK;
    if (err == ERR_OK) {
        err = kv_write(ledger->kv, create_in_txn, &change);
    }
    if (err == ERR_OK) {
        memcpy(object, &change.object, model_table(kind)->size);
    }
    return err;
}

static enum err
update_in_txn(struct kv_txn *txn, void *context)
{
    struct change *change = context;
    union object old;
    memcpy(&change->object, change->given, model_table(change->kind)->size);
    if (object_get(txn, change->kind, change->object.id, &old) == ERR_OK) {
        *created_of(change->kind, &change->object) = *created_of(change->kind, &old);
    }
    return object_update(txn, change->kind, &change->object, change->ledger->why);
}

enum err
ledger_update(struct ledger *ledger, enum model_kind kind, const void *object)
{
    CHECK((unsigned)kind < MODEL_KINDS);
    union object sealed;
    memcpy(&sealed, object, model_table(kind)->size);
    struct change change = { .ledger = ledger, .kind = kind, .given = &sealed };
    ledger->why[0] = '\0';
    enum err err = kind == MODEL_ACCOUNT ? seal_proxy(ledger, &sealed.account) : ERR_OK;
    return err == ERR_OK ? kv_write(ledger->kv, update_in_txn, &change) : err;
}

const char *
ledger_why(const struct ledger *ledger)
{
    return ledger->why;
}

struct removal {
    enum model_kind kind;
    uint64_t id;
    char *why;
};

static enum err
remove_in_txn(struct kv_txn *txn, void *context)
{
    const struct removal *removal = context;
    return object_remove(txn, removal->kind, removal->id, removal->why);
}

enum err
ledger_remove(struct ledger *ledger, enum model_kind kind, uint64_t id, char why[MODEL_WHY_BYTES])
{
    struct removal removal = { kind, id, why };
    why[0] = '\0';
    return kv_write(ledger->kv, remove_in_txn, &removal);
}

enum err
ledger_find_plan(struct ledger *ledger, uint64_t user_id, uint64_t group_id, struct plan *plan)
{
    struct kv_txn *txn = NULL;
    enum err err = kv_begin(ledger->kv, &txn);
    if (err == ERR_OK) {
        err = object_find_plan(txn, user_id, group_id, plan);
        kv_end(txn);
    }
    return err;
}

enum err
ledger_find(struct ledger *ledger, enum model_kind kind, struct str name, void *object)
{
    struct kv_txn *txn = NULL;
    enum err err = kv_begin(ledger->kv, &txn);
    if (err == ERR_OK) {
        err = object_find(txn, kind, name, object);
        kv_end(txn);
    }
    return err;
}

enum err
ledger_next(struct ledger *ledger, enum model_kind kind, uint64_t *cursor, void *object)
{
    struct kv_txn *txn = NULL;
    enum err err = kv_begin(ledger->kv, &txn);
    if (err == ERR_OK) {
        err = object_next(txn, kind, cursor, object);
        kv_end(txn);
    }
    return err;
}

/* --- credentials --- */

static void
set_hint(struct account *account, struct str secret)
{
    char tail[5] = "";
    if (secret.len >= HINT_SECRET_BYTES_MIN) {
        for (size_t i = 0; i < 4; i++) {
            char c = secret.data[secret.len - 4 + i];
            tail[i] = c > ' ' && c < 0x7f ? c : '?';
        }
    }
    snprintf(account->secret_hint, sizeof(account->secret_hint), "...%s", tail);
}

enum err
ledger_seal(struct ledger *ledger, struct account *account, struct str secret)
{
    char context[40];
    if (secret.len == 0 || secret.len > SECRET_BYTES_MAX) {
        return ERR_BAD;
    }
    if (account->id == 0) {
        enum err err = draw_id(ledger, account);
        if (err != ERR_OK) {
            return err;
        }
    }
    int len = snprintf(context, sizeof(context), "account:%llu", (unsigned long long)account->id);
    CHECK(len > 0 && (size_t)len < sizeof(context));
    enum err err = secret_seal(ledger->secret, str_of(context), secret, account->sealed);
    if (err != ERR_OK) {
        return err;
    }
    account->sealed_bytes = (uint32_t)(secret.len + DIGEST_SEAL_EXTRA_BYTES);
    set_hint(account, secret);
    return ERR_OK;
}

struct kv *
ledger_kv(struct ledger *ledger)
{
    return ledger->kv;
}

/* --- upkeep --- */

uint32_t
ledger_check_readers(struct ledger *ledger)
{
    return kv_check_readers(ledger->kv);
}

bool
ledger_is_broken(const struct ledger *ledger)
{
    return kv_is_broken(ledger->kv);
}

void
ledger_space(struct ledger *ledger, uint64_t *out_used_bytes, uint64_t *out_map_bytes)
{
    kv_space(ledger->kv, out_used_bytes, out_map_bytes);
}
