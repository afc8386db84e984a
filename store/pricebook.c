#include "store/pricebook.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

struct row_key {
    char bytes[1 + MODEL_NAME_BYTES];
};

static struct str
make_key(struct row_key *to, enum price_source source, struct str model)
{
    CHECK(source == PRICE_OWN || source == PRICE_IMPORTED);
    size_t len = model.len < MODEL_NAME_BYTES ? model.len : MODEL_NAME_BYTES;
    to->bytes[0] = (char)source;
    for (size_t i = 0; i < len; i++) {
        to->bytes[1 + i] = str_lower(model.data[i]);
    }
    return str_make(to->bytes, 1 + len);
}

enum err
pricebook_version(struct kv_txn *txn, uint64_t *out)
{
    struct str value;
    *out = 0;
    enum err err = kv_get(txn, KV_META, STR("prices"), &value);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    if (value.len != sizeof(struct kv_id)) {
        return ERR_BAD;
    }
    *out = kv_unpack64(value.data);
    return ERR_OK;
}

static enum err
move_version(struct kv_txn *txn)
{
    struct kv_id value;
    uint64_t version = 0;
    enum err err = pricebook_version(txn, &version);
    return err != ERR_OK ? err : kv_put(txn, KV_META, STR("prices"), kv_id(&value, version + 1));
}

/* false: damaged, and logged. */
static bool
read_row(struct str key, struct str value, struct price *out)
{
    char why[PRICE_WHY_BYTES] = "is no JSON";
    struct json_value row;
    struct str model = str_skip(key, 1);
    if (json_read(value, &row, NULL) == ERR_OK && price_read(model, row, out, why) == ERR_OK) {
        return true;
    }
    log_event(LOG_ERROR, "store", "call=prices model=\"%.*s\" why=\"%s\"", STR_ARG(model), why);
    return false;
}

static enum err
walk(struct kv_cursor *cursor, pricebook_fn fn, void *context)
{
    struct str key;
    struct str value;
    struct price price;
    enum err err = kv_next(cursor, &key, &value);
    while (err == ERR_OK) {
        bool is_known = key.len > 1 && (key.data[0] == PRICE_OWN || key.data[0] == PRICE_IMPORTED);
        if (is_known && read_row(key, value, &price)) {
            err = fn(context, (enum price_source)key.data[0], &price);
        }
        err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    }
    return err == ERR_GONE ? ERR_OK : err;
}

enum err
pricebook_each(struct kv_txn *txn, pricebook_fn fn, void *context)
{
    struct kv_cursor *cursor = NULL;
    enum err err = kv_cursor_open(txn, KV_PRICE, &cursor);
    if (err == ERR_OK) {
        err = walk(cursor, fn, context);
        kv_cursor_close(cursor);
    }
    return err;
}

enum err
pricebook_get(struct kv_txn *txn, enum price_source source, struct str model, struct price *out)
{
    struct row_key place;
    struct str value;
    struct str key = make_key(&place, source, model);
    enum err err = kv_get(txn, KV_PRICE, key, &value);
    if (err != ERR_OK) {
        return err;
    }
    return read_row(key, value, out) ? ERR_OK : ERR_BAD;
}

static enum err
encode(const struct price *price, struct buf *out)
{
    struct jsonw w;
    jsonw_begin(&w, out);
    jsonw_object(&w);
    price_write(price, &w);
    jsonw_close(&w);
    return jsonw_end(&w);
}

typedef enum err (*put_fn)(struct kv_txn *txn, enum kv_table table, struct str key,
                           struct str value);

static enum err
write_row(struct kv_txn *txn, enum price_source source, const struct price *price, put_fn put)
{
    struct row_key place;
    struct str key = make_key(&place, source, str_of(price->model));
    struct str old;
    struct buf json;
    uint64_t count = 0;
    enum err err = kv_count(txn, KV_PRICE, &count);
    /* What is there already takes no place. */
    if (err == ERR_OK && count >= PRICES_MAX - PRICES_SHIPPED_MAX) {
        err = kv_get(txn, KV_PRICE, key, &old);
        err = err == ERR_GONE ? ERR_FULL : err;
    }
    buf_init(&json, RECORD_BYTES_MAX);
    err = err != ERR_OK ? err : encode(price, &json);
    if (err == ERR_OK) {
        err = put(txn, KV_PRICE, key, buf_str(&json));
    }
    buf_fini(&json);
    return err;
}

enum err
pricebook_set(struct kv_txn *txn, const struct price *price)
{
    enum err err = write_row(txn, PRICE_OWN, price, kv_put);
    return err != ERR_OK ? err : move_version(txn);
}

enum err
pricebook_remove(struct kv_txn *txn, struct str model)
{
    struct row_key key;
    enum err err = kv_del(txn, KV_PRICE, make_key(&key, PRICE_OWN, model));
    return err != ERR_OK ? err : move_version(txn);
}

static enum err
clear_rows(struct kv_cursor *cursor)
{
    struct str key;
    struct str value;
    char first = (char)PRICE_IMPORTED;
    enum err err = kv_seek(cursor, str_make(&first, 1), &key, &value);
    while (err == ERR_OK && key.len > 0 && key.data[0] == (char)PRICE_IMPORTED) {
        err = kv_cursor_del(cursor);
        err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    }
    return err == ERR_GONE ? ERR_OK : err;
}

enum err
pricebook_clear(struct kv_txn *txn)
{
    struct kv_cursor *cursor = NULL;
    enum err err = kv_cursor_open(txn, KV_PRICE, &cursor);
    if (err == ERR_OK) {
        err = clear_rows(cursor);
        kv_cursor_close(cursor);
    }
    return err != ERR_OK ? err : move_version(txn);
}

enum err
pricebook_add(struct kv_txn *txn, const struct price *price)
{
    return write_row(txn, PRICE_IMPORTED, price, kv_add);
}
