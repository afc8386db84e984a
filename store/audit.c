#include "store/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/credit.h"
#include "store/object.h"
#include "store/record.h"
#include "store/rollup.h"
#include "store/tally.h"

/* An hour's records against its roll-ups. */
struct hour {
    struct rollup_sums records;
    struct rollup_sums rollups;
};

/* What roll-ups say of one object. */
struct object_sums {
    uint64_t id; /* 0: empty */
    enum model_kind kind;
    struct rollup_sums sums;
};

struct run {
    struct audit *audit;
    struct kv_txn *txn;
    uint64_t complete_ms; /* no record that began since then was ever removed */
    uint32_t first_hour;
    uint32_t hour_count;
    struct hour *hours;
    struct object_sums *objects;
    uint32_t object_cells; /* a power of two, twice what fits */
    uint32_t object_count;
};

__attribute__((format(printf, 2, 3))) static void
complain(struct run *run, const char *format, ...)
{
    struct audit *audit = run->audit;
    if (audit->problem_count < AUDIT_PROBLEMS_MAX) {
        va_list list;
        va_start(list, format);
        (void)vsnprintf(audit->problems[audit->problem_count], AUDIT_TEXT_BYTES, format, list);
        va_end(list);
    }
    audit->problem_count++;
}

/* --- records --- */

/* The hours from the first complete one on; a record outside has none. */
static struct hour *
hour_of(struct run *run, uint64_t hour)
{
    if (hour < run->first_hour || hour - run->first_hour >= AUDIT_HOURS_MAX) {
        return NULL;
    }
    uint32_t at = (uint32_t)hour - run->first_hour;
    if (at >= run->hour_count) {
        run->hour_count = at + 1;
    }
    return &run->hours[at];
}

static void
check_record(struct run *run, uint64_t sequence, const struct ledger_record *record)
{
    int64_t cost = record_cost(record);
    if (cost != record->cost_nano) {
        complain(run,
                 "record %" PRIu64 " (%s) costs %" PRId64 " nanodollars, its tokens make %" PRId64,
                 sequence, record->request_id, record->cost_nano, cost);
    }
    struct hour *hour = hour_of(run, record->start_wall_ms / ROLLUP_HOUR_MS);
    if (hour != NULL) {
        struct rollup_sums sums;
        rollup_of(record, &sums);
        rollup_sum(&hour->records, &sums);
    }
}

static enum err
next_sequence(struct kv_txn *txn, uint64_t *out)
{
    struct str value;
    *out = 1;
    enum err err = kv_get(txn, KV_META, STR("next_usage"), &value);
    if (err == ERR_OK) {
        *out = value.len == sizeof(struct kv_id) ? kv_unpack64(value.data) : 0;
    }
    return err == ERR_GONE ? ERR_OK : err;
}

static enum err
walk_records(struct run *run)
{
    struct audit *audit = run->audit;
    struct kv_cursor *cursor = NULL;
    struct ledger_record record;
    struct str key;
    struct str value;
    enum err err = kv_cursor_open(run->txn, KV_USAGE, &cursor);
    err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    for (; err == ERR_OK; err = kv_next(cursor, &key, &value)) {
        uint64_t sequence = key.len == sizeof(struct kv_id) ? kv_unpack64(key.data) : 0;
        if (audit->last_sequence != 0 && sequence != audit->last_sequence + 1) {
            complain(run, "record %" PRIu64 " follows record %" PRIu64, sequence,
                     audit->last_sequence);
        }
        if (record_read(value, &record) != ERR_OK) {
            complain(run, "record %" PRIu64 " cannot be read", sequence);
        } else {
            check_record(run, sequence, &record);
        }
        audit->first_sequence = audit->first_sequence == 0 ? sequence : audit->first_sequence;
        audit->last_sequence = sequence;
        audit->records++;
    }
    kv_cursor_close(cursor);
    uint64_t next = 0;
    err = err == ERR_GONE ? next_sequence(run->txn, &next) : err;
    if (err == ERR_OK && audit->last_sequence != 0 && next != audit->last_sequence + 1) {
        complain(run, "the last record is %" PRIu64 ", the next one shall be %" PRIu64,
                 audit->last_sequence, next);
    }
    return err;
}

/* --- roll-ups --- */

static struct object_sums *
sums_of(struct run *run, enum model_kind kind, uint64_t id)
{
    uint32_t mask = run->object_cells - 1;
    uint64_t hash = (id * MODEL_KINDS + (uint64_t)kind) * 0x9e3779b97f4a7c15ull;
    uint32_t at = (uint32_t)(hash >> 32) & mask;
    for (uint32_t tries = 0; tries < run->object_cells; tries++) {
        struct object_sums *object = &run->objects[at];
        if (object->id == 0 && run->object_count < run->object_cells / 2) {
            object->id = id;
            object->kind = kind;
            run->object_count++;
        }
        if (object->id == id && object->kind == kind) {
            return object;
        }
        if (object->id == 0) {
            return NULL;
        }
        at = (at + 1) & mask;
    }
    return NULL;
}

static enum err
add_rollup(void *context, const struct rollup_row *row)
{
    struct run *run = context;
    const struct {
        enum model_kind kind;
        uint64_t id;
    } named[] = { { MODEL_USER, row->user_id },
                  { MODEL_KEY, row->key_id },
                  { MODEL_GROUP, row->group_id },
                  { MODEL_ACCOUNT, row->account_id } };
    run->audit->rollups++;
    run->audit->cost_nano += (int64_t)row->sums.cost_nano;
    run->audit->balance_nano += (int64_t)row->sums.balance_nano;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (named[i].id == 0) {
            continue;
        }
        struct object_sums *object = sums_of(run, named[i].kind, named[i].id);
        if (object == NULL) {
            return ERR_FULL;
        }
        rollup_sum(&object->sums, &row->sums);
    }
    struct hour *hour = hour_of(run, row->hour);
    if (hour != NULL) {
        rollup_sum(&hour->rollups, &row->sums);
    }
    return ERR_OK;
}

static void
compare_hours(struct run *run)
{
    for (uint32_t i = 0; i < run->hour_count; i++) {
        const struct hour *hour = &run->hours[i];
        if (memcmp(&hour->records, &hour->rollups, sizeof(hour->records)) != 0) {
            complain(run,
                     "hour %" PRIu64 ": %" PRIu64 " records cost %" PRIu64
                     " nanodollars, its roll-ups have %" PRIu64 " and %" PRIu64,
                     (uint64_t)run->first_hour + i, hour->records.attempts, hour->records.cost_nano,
                     hour->rollups.attempts, hour->rollups.cost_nano);
        }
        run->audit->hours += hour->records.attempts != 0 ? 1 : 0;
    }
}

/* --- totals --- */

static void
compare_total(struct run *run, enum model_kind kind, uint64_t id, const struct ledger_total *total)
{
    static const struct rollup_sums none = { .requests = 0 };
    const struct object_sums *object = sums_of(run, kind, id);
    const struct rollup_sums *sums = object == NULL ? &none : &object->sums;
    uint64_t requests = kind == MODEL_ACCOUNT ? sums->attempts : sums->requests;
    if (total->requests != requests || (uint64_t)total->cost_nano != sums->cost_nano ||
        (uint64_t)total->upstream_nano != sums->upstream_nano ||
        (uint64_t)total->balance_nano != sums->balance_nano) {
        complain(run,
                 "%s %" PRIu64 ": total of %" PRIu64 " requests and %" PRId64
                 " nanodollars, roll-ups have %" PRIu64 " and %" PRIu64,
                 model_table(kind)->noun, id, total->requests, total->cost_nano, requests,
                 sums->cost_nano);
    }
}

static enum err
walk_totals(struct run *run)
{
    struct kv_cursor *cursor = NULL;
    struct ledger_total total;
    struct str key;
    struct str value;
    enum err err = kv_cursor_open(run->txn, KV_TOTAL, &cursor);
    err = err != ERR_OK ? err : kv_next(cursor, &key, &value);
    for (; err == ERR_OK; err = kv_next(cursor, &key, &value)) {
        uint8_t kind = key.len == 9 ? (uint8_t)key.data[0] : UINT8_MAX;
        run->audit->totals++;
        if (kind >= MODEL_KINDS || tally_read(run->txn, (enum model_kind)kind,
                                              kv_unpack64(key.data + 1), &total) != ERR_OK) {
            complain(run, "a total cannot be read");
        } else if (kind != MODEL_PLAN && !run->audit->is_short) {
            /* Roll-ups know no plans: a plan's total has only its records. */
            compare_total(run, (enum model_kind)kind, kv_unpack64(key.data + 1), &total);
        }
    }
    kv_cursor_close(cursor);
    return err == ERR_GONE ? ERR_OK : err;
}

/* --- balances --- */

struct payments {
    struct run *run;
    uint64_t user_id; /* the one whose rows are being read */
    int64_t sum_nano;
};

/* All of one user's payments are read: do they make its credit? A user who is gone has none. */
static void
check_credit(const struct payments *payments)
{
    static struct user user;
    if (payments->user_id != 0 &&
        object_get(payments->run->txn, MODEL_USER, payments->user_id, &user) == ERR_OK &&
        user.credit_nano != payments->sum_nano) {
        complain(payments->run,
                 "user %" PRIu64 ": credit is %" PRId64 " nanodollars, payments make %" PRId64,
                 payments->user_id, user.credit_nano, payments->sum_nano);
    }
}

static enum err
add_payment(void *context, const struct ledger_credit *credit)
{
    struct payments *payments = context;
    if (credit->user_id != payments->user_id) {
        check_credit(payments);
        payments->user_id = credit->user_id;
        payments->sum_nano = 0;
    }
    payments->sum_nano += credit->amount_nano;
    if (payments->sum_nano != credit->credit_nano) {
        complain(payments->run, "user %" PRIu64 ": a payment says %" PRId64 ", the sum is %" PRId64,
                 credit->user_id, credit->credit_nano, payments->sum_nano);
    }
    payments->run->audit->payments++;
    payments->run->audit->credit_nano += credit->amount_nano;
    return ERR_OK;
}

static enum err
walk_payments(struct run *run)
{
    struct payments payments = { .run = run };
    enum err err = credit_each(run->txn, add_payment, &payments);
    check_credit(&payments);
    return err;
}

/* --- all of it --- */

static enum err
read_bounds(struct run *run)
{
    struct str value;
    enum err err = kv_get(run->txn, KV_META, STR("pruned_ms"), &value);
    if (err == ERR_OK && value.len == sizeof(struct kv_id)) {
        run->complete_ms = kv_unpack64(value.data);
    }
    if (err != ERR_OK && err != ERR_GONE) {
        return err;
    }
    /* The first hour that begins after it. */
    run->first_hour = run->complete_ms == 0 ? 0 : (uint32_t)(run->complete_ms / ROLLUP_HOUR_MS) + 1;
    err = kv_get(run->txn, KV_META, STR("rollup_short"), &value);
    run->audit->is_short = err == ERR_OK;
    return err == ERR_GONE ? ERR_OK : err;
}

/* A store that was never pruned begins with the hour of its oldest roll-up. */
static enum err
find_first_hour(void *context, const struct rollup_row *row)
{
    struct run *run = context;
    run->first_hour = row->hour;
    return ERR_EOF;
}

static enum err
walk(struct run *run)
{
    enum err err = read_bounds(run);
    if (err == ERR_OK && run->first_hour == 0) {
        err = rollup_each(run->txn, 0, UINT32_MAX, find_first_hour, run);
        err = err == ERR_EOF ? ERR_OK : err;
    }
    err = err != ERR_OK ? err : walk_records(run);
    err = err != ERR_OK ? err : rollup_each(run->txn, 0, UINT32_MAX, add_rollup, run);
    if (err == ERR_OK) {
        compare_hours(run);
        err = walk_totals(run);
    }
    return err != ERR_OK ? err : walk_payments(run);
}

enum err
audit_run(struct kv_txn *txn, struct audit *out)
{
    struct run run = { .audit = out, .txn = txn, .object_cells = 2 * AUDIT_OBJECTS_MAX };
    memset(out, 0, sizeof(*out));
    /* Zero pages: only what is used costs memory. */
    run.hours = calloc(AUDIT_HOURS_MAX, sizeof(*run.hours));
    run.objects = calloc(run.object_cells, sizeof(*run.objects));
    enum err err = run.hours == NULL || run.objects == NULL ? ERR_FULL : walk(&run);
    free(run.hours);
    free(run.objects);
    return err;
}
