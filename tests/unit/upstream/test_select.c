/* Which account is chosen, and why not the others. */
#include "shm/gate.h"
#include "shm/health.h"
#include "shm/wake.h"
#include "tests/unit/shm/testseg.h"
#include "upstream/select.h"
#include "upstream/target.h"

#define HOW_MANY 4u

struct stage {
    struct testseg test;
    struct segment *segment;
    struct catalog_account accounts[HOW_MANY];
    uint32_t order[HOW_MANY];
    struct catalog_group groups[2];
    struct catalog_view view;
    struct select_want want;
    uint64_t tried[HOW_MANY];
};

/* Accounts 1 to HOW_MANY (ids 101...), all alike, in groups 0 and 1. */
static void
begin(struct stage *s)
{
    static const struct hash_key hash = { 3, 4 };
    *s = (struct stage){ .segment = NULL };
    testseg_make(&s->test, 4, 16, 64, 16);
    s->segment = &s->test.segment;
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        struct catalog_account *account = &s->accounts[i];
        model_defaults(MODEL_ACCOUNT, &account->account);
        account->account.id = 101 + i;
        account->account.index = i;
        snprintf(account->account.base_url, sizeof account->account.base_url, "https://x.test");
        account->extra = target_make(&hash, &account->account, STR(""));
        cr_assert_not_null(account->extra);
        account->group_count = 2;
        account->groups[1] = 1;
        s->order[i] = i;
        health_assign(s->segment, i, 101 + i);
    }
    for (uint32_t g = 0; g < 2; g++) {
        s->groups[g] = (struct catalog_group){ .accounts = s->order, .account_count = HOW_MANY };
        s->groups[g].group.id = 11 + g;
    }
    s->view = (struct catalog_view){
        .accounts = s->accounts, .account_count = HOW_MANY, .groups = s->groups, .group_count = 2
    };
    s->want = (struct select_want){ .segment = s->segment,
                                    .slot = testseg_active(&s->test, SLOT_WORKER),
                                    .view = &s->view,
                                    .dialect = DIALECT_CHAT,
                                    .model = STR("gpt-4o"),
                                    .tried = s->tried,
                                    .now_ms = 1000000,
                                    .arrived_ns = clock_now_ns() };
}

static void
finish(struct stage *s)
{
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        target_free(s->accounts[i].extra);
    }
}

static struct account *
record(struct stage *s, uint32_t i)
{
    return &s->accounts[i].account;
}

static void
give(struct stage *s, const struct select_choice *choice)
{
    select_give(s->segment, s->want.slot, &s->view, choice);
}

/* The index chosen, or minus the reason. The choice is given back. */
static int
choose(struct stage *s)
{
    struct select_choice choice;
    enum select_result result = select_take(&s->want, &choice);
    if (result != SELECT_OK) {
        return -(int)result;
    }
    cr_assert_eq(choice.account, &s->accounts[choice.account_index]);
    cr_assert_eq(gate_held(s->segment, choice.gate), 1);
    give(s, &choice);
    cr_assert_eq(gate_held(s->segment, choice.gate), 0);
    s->want.now_ms += 10; /* the next choice is later */
    return (int)choice.account_index;
}

static void
bench(struct stage *s, uint32_t i)
{
    health_failure(s->segment, s->want.slot, i, HEALTH_REASON_RATE_LIMITED, 0, 429, STR("no"),
                   s->want.now_ms);
}

Test(select, goes_round_among_equals)
{
    struct stage s;
    begin(&s);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < (int)HOW_MANY; i++) {
            cr_expect_eq(choose(&s), i, "least recently used first");
        }
    }
    finish(&s);
}

Test(select, prefers_the_lowest_priority_number_that_can_serve)
{
    struct stage s;
    begin(&s);
    record(&s, 2)->priority = 10;
    record(&s, 3)->priority = 10;
    uint32_t order[HOW_MANY] = { 2, 3, 0, 1 }; /* as the catalog sorts them */
    memcpy(s.order, order, sizeof order);
    cr_expect_eq(choose(&s), 2);
    cr_expect_eq(choose(&s), 3);
    cr_expect_eq(choose(&s), 2);
    record(&s, 2)->is_disabled = true;
    cr_expect_eq(choose(&s), 3);
    bench(&s, 3);
    cr_expect_eq(choose(&s), 0, "the next class when the best one is out");
    finish(&s);
}

Test(select, prefers_the_least_loaded)
{
    struct stage s;
    begin(&s);
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        record(&s, i)->concurrency = i == 3 ? 40 : 4;
    }
    struct select_choice held[HOW_MANY + 1];
    bool seen[HOW_MANY] = { false };
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        cr_assert_eq(select_take(&s.want, &held[i]), SELECT_OK);
        cr_expect(!seen[held[i].account_index], "one each");
        seen[held[i].account_index] = true;
    }
    cr_assert_eq(select_take(&s.want, &held[HOW_MANY]), SELECT_OK);
    cr_expect_eq(held[HOW_MANY].account_index, 3, "1 of 40 is less than 1 of 4");
    for (uint32_t i = 0; i <= HOW_MANY; i++) {
        give(&s, &held[i]);
    }
    finish(&s);
}

Test(select, gives_heavier_accounts_more)
{
    struct stage s;
    begin(&s);
    record(&s, 1)->weight = 3;
    uint32_t counts[HOW_MANY] = { 0 };
    for (int i = 0; i < 400; i++) {
        int at = choose(&s);
        cr_assert_geq(at, 0);
        counts[at]++;
        s.want.now_ms += 490;
    }
    cr_expect_gt(counts[1], counts[0] * 3 / 2, "%u against %u", counts[1], counts[0]);
    cr_expect(counts[0] > 0 && counts[2] > 0 && counts[3] > 0, "nobody starves");
    finish(&s);
}

Test(select, does_not_choose_what_failed_for_this_request)
{
    struct stage s;
    begin(&s);
    s.tried[0] = 101;
    s.tried[1] = 103;
    s.want.tried_count = 2;
    cr_expect_eq(choose(&s), 1);
    cr_expect_eq(choose(&s), 3);
    cr_expect_eq(choose(&s), 1);
    s.tried[2] = 102;
    s.tried[3] = 104;
    s.want.tried_count = 4;
    cr_expect_eq(choose(&s), -(int)SELECT_TRIED);
    finish(&s);
}

Test(select, matches_models_asked_and_mapped)
{
    struct stage s;
    begin(&s);
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        snprintf(record(&s, i)->models, LIST_TEXT_BYTES, "claude-*");
    }
    cr_expect_eq(choose(&s), -(int)SELECT_MODEL);
    snprintf(record(&s, 2)->models, LIST_TEXT_BYTES, "o1, gpt-4*");
    cr_expect_eq(choose(&s), 2);
    s.want.model = STR("gpt-5");
    cr_expect_eq(choose(&s), -(int)SELECT_MODEL);
    snprintf(record(&s, 3)->model_map, LIST_TEXT_BYTES, "gpt-5=claude-sonnet");
    cr_expect_eq(choose(&s), 3, "a mapping says that it serves the name");
    s.want.model = STR("");
    cr_expect_geq(choose(&s), 0, "a request without a model is served by any");
    finish(&s);
}

Test(select, wants_the_dialect)
{
    struct stage s;
    begin(&s);
    s.want.dialect = DIALECT_ANTHROPIC;
    cr_expect_eq(choose(&s), -(int)SELECT_DIALECT);
    ((struct target *)s.accounts[1].extra)->dialects = DIALECT_MASK_ALL;
    cr_expect_eq(choose(&s), 1);
    finish(&s);
}

Test(select, leaves_out_disabled_broken_and_benched_accounts)
{
    struct stage s;
    begin(&s);
    record(&s, 0)->is_disabled = true;
    s.accounts[1].is_broken = true;
    bench(&s, 2);
    cr_expect_eq(choose(&s), 3);
    cr_expect_eq(choose(&s), 3);
    cr_expect_eq(select_judge(&s.want, &s.accounts[0]), SELECT_DISABLED);
    cr_expect_eq(select_judge(&s.want, &s.accounts[1]), SELECT_BROKEN);
    cr_expect_eq(select_judge(&s.want, &s.accounts[2]), SELECT_BENCHED);
    cr_expect_eq(select_judge(&s.want, &s.accounts[3]), SELECT_OK);
    finish(&s);
}

Test(select, lets_one_probe_a_benched_account_when_its_time_has_come)
{
    struct stage s;
    begin(&s);
    for (uint32_t i = 1; i < HOW_MANY; i++) {
        record(&s, i)->is_disabled = true;
    }
    record(&s, 1)->is_disabled = false;
    bench(&s, 0);
    bench(&s, 1);
    cr_expect_eq(choose(&s), -(int)SELECT_BENCHED);
    s.want.now_ms += 5000;
    struct select_choice first;
    struct select_choice second;
    struct select_choice third;
    cr_assert_eq(select_take(&s.want, &first), SELECT_OK);
    cr_assert_eq(select_take(&s.want, &second), SELECT_OK);
    cr_expect(first.is_probe && second.is_probe && first.account != second.account);
    cr_expect_eq(select_take(&s.want, &third), SELECT_BENCHED, "one probe each");
    give(&s, &first);
    give(&s, &second);
    finish(&s);
}

Test(select, uses_an_only_account_though_it_is_benched)
{
    struct stage s;
    begin(&s);
    for (uint32_t i = 1; i < HOW_MANY; i++) {
        record(&s, i)->is_disabled = true;
    }
    bench(&s, 0);
    cr_expect_eq(choose(&s), 0);
    /* Not for a request that has failed on another already, and never above its limits. */
    s.want.tried_count = 1;
    s.tried[0] = 999;
    cr_expect_eq(choose(&s), -(int)SELECT_BENCHED);
    s.want.tried_count = 0;
    record(&s, 0)->concurrency = 1;
    struct select_choice held;
    struct select_choice other;
    cr_assert_eq(select_take(&s.want, &held), SELECT_OK);
    cr_expect_eq(select_take(&s.want, &other), SELECT_FULL);
    give(&s, &held);
    record(&s, 0)->rpm = 2;
    s.want.now_ms += 60000;
    bench(&s, 0);
    cr_expect_eq(choose(&s), 0);
    cr_expect_eq(choose(&s), 0);
    cr_expect_eq(choose(&s), -(int)SELECT_RATE, "its minute is used up");
    finish(&s);
}

Test(select, holds_each_account_to_its_minute)
{
    struct stage s;
    begin(&s);
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        record(&s, i)->rpm = 1;
    }
    s.want.now_ms = 60000 * 100;
    bool seen[HOW_MANY] = { false };
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        int at = choose(&s);
        cr_assert_geq(at, 0);
        cr_expect(!seen[at]);
        seen[at] = true;
    }
    cr_expect_eq(choose(&s), -(int)SELECT_RATE);
    s.want.now_ms += 60000;
    cr_expect_geq(choose(&s), 0);
    finish(&s);
}

Test(select, says_full_when_something_will_free_up)
{
    struct stage s;
    begin(&s);
    record(&s, 0)->is_disabled = true;
    bench(&s, 1);
    record(&s, 2)->concurrency = 1;
    record(&s, 3)->concurrency = 1;
    struct select_choice a;
    struct select_choice b;
    cr_assert_eq(select_take(&s.want, &a), SELECT_OK);
    cr_assert_eq(select_take(&s.want, &b), SELECT_OK);
    cr_expect_eq(choose(&s), -(int)SELECT_FULL);
    cr_expect_eq(select_judge(&s.want, a.account), SELECT_FULL);
    give(&s, &a);
    cr_expect_eq(choose(&s), (int)a.account_index);
    give(&s, &b);
    finish(&s);
}

Test(select, of_an_empty_group_is_none)
{
    struct stage s;
    begin(&s);
    s.groups[0].account_count = 0;
    cr_expect_eq(choose(&s), -(int)SELECT_NONE);
    finish(&s);
}

static enum gate_turn
nothing_to_have(struct gate_waiter *waiter)
{
    (void)waiter;
    return GATE_TURN_FULL;
}

Test(select, give_wakes_who_waits_for_one_of_the_accounts_groups)
{
    struct stage s;
    begin(&s);
    record(&s, 0)->concurrency = 1;
    for (uint32_t i = 1; i < HOW_MANY; i++) {
        record(&s, i)->is_disabled = true;
    }
    struct select_choice held;
    cr_assert_eq(select_take(&s.want, &held), SELECT_OK);
    /* Another worker has a waiter in the pool of group 1. */
    uint32_t other = testseg_active(&s.test, SLOT_WORKER);
    uint32_t pool = 0;
    struct gate_local gates;
    cr_assert(gate_init(&gates, s.segment, other) == ERR_OK);
    cr_assert(gate_find(s.segment, GATE_POOL, 12, &pool) == ERR_OK);
    struct gate_waiter waiter = { .arrived_ns = clock_now_ns() };
    gate_waiter_init(&waiter);
    uint64_t count = 0;
    while (read(s.test.fds[other], &count, sizeof count) == (ssize_t)sizeof count) {
    }
    waiter.on_try = nothing_to_have;
    cr_assert(!gate_wait(&gates, pool, &waiter));
    cr_expect_lt(read(s.test.fds[other], &count, sizeof count), 0, "nobody was woken yet");
    give(&s, &held);
    cr_expect_eq(read(s.test.fds[other], &count, sizeof count), (ssize_t)sizeof count);
    gate_leave(&gates, &waiter);
    gate_fini(&gates);
    finish(&s);
}

Test(select, keeps_a_session_at_its_account)
{
    struct stage s;
    begin(&s);
    for (uint32_t round = 0; round < 3; round++) {
        s.want.bound = 103;
        cr_expect_eq(choose(&s), 2, "although others were used longer ago");
    }
    s.want.bound = 0;
    cr_expect_eq(choose(&s), 0);
    record(&s, 2)->priority = 90;
    s.want.bound = 103;
    cr_expect_eq(choose(&s), 2, "whatever its priority");
    finish(&s);
}

Test(select, leaves_a_bound_account_that_cannot_serve)
{
    struct stage s;
    begin(&s);
    struct select_choice choice;
    s.want.bound = 102;
    bench(&s, 1);
    cr_expect_eq(select_bound(&s.want, false, &choice), SELECT_BENCHED);
    cr_expect_eq(choose(&s), 0);
    s.want.bound = 103;
    record(&s, 2)->is_disabled = true;
    cr_expect_eq(select_bound(&s.want, false, &choice), SELECT_DISABLED);
    cr_expect_eq(choose(&s), 3);
    s.want.bound = 104;
    s.tried[s.want.tried_count++] = 104;
    cr_expect_eq(select_bound(&s.want, false, &choice), SELECT_TRIED);
    s.want.tried_count = 0;
    snprintf(record(&s, 3)->models, sizeof record(&s, 3)->models, "claude-*");
    cr_expect_eq(select_bound(&s.want, false, &choice), SELECT_MODEL);
    record(&s, 3)->models[0] = '\0';
    s.want.bound = 999;
    cr_expect_eq(select_bound(&s.want, false, &choice), SELECT_NONE, "it was removed");
    s.want.bound = 104;
    s.accounts[3].groups[0] = 1;
    cr_expect_eq(select_bound(&s.want, false, &choice), SELECT_NONE, "it left the group");
    finish(&s);
}

Test(select, leaves_a_bound_account_that_is_slow)
{
    struct stage s;
    begin(&s);
    struct select_choice choice;
    s.want.bound = 101;
    health_success(s.segment, 0, s.want.now_ms, 5000);
    cr_expect_eq(choose(&s), 0, "no bound was set");
    s.want.slow_ms = 5000;
    cr_expect_eq(choose(&s), 0);
    s.want.slow_ms = 4999;
    cr_expect_eq(select_bound(&s.want, false, &choice), SELECT_NONE);
    cr_expect_neq(choose(&s), 0);
    finish(&s);
}

static uint32_t turns;

static void
count_turn(struct gate_waiter *waiter)
{
    (void)waiter;
    turns++;
}

static enum gate_turn
never(struct gate_waiter *waiter)
{
    (void)waiter;
    return GATE_TURN_FULL;
}

Test(select, a_bound_account_that_is_full_is_waited_for)
{
    struct stage s;
    begin(&s);
    struct select_choice held;
    struct select_choice choice;
    record(&s, 1)->concurrency = 1;
    record(&s, 1)->rpm = 3;
    s.want.bound = 102;
    cr_assert_eq(select_bound(&s.want, true, &held), SELECT_NONE, "a free slot is for who waits");
    cr_assert_eq(select_bound(&s.want, false, &held), SELECT_OK);
    cr_assert_eq(select_bound(&s.want, false, &choice), SELECT_FULL);
    cr_expect(choice.account == &s.accounts[1] && choice.account_index == 1);
    cr_assert_eq(select_bound(&s.want, true, &choice), SELECT_FULL);
    struct gate_local local;
    cr_assert_eq(gate_init(&local, s.segment, s.want.slot), ERR_OK);
    struct gate_waiter waiter = { .limit = 1, .on_turn = count_turn, .arrived_ns = 5 };
    gate_waiter_init(&waiter);
    cr_assert_not(gate_wait(&local, choice.gate, &waiter));
    /* Somebody in a pool who came later. */
    struct gate_waiter later = { .on_try = never, .on_turn = count_turn, .arrived_ns = 6 };
    uint32_t pool = 0;
    gate_waiter_init(&later);
    cr_assert_eq(gate_find(s.segment, GATE_POOL, 11, &pool), ERR_OK);
    cr_assert_not(gate_wait(&local, pool, &later));
    give(&s, &held);
    gate_on_wake(&local);
    cr_expect_eq(turns, 1);
    cr_expect_eq(gate_held(s.segment, choice.gate), 1);
    cr_expect_eq(select_enter(&s.want, &choice), SELECT_OK);
    give(&s, &choice);
    /* Whose turn comes when the account has failed meanwhile gives the slot back. */
    cr_assert_eq(gate_take(s.segment, s.want.slot, choice.gate, 1, 1), ERR_OK);
    bench(&s, 1);
    cr_expect_eq(select_enter(&s.want, &choice), SELECT_BENCHED);
    cr_expect_eq(gate_held(s.segment, choice.gate), 0);
    gate_leave(&local, &later);
    gate_fini(&local);
    finish(&s);
}

Test(select, who_leaves_an_accounts_gate_wakes_the_pools)
{
    struct stage s;
    begin(&s);
    struct select_choice held;
    record(&s, 1)->concurrency = 1;
    s.want.bound = 102;
    cr_assert_eq(select_bound(&s.want, false, &held), SELECT_OK);
    uint32_t other = testseg_active(&s.test, SLOT_WORKER);
    struct gate_local local;
    cr_assert_eq(gate_init(&local, s.segment, other), ERR_OK);
    struct gate_waiter waiter = { .on_try = never, .on_turn = count_turn, .arrived_ns = 6 };
    uint32_t pool = 0;
    gate_waiter_init(&waiter);
    cr_assert_eq(gate_find(s.segment, GATE_POOL, 12, &pool), ERR_OK);
    cr_assert_not(gate_wait(&local, pool, &waiter));
    wake_clear(s.segment, other);
    select_wake(s.segment, &s.view, &held);
    cr_expect_eq(atomic_load(&s.segment->wake_cells[other].is_pending), 0, "there is no room");
    gate_give(s.segment, s.want.slot, held.gate, NULL, 0);
    select_wake(s.segment, &s.view, &held);
    cr_expect_eq(atomic_load(&s.segment->wake_cells[other].is_pending), 1);
    gate_leave(&local, &waiter);
    gate_fini(&local);
    finish(&s);
}
