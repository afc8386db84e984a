#include <criterion/criterion.h>

#include "base/err.h"

Test(err, names_and_texts_follow_the_rows)
{
    cr_assert_str_eq(err_text(ERR_OK), "ok");
    cr_assert_str_eq(err_text(ERR_TIMEOUT), "a deadline passed");
    cr_assert_str_eq(err_text((enum err)(ERR_BUG + 1)), "unknown code");
    cr_assert_str_eq(err_name((enum err) - 1), "unknown");

    static const char *const names[] = { "OK",  "AGAIN",  "FULL", "EOF", "TIMEOUT", "REFUSED",
                                         "BAD", "DENIED", "GONE", "IO",  "BUG" };
    for (int i = 0; i <= ERR_BUG; i++) {
        const char *name = err_name((enum err)i);
        size_t j = 0;
        for (; names[i][j] != '\0'; j++) {
            cr_assert_eq(name[j] - 'a', names[i][j] - 'A', "%s against %s", name, names[i]);
        }
        cr_assert_eq(name[j], '\0');
    }
}
