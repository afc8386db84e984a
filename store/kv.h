/*
 * kv.h - the seam to LMDB: tables of bytes under bytes, one writer process, readers that never
 * wait.
 *
 * LMDB's rules, all of them learned by trying: the environment is opened after fork, in the process
 * that uses it, and never twice in one process (its file locks would be lost without a word); a
 * child that inherited an open one leaves it alone. Transactions are not bound to a thread
 * (MDB_NOTLS). Commits are durable (default flags, no MDB_WRITEMAP). A value that was got points
 * into the map and is good until its transaction ends: read transactions are short and never live
 * across a loop turn, since an old reader keeps pages from being used again.
 *
 * Full: the map doubles until a commit fits it; a full disk is ERR_FULL, and then nothing of the
 * transaction was written.
 *
 * Runs in: recorder (writer), master before fork (creates, migrates), workers and keeper (readers).
 * A process that dies in a transaction leaves nothing: the writer's lock is robust, a reader's slot
 * is cleared by kv_check_readers().
 */
#ifndef STORE_KV_H
#define STORE_KV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* X(name, text): the tables. Numbers in keys are big-endian, so that they sort. */
#define KV_TABLE_ROWS(X)                                                                  \
    X(META, "meta") /* word -> layout version, next ids, key check */                     \
    X(USER, "user") /* id -> record; these five in the order of enum model_kind */        \
    X(KEY, "key")                                                                         \
    X(GROUP, "group")                                                                     \
    X(ACCOUNT, "account")                                                                 \
    X(PLAN, "plan")                                                                       \
    X(NAME, "name")               /* kind, name -> id */                                  \
    X(DIGEST, "digest")           /* digest of a gateway key -> key id */                 \
    X(INDEX, "account_index")     /* account index -> account id */                       \
    X(REFERENCE, "reference")     /* kind, id, kind, id: the second names the first */    \
    X(USAGE, "usage")             /* sequence -> struct ledger_record */                  \
    X(POSITION, "position")       /* run id, slot -> next sequence, wall ms */            \
    X(TOTAL, "total")             /* kind, id -> struct ledger_total */                   \
    X(ROLLUP, "rollup")           /* hour, key, group, account, model -> sums */          \
    X(CREDIT, "credit")           /* sequence -> struct ledger_credit */                  \
    X(PRICE, "price")             /* source, model -> prices, as JSON */                  \
    X(STANDING, "standing")       /* account id -> how it stands */                       \
    X(LESSON, "lesson")           /* account id -> what its provider lacks */             \
    X(OUTCOME, "outcome")         /* digest of an Idempotency-Key -> what became of it */ \
    X(OUTCOME_AGE, "outcome_age") /* wall ms, digest -> nothing: for removing them */

enum kv_table {
#define KV_ENUM(name, text) KV_##name,
    KV_TABLE_ROWS(KV_ENUM)
#undef KV_ENUM
        KV_TABLES
};

enum kv_mode {
    KV_PEEK,   /* read only the meta table: a store of any layout */
    KV_READ,   /* all tables, read only */
    KV_WRITE,  /* all tables */
    KV_CREATE, /* the same, and makes what is missing */
};

struct kv;
struct kv_txn;
struct kv_cursor;

/* `dir` exists. ERR_GONE: there is no store; ERR_BUG: this process has one open; ERR_IO: the log
 * says why. */
MUST_CHECK enum err
kv_open(const char *dir, uint64_t map_bytes, enum kv_mode mode, struct kv **out);
/* In a child that inherited it: frees nothing but memory. No transaction may be open. */
void kv_close(struct kv *kv);

/* A snapshot to read from; kv_end() ends it. At most one transaction a process at a time. */
MUST_CHECK enum err kv_begin(struct kv *kv, struct kv_txn **out);
void kv_end(struct kv_txn *txn);

/*
 * Runs `work` in a write transaction and commits when it returns ERR_OK; otherwise nothing is
 * written and its error is returned. When the map was full, the map is doubled and `work` runs
 * again from the start: it must not change what it would need again.
 */
typedef enum err (*kv_work_fn)(struct kv_txn *txn, void *context);
MUST_CHECK enum err kv_write(struct kv *kv, kv_work_fn work, void *context);

/* ERR_GONE: no such key. */
MUST_CHECK enum err
kv_get(struct kv_txn *txn, enum kv_table table, struct str key, struct str *out);
MUST_CHECK enum err
kv_put(struct kv_txn *txn, enum kv_table table, struct str key, struct str value);
/* ERR_DENIED: the key is there already. */
MUST_CHECK enum err
kv_add(struct kv_txn *txn, enum kv_table table, struct str key, struct str value);
/* Behind the last key of the table: the fast way for rising keys. ERR_BUG: not behind the last. */
MUST_CHECK enum err
kv_append(struct kv_txn *txn, enum kv_table table, struct str key, struct str value);
/* ERR_GONE: no such key. */
MUST_CHECK enum err kv_del(struct kv_txn *txn, enum kv_table table, struct str key);
MUST_CHECK enum err kv_count(struct kv_txn *txn, enum kv_table table, uint64_t *out);

/* Cursors are closed before their transaction ends. Moves return ERR_GONE past either end. */
MUST_CHECK enum err kv_cursor_open(struct kv_txn *txn, enum kv_table table, struct kv_cursor **out);
void kv_cursor_close(struct kv_cursor *cursor);
/* The first key >= `key`. */
MUST_CHECK enum err
kv_seek(struct kv_cursor *cursor, struct str key, struct str *out_key, struct str *out_value);
MUST_CHECK enum err kv_next(struct kv_cursor *cursor, struct str *out_key, struct str *out_value);
MUST_CHECK enum err kv_prev(struct kv_cursor *cursor, struct str *out_key, struct str *out_value);
MUST_CHECK enum err kv_last(struct kv_cursor *cursor, struct str *out_key, struct str *out_value);
/* Removes where the cursor stands; kv_next() then gives the one behind it. */
MUST_CHECK enum err kv_cursor_del(struct kv_cursor *cursor);

/* Clears the reader slots of dead processes; returns how many. After each death and each minute. */
uint32_t kv_check_readers(struct kv *kv);

/* LMDB has met a fatal error (MDB_PANIC): every call fails until a process opens the store anew. */
bool kv_is_broken(const struct kv *kv);

/* Bytes of the data file in use and of the map. */
void kv_space(struct kv *kv, uint64_t *out_used_bytes, uint64_t *out_map_bytes);

/* Numbers as they stand in keys and values. */
static inline void
kv_pack32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static inline void
kv_pack64(uint8_t *to, uint64_t value)
{
    kv_pack32(to, (uint32_t)(value >> 32));
    kv_pack32(to + 4, (uint32_t)value);
}

static inline uint32_t
kv_unpack32(const void *from)
{
    const uint8_t *bytes = from;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline uint64_t
kv_unpack64(const void *from)
{
    const uint8_t *bytes = from;
    return (uint64_t)kv_unpack32(bytes) << 32 | kv_unpack32(bytes + 4);
}

/* A 64-bit number as a key: kv_id(&(struct kv_id){0}, id). */
struct kv_id {
    uint8_t bytes[8];
};

static inline struct str
kv_id(struct kv_id *to, uint64_t id)
{
    kv_pack64(to->bytes, id);
    return str_make((const char *)to->bytes, sizeof(to->bytes));
}

#endif
