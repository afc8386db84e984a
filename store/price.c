#include "store/price.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/num.h"

#define TOKENS_A_K 1000u

/* --- the members' names --- */

struct stem {
    struct str text;
    enum money_kind kind;
};

#define STEM(text, kind)                 \
    {                                    \
        { text, sizeof(text) - 1 }, kind \
    }

/* A longer one first where one begins with another. */
static const struct stem stems[] = {
    STEM("input_cost_per_token", MONEY_IN_FRESH),
    STEM("cache_read_input_token_cost", MONEY_IN_CACHE_READ),
    STEM("cache_creation_input_token_cost_above_1hr", MONEY_IN_CACHE_WRITE_1H),
    STEM("cache_creation_input_token_cost", MONEY_IN_CACHE_WRITE_5M),
    STEM("output_cost_per_token", MONEY_OUT_TEXT),
    STEM("output_cost_per_reasoning_token", MONEY_OUT_REASONING),
    STEM("output_cost_per_image", MONEY_IMAGE),
    STEM("input_cost_per_request", MONEY_REQUEST),
    STEM("input_cost_per_audio_token", MONEY_IN_AUDIO),
    STEM("input_cost_per_image_token", MONEY_IN_IMAGE),
    STEM("output_cost_per_audio_token", MONEY_OUT_AUDIO),
};
_Static_assert(sizeof(stems) / sizeof(stems[0]) == MONEY_KINDS, "each kind has a name");

/* What a member's name means. */
struct place {
    enum money_kind kind;
    enum price_service service;
    uint64_t above; /* input tokens; 0 = the base */
};

static bool
take_prefix(struct str *text, struct str prefix)
{
    if (text->len < prefix.len || memcmp(text->data, prefix.data, prefix.len) != 0) {
        return false;
    }
    *text = str_skip(*text, prefix.len);
    return true;
}

/* "_above_200k_tokens" */
static bool
take_above(struct str *rest, uint64_t *out)
{
    struct str text = *rest;
    size_t digits = 0;
    uint64_t count = 0;
    if (!take_prefix(&text, STR("_above_"))) {
        return false;
    }
    while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    if (digits > 6 || num_u64(str_make(text.data, digits), &count) != ERR_OK || count == 0) {
        return false;
    }
    text = str_skip(text, digits);
    if (!take_prefix(&text, STR("k_tokens"))) {
        return false;
    }
    *out = count * TOKENS_A_K;
    *rest = text;
    return true;
}

/* false: a member that is none of ours. */
static bool
find_place(struct str name, struct place *out)
{
    for (size_t i = 0; i < sizeof(stems) / sizeof(stems[0]); i++) {
        struct str rest = name;
        if (!take_prefix(&rest, stems[i].text)) {
            continue;
        }
        *out = (struct place){ stems[i].kind, PRICE_STANDARD, 0 };
        for (uint32_t parts = 0; rest.len > 0 && parts < 2; parts++) {
            if (out->above == 0 && take_above(&rest, &out->above)) {
                continue;
            }
            if (out->service == PRICE_STANDARD && take_prefix(&rest, STR("_priority"))) {
                out->service = PRICE_PRIORITY;
            } else if (out->service == PRICE_STANDARD && take_prefix(&rest, STR("_flex"))) {
                out->service = PRICE_FLEX;
            }
        }
        if (rest.len == 0) {
            return true;
        }
    }
    return false;
}

/* --- reading a row --- */

struct reading {
    struct price *price;
    char *why;
    enum err err;
    uint32_t prices;      /* members that were one */
    uint64_t image_token; /* output_cost_per_image_token: output of models that make images */
    uint64_t image_input; /* input_cost_per_image: of the same, what an image costs */
    uint64_t fast_ppm;    /* provider_specific_entry.fast: what the fast mode makes of all prices */
};

static bool
refuse(struct reading *reading, struct str name, const char *text)
{
    struct str shown = str_make(name.data, name.len < 64 ? name.len : 64);
    snprintf(reading->why, PRICE_WHY_BYTES, "%.*s: %s", STR_ARG(shown), text);
    reading->err = ERR_BAD;
    return false;
}

/* The step of a threshold, made when it is new; PRICE_STEPS_MAX: there are too many. */
static uint32_t
step_of(struct price *price, uint64_t above)
{
    uint32_t at = 0;
    while (at < price->steps && price->above[at] < above) {
        at++;
    }
    if (at < price->steps && price->above[at] == above) {
        return at;
    }
    if (price->steps == PRICE_STEPS_MAX) {
        return PRICE_STEPS_MAX;
    }
    for (uint32_t i = price->steps; i > at; i--) {
        price->above[i] = price->above[i - 1];
        for (uint32_t service = 0; service < PRICE_SERVICES; service++) {
            memcpy(price->pico[service][i], price->pico[service][i - 1],
                   sizeof(price->pico[service][i]));
        }
    }
    price->above[at] = above;
    for (uint32_t service = 0; service < PRICE_SERVICES; service++) {
        memset(price->pico[service][at], 0xff, sizeof(price->pico[service][at]));
    }
    price->steps++;
    return at;
}

static bool
read_pico(struct reading *reading, const struct json_member *member, uint64_t *out)
{
    uint64_t pico = 0;
    bool is_exact = true;
    if (member->value.kind != JSON_NUMBER) {
        return refuse(reading, member->name, "is no number");
    }
    enum err err = money_read(member->value.raw, 12, MONEY_PICO_MAX, &pico, &is_exact);
    if (err != ERR_OK) {
        return refuse(reading, member->name,
                      err == ERR_FULL ? "is more than $1,000" : "is no amount of money");
    }
    if (pico == 0 && !is_exact) {
        return refuse(reading, member->name, "is less than a picodollar");
    }
    *out = pico;
    reading->prices++;
    return true;
}

static bool
read_word(struct reading *reading, const struct json_member *member, char *out, size_t out_bytes)
{
    size_t len = 0;
    if (member->value.kind != JSON_STRING) {
        return refuse(reading, member->name, "is no text");
    }
    struct str raw = member->value.raw;
    struct str content = str_make(raw.data + 1, raw.len - 2);
    bool fits = json_unescape(content, out, out_bytes - 1, &len);
    out[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        out[i] = str_lower(out[i]);
        if ((unsigned char)out[i] < ' ' || out[i] == 0x7f) {
            return refuse(reading, member->name, "holds a control character");
        }
    }
    return fits || out_bytes == PRICE_WORD_BYTES ||
           refuse(reading, member->name, "is too long for a model's name");
}

static bool
put_once(struct reading *reading, const struct json_member *member, uint64_t pico, uint64_t *to)
{
    if (*to != PRICE_UNSET) {
        return refuse(reading, member->name, "is given twice");
    }
    *to = pico;
    return true;
}

static bool
read_once(struct reading *reading, const struct json_member *member, uint64_t *to)
{
    uint64_t pico = 0;
    return read_pico(reading, member, &pico) && put_once(reading, member, pico, to);
}

/* Anthropic's fast mode, as the convention has it: one factor. Prices of a tier say it better. */
static bool
read_fast(struct reading *reading, const struct json_member *member)
{
    struct json_value fast;
    if (!json_get(member->value, STR("fast"), &fast)) {
        return true;
    }
    enum err err = fast.kind != JSON_NUMBER
                       ? ERR_BAD
                       : money_read(fast.raw, 6, MONEY_PPM_MAX, &reading->fast_ppm, NULL);
    return err == ERR_OK || refuse(reading, member->name, "fast is no factor");
}

static bool
read_price(struct reading *reading, const struct json_member *member, const struct place *place)
{
    struct price *price = reading->price;
    uint64_t pico = 0;
    if (!read_pico(reading, member, &pico)) {
        return false;
    }
    if (place->kind >= MONEY_MEDIA && pico > MONEY_MEDIA_PICO_MAX) {
        return refuse(reading, member->name, "is more than $4,294 for a million tokens");
    }
    uint32_t step = step_of(price, place->above);
    if (step == PRICE_STEPS_MAX) {
        return refuse(reading, member->name, "is one threshold too many");
    }
    return put_once(reading, member, pico, &price->pico[place->service][step][place->kind]);
}

static bool
on_member(void *context, const struct json_member *member)
{
    struct reading *reading = context;
    struct price *price = reading->price;
    struct place place;
    if (member->value.kind == JSON_NULL) {
        return true;
    }
    if (json_name_is(member, STR("litellm_provider"))) {
        return read_word(reading, member, price->provider, sizeof(price->provider));
    }
    if (json_name_is(member, STR("mode"))) {
        return read_word(reading, member, price->mode, sizeof(price->mode));
    }
    if (json_name_is(member, STR("alias_of"))) {
        return read_word(reading, member, price->alias_of, sizeof(price->alias_of));
    }
    if (json_name_is(member, STR("output_cost_per_image_token"))) {
        return read_once(reading, member, &reading->image_token);
    }
    if (json_name_is(member, STR("input_cost_per_image"))) {
        return read_once(reading, member, &reading->image_input);
    }
    if (json_name_is(member, STR("provider_specific_entry"))) {
        return read_fast(reading, member);
    }
    return member->name_is_escaped || !find_place(member->name, &place) ||
           read_price(reading, member, &place);
}

/* Modes whose requests have both an input and an output in tokens; "" is taken for one. */
static bool
is_two_sided(const struct price *price)
{
    static const char *const modes[] = { "", "chat", "completion", "responses", "realtime" };
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(price->mode, modes[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Models that make images name their prices in their own way. */
static void
settle_images(struct reading *reading)
{
    uint64_t *base = reading->price->pico[PRICE_STANDARD][0];
    bool makes_images = strcmp(reading->price->mode, "image_generation") == 0;
    if (reading->image_token != PRICE_UNSET) {
        if (makes_images && base[MONEY_OUT_TEXT] == PRICE_UNSET) {
            base[MONEY_OUT_TEXT] = reading->image_token;
        } else {
            reading->prices--;
        }
    }
    if (reading->image_input != PRICE_UNSET) {
        if (makes_images && base[MONEY_IMAGE] == PRICE_UNSET) {
            base[MONEY_IMAGE] = reading->image_input;
        } else {
            reading->prices--;
        }
    }
}

static bool
is_tier_used(const struct price *price, uint32_t service, uint32_t step)
{
    for (uint32_t kind = 0; kind < MONEY_KINDS; kind++) {
        if (price->pico[service][step][kind] != PRICE_UNSET) {
            return true;
        }
    }
    return false;
}

/* In every tier both sides or neither; what is beside them needs them outside of tiers. */
static enum err
check_sides(struct reading *reading)
{
    const struct price *price = reading->price;
    for (uint32_t service = 0; service < PRICE_SERVICES; service++) {
        for (uint32_t step = 0; step < price->steps; step++) {
            const uint64_t *pico = price->pico[service][step];
            bool has_in = pico[MONEY_IN_FRESH] != PRICE_UNSET;
            bool has_out = pico[MONEY_OUT_TEXT] != PRICE_UNSET;
            const char *what = has_in ? "input without output" : "output without input";
            if (is_two_sided(price) && has_in != has_out) {
                snprintf(reading->why, PRICE_WHY_BYTES, "half a price: %s%s%s", what,
                         step > 0 ? " above a threshold" : "",
                         service != PRICE_STANDARD ? " in a service tier" : "");
                return ERR_BAD;
            }
        }
    }
    const uint64_t *base = price->pico[PRICE_STANDARD][0];
    bool has_tokens = base[MONEY_IN_FRESH] != PRICE_UNSET || base[MONEY_OUT_TEXT] != PRICE_UNSET;
    bool has_others = false;
    for (uint32_t service = 0; service < PRICE_SERVICES; service++) {
        for (uint32_t step = 0; step < price->steps; step++) {
            bool is_base = service == PRICE_STANDARD && step == 0;
            has_others = has_others || (!is_base && is_tier_used(price, service, step));
        }
    }
    for (uint32_t kind = MONEY_IN_CACHE_READ; kind < MONEY_KINDS; kind++) {
        if (kind == MONEY_IMAGE || kind == MONEY_REQUEST) {
            continue; /* may stand alone */
        }
        has_others = has_others || (kind != MONEY_OUT_TEXT && base[kind] != PRICE_UNSET);
    }
    if (has_others && !has_tokens) {
        snprintf(reading->why, PRICE_WHY_BYTES,
                 "half a price: tiers, caches or sounds without input and output");
        return ERR_BAD;
    }
    return ERR_OK;
}

/* The fast mode as the priority tier, unless that is said. */
static void
settle_fast(struct reading *reading)
{
    struct price *price = reading->price;
    if (reading->fast_ppm == 0 || price_has_service(price, PRICE_PRIORITY)) {
        return;
    }
    for (uint32_t kind = 0; kind < MONEY_IMAGE; kind++) {
        uint64_t pico = price->pico[PRICE_STANDARD][0][kind];
        if (pico != PRICE_UNSET) {
            unsigned __int128 fast = (unsigned __int128)pico * reading->fast_ppm;
            fast = (fast + MONEY_PPM_ONE / 2) / MONEY_PPM_ONE;
            price->pico[PRICE_PRIORITY][0][kind] =
                fast > MONEY_PICO_MAX ? MONEY_PICO_MAX : (uint64_t)fast;
        }
    }
}

static enum err
begin_row(struct str model, struct price *out, char why[PRICE_WHY_BYTES])
{
    *out = (struct price){ .steps = 1 };
    memset(out->pico, 0xff, sizeof(out->pico));
    if (model.len == 0 || model.len >= sizeof(out->model)) {
        snprintf(why, PRICE_WHY_BYTES, "the model's name is empty or too long");
        return ERR_BAD;
    }
    for (size_t i = 0; i < model.len; i++) {
        out->model[i] = str_lower(model.data[i]);
        if ((unsigned char)model.data[i] <= ' ' || model.data[i] == 0x7f) {
            snprintf(why, PRICE_WHY_BYTES, "the model's name holds a blank or control character");
            return ERR_BAD;
        }
    }
    return ERR_OK;
}

enum err
price_read(struct str model, struct json_value row, struct price *out, char why[PRICE_WHY_BYTES])
{
    struct reading reading = {
        .price = out, .why = why, .image_token = PRICE_UNSET, .image_input = PRICE_UNSET
    };
    why[0] = '\0';
    enum err err = begin_row(model, out, why);
    if (err != ERR_OK) {
        return err;
    }
    if (row.kind != JSON_OBJECT) {
        snprintf(why, PRICE_WHY_BYTES, "the row is no object");
        return ERR_BAD;
    }
    err = json_scan_object(row, on_member, &reading);
    if (err != ERR_OK || reading.err != ERR_OK) {
        return ERR_BAD;
    }
    settle_images(&reading);
    settle_fast(&reading);
    if (out->alias_of[0] != '\0') {
        if (reading.prices == 0 && strcmp(out->alias_of, out->model) != 0) {
            return ERR_OK;
        }
        snprintf(why, PRICE_WHY_BYTES, "an alias has no prices of its own and names another model");
        return ERR_BAD;
    }
    return reading.prices == 0 ? ERR_GONE : check_sides(&reading);
}

/* --- writing --- */

/* The table of names in the order of enum money_kind. */
static struct str
stem_of(uint32_t kind)
{
    for (size_t i = 0; i < MONEY_KINDS; i++) {
        if ((uint32_t)stems[i].kind == kind) {
            return stems[i].text;
        }
    }
    CHECK(false);
    return STR("");
}

static void
write_tier(const struct price *price, uint32_t service, uint32_t step, struct jsonw *w)
{
    static const char *const suffixes[PRICE_SERVICES] = { "", "_priority", "_flex" };
    for (uint32_t kind = 0; kind < MONEY_KINDS; kind++) {
        char name[128];
        char above[40] = "";
        char number[MONEY_TEXT_BYTES];
        uint64_t pico = price->pico[service][step][kind];
        if (pico == PRICE_UNSET) {
            continue;
        }
        if (step > 0) {
            snprintf(above, sizeof(above), "_above_%lluk_tokens",
                     (unsigned long long)(price->above[step] / TOKENS_A_K));
        }
        struct str stem = stem_of(kind);
        snprintf(name, sizeof(name), "%.*s%s%s", STR_ARG(stem), above, suffixes[service]);
        uint32_t len = money_text((int64_t)pico, 12, number);
        jsonw_name(w, name);
        jsonw_raw(w, str_make(number, len));
    }
}

void
price_write(const struct price *price, struct jsonw *w)
{
    if (price->provider[0] != '\0') {
        jsonw_put_text(w, "litellm_provider", price->provider);
    }
    if (price->mode[0] != '\0') {
        jsonw_put_text(w, "mode", price->mode);
    }
    if (price->alias_of[0] != '\0') {
        jsonw_put_text(w, "alias_of", price->alias_of);
    }
    for (uint32_t service = 0; service < PRICE_SERVICES; service++) {
        for (uint32_t step = 0; step < price->steps; step++) {
            write_tier(price, service, step, w);
        }
    }
}

bool
price_has_service(const struct price *price, enum price_service service)
{
    bool has = service == PRICE_STANDARD;
    for (uint32_t step = 0; step < price->steps; step++) {
        has = has || is_tier_used(price, service, step);
    }
    return has;
}

/* --- names --- */

enum price_service
price_service_of(struct str text)
{
    static const struct {
        const char *text;
        enum price_service service;
    } names[] = { { "priority", PRICE_PRIORITY },
                  { "fast", PRICE_PRIORITY },
                  { "flex", PRICE_FLEX },
                  { "on_demand_flex", PRICE_FLEX } };
    if (text.len == 0) {
        return PRICE_STANDARD; /* nearly always nothing is said */
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (str_equal_nocase(text, str_of(names[i].text))) {
            return names[i].service;
        }
    }
    return PRICE_STANDARD;
}

const char *
price_service_text(enum price_service service)
{
    switch (service) {
    case PRICE_STANDARD:
        return "default";
    case PRICE_PRIORITY:
        return "priority";
    case PRICE_FLEX:
        return "flex";
    }
    return "unknown";
}

const char *
price_source_text(enum price_source source)
{
    switch (source) {
    case PRICE_NONE:
        return "none";
    case PRICE_OWN:
        return "own";
    case PRICE_IMPORTED:
        return "imported";
    case PRICE_SHIPPED:
        return "shipped";
    }
    return "unknown";
}
