/* A session stays with its account as long as that does it good. */
#include "shm/wake.h"
#include "tests/unit/upstream/stage.h"

Test(bound, keeps_a_session_at_its_account)
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

Test(bound, leaves_a_bound_account_that_cannot_serve)
{
    struct stage s;
    begin(&s);
    struct select_choice choice;
    s.want.bound = 102;
    bench(&s, 1);
    cr_expect_eq(bound_take(&s.want, false, &choice), SELECT_BENCHED);
    cr_expect_eq(choose(&s), 0);
    s.want.bound = 103;
    record(&s, 2)->is_disabled = true;
    cr_expect_eq(bound_take(&s.want, false, &choice), SELECT_DISABLED);
    cr_expect_eq(choose(&s), 3);
    s.want.bound = 104;
    s.tried[s.want.tried_count++] = 104;
    cr_expect_eq(bound_take(&s.want, false, &choice), SELECT_TRIED);
    s.want.tried_count = 0;
    snprintf(record(&s, 3)->models, sizeof record(&s, 3)->models, "claude-*");
    cr_expect_eq(bound_take(&s.want, false, &choice), SELECT_MODEL);
    record(&s, 3)->models[0] = '\0';
    s.want.bound = 999;
    cr_expect_eq(bound_take(&s.want, false, &choice), SELECT_NONE, "it was removed");
    s.want.bound = 104;
    s.accounts[3].groups[0] = 1;
    cr_expect_eq(bound_take(&s.want, false, &choice), SELECT_NONE, "it left the group");
    finish(&s);
}

Test(bound, leaves_a_bound_account_that_is_slow)
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
    cr_expect_eq(bound_take(&s.want, false, &choice), SELECT_NONE);
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

Test(bound, a_bound_account_that_is_full_is_waited_for)
{
    struct stage s;
    begin(&s);
    struct select_choice held;
    struct select_choice choice;
    record(&s, 1)->concurrency = 1;
    record(&s, 1)->rpm = 3;
    s.want.bound = 102;
    cr_assert_eq(bound_take(&s.want, true, &held), SELECT_NONE, "a free slot is for who waits");
    cr_assert_eq(bound_take(&s.want, false, &held), SELECT_OK);
    cr_assert_eq(bound_take(&s.want, false, &choice), SELECT_FULL);
    cr_expect(choice.account == &s.accounts[1] && choice.account_index == 1);
    cr_assert_eq(bound_take(&s.want, true, &choice), SELECT_FULL);
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

Test(bound, a_session_waits_for_an_account_while_it_is_good)
{
    struct stage s;
    begin(&s);
    s.want.bound = 102;
    s.want.slow_ms = 1000;
    s.want.failing_ppm = 500000;
    cr_expect_eq(bound_judge(&s.want), SELECT_OK);
    for (int i = 0; i < 40; i++) {
        health_success(s.segment, 1, s.want.now_ms, 3000);
    }
    cr_expect_eq(bound_judge(&s.want), SELECT_NONE, "slow");
    s.want.slow_ms = 0;
    cr_expect_eq(bound_judge(&s.want), SELECT_OK);
    for (int i = 0; i < 8; i++) {
        health_failure(s.segment, s.want.slot, 1, HEALTH_REASON_TIMEOUT, 0, 0, STR("no"),
                       s.want.now_ms);
    }
    health_abandon(s.segment, 1, s.want.now_ms);
    s.want.now_ms += 3600000; /* whatever bench it had is over */
    cr_expect_eq(bound_judge(&s.want), SELECT_NONE, "failing");
    s.want.failing_ppm = 0;
    cr_expect_eq(bound_judge(&s.want), SELECT_OK);
    bench(&s, 1);
    cr_expect_eq(bound_judge(&s.want), SELECT_BENCHED);
    finish(&s);
}

Test(bound, who_leaves_an_accounts_gate_wakes_the_pools)
{
    struct stage s;
    begin(&s);
    struct select_choice held;
    record(&s, 1)->concurrency = 1;
    s.want.bound = 102;
    cr_assert_eq(bound_take(&s.want, false, &held), SELECT_OK);
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
