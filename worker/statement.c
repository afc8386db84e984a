#include "worker/statement.h"

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/money.h"
#include "shm/budget.h"
#include "shm/gate.h"
#include "upstream/payer.h"
#include "worker/worker.h"

/* One budget: its limits, what the store has, and what is under way. */
struct account_of {
    struct budget_limits limits;
    struct ledger_total total;
    struct budget_view view; /* zeroed when nobody has used it in this run */
    uint64_t wall_ms;
};

static enum err
read_budget(struct worker *worker, enum model_kind kind, enum gate_kind gate_kind, uint64_t id,
            struct account_of *out)
{
    uint32_t gate = 0;
    out->wall_ms = clock_wall_ms();
    out->view = (struct budget_view){ .reserved = { 0, 0 } };
    if (gate_peek(worker->segment, gate_kind, id, &gate) == ERR_OK) {
        budget_read(worker->segment, gate, out->wall_ms, &out->view);
    }
    return catalog_total(worker->catalog, kind, id, &out->total);
}

/* What the store has in the current window, and what is finished and not in it yet. */
static uint64_t
used_in(const struct account_of *of, enum period period)
{
    uint64_t start = period_start(period, of->wall_ms);
    uint64_t stored =
        of->total.window_start_ms[period] == start ? of->total.window_nano[period] : 0;
    return stored + of->view.charged.nano;
}

static void
put_dollars(struct jsonw *w, const char *name, uint64_t nano)
{
    char text[MONEY_TEXT_BYTES];
    jsonw_name(w, name);
    jsonw_raw(w, str_make(text, money_text(nano > INT64_MAX ? INT64_MAX : (int64_t)nano, 9, text)));
}

static void
put_time(struct jsonw *w, const char *name, uint64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];
    jsonw_name(w, name);
    if (wall_ms == 0) {
        jsonw_null(w);
    } else {
        jsonw_text(w, clock_text(wall_ms, text));
    }
}

static void
put_limit(struct jsonw *w, uint64_t limit, uint64_t used, uint64_t reserved)
{
    if (limit == BUDGET_UNLIMITED) {
        jsonw_name(w, "limit");
        jsonw_null(w);
    } else {
        put_dollars(w, "limit", limit);
    }
    put_dollars(w, "used", used);
    put_dollars(w, "reserved", reserved);
    if (limit == BUDGET_UNLIMITED) {
        jsonw_name(w, "remaining");
        jsonw_null(w);
    } else {
        put_dollars(w, "remaining", used < limit ? limit - used : 0);
    }
}

/* The windows that have a limit. */
static void
put_windows(struct jsonw *w, const struct account_of *of)
{
    jsonw_name(w, "rate_limits");
    jsonw_array(w);
    for (uint32_t i = 0; i < PERIODS; i++) {
        enum period period = (enum period)i;
        uint64_t limit = of->limits.most[BUDGET_WINDOWS + i];
        if (limit == BUDGET_UNLIMITED) {
            continue;
        }
        jsonw_object(w);
        jsonw_put_text(w, "window", period_text(period));
        put_limit(w, limit, used_in(of, period), of->view.reserved.nano);
        put_time(w, "window_start", period_start(period, of->wall_ms));
        put_time(w, "reset_at", period_end(period, of->wall_ms));
        jsonw_close(w);
    }
    jsonw_close(w);
}

static void
put_tokens(struct jsonw *w, const struct account_of *of)
{
    uint64_t limit = of->limits.most[BUDGET_TOKENS];
    uint64_t used = of->total.tokens_in + of->total.tokens_out + of->view.charged.tokens;
    jsonw_name(w, "tokens");
    jsonw_object(w);
    jsonw_name(w, "limit");
    if (limit == BUDGET_UNLIMITED) {
        jsonw_null(w);
    } else {
        jsonw_u64(w, limit);
    }
    jsonw_put_u64(w, "used", used);
    if (limit != BUDGET_UNLIMITED) {
        jsonw_put_u64(w, "remaining", used < limit ? limit - used : 0);
    }
    jsonw_close(w);
}

static uint64_t
spent(const struct account_of *of)
{
    return (of->total.cost_nano < 0 ? 0 : (uint64_t)of->total.cost_nano) + of->view.charged.nano;
}

static void
put_key(struct jsonw *w, const struct key *key, const struct account_of *of)
{
    jsonw_put_text(w, "key", key->name);
    put_time(w, "expires_at", key->expires_ms);
    if (key->expires_ms != 0) {
        uint64_t left_ms = key->expires_ms > of->wall_ms ? key->expires_ms - of->wall_ms : 0;
        jsonw_put_u64(w, "days_until_expiry", left_ms / (24ull * 3600 * 1000));
    }
    jsonw_name(w, "quota");
    jsonw_object(w);
    put_limit(w, of->limits.most[BUDGET_MONEY], spent(of), of->view.reserved.nano);
    jsonw_put_text(w, "unit", "USD");
    jsonw_close(w);
    put_tokens(w, of);
    put_windows(w, of);
}

static void
put_usage(struct jsonw *w, const struct account_of *of)
{
    static const struct {
        const char *name;
        enum period period;
    } rows[] = { { "today", PERIOD_DAY }, { "week", PERIOD_WEEK }, { "month", PERIOD_MONTH } };
    jsonw_name(w, "usage");
    jsonw_object(w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        jsonw_name(w, rows[i].name);
        jsonw_object(w);
        put_dollars(w, "cost", used_in(of, rows[i].period));
        jsonw_close(w);
    }
    jsonw_name(w, "total");
    jsonw_object(w);
    jsonw_put_u64(w, "requests", of->total.requests);
    jsonw_put_u64(w, "input_tokens", of->total.tokens_in);
    jsonw_put_u64(w, "output_tokens", of->total.tokens_out);
    put_dollars(w, "cost", spent(of));
    jsonw_close(w);
    jsonw_close(w);
}

static enum err
put_plan(struct worker *worker, const struct plan *plan, struct jsonw *w)
{
    struct account_of of;
    enum err err = read_budget(worker, MODEL_PLAN, GATE_PLAN, plan->id, &of);
    payer_plan_limits(plan, &of.limits);
    jsonw_put_text(w, "planName", plan->name);
    jsonw_name(w, "plan");
    jsonw_object(w);
    jsonw_put_text(w, "name", plan->name);
    jsonw_put_bool(w, "active", !payer_plan_is_over(plan, of.wall_ms));
    put_time(w, "expires_at", plan->expires_ms);
    put_windows(w, &of);
    jsonw_close(w);
    return err;
}

static enum err
put_balance(struct worker *worker, const struct user *user, struct jsonw *w)
{
    struct account_of of;
    enum err err = read_budget(worker, MODEL_USER, GATE_USER, user->id, &of);
    char text[MONEY_TEXT_BYTES];
    int64_t used = money_add(of.total.balance_nano, (int64_t)of.view.charged.nano);
    int64_t left = money_add(user->credit_nano, -used);
    struct str number = str_make(text, money_text(left, 9, text));
    jsonw_name(w, "balance");
    jsonw_raw(w, number);
    jsonw_name(w, "remaining");
    jsonw_raw(w, number);
    return err;
}

enum err
statement_write(struct worker *worker, const struct catalog_key *key, struct buf *out)
{
    struct account_of of;
    struct jsonw w;
    enum err err = read_budget(worker, MODEL_KEY, GATE_KEY, key->key.id, &of);
    payer_key_limits(&key->key, &of.limits);
    bool has_plan = key->plan.id != 0;
    bool is_limited = budget_is_limited(&of.limits) || has_plan || key->user.is_prepaid;
    jsonw_begin(&w, out);
    jsonw_object(&w);
    jsonw_put_text(&w, "object", "usage");
    jsonw_put_bool(&w, "isValid", true);
    jsonw_put_text(&w, "mode", is_limited ? "quota_limited" : "unrestricted");
    jsonw_put_text(&w, "unit", "USD");
    put_key(&w, &key->key, &of);
    if (has_plan) {
        err = err != ERR_OK ? err : put_plan(worker, &key->plan, &w);
    } else if (key->user.is_prepaid) {
        err = err != ERR_OK ? err : put_balance(worker, &key->user, &w);
    }
    put_usage(&w, &of);
    jsonw_close(&w);
    enum err ended = jsonw_end(&w);
    return err != ERR_OK ? err : ended;
}
