#include "admin/books.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/api.h"
#include "admin/balance.h"
#include "admin/entry.h"
#include "admin/recorder.h"
#include "admin/reporter.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/moment.h"
#include "http/server.h"
#include "proto/endpoint.h"
#include "store/audit.h"
#include "store/object.h"
#include "store/record.h"
#include "store/summary.h"

#define SINCE_STANDARD_MS (24ull * 3600 * 1000)
#define LINE_BYTES_MAX 16384u
#define VERDICT_BYTES_MAX 65536u

enum format { FORMAT_JSON, FORMAT_CSV, FORMAT_JSONL };

/* What a child needs to know. */
struct job {
    enum summary_by by;
    enum format format;
    uint64_t from_ms;
    uint64_t to_ms;
};

/* --- the query --- */

static bool
read_moment(struct str value, uint64_t now_ms, uint64_t *out)
{
    char text[64];
    size_t length = 0;
    return endpoint_model_decode(value, text, sizeof text, &length) == ERR_OK &&
           moment_ago(str_make(text, length), now_ms, out);
}

static bool
read_format(struct str value, enum format *out)
{
    static const char *const texts[] = { "json", "csv", "jsonl" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (str_equal(value, str_of(texts[i]))) {
            *out = (enum format)i;
            return true;
        }
    }
    return false;
}

/* False: answered with what is wrong. */
static bool
read_job(struct server_request *request, struct job *job)
{
    struct str query = request->head.query;
    uint64_t now_ms = clock_wall_ms();
    const char *why = NULL;
    while (query.len > 0 && why == NULL) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');
        if (str_equal(name, STR("since"))) {
            why = read_moment(value, now_ms, &job->from_ms) ? NULL : "since: a time or 24h, 30d";
        } else if (str_equal(name, STR("until"))) {
            why = read_moment(value, now_ms, &job->to_ms) ? NULL : "until: a time or 24h, 30d";
        } else if (str_equal(name, STR("by"))) {
            why = summary_by_of(value, &job->by)
                      ? NULL
                      : "by: one of user key group account model day hour";
        } else if (str_equal(name, STR("format"))) {
            why = read_format(value, &job->format) ? NULL : "format: one of json csv jsonl";
        } else {
            why = "The query has something that is not known";
        }
    }
    job->to_ms = job->to_ms == 0 ? now_ms + ROLLUP_HOUR_MS : job->to_ms;
    if (why == NULL && job->from_ms >= job->to_ms) {
        why = "since: must lie before until";
    }
    if (why != NULL) {
        api_error(request, 400, "invalid_request", why);
    }
    return why == NULL;
}

static const char *
type_of(enum format format)
{
    switch (format) {
    case FORMAT_JSON:
        return "Content-Type: application/json\r\n";
    case FORMAT_CSV:
        return "Content-Type: text/csv\r\n";
    case FORMAT_JSONL:
        return "Content-Type: application/jsonl\r\n";
    }
    return "";
}

/* --- sums --- */

static bool
model_kind_of(enum summary_by by, enum model_kind *out)
{
    switch (by) {
    case SUMMARY_USER:
        *out = MODEL_USER;
        return true;
    case SUMMARY_KEY:
        *out = MODEL_KEY;
        return true;
    case SUMMARY_GROUP:
        *out = MODEL_GROUP;
        return true;
    case SUMMARY_ACCOUNT:
        *out = MODEL_ACCOUNT;
        return true;
    case SUMMARY_MODEL:
    case SUMMARY_DAY:
    case SUMMARY_HOUR:
        return false;
    }
    return false;
}

static const char *
object_name(enum model_kind kind, const union object *object)
{
    switch (kind) {
    case MODEL_USER:
        return object->user.name;
    case MODEL_KEY:
        return object->key.name;
    case MODEL_GROUP:
        return object->group.name;
    case MODEL_ACCOUNT:
        return object->account.name;
    case MODEL_PLAN:
        return object->plan.name;
    }
    return "";
}

#define LABEL_BYTES 128u

/* What a line is about: a name, a model, a time. An object that is gone has its number. */
static void
label_of(struct kv_txn *txn, enum summary_by by, const struct summary_line *line,
         char out[LABEL_BYTES])
{
    static union object object;
    enum model_kind kind = MODEL_USER;
    if (by == SUMMARY_MODEL) {
        snprintf(out, LABEL_BYTES, "%s", line->model);
    } else if (!model_kind_of(by, &kind)) {
        char time[CLOCK_TEXT_BYTES];
        clock_text(line->id, time);
        snprintf(out, LABEL_BYTES, "%.*s", by == SUMMARY_DAY ? 10 : 16, time);
    } else if (object_get(txn, kind, line->id, &object) == ERR_OK) {
        snprintf(out, LABEL_BYTES, "%s", object_name(kind, &object));
    } else {
        snprintf(out, LABEL_BYTES, "(gone: %" PRIu64 ")", line->id);
    }
}

static void
put_sums(struct jsonw *w, const struct rollup_sums *sums)
{
    jsonw_put_u64(w, "requests", sums->requests);
    jsonw_put_u64(w, "attempts", sums->attempts);
    jsonw_put_u64(w, "failures", sums->failures);
    jsonw_put_u64(w, "in", sums->in_fresh);
    jsonw_put_u64(w, "cached", sums->in_cache_read);
    jsonw_put_u64(w, "cache_write", sums->in_cache_write);
    jsonw_put_u64(w, "out", sums->out_total);
    jsonw_put_u64(w, "reasoning", sums->out_reasoning);
    balance_put(w, "cost", (int64_t)sums->cost_nano);
    balance_put(w, "upstream_cost", (int64_t)sums->upstream_nano);
    jsonw_put_u64(w, "estimated", sums->estimated);
    jsonw_put_u64(w, "first_byte_ms",
                  sums->first_bytes == 0 ? 0 : sums->first_byte_ms / sums->first_bytes);
    jsonw_put_u64(w, "duration_ms", sums->attempts == 0 ? 0 : sums->duration_ms / sums->attempts);
}

static enum err
put_object(struct reporter_out *out, const char *name, const char *label,
           const struct rollup_sums *sums)
{
    struct buf line;
    struct jsonw w;
    buf_init(&line, LINE_BYTES_MAX);
    jsonw_begin(&w, &line);
    jsonw_object(&w);
    if (name != NULL) {
        jsonw_put_text(&w, name, label);
    }
    put_sums(&w, sums);
    jsonw_close(&w);
    enum err err = jsonw_end(&w);
    if (err == ERR_OK) {
        reporter_put(out, buf_str(&line));
    }
    buf_fini(&line);
    return err;
}

static enum err
write_json(struct kv_txn *txn, const struct summary *summary, struct reporter_out *out)
{
    char label[LABEL_BYTES];
    enum err err = ERR_OK;
    reporter_put(out, STR("{\"by\":\""));
    reporter_put(out, str_of(summary_by_text(summary->by)));
    reporter_put(out, STR("\",\"items\":["));
    for (uint32_t i = 0; i < summary->count && err == ERR_OK; i++) {
        reporter_put(out, i == 0 ? STR("") : STR(","));
        label_of(txn, summary->by, &summary->lines[i], label);
        err = put_object(out, "name", label, &summary->lines[i].sums);
    }
    if (err == ERR_OK && summary->rest.attempts != 0) {
        reporter_put(out, STR(","));
        err = put_object(out, "name", "(others)", &summary->rest);
    }
    reporter_put(out, STR("],\"total\":"));
    err = err != ERR_OK ? err : put_object(out, NULL, "", &summary->all);
    reporter_put(out, STR("}\n"));
    return err;
}

static void
csv_line(struct reporter_out *out, const char *label, const struct rollup_sums *sums)
{
    char cost[MONEY_TEXT_BYTES];
    char upstream[MONEY_TEXT_BYTES];
    char line[LABEL_BYTES * 2 + 512];
    char quoted[LABEL_BYTES * 2];
    size_t at = 0;
    for (const char *from = label; *from != '\0' && at < sizeof quoted - 3; from++) {
        if (*from == '"') {
            quoted[at++] = '"';
        }
        quoted[at++] = *from;
    }
    quoted[at] = '\0';
    money_text((int64_t)sums->cost_nano, 9, cost);
    money_text((int64_t)sums->upstream_nano, 9, upstream);
    int length = snprintf(line, sizeof line,
                          "\"%s\",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                          ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,%s\r\n",
                          quoted, sums->requests, sums->attempts, sums->failures, sums->in_fresh,
                          sums->in_cache_read, sums->in_cache_write, sums->out_total,
                          sums->out_reasoning, cost, upstream);
    reporter_put(out, str_make(line, (size_t)length));
}

static void
write_csv(struct kv_txn *txn, const struct summary *summary, struct reporter_out *out)
{
    char label[LABEL_BYTES];
    reporter_put(out, str_of(summary_by_text(summary->by)));
    reporter_put(out, STR(",requests,attempts,failures,in,cached,cache_write,out,reasoning,cost,"
                          "upstream_cost\r\n"));
    for (uint32_t i = 0; i < summary->count; i++) {
        label_of(txn, summary->by, &summary->lines[i], label);
        csv_line(out, label, &summary->lines[i].sums);
    }
    if (summary->rest.attempts != 0) {
        csv_line(out, "(others)", &summary->rest);
    }
}

static enum err
run_report(struct kv_txn *txn, const void *context, struct reporter_out *out)
{
    const struct job *job = context;
    struct summary summary;
    enum err err = summary_make(txn, job->by, job->from_ms, job->to_ms, &summary);
    if (err == ERR_OK && job->format == FORMAT_CSV) {
        write_csv(txn, &summary, out);
    } else if (err == ERR_OK) {
        err = write_json(txn, &summary, out);
    }
    summary_free(&summary);
    return err;
}

void
books_report(struct server_request *request)
{
    struct job job = { .by = SUMMARY_USER, .from_ms = clock_wall_ms() - SINCE_STANDARD_MS };
    if (!read_job(request, &job)) {
        return;
    }
    if (job.format == FORMAT_JSONL) {
        api_error(request, 400, "invalid_request", "format: a report is json or csv");
        return;
    }
    reporter_start(server_context(request), request, str_of(type_of(job.format)), run_report, &job);
}

/* --- the proof --- */

static void
put_line(struct jsonw *w, const struct audit *audit)
{
    char cost[MONEY_TEXT_BYTES];
    char credit[MONEY_TEXT_BYTES];
    char line[512];
    money_text(audit->cost_nano, 9, cost);
    money_text(audit->credit_nano, 9, credit);
    snprintf(line, sizeof line,
             "%" PRIu64 " records (%" PRIu64 " to %" PRIu64 "), %" PRIu64 " roll-ups, %" PRIu64
             " totals, %" PRIu64 " payments: cost $%s, paid in $%s; %" PRIu64 " problems%s",
             audit->records, audit->first_sequence, audit->last_sequence, audit->rollups,
             audit->totals, audit->payments, cost, credit, audit->problem_count,
             audit->is_short ? " (totals older than the roll-ups were not compared)" : "");
    jsonw_put_text(w, "line", line);
}

static enum err
run_verify(struct kv_txn *txn, const void *context, struct reporter_out *out)
{
    static struct audit audit;
    struct buf body;
    struct jsonw w;
    (void)context;
    enum err err = audit_run(txn, &audit);
    if (err != ERR_OK) {
        return err;
    }
    buf_init(&body, VERDICT_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_put_bool(&w, "ok", audit.problem_count == 0);
    jsonw_put_u64(&w, "records", audit.records);
    jsonw_put_u64(&w, "first_sequence", audit.first_sequence);
    jsonw_put_u64(&w, "last_sequence", audit.last_sequence);
    jsonw_put_u64(&w, "rollups", audit.rollups);
    jsonw_put_u64(&w, "hours_compared", audit.hours);
    jsonw_put_u64(&w, "totals", audit.totals);
    jsonw_put_u64(&w, "payments", audit.payments);
    balance_put(&w, "cost", audit.cost_nano);
    balance_put(&w, "from_balances", audit.balance_nano);
    balance_put(&w, "paid_in", audit.credit_nano);
    jsonw_put_u64(&w, "problems", audit.problem_count);
    put_line(&w, &audit);
    jsonw_name(&w, "items");
    jsonw_array(&w);
    for (uint64_t i = 0; i < audit.problem_count && i < AUDIT_PROBLEMS_MAX; i++) {
        jsonw_object(&w);
        jsonw_put_text(&w, "problem", audit.problems[i]);
        jsonw_close(&w);
    }
    jsonw_close(&w);
    jsonw_close(&w);
    err = jsonw_end(&w);
    if (err == ERR_OK) {
        reporter_put(out, buf_str(&body));
    }
    buf_fini(&body);
    return err;
}

void
books_verify(struct server_request *request)
{
    const struct job job = { .by = SUMMARY_USER };
    reporter_start(server_context(request), request, str_of(type_of(FORMAT_JSON)), run_verify,
                   &job);
}

/* --- every record --- */

static enum err
write_record(enum format format, const struct ledger_record *record, uint64_t sequence,
             struct buf *line, struct reporter_out *out)
{
    enum err err;
    if (format == FORMAT_CSV) {
        err = entry_csv(record, sequence, line);
    } else {
        struct jsonw w;
        jsonw_begin(&w, line);
        entry_put(&w, record, sequence);
        err = jsonw_end(&w);
        err = err != ERR_OK ? err : buf_append(line, STR("\n"));
    }
    if (err == ERR_OK) {
        reporter_put(out, buf_str(line));
    }
    buf_consume(line, buf_len(line));
    return err;
}

static enum err
write_records(struct kv_cursor *cursor, const struct job *job, struct buf *line,
              struct reporter_out *out)
{
    struct ledger_record record;
    struct str key;
    struct str value;
    enum err err = kv_next(cursor, &key, &value);
    for (; err == ERR_OK && !out->is_broken; err = kv_next(cursor, &key, &value)) {
        err = key.len == sizeof(struct kv_id) ? record_read(value, &record) : ERR_BAD;
        if (err != ERR_OK) {
            return err;
        }
        if (record.start_wall_ms < job->from_ms || record.start_wall_ms >= job->to_ms) {
            continue;
        }
        err = write_record(job->format, &record, kv_unpack64(key.data), line, out);
        if (err != ERR_OK) {
            return err;
        }
    }
    return err == ERR_GONE ? ERR_OK : err;
}

static enum err
run_export(struct kv_txn *txn, const void *context, struct reporter_out *out)
{
    const struct job *job = context;
    struct kv_cursor *cursor = NULL;
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    enum err err = kv_cursor_open(txn, KV_USAGE, &cursor);
    if (err == ERR_OK && job->format == FORMAT_CSV) {
        err = entry_csv_head(&line);
        reporter_put(out, buf_str(&line));
        buf_consume(&line, buf_len(&line));
    }
    if (cursor != NULL) {
        err = err != ERR_OK ? err : write_records(cursor, job, &line, out);
        kv_cursor_close(cursor);
    }
    buf_fini(&line);
    return err;
}

void
books_export(struct server_request *request)
{
    struct job job = { .format = FORMAT_CSV };
    if (!read_job(request, &job)) {
        return;
    }
    job.format = job.format == FORMAT_JSON ? FORMAT_JSONL : job.format;
    reporter_start(server_context(request), request, str_of(type_of(job.format)), run_export, &job);
}
