/* The prices built into the program: whole, readable, and what store/prices.json says. */
#include "store/shipped.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/json.h"
#include "store/pricefile.h"

struct seen {
    uint32_t rows;
    uint32_t rows_max; /* then the error */
    enum err err;
};

static enum err
on_price(void *context, enum price_source source, const struct price *price)
{
    struct seen *seen = context;
    cr_assert_eq(source, PRICE_SHIPPED);
    cr_assert_neq(price->model[0], '\0');
    cr_assert(price->alias_of[0] != '\0' || (price->steps >= 1 && price->steps <= PRICE_STEPS_MAX),
              "%s", price->model);
    for (const char *c = price->model; *c != '\0'; c++) {
        cr_assert(*c < 'A' || *c > 'Z', "%s is not lower case", price->model);
    }
    seen->rows++;
    return seen->rows == seen->rows_max ? seen->err : ERR_OK;
}

static bool
on_row(void *context, const struct pricefile_row *row)
{
    *(uint32_t *)context += row->err == ERR_OK ? 1 : 0;
    cr_expect_neq(row->err, ERR_BAD, "line %u: %s", row->line, row->why);
    return true;
}

Test(shipped, is_a_whole_file_without_a_refused_row)
{
    struct json_value root;
    struct json_error error;
    char why[PRICE_WHY_BYTES];
    uint32_t rows = 0;
    struct str text = shipped_text();
    cr_assert_eq(json_read(text, &root, &error), ERR_OK);
    cr_assert_eq(root.kind, JSON_OBJECT);
    cr_expect_eq(text.data[text.len], '\0', "a NUL stands behind it");
    cr_assert_eq(pricefile_read(text, on_row, &rows, why), ERR_OK, "%s", why);
    struct seen seen = { .rows = 0 };
    cr_expect_eq(shipped_each(on_price, &seen), ERR_OK);
    cr_expect(seen.rows == rows && rows > 20, "%u of %u", seen.rows, rows);
}

Test(shipped, ends_with_the_callers_error)
{
    struct seen seen = { .rows_max = 2, .err = ERR_FULL };
    cr_expect_eq(shipped_each(on_price, &seen), ERR_FULL);
    cr_expect_eq(seen.rows, 2, "and asks no further");
}
