#include "store/credit.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/money.h"
#include "base/num.h"
#include "store/object.h"

#define KEY_BYTES 16 /* user, sequence of the user */

struct credit_key {
    uint8_t bytes[KEY_BYTES];
};

static struct str
make_key(struct credit_key *to, uint64_t user_id, uint64_t sequence)
{
    kv_pack64(to->bytes, user_id);
    kv_pack64(to->bytes + 8, sequence);
    return str_make((const char *)to->bytes, sizeof(to->bytes));
}

static enum err
read_row(struct str key, struct str value, struct ledger_credit *out)
{
    if (key.len != KEY_BYTES || value.len != sizeof(*out)) {
        return ERR_BAD;
    }
    memcpy(out, value.data, sizeof(*out));
    out->note[sizeof(out->note) - 1] = '\0';
    return out->user_id == kv_unpack64(key.data) ? ERR_OK : ERR_BAD;
}

/* The sequence that this user's next change gets: from 1. */
static enum err
next_sequence(struct kv_txn *txn, uint64_t user_id, uint64_t *out)
{
    struct kv_cursor *cursor = NULL;
    struct credit_key start;
    struct str key;
    struct str value;
    *out = 1;
    enum err err = kv_cursor_open(txn, KV_CREDIT, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    /* The last row before the next user's first. */
    err = kv_seek(cursor, make_key(&start, user_id + 1, 0), &key, &value);
    err = err == ERR_OK ? kv_prev(cursor, &key, &value) : kv_last(cursor, &key, &value);
    if (err == ERR_OK && key.len == KEY_BYTES && kv_unpack64(key.data) == user_id) {
        *out = kv_unpack64(key.data + 8) + 1;
    }
    kv_cursor_close(cursor);
    return err == ERR_GONE ? ERR_OK : err;
}

static enum err
change_sum(struct user *user, int64_t amount_nano, char *why)
{
    int64_t sum = 0;
    if (amount_nano == 0) {
        snprintf(why, MODEL_WHY_BYTES, "amount: nothing would change");
        return ERR_BAD;
    }
    if (!num_add(user->credit_nano, amount_nano, &sum)) {
        snprintf(why, MODEL_WHY_BYTES, "amount: more than a balance can hold");
        return ERR_BAD;
    }
    if (sum < 0) {
        char text[MONEY_TEXT_BYTES];
        money_text(user->credit_nano, 9, text);
        snprintf(why, MODEL_WHY_BYTES, "amount: only $%s were paid in by user \"%s\"", text,
                 user->name);
        return ERR_BAD;
    }
    user->credit_nano = sum;
    user->is_prepaid = true;
    return ERR_OK;
}

enum err
credit_add(struct kv_txn *txn, struct str name, int64_t amount_nano, struct str note,
           struct user *user, char *why)
{
    struct credit_key key;
    uint64_t sequence = 0;
    struct ledger_credit row = { .wall_ms = clock_wall_ms(), .amount_nano = amount_nano };
    enum err err = object_find(txn, MODEL_USER, name, user);
    if (err != ERR_OK) {
        snprintf(why, MODEL_WHY_BYTES, "there is no user named '%.*s'", STR_ARG(name));
        return err;
    }
    if (!str_copy(row.note, sizeof(row.note), note)) {
        snprintf(why, MODEL_WHY_BYTES, "note: at most %zu bytes", sizeof(row.note) - 1);
        return ERR_BAD;
    }
    err = change_sum(user, amount_nano, why);
    err = err != ERR_OK ? err : next_sequence(txn, user->id, &sequence);
    if (err == ERR_OK) {
        row.user_id = user->id;
        row.credit_nano = user->credit_nano;
        err = kv_put(txn, KV_CREDIT, make_key(&key, user->id, sequence),
                     str_make((const char *)&row, sizeof(row)));
    }
    return err != ERR_OK ? err : object_update(txn, MODEL_USER, user, why);
}

enum err
credit_recent(struct kv_txn *txn, uint64_t user_id, struct ledger_credit *out, uint32_t count,
              uint32_t *out_count)
{
    struct kv_cursor *cursor = NULL;
    struct credit_key start;
    struct str key;
    struct str value;
    *out_count = 0;
    enum err err = kv_cursor_open(txn, KV_CREDIT, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_seek(cursor, make_key(&start, user_id + 1, 0), &key, &value);
    err = err == ERR_OK ? kv_prev(cursor, &key, &value) : kv_last(cursor, &key, &value);
    while (err == ERR_OK && *out_count < count && key.len == KEY_BYTES &&
           kv_unpack64(key.data) == user_id) {
        err = read_row(key, value, &out[*out_count]);
        if (err == ERR_OK) {
            (*out_count)++;
            err = kv_prev(cursor, &key, &value);
        }
    }
    kv_cursor_close(cursor);
    return err == ERR_GONE ? ERR_OK : err;
}

enum err
credit_each(struct kv_txn *txn, credit_each_fn each, void *context)
{
    struct kv_cursor *cursor = NULL;
    struct credit_key start;
    struct ledger_credit row;
    struct str key;
    struct str value;
    enum err err = kv_cursor_open(txn, KV_CREDIT, &cursor);
    if (err != ERR_OK) {
        return err;
    }
    err = kv_seek(cursor, make_key(&start, 0, 0), &key, &value);
    while (err == ERR_OK) {
        err = read_row(key, value, &row);
        err = err != ERR_OK ? err : each(context, &row);
        err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    }
    kv_cursor_close(cursor);
    return err == ERR_GONE ? ERR_OK : err;
}
