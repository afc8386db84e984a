/*
 * A file of prices: any bytes. What is taken for a price is complete, within bounds, written as it
 * was read, and a name of it is found again; decimals agree with their own text.
 */
#include <stdlib.h>

#include "base/check.h"
#include "store/pricecard.h"
#include "store/pricefile.h"
#include "store/pricename.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_tiers(const struct price *price)
{
    CHECK(price->steps >= 1 && price->steps <= PRICE_STEPS_MAX && price->above[0] == 0);
    for (uint32_t service = 0; service < PRICE_SERVICES; service++) {
        for (uint32_t step = 0; step < price->steps; step++) {
            struct money_rates rates;
            CHECK(step == 0 || price->above[step] > price->above[step - 1]);
            pricecard_resolve(price, (enum price_service)service, step, &rates);
            for (uint32_t kind = 0; kind < MONEY_KINDS; kind++) {
                CHECK(rates.pico[kind] <= MONEY_PICO_MAX);
            }
        }
    }
}

/* What is written is read as the same. */
static void
check_again(const struct price *price)
{
    static struct price again;
    char why[PRICE_WHY_BYTES];
    struct json_value row;
    struct jsonw w;
    struct buf json;
    buf_init(&json, 65536);
    jsonw_begin(&w, &json);
    jsonw_object(&w);
    price_write(price, &w);
    jsonw_close(&w);
    CHECK(jsonw_end(&w) == ERR_OK);
    CHECK(json_read(buf_str(&json), &row, NULL) == ERR_OK);
    CHECK(price_read(str_of(price->model), row, &again, why) == ERR_OK);
    CHECK(memcmp(price->pico, again.pico, sizeof again.pico) == 0);
    CHECK(strcmp(price->alias_of, again.alias_of) == 0);
    buf_fini(&json);
}

static bool
on_form(void *context, struct str name, enum pricename_rule rule)
{
    uint32_t *forms = context;
    CHECK(name.len < MODEL_NAME_BYTES);
    CHECK((*forms)++ == 0 ? rule == PRICENAME_EXACT : rule != PRICENAME_EXACT);
    return false;
}

static bool
on_row(void *context, const struct pricefile_row *row)
{
    uint32_t *line = context;
    uint32_t forms = 0;
    CHECK(row->line >= *line);
    *line = row->line;
    CHECK(!pricename_each(row->model, on_form, &forms));
    CHECK(row->err != ERR_BAD || row->why[0] != '\0');
    if (row->err != ERR_OK) {
        return true;
    }
    if (row->price->alias_of[0] == '\0') {
        check_tiers(row->price);
    }
    check_again(row->price);
    return true;
}

static void
check_decimal(struct str text)
{
    uint64_t value = 0;
    bool is_exact = false;
    if (money_read(text, 12, MONEY_PICO_MAX, &value, &is_exact) != ERR_OK) {
        return;
    }
    char written[MONEY_TEXT_BYTES];
    uint64_t again = 0;
    struct str text_again = str_make(written, money_text((int64_t)value, 12, written));
    CHECK(money_read(text_again, 12, MONEY_PICO_MAX, &again, NULL) == ERR_OK && again == value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[PRICE_WHY_BYTES];
    uint32_t line = 1;
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct str text = str_make(copy, size);
    enum err err = pricefile_read(text, on_row, &line, why);
    CHECK(err == ERR_OK || why[0] != '\0');
    check_decimal(text);
    free(copy);
    return 0;
}
