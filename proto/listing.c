/*
 * listing.c - lists of models in three shapes (see listing.h).
 */
#include "proto/listing.h"

#include "base/jsonw.h"
#include "base/num.h"

#define TIME_BYTES 21 /* "2025-10-09T08:53:20Z" and a NUL */

void
listing_page_read(struct str query, struct listing_page *out)
{
    *out = (struct listing_page){ .limit = 0 };
    while (query.len > 0) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');
        uint64_t number = 0;
        bool is_number = num_u64(value, &number) == ERR_OK && number <= UINT32_MAX;
        if (str_equal(name, STR("limit")) || str_equal(name, STR("pageSize"))) {
            out->limit = is_number ? (uint32_t)number : out->limit;
        } else if (str_equal(name, STR("pageToken"))) {
            out->skip = is_number ? (uint32_t)number : out->skip;
        } else if (str_equal(name, STR("after_id"))) {
            out->after = value;
        } else if (str_equal(name, STR("before_id"))) {
            out->before = value;
        }
    }
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = str_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is the percent-encoded text this id? */
static bool
means(struct str encoded, struct str id)
{
    size_t at = 0;
    for (size_t i = 0; i < encoded.len; i++, at++) {
        char c = encoded.data[i];
        if (c == '%' && i + 2 < encoded.len && hex_digit(encoded.data[i + 1]) >= 0 &&
            hex_digit(encoded.data[i + 2]) >= 0) {
            c = (char)(hex_digit(encoded.data[i + 1]) * 16 + hex_digit(encoded.data[i + 2]));
            i += 2;
        }
        if (at == id.len || id.data[at] != c) {
            return false;
        }
    }
    return at == id.len;
}

static bool
find(const struct listing_model *models, uint32_t count, struct str encoded, uint32_t *out_index)
{
    for (uint32_t i = 0; i < count && encoded.len > 0; i++) {
        if (means(encoded, models[i].id)) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

struct range {
    uint32_t from;
    uint32_t to;
    bool has_more;
};

static struct range
range_of(const struct listing_model *models, uint32_t count, const struct listing_page *page)
{
    uint32_t index;
    struct range range = { .from = page->skip < count ? page->skip : count, .to = count };
    if (find(models, count, page->after, &index)) {
        range.from = index + 1;
    }
    bool is_backwards = find(models, count, page->before, &index) && index >= range.from;
    range.to = is_backwards ? index : range.to;
    if (page->limit > 0 && range.to - range.from > page->limit) {
        range.has_more = true;
        if (is_backwards) {
            range.from = range.to - page->limit;
        } else {
            range.to = range.from + page->limit;
        }
    }
    return range;
}

static void
put_digits(char *out, uint64_t value, uint32_t digits)
{
    while (digits-- > 0) {
        out[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* The date of a number of days since 1970, years counted from March so that leap days come last. */
static void
put_time(char out[TIME_BYTES], uint64_t seconds)
{
    uint64_t days = seconds / 86400 + 719468;
    uint64_t era = days / 146097;
    uint64_t day_of_era = days % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month = (5 * day + 2) / 153;
    uint64_t year = era * 400 + year_of_era + (month >= 10 ? 1 : 0);
    memcpy(out, "0000-00-00T00:00:00Z", TIME_BYTES);
    put_digits(out, year, 4);
    put_digits(out + 5, month < 10 ? month + 3 : month - 9, 2);
    put_digits(out + 8, day - (153 * month + 2) / 5 + 1, 2);
    put_digits(out + 11, seconds / 3600 % 24, 2);
    put_digits(out + 14, seconds / 60 % 60, 2);
    put_digits(out + 17, seconds % 60, 2);
}

static struct str
name_of(const struct listing_model *model)
{
    return model->name.len > 0 ? model->name : model->id;
}

static void
write_openai(struct jsonw *w, const struct listing_model *model)
{
    jsonw_object(w);
    jsonw_put_str(w, "id", model->id);
    jsonw_put_text(w, "object", "model");
    jsonw_put_u64(w, "created", model->created_s);
    jsonw_put_str(w, "owned_by", model->owned_by.len > 0 ? model->owned_by : STR("sub2api"));
    jsonw_close(w);
}

static void
write_anthropic(struct jsonw *w, const struct listing_model *model)
{
    char time[TIME_BYTES];
    put_time(time, model->created_s);
    jsonw_object(w);
    jsonw_put_text(w, "type", "model");
    jsonw_put_str(w, "id", model->id);
    jsonw_put_str(w, "display_name", name_of(model));
    jsonw_put_text(w, "created_at", time);
    jsonw_close(w);
}

static void
write_gemini(struct jsonw *w, const struct listing_model *model)
{
    char name[512];
    size_t bytes = model->id.len < sizeof name - 7 ? model->id.len : sizeof name - 7;
    memcpy(name, "models/", 7);
    if (bytes > 0) {
        memcpy(name + 7, model->id.data, bytes);
    }
    jsonw_object(w);
    jsonw_put_str(w, "name", str_make(name, 7 + bytes));
    jsonw_put_text(w, "version", "001");
    jsonw_put_str(w, "displayName", name_of(model));
    jsonw_name(w, "supportedGenerationMethods");
    jsonw_array(w);
    jsonw_text(w, "generateContent");
    jsonw_text(w, "streamGenerateContent");
    jsonw_text(w, "countTokens");
    jsonw_close(w);
    jsonw_close(w);
}

static void
write_model(struct jsonw *w, enum dialect shape, const struct listing_model *model)
{
    switch (shape) {
    case DIALECT_CHAT:
    case DIALECT_RESPONSES:
        write_openai(w, model);
        return;
    case DIALECT_ANTHROPIC:
        write_anthropic(w, model);
        return;
    case DIALECT_GEMINI:
        write_gemini(w, model);
        return;
    case DIALECT_COUNT:
        return;
    }
}

/* The members beside Anthropic's list. */
static void
write_page(struct jsonw *w, const struct listing_model *models, const struct range *range)
{
    bool is_empty = range->from == range->to;
    jsonw_put_bool(w, "has_more", range->has_more);
    jsonw_name(w, "first_id");
    if (is_empty) {
        jsonw_null(w);
    } else {
        jsonw_str(w, models[range->from].id);
    }
    jsonw_name(w, "last_id");
    if (is_empty) {
        jsonw_null(w);
    } else {
        jsonw_str(w, models[range->to - 1].id);
    }
}

enum err
listing_write(struct buf *to, enum dialect shape, const struct listing_model *models,
              uint32_t count, const struct listing_page *page)
{
    static const struct listing_page everything = { .limit = 0 };
    bool is_paged = shape == DIALECT_ANTHROPIC || shape == DIALECT_GEMINI;
    struct range range = range_of(models, count, is_paged ? page : &everything);
    struct jsonw w;
    jsonw_begin(&w, to);
    jsonw_object(&w);
    if (!is_paged) {
        jsonw_put_text(&w, "object", "list");
    }
    jsonw_name(&w, shape == DIALECT_GEMINI ? "models" : "data");
    jsonw_array(&w);
    for (uint32_t i = range.from; i < range.to; i++) {
        write_model(&w, shape, &models[i]);
    }
    jsonw_close(&w);
    if (shape == DIALECT_ANTHROPIC) {
        write_page(&w, models, &range);
    } else if (shape == DIALECT_GEMINI && range.has_more) {
        char token[NUM_TEXT_BYTES];
        jsonw_put_str(&w, "nextPageToken", str_make(token, num_text(range.to, token)));
    }
    jsonw_close(&w);
    return jsonw_end(&w);
}

enum err
listing_write_one(struct buf *to, enum dialect shape, const struct listing_model *model)
{
    struct jsonw w;
    jsonw_begin(&w, to);
    write_model(&w, shape, model);
    return jsonw_end(&w);
}
