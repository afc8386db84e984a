/*
 * culprit.c - see culprit.h.
 *
 * Runs in: worker.
 */
#include "worker/culprit.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "shm/health.h"
#include "shm/spell.h"
#include "store/match.h"
#include "upstream/reach.h"
#include "worker/attempt.h"
#include "worker/dispatch.h"
#include "worker/relay.h"

/* So long an account is not asked for a model that its provider does not have. */
#define MODEL_REST_MS 300000u
/* Shorter names stand in a sentence by chance. */
#define MODEL_NAME_MIN 3u

/* --- the model --- */

static bool
is_of_name(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '-' || c == ':' || c == '/';
}

/* As a whole name: "gpt-4" does not stand in "gpt-4o". A dot ends a name where it ends a sentence.
 */
static bool
stands_in(struct str text, struct str name)
{
    while (name.len >= MODEL_NAME_MIN && text.len >= name.len) {
        const char *at = memmem(text.data, text.len, name.data, name.len);
        if (at == NULL) {
            return false;
        }
        const char *end = at + name.len;
        size_t left = (size_t)(text.data + text.len - end);
        bool goes_on =
            left > 0 && (is_of_name(end[0]) || (end[0] == '.' && left > 1 && is_of_name(end[1])));
        /* "models/gemini-2.0-flash" is that model. */
        bool is_cut = at > text.data && at[-1] != '/' && (is_of_name(at[-1]) || at[-1] == '.');
        if (!goes_on && !is_cut) {
            return true;
        }
        text = str_make(at + 1, left + name.len - 1);
    }
    return false;
}

/* The provider's error speaks of the model that was asked for, not of all the account. */
static bool
is_model(const struct relay *relay, const struct retry_decision *decision,
         const struct error_found *found)
{
    bool may_be = false;
    switch (decision->blame) {
    case RETRY_BLAME_RATE:
    case RETRY_BLAME_OVERLOAD:
    case RETRY_BLAME_SERVER:
        may_be = true;
        break;
    case RETRY_BLAME_AUTH: /* may not use it */
        may_be = relay->stream.status == 403;
        break;
    case RETRY_BLAME_MONEY: /* a day's quota of this model */
        may_be = relay->stream.status == 429;
        break;
    case RETRY_NO_BLAME:
    case RETRY_BLAME_NETWORK:
    case RETRY_BLAME_SLOW:
        break;
    }
    if (!may_be || relay->model.len == 0) {
        return false;
    }
    const struct account *account = &relay->choice.account->account;
    struct str sent = match_mapped(account->model_map, dispatch_model(relay));
    /* Only Gemini names it apart from the message; others may repeat the request in the body. */
    bool in_body = bridge_row(relay)->dialect == DIALECT_GEMINI &&
                   stands_in(buf_str(&relay->stream.tail), sent);
    return in_body || stands_in(str_of(found->message), sent) ||
           (sent.data != relay->model.data && stands_in(str_of(found->message), relay->model));
}

/* The held account does not have the model: it rests for it. */
static void
note_missing(struct relay *relay)
{
    struct worker *worker = relay->worker;
    CHECK(relay->has_choice && relay->model.len > 0);
    spell_cast(worker->segment, relay->choice.account->account.index, dispatch_model(relay),
               MODEL_REST_MS, loop_now_ms(worker->loop));
}

/* --- what it means --- */

/* What another account would be asked, were the held one tried; `tried` keeps who was. */
static struct select_want
want_other(struct relay *relay, uint64_t tried[ATTEMPTS_MAX + 1])
{
    struct select_want want = attempt_want(relay);
    memcpy(tried, relay->tried, relay->tried_count * sizeof tried[0]);
    tried[relay->tried_count] = relay->choice.account->account.id;
    want.tried = tried;
    want.tried_count = relay->tried_count + 1;
    return want;
}

static bool
may_switch(const struct relay *relay)
{
    return relay->request != NULL && relay->model.len > 0 &&
           relay->tried_count + 1 <= relay->worker->reach->conf->max_switches;
}

/*
 * The provider does not have the model: is there another account? An only one is asked each time:
 * it may have the model one day.
 */
static bool
has_other(struct relay *relay)
{
    uint64_t tried[ATTEMPTS_MAX + 1];
    struct select_want want = want_other(relay, tried);
    return may_switch(relay) && select_has_other(&want);
}

/* None of the account's dialects has its endpoint: another account may have one, in any dialect. */
static bool
has_other_endpoint(struct relay *relay)
{
    const struct endpoint_row *row = relay->bridge.row;
    uint64_t tried[ATTEMPTS_MAX + 1];
    struct select_want want = want_other(relay, tried);
    if (want.is_side || !may_switch(relay)) {
        return false;
    }
    want.skips_tried = true;
    bridge_choose(relay, &want);
    relay->is_astray = select_has_other(&want);
    /* Otherwise the error is of the last dialect. */
    relay->bridge.row = relay->is_astray ? relay->bridge.row : row;
    return relay->is_astray;
}

bool
culprit_has_native(struct relay *relay)
{
    uint64_t tried[ATTEMPTS_MAX + 1];
    struct select_want want = want_other(relay, tried);
    want.dialect = relay->row->dialect;
    return may_switch(relay) && select_has_other(&want);
}

struct retry_decision
culprit_decide(struct relay *relay, const struct error_found *found, bool *out_is_models)
{
    struct retry_decision decision = retry_of_error(relay->stream.status, found);
    *out_is_models = false;
    if (found->kind == ERROR_ENDPOINT && has_other_endpoint(relay)) {
        return (struct retry_decision){ .verdict = RETRY_SWITCH,
                                        .status = 404,
                                        .code = "not_found",
                                        .message = "The upstream does not have this endpoint" };
    }
    if (found->kind != ERROR_MODEL) {
        *out_is_models = decision.verdict == RETRY_SWITCH && is_model(relay, &decision, found);
        return decision;
    }
    if (has_other(relay)) {
        note_missing(relay);
        return (struct retry_decision){ .verdict = RETRY_SWITCH,
                                        .status = 404,
                                        .code = "model_not_found",
                                        .message = "The upstream does not have this model" };
    }
    decision.blame = RETRY_NO_BLAME;
    return decision;
}

/* --- the account --- */

static void
log_attempt(const struct relay *relay, const struct retry_decision *decision, bool is_models,
            struct str why)
{
    struct log_line line;
    log_begin(&line, LOG_WARN, "attempt");
    log_text(&line, "req", relay->id);
    log_text(&line, "account", relay->choice.account->account.name);
    log_u64(&line, "attempt", relay->tried_count);
    log_u64(&line, "status", relay->stream.status);
    log_text(&line, "blame", retry_blame_text(decision->blame));
    if (is_models) {
        log_str(&line, "model", relay->model);
    }
    log_str(&line, "why", why);
    log_end(&line);
}

void
culprit_note(struct relay *relay, const struct retry_decision *decision, enum exchange_phase phase,
             bool is_models, struct str why)
{
    struct worker *worker = relay->worker;
    uint32_t index = relay->choice.account->account.index;
    uint64_t now_ms = loop_now_ms(worker->loop);
    uint64_t retry_after_ms = (uint64_t)relay->retry_after_s * 1000;
    CHECK(relay->has_choice);
    log_attempt(relay, decision, is_models, why);
    if (is_models) {
        spell_fail(worker->segment, index, dispatch_model(relay), retry_after_ms, now_ms);
    }
    if (!is_models && decision->blame != RETRY_NO_BLAME) {
        health_failure(worker->segment, worker->slot, index,
                       retry_reason(decision->blame, relay->stream.status, phase), retry_after_ms,
                       relay->stream.status, why, now_ms);
    } else if (relay->choice.is_probe) {
        health_abandon(worker->segment, index, now_ms);
    }
}
