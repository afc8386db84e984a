/*
 * reference.c - rows of the reference table, and which of them an object has.
 */
#include "store/reference.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "store/match.h"
#include "store/object.h"

#define HALF_BYTES 9 /* kind and id */

struct row {
    uint8_t bytes[2 * HALF_BYTES]; /* the named, the naming */
};

static struct str
make_row(struct row *to, enum model_kind named, uint64_t named_id, enum model_kind naming,
         uint64_t naming_id)
{
    CHECK((unsigned)named < MODEL_KINDS && (unsigned)naming < MODEL_KINDS);
    to->bytes[0] = (uint8_t)named;
    kv_pack64(to->bytes + 1, named_id);
    to->bytes[HALF_BYTES] = (uint8_t)naming;
    kv_pack64(to->bytes + HALF_BYTES + 1, naming_id);
    return str_make((const char *)to->bytes, sizeof(to->bytes));
}

enum err
reference_set(struct kv_txn *txn, enum model_kind named, uint64_t named_id, enum model_kind naming,
              uint64_t naming_id, bool is_set)
{
    struct row row;
    struct str key = make_row(&row, named, named_id, naming, naming_id);
    if (is_set) {
        return kv_put(txn, KV_REFERENCE, key, STR("1"));
    }
    enum err err = kv_del(txn, KV_REFERENCE, key);
    return err == ERR_GONE ? ERR_OK : err;
}

static enum err
read_row(struct str key, const struct row *start, enum model_kind *out_naming,
         uint64_t *out_naming_id)
{
    if (key.len != sizeof(start->bytes) || memcmp(key.data, start->bytes, HALF_BYTES) != 0) {
        return ERR_GONE;
    }
    uint8_t kind = (uint8_t)key.data[HALF_BYTES];
    if (kind >= MODEL_KINDS) {
        return ERR_BAD;
    }
    *out_naming = (enum model_kind)kind;
    *out_naming_id = kv_unpack64(key.data + HALF_BYTES + 1);
    return ERR_OK;
}

enum err
reference_first(struct kv_txn *txn, enum model_kind named, uint64_t named_id,
                enum model_kind *out_naming, uint64_t *out_naming_id)
{
    struct row start;
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    enum err err = kv_cursor_open(txn, KV_REFERENCE, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_seek(cursor, make_row(&start, named, named_id, MODEL_USER, 0), &key, &value);
    if (err == ERR_OK) {
        err = read_row(key, &start, out_naming, out_naming_id);
    }
    kv_cursor_close(cursor);
    return err;
}

enum err
reference_next(struct kv_txn *txn, enum model_kind named, uint64_t named_id, enum model_kind naming,
               uint64_t *cursor)
{
    struct row start;
    struct kv_cursor *at = NULL;
    struct str key;
    struct str value;
    enum model_kind kind = naming;
    uint64_t id = 0;
    enum err err = kv_cursor_open(txn, KV_REFERENCE, &at);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_seek(at, make_row(&start, named, named_id, naming, *cursor + 1), &key, &value);
    if (err == ERR_OK) {
        err = read_row(key, &start, &kind, &id);
    }
    kv_cursor_close(at);
    if (err == ERR_GONE || (err == ERR_OK && kind != naming)) {
        return ERR_EOF;
    }
    if (err == ERR_OK) {
        *cursor = id;
    }
    return err;
}

/* --- of whole objects --- */

static enum err
say_gone(char *why, enum model_kind kind, struct str name)
{
    struct str shown = str_make(name.data, name.len < NAME_BYTES ? name.len : NAME_BYTES);
    snprintf(why, MODEL_WHY_BYTES, "%s: there is no %s \"%.*s\"", model_table(kind)->noun,
             model_table(kind)->noun, STR_ARG(shown));
    return ERR_GONE;
}

/* The ids of the user and the group that a key or a plan names. */
static enum err
resolve_pair(struct kv_txn *txn, const char *user, uint64_t *out_user, char group[NAME_BYTES],
             uint64_t *out_group, char *why)
{
    enum err err = object_id(txn, MODEL_USER, str_of(user), out_user);
    if (err != ERR_OK) {
        return err == ERR_GONE ? say_gone(why, MODEL_USER, str_of(user)) : err;
    }
    if (group[0] == '\0') {
        memcpy(group, OBJECT_DEFAULT_GROUP, sizeof(OBJECT_DEFAULT_GROUP));
    }
    err = object_id(txn, MODEL_GROUP, str_of(group), out_group);
    return err == ERR_GONE ? say_gone(why, MODEL_GROUP, str_of(group)) : err;
}

static enum err
resolve_key(struct kv_txn *txn, struct key *key, char *why)
{
    return resolve_pair(txn, key->user, &key->user_id, key->group, &key->group_id, why);
}

static enum err
resolve_plan(struct kv_txn *txn, struct plan *plan, char *why)
{
    return resolve_pair(txn, plan->user, &plan->user_id, plan->group, &plan->group_id, why);
}

static enum err
resolve_account(struct kv_txn *txn, struct account *account, char *why)
{
    struct str rest = str_of(account->groups);
    struct str name;
    uint64_t id = 0;
    bool has_any = false;
    while (match_next(&rest, &name)) {
        enum err err = object_id(txn, MODEL_GROUP, name, &id);
        if (err != ERR_OK) {
            return err == ERR_GONE ? say_gone(why, MODEL_GROUP, name) : err;
        }
        has_any = true;
    }
    if (!has_any) {
        memcpy(account->groups, OBJECT_DEFAULT_GROUP, sizeof(OBJECT_DEFAULT_GROUP));
    }
    return ERR_OK;
}

enum err
reference_resolve(struct kv_txn *txn, enum model_kind kind, void *object, char *why)
{
    switch (kind) {
    case MODEL_KEY:
        return resolve_key(txn, object, why);
    case MODEL_ACCOUNT:
        return resolve_account(txn, object, why);
    case MODEL_PLAN:
        return resolve_plan(txn, object, why);
    case MODEL_USER:
    case MODEL_GROUP:
        return ERR_OK;
    }
    return ERR_BUG;
}

static enum err
refer_account(struct kv_txn *txn, const struct account *account, bool is_set)
{
    struct str rest = str_of(account->groups);
    struct str name;
    while (match_next(&rest, &name)) {
        uint64_t id = 0;
        enum err err = object_id(txn, MODEL_GROUP, name, &id);
        if (err == ERR_OK) {
            err = reference_set(txn, MODEL_GROUP, id, MODEL_ACCOUNT, account->id, is_set);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err
refer_pair(struct kv_txn *txn, uint64_t user_id, uint64_t group_id, enum model_kind kind,
           uint64_t id, bool is_set)
{
    enum err err = reference_set(txn, MODEL_USER, user_id, kind, id, is_set);
    return err != ERR_OK ? err : reference_set(txn, MODEL_GROUP, group_id, kind, id, is_set);
}

enum err
reference_object(struct kv_txn *txn, enum model_kind kind, const void *object, bool is_set)
{
    if (kind == MODEL_ACCOUNT) {
        return refer_account(txn, object, is_set);
    }
    if (kind == MODEL_KEY) {
        const struct key *key = object;
        return refer_pair(txn, key->user_id, key->group_id, kind, key->id, is_set);
    }
    if (kind == MODEL_PLAN) {
        const struct plan *plan = object;
        return refer_pair(txn, plan->user_id, plan->group_id, kind, plan->id, is_set);
    }
    return ERR_OK;
}
