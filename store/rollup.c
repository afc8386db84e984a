#include "store/rollup.h"

#include <string.h>

#include "base/check.h"

#define KEY_FIXED_BYTES 28u /* hour, key, group, account */

_Static_assert(sizeof(struct rollup_sums) % sizeof(uint64_t) == 0, "nothing but sums");
_Static_assert((ROLLUP_CELLS & (ROLLUP_CELLS - 1)) == 0, "a mask picks the cell");

static uint64_t
add_to_end(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t
not_negative(int64_t nano)
{
    return nano < 0 ? 0 : (uint64_t)nano;
}

void
rollup_sum(struct rollup_sums *a, const struct rollup_sums *b)
{
#define ROLLUP_ADD(member) a->member = add_to_end(a->member, b->member);
    ROLLUP_SUM_ROWS(ROLLUP_ADD)
#undef ROLLUP_ADD
}

void
rollup_of(const struct ledger_record *record, struct rollup_sums *out)
{
    bool is_failure = record->status >= 400 || record->code[0] != '\0';
    *out = (struct rollup_sums){
        .requests = record->is_last != 0 ? 1 : 0,
        .attempts = 1,
        .failures = is_failure ? 1 : 0,
        .in_fresh = record->in_fresh,
        .in_cache_read = record->in_cache_read,
        .in_cache_write = add_to_end(record->in_cache_write_5m, record->in_cache_write_1h),
        .out_total = record->out_total,
        .out_reasoning = record->out_reasoning,
        .cost_nano = not_negative(record->cost_nano),
        .balance_nano =
            (record->charged & LEDGER_BALANCE) != 0 ? not_negative(record->cost_nano) : 0,
        .upstream_nano = not_negative(record->upstream_nano),
        .duration_ms = record->duration_ms,
        .first_byte_ms = record->first_byte_ms,
        .first_bytes = record->first_byte_ms != 0 ? 1 : 0,
        .estimated = record->source == LEDGER_PARTIAL || record->source == LEDGER_ESTIMATED ? 1 : 0,
    };
}

/* --- keys --- */

static uint32_t
make_key(uint8_t *to, const struct ledger_record *record)
{
    size_t model = strnlen(record->model, ROLLUP_MODEL_BYTES - 1);
    kv_pack32(to, (uint32_t)(record->start_wall_ms / ROLLUP_HOUR_MS));
    kv_pack64(to + 4, record->key_id);
    kv_pack64(to + 12, record->group_id);
    kv_pack64(to + 20, record->account_id);
    memcpy(to + KEY_FIXED_BYTES, record->model, model);
    return KEY_FIXED_BYTES + (uint32_t)model;
}

static struct str
key_str(const struct rollup_cell *cell)
{
    return str_make((const char *)cell->key, cell->key_bytes);
}

static uint32_t
cell_of(const uint8_t *key, uint32_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (uint32_t i = 0; i < bytes; i++) {
        hash = (hash ^ key[i]) * 0x100000001b3ull;
    }
    return (uint32_t)(hash >> 32) & (ROLLUP_CELLS - 1);
}

/* --- rows --- */

/* Rows of an older program may have fewer sums. */
static enum err
read_value(struct str value, uint64_t *out_user, struct rollup_sums *out)
{
    uint64_t numbers[ROLLUP_SUMS] = { 0 };
    size_t count = value.len / 8;
    *out = (struct rollup_sums){ .requests = 0 };
    if (value.len % 8 != 0 || count == 0 || count > 1 + ROLLUP_SUMS) {
        return ERR_BAD;
    }
    *out_user = kv_unpack64(value.data);
    for (size_t i = 1; i < count; i++) {
        numbers[i - 1] = kv_unpack64(value.data + 8 * i);
    }
    memcpy(out, numbers, sizeof(numbers));
    return ERR_OK;
}

static enum err
write_cell(struct kv_txn *txn, const struct rollup_cell *cell)
{
    uint8_t value[8 * (1 + ROLLUP_SUMS)];
    uint64_t numbers[ROLLUP_SUMS];
    memcpy(numbers, &cell->sums, sizeof(numbers));
    kv_pack64(value, cell->user_id);
    for (size_t i = 0; i < ROLLUP_SUMS; i++) {
        kv_pack64(value + 8 * (i + 1), numbers[i]);
    }
    return kv_put(txn, KV_ROLLUP, key_str(cell), str_make((const char *)value, sizeof(value)));
}

static enum err
read_cell(struct kv_txn *txn, struct rollup_cell *cell)
{
    struct str value;
    uint64_t user = 0;
    cell->sums = (struct rollup_sums){ .requests = 0 };
    enum err err = kv_get(txn, KV_ROLLUP, key_str(cell), &value);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    return read_value(value, &user, &cell->sums);
}

void
rollup_begin(struct rollup *rollup)
{
    for (uint32_t i = 0; i < ROLLUP_CELLS; i++) {
        rollup->cells[i].key_bytes = 0;
    }
}

enum err
rollup_add(struct rollup *rollup, struct kv_txn *txn, const struct ledger_record *record)
{
    uint8_t key[sizeof(rollup->cells[0].key)];
    uint32_t bytes = make_key(key, record);
    struct rollup_cell *cell = &rollup->cells[cell_of(key, bytes)];
    if (cell->key_bytes != bytes || memcmp(cell->key, key, bytes) != 0) {
        /* Who was there before is written. */
        enum err err = cell->key_bytes == 0 ? ERR_OK : write_cell(txn, cell);
        if (err != ERR_OK) {
            return err;
        }
        cell->key_bytes = bytes;
        memcpy(cell->key, key, bytes);
        err = read_cell(txn, cell);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct rollup_sums more;
    rollup_of(record, &more);
    cell->user_id = record->user_id;
    rollup_sum(&cell->sums, &more);
    return ERR_OK;
}

enum err
rollup_end(struct rollup *rollup, struct kv_txn *txn)
{
    for (uint32_t i = 0; i < ROLLUP_CELLS; i++) {
        if (rollup->cells[i].key_bytes != 0) {
            enum err err = write_cell(txn, &rollup->cells[i]);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

/* --- reading --- */

static enum err
read_row(struct str key, struct str value, struct rollup_row *out)
{
    if (key.len < KEY_FIXED_BYTES || key.len - KEY_FIXED_BYTES >= ROLLUP_MODEL_BYTES) {
        return ERR_BAD;
    }
    out->hour = kv_unpack32(key.data);
    out->key_id = kv_unpack64(key.data + 4);
    out->group_id = kv_unpack64(key.data + 12);
    out->account_id = kv_unpack64(key.data + 20);
    size_t model = key.len - KEY_FIXED_BYTES;
    memcpy(out->model, key.data + KEY_FIXED_BYTES, model);
    out->model[model] = '\0';
    return read_value(value, &out->user_id, &out->sums);
}

enum err
rollup_each(struct kv_txn *txn, uint32_t from_hour, uint32_t to_hour, rollup_each_fn each,
            void *context)
{
    struct kv_cursor *cursor = NULL;
    struct rollup_row row;
    struct str key;
    struct str value;
    uint8_t start[4];
    enum err err = kv_cursor_open(txn, KV_ROLLUP, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    kv_pack32(start, from_hour);
    err = kv_seek(cursor, str_make((const char *)start, sizeof(start)), &key, &value);
    while (err == ERR_OK) {
        err = read_row(key, value, &row);
        if (err == ERR_OK && row.hour >= to_hour) {
            break;
        }
        err = err != ERR_OK ? err : each(context, &row);
        err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    }
    kv_cursor_close(cursor);
    return err == ERR_GONE ? ERR_OK : err;
}
