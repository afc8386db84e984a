#include "upstream/select.h"

#include <string.h>

#include "base/check.h"
#include "shm/health.h"
#include "shm/spell.h"
#include "shm/window.h"
#include "store/match.h"
#include "upstream/target.h"

/* Candidates that are weighed; the accounts of a group beyond it are not looked at. */
#define CANDIDATES_MAX ACCOUNTS_MAX
/* Larger ones count as this: a weight times the longest idle time fits 64 bits. */
#define WEIGHT_MAX (1u << 20)
/* How long the one request that tries a benched account may take, in a client's eyes. */
#define PROBE_WAIT_MS 2000u

bool
select_is_better(const struct select_rank *a, const struct select_rank *b)
{
    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    if (a->load != b->load) {
        return a->load < b->load;
    }
    return a->idle > b->idle;
}

static bool
was_tried(const struct select_want *want, uint64_t id)
{
    for (uint32_t i = 0; i < want->tried_count; i++) {
        if (want->tried[i] == id) {
            return true;
        }
    }
    return false;
}

static bool
serves_model(const struct account *account, struct str model)
{
    if (model.len == 0 || match_globs(account->models, model)) {
        return true;
    }
    /* The list may name what is asked for or what is sent. */
    struct str sent = match_mapped(account->model_map, model);
    return sent.data != model.data;
}

/* Everything that does not move from one millisecond to the next. */
static enum select_result
judge_record(const struct select_want *want, const struct catalog_account *account)
{
    const struct target *target = account->extra;
    /* What it could serve comes before whether it may: a disabled account that speaks the dialect
     * says "nothing is available now", not "nobody has this model". */
    bool speaks = target == NULL || (target->dialects & DIALECT_BIT(want->dialect)) != 0;
    if (!speaks) {
        return SELECT_DIALECT;
    }
    if (!serves_model(&account->account, want->model)) {
        return SELECT_MODEL;
    }
    if (account->account.is_disabled) {
        return SELECT_DISABLED;
    }
    if (account->is_broken || target == NULL) {
        return SELECT_BROKEN;
    }
    return was_tried(want, account->account.id) ? SELECT_TRIED : SELECT_OK;
}

static bool
has_minute(const struct account *account)
{
    return account->rpm != 0 || account->tpm != 0;
}

static struct window_want
minute_of(const struct select_want *want, const struct account *account)
{
    return (struct window_want){ .limit_requests = account->rpm,
                                 .limit_tokens = account->tpm,
                                 .tokens = want->tokens };
}

/* Counts the request in the minute of the account whose slot it holds. */
static bool
take_minute(const struct select_want *want, struct select_choice *choice)
{
    const struct account *record = &choice->account->account;
    uint64_t retry_after_ms = 0;
    if (!has_minute(record)) {
        return true;
    }
    struct window_want minute = minute_of(want, record);
    if (window_take(want->segment, want->slot, choice->gate, &minute, want->now_ms,
                    &retry_after_ms) != ERR_OK) {
        return false;
    }
    choice->reserved = window_reserves(&minute);
    choice->counted_ms = want->now_ms;
    return true;
}

void
select_settle(struct segment *segment, uint32_t slot, struct select_choice *choice, uint64_t used,
              uint64_t now_ms)
{
    window_settle(segment, slot, choice->gate, choice->reserved, choice->counted_ms, used, now_ms);
    choice->reserved = 0;
}

enum select_result
select_judge(const struct select_want *want, const struct catalog_account *account)
{
    enum select_result result = judge_record(want, account);
    if (result != SELECT_OK) {
        return result;
    }
    uint32_t index = account->account.index;
    if (!health_ok(want->segment, index, want->now_ms)) {
        return health_is_disabled(want->segment, index) ? SELECT_STOPPED : SELECT_BENCHED;
    }
    if (spell_left_ms(want->segment, index, want->model, want->now_ms) > 0) {
        bool is_missing = spell_is_missing(want->segment, index, want->model, want->now_ms);
        return is_missing ? SELECT_MODEL_MISSING : SELECT_MODEL_COOLING;
    }
    uint32_t gate = 0;
    if (gate_peek(want->segment, GATE_ACCOUNT, account->account.id, &gate) != ERR_OK) {
        return SELECT_OK;
    }
    if (has_minute(&account->account)) {
        struct window_view window;
        struct window_want minute = minute_of(want, &account->account);
        window_read(want->segment, gate, want->now_ms, &window);
        if (!window_fits(&window, &minute)) {
            return SELECT_RATE;
        }
    }
    bool is_full = account->account.concurrency != 0 &&
                   gate_held(want->segment, gate) >= account->account.concurrency;
    return is_full ? SELECT_FULL : SELECT_OK;
}

static uint64_t
idle_of(const struct select_want *want, uint32_t index, uint32_t weight)
{
    return health_idle(want->segment, index, want->now_ms) *
           (weight < WEIGHT_MAX ? weight : WEIGHT_MAX);
}

/* Without a limit: of a million. */
static uint32_t
load_of(uint64_t busy, uint32_t limit)
{
    return (uint32_t)(busy * 100 / (limit != 0 ? limit : 1000000));
}

void
select_weigh(const struct select_want *want, const struct catalog_account *account,
             struct select_rank *out)
{
    const struct account *record = &account->account;
    *out = (struct select_rank){ .priority = record->priority,
                                 .idle = idle_of(want, record->index, record->weight) };
    uint32_t gate = 0;
    if (gate_peek(want->segment, GATE_ACCOUNT, record->id, &gate) == ERR_OK) {
        uint64_t busy =
            (uint64_t)gate_held(want->segment, gate) + gate_waiting(want->segment, gate);
        out->load = load_of(busy, record->concurrency);
    }
}

/* Besides its slot, which is held, an account limits its minute and whose turn it is to probe it.
 */
enum select_result
select_enter(const struct select_want *want, struct select_choice *out)
{
    CHECK(out->account != NULL && out->gate < want->segment->gates);
    const struct account *record = &out->account->account;
    enum select_result result = SELECT_OK;
    if (!take_minute(want, out)) {
        result = SELECT_RATE;
    } else if (!health_enter(want->segment, record->index, want->now_ms, &out->is_probe)) {
        if (has_minute(record)) {
            window_give(want->segment, want->slot, out->gate, out->reserved, want->now_ms);
            out->reserved = 0;
        }
        result = SELECT_BENCHED;
    }
    if (result != SELECT_OK) {
        select_give(want->segment, want->slot, want->view, out);
    }
    return result;
}

enum select_result
select_take_account(const struct select_want *want, uint32_t index, struct select_choice *out)
{
    const struct catalog_account *account = &want->view->accounts[index];
    const struct account *record = &account->account;
    uint32_t gate = 0;
    if (gate_find(want->segment, GATE_ACCOUNT, record->id, &gate) != ERR_OK) {
        return SELECT_FULL;
    }
    if (gate_take(want->segment, want->slot, gate, record->concurrency, want->arrived_ns) !=
        ERR_OK) {
        return SELECT_FULL;
    }
    *out = (struct select_choice){ .account = account, .account_index = index, .gate = gate };
    return select_enter(want, out);
}

/* The order in which reasons tell more; lower wins. */
static uint32_t
telling(enum select_result result)
{
    switch (result) {
    case SELECT_OK:
        return 0;
    case SELECT_FULL:
        return 1;
    case SELECT_RATE:
        return 2;
    case SELECT_BENCHED:
        return 3;
    case SELECT_MODEL_COOLING:
        return 4;
    case SELECT_MODEL_MISSING:
        return 5;
    case SELECT_TRIED:
        return 6;
    case SELECT_BROKEN:
        return 7;
    case SELECT_STOPPED:
        return 8;
    case SELECT_DISABLED:
        return 9;
    case SELECT_MODEL:
        return 10;
    case SELECT_DIALECT:
        return 11;
    case SELECT_NONE:
        return 12;
    }
    return 12;
}

enum select_result
select_more_telling(enum select_result a, enum select_result b)
{
    return telling(a) < telling(b) ? a : b;
}

static bool
is_cooling(enum select_result result)
{
    return result == SELECT_BENCHED || result == SELECT_MODEL_COOLING ||
           result == SELECT_MODEL_MISSING;
}

/* The gate of an account, remembered: neither changes while the segment lives. */
static bool
gate_of(const struct segment *segment, const struct catalog_brief *brief, uint32_t *out_gate)
{
    static struct {
        uint64_t id;
        uint32_t gate;
    } known[ACCOUNTS_MAX];
    CHECK(brief->index < ACCOUNTS_MAX);
    if (known[brief->index].id == brief->id) {
        *out_gate = known[brief->index].gate;
        return true;
    }
    if (gate_peek(segment, GATE_ACCOUNT, brief->id, out_gate) != ERR_OK) {
        return false; /* nobody has used it yet */
    }
    known[brief->index].id = brief->id;
    known[brief->index].gate = *out_gate;
    return true;
}

/* select_judge's first half, without a look at the long records as far as that goes. */
static bool
is_candidate(const struct select_want *want, const struct catalog_account *account,
             const struct catalog_brief *brief)
{
    bool serves = (brief->dialects & DIALECT_BIT(want->dialect)) != 0 && !brief->is_disabled &&
                  !brief->is_broken && health_ok(want->segment, brief->index, want->now_ms) &&
                  !was_tried(want, brief->id);
    return serves && (!brief->has_models || serves_model(&account->account, want->model)) &&
           spell_left_ms(want->segment, brief->index, want->model, want->now_ms) == 0;
}

/* Its load in percent, when its slots and its minute have room. */
static bool
has_room(const struct select_want *want, const struct catalog_brief *brief, uint32_t *out_load)
{
    uint32_t gate = 0;
    *out_load = 0;
    if (!gate_of(want->segment, brief, &gate)) {
        return true;
    }
    if (brief->rpm != 0 || brief->tpm != 0) {
        struct window_view window;
        struct window_want minute = { brief->rpm, brief->tpm, want->tokens };
        window_read(want->segment, gate, want->now_ms, &window);
        if (!window_fits(&window, &minute)) {
            return false;
        }
    }
    struct gate_load load = gate_load(want->segment, gate);
    *out_load = load_of((uint64_t)load.held + load.waiting, brief->concurrency);
    return brief->concurrency == 0 || load.held < brief->concurrency;
}

/*
 * Best candidate not in `refused` (a bit an account of the group); UINT32_MAX: none. Two cache
 * lines an account (its brief and its health) while an idle one is known that was used longer ago;
 * else its gate's columns too.
 */
static uint32_t
best_of(const struct select_want *want, const struct catalog_group *group, const uint64_t *refused)
{
    uint32_t best = UINT32_MAX;
    struct select_rank best_rank = { 0 };
    for (uint32_t i = 0; i < group->account_count; i++) {
        if ((refused[i / 64] >> (i % 64) & 1) != 0) {
            continue;
        }
        const struct catalog_brief *brief = &want->view->briefs[group->accounts[i]];
        /* Accounts come by priority: nothing behind a candidate can beat it on that. */
        if (best != UINT32_MAX && brief->priority > best_rank.priority) {
            break;
        }
        struct select_rank rank = { .priority = brief->priority,
                                    .idle = idle_of(want, brief->index, brief->weight) };
        bool is_beaten = best != UINT32_MAX && best_rank.load == 0 && rank.idle <= best_rank.idle;
        if (is_beaten || !is_candidate(want, &want->view->accounts[group->accounts[i]], brief) ||
            !has_room(want, brief, &rank.load)) {
            continue;
        }
        if (best == UINT32_MAX || select_is_better(&rank, &best_rank)) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

/* Nobody can be had: the most telling reason. */
static enum select_result
reason_of(const struct select_want *want, const struct catalog_group *group,
          const uint64_t *refused)
{
    enum select_result reason = SELECT_NONE;
    for (uint32_t i = 0; i < group->account_count; i++) {
        if ((refused[i / 64] >> (i % 64) & 1) == 0) {
            enum select_result result =
                select_judge(want, &want->view->accounts[group->accounts[i]]);
            /* Free by now, and not when it was looked at: who waits looks again at once. */
            reason = select_more_telling(reason, result == SELECT_OK ? SELECT_FULL : result);
        }
    }
    return reason;
}

/*
 * The one account that could serve at all: benching it would refuse what it might well answer, and
 * protect nobody. NULL when there are several, or none.
 */
static const struct catalog_account *
only_choice(const struct select_want *want, const struct catalog_group *group, uint32_t *out_index)
{
    const struct catalog_account *only = NULL;
    for (uint32_t i = 0; i < group->account_count; i++) {
        const struct catalog_account *account = &want->view->accounts[group->accounts[i]];
        if (judge_record(want, account) != SELECT_OK ||
            health_is_disabled(want->segment, account->account.index)) {
            continue;
        }
        if (only != NULL) {
            return NULL;
        }
        only = account;
        *out_index = group->accounts[i];
    }
    return only;
}

/* All candidates cool down: an only one is used all the same. */
static enum select_result
take_only(const struct select_want *want, const struct catalog_group *group, enum select_result why,
          struct select_choice *out)
{
    uint32_t index = 0;
    const struct catalog_account *account = only_choice(want, group, &index);
    uint32_t gate = 0;
    if (want->tried_count > 0 || account == NULL ||
        gate_find(want->segment, GATE_ACCOUNT, account->account.id, &gate) != ERR_OK) {
        return why;
    }
    if (gate_take(want->segment, want->slot, gate, account->account.concurrency,
                  want->arrived_ns) != ERR_OK) {
        return SELECT_FULL;
    }
    *out = (struct select_choice){ .account = account, .account_index = index, .gate = gate };
    if (!take_minute(want, out)) {
        select_give(want->segment, want->slot, want->view, out);
        return SELECT_RATE;
    }
    return SELECT_OK;
}

enum select_result
select_take(const struct select_want *want, struct select_choice *out)
{
    CHECK(want->group < want->view->group_count);
    const struct catalog_group *group = &want->view->groups[want->group];
    /* One process, one thread: as large as it may get, cleared as far as it is used. */
    static uint64_t refused[CANDIDATES_MAX / 64];
    memset(refused, 0, (group->account_count + 63) / 64 * sizeof refused[0]);
    enum select_result reason = SELECT_NONE;
    for (uint32_t round = 0; round < group->account_count; round++) {
        uint32_t best = best_of(want, group, refused);
        if (best == UINT32_MAX) {
            reason = select_more_telling(reason, reason_of(want, group, refused));
            return is_cooling(reason) ? take_only(want, group, reason, out) : reason;
        }
        enum select_result result = select_take_account(want, group->accounts[best], out);
        if (result == SELECT_OK) {
            return SELECT_OK;
        }
        /* Somebody was faster; the others may still do. */
        reason = select_more_telling(reason, result);
        refused[best / 64] |= 1ull << (best % 64);
    }
    return is_cooling(reason) ? take_only(want, group, reason, out) : reason;
}

/* The pools of all groups that the account serves; how many. */
static uint32_t
pools_of(const struct segment *segment, const struct catalog_view *view,
         const struct catalog_account *account, uint32_t pools[GROUPS_PER_ACCOUNT_MAX])
{
    uint32_t count = 0;
    CHECK(account->group_count <= GROUPS_PER_ACCOUNT_MAX);
    for (uint32_t i = 0; i < account->group_count; i++) {
        uint64_t group_id = view->groups[account->groups[i]].group.id;
        if (gate_peek(segment, GATE_POOL, group_id, &pools[count]) == ERR_OK) {
            count++;
        }
    }
    return count;
}

void
select_wake(struct segment *segment, const struct catalog_view *view,
            const struct select_choice *choice)
{
    uint32_t pools[GROUPS_PER_ACCOUNT_MAX];
    uint32_t limit = choice->account->account.concurrency;
    if (limit == 0 || gate_held(segment, choice->gate) < limit) {
        gate_wake(segment, GATE_INDEX_NONE, pools, pools_of(segment, view, choice->account, pools));
    }
}

bool
select_speaks(const struct select_want *want, bool with_disabled)
{
    CHECK(want->group < want->view->group_count);
    const struct catalog_group *group = &want->view->groups[want->group];
    for (uint32_t i = 0; i < group->account_count; i++) {
        const struct catalog_brief *brief = &want->view->briefs[group->accounts[i]];
        const struct account *record = &want->view->accounts[group->accounts[i]].account;
        bool is_there = with_disabled || (!brief->is_disabled && !brief->is_broken);
        if (is_there && (brief->dialects & DIALECT_BIT(want->dialect)) != 0 &&
            (!brief->has_models || serves_model(record, want->model))) {
            return true;
        }
    }
    return false;
}

bool
select_has_other(const struct select_want *want)
{
    CHECK(want->group < want->view->group_count);
    const struct catalog_group *group = &want->view->groups[want->group];
    for (uint32_t i = 0; i < group->account_count; i++) {
        enum select_result result = select_judge(want, &want->view->accounts[group->accounts[i]]);
        if (result == SELECT_OK || result == SELECT_FULL) {
            return true;
        }
    }
    return false;
}

/* When this account can be had, if benched or out of its minute; UINT64_MAX: never, 0: now. */
static uint64_t
wait_of(const struct select_want *want, const struct catalog_account *account)
{
    struct health_view health;
    switch (select_judge(want, account)) {
    case SELECT_BENCHED:
        health_read(want->segment, account->account.index, &health);
        if (health.state == HEALTH_PROBING) {
            return PROBE_WAIT_MS;
        }
        return health.until_ms > want->now_ms ? health.until_ms - want->now_ms : 0;
    case SELECT_MODEL_COOLING:
    case SELECT_MODEL_MISSING:
        return spell_left_ms(want->segment, account->account.index, want->model, want->now_ms);
    case SELECT_RATE:
        return WINDOW_MS - want->now_ms % WINDOW_MS;
    case SELECT_OK:
    case SELECT_FULL:
        return 0;
    case SELECT_STOPPED:
    case SELECT_DISABLED:
    case SELECT_BROKEN:
    case SELECT_DIALECT:
    case SELECT_MODEL:
    case SELECT_TRIED:
    case SELECT_NONE:
        return UINT64_MAX;
    }
    return UINT64_MAX;
}

uint64_t
select_wait_ms(const struct select_want *want)
{
    CHECK(want->group < want->view->group_count);
    const struct catalog_group *group = &want->view->groups[want->group];
    struct select_want fresh = *want;
    fresh.tried_count = 0;
    uint64_t soonest_ms = UINT64_MAX;
    for (uint32_t i = 0; i < group->account_count && soonest_ms > 0; i++) {
        uint64_t ms = wait_of(&fresh, &want->view->accounts[group->accounts[i]]);
        soonest_ms = ms < soonest_ms ? ms : soonest_ms;
    }
    return soonest_ms == UINT64_MAX ? 0 : soonest_ms;
}

bool
select_is_limited(const struct select_want *want)
{
    const struct catalog_group *group = &want->view->groups[want->group];
    for (uint32_t i = 0; i < group->account_count; i++) {
        const struct catalog_account *account = &want->view->accounts[group->accounts[i]];
        struct health_view health;
        if (select_judge(want, account) == SELECT_BENCHED) {
            health_read(want->segment, account->account.index, &health);
            if (health.reason != HEALTH_REASON_RATE_LIMITED) {
                return false;
            }
        }
    }
    return true;
}

void
select_give(struct segment *segment, uint32_t slot, const struct catalog_view *view,
            const struct select_choice *choice)
{
    uint32_t pools[GROUPS_PER_ACCOUNT_MAX];
    uint32_t count = pools_of(segment, view, choice->account, pools);
    if (choice->reserved > 0) {
        window_settle(segment, slot, choice->gate, choice->reserved, choice->counted_ms, 0,
                      choice->counted_ms);
    }
    gate_give(segment, slot, choice->gate, pools, count);
}

const char *
select_text(enum select_result result)
{
    switch (result) {
#define SELECT_TEXT(name, text) \
    case SELECT_##name:         \
        return text;
        SELECT_ROWS(SELECT_TEXT)
#undef SELECT_TEXT
    }
    return "unknown";
}
