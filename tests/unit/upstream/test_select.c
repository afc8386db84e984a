/* Which account is chosen, and why not the others. */
#include "shm/lack.h"
#include "shm/spell.h"
#include "shm/wake.h"
#include "tests/unit/upstream/stage.h"

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

/* Shares as the weights say, however fast requests come. */
Test(select, shares_by_weight_among_equals)
{
    static const uint64_t steps_ms[] = { 0, 1, 490 };
    for (size_t k = 0; k < 3; k++) {
        struct stage s;
        begin(&s);
        record(&s, 1)->weight = 3;
        uint32_t counts[HOW_MANY] = { 0 };
        for (int i = 0; i < 600; i++) {
            struct select_choice choice;
            cr_assert_eq(select_take(&s.want, &choice), SELECT_OK);
            counts[choice.account_index]++;
            give(&s, &choice);
            s.want.now_ms += steps_ms[k];
        }
        cr_expect(counts[1] >= 280 && counts[1] <= 320, "%zu: %u of 600", k, counts[1]);
        for (uint32_t i = 0; i < HOW_MANY; i++) {
            cr_expect(i == 1 || (counts[i] >= 90 && counts[i] <= 110), "%zu: %u", k, counts[i]);
        }
        finish(&s);
    }
}

/* Priority before load, load before time and weight. */
Test(select, ranks_priority_load_and_time)
{
    static const struct {
        struct select_rank better;
        struct select_rank worse;
    } rows[] = {
        { { 1, 100, 0 }, { 2, 0, 99 } },
        { { 1, 9, 0 }, { 1, 10, 99 } },
        { { 1, 10, 5 }, { 1, 10, 4 } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect(select_is_better(&rows[i].better, &rows[i].worse));
        cr_expect(!select_is_better(&rows[i].worse, &rows[i].better));
    }
    cr_expect(!select_is_better(&rows[0].better, &rows[0].better));
}

Test(select, counts_who_waits_as_load)
{
    struct stage s;
    begin(&s);
    record(&s, 0)->concurrency = 3;
    struct select_choice held;
    struct select_rank rank;
    cr_assert_eq(select_take_account(&s.want, 0, &held), SELECT_OK);
    select_weigh(&s.want, &s.accounts[0], &rank);
    cr_expect_eq(rank.load, 33, "1 of 3 in percent");
    struct gate_local gates;
    struct gate_waiter waiter = { .limit = 1, .arrived_ns = clock_now_ns() };
    gate_waiter_init(&waiter);
    cr_assert(gate_init(&gates, s.segment, s.want.slot) == ERR_OK);
    cr_assert(!gate_wait(&gates, held.gate, &waiter));
    select_weigh(&s.want, &s.accounts[0], &rank);
    cr_expect_eq(rank.load, 66);
    gate_leave(&gates, &waiter);
    gate_fini(&gates);
    give(&s, &held);
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

Test(select, tells_cooling_missing_and_stopped_apart)
{
    struct stage s;
    begin(&s);
    record(&s, 2)->is_disabled = true;
    record(&s, 3)->is_disabled = true;
    spell_fail(s.segment, 0, s.want.model, 0, s.want.now_ms);
    spell_cast(s.segment, 1, s.want.model, 60000, s.want.now_ms);
    cr_expect_eq(select_judge(&s.want, &s.accounts[0]), SELECT_MODEL_COOLING);
    cr_expect_eq(select_judge(&s.want, &s.accounts[1]), SELECT_MODEL_MISSING);
    cr_expect_eq(choose(&s), -(int)SELECT_MODEL_COOLING);
    cr_expect(select_wait_ms(&s.want) > 4000 && select_wait_ms(&s.want) <= 5000);
    health_disable(s.segment, s.want.slot, 1, HEALTH_REASON_AUTH, 401, STR("no"), s.want.now_ms);
    cr_expect_eq(select_judge(&s.want, &s.accounts[1]), SELECT_STOPPED);
    cr_expect_eq(choose(&s), 0, "an only one is asked though its model cools");
    health_disable(s.segment, s.want.slot, 0, HEALTH_REASON_AUTH, 401, STR("no"), s.want.now_ms);
    cr_expect_eq(choose(&s), -(int)SELECT_STOPPED, "but not one that was stopped");
    finish(&s);
}

Test(select, knows_whether_all_that_rest_were_limited)
{
    struct stage s;
    begin(&s);
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        bench(&s, i);
    }
    cr_expect(select_is_limited(&s.want));
    health_reset(s.segment, 2, s.want.now_ms);
    health_failure(s.segment, s.want.slot, 2, HEALTH_REASON_AUTH, 0, 401, STR("no"), s.want.now_ms);
    cr_expect(!select_is_limited(&s.want));
    finish(&s);
}

/* Tokens that requests under way may use are not there for others. */
Test(select, passes_over_an_account_whose_tokens_are_reserved)
{
    struct stage s;
    begin(&s);
    for (uint32_t i = 1; i < HOW_MANY; i++) {
        record(&s, i)->is_disabled = true;
    }
    record(&s, 0)->tpm = 1000;
    s.want.now_ms = 60000 * 100;
    s.want.tokens = 700;
    struct select_choice held;
    cr_assert_eq(select_take(&s.want, &held), SELECT_OK);
    cr_expect_eq(held.reserved, 700);
    cr_expect_eq(select_judge(&s.want, &s.accounts[0]), SELECT_RATE);
    s.want.tokens = 300;
    cr_expect_eq(select_judge(&s.want, &s.accounts[0]), SELECT_OK);
    select_settle(s.segment, s.want.slot, &held, 100, s.want.now_ms);
    give(&s, &held);
    s.want.tokens = 900;
    cr_assert_eq(select_take(&s.want, &held), SELECT_OK, "what was not used is free");
    give(&s, &held); /* an attempt that failed */
    s.want.tokens = 901;
    cr_expect_eq(select_judge(&s.want, &s.accounts[0]), SELECT_RATE, "100 are used");
    finish(&s);
}

/* As long as another dialect of the account is there; and for the dialect's own endpoint only. */
Test(select, passes_over_who_lacks_the_endpoint)
{
    struct stage s;
    begin(&s);
    stage_brief(&s.want);
    s.want.dialect = DIALECT_RESPONSES;
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        cr_expect(select_speaks(&s.want, true));
        lack_note(s.segment, i, DIALECT_RESPONSES, LACK_PROVEN, 404, 60000, s.want.now_ms);
        cr_expect_eq(select_judge(&s.want, &s.accounts[i]), SELECT_ENDPOINT);
        cr_expect_eq(choose(&s), i + 1 < HOW_MANY ? (int)i + 1 : -SELECT_ENDPOINT);
    }
    cr_expect(!select_speaks(&s.want, true), "translated, then");
    cr_expect_eq(select_wait_ms(&s.want), 0);
    s.want.is_side = true;
    cr_expect(choose(&s) >= 0 && select_speaks(&s.want, false));
    s.want.is_side = false;
    s.want.dialect = DIALECT_CHAT;
    cr_expect(choose(&s) >= 0 && select_speaks(&s.want, false));
    lack_note(s.segment, 2, DIALECT_CHAT, LACK_PROVEN, 404, 60000, s.want.now_ms);
    s.want.dialect = DIALECT_RESPONSES;
    cr_expect_eq(choose(&s), 2, "nothing is left of it: asked all the same");
    s.want.now_ms += 60000;
    cr_expect(select_speaks(&s.want, false), "forgotten");
    finish(&s);
}

/* An only account that rests is used all the same; who lacks the endpoint is not another one. */
Test(select, who_lacks_the_endpoint_does_not_count_as_another)
{
    struct stage s;
    begin(&s);
    s.want.dialect = DIALECT_RESPONSES;
    for (uint32_t i = 1; i < HOW_MANY; i++) {
        lack_note(s.segment, i, DIALECT_RESPONSES, LACK_PROVEN, 404, 60000, s.want.now_ms);
    }
    bench(&s, 0);
    cr_expect_eq(choose(&s), 0);
    finish(&s);
}
