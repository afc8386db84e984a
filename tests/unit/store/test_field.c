#include "store/field.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/money.h"

struct purse {
    uint64_t nano;
};

static const struct model_field money = { .name = "quota",
                                          .type = MODEL_DECIMAL,
                                          .size = sizeof(uint64_t),
                                          .scale = 9,
                                          .max = 1000000ull * MONEY_NANO_PER_DOLLAR,
                                          .flags = MODEL_IS_SETTABLE | MODEL_IS_SHOWN,
                                          .help = "Dollars." };

static enum err
set(const char *json, struct purse *purse, char why[MODEL_WHY_BYTES])
{
    struct json_value value;
    struct json_error error;
    why[0] = '\0';
    cr_assert(json_read(str_of(json), &value, &error) == ERR_OK, "%s", json);
    return field_set(&money, value, purse, why);
}

static const char *
stored(const struct purse *purse, char out[64])
{
    struct buf buf;
    struct jsonw w;
    buf_init(&buf, 64);
    jsonw_begin(&w, &buf);
    field_store(&money, purse, &w);
    cr_assert(jsonw_end(&w) == ERR_OK);
    cr_assert(str_copy(out, 64, buf_str(&buf)));
    buf_fini(&buf);
    return out;
}

Test(field, decimals_are_exact_from_numbers_and_from_text)
{
    static const struct {
        const char *json;
        uint64_t nano;
        const char *stored;
    } good[] = {
        { "12.5", 12500000000ull, "12.5" },
        { "\"12.5\"", 12500000000ull, "12.5" },
        { "0.000000001", 1, "0.000000001" },
        { "1e-9", 1, "0.000000001" },
        { "1000000", 1000000ull * MONEY_NANO_PER_DOLLAR, "1000000" },
        { "0", 0, "0" },
        { "null", 0, "0" },
        { "0.1", 100000000ull, "0.1" },
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char why[MODEL_WHY_BYTES];
        char text[64];
        struct purse purse = { 7 };
        struct purse back = { 7 };
        cr_expect(set(good[i].json, &purse, why) == ERR_OK, "%s: %s", good[i].json, why);
        cr_expect_eq(purse.nano, good[i].nano, "%s", good[i].json);
        cr_expect_str_eq(stored(&purse, text), good[i].stored);
        struct json_value value;
        struct json_error error;
        cr_assert(json_read(str_of(text), &value, &error) == ERR_OK);
        cr_expect(field_load(&money, value, &back) == ERR_OK && back.nano == purse.nano);
    }
}

Test(field, decimals_that_are_none_or_too_fine_or_too_much_are_refused_by_name)
{
    static const struct {
        const char *json;
        const char *why;
    } bad[] = {
        { "\"\"", "quota: a number" },         { "\"1,5\"", "quota: a number" },
        { "\"$5\"", "quota: a number" },       { "-1", "quota: a number" },
        { "0.0000000001", "quota: a number" }, { "1000000.000000001", "quota: at most 1000000" },
        { "true", "quota: true or false" },    { "[1]", "quota: lists" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char why[MODEL_WHY_BYTES];
        struct purse purse = { 7 };
        cr_expect(set(bad[i].json, &purse, why) == ERR_BAD, "%s", bad[i].json);
        cr_expect(strncmp(why, bad[i].why, strlen(bad[i].why)) == 0, "%s: %s", bad[i].json, why);
        cr_expect_eq(purse.nano, 7, "%s", bad[i].json);
    }
}
