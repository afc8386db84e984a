/*
 * Names and masks of the dialects.
 */
#include <criterion/criterion.h>

#include "proto/dialect.h"

Test(dialect, names_and_masks_go_both_ways)
{
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        enum dialect got;
        cr_assert(dialect_parse(str_of(dialect_name((enum dialect)i)), &got));
        cr_assert_eq(got, (enum dialect)i);
    }
    for (uint32_t mask = 1; mask <= DIALECT_MASK_ALL; mask++) {
        char text[DIALECT_MASK_TEXT_BYTES];
        uint32_t got;
        cr_assert_eq(dialect_mask_parse(str_of(dialect_mask_text(mask, text)), &got), ERR_OK);
        cr_assert_eq(got, mask);
    }
    char text[DIALECT_MASK_TEXT_BYTES];
    cr_assert_str_eq(dialect_mask_text(DIALECT_MASK_ALL, text), "chat,responses,anthropic,gemini");
    cr_assert_str_eq(dialect_mask_text(0, text), "");
}

Test(dialect, lists_are_read_as_typed_and_refused_when_wrong)
{
    uint32_t mask;
    cr_assert_eq(dialect_mask_parse(STR(" gemini , chat"), &mask), ERR_OK);
    cr_assert_eq(mask, DIALECT_BIT(DIALECT_CHAT) | DIALECT_BIT(DIALECT_GEMINI));
    cr_assert_eq(dialect_mask_parse(STR("all"), &mask), ERR_OK);
    cr_assert_eq(mask, DIALECT_MASK_ALL);
    static const char *const bad[] = { "", ",", "chat,", "Chat", "openai", "chat responses" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(dialect_mask_parse(str_of(bad[i]), &mask), ERR_BAD, "%s", bad[i]);
    }
}
