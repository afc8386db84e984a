/* How hard a model shall think: words, budgets, and what a model has of them. */
#include <criterion/criterion.h>

#include "proto/effort.h"

Test(effort, is_read_as_it_is_written)
{
    for (int i = HUB_EFFORT_OFF; i <= HUB_EFFORT_MAX; i++) {
        const char *word = effort_name((enum hub_effort)i);
        cr_assert_not_null(word);
        cr_expect_eq(effort_parse(str_of(word)), i, "%s", word);
    }
    cr_expect_null(effort_name(HUB_EFFORT_UNSET));
    cr_expect_null(effort_name(HUB_EFFORT_AUTO));
    static const char *const unknown[] = { "", "High", "highest", "hig", "auto" };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        cr_expect_eq(effort_parse(str_of(unknown[i])), HUB_EFFORT_UNSET, "%s", unknown[i]);
    }
}

Test(effort, of_a_budget_grows_with_it_and_back)
{
    cr_expect_eq(effort_of_budget(0), HUB_EFFORT_OFF);
    cr_expect_neq(effort_of_budget(1), HUB_EFFORT_OFF);
    cr_expect_eq(effort_of_budget(24576), HUB_EFFORT_HIGH);
    cr_expect_eq(effort_of_budget(24577), HUB_EFFORT_XHIGH);
    cr_expect_eq(effort_of_budget(UINT64_MAX), HUB_EFFORT_XHIGH);
    for (int i = HUB_EFFORT_MINIMAL; i <= HUB_EFFORT_XHIGH; i++) {
        uint64_t budget = effort_budget((enum hub_effort)i, 64000);
        cr_expect_gt(budget, effort_budget((enum hub_effort)(i - 1), 64000));
        cr_expect_eq(effort_of_budget(budget), i, "%llu", (unsigned long long)budget);
    }
    cr_expect_eq(effort_budget(HUB_EFFORT_MAX, 64000), 64000);
    cr_expect_eq(effort_budget(HUB_EFFORT_AUTO, 64000), 0);
    cr_expect_eq(effort_budget(HUB_EFFORT_OFF, 64000), 0);
}

#define MASK(level) (1u << HUB_EFFORT_##level)

Test(effort, becomes_the_nearest_that_the_model_has)
{
    static const struct {
        enum hub_effort asked;
        uint32_t mask;
        enum hub_effort got;
    } cases[] = {
        { HUB_EFFORT_MAX, MASK(XHIGH) | MASK(LOW), HUB_EFFORT_XHIGH },
        { HUB_EFFORT_MAX, MASK(LOW) | MASK(HIGH), HUB_EFFORT_HIGH },
        { HUB_EFFORT_MINIMAL, MASK(LOW) | MASK(HIGH), HUB_EFFORT_LOW },
        { HUB_EFFORT_MINIMAL, MASK(OFF) | MASK(LOW), HUB_EFFORT_LOW },
        { HUB_EFFORT_MEDIUM, MASK(MEDIUM), HUB_EFFORT_MEDIUM },
        { HUB_EFFORT_OFF, MASK(OFF) | MASK(MINIMAL), HUB_EFFORT_OFF },
        { HUB_EFFORT_OFF, MASK(MINIMAL) | MASK(HIGH), HUB_EFFORT_MINIMAL },
        { HUB_EFFORT_OFF, MASK(HIGH), HUB_EFFORT_UNSET },
        { HUB_EFFORT_HIGH, 0, HUB_EFFORT_UNSET },
        { HUB_EFFORT_UNSET, UINT32_MAX, HUB_EFFORT_UNSET },
        { HUB_EFFORT_AUTO, UINT32_MAX, HUB_EFFORT_UNSET },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(effort_degrade(cases[i].asked, cases[i].mask), cases[i].got, "case %zu", i);
    }
}

Test(effort, of_a_group_is_mapped_by_word)
{
    struct str map = STR("high=xhigh, none = low,,");
    cr_expect_eq(effort_mapped(map, HUB_EFFORT_HIGH), HUB_EFFORT_XHIGH);
    cr_expect_eq(effort_mapped(map, HUB_EFFORT_OFF), HUB_EFFORT_LOW);
    cr_expect_eq(effort_mapped(map, HUB_EFFORT_MEDIUM), HUB_EFFORT_MEDIUM);
    cr_expect_eq(effort_mapped(map, HUB_EFFORT_UNSET), HUB_EFFORT_UNSET);
    cr_expect_eq(effort_mapped(map, HUB_EFFORT_AUTO), HUB_EFFORT_AUTO);
    cr_expect_eq(effort_mapped(STR("high=much"), HUB_EFFORT_HIGH), HUB_EFFORT_HIGH);
    cr_expect(effort_map_is_good(map) && effort_map_is_good(STR("")));
    cr_expect(!effort_map_is_good(STR("high")) && !effort_map_is_good(STR("high=much")) &&
              !effort_map_is_good(STR("much=high")));
}
