#include "store/standing.h"

#include <string.h>

#include "base/check.h"

#define ROW_VERSION 1u

/* As it lies in the store; written and read on one machine. */
struct row {
    uint32_t version;
    uint32_t status;
    uint64_t until_wall_ms;
    char reason[STANDING_REASON_BYTES];
    char excerpt[EXCERPT_BYTES + 4];
};

struct batch {
    const struct standing *items;
    uint32_t count;
};

static enum err
put_one(struct kv_txn *txn, const struct standing *item)
{
    struct kv_id id;
    struct row row = { .version = ROW_VERSION,
                       .status = item->status,
                       .until_wall_ms = item->until_wall_ms };
    CHECK(item->account_id != 0);
    if (item->is_gone) {
        enum err err = kv_del(txn, KV_STANDING, kv_id(&id, item->account_id));
        return err == ERR_GONE ? ERR_OK : err;
    }
    memcpy(row.reason, item->reason, sizeof row.reason);
    memcpy(row.excerpt, item->excerpt, sizeof row.excerpt);
    return kv_put(txn, KV_STANDING, kv_id(&id, item->account_id),
                  str_make((const char *)&row, sizeof row));
}

static enum err
put_in_txn(struct kv_txn *txn, void *context)
{
    const struct batch *batch = context;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < batch->count && err == ERR_OK; i++) {
        err = put_one(txn, &batch->items[i]);
    }
    return err;
}

enum err
standing_put(struct kv *kv, const struct standing *items, uint32_t count)
{
    struct batch batch = { items, count };
    return count == 0 ? ERR_OK : kv_write(kv, put_in_txn, &batch);
}

static bool
read_row(struct str key, struct str value, struct standing *out)
{
    struct row row;
    if (key.len != sizeof(struct kv_id) || value.len != sizeof row) {
        return false;
    }
    memcpy(&row, value.data, sizeof row);
    if (row.version != ROW_VERSION) {
        return false;
    }
    *out = (struct standing){ .account_id = kv_unpack64(key.data),
                              .until_wall_ms = row.until_wall_ms,
                              .status = row.status };
    memcpy(out->reason, row.reason, sizeof out->reason - 1);
    memcpy(out->excerpt, row.excerpt, sizeof out->excerpt - 1);
    return true;
}

static enum err
find_next(struct kv_txn *txn, uint64_t after, struct standing *out)
{
    struct kv_cursor *cursor = NULL;
    struct kv_id id;
    struct str key;
    struct str value;
    enum err err = kv_cursor_open(txn, KV_STANDING, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_seek(cursor, kv_id(&id, after + 1), &key, &value);
    while (err == ERR_OK && !read_row(key, value, out)) {
        err = kv_next(cursor, &key, &value);
    }
    kv_cursor_close(cursor);
    return err == ERR_GONE ? ERR_EOF : err;
}

enum err
standing_next(struct kv *kv, uint64_t *cursor, struct standing *out)
{
    struct kv_txn *txn = NULL;
    enum err err = kv_begin(kv, &txn);
    if (err != ERR_OK) {
        return err;
    }
    err = find_next(txn, *cursor, out);
    kv_end(txn);
    if (err == ERR_OK) {
        *cursor = out->account_id;
    }
    return err;
}
