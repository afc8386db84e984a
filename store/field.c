/*
 * field.c - values of records, one at a time.
 */
#include "store/field.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/moment.h"
#include "base/money.h"
#include "base/num.h"
#include "store/match.h"

static void *
place(const struct model_field *field, void *object)
{
    return (char *)object + field->offset;
}

static const void *
place_const(const struct model_field *field, const void *object)
{
    return (const char *)object + field->offset;
}

static uint32_t
load_u32(const struct model_field *field, const void *object)
{
    uint32_t value;
    memcpy(&value, place_const(field, object), sizeof(value));
    return value;
}

static uint64_t
load_u64(const struct model_field *field, const void *object)
{
    uint64_t value;
    memcpy(&value, place_const(field, object), sizeof(value));
    return value;
}

static struct str
load_text(const struct model_field *field, const void *object)
{
    const char *text = place_const(field, object);
    return str_make(text, strnlen(text, field->size));
}

/* How many bytes of a MODEL_BYTES field count. */
static uint32_t
load_length(const struct model_field *field, const void *object)
{
    uint32_t length = (uint32_t)field->size;
    if (field->length_offset != 0) {
        memcpy(&length, (const char *)object + field->length_offset, sizeof(length));
    }
    CHECK(length <= field->size);
    return length;
}

static uint32_t
count_choices(const struct model_field *field)
{
    uint32_t count = 0;
    while (field->choices[count] != NULL) {
        count++;
    }
    return count;
}

/* --- to JSON --- */

static void
write_bytes(const struct model_field *field, const void *object, struct jsonw *w)
{
    char hex[2 * (SECRET_BYTES_MAX + DIGEST_SEAL_EXTRA_BYTES) + 1];
    uint32_t length = load_length(field, object);
    CHECK(2 * length < sizeof(hex));
    digest_hex(place_const(field, object), length, hex);
    jsonw_str(w, str_make(hex, 2 * (size_t)length));
}

static void
write_choice(const struct model_field *field, const void *object, struct jsonw *w)
{
    uint32_t choice = load_u32(field, object);
    CHECK(choice < count_choices(field));
    jsonw_text(w, field->choices[choice]);
}

static void
write_decimal(const struct model_field *field, const void *object, struct jsonw *w)
{
    char text[MONEY_TEXT_BYTES];
    uint64_t value = load_u64(field, object);
    CHECK(value <= INT64_MAX && field->scale > 0);
    jsonw_raw(w, str_make(text, money_text((int64_t)value, field->scale, text)));
}

void
field_store(const struct model_field *field, const void *object, struct jsonw *w)
{
    switch (field->type) {
    case MODEL_TEXT:
        jsonw_str(w, load_text(field, object));
        break;
    case MODEL_U32:
        jsonw_u64(w, load_u32(field, object));
        break;
    case MODEL_U64:
    case MODEL_TIME:
        jsonw_u64(w, load_u64(field, object));
        break;
    case MODEL_BOOL:
        jsonw_bool(w, *(const bool *)place_const(field, object));
        break;
    case MODEL_CHOICE:
        write_choice(field, object, w);
        break;
    case MODEL_DECIMAL:
        write_decimal(field, object, w);
        break;
    case MODEL_BYTES:
        write_bytes(field, object, w);
        break;
    }
}

/* "http://user:password@host" becomes "http://user:***@host"; anything odd is not shown at all. */
static void
show_url(struct str text, struct jsonw *w)
{
    struct match_url url;
    char shown[URL_BYTES + 8];
    if (memchr(text.data, '@', text.len) == NULL) {
        jsonw_str(w, text);
        return;
    }
    if (!match_url(text, &url) || url.userinfo.data == NULL) {
        jsonw_text(w, "***");
        return;
    }
    struct str after = url.userinfo;
    struct str user = str_cut(&after, ':');
    bool has_password = user.len < url.userinfo.len;
    struct str rest = str_skip(text, (size_t)(url.userinfo.data - text.data) + url.userinfo.len);
    int len = snprintf(shown, sizeof(shown), "%.*s://%.*s%s%.*s", STR_ARG(url.scheme),
                       STR_ARG(user), has_password ? ":***" : "", STR_ARG(rest));
    CHECK(len > 0 && (size_t)len < sizeof(shown));
    jsonw_str(w, str_make(shown, (size_t)len));
}

static void
show_time(uint64_t wall_ms, struct jsonw *w)
{
    char text[CLOCK_TEXT_BYTES];
    if (wall_ms == 0) {
        jsonw_null(w);
        return;
    }
    jsonw_text(w, clock_text(wall_ms, text));
}

void
field_show(const struct model_field *field, const void *object, struct jsonw *w)
{
    CHECK((field->flags & MODEL_IS_HIDDEN) == 0);
    if (field->type == MODEL_TIME) {
        show_time(load_u64(field, object), w);
    } else if ((field->flags & MODEL_IS_URL) != 0) {
        show_url(load_text(field, object), w);
    } else {
        field_store(field, object, w);
    }
}

/* --- from JSON --- */

static enum err
refuse(const struct model_field *field, char why[MODEL_WHY_BYTES], const char *text)
{
    snprintf(why, MODEL_WHY_BYTES, "%s: %s", field->name, text);
    return ERR_BAD;
}

static enum err
put_number(const struct model_field *field, uint64_t value, void *object, char why[MODEL_WHY_BYTES])
{
    if (value > field->max) {
        snprintf(why, MODEL_WHY_BYTES, "%s: at most %llu", field->name,
                 (unsigned long long)field->max);
        return ERR_BAD;
    }
    if (field->type == MODEL_U32) {
        uint32_t small = (uint32_t)value;
        memcpy(place(field, object), &small, sizeof(small));
    } else {
        memcpy(place(field, object), &value, sizeof(value));
    }
    return ERR_OK;
}

static enum err
put_text(const struct model_field *field, struct str text, void *object, char why[MODEL_WHY_BYTES])
{
    if (text.len >= field->size) {
        snprintf(why, MODEL_WHY_BYTES, "%s: at most %zu bytes", field->name, field->size - 1);
        return ERR_BAD;
    }
    if (!str_copy(place(field, object), field->size, text)) {
        return refuse(field, why, "has a NUL");
    }
    return ERR_OK;
}

static enum err
put_choice(const struct model_field *field, struct str text, void *object,
           char why[MODEL_WHY_BYTES])
{
    for (uint32_t i = 0; field->choices[i] != NULL; i++) {
        if (str_equal(text, str_of(field->choices[i]))) {
            memcpy(place(field, object), &i, sizeof(i));
            return ERR_OK;
        }
    }
    int at = snprintf(why, MODEL_WHY_BYTES, "%s: one of", field->name);
    for (uint32_t i = 0; field->choices[i] != NULL && at > 0 && at < MODEL_WHY_BYTES - 64; i++) {
        at += snprintf(why + at, MODEL_WHY_BYTES - (size_t)at, " %.60s", field->choices[i]);
    }
    return ERR_BAD;
}

static enum err
put_bool(const struct model_field *field, struct str text, void *object, char why[MODEL_WHY_BYTES])
{
    bool is_true = str_equal(text, STR("true")) || str_equal(text, STR("yes"));
    if (!is_true && !str_equal(text, STR("false")) && !str_equal(text, STR("no"))) {
        return refuse(field, why, "true or false");
    }
    *(bool *)place(field, object) = is_true;
    return ERR_OK;
}

static enum err
put_decimal(const struct model_field *field, struct str text, void *object,
            char why[MODEL_WHY_BYTES])
{
    uint64_t value = 0;
    enum err err = money_read(text, field->scale, field->max, &value, NULL);
    if (err == ERR_FULL) {
        char most[MONEY_TEXT_BYTES];
        money_text((int64_t)field->max, field->scale, most);
        snprintf(why, MODEL_WHY_BYTES, "%s: at most %s", field->name, most);
        return ERR_BAD;
    }
    if (err != ERR_OK) {
        snprintf(why, MODEL_WHY_BYTES, "%s: a number like 12.5, with at most %u decimals",
                 field->name, field->scale);
        return ERR_BAD;
    }
    memcpy(place(field, object), &value, sizeof(value));
    return ERR_OK;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err
put_bytes(const struct model_field *field, struct str hex, void *object, char why[MODEL_WHY_BYTES])
{
    uint32_t length = (uint32_t)(hex.len / 2);
    bool is_fixed = field->length_offset == 0;
    if (hex.len % 2 != 0 || hex.len / 2 > field->size || (is_fixed && length != field->size)) {
        return refuse(field, why, "a wrong length");
    }
    uint8_t *to = place(field, object);
    for (uint32_t i = 0; i < length; i++) {
        int high = hex_digit(hex.data[2 * (size_t)i]);
        int low = hex_digit(hex.data[2 * (size_t)i + 1]);
        if (high < 0 || low < 0) {
            return refuse(field, why, "no hex");
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    if (!is_fixed) {
        memcpy((char *)object + field->length_offset, &length, sizeof(length));
    }
    return ERR_OK;
}

/* Any type as text, as a command line gives it. */
static enum err
put_string(const struct model_field *field, struct str text, void *object,
           char why[MODEL_WHY_BYTES])
{
    uint64_t number = 0;
    switch (field->type) {
    case MODEL_TEXT:
        return put_text(field, text, object, why);
    case MODEL_U32:
    case MODEL_U64:
        if (num_u64(text, &number) != ERR_OK) {
            return refuse(field, why, "a whole number, 0 or more");
        }
        return put_number(field, number, object, why);
    case MODEL_BOOL:
        return put_bool(field, text, object, why);
    case MODEL_TIME:
        if (!moment_read(text, clock_wall_ms(), &number)) {
            return refuse(field, why, "a time like 2026-12-31T00:00:00Z, 30d, 12h or never");
        }
        memcpy(place(field, object), &number, sizeof(number));
        return ERR_OK;
    case MODEL_CHOICE:
        return put_choice(field, text, object, why);
    case MODEL_DECIMAL:
        return put_decimal(field, text, object, why);
    case MODEL_BYTES:
        return put_bytes(field, text, object, why);
    }
    return ERR_BUG;
}

void
field_reset(const struct model_field *field, void *object)
{
    char why[MODEL_WHY_BYTES];
    memset(place(field, object), 0, field->size);
    if (field->length_offset != 0) {
        memset((char *)object + field->length_offset, 0, sizeof(uint32_t));
    }
    if (field->standard != NULL) {
        enum err err = put_string(field, str_of(field->standard), object, why);
        CHECK(err == ERR_OK);
    }
}

/* An escaped string is decoded on the stack, so that nothing needs to be freed. */
static enum err
put_escaped(const struct model_field *field, struct str content, void *object,
            char why[MODEL_WHY_BYTES])
{
    char text[LIST_TEXT_BYTES];
    size_t len = 0;
    if (!json_unescape(content, text, sizeof(text), &len)) {
        return refuse(field, why, "too long");
    }
    return put_string(field, str_make(text, len), object, why);
}

static enum err
put_json_string(const struct model_field *field, struct json_value value, void *object,
                char why[MODEL_WHY_BYTES])
{
    CHECK(value.raw.len >= 2);
    struct str content = str_make(value.raw.data + 1, value.raw.len - 2);
    return value.is_escaped ? put_escaped(field, content, object, why)
                            : put_string(field, content, object, why);
}

static enum err
put_json_number(const struct model_field *field, struct json_value value, void *object,
                char why[MODEL_WHY_BYTES])
{
    uint64_t number = 0;
    if (field->type == MODEL_DECIMAL) {
        return put_decimal(field, value.raw, object, why);
    }
    if (field->type != MODEL_U32 && field->type != MODEL_U64) {
        return refuse(field, why, "a number is not what belongs here");
    }
    if (json_u64(value, &number) != ERR_OK) {
        return refuse(field, why, "a whole number, 0 or more");
    }
    return put_number(field, number, object, why);
}

static bool
has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Only what a person sends is asked this: a stored text is taken as it stands. */
static enum err
put_clean_string(const struct model_field *field, struct json_value value, void *object,
                 char why[MODEL_WHY_BYTES])
{
    enum err err = put_json_string(field, value, object, why);
    if (err == ERR_OK && field->type == MODEL_TEXT && has_control(load_text(field, object))) {
        return refuse(field, why, "has control characters");
    }
    return err;
}

enum err
field_set(const struct model_field *field, struct json_value value, void *object,
          char why[MODEL_WHY_BYTES])
{
    CHECK((field->flags & MODEL_IS_HIDDEN) == 0);
    switch (value.kind) {
    case JSON_NULL:
        field_reset(field, object);
        return ERR_OK;
    case JSON_FALSE:
    case JSON_TRUE:
        if (field->type != MODEL_BOOL) {
            return refuse(field, why, "true or false is not what belongs here");
        }
        *(bool *)place(field, object) = value.kind == JSON_TRUE;
        return ERR_OK;
    case JSON_NUMBER:
        return put_json_number(field, value, object, why);
    case JSON_STRING:
        return put_clean_string(field, value, object, why);
    case JSON_ARRAY:
    case JSON_OBJECT:
        return refuse(field, why, "lists and objects do not belong here; lists are \"a,b\"");
    }
    return ERR_BUG;
}

enum err
field_load(const struct model_field *field, struct json_value value, void *object)
{
    char why[MODEL_WHY_BYTES];
    uint64_t number = 0;
    bool is_number = value.kind == JSON_NUMBER;
    bool is_decimal = field->type == MODEL_DECIMAL;
    bool is_number_type = is_decimal || field->type == MODEL_U32 || field->type == MODEL_U64 ||
                          field->type == MODEL_TIME;
    if (is_number != is_number_type) {
        return ERR_BAD;
    }
    if (field->type == MODEL_BOOL) {
        return json_bool(value, place(field, object));
    }
    if (is_decimal) {
        return put_decimal(field, value.raw, object, why);
    }
    if (is_number) {
        if (json_u64(value, &number) != ERR_OK) {
            return ERR_BAD;
        }
        return put_number(field, number, object, why);
    }
    if (value.kind != JSON_STRING) {
        return ERR_BAD;
    }
    return put_json_string(field, value, object, why);
}
