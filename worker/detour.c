/*
 * detour.c - see detour.h.
 *
 * Runs in: worker.
 */
#include "worker/detour.h"

#include "base/check.h"
#include "base/log.h"
#include "shm/lack.h"
#include "upstream/reach.h"
#include "upstream/target.h"
#include "worker/relay.h"

void
detour_begin(struct relay *relay)
{
    relay->detour = (struct detour){ .missing = 0 };
}

static uint32_t
index_of(const struct relay *relay)
{
    CHECK(relay->has_choice);
    return relay->choice.account->account.index;
}

/* Does the account speak it, was it not asked yet, and can the request be translated? */
static bool
may_ask(const struct relay *relay, enum dialect dialect, bool with_known)
{
    const struct worker *worker = relay->worker;
    const struct target *target = relay->choice.account->extra;
    bool is_left = (target->dialects & ~relay->detour.missing & DIALECT_BIT(dialect)) != 0;
    return is_left && bridge_can_turn(relay, dialect) &&
           (with_known || !lack_is(worker->segment, index_of(relay), dialect, target->dialects,
                                   loop_now_ms(worker->loop)));
}

/* What is known to be missing comes last: the provider may have got it since. */
static bool
find_next(const struct relay *relay, enum dialect *out)
{
    for (uint32_t i = 0; i < 2u * DIALECT_COUNT; i++) {
        enum dialect dialect = (enum dialect)(i % DIALECT_COUNT);
        if (may_ask(relay, dialect, i >= DIALECT_COUNT)) {
            *out = dialect;
            return true;
        }
    }
    return false;
}

static void
log_found(const struct relay *relay, enum dialect asked, const char *then, const char *why)
{
    char cleaned[EXCERPT_BYTES + 1];
    struct log_line line;
    size_t length = error_clean(str_of(why), cleaned, sizeof cleaned);
    log_begin(&line, LOG_WARN, "detour");
    log_text(&line, "req", relay->id);
    log_text(&line, "account", relay->choice.account->account.name);
    log_text(&line, "missing", dialect_name(asked));
    log_u64(&line, "status", relay->stream.status);
    log_text(&line, "then", then);
    log_str(&line, "why", str_make(cleaned, length));
    log_end(&line);
}

/* All that this request found missing at its account. */
static void
learn(struct relay *relay, enum lack_kind kind)
{
    struct worker *worker = relay->worker;
    uint64_t hold_ms = worker->reach->conf->endpoint_retry_ms;
    for (uint32_t i = 0; i < DIALECT_COUNT && hold_ms > 0; i++) {
        if ((relay->detour.missing & DIALECT_BIT(i)) != 0) {
            lack_note(worker->segment, index_of(relay), i, kind, relay->detour.status[i], hold_ms,
                      loop_now_ms(worker->loop));
        }
    }
}

bool
detour_take(struct relay *relay, const struct error_found *found)
{
    enum dialect asked = bridge_row(relay)->dialect;
    enum dialect next = asked;
    if (found->kind != ERROR_ENDPOINT || !endpoint_is_generation(relay->row->endpoint) ||
        !relay->has_choice || relay->request == NULL || relay->stream.is_answered) {
        return false;
    }
    relay->detour.missing |= DIALECT_BIT(asked);
    relay->detour.status[asked] = relay->stream.status;
    if (!find_next(relay, &next)) {
        log_found(relay, asked, "none", found->message);
        learn(relay, LACK_DOUBTED);
        return false;
    }
    log_found(relay, asked, dialect_name(next), found->message);
    bridge_turn(relay, next);
    return true;
}

/* The endpoint that is asked is there. */
static void
note_there(struct relay *relay, enum lack_kind others)
{
    if (!relay->has_choice || !endpoint_is_generation(relay->row->endpoint)) {
        return;
    }
    lack_clear(relay->worker->segment, index_of(relay), bridge_row(relay)->dialect);
    if (relay->detour.missing != 0) {
        learn(relay, others);
        relay->detour.missing = 0;
    }
}

void
detour_prove(struct relay *relay)
{
    note_there(relay, LACK_PROVEN);
}

void
detour_hear(struct relay *relay, const struct error_found *found)
{
    if (found->kind == ERROR_MODEL || found->kind == ERROR_BAD_REQUEST ||
        found->kind == ERROR_CONTEXT || found->kind == ERROR_POLICY) {
        note_there(relay, LACK_DOUBTED);
    }
}
