#include "store/pricefile.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"

struct reading {
    struct str text;
    size_t counted; /* bytes whose lines are in `line` */
    uint32_t line;
    pricefile_fn fn;
    void *context;
    struct price price; /* of the row at hand */
};

static uint32_t
line_at(struct reading *reading, size_t offset)
{
    for (; reading->counted < offset; reading->counted++) {
        reading->line += reading->text.data[reading->counted] == '\n' ? 1 : 0;
    }
    return reading->line;
}

static bool
on_row(void *context, const struct json_member *member)
{
    struct reading *reading = context;
    char name[MODEL_NAME_BYTES];
    char why[PRICE_WHY_BYTES] = "";
    size_t len = 0;
    struct pricefile_row row = { .line = line_at(reading, member->name_offset),
                                 .model = member->name,
                                 .price = &reading->price,
                                 .why = why };
    if (json_name_is(member, STR("sample_spec"))) {
        row.err = ERR_GONE; /* the convention's own description of itself */
    } else if (!json_unescape(member->name, name, sizeof(name) - 1, &len)) {
        snprintf(why, sizeof(why), "the model's name is too long");
        row.err = ERR_BAD;
    } else {
        row.err = price_read(str_make(name, len), member->value, &reading->price, why);
    }
    return reading->fn(reading->context, &row);
}

enum err
pricefile_read(struct str text, pricefile_fn fn, void *context, char why[PRICE_WHY_BYTES])
{
    struct reading reading = { .text = text, .line = 1, .fn = fn, .context = context };
    struct json_error error = { 0, "" };
    enum json_kind kind = JSON_NULL;
    why[0] = '\0';
    if (text.len > PRICE_FILE_BYTES_MAX) {
        snprintf(why, PRICE_WHY_BYTES, "more than %u bytes", PRICE_FILE_BYTES_MAX);
        return ERR_BAD;
    }
    enum err err = json_scan(text, on_row, &reading, &kind, &error);
    if (err != ERR_OK) {
        reading.counted = 0;
        reading.line = 1;
        snprintf(why, PRICE_WHY_BYTES, "line %u: no JSON: %s", line_at(&reading, error.offset),
                 error.reason);
        return ERR_BAD;
    }
    if (kind != JSON_OBJECT) {
        snprintf(why, PRICE_WHY_BYTES, "no JSON object of models");
        return ERR_BAD;
    }
    return ERR_OK;
}
