/*
 * stage.h - for tests of the choice of an account: some accounts, two groups, a want.
 */
#ifndef TESTS_UNIT_UPSTREAM_STAGE_H
#define TESTS_UNIT_UPSTREAM_STAGE_H

#include "shm/gate.h"
#include "shm/health.h"
#include "tests/unit/shm/testseg.h"
#include "upstream/bound.h"
#include "upstream/select.h"
#include "upstream/target.h"

#define HOW_MANY 4u

/* The records are changed by the tests: their briefs follow at each choice. */
#define select_take(want, out) (stage_brief(want), (select_take)(want, out))
#define select_wait_ms(want) (stage_brief(want), (select_wait_ms)(want))
#define select_has_other(want) (stage_brief(want), (select_has_other)(want))
#define select_is_limited(want) (stage_brief(want), (select_is_limited)(want))

static inline void
stage_brief(const struct select_want *want)
{
    for (uint32_t i = 0; i < want->view->account_count; i++) {
        catalog_brief(&want->view->accounts[i], target_speaks,
                      (struct catalog_brief *)(uintptr_t)&want->view->briefs[i]);
    }
}

struct stage {
    struct testseg test;
    struct segment *segment;
    struct catalog_account accounts[HOW_MANY];
    struct catalog_brief briefs[HOW_MANY];
    uint32_t order[HOW_MANY];
    struct catalog_group groups[2];
    struct catalog_view view;
    struct select_want want;
    uint64_t tried[HOW_MANY];
};

/* Accounts 1 to HOW_MANY (ids 101...), all alike, in groups 0 and 1. */
static inline void
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
    s->view = (struct catalog_view){ .accounts = s->accounts,
                                     .briefs = s->briefs,
                                     .account_count = HOW_MANY,
                                     .groups = s->groups,
                                     .group_count = 2 };
    s->want = (struct select_want){ .segment = s->segment,
                                    .slot = testseg_active(&s->test, SLOT_WORKER),
                                    .view = &s->view,
                                    .dialect = DIALECT_CHAT,
                                    .model = STR("gpt-4o"),
                                    .tried = s->tried,
                                    .now_ms = 1000000,
                                    .arrived_ns = clock_now_ns() };
}

static inline void
finish(struct stage *s)
{
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        target_free(s->accounts[i].extra);
    }
}

static inline struct account *
record(struct stage *s, uint32_t i)
{
    return &s->accounts[i].account;
}

static inline void
give(struct stage *s, const struct select_choice *choice)
{
    select_give(s->segment, s->want.slot, &s->view, choice);
}

/* The index chosen, or minus the reason. The choice is given back. */
static inline int
choose(struct stage *s)
{
    struct select_choice choice;
    enum select_result result = bound_take(&s->want, false, &choice);
    if (result != SELECT_OK) {
        result = select_take(&s->want, &choice);
    }
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

static inline void
bench(struct stage *s, uint32_t i)
{
    health_failure(s->segment, s->want.slot, i, HEALTH_REASON_RATE_LIMITED, 0, 429, STR("no"),
                   s->want.now_ms);
}

#endif
