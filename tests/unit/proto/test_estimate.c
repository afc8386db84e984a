/*
 * Tokens counted by characters.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/estimate.h"

Test(estimate, counts_ascii_and_other_characters)
{
    cr_assert_eq(estimate_tokens(STR("")), 0);
    cr_assert_eq(estimate_tokens(STR("a")), 1);
    cr_assert_eq(estimate_tokens(STR("abcd efgh")), 3);
    cr_assert_eq(estimate_tokens(STR("\xe4\xbd\xa0\xe5\xa5\xbd")), 3);
    char text[3000];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = i % 7 == 6 ? ' ' : 'x';
    }
    cr_assert_eq(estimate_tokens(str_make(text, sizeof text)), 750);
    for (size_t i = 0; i < sizeof text; i += 3) {
        memcpy(text + i, "\xe5\xa5\xbd", 3);
    }
    cr_assert_eq(estimate_tokens(str_make(text, sizeof text)), 1500);
}

Test(estimate, leaves_base64_out)
{
    size_t len = 100000;
    char *text = malloc(len);
    memset(text, 'A', len);
    memcpy(text, "say what you see: \"", 19);
    text[len - 1] = '"';
    cr_assert_leq(estimate_tokens(str_make(text, len)), 50);
    memset(text, 'A', 400);
    for (size_t i = 400; i < 4000; i++) {
        text[i] = ' ';
    }
    cr_assert_eq(estimate_tokens(str_make(text, 4000)), 1000);
    free(text);
}
