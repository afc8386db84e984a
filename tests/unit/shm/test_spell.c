/* One model of one account rests; its others, and other accounts, do not. */
#include <criterion/criterion.h>

#include "shm/spell.h"
#include "tests/unit/shm/testseg.h"

static struct segment *
make(struct testseg *test)
{
    testseg_make(test, 4, 16, 16, 16);
    return &test->segment;
}

Test(spell, holds_for_one_model_of_one_account)
{
    struct testseg test;
    struct segment *segment = make(&test);
    cr_expect_eq(spell_left_ms(segment, 1, STR("gpt"), 1000), 0);
    spell_cast(segment, 1, STR("gpt"), 5000, 1000);
    cr_expect_eq(spell_left_ms(segment, 1, STR("gpt"), 1000), 5000);
    cr_expect_eq(spell_left_ms(segment, 1, STR("gpt"), 5999), 1);
    cr_expect_eq(spell_left_ms(segment, 1, STR("gpt"), 6000), 0);
    cr_expect_eq(spell_left_ms(segment, 1, STR("gpt-2"), 1000), 0);
    cr_expect_eq(spell_left_ms(segment, 2, STR("gpt"), 1000), 0);
}

Test(spell, a_longer_one_stays_and_a_new_one_follows)
{
    struct testseg test;
    struct segment *segment = make(&test);
    spell_cast(segment, 0, STR("m"), 5000, 1000);
    spell_cast(segment, 0, STR("m"), 1000, 1000);
    cr_expect_eq(spell_left_ms(segment, 0, STR("m"), 1000), 5000);
    spell_cast(segment, 0, STR("m"), 9000, 2000);
    cr_expect_eq(spell_left_ms(segment, 0, STR("m"), 2000), 9000);
    spell_cast(segment, 0, STR("m"), 1000, 20000);
    cr_expect_eq(spell_left_ms(segment, 0, STR("m"), 20000), 1000);
}

Test(spell, is_forgotten_with_its_account)
{
    struct testseg test;
    struct segment *segment = make(&test);
    spell_cast(segment, 3, STR("a"), 5000, 0);
    spell_cast(segment, 3, STR("b"), 5000, 0);
    spell_cast(segment, 4, STR("a"), 5000, 0);
    spell_forget(segment, 3);
    cr_expect_eq(spell_left_ms(segment, 3, STR("a"), 1), 0);
    cr_expect_eq(spell_left_ms(segment, 3, STR("b"), 1), 0);
    cr_expect_eq(spell_left_ms(segment, 4, STR("a"), 1), 4999);
}

/* Far more than there is room for: the last ones hold, and nothing else breaks. */
Test(spell, a_full_table_forgets_what_ends_first)
{
    struct testseg test;
    struct segment *segment = make(&test);
    for (uint32_t i = 0; i < 3 * SPELLS; i++) {
        char model[16];
        snprintf(model, sizeof model, "m%u", i);
        spell_cast(segment, i % 16, str_of(model), 100000 + i * 100, 0);
        cr_expect(spell_left_ms(segment, i % 16, str_of(model), 0) >= 100000);
    }
}
