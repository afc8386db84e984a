/*
 * tally.c - totals, cached for the length of a transaction.
 */
#include "store/tally.h"

#include <string.h>

#include "base/check.h"
#include "base/money.h"
#include "base/str.h"

/* Numbers were added at the end: what a row does not have yet is 0. */
#define TOTAL_NUMBERS (8u + 2u * PERIODS)
#define TOTAL_NUMBERS_MIN 6u

struct total_key {
    uint8_t bytes[9]; /* kind, id */
};

static struct str
make_key(struct total_key *to, enum model_kind kind, uint64_t id)
{
    CHECK((unsigned)kind < MODEL_KINDS);
    to->bytes[0] = (uint8_t)kind;
    kv_pack64(to->bytes + 1, id);
    return str_make((const char *)to->bytes, sizeof(to->bytes));
}

static uint64_t
add_to_end(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

enum err
tally_read(struct kv_txn *txn, enum model_kind kind, uint64_t id, struct ledger_total *out)
{
    struct total_key key;
    struct str value;
    *out = (struct ledger_total){ 0 };
    enum err err = kv_get(txn, KV_TOTAL, make_key(&key, kind, id), &value);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    uint64_t numbers[TOTAL_NUMBERS] = { 0 };
    size_t count = value.len / 8;
    if (value.len % 8 != 0 || count < TOTAL_NUMBERS_MIN || count > TOTAL_NUMBERS) {
        return ERR_BAD;
    }
    for (size_t i = 0; i < count; i++) {
        numbers[i] = kv_unpack64(value.data + 8 * i);
    }
    *out = (struct ledger_total){ .requests = numbers[0],
                                  .failures = numbers[1],
                                  .tokens_in = numbers[2],
                                  .tokens_out = numbers[3],
                                  .cost_nano = (int64_t)numbers[4],
                                  .last_used_ms = numbers[5],
                                  .upstream_nano = (int64_t)numbers[6],
                                  .balance_nano = (int64_t)numbers[7] };
    for (uint32_t i = 0; i < PERIODS; i++) {
        out->window_start_ms[i] = numbers[8 + 2 * i];
        out->window_nano[i] = numbers[9 + 2 * i];
    }
    return ERR_OK;
}

static enum err
write_total(struct kv_txn *txn, const struct tally_cell *cell)
{
    struct total_key key;
    const struct ledger_total *total = &cell->total;
    uint64_t numbers[TOTAL_NUMBERS] = { total->requests,
                                        total->failures,
                                        total->tokens_in,
                                        total->tokens_out,
                                        (uint64_t)total->cost_nano,
                                        total->last_used_ms,
                                        (uint64_t)total->upstream_nano,
                                        (uint64_t)total->balance_nano };
    for (uint32_t i = 0; i < PERIODS; i++) {
        numbers[8 + 2 * i] = total->window_start_ms[i];
        numbers[9 + 2 * i] = total->window_nano[i];
    }
    uint8_t value[8 * TOTAL_NUMBERS];
    for (uint32_t i = 0; i < TOTAL_NUMBERS; i++) {
        kv_pack64(value + 8 * i, numbers[i]);
    }
    return kv_put(txn, KV_TOTAL, make_key(&key, cell->kind, cell->id),
                  str_make((const char *)value, sizeof(value)));
}

void
tally_begin(struct tally *tally)
{
    memset(tally->cells, 0, sizeof(tally->cells));
    rollup_begin(&tally->rollup);
}

/* The cell of this object, read when it is not there; who was there before is written. */
static enum err
find_cell(struct tally *tally, struct kv_txn *txn, enum model_kind kind, uint64_t id,
          struct tally_cell **out)
{
    uint64_t mixed = (id * MODEL_KINDS + (uint64_t)kind) * 0x9e3779b97f4a7c15ull;
    struct tally_cell *cell = &tally->cells[mixed >> 56];
    _Static_assert(TALLY_CELLS == 256, "the top 8 bits are the place");
    *out = cell;
    if (cell->id == id && cell->kind == kind) {
        return ERR_OK;
    }
    enum err err = cell->id == 0 ? ERR_OK : write_total(txn, cell);
    if (err == ERR_OK) {
        cell->id = id;
        cell->kind = kind;
        err = tally_read(txn, kind, id, &cell->total);
    }
    return err;
}

/* The window that a record belongs to follows from its time. One that came late, for a window that
 * is over, counts in none. */
static void
add_windows(struct ledger_total *total, const struct ledger_record *record)
{
    uint64_t cost = record->cost_nano > 0 ? (uint64_t)record->cost_nano : 0;
    for (uint32_t i = 0; i < PERIODS; i++) {
        uint64_t start = period_start((enum period)i, record->start_wall_ms);
        if (start > total->window_start_ms[i]) {
            total->window_start_ms[i] = start;
            total->window_nano[i] = 0;
        }
        if (start == total->window_start_ms[i]) {
            total->window_nano[i] = add_to_end(total->window_nano[i], cost);
        }
    }
}

/* What a request used is its user's and key's when it is charged to them, and always the account's.
 */
static void
add_record(struct ledger_total *total, const struct ledger_record *record, bool is_account)
{
    bool is_charged = is_account || (record->is_last != 0 && (record->flags & LEDGER_FREE) == 0);
    if (is_account || record->is_last != 0) {
        bool is_failure = record->status >= 400 || record->code[0] != '\0';
        total->requests = add_to_end(total->requests, 1);
        total->failures = add_to_end(total->failures, is_failure ? 1 : 0);
    }
    uint64_t in = add_to_end(record->in_fresh, record->in_cache_read);
    in = add_to_end(in, record->in_cache_write_5m);
    in = add_to_end(in, record->in_cache_write_1h);
    total->tokens_in = add_to_end(total->tokens_in, is_charged ? in : 0);
    total->tokens_out = add_to_end(total->tokens_out, is_charged ? record->out_total : 0);
    total->cost_nano = money_add(total->cost_nano, record->cost_nano);
    total->upstream_nano = money_add(total->upstream_nano, record->upstream_nano);
    if ((record->charged & LEDGER_BALANCE) != 0) {
        total->balance_nano = money_add(total->balance_nano, record->cost_nano);
    }
    add_windows(total, record);
    if (record->start_wall_ms > total->last_used_ms) {
        total->last_used_ms = record->start_wall_ms;
    }
}

/* A request with several attempts is one request of its key and one of each account it tried. */
enum err
tally_add(struct tally *tally, struct kv_txn *txn, const struct ledger_record *record)
{
    const uint64_t ids[MODEL_KINDS] = {
        [MODEL_USER] = record->user_id,         [MODEL_KEY] = record->key_id,
        [MODEL_GROUP] = record->group_id,       [MODEL_ACCOUNT] = record->account_id,
        [MODEL_PLAN] = record->subscription_id,
    };
    for (uint32_t i = 0; i < MODEL_KINDS; i++) {
        struct tally_cell *cell = NULL;
        if (ids[i] == 0) {
            continue;
        }
        enum err err = find_cell(tally, txn, (enum model_kind)i, ids[i], &cell);
        if (err != ERR_OK) {
            return err;
        }
        add_record(&cell->total, record, i == MODEL_ACCOUNT);
    }
    return rollup_add(&tally->rollup, txn, record);
}

enum err
tally_end(struct tally *tally, struct kv_txn *txn)
{
    for (uint32_t i = 0; i < TALLY_CELLS; i++) {
        if (tally->cells[i].id != 0) {
            enum err err = write_total(txn, &tally->cells[i]);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return rollup_end(&tally->rollup, txn);
}
