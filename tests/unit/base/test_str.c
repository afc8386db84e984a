#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/str.h"

/* What str_equal_nocase promises, byte by byte. */
static bool
plainly_equal(struct str a, struct str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (str_lower(a.data[i]) != str_lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

Test(str, equal_nocase_agrees_with_the_plain_way)
{
    static const char mean[] = "abzAZ@[`{_-\x80\xff";
    char a[40];
    char b[40];
    unsigned equal = 0;
    srand(7);
    for (unsigned round = 0; round < 300000; round++) {
        size_t length = (size_t)rand() % sizeof a;
        for (size_t i = 0; i < length; i++) {
            a[i] = mean[(size_t)rand() % (sizeof mean - 1)];
            int how = rand() % 60;
            b[i] = how == 0 ? (char)rand() : how < 20 ? (char)(a[i] ^ 0x20) : a[i];
        }
        struct str left = str_make(a, length);
        struct str right = str_make(b, length);
        bool is_equal = plainly_equal(left, right);
        equal += is_equal;
        cr_assert(str_equal_nocase(left, right) == is_equal, "round %u", round);
    }
    cr_expect(equal > 1000, "the random texts must often be equal");
}

Test(str, copies_only_what_fits_and_ends)
{
    char to[4] = "old";
    cr_expect(str_copy(to, sizeof to, STR("abc")));
    cr_expect_str_eq(to, "abc");
    cr_expect_not(str_copy(to, sizeof to, STR("abcd")));
    cr_expect_str_eq(to, "");
    cr_expect_not(str_copy(to, sizeof to, str_make("a\0b", 3)), "a NUL would hide the rest");
    cr_expect_not(str_copy(to, 0, STR("")));
}

Test(str, cuts_at_the_first_separator)
{
    struct str rest = STR("a,,b");
    cr_expect(str_equal(str_cut(&rest, ','), STR("a")));
    cr_expect(str_equal(str_cut(&rest, ','), STR("")));
    cr_expect(str_equal(str_cut(&rest, ','), STR("b")));
    cr_expect(rest.data == NULL && rest.len == 0);
}

Test(str, printable_is_between_the_blank_and_delete)
{
    char text[24];
    for (size_t length = 1; length <= sizeof text; length++) {
        for (size_t at = 0; at < length; at++) {
            for (unsigned c = 0; c < 256; c++) {
                memset(text, '~', sizeof text);
                text[at] = (char)c;
                bool is_good = c > 0x20 && c < 0x7f;
                cr_assert(str_is_printable(str_make(text, length)) == is_good, "%zu %zu %u", length,
                          at, c);
            }
        }
    }
}
