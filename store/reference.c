/*
 * reference.c - rows of the reference table.
 */
#include "store/reference.h"

#include <string.h>

#include "base/check.h"
#include "base/str.h"

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
