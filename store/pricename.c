#include "store/pricename.h"

#include <string.h>

#define PIECES_MAX 8u /* of a name, between slashes */

static bool
are_digits(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.len > 0;
}

static uint32_t
number_of(struct str text, size_t at, size_t count)
{
    uint32_t number = 0;
    for (size_t i = at; i < at + count; i++) {
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    return number;
}

static bool
is_year(uint32_t year)
{
    return year >= 2020 && year <= 2049;
}

static bool
is_day(uint32_t month, uint32_t day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* Digits in the places that `shape` has a '0' in, the shape's own characters elsewhere; the shape's
 * first character may be '-' where the name has '@'. */
static bool
has_shape(struct str text, const char *shape)
{
    size_t len = strlen(shape);
    if (text.len <= len) {
        return false;
    }
    struct str tail = str_skip(text, text.len - len);
    for (size_t i = 0; i < len; i++) {
        bool fits = shape[i] == '0' ? are_digits(str_make(tail.data + i, 1))
                                    : tail.data[i] == shape[i] || (i == 0 && tail.data[i] == '@');
        if (!fits) {
            return false;
        }
    }
    return true;
}

/* Bytes at the end that are a date or a version; 0 = none. */
static size_t
dated_bytes(struct str name)
{
    size_t end = name.len;
    if (has_shape(name, "-00000000")) {
        bool is_date = is_year(number_of(name, end - 8, 4)) &&
                       is_day(number_of(name, end - 4, 2), number_of(name, end - 2, 2));
        return is_date ? 9 : 0;
    }
    if (has_shape(name, "-0000-00-00")) {
        bool is_date = is_year(number_of(name, end - 10, 4)) &&
                       is_day(number_of(name, end - 5, 2), number_of(name, end - 2, 2));
        return is_date ? 11 : 0;
    }
    if (has_shape(name, "-00-0000") && is_year(number_of(name, end - 4, 4)) &&
        is_day(number_of(name, end - 7, 2), 1)) {
        return 8;
    }
    if (has_shape(name, "-00-00") &&
        is_day(number_of(name, end - 5, 2), number_of(name, end - 2, 2))) {
        return 6;
    }
    if (has_shape(name, "-0000") &&
        is_day(number_of(name, end - 4, 2), number_of(name, end - 2, 2))) {
        return 5;
    }
    if (has_shape(name, "-000") && number_of(name, end - 3, 3) < 100) {
        return 4;
    }
    struct str latest = STR("-latest");
    bool is_latest = name.len > latest.len && str_equal(str_skip(name, end - latest.len), latest);
    return is_latest ? latest.len : 0;
}

struct forms {
    struct str items[2 * PIECES_MAX];
    uint32_t count;
};

static void
collect(struct str name, struct forms *out)
{
    uint32_t pieces = 0;
    out->count = 0;
    for (struct str rest = name; rest.len > 0 && pieces < PIECES_MAX; pieces++) {
        out->items[out->count++] = rest;
        const char *slash = memchr(rest.data, '/', rest.len);
        rest = slash == NULL ? STR("") : str_skip(rest, (size_t)(slash - rest.data) + 1);
    }
    for (uint32_t i = 0; i < pieces; i++) {
        struct str item = out->items[i];
        size_t bytes = dated_bytes(item);
        if (bytes > 0) {
            out->items[out->count++] = str_make(item.data, item.len - bytes);
        }
    }
}

/* false: there is no such dot. */
static bool
replace_dots(char *text, size_t len)
{
    bool any = false;
    for (size_t i = 1; i + 1 < len; i++) {
        if (text[i] == '.' && are_digits(str_make(text + i - 1, 1)) &&
            are_digits(str_make(text + i + 1, 1))) {
            text[i] = '-';
            any = true;
        }
    }
    return any;
}

static bool
try_forms(const struct forms *forms, bool is_dotted, struct str whole, pricename_fn fn,
          void *context)
{
    for (uint32_t i = 0; i < forms->count; i++) {
        struct str item = forms->items[i];
        bool is_dated = item.data + item.len != whole.data + whole.len;
        enum pricename_rule rule = is_dotted               ? PRICENAME_DOTTED
                                   : is_dated              ? PRICENAME_DATED
                                   : item.len != whole.len ? PRICENAME_PREFIX
                                                           : PRICENAME_EXACT;
        if (fn(context, item, rule)) {
            return true;
        }
    }
    return false;
}

bool
pricename_each(struct str asked, pricename_fn fn, void *context)
{
    char text[MODEL_NAME_BYTES];
    struct forms forms;
    if (asked.len == 0 || asked.len >= sizeof(text)) {
        return false;
    }
    for (size_t i = 0; i < asked.len; i++) {
        text[i] = str_lower(asked.data[i]);
    }
    struct str name = str_make(text, asked.len);
    collect(name, &forms);
    if (try_forms(&forms, false, name, fn, context)) {
        return true;
    }
    return replace_dots(text, asked.len) && try_forms(&forms, true, name, fn, context);
}

const char *
pricename_rule_text(enum pricename_rule rule)
{
    switch (rule) {
    case PRICENAME_EXACT:
        return "exact";
    case PRICENAME_PREFIX:
        return "prefix";
    case PRICENAME_DATED:
        return "dated";
    case PRICENAME_DOTTED:
        return "dotted";
    }
    return "unknown";
}
