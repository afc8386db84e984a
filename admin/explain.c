#include "admin/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api.h"
#include "admin/lore.h"
#include "admin/recorder.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/loop.h"
#include "http/server.h"
#include "proto/endpoint.h"
#include "proto/translate.h"
#include "shm/budget.h"
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/heritage.h"
#include "shm/spell.h"
#include "shm/sticky.h"
#include "shm/window.h"
#include "store/ledger.h"
#include "store/match.h"
#include "upstream/bound.h"
#include "upstream/payer.h"
#include "upstream/select.h"
#include "upstream/target.h"
#include "upstream/upconf.h"

#define WHY_BYTES 200u
#define SESSION_ID_BYTES 512u /* as a client may send it in a header */

struct run {
    const struct recorder *recorder;
    char model[MODEL_NAME_BYTES];
    enum dialect dialect; /* the client's */
    enum dialect spoken;  /* by the accounts that would be asked */
    struct str wanted;    /* what the group makes of the model */
    struct key key;
    struct user user;
    struct group group;
    const char *code; /* of the key-level verdict; NULL = admitted */
    char why[WHY_BYTES];
    uint64_t now_ms;
    /* the accounts */
    bool has_best;
    struct select_rank best_rank;
    char best[NAME_BYTES];
    enum select_result result; /* the most telling reason */
    uint32_t candidates;       /* that could serve but for being benched or full */
    /* the session, when one is named */
    char session[SESSION_ID_BYTES];
    uint64_t bound_id;               /* of the account it is bound to; 0 = none */
    char bound[NAME_BYTES];          /* its name; "" while it is not found */
    enum select_result bound_result; /* OK, FULL: the session is kept */
    const char *bound_why;           /* it is left, and not for what bound_result says */
};

/* --- what was asked --- */

static bool
decode(struct str value, char *out, size_t out_bytes)
{
    size_t length = 0;
    return value.len > 0 && endpoint_model_decode(value, out, out_bytes, &length) == ERR_OK;
}

/* False: answered with what is wrong. */
static bool
read_query(struct run *run, struct server_request *request, char key[NAME_BYTES])
{
    struct str query = request->head.query;
    char dialect[32] = "chat";
    key[0] = '\0';
    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');
        bool is_good =
            str_equal(name, STR("key"))       ? decode(value, key, NAME_BYTES)
            : str_equal(name, STR("model"))   ? decode(value, run->model, sizeof run->model)
            : str_equal(name, STR("dialect")) ? decode(value, dialect, sizeof dialect)
            : str_equal(name, STR("session")) ? decode(value, run->session, sizeof run->session)
                                              : false;
        if (!is_good) {
            api_error(request, 400, "invalid_request",
                      "The query is key=NAME&model=M&dialect=D&session=S, percent-encoded");
            return false;
        }
    }
    if (key[0] == '\0' || run->model[0] == '\0') {
        api_error(request, 400, "invalid_request", "A key and a model are needed");
        return false;
    }
    if (!dialect_parse(str_of(dialect), &run->dialect)) {
        api_error(request, 400, "invalid_request",
                  "The dialect is chat, responses, anthropic or gemini");
        return false;
    }
    return true;
}

static bool
find_by_id(struct ledger *ledger, enum model_kind kind, uint64_t id, void *object)
{
    uint64_t cursor = id - 1;
    uint64_t found = 0;
    if (id == 0 || ledger_next(ledger, kind, &cursor, object) != ERR_OK) {
        return false;
    }
    memcpy(&found, object, sizeof found); /* every kind begins with its id */
    return found == id;
}

static bool
find_records(struct run *run, struct server_request *request, const char *key)
{
    struct ledger *ledger = run->recorder->ledger;
    if (ledger_find(ledger, MODEL_KEY, str_of(key), &run->key) != ERR_OK) {
        api_error(request, 404, "not_found", "There is no key of this name");
        return false;
    }
    if (!find_by_id(ledger, MODEL_USER, run->key.user_id, &run->user) ||
        !find_by_id(ledger, MODEL_GROUP, run->key.group_id, &run->group)) {
        api_error(request, 404, "not_found", "The key's user or group is gone");
        return false;
    }
    return true;
}

/* --- the key --- */

/* The first reason stands. */
static void
refuse(struct run *run, const char *code, const char *who, const char *name, const char *what)
{
    if (run->code == NULL) {
        run->code = code;
        snprintf(run->why, sizeof run->why, "%s%s%s %s", who, name[0] == '\0' ? "" : " ", name,
                 what);
    }
}

static void
judge_records(struct run *run)
{
    const struct key *key = &run->key;
    if (key->is_disabled) {
        refuse(run, "invalid_api_key", "the key", "", "is disabled");
    }
    if (key->expires_ms != 0 && clock_wall_ms() >= key->expires_ms) {
        refuse(run, "invalid_api_key", "the key", "", "has expired");
    }
    if (run->user.is_disabled) {
        refuse(run, "invalid_api_key", "its user", run->user.name, "is disabled");
    }
    if (run->group.is_disabled) {
        refuse(run, "forbidden", "its group", run->group.name, "is disabled");
    }
    if (!match_globs(key->models, str_of(run->model))) {
        refuse(run, "model_not_allowed", "the key", "", "may not use this model");
    }
    if (!match_globs(run->group.models, str_of(run->model))) {
        refuse(run, "model_not_allowed", "its group", run->group.name, "may not use this model");
    }
}

static void
judge_window(struct run *run, enum gate_kind kind, uint64_t id, uint32_t rpm, uint64_t tpm,
             const char *name)
{
    uint32_t gate = 0;
    struct window_view window;
    if ((rpm == 0 && tpm == 0) || gate_peek(run->recorder->segment, kind, id, &gate) != ERR_OK) {
        return;
    }
    window_read(run->recorder->segment, gate, run->now_ms, &window);
    if (rpm != 0 && window.requests >= rpm) {
        refuse(run, "rate_limit_exceeded", "the", name, "has used up its requests a minute");
    }
    if (tpm != 0 && window.tokens + window.reserved >= tpm) {
        refuse(run, "rate_limit_exceeded", "the", name, "has used up its tokens a minute");
    }
}

static void
judge_budget(struct run *run, enum gate_kind kind, uint64_t id, const struct budget_limits *limits,
             const char *name)
{
    uint32_t gate = 0;
    struct budget_view view;
    if (gate_peek(run->recorder->segment, kind, id, &gate) != ERR_OK) {
        return;
    }
    budget_read(run->recorder->segment, gate, clock_wall_ms(), &view);
    for (uint32_t i = 0; i < BUDGET_METERS; i++) {
        if (limits->most[i] != BUDGET_UNLIMITED &&
            budget_used(&view, (enum budget_meter)i) >= limits->most[i]) {
            refuse(run, "quota_exhausted", "the", name, "has used up its budget");
            return;
        }
    }
}

static void
judge_quota(struct run *run)
{
    static struct plan plan;
    struct budget_limits limits;
    struct ledger *ledger = run->recorder->ledger;
    payer_key_limits(&run->key, &limits);
    judge_budget(run, GATE_KEY, run->key.id, &limits, "key");
    if (ledger_find_plan(ledger, run->key.user_id, run->key.group_id, &plan) == ERR_OK) {
        payer_plan_limits(&plan, &limits);
        if (payer_plan_is_over(&plan, clock_wall_ms())) {
            refuse(run, "quota_exhausted", "the", "plan", "has ended");
        }
        judge_budget(run, GATE_PLAN, plan.id, &limits, "plan");
        return;
    }
    payer_user_limits(&run->user, &limits);
    judge_budget(run, GATE_USER, run->user.id, &limits, "user's balance");
}

/* Full gates refuse nobody at once: the request waits. */
static void
judge_gate(struct run *run, enum gate_kind kind, uint64_t id, uint32_t limit, const char *name)
{
    uint32_t gate = 0;
    if (limit != 0 && run->code == NULL && run->why[0] == '\0' &&
        gate_peek(run->recorder->segment, kind, id, &gate) == ERR_OK &&
        gate_held(run->recorder->segment, gate) >= limit) {
        snprintf(run->why, sizeof run->why, "it would wait: all %u slots of the %s are in use",
                 limit, name);
    }
}

static void
judge_key(struct run *run)
{
    judge_records(run);
    judge_window(run, GATE_KEY, run->key.id, run->key.rpm, run->key.tpm, "key");
    judge_window(run, GATE_USER, run->user.id, run->user.rpm, run->user.tpm, "user");
    judge_window(run, GATE_GROUP, run->group.id, run->group.rpm, run->group.tpm, "group");
    judge_quota(run);
    judge_gate(run, GATE_KEY, run->key.id, run->key.concurrency, "key");
    judge_gate(run, GATE_USER, run->user.id, run->user.concurrency, "user");
    judge_gate(run, GATE_GROUP, run->group.id, run->group.concurrency, "group");
}

/* --- the session --- */

/* As a client names it, or the id of an answer that its next turn names. */
static void
find_session(struct run *run)
{
    const struct segment *segment = run->recorder->segment;
    static const enum sticky_kind kinds[] = { STICKY_EXPLICIT, STICKY_RESPONSE };
    for (size_t i = 0; run->session[0] != '\0' && i < sizeof kinds / sizeof kinds[0]; i++) {
        uint32_t index = 0;
        uint64_t key =
            sticky_key(segment, run->group.id, run->key.id, kinds[i], str_of(run->session));
        if (sticky_find(segment, key, run->now_ms, &index) == ERR_OK && index < segment->accounts) {
            struct health_view health;
            health_read(segment, index, &health);
            run->bound_id = health.account_id;
            run->bound_why = "it is gone";
            return;
        }
    }
}

/* The account that the session is bound to, as bound_take() would see it. */
static void
judge_bound(struct run *run, const struct select_want *want, const struct catalog_account *entry,
            enum select_result result, bool is_in_group)
{
    if (run->bound_id == 0 || entry->account.id != run->bound_id) {
        return;
    }
    str_copy(run->bound, sizeof run->bound, str_of(entry->account.name));
    run->bound_result = result;
    const char *complaint = bound_complaint(want, entry);
    run->bound_why = !is_in_group                                   ? "it is not of the key's group"
                     : complaint != NULL                            ? complaint
                     : result == SELECT_OK || result == SELECT_FULL ? NULL
                                                                    : select_text(result);
}

static bool
is_kept(const struct run *run)
{
    return run->bound_id != 0 && run->bound_why == NULL;
}

static void
put_session(struct jsonw *w, const struct run *run)
{
    if (run->session[0] == '\0') {
        return;
    }
    jsonw_name(w, "session");
    jsonw_object(w);
    jsonw_put_text(w, "id", run->session);
    jsonw_put_text(w, "account", run->bound);
    jsonw_put_bool(w, "kept", is_kept(run));
    jsonw_put_text(w, "why",
                   run->bound_id == 0       ? "it is bound to none"
                   : run->bound_why == NULL ? ""
                                            : run->bound_why);
    jsonw_close(w);
}

/* --- the accounts --- */

static void
put_account(struct jsonw *w, struct run *run, const struct select_want *want,
            const struct catalog_account *entry, enum select_result result)
{
    const struct account *account = &entry->account;
    struct health_view health;
    struct select_rank rank = { 0 };
    health_read(want->segment, account->index, &health);
    select_weigh(want, entry, &rank);
    bool is_ours = health.account_id == account->id;
    uint64_t cooling_ms = is_ours && health.state == HEALTH_COOLING && health.until_ms > run->now_ms
                              ? health.until_ms - run->now_ms
                              : 0;
    if (result == SELECT_MODEL_COOLING || result == SELECT_MODEL_MISSING) {
        cooling_ms = spell_left_ms(want->segment, account->index, want->model, run->now_ms);
    }
    struct str sent = match_mapped(account->model_map, want->model);
    jsonw_object(w);
    jsonw_put_text(w, "account", account->name);
    jsonw_put_text(w, "reason", result == SELECT_OK ? "can serve" : select_text(result));
    jsonw_put_str(w, "sent", sent);
    jsonw_put_text(w, "health", health_state_text(is_ours ? health.state : HEALTH_OK));
    jsonw_put_text(
        w, "why",
        is_ours && health.reason != HEALTH_REASON_NONE ? health_reason_text(health.reason) : "");
    lore_put(w, want->segment, account, run->now_ms);
    jsonw_put_u64(w, "cooling_s", (cooling_ms + 999) / 1000);
    jsonw_put_u64(w, "priority", rank.priority);
    jsonw_put_u64(w, "load", rank.load);
    uint64_t used_ms = is_ours ? health.last_used_ms : 0;
    jsonw_put_u64(w, "idle_ms", used_ms != 0 && run->now_ms > used_ms ? run->now_ms - used_ms : 0);
    jsonw_close(w);
}

/* A worker's own judgement; the best so far is kept as a worker would. */
static void
judge_account(struct jsonw *w, struct run *run, const struct select_want *want,
              struct catalog_account *entry)
{
    const struct account *account = &entry->account;
    if (account->index >= want->segment->accounts) {
        return;
    }
    if (!match_list_has(account->groups, str_of(run->group.name))) {
        judge_bound(run, want, entry, SELECT_NONE, false);
        return;
    }
    struct target *target = target_make(&want->segment->hash_key, account, STR(""));
    entry->extra = target;
    entry->is_broken = target == NULL || account->sealed_bytes == 0;
    enum select_result result = select_judge(want, entry);
    judge_bound(run, want, entry, result, true);
    put_account(w, run, want, entry, result);
    if (result == SELECT_OK || result == SELECT_BENCHED || result == SELECT_FULL) {
        run->candidates++;
    }
    struct select_rank rank;
    select_weigh(want, entry, &rank);
    bool is_first = !run->has_best && run->candidates == 1 && result == SELECT_BENCHED;
    if (result == SELECT_OK && (!run->has_best || select_is_better(&rank, &run->best_rank))) {
        run->has_best = true;
        run->best_rank = rank;
        str_copy(run->best, sizeof run->best, str_of(account->name));
    } else if (is_first) {
        str_copy(run->best, sizeof run->best, str_of(account->name));
    }
    run->result = select_more_telling(run->result, result);
    target_free(target);
    entry->extra = NULL;
}

/* Which dialects the account speaks for the model: at all, and as long as it is in service. */
static void
note_dialects(struct select_want want, struct catalog_account *entry, uint32_t *any, uint32_t *live)
{
    struct target *target = target_make(&want.segment->hash_key, &entry->account, STR(""));
    entry->extra = target;
    entry->is_broken = target == NULL || entry->account.sealed_bytes == 0;
    for (int i = 0; i < DIALECT_COUNT; i++) {
        want.dialect = (enum dialect)i;
        enum select_result result = select_judge(&want, entry);
        bool serves =
            result != SELECT_DIALECT && result != SELECT_MODEL && result != SELECT_ENDPOINT;
        *any |= serves ? 1u << i : 0;
        *live |= serves && result != SELECT_DISABLED && result != SELECT_BROKEN ? 1u << i : 0;
    }
    target_free(target);
    entry->extra = NULL;
}

/* As bridge_choose() would have it: the client's own when anybody speaks it, else in this order. */
static enum err
find_spoken(struct run *run, struct select_want *want, struct catalog_account *entry)
{
    static const enum dialect order[] = { DIALECT_CHAT, DIALECT_RESPONSES, DIALECT_ANTHROPIC,
                                          DIALECT_GEMINI };
    uint32_t any = 0;
    uint32_t live = 0;
    uint64_t cursor = 0;
    enum err err = ERR_OK;
    while ((err = ledger_next(run->recorder->ledger, MODEL_ACCOUNT, &cursor, &entry->account)) ==
           ERR_OK) {
        if (entry->account.index < want->segment->accounts &&
            match_list_has(entry->account.groups, str_of(run->group.name))) {
            note_dialects(*want, entry, &any, &live);
        }
    }
    run->spoken = run->dialect;
    for (size_t i = 0; (any & DIALECT_BIT(run->dialect)) == 0 && i < DIALECT_COUNT; i++) {
        if ((live & DIALECT_BIT(order[i])) != 0) {
            run->spoken = order[i];
            break;
        }
    }
    want->dialect = run->spoken;
    return err == ERR_EOF ? ERR_OK : err;
}

static enum err
put_accounts(struct jsonw *w, struct run *run)
{
    struct catalog_account *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return ERR_FULL;
    }
    struct select_want want = { .segment = run->recorder->segment,
                                .slot = run->recorder->slot,
                                .dialect = run->dialect,
                                .model = run->wanted,
                                .slow_ms = run->recorder->heritage->upstream->slow_first_byte_ms,
                                .failing_ppm =
                                    run->recorder->heritage->upstream->failing_percent * 10000,
                                .now_ms = run->now_ms };
    uint64_t cursor = 0;
    enum err err = find_spoken(run, &want, entry);
    jsonw_put_str(w, "wanted", run->wanted);
    jsonw_put_text(w, "spoken", dialect_name(run->spoken));
    run->result = SELECT_NONE;
    jsonw_name(w, "items");
    jsonw_array(w);
    while (err == ERR_OK && (err = ledger_next(run->recorder->ledger, MODEL_ACCOUNT, &cursor,
                                               &entry->account)) == ERR_OK) {
        judge_account(w, run, &want, entry);
    }
    jsonw_close(w);
    explicit_bzero(entry, sizeof *entry);
    free(entry);
    return err == ERR_EOF ? ERR_OK : err;
}

/* --- the answer --- */

/* "; as gpt-5, translated anthropic->chat" behind the verdict. */
static void
say_way(const struct run *run, char *line, size_t line_bytes)
{
    size_t used = strlen(line);
    if (run->code == NULL && !str_equal(run->wanted, str_of(run->model)) && used < line_bytes) {
        snprintf(line + used, line_bytes - used, "; the group makes %.*s of it",
                 STR_ARG(run->wanted));
        used = strlen(line);
    }
    if (run->code == NULL && run->spoken != run->dialect && used < line_bytes) {
        snprintf(line + used, line_bytes - used, "; translated %s",
                 translate_pair(run->dialect, run->spoken));
    }
}

/* "; its session is bound to x, which ..." behind the verdict. */
static void
say_session(const struct run *run, char *line, size_t line_bytes)
{
    size_t used = strlen(line);
    if (run->session[0] == '\0' || used + 1 >= line_bytes) {
        return;
    }
    if (run->bound_id == 0) {
        snprintf(line + used, line_bytes - used, "; the session is bound to none");
    } else {
        snprintf(line + used, line_bytes - used, "; the session is bound to %s%s%s",
                 run->bound[0] == '\0' ? "an account" : run->bound,
                 is_kept(run) ? "" : ", which it leaves: ", is_kept(run) ? "" : run->bound_why);
    }
}

static void
put_verdict(struct jsonw *w, struct run *run)
{
    char line[768];
    /* A session's account comes before all others, and when it is merely full it is waited for. */
    if (is_kept(run)) {
        run->has_best = run->bound_result == SELECT_OK;
        run->result = run->bound_result;
        str_copy(run->best, sizeof run->best, str_of(run->bound));
    }
    bool is_only = !run->has_best && run->result == SELECT_BENCHED && run->candidates == 1;
    bool serves = run->has_best || is_only;
    bool waits = run->result == SELECT_FULL;
    const char *gap = run->why[0] == '\0' ? "" : "; ";
    if (run->code != NULL) {
        snprintf(line, sizeof line, "refused with %s: %s", run->code, run->why);
    } else if (serves) {
        snprintf(line, sizeof line, "%s would serve it%s%s%s", run->best,
                 is_only ? " (it cools down, but there is no other)" : "", gap, run->why);
    } else if (waits) {
        snprintf(line, sizeof line, "it would wait: %s",
                 is_kept(run) ? "the account of its session is full"
                              : "all accounts that could serve it are full");
    } else {
        snprintf(line, sizeof line, "no account serves it: %s", select_text(run->result));
    }
    say_way(run, line, sizeof line);
    say_session(run, line, sizeof line);
    jsonw_put_bool(w, "ok", run->code == NULL && (serves || waits));
    jsonw_put_text(w, "line", line);
    jsonw_put_text(w, "code", run->code == NULL ? "" : run->code);
    jsonw_put_text(w, "chosen", run->code == NULL && serves ? run->best : "");
    jsonw_put_text(w, "result", select_text(serves ? SELECT_OK : run->result));
}

void
explain_handle(struct server_request *request)
{
    const struct recorder *recorder = server_context(request);
    static struct run run; /* three records: too large for the stack of a deep call */
    run = (struct run){ .recorder = recorder, .now_ms = loop_now_ms(recorder->loop) };
    char key[NAME_BYTES];
    if (!read_query(&run, request, key) || !find_records(&run, request, key)) {
        return;
    }
    run.wanted = match_mapped(run.group.model_map, str_of(run.model));
    judge_key(&run);
    find_session(&run);
    struct buf body;
    struct jsonw w;
    buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
    jsonw_begin(&w, &body);
    jsonw_object(&w);
    jsonw_put_text(&w, "key", run.key.name);
    jsonw_put_text(&w, "user", run.user.name);
    jsonw_put_text(&w, "group", run.group.name);
    jsonw_put_text(&w, "model", run.model);
    jsonw_put_text(&w, "dialect", dialect_name(run.dialect));
    enum err err = put_accounts(&w, &run);
    put_verdict(&w, &run);
    put_session(&w, &run);
    jsonw_close(&w);
    enum err ended = jsonw_end(&w);
    api_answer_buf(request, err != ERR_OK ? err : ended, &body);
}
