/*
 * minute.c - see minute.h.
 *
 * Runs in: worker. Without limits a request pays for a test of one flag.
 */
#include "worker/minute.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"
#include "proto/peek.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "shm/window.h"
#include "store/catalog.h"
#include "worker/gatekeeper.h"
#include "worker/relay.h"
#include "worker/workerconf.h"

_Static_assert(MINUTE_LIMITERS == RELAY_GATES, "the windows are those of the gates");

/* --- counting --- */

/* Endpoints whose answers are as long as the model likes. */
static bool
writes_text(enum endpoint endpoint)
{
    return endpoint == ENDPOINT_CHAT || endpoint == ENDPOINT_RESPONSES ||
           endpoint == ENDPOINT_RESPONSES_COMPACT || endpoint == ENDPOINT_MESSAGES ||
           endpoint == ENDPOINT_GEMINI_GENERATE || endpoint == ENDPOINT_GEMINI_STREAM ||
           endpoint == ENDPOINT_COMPLETIONS;
}

static uint64_t
estimate(const struct relay *relay)
{
    uint64_t output = relay->peek == NULL ? 0 : relay->peek->output_tokens_max;
    if (output == 0 && writes_text(relay->row->endpoint)) {
        output = relay->worker->heritage->worker_conf->output_tokens_guess;
    }
    return 1 + relay->stream.input_tokens + (output > USAGE_TOKENS_MAX ? USAGE_TOKENS_MAX : output);
}

void
minute_begin(struct relay *relay, const struct catalog_key *key)
{
    const struct group *group = &relay->view->groups[relay->group].group;
    struct minute *minute = &relay->minute;
    *minute = (struct minute){ .tokens = estimate(relay) };
    minute->limits[RELAY_GATE_KEY] =
        (struct minute_limit){ .requests = key->key.rpm, .tokens = key->key.tpm };
    minute->limits[RELAY_GATE_USER] =
        (struct minute_limit){ .requests = key->user.rpm, .tokens = key->user.tpm };
    minute->limits[RELAY_GATE_GROUP] =
        (struct minute_limit){ .requests = group->rpm, .tokens = group->tpm };
    for (uint32_t i = 0; i < MINUTE_LIMITERS; i++) {
        minute->is_limited =
            minute->is_limited || minute->limits[i].requests != 0 || minute->limits[i].tokens != 0;
    }
}

static struct window_want
want_of(const struct relay *relay, uint32_t at)
{
    return (struct window_want){ .limit_requests = relay->minute.limits[at].requests,
                                 .limit_tokens = relay->minute.limits[at].tokens,
                                 .tokens = relay->minute.tokens };
}

static bool
has_limit(const struct minute_limit *limit)
{
    return limit->requests != 0 || limit->tokens != 0;
}

static void
give_first(struct relay *relay, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct minute_limit *limit = &relay->minute.limits[i];
        if (has_limit(limit)) {
            window_give(relay->worker->segment, relay->worker->slot, relay->holds[i].gate,
                        limit->reserved, relay->minute.taken_ms);
            limit->reserved = 0;
        }
    }
}

static enum err
refuse(struct relay *relay, uint32_t at, uint64_t retry_after_ms, struct reply *refusal)
{
    struct worker *worker = relay->worker;
    const struct minute_limit *limit = &relay->minute.limits[at];
    struct window_view window;
    window_read(worker->segment, relay->holds[at].gate, relay->minute.taken_ms, &window);
    bool is_requests = limit->requests != 0 && window.requests >= limit->requests;
    struct str message = arena_printf(
        &relay->request->arena, "The %s's limit of %" PRIu64 " %s a minute is reached",
        gatekeeper_limiter((enum relay_gate)at), is_requests ? limit->requests : limit->tokens,
        is_requests ? "requests" : "tokens");
    *refusal = (struct reply){ .status = 429,
                               .code = "rate_limit_exceeded",
                               .message = message,
                               .retry_after_s = (uint32_t)((retry_after_ms + 999) / 1000) };
    counter_add(worker->segment, worker->slot, COUNTER_REFUSED_RATE, 1);
    return ERR_DENIED;
}

enum err
minute_take(struct relay *relay, struct reply *refusal)
{
    struct worker *worker = relay->worker;
    struct minute *minute = &relay->minute;
    CHECK(!minute->is_taken);
    minute->taken_ms = loop_now_ms(worker->loop);
    for (uint32_t i = 0; i < MINUTE_LIMITERS; i++) {
        uint64_t retry_after_ms = 0;
        struct window_want want = want_of(relay, i);
        if (!has_limit(&minute->limits[i])) {
            continue;
        }
        if (window_take(worker->segment, worker->slot, relay->holds[i].gate, &want,
                        minute->taken_ms, &retry_after_ms) != ERR_OK) {
            give_first(relay, i);
            return refuse(relay, i, retry_after_ms, refusal);
        }
        minute->limits[i].reserved = window_reserves(&want);
    }
    minute->is_taken = true;
    return ERR_OK;
}

void
minute_give(struct relay *relay)
{
    if (relay->minute.is_taken) {
        give_first(relay, MINUTE_LIMITERS);
        relay->minute.is_taken = false;
    }
}

void
minute_settle(struct relay *relay, uint64_t used)
{
    struct worker *worker = relay->worker;
    struct minute *minute = &relay->minute;
    if (!minute->is_taken) {
        return;
    }
    minute->is_taken = false;
    /* Windows without a limit count what was used too: one may be set in this very minute. */
    for (uint32_t i = 0; i < MINUTE_LIMITERS; i++) {
        if (used > 0 || minute->limits[i].reserved > 0) {
            window_settle(worker->segment, worker->slot, relay->holds[i].gate,
                          minute->limits[i].reserved, minute->taken_ms, used,
                          loop_now_ms(worker->loop));
            minute->limits[i].reserved = 0;
        }
    }
}

/* --- telling --- */

/* The names of one kind of limit in one dialect, without ": ". */
struct names {
    struct str limit;
    struct str remaining;
    struct str reset;
};

static const struct names openai_names[2] = {
    { { "x-ratelimit-limit-requests", 26 },
      { "x-ratelimit-remaining-requests", 30 },
      { "x-ratelimit-reset-requests", 26 } },
    { { "x-ratelimit-limit-tokens", 24 },
      { "x-ratelimit-remaining-tokens", 28 },
      { "x-ratelimit-reset-tokens", 24 } },
};

static const struct names anthropic_names[2] = {
    { { "anthropic-ratelimit-requests-limit", 34 },
      { "anthropic-ratelimit-requests-remaining", 38 },
      { "anthropic-ratelimit-requests-reset", 34 } },
    { { "anthropic-ratelimit-tokens-limit", 32 },
      { "anthropic-ratelimit-tokens-remaining", 36 },
      { "anthropic-ratelimit-tokens-reset", 32 } },
};

#define FIELD_BYTES 80u /* the longest name, ": ", a number or a time, CRLF */
_Static_assert(FIELD_BYTES >= 38 + 2 + CLOCK_TEXT_BYTES + 2, "a field fits");
#define FIELDS 6u

/* Of one kind, requests or tokens: the limit of which the least is left. */
struct state {
    uint64_t limit; /* 0 = none */
    uint64_t remaining;
};

static void
tighten(struct state *state, uint64_t limit, uint64_t used)
{
    uint64_t remaining = used < limit ? limit - used : 0;
    if (limit != 0 && (state->limit == 0 || remaining < state->remaining)) {
        *state = (struct state){ limit, remaining };
    }
}

static char *
put(char *to, struct str text)
{
    return mempcpy(to, text.data, text.len);
}

static char *
put_number(char *to, struct str name, uint64_t value, struct str unit)
{
    char digits[NUM_TEXT_BYTES];
    uint32_t length = num_text(value, digits);
    to = put(put(to, name), STR(": "));
    to = put(to, str_make(digits, length));
    return put(put(to, unit), STR("\r\n"));
}

/* The time at which the minute turns, as "2026-11-21T04:09:00Z". */
static char *
put_time(char *to, struct str name, uint64_t wall_ms)
{
    char text[CLOCK_TEXT_BYTES];
    clock_text(wall_ms / 1000 * 1000, text);
    to = put(put(to, name), STR(": "));
    to = put(to, str_make(text, CLOCK_TEXT_BYTES - 6)); /* without ".000Z" and NUL */
    return put(to, STR("Z\r\n"));
}

static char *
put_state(char *to, enum dialect dialect, uint32_t kind, const struct state *state, uint64_t now_ms)
{
    uint64_t reset_s = (WINDOW_MS - now_ms % WINDOW_MS + 999) / 1000;
    bool is_anthropic = dialect == DIALECT_ANTHROPIC;
    const struct names *names = is_anthropic ? &anthropic_names[kind] : &openai_names[kind];
    if (state->limit == 0) {
        return to;
    }
    to = put_number(to, names->limit, state->limit, STR(""));
    to = put_number(to, names->remaining, state->remaining, STR(""));
    return is_anthropic ? put_time(to, names->reset, clock_wall_ms() + reset_s * 1000)
                        : put_number(to, names->reset, reset_s, STR("s"));
}

struct str
minute_fields(struct relay *relay)
{
    struct state states[2] = { { .limit = 0 }, { .limit = 0 } };
    if (!relay->minute.is_limited) {
        return STR("");
    }
    char *text = arena_alloc_raw(&relay->request->arena, FIELDS * FIELD_BYTES);
    if (text == NULL) {
        return STR("");
    }
    uint64_t now_ms = loop_now_ms(relay->worker->loop);
    for (uint32_t i = 0; i < MINUTE_LIMITERS; i++) {
        const struct minute_limit *limit = &relay->minute.limits[i];
        if (has_limit(limit)) {
            struct window_view window;
            window_read(relay->worker->segment, relay->holds[i].gate, now_ms, &window);
            tighten(&states[0], limit->requests, window.requests);
            tighten(&states[1], limit->tokens, window.tokens + window.reserved);
        }
    }
    char *end = text;
    for (uint32_t kind = 0; kind < 2; kind++) {
        end = put_state(end, relay->hit.dialect, kind, &states[kind], now_ms);
    }
    return str_make(text, (size_t)(end - text));
}

bool
minute_replaces(const struct relay *relay, struct str name)
{
    static const struct str families[] = { { "x-ratelimit-", 12 }, { "anthropic-ratelimit-", 20 } };
    for (uint32_t i = 0; relay->minute.is_limited && i < 2; i++) {
        if (name.len > families[i].len &&
            str_equal_nocase(str_make(name.data, families[i].len), families[i])) {
            return true;
        }
    }
    return false;
}
