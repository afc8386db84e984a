/* Which accounts could serve: what is remembered is what a comparison of all says. */
#include "upstream/roster.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNTS 150u
#define GROUPS 4u
#define ROUNDS 3000u

static const char *const lists[] = { "",         "gpt-4o",           "gpt-*",
                                     "claude-*", "o?-mini, gemini*", "m1*,m2*,m3*",
                                     "nothing" };
static const char *const maps[] = { "", "", "", "gpt-4o=x", "m*=y", "asked=sent" };
static const char *const models[] = { "gpt-4o",   "gpt-5",    "claude-opus", "o3-mini",
                                      "gemini-3", "asked",    "m1",          "m12",
                                      "m25",      "m3-large", "unheard-of",  "" };

struct world {
    struct segment segment; /* of which only the key of hashes is looked at */
    struct catalog_account *accounts;
    struct catalog_brief *briefs;
    uint32_t *members[GROUPS];
    struct catalog_group groups[GROUPS];
    struct catalog_view view;
    struct select_want want;
    uint64_t seed;
};

static uint32_t
draw(struct world *w, uint32_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % below;
}

static bool
once_in(struct world *w, uint32_t times)
{
    return draw(w, times) == 0;
}

/* Another snapshot: other accounts, other groups, another serial. */
static void
change(struct world *w)
{
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        struct account *record = &w->accounts[i].account;
        snprintf(record->models, sizeof record->models, "%s", lists[draw(w, 7)]);
        snprintf(record->model_map, sizeof record->model_map, "%s", maps[draw(w, 6)]);
        record->is_disabled = once_in(w, 6);
        w->accounts[i].is_broken = once_in(w, 9);
        w->accounts[i].extra = once_in(w, 30) ? NULL : w; /* anything */
        catalog_brief(&w->accounts[i], NULL, &w->briefs[i]);
        w->briefs[i].dialects = draw(w, 16);
    }
    for (uint32_t g = 0; g < GROUPS; g++) {
        static const uint32_t most[GROUPS] = { 1, 12, 65, ACCOUNTS };
        uint32_t count = draw(w, most[g] + 1);
        uint32_t from = draw(w, ACCOUNTS);
        for (uint32_t i = 0; i < count; i++) {
            w->members[g][i] = (from + i) % ACCOUNTS;
        }
        w->groups[g].account_count = count;
        w->groups[g].accounts = w->members[g];
    }
    w->view.serial++;
}

static void
begin(struct world *w)
{
    *w = (struct world){ .seed = 20261121 };
    w->accounts = calloc(ACCOUNTS, sizeof *w->accounts);
    w->briefs = aligned_alloc(sizeof *w->briefs, ACCOUNTS * sizeof *w->briefs);
    cr_assert(w->accounts != NULL && w->briefs != NULL);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        w->accounts[i].account.id = i + 1;
    }
    for (uint32_t g = 0; g < GROUPS; g++) {
        w->members[g] = calloc(ACCOUNTS, sizeof *w->members[g]);
        cr_assert_not_null(w->members[g]);
    }
    w->view = (struct catalog_view){ .accounts = w->accounts,
                                     .account_count = ACCOUNTS,
                                     .briefs = w->briefs,
                                     .groups = w->groups,
                                     .group_count = GROUPS };
    w->want = (struct select_want){ .segment = &w->segment, .view = &w->view };
    change(w);
}

static void
finish(struct world *w)
{
    for (uint32_t g = 0; g < GROUPS; g++) {
        free(w->members[g]);
    }
    free(w->accounts);
    free(w->briefs);
}

/* What roster_find says, held against each account's own judgement. */
static void
compare(const struct world *w, const char *when)
{
    const struct select_want *want = &w->want;
    const struct catalog_group *group = &w->groups[want->group];
    struct roster roster;
    roster_find(want, &roster);
    cr_assert_eq(roster.places, group->account_count, "%s", when);
    enum select_result others = SELECT_NONE;
    uint32_t count = 0;
    uint32_t next = roster_next(&roster, 0);
    for (uint32_t i = 0; i < group->account_count; i++) {
        uint32_t at = group->accounts[i];
        enum select_result result =
            roster_judge(&w->briefs[at], &w->accounts[at].account, want->dialect, want->model);
        cr_assert_eq(next == i, result == SELECT_OK, "%s: %s at %u of %u: %s", when,
                     want->model.data, i, group->account_count, select_text(result));
        if (result == SELECT_OK) {
            count++;
            next = roster_next(&roster, i + 1);
        } else {
            others = select_more_telling(others, result);
        }
    }
    cr_assert_eq(next, roster.places, "%s", when);
    cr_assert_eq(roster.count, count, "%s", when);
    cr_assert_eq(roster.others, others, "%s: %s", when, select_text(roster.others));
}

static void
ask(struct world *w, uint32_t group, uint32_t dialect, const char *model)
{
    w->want.group = group;
    w->want.dialect = (enum dialect)dialect;
    w->want.model = str_of(model);
}

/* Random views, models, dialects, groups, asked again and again. */
Test(roster, remembers_what_a_comparison_of_all_accounts_says)
{
    struct world w;
    begin(&w);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        ask(&w, draw(&w, GROUPS), draw(&w, 4), models[draw(&w, 12)]);
        compare(&w, "first");
        compare(&w, "again");
        if (once_in(&w, 100)) {
            change(&w);
            compare(&w, "after a change");
        }
    }
    finish(&w);
}

/* One account more than a moment ago, in a group that is remembered; and the old view meanwhile. */
Test(roster, sees_a_changed_catalog_at_once)
{
    struct world w;
    begin(&w);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        w.briefs[i].dialects = UINT32_MAX;
        w.briefs[i].is_disabled = i == 70;
        w.briefs[i].is_broken = false;
        w.briefs[i].has_models = false;
    }
    ask(&w, 3, DIALECT_CHAT, "gpt-4o");
    w.groups[3].account_count = ACCOUNTS;
    w.view.serial++;
    struct roster roster;
    roster_find(&w.want, &roster);
    cr_expect_eq(roster.count, ACCOUNTS - 1);
    cr_expect_eq(roster.others, SELECT_DISABLED);
    w.briefs[70].is_disabled = false;
    roster_find(&w.want, &roster);
    cr_expect_eq(roster.count, ACCOUNTS - 1, "the same snapshot is not compared again");
    w.view.serial++;
    roster_find(&w.want, &roster);
    cr_expect_eq(roster.count, ACCOUNTS);
    cr_expect_eq(roster.others, SELECT_NONE);
    w.view.serial--;
    roster_find(&w.want, &roster);
    cr_expect_eq(roster.count, ACCOUNTS - 1, "requests of the old view still have the old one");
    w.view.serial = 0;
    roster_find(&w.want, &roster);
    cr_expect_eq(roster.count, ACCOUNTS, "a view that may change is not remembered");
    finish(&w);
}

/* More models than fit, twice around, and longer ones than a name may be. */
Test(roster, forgets_what_was_asked_for_longest_ago)
{
    struct world w;
    char model[MODEL_NAME_BYTES + 10];
    begin(&w);
    for (uint32_t i = 0; i < 6 * ROSTERS; i++) {
        snprintf(model, sizeof model, "m%u", i % (3 * ROSTERS));
        ask(&w, 3, DIALECT_CHAT, model);
        compare(&w, "one of too many");
        ask(&w, 3, DIALECT_CHAT, "gpt-4o");
        compare(&w, "the one that is asked for all the time");
    }
    memset(model, 'm', sizeof model - 1);
    model[sizeof model - 1] = '\0';
    ask(&w, 3, DIALECT_CHAT, model);
    compare(&w, "a name that is too long");
    finish(&w);
}
