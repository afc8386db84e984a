#include "store/pricecard.h"

#include "base/check.h"

/* value * to / from, rounded half up; `value` when there is nothing to go by. */
static uint64_t
follow(uint64_t value, uint64_t to, uint64_t from)
{
    if (from == 0 || to == from) {
        return value;
    }
    unsigned __int128 product = (unsigned __int128)value * to + from / 2;
    unsigned __int128 result = product / from;
    return result > MONEY_PICO_MAX ? MONEY_PICO_MAX : (uint64_t)result;
}

static uint64_t
first_set(uint64_t a, uint64_t b, uint64_t c)
{
    if (a != PRICE_UNSET) {
        return a;
    }
    return b != PRICE_UNSET ? b : c;
}

/* Outside of tiers. */
static void
resolve_base(const struct price *price, uint64_t base[MONEY_KINDS])
{
    const uint64_t *said = price->pico[PRICE_STANDARD][0];
    uint64_t in = first_set(said[MONEY_IN_FRESH], 0, 0);
    uint64_t out = first_set(said[MONEY_OUT_TEXT], 0, 0);
    base[MONEY_IN_FRESH] = in;
    base[MONEY_IN_CACHE_READ] = first_set(said[MONEY_IN_CACHE_READ], in, in);
    base[MONEY_IN_CACHE_WRITE_5M] = first_set(said[MONEY_IN_CACHE_WRITE_5M], in, in);
    base[MONEY_IN_CACHE_WRITE_1H] =
        first_set(said[MONEY_IN_CACHE_WRITE_1H], said[MONEY_IN_CACHE_WRITE_5M], in);
    base[MONEY_OUT_TEXT] = out;
    base[MONEY_OUT_REASONING] = first_set(said[MONEY_OUT_REASONING], out, out);
    base[MONEY_IMAGE] = first_set(said[MONEY_IMAGE], 0, 0);
    base[MONEY_REQUEST] = first_set(said[MONEY_REQUEST], 0, 0);
    base[MONEY_IN_AUDIO] = first_set(said[MONEY_IN_AUDIO], in, in);
    base[MONEY_IN_IMAGE] = first_set(said[MONEY_IN_IMAGE], in, in);
    base[MONEY_OUT_AUDIO] = first_set(said[MONEY_OUT_AUDIO], out, out);
}

/* A kind that may stand alone: said in the tier, or made of its two halves, or of one of them. */
static uint64_t
resolve_lead(const struct price *price, enum price_service service, uint32_t step,
             enum money_kind kind, const uint64_t base[MONEY_KINDS])
{
    uint64_t said = price->pico[service][step][kind];
    uint64_t in_service = price->pico[service][0][kind];
    uint64_t in_step = price->pico[PRICE_STANDARD][step][kind];
    if (said == PRICE_UNSET && in_service != PRICE_UNSET && in_step != PRICE_UNSET) {
        return follow(in_service, in_step, base[kind]);
    }
    return first_set(said, in_service, first_set(in_step, base[kind], 0));
}

void
pricecard_resolve(const struct price *price, enum price_service service, uint32_t step,
                  struct money_rates *out)
{
    CHECK((uint32_t)service < PRICE_SERVICES && step < price->steps);
    CHECK(price->alias_of[0] == '\0');
    uint64_t base[MONEY_KINDS];
    resolve_base(price, base);
    for (uint32_t kind = 0; kind < MONEY_KINDS; kind++) {
        bool is_output =
            kind == MONEY_OUT_TEXT || kind == MONEY_OUT_REASONING || kind == MONEY_OUT_AUDIO;
        enum money_kind lead = is_output ? MONEY_OUT_TEXT : MONEY_IN_FRESH;
        uint64_t said = price->pico[service][step][kind];
        if (kind == lead || kind == MONEY_IMAGE || kind == MONEY_REQUEST) {
            out->pico[kind] = resolve_lead(price, service, step, (enum money_kind)kind, base);
        } else if (said != PRICE_UNSET) {
            out->pico[kind] = said;
        } else {
            uint64_t tier = resolve_lead(price, service, step, lead, base);
            out->pico[kind] = follow(base[kind], tier, base[lead]);
        }
    }
}

enum price_service
pricecard_rates(const struct pricecard *card, enum price_service service, uint64_t input_tokens,
                const struct money_rates **out)
{
    CHECK((uint32_t)service < PRICE_SERVICES && (card->services & 1u) != 0);
    enum price_service holds = (card->services >> service & 1u) != 0 ? service : PRICE_STANDARD;
    uint32_t before = card->services & ((1u << holds) - 1u);
    uint32_t step = card->steps - 1;
    while (step > 0 && input_tokens <= card->above[step]) {
        step--;
    }
    *out = &card->rates[(uint32_t)__builtin_popcount(before) * card->steps + step];
    return holds;
}
