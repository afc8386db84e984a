#include "upstream/select.h"

#include <string.h>

#include "base/check.h"
#include "shm/health.h"
#include "shm/lack.h"
#include "shm/spell.h"
#include "shm/window.h"
#include "upstream/roster.h"
#include "upstream/target.h"

/* Candidates that are weighed; the accounts of a group beyond it are not looked at. */
#define CANDIDATES_MAX ACCOUNTS_MAX
#define AHEAD 8u        /* accounts */
#define AHEAD_CELLS 12u /* of an account's columns; behind them they are read in a row */
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
    if (!take_minute(want, out)) {
        select_give(want->segment, want->slot, want->view, out);
        return SELECT_RATE;
    }
    if (!health_enter(want->segment, record->index, want->now_ms, &out->is_probe)) {
        select_undo(want, out);
        return SELECT_BENCHED;
    }
    return SELECT_OK;
}

void
select_undo(const struct select_want *want, struct select_choice *choice)
{
    const struct account *record = &choice->account->account;
    if (has_minute(record)) {
        window_give(want->segment, want->slot, choice->gate, choice->reserved, choice->counted_ms);
        choice->reserved = 0;
    }
    if (choice->is_probe) {
        health_abandon(want->segment, record->index, want->now_ms);
    }
    select_give(want->segment, want->slot, want->view, choice);
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
    case SELECT_ENDPOINT:
        return 11;
    case SELECT_DIALECT:
        return 12;
    case SELECT_NONE:
        return 13;
    }
    return 13;
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

/* RATE, FULL or OK; its load in percent, where its slots were looked at. */
static enum select_result
judge_room(const struct select_want *want, const struct catalog_brief *brief, uint32_t *out_load)
{
    uint32_t gate = 0;
    *out_load = 0;
    if (!gate_of(want->segment, brief, &gate)) {
        return SELECT_OK;
    }
    if (brief->rpm != 0 || brief->tpm != 0) {
        struct window_view window;
        struct window_want minute = { brief->rpm, brief->tpm, want->tokens };
        window_read(want->segment, gate, want->now_ms, &window);
        if (!window_fits(&window, &minute)) {
            return SELECT_RATE;
        }
    }
    struct gate_load load = gate_load(want->segment, gate);
    *out_load = load_of((uint64_t)load.held + load.waiting, brief->concurrency);
    bool is_full = brief->concurrency != 0 && load.held >= brief->concurrency;
    return is_full ? SELECT_FULL : SELECT_OK;
}

_Static_assert(LACK_DIALECTS == DIALECT_COUNT, "a word for each dialect");

/* Its provider said that it has no such endpoint; the account serves in another dialect. */
static bool
lacks_endpoint(const struct select_want *want, const struct catalog_brief *brief)
{
    return !want->is_side &&
           lack_is(want->segment, brief->index, want->dialect, brief->dialects, want->now_ms);
}

/* Of an account on the roster: everything that moves from one millisecond to the next. */
static enum select_result
judge_now(const struct select_want *want, const struct catalog_brief *brief, uint32_t *out_load)
{
    *out_load = 0;
    if (lacks_endpoint(want, brief)) {
        return SELECT_ENDPOINT;
    }
    if (was_tried(want, brief->id)) {
        return SELECT_TRIED;
    }
    if (!health_ok(want->segment, brief->index, want->now_ms)) {
        return health_is_disabled(want->segment, brief->index) ? SELECT_STOPPED : SELECT_BENCHED;
    }
    if (spell_left_ms(want->segment, brief->index, want->model, want->now_ms) > 0) {
        bool is_missing = spell_is_missing(want->segment, brief->index, want->model, want->now_ms);
        return is_missing ? SELECT_MODEL_MISSING : SELECT_MODEL_COOLING;
    }
    return judge_room(want, brief, out_load);
}

enum select_result
select_judge(const struct select_want *want, const struct catalog_account *account)
{
    struct catalog_brief brief;
    uint32_t load = 0;
    catalog_brief(account, target_speaks, &brief);
    enum select_result result = roster_judge(&brief, &account->account, want->dialect, want->model);
    return result == SELECT_OK ? judge_now(want, &brief, &load) : result;
}

static const struct catalog_brief *
brief_at(const struct select_want *want, uint32_t place)
{
    return &want->view->briefs[want->view->groups[want->group].accounts[place]];
}

static bool
is_set(const uint64_t *bits, uint32_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

/*
 * Health and columns of an account that will be looked at soon: among thousands they are in no
 * cache, and each row of columns is on a page of its own, so several are waited for at once.
 */
static void
look_ahead(const struct select_want *want, uint32_t place)
{
    const struct segment *segment = want->segment;
    uint32_t gate = 0;
    if (place >= want->view->groups[want->group].account_count) {
        return;
    }
    const struct catalog_brief *brief = brief_at(want, place);
    __builtin_prefetch(&segment->health_rows[brief->index]);
    if (gate_of(segment, brief, &gate)) {
        const struct gate_cell *row = &segment->gate_cells[(size_t)gate * segment->stride];
        for (uint32_t cell = 0; cell < segment->stride && cell < AHEAD_CELLS; cell += 4) {
            __builtin_prefetch(&row[cell]); /* four to a line */
        }
    }
}

/*
 * The place of the best candidate not in `refused`; UINT32_MAX: none, and *reason is the most
 * telling of theirs. Two cache lines an account (its brief and its health) while an idle one is
 * known that was used longer ago; else its gate's columns too.
 */
static uint32_t
best_of(const struct select_want *want, const struct roster *roster, const uint64_t *refused,
        enum select_result *reason)
{
    uint32_t best = UINT32_MAX;
    struct select_rank best_rank = { 0 };
    for (uint32_t i = roster_next(roster, 0); i < roster->places; i = roster_next(roster, i + 1)) {
        if (is_set(refused, i)) {
            continue;
        }
        const struct catalog_brief *brief = brief_at(want, i);
        /* Accounts come by priority: nothing behind a candidate can beat it on that. */
        if (best != UINT32_MAX && brief->priority > best_rank.priority) {
            break;
        }
        struct select_rank rank = { .priority = brief->priority,
                                    .idle = idle_of(want, brief->index, brief->weight) };
        if (best != UINT32_MAX && best_rank.load == 0 && rank.idle <= best_rank.idle) {
            continue;
        }
        look_ahead(want, i + AHEAD);
        enum select_result result = judge_now(want, brief, &rank.load);
        if (result != SELECT_OK) {
            *reason = select_more_telling(*reason, result);
        } else if (best == UINT32_MAX || select_is_better(&rank, &best_rank)) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

/*
 * The one account that could serve at all: benching it would refuse what it might well answer, and
 * protect nobody. UINT32_MAX when there are several, or none; else its place.
 */
static uint32_t
only_choice(const struct select_want *want, const struct roster *roster)
{
    uint32_t only = UINT32_MAX;
    for (uint32_t i = roster_next(roster, 0); i < roster->places; i = roster_next(roster, i + 1)) {
        const struct catalog_brief *brief = brief_at(want, i);
        if (health_is_disabled(want->segment, brief->index) || lacks_endpoint(want, brief)) {
            continue;
        }
        if (only != UINT32_MAX) {
            return UINT32_MAX;
        }
        only = i;
    }
    return only;
}

/* All candidates cool down: an only one is used all the same. */
static enum select_result
take_only(const struct select_want *want, const struct roster *roster, enum select_result why,
          struct select_choice *out)
{
    uint32_t place = want->tried_count > 0 ? UINT32_MAX : only_choice(want, roster);
    uint32_t gate = 0;
    if (place == UINT32_MAX) {
        return why;
    }
    uint32_t index = want->view->groups[want->group].accounts[place];
    const struct catalog_account *account = &want->view->accounts[index];
    if (gate_find(want->segment, GATE_ACCOUNT, account->account.id, &gate) != ERR_OK) {
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
    struct roster roster;
    roster_find(want, &roster);
    /* One process, one thread: as large as it may get, cleared as far as it is used. */
    static uint64_t refused[CANDIDATES_MAX / 64];
    memset(refused, 0, (roster.places + 63) / 64 * sizeof refused[0]);
    enum select_result reason = roster.others;
    for (uint32_t round = 0; round <= roster.count; round++) {
        uint32_t best = best_of(want, &roster, refused, &reason);
        if (best == UINT32_MAX) {
            break;
        }
        uint32_t index = want->view->groups[want->group].accounts[best];
        enum select_result result = select_take_account(want, index, out);
        if (result == SELECT_OK) {
            return SELECT_OK;
        }
        /* Somebody was faster; the others may still do. */
        reason = select_more_telling(reason, result);
        refused[best / 64] |= 1ull << (best % 64);
    }
    return is_cooling(reason) ? take_only(want, &roster, reason, out) : reason;
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
    struct roster roster;
    roster_find(want, &roster);
    for (uint32_t i = roster_next(&roster, 0); i < roster.places; i = roster_next(&roster, i + 1)) {
        const struct catalog_brief *brief = brief_at(want, i);
        bool is_out = want->skips_tried && was_tried(want, brief->id);
        if (!is_out && !lacks_endpoint(want, brief)) {
            return true;
        }
    }
    return with_disabled && !want->skips_tried &&
           (roster.others == SELECT_DISABLED || roster.others == SELECT_BROKEN);
}

bool
select_has_other(const struct select_want *want)
{
    struct roster roster;
    roster_find(want, &roster);
    for (uint32_t i = roster_next(&roster, 0); i < roster.places; i = roster_next(&roster, i + 1)) {
        uint32_t load = 0;
        enum select_result result = judge_now(want, brief_at(want, i), &load);
        if (result == SELECT_OK || result == SELECT_FULL) {
            return true;
        }
    }
    return false;
}

/* When this account can be had, if benched or out of its minute; UINT64_MAX: never, 0: now. */
static uint64_t
wait_of(const struct select_want *want, const struct catalog_brief *brief)
{
    struct health_view health;
    uint32_t load = 0;
    switch (judge_now(want, brief, &load)) {
    case SELECT_BENCHED:
        health_read(want->segment, brief->index, &health);
        if (health.state == HEALTH_PROBING) {
            return PROBE_WAIT_MS;
        }
        return health.until_ms > want->now_ms ? health.until_ms - want->now_ms : 0;
    case SELECT_MODEL_COOLING:
    case SELECT_MODEL_MISSING:
        return spell_left_ms(want->segment, brief->index, want->model, want->now_ms);
    case SELECT_RATE:
        return WINDOW_MS - want->now_ms % WINDOW_MS;
    case SELECT_OK:
    case SELECT_FULL:
        return 0;
    case SELECT_STOPPED:
    case SELECT_DISABLED:
    case SELECT_BROKEN:
    case SELECT_DIALECT:
    case SELECT_ENDPOINT:
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
    struct roster roster;
    struct select_want fresh = *want;
    fresh.tried_count = 0;
    roster_find(want, &roster);
    uint64_t soonest_ms = UINT64_MAX;
    for (uint32_t i = roster_next(&roster, 0); i < roster.places && soonest_ms > 0;
         i = roster_next(&roster, i + 1)) {
        uint64_t ms = wait_of(&fresh, brief_at(want, i));
        soonest_ms = ms < soonest_ms ? ms : soonest_ms;
    }
    return soonest_ms == UINT64_MAX ? 0 : soonest_ms;
}

bool
select_is_limited(const struct select_want *want)
{
    struct roster roster;
    roster_find(want, &roster);
    for (uint32_t i = roster_next(&roster, 0); i < roster.places; i = roster_next(&roster, i + 1)) {
        const struct catalog_brief *brief = brief_at(want, i);
        struct health_view health;
        uint32_t load = 0;
        if (judge_now(want, brief, &load) == SELECT_BENCHED) {
            health_read(want->segment, brief->index, &health);
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
