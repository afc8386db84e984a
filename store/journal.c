/*
 * journal.c - usage records and ring positions inside one transaction.
 */
#include "store/journal.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/outcome.h"
#include "store/record.h"

#define POSITION_BYTES 16 /* next sequence, wall ms of the last commit */

struct ring_key {
    uint8_t bytes[12];
};

static struct str
make_ring_key(struct ring_key *to, uint64_t run_id, uint32_t slot)
{
    kv_pack64(to->bytes, run_id);
    kv_pack32(to->bytes + 8, slot);
    return str_make((const char *)to->bytes, sizeof(to->bytes));
}

enum err
journal_position(struct kv_txn *txn, uint64_t run_id, uint32_t slot, uint64_t *out)
{
    struct ring_key key;
    struct str value;
    *out = 0;
    enum err err = kv_get(txn, KV_POSITION, make_ring_key(&key, run_id, slot), &value);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    if (value.len != POSITION_BYTES) {
        return ERR_BAD;
    }
    *out = kv_unpack64(value.data);
    return ERR_OK;
}

static enum err
write_position(struct kv_txn *txn, uint64_t run_id, uint32_t slot, uint64_t sequence)
{
    struct ring_key key;
    uint8_t value[POSITION_BYTES];
    kv_pack64(value, sequence);
    kv_pack64(value + 8, clock_wall_ms());
    return kv_put(txn, KV_POSITION, make_ring_key(&key, run_id, slot),
                  str_make((const char *)value, sizeof(value)));
}

static enum err
read_next_usage(struct kv_txn *txn, uint64_t *out)
{
    struct str value;
    *out = 1;
    enum err err = kv_get(txn, KV_META, STR("next_usage"), &value);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    if (value.len != sizeof(struct kv_id)) {
        return ERR_BAD;
    }
    *out = kv_unpack64(value.data);
    return ERR_OK;
}

/* How many of the batch's records are in the store already; a gap is told and lived with. */
static uint32_t
count_stored(const struct ledger_batch *batch, uint64_t position)
{
    if (batch->sequence > position) {
        log_event(LOG_ERROR, "store",
                  "call=commit err=%s slot=%u missing=%llu position=%llu "
                  "why=\"records of this ring never arrived\"",
                  err_name(ERR_BUG), batch->slot, (unsigned long long)(batch->sequence - position),
                  (unsigned long long)position);
        return 0;
    }
    uint64_t stored = position - batch->sequence;
    return stored < batch->count ? (uint32_t)stored : batch->count;
}

static enum err
append_record(struct kv_txn *txn, struct tally *tally, uint64_t sequence,
              const struct ledger_record *record)
{
    struct kv_id key;
    struct record_packed packed;
    enum err err = kv_append(txn, KV_USAGE, kv_id(&key, sequence), record_pack(record, &packed));
    return err != ERR_OK ? err : tally_add(tally, txn, record);
}

/* With the record or not at all: who finds the one may rely on the other. */
static enum err
put_outcome(struct kv_txn *txn, const struct ledger_batch *batch, uint32_t index,
            struct outcome_room *room)
{
    const struct ledger_record *record = &batch->records[index];
    struct str row;
    if (record->outcome == OUTCOME_NONE || batch->outcome == NULL) {
        return ERR_OK;
    }
    enum err err =
        batch->outcome(batch->context, batch->slot, batch->sequence + index, record, &row);
    err = err != ERR_OK ? err : outcome_put(txn, record->claim, row, room);
    if (err == ERR_GONE || err == ERR_BAD) {
        /* A bill must not wait for ever for what nobody can give. */
        log_event(LOG_ERROR, "store", "call=outcome err=%s req=%.32s", err_name(err),
                  record->request_id);
        return ERR_OK;
    }
    return err;
}

static enum err
commit_batch(struct kv_txn *txn, struct tally *tally, const struct ledger_batch *batch,
             uint64_t *next_usage, struct outcome_room *room)
{
    uint64_t position = 0;
    if (batch->count == 0) {
        return ERR_OK;
    }
    enum err err = journal_position(txn, batch->run_id, batch->slot, &position);
    if (err != ERR_OK) {
        return err;
    }
    uint32_t first = count_stored(batch, position);
    if (first == batch->count) {
        return ERR_OK;
    }
    for (uint32_t i = first; i < batch->count; i++) {
        err = append_record(txn, tally, (*next_usage)++, &batch->records[i]);
        err = err != ERR_OK ? err : put_outcome(txn, batch, i, room);
        if (err != ERR_OK) {
            return err;
        }
    }
    return write_position(txn, batch->run_id, batch->slot, batch->sequence + batch->count);
}

enum err
journal_commit(struct kv_txn *txn, struct tally *tally, const struct ledger_batch *batches,
               uint32_t count)
{
    uint64_t next_usage = 0;
    struct kv_id value;
    struct outcome_room room;
    outcome_room_begin(&room);
    tally_begin(tally);
    enum err err = read_next_usage(txn, &next_usage);
    uint64_t first_usage = next_usage;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        err = commit_batch(txn, tally, &batches[i], &next_usage, &room);
    }
    if (err != ERR_OK || next_usage == first_usage) {
        return err;
    }
    err = tally_end(tally, txn);
    return err != ERR_OK ? err : kv_put(txn, KV_META, STR("next_usage"), kv_id(&value, next_usage));
}

/* Places the cursor on the newest record before `before`; 0 = on the newest of all. */
static enum err
seek_before(struct kv_cursor *cursor, uint64_t before, struct str *key, struct str *value)
{
    struct kv_id id;
    if (before != 0) {
        enum err err = kv_seek(cursor, kv_id(&id, before), key, value);
        if (err != ERR_GONE) {
            return err != ERR_OK ? err : kv_prev(cursor, key, value);
        }
    }
    return kv_last(cursor, key, value);
}

static enum err
read_recent(struct kv_cursor *cursor, uint64_t before, struct ledger_record *out,
            uint64_t *out_sequences, uint32_t count, uint32_t *out_count)
{
    struct str key;
    struct str value;
    enum err err = seek_before(cursor, before, &key, &value);
    while (err == ERR_OK && *out_count < count) {
        if (key.len != sizeof(struct kv_id) || record_read(value, &out[*out_count]) != ERR_OK) {
            return ERR_BAD;
        }
        out_sequences[*out_count] = kv_unpack64(key.data);
        (*out_count)++;
        err = kv_prev(cursor, &key, &value);
    }
    return err == ERR_GONE ? ERR_OK : err;
}

enum err
journal_recent(struct kv_txn *txn, uint64_t before, struct ledger_record *out,
               uint64_t *out_sequences, uint32_t count, uint32_t *out_count)
{
    struct kv_cursor *cursor = NULL;
    *out_count = 0;
    enum err err = kv_cursor_open(txn, KV_USAGE, &cursor);
    if (err == ERR_OK) {
        err = read_recent(cursor, before, out, out_sequences, count, out_count);
        kv_cursor_close(cursor);
    }
    return err;
}

static enum err
prune_records(struct kv_cursor *cursor, uint64_t wall_ms, uint32_t count, uint32_t *removed)
{
    struct str key;
    struct str value;
    enum err err = kv_next(cursor, &key, &value);
    while (err == ERR_OK && *removed < count) {
        struct ledger_record record;
        if (record_read(value, &record) == ERR_OK && record.start_wall_ms >= wall_ms) {
            return ERR_OK;
        }
        err = kv_cursor_del(cursor);
        if (err == ERR_OK) {
            (*removed)++;
            err = kv_next(cursor, &key, &value);
        }
    }
    return err == ERR_GONE ? ERR_OK : err;
}

static enum err
prune_positions(struct kv_cursor *cursor, uint64_t wall_ms)
{
    struct str key;
    struct str value;
    enum err err = kv_next(cursor, &key, &value);
    while (err == ERR_OK) {
        if (value.len == POSITION_BYTES && kv_unpack64(value.data + 8) < wall_ms) {
            err = kv_cursor_del(cursor);
        }
        err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    }
    return err == ERR_GONE ? ERR_OK : err;
}

/* Since when all records are still there: audit.h compares only these with their roll-ups. */
static enum err
note_pruned(struct kv_txn *txn, uint64_t wall_ms)
{
    struct kv_id id;
    struct str value;
    enum err err = kv_get(txn, KV_META, STR("pruned_ms"), &value);
    if (err == ERR_OK && value.len == sizeof(struct kv_id) && kv_unpack64(value.data) >= wall_ms) {
        return ERR_OK;
    }
    return err != ERR_OK && err != ERR_GONE
               ? err
               : kv_put(txn, KV_META, STR("pruned_ms"), kv_id(&id, wall_ms));
}

enum err
journal_prune(struct kv_txn *txn, uint64_t wall_ms, uint32_t count, uint32_t *out_removed)
{
    struct kv_cursor *cursor = NULL;
    *out_removed = 0;
    enum err err = note_pruned(txn, wall_ms);
    err = err != ERR_OK ? err : kv_cursor_open(txn, KV_USAGE, &cursor);
    if (err == ERR_OK) {
        err = prune_records(cursor, wall_ms, count, out_removed);
        kv_cursor_close(cursor);
    }
    err = err != ERR_OK ? err : kv_cursor_open(txn, KV_POSITION, &cursor);
    if (err == ERR_OK) {
        err = prune_positions(cursor, wall_ms);
        kv_cursor_close(cursor);
    }
    return err;
}
