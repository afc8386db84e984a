#include "store/outcome.h"

#include <string.h>

#include "base/check.h"

#define ROW_VERSION 1u

/* As it lies in the store and in a parcel; written and read on one machine. */
struct row {
    uint32_t version;
    uint16_t status;
    uint8_t state;
    uint8_t reserved;
    uint64_t wall_ms;
    struct digest print;
    char request_id[REQUEST_ID_BYTES];
    uint32_t fields_bytes;
    uint32_t body_bytes;
    uint64_t pad;
};

_Static_assert(sizeof(struct row) == OUTCOME_HEAD_BYTES, "a row's head");

/* By age: when, whose. */
struct age_key {
    uint8_t bytes[8 + CLAIM_NAME_BYTES];
};

static struct str
age_key(struct age_key *to, uint64_t wall_ms, const uint8_t name[CLAIM_NAME_BYTES])
{
    kv_pack64(to->bytes, wall_ms);
    memcpy(to->bytes + 8, name, CLAIM_NAME_BYTES);
    return str_make((const char *)to->bytes, sizeof to->bytes);
}

static struct str
name_key(const uint8_t name[CLAIM_NAME_BYTES])
{
    return str_make((const char *)name, CLAIM_NAME_BYTES);
}

const char *
outcome_text(enum outcome_state state)
{
    static const char *const texts[OUTCOME_STATES] = {
#define OUTCOME_TEXT(name, text) text,
        OUTCOME_STATE_ROWS(OUTCOME_TEXT)
#undef OUTCOME_TEXT
    };
    CHECK((uint32_t)state < OUTCOME_STATES);
    return texts[state];
}

void
outcome_head(const struct outcome *outcome, uint8_t out[OUTCOME_HEAD_BYTES])
{
    CHECK(outcome->state != OUTCOME_NONE);
    CHECK(outcome->fields.len + outcome->body.len <= PARCEL_BYTES_MAX);
    struct row row = { .version = ROW_VERSION,
                       .status = outcome->status,
                       .state = (uint8_t)outcome->state,
                       .wall_ms = outcome->wall_ms,
                       .print = outcome->print,
                       .fields_bytes = (uint32_t)outcome->fields.len,
                       .body_bytes = (uint32_t)outcome->body.len };
    memcpy(row.request_id, outcome->request_id, sizeof row.request_id - 1);
    memcpy(out, &row, sizeof row);
}

enum err
outcome_read(struct str value, struct outcome *out)
{
    struct row row;
    if (value.len < sizeof row) {
        return ERR_BAD;
    }
    memcpy(&row, value.data, sizeof row);
    bool is_good = row.version == ROW_VERSION && row.state != OUTCOME_NONE &&
                   row.state < OUTCOME_STATES &&
                   sizeof row + (uint64_t)row.fields_bytes + row.body_bytes == value.len;
    if (!is_good) {
        return ERR_BAD;
    }
    *out = (struct outcome){ .state = (enum outcome_state)row.state,
                             .status = row.status,
                             .wall_ms = row.wall_ms,
                             .print = row.print,
                             .fields = str_make(value.data + sizeof row, row.fields_bytes),
                             .body = str_make(value.data + sizeof row + row.fields_bytes,
                                              row.body_bytes) };
    memcpy(out->request_id, row.request_id, sizeof out->request_id - 1);
    return ERR_OK;
}

void
outcome_room_begin(struct outcome_room *room)
{
    room->bytes = OUTCOMES_TURN_BYTES_MAX;
}

/* --- how many bytes there are in all --- */

static enum err
read_sum(struct kv_txn *txn, uint64_t *out)
{
    struct str value;
    *out = 0;
    enum err err = kv_get(txn, KV_META, STR("outcome_bytes"), &value);
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
write_sum(struct kv_txn *txn, uint64_t bytes)
{
    struct kv_id id;
    return kv_put(txn, KV_META, STR("outcome_bytes"), kv_id(&id, bytes));
}

/* --- one row --- */

/* Of the same name, from before: it goes, with its place by age. */
static enum err
drop_old(struct kv_txn *txn, const uint8_t name[CLAIM_NAME_BYTES], uint64_t *sum)
{
    struct str value;
    struct outcome old;
    enum err err = kv_get(txn, KV_OUTCOME, name_key(name), &value);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    *sum -= value.len < *sum ? value.len : *sum;
    if (outcome_read(value, &old) != ERR_OK) {
        return ERR_OK;
    }
    struct age_key key;
    err = kv_del(txn, KV_OUTCOME_AGE, age_key(&key, old.wall_ms, name));
    return err == ERR_GONE ? ERR_OK : err;
}

enum err
outcome_put(struct kv_txn *txn, const uint8_t name[CLAIM_NAME_BYTES], struct str value,
            struct outcome_room *room)
{
    struct outcome outcome;
    uint8_t head[OUTCOME_HEAD_BYTES];
    uint64_t sum = 0;
    enum err err = outcome_read(value, &outcome);
    err = err != ERR_OK ? err : read_sum(txn, &sum);
    err = err != ERR_OK ? err : drop_old(txn, name, &sum);
    if (err != ERR_OK) {
        return err;
    }
    bool fits = value.len <= room->bytes && sum + value.len <= OUTCOMES_BYTES_MAX;
    if (outcome.state == OUTCOME_KEPT && !fits) {
        outcome.state = OUTCOME_CROWDED;
        outcome.fields = STR("");
        outcome.body = STR("");
        outcome_head(&outcome, head);
        value = str_make((const char *)head, sizeof head);
    }
    room->bytes -= value.len < room->bytes ? value.len : room->bytes;
    struct age_key key;
    err = kv_put(txn, KV_OUTCOME, name_key(name), value);
    err = err != ERR_OK
              ? err
              : kv_put(txn, KV_OUTCOME_AGE, age_key(&key, outcome.wall_ms, name), STR(""));
    return err != ERR_OK ? err : write_sum(txn, sum + value.len);
}

enum err
outcome_get(struct kv_txn *txn, const uint8_t name[CLAIM_NAME_BYTES], struct str *out)
{
    return kv_get(txn, KV_OUTCOME, name_key(name), out);
}

/* --- the old ones go --- */

struct sweep {
    uint64_t wall_ms;
    uint32_t count;
    uint32_t removed;
};

static enum err
remove_one(struct kv_txn *txn, struct str age, uint64_t *sum)
{
    struct str value;
    struct str name = str_skip(age, 8);
    enum err err = kv_get(txn, KV_OUTCOME, name, &value);
    if (err != ERR_OK) {
        return err == ERR_GONE ? ERR_OK : err;
    }
    *sum -= value.len < *sum ? value.len : *sum;
    return kv_del(txn, KV_OUTCOME, name);
}

static enum err
sweep_rows(struct kv_txn *txn, struct kv_cursor *cursor, struct sweep *sweep, uint64_t *sum)
{
    struct str key;
    struct str value;
    enum err err = kv_next(cursor, &key, &value);
    while (err == ERR_OK && sweep->removed < sweep->count) {
        if (key.len == sizeof(struct age_key)) {
            if (kv_unpack64(key.data) >= sweep->wall_ms) {
                return ERR_OK;
            }
            err = remove_one(txn, key, sum);
        }
        err = err != ERR_OK ? err : kv_cursor_del(cursor);
        sweep->removed += err == ERR_OK ? 1u : 0u;
        err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    }
    return err == ERR_GONE ? ERR_OK : err;
}

static enum err
sweep_in_txn(struct kv_txn *txn, void *context)
{
    struct sweep *sweep = context;
    struct kv_cursor *cursor = NULL;
    uint64_t sum = 0;
    sweep->removed = 0;
    enum err err = read_sum(txn, &sum);
    err = err != ERR_OK ? err : kv_cursor_open(txn, KV_OUTCOME_AGE, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    err = sweep_rows(txn, cursor, sweep, &sum);
    kv_cursor_close(cursor);
    return err != ERR_OK || sweep->removed == 0 ? err : write_sum(txn, sum);
}

/* Is there any? Most of the time there is none, and nothing has to be written. */
static enum err
has_old(struct kv *kv, uint64_t wall_ms, bool *out)
{
    struct kv_txn *txn = NULL;
    struct kv_cursor *cursor = NULL;
    struct str key;
    struct str value;
    *out = false;
    enum err err = kv_begin(kv, &txn);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_cursor_open(txn, KV_OUTCOME_AGE, &cursor);
    if (err == ERR_OK) {
        err = kv_next(cursor, &key, &value);
        *out =
            err == ERR_OK && (key.len != sizeof(struct age_key) || kv_unpack64(key.data) < wall_ms);
        kv_cursor_close(cursor);
    }
    kv_end(txn);
    return err == ERR_GONE ? ERR_OK : err;
}

enum err
outcome_sweep(struct kv *kv, uint64_t wall_ms, uint32_t count, uint32_t *out_removed)
{
    struct sweep sweep = { .wall_ms = wall_ms, .count = count };
    bool any = false;
    *out_removed = 0;
    enum err err = has_old(kv, wall_ms, &any);
    if (err == ERR_OK && any) {
        err = kv_write(kv, sweep_in_txn, &sweep);
        *out_removed = err == ERR_OK ? sweep.removed : 0;
    }
    return err;
}
