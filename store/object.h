/*
 * object.h - users, keys, groups, accounts and plans inside one transaction: records and their
 * indexes.
 *
 * A record lies under its id; names, key digests and account indexes lead to ids; a reference row
 * says which object names which (a key its user and group, an account its groups, a plan its
 * user and group), so that nothing
 * is removed that something else needs. Everything that belongs to one change is in one
 * transaction, so indexes and records agree whatever dies.
 *
 * `why` (MODEL_WHY_BYTES) gets a sentence on ERR_BAD, ERR_DENIED, ERR_GONE and ERR_FULL.
 *
 * Runs in: recorder and master (all), workers and keeper (reading).
 */
#ifndef STORE_OBJECT_H
#define STORE_OBJECT_H

#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "store/kv.h"
#include "store/model.h"

/* Room for an object of any kind. */
union object {
    uint64_t id; /* every kind begins with it */
    struct user user;
    struct key key;
    struct group group;
    struct account account;
    struct plan plan;
};

#define OBJECT_DEFAULT_GROUP "default"

/* ERR_GONE: no such object; ERR_BAD: the record cannot be read (the log says which). */
MUST_CHECK enum err object_get(struct kv_txn *txn, enum model_kind kind, uint64_t id, void *object);
/* The id alone. */
MUST_CHECK enum err
object_id(struct kv_txn *txn, enum model_kind kind, struct str name, uint64_t *out);
MUST_CHECK enum err
object_find(struct kv_txn *txn, enum model_kind kind, struct str name, void *object);
MUST_CHECK enum err
object_find_key(struct kv_txn *txn, const struct digest *digest, struct key *key);

/* What this user has for this group. ERR_GONE: no plan. */
MUST_CHECK enum err
object_find_plan(struct kv_txn *txn, uint64_t user_id, uint64_t group_id, struct plan *plan);

/* The first readable object with an id above *cursor, which moves to it. ERR_EOF: none. */
MUST_CHECK enum err
object_next(struct kv_txn *txn, enum model_kind kind, uint64_t *cursor, void *object);

/* Every record as it is stored, by rising id; another result than ERR_OK ends the walk. */
typedef enum err (*object_each_fn)(void *context, uint64_t id, struct str record);
MUST_CHECK enum err
object_each(struct kv_txn *txn, enum model_kind kind, object_each_fn on_record, void *context);

/* The id that the next object of this kind gets at least. */
MUST_CHECK enum err object_next_id(struct kv_txn *txn, enum model_kind kind, uint64_t *out);

/*
 * Assigns what is not given: the id (one given is never one that was used), an account's index, the
 * ids of a key's user and group. ERR_DENIED: name or digest is taken; ERR_GONE: a user or group it
 * names does not exist; ERR_FULL: as many as there may be.
 */
MUST_CHECK enum err
object_create(struct kv_txn *txn, enum model_kind kind, void *object, char *why);
/* By id; name and index stay as they are. */
MUST_CHECK enum err
object_update(struct kv_txn *txn, enum model_kind kind, const void *object, char *why);
/* ERR_DENIED: something names it. */
MUST_CHECK enum err object_remove(struct kv_txn *txn, enum model_kind kind, uint64_t id, char *why);

#endif
