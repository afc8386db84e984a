#include "admin/columns.h"

static const struct table_column user_columns[] = {
    { "name", "NAME" },
    { "disabled", "DISABLED" },
    { "concurrency", "LIMIT" },
    { "in_flight", "IN FLIGHT" },
    { "waiting", "WAITING" },
    { "rpm", "RPM" },
    { "balance", "BALANCE $" },
    { "totals.requests", "REQUESTS" },
    { "totals.tokens_in", "TOKENS IN" },
    { "totals.tokens_out", "TOKENS OUT" },
    { "totals.cost", "COST $" },
    { "note", "NOTE" },
};
static const struct table_column key_columns[] = {
    { "name", "NAME" },
    { "prefix", "KEY" },
    { "user", "USER" },
    { "group", "GROUP" },
    { "disabled", "DISABLED" },
    { "expires", "EXPIRES" },
    { "concurrency", "LIMIT" },
    { "in_flight", "IN FLIGHT" },
    { "rpm", "RPM" },
    { "quota_tokens", "QUOTA" },
    { "totals.requests", "REQUESTS" },
    { "totals.tokens_in", "TOKENS IN" },
    { "totals.tokens_out", "TOKENS OUT" },
    { "totals.cost", "COST $" },
};
static const struct table_column plan_columns[] = {
    { "name", "NAME" },         { "user", "USER" },        { "group", "GROUP" },
    { "disabled", "DISABLED" }, { "expires", "EXPIRES" },  { "5h", "5H $" },
    { "used.5h", "USED $" },    { "day", "DAY $" },        { "used.day", "USED $" },
    { "week", "WEEK $" },       { "used.week", "USED $" }, { "month", "MONTH $" },
    { "used.month", "USED $" },
};
static const struct table_column group_columns[] = {
    { "name", "NAME" },
    { "disabled", "DISABLED" },
    { "models", "MODELS" },
    { "concurrency", "LIMIT" },
    { "in_flight", "IN FLIGHT" },
    { "waiting", "WAITING" },
    { "totals.requests", "REQUESTS" },
    { "totals.cost", "COST $" },
    { "note", "NOTE" },
};
static const struct table_column account_columns[] = {
    { "name", "NAME" },
    { "platform", "PLATFORM" },
    { "state", "STATE" },
    { "why", "WHY" },
    { "cooling_ms", "COOLING MS" },
    { "probed", "PROBED" },
    { "lacks", "LACKS" },
    { "group", "GROUP" },
    { "priority", "PRIORITY" },
    { "concurrency", "LIMIT" },
    { "in_flight", "IN FLIGHT" },
    { "first_byte_ms", "FIRST MS" },
    { "totals.requests", "REQUESTS" },
    { "totals.failures", "FAILURES" },
    { "totals.upstream_cost", "COST $" },
    { "base_url", "BASE URL" },
    { "tls_insecure", "INSECURE" },
};
static const struct table_column top_columns[] = {
    { "request", "REQUEST" },   { "key", "KEY" },
    { "account", "ACCOUNT" },   { "model", "MODEL" },
    { "endpoint", "ENDPOINT" }, { "state", "STATE" },
    { "age_ms", "AGE MS" },     { "first_byte_ms", "FIRST MS" },
    { "idle_ms", "IDLE MS" },   { "tokens_in", "IN" },
    { "tokens_out", "OUT" },    { "cost", "COST $" },
    { "bytes_out", "BYTES" },   { "sticky", "SESSION" },
    { "client", "CLIENT" },
};
static const struct table_column explain_columns[] = {
    { "account", "ACCOUNT" }, { "reason", "REASON" },       { "health", "HEALTH" },
    { "why", "WHY" },         { "cooling_s", "COOLING S" }, { "priority", "PRIORITY" },
    { "load", "LOAD %" },     { "idle_ms", "IDLE MS" },     { "sent", "MODEL SENT" },
    { "lacks", "LACKS" },
};
static const struct table_column slots_columns[] = {
    { "kind", "GATE" },
    { "name", "NAME" },
    { "id", "ID" },
    { "limit", "LIMIT" },
    { "held", "HELD" },
    { "waiting", "WAITING" },
    { "oldest_ms", "OLDEST MS" },
    { "leases", "LEASES" },
    { "check", "CHECK" },
    { "by_worker", "WORKER:HELD+WAITING" },
};
static const struct table_column sticky_columns[] = {
    { "session", "SESSION" },
    { "account", "ACCOUNT" },
    { "expires_s", "EXPIRES S" },
};
static const struct table_column usage_columns[] = {
    { "time", "TIME" },      { "request", "REQUEST" }, { "endpoint", "ENDPOINT" },
    { "model", "MODEL" },    { "status", "STATUS" },   { "code", "CODE" },
    { "in", "IN" },          { "cached", "CACHED" },   { "out", "OUT" },
    { "usage", "USAGE" },    { "cost", "COST $" },     { "first_byte_ms", "FIRST MS" },
    { "duration_ms", "MS" },
};
static const struct table_column prices_columns[] = {
    { "model", "MODEL" },
    { "source", "SOURCE" },
    { "input", "INPUT" },
    { "output", "OUTPUT" },
    { "cache_read", "CACHE READ" },
    { "cache_write", "CACHE WRITE" },
    { "cache_write_1h", "1 H WRITE" },
    { "image", "IMAGE" },
    { "request", "REQUEST" },
    { "tiers", "TIERS" },
    { "alias_of", "ALIAS OF" },
};
static const struct table_column price_columns[] = {
    { "service", "SERVICE" },
    { "above", "ABOVE" },
    { "input", "INPUT" },
    { "output", "OUTPUT" },
    { "cache_read", "CACHE READ" },
    { "cache_write", "CACHE WRITE" },
    { "cache_write_1h", "1 H WRITE" },
    { "reasoning", "REASONING" },
    { "audio_input", "AUDIO IN" },
    { "audio_output", "AUDIO OUT" },
    { "image_input", "IMAGE IN" },
    { "image", "IMAGE" },
    { "request", "REQUEST" },
};
static const struct table_column import_columns[] = {
    { "line", "LINE" },
    { "model", "REFUSED" },
    { "why", "WHY" },
};
static const struct table_column unpriced_columns[] = {
    { "model", "MODEL" },
    { "requests", "REQUESTS" },
    { "last", "LAST" },
    { "account", "ACCOUNT" },
};
static const struct table_column report_columns[] = {
    { "name", "NAME" },
    { "requests", "REQUESTS" },
    { "failures", "FAILURES" },
    { "in", "IN" },
    { "cached", "CACHED" },
    { "cache_write", "CACHE WRITE" },
    { "out", "OUT" },
    { "cost", "COST $" },
    { "upstream_cost", "UPSTREAM $" },
    { "first_byte_ms", "FIRST MS" },
    { "duration_ms", "MS" },
};
static const struct table_column process_columns[] = {
    { "kind", "PROCESS" },
    { "worker", "NO" },
    { "pid", "PID" },
    { "state", "STATE" },
    { "generation", "GENERATION" },
    { "requests", "REQUESTS" },
    { "unrecorded", "UNRECORDED" },
    { "beat_age_ms", "BEAT MS" },
};

#define COLUMNS(list)                          \
    {                                          \
        list, sizeof(list) / sizeof((list)[0]) \
    }

const struct table_columns columns_of_kind[MODEL_KINDS] = {
    [MODEL_USER] = COLUMNS(user_columns),   [MODEL_KEY] = COLUMNS(key_columns),
    [MODEL_GROUP] = COLUMNS(group_columns), [MODEL_ACCOUNT] = COLUMNS(account_columns),
    [MODEL_PLAN] = COLUMNS(plan_columns),
};
const struct table_columns columns_top = COLUMNS(top_columns);
const struct table_columns columns_explain = COLUMNS(explain_columns);
const struct table_columns columns_slots = COLUMNS(slots_columns);
const struct table_columns columns_sticky = COLUMNS(sticky_columns);
const struct table_columns columns_prices = COLUMNS(prices_columns);
const struct table_columns columns_price = COLUMNS(price_columns);
const struct table_columns columns_import = COLUMNS(import_columns);
const struct table_columns columns_unpriced = COLUMNS(unpriced_columns);
const struct table_columns columns_usage = COLUMNS(usage_columns);
const struct table_columns columns_report = COLUMNS(report_columns);
const struct table_columns columns_processes = COLUMNS(process_columns);
