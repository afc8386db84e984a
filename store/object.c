/*
 * object.c - records, and the indexes that are kept with them.
 */
#include "store/object.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/match.h"
#include "store/reference.h"

_Static_assert(offsetof(struct user, id) == 0 && offsetof(struct key, id) == 0 &&
                   offsetof(struct group, id) == 0 && offsetof(struct account, id) == 0 &&
                   offsetof(struct plan, id) == 0,
               "union object begins with the id");
_Static_assert((int)KV_USER + (int)MODEL_PLAN == (int)KV_PLAN, "tables in the order of kinds");

static enum kv_table
table_of(enum model_kind kind)
{
    CHECK((unsigned)kind < MODEL_KINDS);
    return (enum kv_table)((unsigned)KV_USER + (unsigned)kind);
}

static const char *
noun_of(enum model_kind kind)
{
    CHECK((unsigned)kind < MODEL_KINDS);
    return model_table(kind)->noun;
}

static const char *
name_of(enum model_kind kind, const void *object)
{
    switch (kind) {
    case MODEL_USER:
        return ((const struct user *)object)->name;
    case MODEL_KEY:
        return ((const struct key *)object)->name;
    case MODEL_GROUP:
        return ((const struct group *)object)->name;
    case MODEL_ACCOUNT:
        return ((const struct account *)object)->name;
    case MODEL_PLAN:
        return ((const struct plan *)object)->name;
    }
    CHECK(false);
    return "";
}

static uint64_t
id_of(const void *object)
{
    return *(const uint64_t *)object;
}

/* --- keys of the index tables --- */

struct name_key {
    char bytes[1 + NAME_BYTES];
};

static struct str
make_name_key(struct name_key *to, enum model_kind kind, struct str name)
{
    CHECK(name.len < NAME_BYTES);
    to->bytes[0] = (char)('a' + (int)kind);
    memcpy(to->bytes + 1, name.data, name.len);
    return str_make(to->bytes, 1 + name.len);
}

struct index_key {
    uint8_t bytes[4];
};

static struct str
make_index_key(struct index_key *to, uint32_t index)
{
    kv_pack32(to->bytes, index);
    return str_make((const char *)to->bytes, sizeof(to->bytes));
}

static struct str
digest_str(const struct digest *digest)
{
    return str_make((const char *)digest->bytes, sizeof(digest->bytes));
}

/* --- reading --- */

static enum err
decode(enum model_kind kind, uint64_t id, struct str record, void *object)
{
    enum err err = model_decode(kind, record, object);
    if (err != ERR_OK || id_of(object) != id) {
        log_event(LOG_ERROR, "store", "call=decode kind=%s id=%llu why=\"no readable record\"",
                  noun_of(kind), (unsigned long long)id);
        return ERR_BAD;
    }
    return ERR_OK;
}

enum err
object_get(struct kv_txn *txn, enum model_kind kind, uint64_t id, void *object)
{
    struct kv_id key;
    struct str record;
    enum err err = kv_get(txn, table_of(kind), kv_id(&key, id), &record);
    return err != ERR_OK ? err : decode(kind, id, record, object);
}

enum err
object_find_plan(struct kv_txn *txn, uint64_t user_id, uint64_t group_id, struct plan *plan)
{
    uint64_t id = 0;
    enum err err;
    while ((err = reference_next(txn, MODEL_USER, user_id, MODEL_PLAN, &id)) == ERR_OK) {
        err = object_get(txn, MODEL_PLAN, id, plan);
        if (err != ERR_OK || plan->group_id == group_id) {
            return err;
        }
    }
    return err == ERR_EOF ? ERR_GONE : err;
}

/* An id that an index table holds under `key`. */
static enum err
get_id(struct kv_txn *txn, enum kv_table table, struct str key, uint64_t *out)
{
    struct str value;
    *out = 0;
    enum err err = kv_get(txn, table, key, &value);
    if (err != ERR_OK) {
        return err;
    }
    if (value.len != sizeof(struct kv_id)) {
        return ERR_BAD;
    }
    *out = kv_unpack64(value.data);
    return ERR_OK;
}

enum err
object_id(struct kv_txn *txn, enum model_kind kind, struct str name, uint64_t *out)
{
    struct name_key key;
    *out = 0;
    if (name.len == 0 || name.len >= NAME_BYTES) {
        return ERR_GONE;
    }
    return get_id(txn, KV_NAME, make_name_key(&key, kind, name), out);
}

enum err
object_find(struct kv_txn *txn, enum model_kind kind, struct str name, void *object)
{
    uint64_t id = 0;
    enum err err = object_id(txn, kind, name, &id);
    return err != ERR_OK ? err : object_get(txn, kind, id, object);
}

enum err
object_find_key(struct kv_txn *txn, const struct digest *digest, struct key *key)
{
    uint64_t id = 0;
    enum err err = get_id(txn, KV_DIGEST, digest_str(digest), &id);
    err = err != ERR_OK ? err : object_get(txn, MODEL_KEY, id, key);
    if (err == ERR_OK && !digest_equal(key->digest.bytes, digest->bytes, DIGEST_BYTES)) {
        return ERR_BAD;
    }
    return err;
}

static enum err
next_of(struct kv_cursor *cursor, enum model_kind kind, uint64_t *after, void *object)
{
    struct kv_id start;
    struct str key;
    struct str record;
    enum err err = kv_seek(cursor, kv_id(&start, *after + 1), &key, &record);
    while (err == ERR_OK) {
        if (key.len != sizeof(struct kv_id)) {
            return ERR_BAD;
        }
        *after = kv_unpack64(key.data);
        if (decode(kind, *after, record, object) == ERR_OK) {
            return ERR_OK;
        }
        err = kv_next(cursor, &key, &record);
    }
    return err == ERR_GONE ? ERR_EOF : err;
}

enum err
object_next(struct kv_txn *txn, enum model_kind kind, uint64_t *cursor, void *object)
{
    struct kv_cursor *at = NULL;
    if (*cursor == UINT64_MAX) {
        return ERR_EOF;
    }
    enum err err = kv_cursor_open(txn, table_of(kind), &at);
    if (err == ERR_OK) {
        err = next_of(at, kind, cursor, object);
        kv_cursor_close(at);
    }
    return err;
}

enum err
object_each(struct kv_txn *txn, enum model_kind kind, object_each_fn on_record, void *context)
{
    struct kv_cursor *cursor = NULL;
    enum err err = kv_cursor_open(txn, table_of(kind), &cursor);
    if (err != ERR_OK) {
        return err;
    }
    struct str key;
    struct str record;
    err = kv_next(cursor, &key, &record);
    while (err == ERR_OK && key.len == sizeof(struct kv_id)) {
        err = on_record(context, kv_unpack64(key.data), record);
        if (err != ERR_OK) {
            kv_cursor_close(cursor);
            return err;
        }
        err = kv_next(cursor, &key, &record);
    }
    kv_cursor_close(cursor);
    return err == ERR_GONE ? ERR_OK : err;
}

/* --- what an object refers to --- */

/* ERR_DENIED with the name of one that refers to (kind, id). */
static enum err
check_unreferenced(struct kv_txn *txn, enum model_kind kind, uint64_t id, char *why)
{
    enum model_kind naming = MODEL_USER;
    uint64_t naming_id = 0;
    union object object;
    enum err err = reference_first(txn, kind, id, &naming, &naming_id);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    err = object_get(txn, naming, naming_id, &object);
    snprintf(why, MODEL_WHY_BYTES, "%s \"%s\" still names this %s", noun_of(naming),
             err == ERR_OK ? name_of(naming, &object) : "?", noun_of(kind));
    return ERR_DENIED;
}

/* --- writing --- */

static struct str
next_id_key(enum model_kind kind)
{
    static const char *const words[MODEL_KINDS] = { "next_user", "next_key", "next_group",
                                                    "next_account", "next_plan" };
    return str_of(words[kind]);
}

enum err
object_next_id(struct kv_txn *txn, enum model_kind kind, uint64_t *out)
{
    CHECK((unsigned)kind < MODEL_KINDS);
    enum err err = get_id(txn, KV_META, next_id_key(kind), out);
    if (err == ERR_GONE) {
        *out = 1;
        return ERR_OK;
    }
    return err;
}

static enum err
assign_id(struct kv_txn *txn, enum model_kind kind, uint64_t *id)
{
    uint64_t next = 0;
    struct kv_id value;
    enum err err = object_next_id(txn, kind, &next);
    if (err != ERR_OK) {
        return err;
    }
    if (*id == 0) {
        *id = next;
    }
    if (*id < next || *id == UINT64_MAX) {
        return ERR_BUG;
    }
    return kv_put(txn, KV_META, next_id_key(kind), kv_id(&value, *id + 1));
}

/* The smallest index that no account has. */
static enum err
find_free_index(struct kv_txn *txn, uint32_t *out, char *why)
{
    struct kv_cursor *cursor = NULL;
    struct index_key first;
    struct str key;
    struct str value;
    uint64_t count = 0;
    uint32_t index = 0;
    enum err err = kv_count(txn, KV_INDEX, &count);
    err = err != ERR_OK ? err : kv_cursor_open(txn, KV_INDEX, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_last(cursor, &key, &value);
    bool is_dense = err == ERR_OK && key.len == sizeof(struct index_key) &&
                    kv_unpack32(key.data) + 1ull == count;
    if (is_dense) {
        index = (uint32_t)count; /* as long as none was removed: no walk over thousands */
        err = ERR_GONE;
    } else {
        err = kv_seek(cursor, make_index_key(&first, 0), &key, &value);
    }
    while (err == ERR_OK && key.len == sizeof(struct index_key) && kv_unpack32(key.data) == index) {
        index++;
        err = kv_next(cursor, &key, &value);
    }
    kv_cursor_close(cursor);
    if (err != ERR_OK && err != ERR_GONE) {
        return err;
    }
    if (index >= ACCOUNTS_MAX) {
        snprintf(why, MODEL_WHY_BYTES, "there are %u accounts: no more fit", ACCOUNTS_MAX);
        return ERR_FULL;
    }
    *out = index;
    return ERR_OK;
}

/* What is written can be read again, or it is not written. */
static enum err
put_record(struct kv_txn *txn, enum model_kind kind, const void *object)
{
    struct buf json;
    struct kv_id key;
    union object back;
    buf_init(&json, RECORD_BYTES_MAX);
    enum err err = model_encode(kind, object, &json);
    if (err == ERR_OK) {
        err = decode(kind, id_of(object), buf_str(&json), &back);
    }
    if (err == ERR_OK) {
        err = kv_put(txn, table_of(kind), kv_id(&key, id_of(object)), buf_str(&json));
    }
    buf_fini(&json);
    return err;
}

static enum err
say_taken(char *why, enum err err, const char *what)
{
    if (err == ERR_DENIED) {
        snprintf(why, MODEL_WHY_BYTES, "%s", what);
    }
    return err;
}

static enum err
add_name(struct kv_txn *txn, enum model_kind kind, const void *object, char *why)
{
    struct name_key key;
    struct kv_id id;
    struct str name = str_of(name_of(kind, object));
    if (!match_name_is_good(name)) {
        snprintf(why, MODEL_WHY_BYTES, "name: is not 1 to 63 of A-Z a-z 0-9 . _ - @");
        return ERR_BAD;
    }
    enum err err = kv_add(txn, KV_NAME, make_name_key(&key, kind, name), kv_id(&id, id_of(object)));
    return say_taken(why, err, "name: is taken");
}

static enum err
add_digest(struct kv_txn *txn, const struct key *key, char *why)
{
    struct kv_id id;
    enum err err = kv_add(txn, KV_DIGEST, digest_str(&key->digest), kv_id(&id, key->id));
    return say_taken(why, err, "this key exists already");
}

static enum err
add_account(struct kv_txn *txn, struct account *account, char *why)
{
    struct index_key index;
    struct kv_id id;
    enum err err = find_free_index(txn, &account->index, why);
    if (err != ERR_OK) {
        return err;
    }
    return kv_add(txn, KV_INDEX, make_index_key(&index, account->index), kv_id(&id, account->id));
}

static enum err
check_group_count(struct kv_txn *txn, char *why)
{
    uint64_t count = 0;
    enum err err = kv_count(txn, KV_GROUP, &count);
    if (err == ERR_OK && count >= GROUPS_MAX) {
        snprintf(why, MODEL_WHY_BYTES, "there are %u groups: no more fit", GROUPS_MAX);
        return ERR_FULL;
    }
    return err;
}

/* Two plans of a user in one group: which would pay? */
static enum err
check_only_plan(struct kv_txn *txn, const struct plan *plan, char *why)
{
    struct plan other;
    enum err err = object_find_plan(txn, plan->user_id, plan->group_id, &other);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    snprintf(why, MODEL_WHY_BYTES, "user \"%s\" has the plan \"%s\" for group \"%s\" already",
             plan->user, other.name, plan->group);
    return ERR_DENIED;
}

/* The rows that only one kind has. */
static enum err
add_special(struct kv_txn *txn, enum model_kind kind, void *object, char *why)
{
    switch (kind) {
    case MODEL_USER:
        return ERR_OK;
    case MODEL_KEY:
        return add_digest(txn, object, why);
    case MODEL_GROUP:
        return check_group_count(txn, why);
    case MODEL_ACCOUNT:
        return add_account(txn, object, why);
    case MODEL_PLAN:
        return check_only_plan(txn, object, why);
    }
    return ERR_BUG;
}

enum err
object_create(struct kv_txn *txn, enum model_kind kind, void *object, char *why)
{
    why[0] = '\0';
    enum err err = reference_resolve(txn, kind, object, why);
    err = err != ERR_OK ? err : assign_id(txn, kind, object);
    err = err != ERR_OK ? err : add_name(txn, kind, object, why);
    err = err != ERR_OK ? err : add_special(txn, kind, object, why);
    err = err != ERR_OK ? err : reference_object(txn, kind, object, true);
    return err != ERR_OK ? err : put_record(txn, kind, object);
}

/* A key may get another digest; an account keeps its index. */
static enum err
update_special(struct kv_txn *txn, enum model_kind kind, const union object *old,
               union object *fresh, char *why)
{
    if (kind == MODEL_ACCOUNT) {
        fresh->account.index = old->account.index;
    }
    if (kind != MODEL_KEY ||
        digest_equal(old->key.digest.bytes, fresh->key.digest.bytes, DIGEST_BYTES)) {
        return ERR_OK;
    }
    enum err err = kv_del(txn, KV_DIGEST, digest_str(&old->key.digest));
    return err != ERR_OK ? err : add_digest(txn, &fresh->key, why);
}

enum err
object_update(struct kv_txn *txn, enum model_kind kind, const void *object, char *why)
{
    union object old;
    union object fresh;
    why[0] = '\0';
    memcpy(&fresh, object, model_table(kind)->size);
    enum err err = object_get(txn, kind, fresh.id, &old);
    if (err != ERR_OK) {
        snprintf(why, MODEL_WHY_BYTES, "this %s %s", noun_of(kind),
                 err == ERR_GONE ? "is not there (any more)" : "cannot be read, see the log");
        return err;
    }
    if (strcmp(name_of(kind, &old), name_of(kind, &fresh)) != 0) {
        snprintf(why, MODEL_WHY_BYTES, "name: cannot be changed");
        return ERR_DENIED;
    }
    err = reference_resolve(txn, kind, &fresh, why);
    err = err != ERR_OK ? err : update_special(txn, kind, &old, &fresh, why);
    err = err != ERR_OK ? err : reference_object(txn, kind, &old, false);
    err = err != ERR_OK ? err : reference_object(txn, kind, &fresh, true);
    return err != ERR_OK ? err : put_record(txn, kind, &fresh);
}

static enum err
del_special(struct kv_txn *txn, enum model_kind kind, const union object *object)
{
    struct index_key index;
    switch (kind) {
    case MODEL_USER:
    case MODEL_GROUP:
    case MODEL_PLAN:
        return ERR_OK;
    case MODEL_KEY:
        return kv_del(txn, KV_DIGEST, digest_str(&object->key.digest));
    case MODEL_ACCOUNT:
        return kv_del(txn, KV_INDEX, make_index_key(&index, object->account.index));
    }
    return ERR_BUG;
}

enum err
object_remove(struct kv_txn *txn, enum model_kind kind, uint64_t id, char *why)
{
    union object object;
    struct name_key name;
    struct kv_id key;
    why[0] = '\0';
    enum err err = object_get(txn, kind, id, &object);
    if (err != ERR_OK) {
        snprintf(why, MODEL_WHY_BYTES, "this %s %s", noun_of(kind),
                 err == ERR_GONE ? "is not there (any more)" : "cannot be read, see the log");
        return err;
    }
    if (kind == MODEL_GROUP && strcmp(object.group.name, OBJECT_DEFAULT_GROUP) == 0) {
        snprintf(why, MODEL_WHY_BYTES, "the group \"%s\" stays: what names no group belongs to it",
                 OBJECT_DEFAULT_GROUP);
        return ERR_DENIED;
    }
    err = check_unreferenced(txn, kind, id, why);
    err = err != ERR_OK ? err : del_special(txn, kind, &object);
    err = err != ERR_OK ? err : reference_object(txn, kind, &object, false);
    if (err == ERR_OK) {
        struct str text = str_of(name_of(kind, &object));
        err = kv_del(txn, KV_NAME, make_name_key(&name, kind, text));
    }
    return err != ERR_OK ? err : kv_del(txn, table_of(kind), kv_id(&key, id));
}
