#include "store/price.h"

#include <criterion/criterion.h>

#include "store/pricecard.h"

static char why[PRICE_WHY_BYTES];

static enum err
read_row(const char *json, struct price *out)
{
    struct json_value row;
    cr_assert_eq(json_read(str_of(json), &row, NULL), ERR_OK, "%s", json);
    return price_read(STR("Some-Model"), row, out, why);
}

static struct price
good(const char *json)
{
    struct price price;
    cr_assert_eq(read_row(json, &price), ERR_OK, "%s: %s", json, why);
    return price;
}

static void
refused(const char *json, const char *words)
{
    struct price price;
    cr_expect_eq(read_row(json, &price), ERR_BAD, "%s", json);
    cr_expect_not_null(strstr(why, words), "%s: %s", json, why);
}

#define IN_OUT "\"input_cost_per_token\": 2.5e-06, \"output_cost_per_token\": 0.00001"

Test(price, reads_the_fields_members_exactly)
{
    struct price price = good("{\"litellm_provider\": \"OpenAI\", \"mode\": \"chat\", " IN_OUT
                              ", \"cache_read_input_token_cost\": 1.25e-06,"
                              "\"cache_creation_input_token_cost\": 3.125e-6,"
                              "\"cache_creation_input_token_cost_above_1hr\": 5e-6,"
                              "\"output_cost_per_reasoning_token\": 2e-5,"
                              "\"supports_vision\": true, \"max_tokens\": 128000, "
                              "\"input_cost_per_token_batches\": 1, \"nothing\": null}");
    const uint64_t *pico = price.pico[PRICE_STANDARD][0];
    cr_expect_str_eq(price.model, "some-model");
    cr_expect_str_eq(price.provider, "openai");
    cr_expect_eq(pico[MONEY_IN_FRESH], 2500000);
    cr_expect_eq(pico[MONEY_OUT_TEXT], 10000000);
    cr_expect_eq(pico[MONEY_IN_CACHE_READ], 1250000);
    cr_expect_eq(pico[MONEY_IN_CACHE_WRITE_5M], 3125000);
    cr_expect_eq(pico[MONEY_IN_CACHE_WRITE_1H], 5000000);
    cr_expect_eq(pico[MONEY_OUT_REASONING], 20000000);
    cr_expect_eq(pico[MONEY_IMAGE], PRICE_UNSET);
    cr_expect_eq(price.steps, 1);
}

Test(price, refuses_half_a_price_and_what_is_no_price)
{
    refused("{\"input_cost_per_token\": 1e-6}", "input without output");
    refused("{\"output_cost_per_token\": 1e-6, \"mode\": \"chat\"}", "output without input");
    refused("{" IN_OUT ", \"input_cost_per_token_above_200k_tokens\": 5e-6}", "above a threshold");
    refused("{" IN_OUT ", \"output_cost_per_token_priority\": 5e-6}", "in a service tier");
    refused("{\"cache_read_input_token_cost\": 1e-7}", "half a price");
    refused("{\"input_cost_per_token\": \"1e-6\", \"output_cost_per_token\": 1e-6}", "no number");
    refused("{\"input_cost_per_token\": -1e-6, \"output_cost_per_token\": 1e-6}", "no amount");
    refused("{\"input_cost_per_token\": 1e-13, \"output_cost_per_token\": 1e-6}", "picodollar");
    refused("{\"input_cost_per_token\": 1001, \"output_cost_per_token\": 1e-6}", "$1,000");
    refused("{\"input_cost_per_token\": 1, \"input_cost_per_token\": 2}", "twice");
    refused("{\"output_cost_per_image_token\": 1, \"output_cost_per_image_token\": 2}", "twice");
    refused("[]", "no object");
    refused("{\"alias_of\": \"some-model\"}", "alias");
    refused("{\"alias_of\": \"x\", " IN_OUT "}", "alias");
    refused("{" IN_OUT ", \"input_cost_per_token_above_1k_tokens\": 1,"
            "\"input_cost_per_token_above_2k_tokens\": 1,"
            "\"input_cost_per_token_above_3k_tokens\": 1}",
            "threshold too many");
}

Test(price, knows_modes_that_have_one_side)
{
    struct price price = good("{\"mode\": \"embedding\", \"input_cost_per_token\": 2e-08}");
    struct money_rates rates;
    pricecard_resolve(&price, PRICE_STANDARD, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_FRESH], 20000);
    cr_expect_eq(rates.pico[MONEY_OUT_TEXT], 0);
    price = good("{\"mode\": \"image_generation\", \"input_cost_per_image\": 0.04}");
    pricecard_resolve(&price, PRICE_STANDARD, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_IMAGE], 40000000000);
    price = good("{\"mode\": \"image_generation\", \"input_cost_per_token\": 5e-6, "
                 "\"output_cost_per_image_token\": 4e-5}");
    pricecard_resolve(&price, PRICE_STANDARD, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_OUT_TEXT], 40000000);
    /* Per second or pixel: nothing that we could charge by, and no error. */
    cr_expect_eq(
        read_row("{\"mode\": \"audio_transcription\", \"input_cost_per_second\": 0.0001}", &price),
        ERR_GONE);
    cr_expect_eq(read_row("{\"mode\": \"chat\", \"input_cost_per_image\": 0.001}", &price),
                 ERR_GONE);
    /* An explicit zero is a price. */
    good("{\"input_cost_per_token\": 0, \"output_cost_per_token\": 0.0}");
}

Test(price, fills_what_a_row_does_not_say)
{
    struct price price = good("{" IN_OUT "}");
    struct money_rates rates;
    pricecard_resolve(&price, PRICE_STANDARD, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_CACHE_READ], 2500000);
    cr_expect_eq(rates.pico[MONEY_IN_CACHE_WRITE_5M], 2500000);
    cr_expect_eq(rates.pico[MONEY_IN_CACHE_WRITE_1H], 2500000);
    cr_expect_eq(rates.pico[MONEY_OUT_REASONING], 10000000);
    cr_expect_eq(rates.pico[MONEY_IMAGE], 0);
    price = good("{" IN_OUT ", \"cache_creation_input_token_cost\": 3e-6}");
    pricecard_resolve(&price, PRICE_STANDARD, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_CACHE_WRITE_1H], 3000000);
}

/* Two thresholds and two service tiers, as the newest models have them, half of them unsaid. */
static const char tiers[] =
    "{\"input_cost_per_token\": 2e-6, \"output_cost_per_token\": 8e-6,"
    "\"cache_read_input_token_cost\": 5e-7,"
    "\"input_cost_per_token_above_272k_tokens\": 4e-6,"
    "\"output_cost_per_token_above_272k_tokens\": 1.2e-5,"
    "\"input_cost_per_token_above_200k_tokens\": 3e-6,"
    "\"output_cost_per_token_above_200k_tokens\": 9e-6,"
    "\"cache_read_input_token_cost_above_200k_tokens\": 6e-7,"
    "\"input_cost_per_token_priority\": 4e-6, \"output_cost_per_token_priority\": 16e-6,"
    "\"input_cost_per_token_above_272k_tokens_priority\": 9e-6,"
    "\"output_cost_per_token_above_272k_tokens_priority\": 27e-6}";

Test(price, tiers_follow_the_input_where_they_are_silent)
{
    struct price price = good(tiers);
    struct money_rates rates;
    cr_assert_eq(price.steps, 3);
    cr_expect_eq(price.above[1], 200000);
    cr_expect_eq(price.above[2], 272000);
    cr_expect(price_has_service(&price, PRICE_PRIORITY));
    cr_expect_not(price_has_service(&price, PRICE_FLEX));
    pricecard_resolve(&price, PRICE_STANDARD, 1, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_FRESH], 3000000);
    cr_expect_eq(rates.pico[MONEY_IN_CACHE_READ], 600000);
    cr_expect_eq(rates.pico[MONEY_OUT_REASONING], 9000000);
    pricecard_resolve(&price, PRICE_STANDARD, 2, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_CACHE_READ], 1000000); /* twice, as the input */
    pricecard_resolve(&price, PRICE_PRIORITY, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_OUT_TEXT], 16000000);
    cr_expect_eq(rates.pico[MONEY_IN_CACHE_READ], 1000000);
    pricecard_resolve(&price, PRICE_PRIORITY, 1, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_FRESH], 6000000); /* 4 * 3/2 */
    cr_expect_eq(rates.pico[MONEY_OUT_TEXT], 18000000);
    pricecard_resolve(&price, PRICE_PRIORITY, 2, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_FRESH], 9000000);
    cr_expect_eq(rates.pico[MONEY_OUT_TEXT], 27000000);
}

Test(price, a_factor_for_the_fast_mode_is_the_priority_tier)
{
    struct price price = good("{" IN_OUT ", \"cache_read_input_token_cost\": 1e-6,"
                              "\"provider_specific_entry\": {\"us\": 1.1, \"fast\": 6.0}}");
    struct money_rates rates;
    pricecard_resolve(&price, PRICE_PRIORITY, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_FRESH], 15000000);
    cr_expect_eq(rates.pico[MONEY_IN_CACHE_READ], 6000000);
    cr_expect_eq(rates.pico[MONEY_OUT_TEXT], 60000000);
    price = good("{" IN_OUT ", \"provider_specific_entry\": {\"fast\": 6},"
                 "\"input_cost_per_token_priority\": 3e-6,"
                 "\"output_cost_per_token_priority\": 2e-5}");
    pricecard_resolve(&price, PRICE_PRIORITY, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_FRESH], 3000000);
    refused("{" IN_OUT ", \"provider_specific_entry\": {\"fast\": \"6\"}}", "no factor");
}

Test(price, is_written_as_it_is_read)
{
    struct price price = good(tiers);
    struct price again;
    struct buf json;
    struct jsonw w;
    buf_init(&json, 65536);
    jsonw_begin(&w, &json);
    jsonw_object(&w);
    price_write(&price, &w);
    jsonw_close(&w);
    cr_assert_eq(jsonw_end(&w), ERR_OK);
    struct json_value row;
    cr_assert_eq(json_read(buf_str(&json), &row, NULL), ERR_OK);
    cr_assert_eq(price_read(STR("some-model"), row, &again, why), ERR_OK, "%s", why);
    cr_expect(memcmp(&price, &again, sizeof(price)) == 0);
    buf_fini(&json);
}

Test(price, service_tiers_have_the_providers_names)
{
    cr_expect_eq(price_service_of(STR("priority")), PRICE_PRIORITY);
    cr_expect_eq(price_service_of(STR("Fast")), PRICE_PRIORITY);
    cr_expect_eq(price_service_of(STR("flex")), PRICE_FLEX);
    cr_expect_eq(price_service_of(STR("ON_DEMAND_FLEX")), PRICE_FLEX);
    cr_expect_eq(price_service_of(STR("auto")), PRICE_STANDARD);
    cr_expect_eq(price_service_of(STR("")), PRICE_STANDARD);
}

Test(price, of_sounds_and_pictures_is_that_of_text_unless_it_is_said)
{
    struct price price = good("{" IN_OUT "}");
    struct money_rates rates;
    pricecard_resolve(&price, PRICE_STANDARD, 0, &rates);
    cr_expect(rates.pico[MONEY_IN_AUDIO] == rates.pico[MONEY_IN_FRESH] &&
              rates.pico[MONEY_IN_IMAGE] == rates.pico[MONEY_IN_FRESH] &&
              rates.pico[MONEY_OUT_AUDIO] == rates.pico[MONEY_OUT_TEXT]);
    price = good("{" IN_OUT ", \"input_cost_per_audio_token\": 4e-05, "
                 "\"input_cost_per_image_token\": 1e-05, \"output_cost_per_audio_token\": 8e-05}");
    pricecard_resolve(&price, PRICE_STANDARD, 0, &rates);
    cr_expect_eq(rates.pico[MONEY_IN_AUDIO], 40000000);
    cr_expect_eq(rates.pico[MONEY_IN_IMAGE], 10000000);
    cr_expect_eq(rates.pico[MONEY_OUT_AUDIO], 80000000);
    refused("{\"input_cost_per_audio_token\": 4e-05}", "without input and output");
    refused("{" IN_OUT ", \"input_cost_per_audio_token\": 0.01}", "$4,294");
}
