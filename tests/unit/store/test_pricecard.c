/* What a tier costs, and which tier holds for a request. */
#include "store/pricecard.h"

#include <criterion/criterion.h>

Test(pricecard, picks_the_step_by_the_whole_input_and_falls_back_to_the_standard_tier)
{
    struct money_rates rates[2] = { { .pico = { 1 } }, { .pico = { 2 } } };
    struct pricecard card = {
        .services = 1u << PRICE_STANDARD, .steps = 2, .above = { 0, 200000 }, .rates = rates
    };
    const struct money_rates *out = NULL;
    static const uint64_t inputs[] = { 0, 200000, 200001, UINT64_MAX };
    for (size_t i = 0; i < 4; i++) {
        cr_expect_eq(pricecard_rates(&card, PRICE_STANDARD, inputs[i], &out), PRICE_STANDARD);
        cr_expect_eq(out, &rates[i / 2], "%llu", (unsigned long long)inputs[i]);
    }
    for (int service = 0; service < (int)PRICE_SERVICES; service++) {
        cr_expect_eq(pricecard_rates(&card, (enum price_service)service, 1, &out), PRICE_STANDARD);
        cr_expect_eq(out, &rates[0]);
    }
}
