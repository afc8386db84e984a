/* A file in the field's convention, read in one walk. */
#include "store/pricefile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct seen {
    char text[512]; /* "line:model=E " a row */
    uint32_t rows;
    uint32_t rows_max; /* 0 = all */
};

static bool
on_row(void *context, const struct pricefile_row *row)
{
    struct seen *seen = context;
    size_t len = strlen(seen->text);
    cr_expect(row->err != ERR_OK || row->price->steps >= 1);
    cr_expect(row->err != ERR_BAD || row->why[0] != '\0');
    snprintf(seen->text + len, sizeof seen->text - len, "%u:%.*s=%s ", row->line,
             STR_ARG(row->model),
             row->err == ERR_OK     ? "ok"
             : row->err == ERR_GONE ? "gone"
                                    : "bad");
    seen->rows++;
    return seen->rows_max == 0 || seen->rows < seen->rows_max;
}

#define PRICED "{\"input_cost_per_token\":1e-6,\"output_cost_per_token\":1e-6}"

Test(pricefile, reports_each_row_with_its_line)
{
    char why[PRICE_WHY_BYTES] = "";
    struct seen seen = { .rows = 0 };
    struct str text = STR("{\n\"a\":" PRICED ",\n\n\"b\":{\"input_cost_per_second\":1},\"c\":"
                          "{\"input_cost_per_token\":-1,\n\"output_cost_per_token\":1}\n}");
    cr_assert_eq(pricefile_read(text, on_row, &seen, why), ERR_OK, "%s", why);
    cr_expect_str_eq(seen.text, "2:a=ok 4:b=gone 4:c=bad ");
    seen = (struct seen){ .rows_max = 1 };
    (void)!pricefile_read(text, on_row, &seen, why);
    cr_expect_str_eq(seen.text, "2:a=ok ", "stopped");
}

Test(pricefile, that_is_no_object_is_refused_with_a_reason)
{
    static const char *const bad[] = { "",         "[]",          "null",  "{\"a\":" PRICED,
                                       "{\"a\":}", "{} {}",       "\"a\"", "{\"a\":" PRICED ",}",
                                       "{a:1}",    "{\"a\":\x01}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char why[PRICE_WHY_BYTES] = "";
        struct seen seen = { .rows = 0 };
        cr_expect_eq(pricefile_read(str_of(bad[i]), on_row, &seen, why), ERR_BAD, "%s", bad[i]);
        cr_expect_neq(why[0], '\0', "%s", bad[i]);
    }
}
