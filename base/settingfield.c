/*
 * settingfield.c - the types of settings.
 */
#include "base/settingfield.h"

#include <string.h>

#include "base/check.h"

const char settingfield_bad_range[] = "must be";
const char settingfield_bad_choice[] = "must be one of";

struct suffix {
    const char *text;
    uint64_t factor;
};

/* Largest first, as the printer tries them. */
static const struct suffix ms_suffixes[] = {
    { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }
};
static const struct suffix bytes_suffixes[] = { { "g", 1ULL << 30 },
                                                { "m", 1ULL << 20 },
                                                { "k", 1ULL << 10 } };
#define SUFFIX_COUNT(table) (sizeof(table) / sizeof((table)[0]))

uint64_t
settingfield_get(const struct setting *row, const void *field)
{
    switch (row->type) {
    case SETTING_BOOL:
        return *(const bool *)field ? 1 : 0;
    case SETTING_U32:
    case SETTING_MS:
    case SETTING_CHOICE:
        return *(const uint32_t *)field;
    case SETTING_U64:
    case SETTING_BYTES:
        return *(const uint64_t *)field;
    case SETTING_TEXT:
    case SETTING_LIST:
        break;
    }
    CHECK(!"a text has no number");
    return 0;
}

static bool
lists_are_equal(const struct setting_list *a, const struct setting_list *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool
settingfield_equal(const struct setting *row, const void *a, const void *b)
{
    switch (row->type) {
    case SETTING_TEXT:
        return strncmp(a, b, row->size) == 0;
    case SETTING_LIST:
        return lists_are_equal(a, b);
    case SETTING_BOOL:
    case SETTING_U32:
    case SETTING_U64:
    case SETTING_MS:
    case SETTING_BYTES:
    case SETTING_CHOICE:
        return settingfield_get(row, a) == settingfield_get(row, b);
    }
    return false;
}

/* --- text to value: NULL, or a reason why not --- */

static const char *
parse_bool(struct str text, bool *out)
{
    static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_equal_nocase(text, str_of(words[i]))) {
            *out = i % 2 == 1;
            return NULL;
        }
    }
    return "must be yes or no";
}

/* Digits and a suffix of the table; without one the number counts `bare`. */
static const char *
parse_scaled(struct str text, const struct suffix *suffixes, size_t count, uint64_t bare,
             const char *reason, uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    struct str tail = str_trim(str_skip(text, digits));
    uint64_t factor = tail.len == 0 ? bare : 0;
    for (size_t i = 0; i < count && factor == 0; i++) {
        if (str_equal_nocase(tail, str_of(suffixes[i].text))) {
            factor = suffixes[i].factor;
        }
    }
    uint64_t number = 0;
    if (factor == 0 || num_u64(str_make(text.data, digits), &number) != ERR_OK ||
        __builtin_mul_overflow(number, factor, out)) {
        return reason;
    }
    return NULL;
}

static const char *
parse_number(const struct setting *row, struct str text, uint64_t *out)
{
    if (row->type == SETTING_MS) {
        return parse_scaled(text, ms_suffixes, SUFFIX_COUNT(ms_suffixes), 1000,
                            "must be a time such as 500ms, 30s, 5m or 2h", out);
    }
    if (row->type == SETTING_BYTES) {
        return parse_scaled(text, bytes_suffixes, SUFFIX_COUNT(bytes_suffixes), 1,
                            "must be a size such as 4096, 64k, 16m or 1g", out);
    }
    return num_u64(text, out) == ERR_OK ? NULL : "must be a whole number";
}

uint64_t
settingfield_max(const struct setting *row)
{
    bool is_32 = row->type == SETTING_U32 || row->type == SETTING_MS;
    uint64_t type_max = is_32 ? UINT32_MAX : UINT64_MAX;
    uint64_t max = row->max == 0 && row->min == 0 ? type_max : row->max;
    CHECK(max <= type_max && row->min <= max);
    return max;
}

const char *
settingfield_number(const struct setting *row, uint64_t number, char out[SETTINGFIELD_BYTES])
{
    const struct suffix *suffixes = row->type == SETTING_MS ? ms_suffixes : bytes_suffixes;
    size_t count = row->type == SETTING_MS      ? SUFFIX_COUNT(ms_suffixes)
                   : row->type == SETTING_BYTES ? SUFFIX_COUNT(bytes_suffixes)
                                                : 0;
    for (size_t i = 0; i < count && number > 0; i++) {
        if (number % suffixes[i].factor == 0) {
            uint32_t len = num_text(number / suffixes[i].factor, out);
            memcpy(out + len, suffixes[i].text, strlen(suffixes[i].text) + 1);
            return out;
        }
    }
    num_text(number, out);
    return out;
}

bool
settingfield_has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static const char *
parse_choice(const struct setting *row, struct str text, uint32_t *out)
{
    for (uint32_t i = 0; row->choices[i] != NULL; i++) {
        if (str_equal(text, str_of(row->choices[i]))) {
            *out = i;
            return NULL;
        }
    }
    return settingfield_bad_choice;
}

static const char *
parse_list_item(struct setting_list *list, struct str text, enum setting_source source)
{
    if (list->source != source || text.len == 0) {
        memset(list, 0, sizeof(*list));
        list->source = source;
    }
    if (text.len == 0) {
        return NULL;
    }
    if (list->count >= SETTING_LIST_ITEMS_MAX) {
        return "is given too often";
    }
    if (!str_copy(list->items[list->count], SETTING_LIST_ITEM_BYTES, text)) {
        return "is too long";
    }
    list->count++;
    return NULL;
}

static const char *
parse_ranged(const struct setting *row, struct str text, void *field)
{
    uint64_t number = 0;
    const char *reason = parse_number(row, text, &number);
    if (reason != NULL) {
        return reason;
    }
    if (number < row->min || number > settingfield_max(row)) {
        return settingfield_bad_range;
    }
    if (row->type == SETTING_U32 || row->type == SETTING_MS) {
        *(uint32_t *)field = (uint32_t)number;
    } else {
        *(uint64_t *)field = number;
    }
    return NULL;
}

static const char *
parse_text(const struct setting *row, struct str text, char *field)
{
    if (text.len >= row->size) {
        return "is too long";
    }
    /* Zeroes behind it, so that equal settings are equal bytes. */
    memset(field, 0, row->size);
    return str_copy(field, row->size, text) ? NULL : "holds a NUL";
}

const char *
settingfield_parse(const struct setting *row, struct str text, enum setting_source source,
                   void *field)
{
    if (settingfield_has_control(text)) {
        return "holds a control character";
    }
    switch (row->type) {
    case SETTING_BOOL:
        return parse_bool(text, field);
    case SETTING_U32:
    case SETTING_U64:
    case SETTING_MS:
    case SETTING_BYTES:
        return parse_ranged(row, text, field);
    case SETTING_TEXT:
        return parse_text(row, text, field);
    case SETTING_CHOICE:
        return parse_choice(row, text, field);
    case SETTING_LIST:
        return parse_list_item(field, text, source);
    }
    return "has no type";
}
