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

/* The last indexes there are: none is taken for another, nor for a failure or a time. */
Test(spell, tells_accounts_apart_up_to_the_last)
{
    struct segment_want want = { 4, 2, 16, 16, 16, ACCOUNTS_MAX, 64, "test" };
    struct segment segment;
    char why[SEGMENT_WHY_BYTES] = "";
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/sub2api-test-%d", (int)getpid());
    cr_assert_eq(segment_create(path, &want, &segment, why), ERR_OK, "%s", why);
    segment_remove(path);
    uint32_t last = ACCOUNTS_MAX - 1;
    for (uint32_t bit = 1; bit < ACCOUNTS_MAX; bit *= 2) {
        spell_fail(&segment, last ^ bit, STR("m"), 0, 1000);
        cr_expect_eq(spell_left_ms(&segment, last, STR("m"), 1000), 0, "%u", bit);
        cr_expect_eq(spell_left_ms(&segment, last ^ bit, STR("m"), 1000), SPELL_FIRST_MS);
        cr_expect_not(spell_is_missing(&segment, last ^ bit, STR("m"), 1000));
        spell_forget(&segment, last);
        cr_expect_eq(spell_left_ms(&segment, last ^ bit, STR("m"), 1000), SPELL_FIRST_MS);
    }
    for (uint32_t i = 0; i < 20; i++) {
        spell_fail(&segment, last, STR("m"), 0, 400000 * (i + 1));
        cr_expect_gt(spell_left_ms(&segment, last, STR("m"), 400000 * (i + 1)), 0);
    }
    spell_cast(&segment, last, STR("n"), 5000, 1000);
    cr_expect(spell_is_missing(&segment, last, STR("n"), 1000));
    spell_forget(&segment, last);
    cr_expect_eq(spell_left_ms(&segment, last, STR("n"), 1000), 0);
    segment_close(&segment);
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

Test(spell, rests_longer_each_time_a_model_fails)
{
    struct testseg test;
    struct segment *segment = make(&test);
    uint64_t now_ms = 1000;
    for (uint64_t want_ms = 5000; want_ms < 300000; want_ms *= 2) {
        spell_fail(segment, 1, STR("gpt"), 0, now_ms);
        cr_expect_eq(spell_left_ms(segment, 1, STR("gpt"), now_ms), want_ms);
        cr_expect(!spell_is_missing(segment, 1, STR("gpt"), now_ms));
        spell_fail(segment, 1, STR("gpt"), 0, now_ms + 100);
        cr_expect_eq(spell_left_ms(segment, 1, STR("gpt"), now_ms), want_ms, "sent before");
        now_ms += want_ms + SPELL_MEMORY_MS - 1000;
    }
    spell_fail(segment, 1, STR("gpt"), 0, now_ms);
    cr_expect_eq(spell_left_ms(segment, 1, STR("gpt"), now_ms), SPELL_LONGEST_MS);
    now_ms += SPELL_LONGEST_MS + SPELL_MEMORY_MS + 1000;
    spell_fail(segment, 1, STR("gpt"), 0, now_ms);
    cr_expect_eq(spell_left_ms(segment, 1, STR("gpt"), now_ms), SPELL_FIRST_MS, "long ago");
    cr_expect_eq(spell_left_ms(segment, 1, STR("gpt-2"), now_ms), 0);
}

Test(spell, rests_as_long_as_the_provider_says)
{
    struct testseg test;
    struct segment *segment = make(&test);
    spell_fail(segment, 1, STR("m"), 1000, 0);
    cr_expect_eq(spell_left_ms(segment, 1, STR("m"), 0), 1000, "obeyed the first time");
    spell_fail(segment, 1, STR("m"), 30000, 500);
    cr_expect_eq(spell_left_ms(segment, 1, STR("m"), 500), 30000, "and when it says longer");
    spell_fail(segment, 1, STR("m"), 1000, 31000);
    cr_expect_eq(spell_left_ms(segment, 1, STR("m"), 31000), 10000, "the least, the second time");
}

Test(spell, tells_a_missing_model_from_a_failing_one)
{
    struct testseg test;
    struct segment *segment = make(&test);
    cr_expect(!spell_is_missing(segment, 1, STR("m"), 0));
    spell_cast(segment, 1, STR("m"), 5000, 0);
    cr_expect(spell_is_missing(segment, 1, STR("m"), 0));
    cr_expect(!spell_is_missing(segment, 1, STR("m"), 5000));
    spell_fail(segment, 1, STR("m"), 0, 6000);
    cr_expect(!spell_is_missing(segment, 1, STR("m"), 6000));
    cr_expect_eq(spell_left_ms(segment, 1, STR("m"), 6000), SPELL_FIRST_MS);
}

/* All spells of one segment, given to another one, whose hashes are others. */
static uint32_t
carry(const struct segment *from, struct segment *to, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SPELLS; i++) {
        struct spell_view view;
        if (spell_read(from, i, now_ms, &view)) {
            spell_restore(to, &view, 500);
            count++;
        }
    }
    return count;
}

Test(spell, goes_on_in_another_segment)
{
    struct testseg old;
    struct testseg new;
    struct segment *segment = make(&old);
    struct segment *next = make(&new);
    char longest[SPELL_MODEL_BYTES + 1];
    memset(longest, 'm', SPELL_MODEL_BYTES);
    longest[SPELL_MODEL_BYTES] = '\0';
    cr_expect_not(spell_any(segment, 1000));
    spell_cast(segment, 1, STR("gpt"), 60000, 1000);
    spell_fail(segment, 2, STR("gpt"), 0, 1000);
    spell_fail(segment, 2, STR("gpt"), 0, 7000);
    spell_cast(segment, 3, STR("over"), 100, 1000);
    spell_cast(segment, 3, str_of(longest), 60000, 1000);
    spell_cast(segment, 3, str_of(longest + 1), 60000, 1000);
    cr_expect(spell_any(segment, 8000) && !spell_any(segment, 61000));

    cr_expect_eq(carry(segment, next, 8000), 3, "not what is over, nor too long a name");
    cr_expect_eq(spell_left_ms(next, 1, STR("gpt"), 500), 53000);
    cr_expect(spell_is_missing(next, 1, STR("gpt"), 500));
    cr_expect_eq(spell_left_ms(next, 2, STR("gpt"), 500), 9000);
    cr_expect(!spell_is_missing(next, 2, STR("gpt"), 500));
    cr_expect_eq(spell_left_ms(next, 3, str_of(longest + 1), 500), 53000);
    cr_expect_eq(spell_left_ms(next, 3, str_of(longest), 500), 0);
    cr_expect_eq(spell_left_ms(next, 2, STR("over"), 500), 0);
    spell_fail(next, 2, STR("gpt"), 0, 10000);
    cr_expect_eq(spell_left_ms(next, 2, STR("gpt"), 10000), 4 * SPELL_FIRST_MS,
                 "the third in a row");

    spell_cast(next, 1, STR("gpt"), 70000, 500);
    cr_expect_eq(carry(segment, next, 8000), 3);
    cr_expect_eq(spell_left_ms(next, 1, STR("gpt"), 500), 70000, "what holds stays");
    struct spell_view view = { .account = 1, .left_ms = UINT64_MAX, .failures = 99, .model = "x" };
    spell_restore(next, &view, 500);
    cr_expect_eq(spell_left_ms(next, 1, STR("x"), 500), SPELL_MS_MAX);
}

/* Its writer died in the midst, or another one wrote there as well. */
Test(spell, a_name_that_is_not_the_words_is_none)
{
    struct testseg test;
    struct segment *segment = make(&test);
    spell_cast(segment, 1, STR("a-model-of-many-words"), 60000, 1000);
    for (uint32_t i = 0; i < SPELLS; i++) {
        struct spell_view view;
        if (!spell_read(segment, i, 1000, &view)) {
            continue;
        }
        cr_expect_str_eq(view.model, "a-model-of-many-words");
        cr_expect(view.account == 1 && view.failures == 0 && view.left_ms == 60000);
        memset(&segment->spells->names[i].words[1], 0xff, 88);
        cr_expect_not(spell_read(segment, i, 1000, &view));
        cr_expect_gt(spell_left_ms(segment, 1, STR("a-model-of-many-words"), 1000), 0);
        return;
    }
    cr_assert_fail("it is not there");
}
