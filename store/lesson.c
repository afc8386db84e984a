/*
 * lesson.c - see lesson.h.
 *
 * Runs in: recorder.
 */
#include "store/lesson.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"

#define ROW_VERSION 2u

/* As it lies in the store, up to its last entry; written and read on one machine. */
struct row {
    uint32_t version;
    uint32_t count;
    struct lesson_entry entries[LESSON_ENTRIES];
};

_Static_assert(sizeof(struct lesson_entry) == LESSON_NAME_BYTES + 16u, "no gaps: they are written");

struct batch {
    const struct lesson *items;
    uint32_t count;
};

static size_t
row_bytes(uint32_t count)
{
    return offsetof(struct row, entries) + count * sizeof(struct lesson_entry);
}

static enum err
put_one(struct kv_txn *txn, const struct lesson *item)
{
    struct kv_id id;
    struct row row;
    CHECK(item->account_id != 0 && item->count <= LESSON_ENTRIES);
    if (item->count == 0) {
        enum err err = kv_del(txn, KV_LESSON, kv_id(&id, item->account_id));
        return err == ERR_GONE ? ERR_OK : err;
    }
    row.version = ROW_VERSION;
    row.count = item->count;
    for (uint32_t i = 0; i < item->count; i++) {
        row.entries[i] = item->entries[i];
    }
    return kv_put(txn, KV_LESSON, kv_id(&id, item->account_id),
                  str_make((const char *)&row, row_bytes(item->count)));
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
lesson_put(struct kv *kv, const struct lesson *items, uint32_t count)
{
    struct batch batch = { items, count };
    return count == 0 ? ERR_OK : kv_write(kv, put_in_txn, &batch);
}

static bool
read_row(struct str key, struct str value, struct lesson *out)
{
    struct row row;
    if (key.len != sizeof(struct kv_id) || value.len < row_bytes(0) || value.len > sizeof row) {
        return false;
    }
    memcpy(&row, value.data, value.len);
    if (row.version != ROW_VERSION || row.count > LESSON_ENTRIES ||
        value.len != row_bytes(row.count)) {
        return false;
    }
    *out = (struct lesson){ .account_id = kv_unpack64(key.data), .count = row.count };
    memcpy(out->entries, row.entries, row.count * sizeof row.entries[0]);
    for (uint32_t i = 0; i < LESSON_ENTRIES; i++) {
        out->entries[i].name[LESSON_NAME_BYTES - 1] = '\0';
    }
    return true;
}

static enum err
find_next(struct kv_txn *txn, uint64_t after, struct lesson *out)
{
    struct kv_cursor *cursor = NULL;
    struct kv_id id;
    struct str key;
    struct str value;
    enum err err = kv_cursor_open(txn, KV_LESSON, &cursor);
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
lesson_next(struct kv *kv, uint64_t *cursor, struct lesson *out)
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
