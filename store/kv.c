/*
 * kv.c - the only file that knows LMDB.
 */
#include "store/kv.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"

#define GROWTHS_MAX 32u               /* doublings of the map for one transaction */
#define ROOM_BYTES_MIN (1024u * 1024) /* less than this on the disk is full */

static const char *const table_names[KV_TABLES] = {
#define KV_TEXT(name, text) text,
    KV_TABLE_ROWS(KV_TEXT)
#undef KV_TEXT
};

struct kv_txn {
    struct kv *kv;
    MDB_txn *txn; /* NULL: none is open */
    bool is_map_full;
};

struct kv_cursor {
    MDB_cursor *cursor;
    struct kv_txn *txn;
};

struct kv {
    MDB_env *env;
    pid_t pid; /* who opened it: in any other process it may not be touched */
    enum kv_mode mode;
    uint64_t map_bytes;
    MDB_dbi tables[KV_TABLES];
    struct kv_txn txn; /* one at a time, so it lives here */
    struct kv_cursor cursor;
    bool is_broken; /* LMDB gives up: only opening it anew helps */
};

/* The environment of this process, or the one inherited over a fork. */
static struct kv *opened;

static enum err
map_error(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return ERR_OK;
    case MDB_NOTFOUND:
    case ENOENT:
        return ERR_GONE;
    case MDB_KEYEXIST:
        return ERR_DENIED;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case MDB_BAD_DBI:
    case MDB_BAD_TXN:
    case MDB_BAD_VALSIZE:
    case MDB_BAD_RSLOT:
    case EINVAL:
        return ERR_BUG;
    default:
        return ERR_IO;
    }
}

/* A disk that stays full fails twice a second: the same failure is told again after this long. */
#define TOLD_AGAIN_MS 60000u

struct told {
    const char *what; /* NULL: nothing was told yet */
    int code;
    uint64_t at_ms;
    uint32_t times; /* not told since */
};

static struct told last_told;

static bool
is_news(const char *what, int code)
{
    uint64_t now_ms = clock_now_ms();
    bool is_same = last_told.what != NULL && strcmp(last_told.what, what) == 0 &&
                   last_told.code == code && now_ms < last_told.at_ms + TOLD_AGAIN_MS;
    if (is_same) {
        last_told.times++;
        return false;
    }
    last_told.what = what;
    last_told.code = code;
    last_told.at_ms = now_ms;
    return true;
}

/* Logs what is neither an answer nor expected; `times` others before it were not told. */
static enum err
told(const char *what, int code)
{
    enum err err = map_error(code);
    if (code == MDB_PANIC && opened != NULL) {
        opened->is_broken = true;
    }
    bool is_failure = err == ERR_IO || err == ERR_BUG || err == ERR_FULL;
    if (is_failure && is_news(what, code)) {
        log_event(LOG_ERROR, "store", "call=%s err=%s why=\"%s\" untold=%u", what, err_name(err),
                  mdb_strerror(code), last_told.times);
        last_told.times = 0;
    }
    return err;
}

/* Inside a transaction: remembers that the map and not the disk was full. */
static enum err
told_txn(struct kv_txn *txn, const char *what, int code)
{
    if (code == MDB_MAP_FULL) {
        txn->is_map_full = true;
        return ERR_FULL;
    }
    return told(what, code);
}

static MDB_val
to_val(struct str s)
{
    /* LMDB never writes through what it is given; its type has no const. */
    return (MDB_val){ .mv_size = s.len, .mv_data = (void *)(uintptr_t)s.data };
}

static struct str
to_str(MDB_val value)
{
    return str_make(value.mv_data, value.mv_size);
}

static enum err
open_tables(struct kv *kv)
{
    bool is_creating = kv->mode == KV_CREATE;
    bool is_reading = kv->mode == KV_PEEK || kv->mode == KV_READ;
    size_t count = kv->mode == KV_PEEK ? 1 : KV_TABLES;
    MDB_txn *txn = NULL;
    int code = mdb_txn_begin(kv->env, NULL, is_reading ? MDB_RDONLY : 0, &txn);
    if (code != 0) {
        return told("open", code);
    }
    for (size_t i = 0; i < count && code == 0; i++) {
        code = mdb_dbi_open(txn, table_names[i], is_creating ? MDB_CREATE : 0, &kv->tables[i]);
    }
    if (code != 0) {
        mdb_txn_abort(txn);
        return told("tables", code);
    }
    /* Handles opened in a transaction live on only when it commits, also when it only read. */
    return told("tables", mdb_txn_commit(txn));
}

static enum err
open_env(struct kv *kv, const char *dir)
{
    int code = mdb_env_create(&kv->env);
    if (code != 0) {
        kv->env = NULL;
        return told("create", code);
    }
    unsigned flags = MDB_NOTLS | (kv->mode == KV_PEEK || kv->mode == KV_READ ? MDB_RDONLY : 0u);
    code = mdb_env_set_maxdbs(kv->env, KV_TABLES);
    if (code == 0) {
        code = mdb_env_set_maxreaders(kv->env, STORE_READERS_MAX);
    }
    if (code == 0) {
        code = mdb_env_set_mapsize(kv->env, kv->map_bytes);
    }
    if (code == 0) {
        code = mdb_env_open(kv->env, dir, flags, 0600);
    }
    return told("open", code);
}

static void
learn_map_bytes(struct kv *kv)
{
    MDB_envinfo info;
    if (mdb_env_info(kv->env, &info) == 0) {
        kv->map_bytes = info.me_mapsize;
    }
}

enum err
kv_open(const char *dir, uint64_t map_bytes, enum kv_mode mode, struct kv **out)
{
    *out = NULL;
    if (opened != NULL && opened->pid == getpid()) {
        log_event(LOG_ERROR, "store", "call=open why=\"this process has a store open already\"");
        return ERR_BUG;
    }
    struct kv *kv = calloc(1, sizeof(*kv));
    if (kv == NULL) {
        return ERR_IO;
    }
    kv->pid = getpid();
    kv->mode = mode;
    kv->map_bytes = map_bytes;
    enum err err = open_env(kv, dir);
    if (err == ERR_OK) {
        err = open_tables(kv);
    }
    if (err != ERR_OK) {
        if (kv->env != NULL) {
            mdb_env_close(kv->env);
        }
        free(kv);
        return err;
    }
    learn_map_bytes(kv);
    opened = kv;
    *out = kv;
    return ERR_OK;
}

void
kv_close(struct kv *kv)
{
    if (kv == NULL) {
        return;
    }
    if (kv->pid == getpid()) {
        CHECK(kv->txn.txn == NULL);
        mdb_env_close(kv->env);
    }
    if (opened == kv) {
        opened = NULL;
    }
    free(kv);
}

/* Another process may have made the map bigger: LMDB says so and takes its size when asked to. */
static int
begin(struct kv *kv, unsigned flags)
{
    CHECK(kv->pid == getpid());
    CHECK(kv->txn.txn == NULL);
    kv->txn = (struct kv_txn){ .kv = kv };
    int code = mdb_txn_begin(kv->env, NULL, flags, &kv->txn.txn);
    if (code == MDB_MAP_RESIZED) {
        code = mdb_env_set_mapsize(kv->env, 0);
        if (code == 0) {
            learn_map_bytes(kv);
            code = mdb_txn_begin(kv->env, NULL, flags, &kv->txn.txn);
        }
    }
    if (code != 0) {
        kv->txn.txn = NULL;
    }
    return code;
}

enum err
kv_begin(struct kv *kv, struct kv_txn **out)
{
    int code = begin(kv, MDB_RDONLY);
    *out = code == 0 ? &kv->txn : NULL;
    return told("begin", code);
}

void
kv_end(struct kv_txn *txn)
{
    CHECK(txn->txn != NULL);
    CHECK(txn->kv->cursor.cursor == NULL);
    mdb_txn_abort(txn->txn);
    txn->txn = NULL;
}

/* Has the file no room to grow, on its disk or under the limit that a service manager set? */
static bool
has_no_room(struct kv *kv)
{
    int fd = -1;
    struct stat file;
    struct statvfs disk;
    struct rlimit limit;
    if (mdb_env_get_fd(kv->env, &fd) != 0 || fstat(fd, &file) != 0 || fstatvfs(fd, &disk) != 0) {
        return false;
    }
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        uint64_t size = (uint64_t)file.st_size;
        uint64_t left = limit.rlim_cur > size ? limit.rlim_cur - size : 0;
        room = left < room ? left : room;
    }
    return room < ROOM_BYTES_MIN;
}

/* Frees the transaction also when it fails. LMDB takes a write that the disk cut short, as a nearly
 * full one does, for an I/O error. */
static enum err
commit(struct kv_txn *txn)
{
    int code;
    if (FAULT_FAILS("kv.commit_panics")) {
        mdb_txn_abort(txn->txn);
        code = MDB_PANIC;
    } else if (FAULT_FAILS("kv.commit_read_only")) {
        mdb_txn_abort(txn->txn);
        code = EROFS;
    } else {
        code = mdb_txn_commit(txn->txn);
    }
    if (code == EIO && has_no_room(txn->kv)) {
        code = ENOSPC;
    }
    return told_txn(txn, "commit", code);
}

/* One try; *out_map_full tells that a bigger map may help. */
static enum err
write_once(struct kv *kv, kv_work_fn work, void *context, bool *out_map_full)
{
    *out_map_full = false;
    int code = begin(kv, 0);
    if (code != 0) {
        return told("begin", code);
    }
    struct kv_txn *txn = &kv->txn;
    enum err err = work(txn, context);
    CHECK(kv->cursor.cursor == NULL);
    if (err == ERR_OK) {
        err = commit(txn);
    } else {
        mdb_txn_abort(txn->txn);
    }
    txn->txn = NULL;
    *out_map_full = err == ERR_FULL && txn->is_map_full;
    return err;
}

static enum err
grow(struct kv *kv)
{
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(kv->map_bytes, 2, &bytes)) {
        return ERR_FULL;
    }
    enum err err = told("grow", mdb_env_set_mapsize(kv->env, bytes));
    if (err == ERR_OK) {
        learn_map_bytes(kv);
        log_event(LOG_WARN, "store", "call=grow map_bytes=%llu why=\"[store] map_bytes is full\"",
                  (unsigned long long)kv->map_bytes);
    }
    return err;
}

enum err
kv_write(struct kv *kv, kv_work_fn work, void *context)
{
    CHECK(kv->mode == KV_WRITE || kv->mode == KV_CREATE);
    bool is_map_full = false;
    enum err err = write_once(kv, work, context, &is_map_full);
    for (uint32_t i = 0; is_map_full && i < GROWTHS_MAX; i++) {
        is_map_full = false;
        err = grow(kv);
        if (err == ERR_OK) {
            err = write_once(kv, work, context, &is_map_full);
        }
    }
    return err;
}

enum err
kv_get(struct kv_txn *txn, enum kv_table table, struct str key, struct str *out)
{
    MDB_val k = to_val(key);
    MDB_val v = { 0, NULL };
    int code = mdb_get(txn->txn, txn->kv->tables[table], &k, &v);
    *out = to_str(v);
    return told_txn(txn, "get", code);
}

static enum err
put(struct kv_txn *txn, enum kv_table table, struct str key, struct str value, unsigned flags)
{
    MDB_val k = to_val(key);
    MDB_val v = to_val(value);
    return told_txn(txn, "put", mdb_put(txn->txn, txn->kv->tables[table], &k, &v, flags));
}

enum err
kv_put(struct kv_txn *txn, enum kv_table table, struct str key, struct str value)
{
    return put(txn, table, key, value, 0);
}

enum err
kv_add(struct kv_txn *txn, enum kv_table table, struct str key, struct str value)
{
    return put(txn, table, key, value, MDB_NOOVERWRITE);
}

enum err
kv_append(struct kv_txn *txn, enum kv_table table, struct str key, struct str value)
{
    enum err err = put(txn, table, key, value, MDB_APPEND);
    return err == ERR_DENIED ? ERR_BUG : err;
}

enum err
kv_del(struct kv_txn *txn, enum kv_table table, struct str key)
{
    MDB_val k = to_val(key);
    return told_txn(txn, "del", mdb_del(txn->txn, txn->kv->tables[table], &k, NULL));
}

enum err
kv_count(struct kv_txn *txn, enum kv_table table, uint64_t *out)
{
    MDB_stat stat = { 0 };
    int code = mdb_stat(txn->txn, txn->kv->tables[table], &stat);
    *out = stat.ms_entries;
    return told_txn(txn, "count", code);
}

enum err
kv_cursor_open(struct kv_txn *txn, enum kv_table table, struct kv_cursor **out)
{
    struct kv_cursor *cursor = &txn->kv->cursor;
    CHECK(cursor->cursor == NULL);
    *out = NULL;
    int code = mdb_cursor_open(txn->txn, txn->kv->tables[table], &cursor->cursor);
    if (code != 0) {
        cursor->cursor = NULL;
        return told_txn(txn, "cursor", code);
    }
    cursor->txn = txn;
    *out = cursor;
    return ERR_OK;
}

void
kv_cursor_close(struct kv_cursor *cursor)
{
    CHECK(cursor->cursor != NULL);
    mdb_cursor_close(cursor->cursor);
    cursor->cursor = NULL;
}

static enum err
move(struct kv_cursor *cursor, MDB_cursor_op op, struct str key, struct str *out_key,
     struct str *out_value)
{
    MDB_val k = to_val(key);
    MDB_val v = { 0, NULL };
    int code = mdb_cursor_get(cursor->cursor, &k, &v, op);
    *out_key = code == 0 ? to_str(k) : (struct str){ NULL, 0 };
    *out_value = code == 0 ? to_str(v) : (struct str){ NULL, 0 };
    return told_txn(cursor->txn, "move", code);
}

enum err
kv_seek(struct kv_cursor *cursor, struct str key, struct str *out_key, struct str *out_value)
{
    return move(cursor, MDB_SET_RANGE, key, out_key, out_value);
}

enum err
kv_next(struct kv_cursor *cursor, struct str *out_key, struct str *out_value)
{
    return move(cursor, MDB_NEXT, (struct str){ NULL, 0 }, out_key, out_value);
}

enum err
kv_prev(struct kv_cursor *cursor, struct str *out_key, struct str *out_value)
{
    return move(cursor, MDB_PREV, (struct str){ NULL, 0 }, out_key, out_value);
}

enum err
kv_last(struct kv_cursor *cursor, struct str *out_key, struct str *out_value)
{
    return move(cursor, MDB_LAST, (struct str){ NULL, 0 }, out_key, out_value);
}

enum err
kv_cursor_del(struct kv_cursor *cursor)
{
    return told_txn(cursor->txn, "del", mdb_cursor_del(cursor->cursor, 0));
}

uint32_t
kv_check_readers(struct kv *kv)
{
    CHECK(kv->pid == getpid());
    int dead = 0;
    if (told("readers", mdb_reader_check(kv->env, &dead)) != ERR_OK || dead < 0) {
        return 0;
    }
    return (uint32_t)dead;
}

bool
kv_is_broken(const struct kv *kv)
{
    return kv->is_broken;
}

void
kv_space(struct kv *kv, uint64_t *out_used_bytes, uint64_t *out_map_bytes)
{
    CHECK(kv->pid == getpid());
    MDB_envinfo info = { 0 };
    MDB_stat stat = { 0 };
    *out_used_bytes = 0;
    *out_map_bytes = kv->map_bytes;
    if (mdb_env_info(kv->env, &info) == 0 && mdb_env_stat(kv->env, &stat) == 0) {
        *out_used_bytes = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
        *out_map_bytes = info.me_mapsize;
    }
}
