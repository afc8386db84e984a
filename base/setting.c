/*
 * setting.c - one table in, one struct out, and back to text.
 *
 * That a scalar key stands twice in the file can only be told by remembering which keys the file
 * gave: `given` does, for the configuration being read (the master reads one at a time).
 */
#include "base/setting.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/num.h"

#define WRAP_COLUMNS 90u
#define VALUE_SHOWN_CHARS 80 /* of a refused value, in the sentence about it */
#define NUMBER_BYTES (NUM_TEXT_BYTES + 3)
#define SCRATCH_BYTES 8192u

static struct {
    const void *config;
    bool is_given[SETTINGS_MAX];
} given;

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

_Static_assert(sizeof(struct setting_list) <= SCRATCH_BYTES, "a list fits the scratch");

/* --- fields --- */

static void *
field_of(const struct setting_section *section, const struct setting *row, void *config)
{
    return (char *)config + section->offset + row->offset;
}

static const void *
const_field_of(const struct setting_section *section, const struct setting *row, const void *config)
{
    return (const char *)config + section->offset + row->offset;
}

static uint64_t
number_of(const struct setting *row, const void *field)
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

static bool
fields_are_equal(const struct setting *row, const void *a, const void *b)
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
        return number_of(row, a) == number_of(row, b);
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

static uint64_t
row_max(const struct setting *row)
{
    bool is_32 = row->type == SETTING_U32 || row->type == SETTING_MS;
    uint64_t type_max = is_32 ? UINT32_MAX : UINT64_MAX;
    uint64_t max = row->max == 0 && row->min == 0 ? type_max : row->max;
    CHECK(max <= type_max && row->min <= max);
    return max;
}

/* The shortest spelling that reads back: "90s", "64k", "0". */
static const char *
number_text(const struct setting *row, uint64_t number, char out[NUMBER_BYTES])
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

static bool
has_control(struct str text)
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
    return "must be one of"; /* the sentence goes on with the choices */
}

static const char *
parse_list_item(struct setting_list *list, struct str text, enum setting_source source)
{
    if (list->source != source) {
        memset(list, 0, sizeof(*list));
        list->source = source;
    }
    if (text.len == 0) {
        list->count = 0;
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
    if (number < row->min || number > row_max(row)) {
        return "must be"; /* the sentence goes on with the range */
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

static const char *
parse_field(const struct setting *row, struct str text, enum setting_source source, void *field)
{
    if (has_control(text)) {
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

/* --- defaults --- */

static void
set_standard(const struct setting *row, void *field)
{
    struct str rest = str_of(row->standard);
    if (row->type != SETTING_LIST) {
        CHECK(parse_field(row, rest, SETTING_STANDARD, field) == NULL);
        return;
    }
    memset(field, 0, sizeof(struct setting_list));
    while (rest.len > 0) {
        struct str item = str_trim(str_cut(&rest, '\n'));
        CHECK(parse_field(row, item, SETTING_STANDARD, field) == NULL);
    }
}

static void
forget_given(const void *config)
{
    given.config = config;
    memset(given.is_given, 0, sizeof(given.is_given));
}

void
setting_defaults(const struct setting_section *sections, size_t count, void *config)
{
    size_t row_count = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sections[i].row_count; j++) {
            const struct setting *row = &sections[i].rows[j];
            CHECK(row->key != NULL && row->help != NULL);
            CHECK(row->type != SETTING_CHOICE || row->choices != NULL);
            set_standard(row, field_of(&sections[i], row, config));
        }
        row_count += sections[i].row_count;
    }
    CHECK(row_count <= SETTINGS_MAX);
    forget_given(config);
}

/* --- suggestions: what may have been meant --- */

#define WORD_BYTES_MAX 64u

/* Insertions, removals and exchanges of one character between a and b; 99 for long words. */
static uint32_t
distance(struct str a, struct str b)
{
    uint32_t row[WORD_BYTES_MAX + 1];
    if (a.len > WORD_BYTES_MAX || b.len > WORD_BYTES_MAX) {
        return 99;
    }
    for (uint32_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (uint32_t i = 1; i <= a.len; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            uint32_t exchanged = diagonal + (a.data[i - 1] == b.data[j - 1] ? 0 : 1);
            uint32_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = exchanged < other ? exchanged : other;
        }
    }
    return row[b.len];
}

/* Close enough to be a slip: a third of the word at most. */
static bool
is_closer(struct str word, const char *candidate, uint32_t *best)
{
    uint32_t away = distance(word, str_of(candidate));
    if (away >= *best || away * 3 > word.len) {
        return false;
    }
    *best = away;
    return true;
}

static const char *
closest_section(const struct setting_section *sections, size_t count, struct str word)
{
    uint32_t best = UINT32_MAX;
    const char *name = NULL;
    for (size_t i = 0; i < count; i++) {
        if (is_closer(word, sections[i].name, &best)) {
            name = sections[i].name;
        }
    }
    return name;
}

static const char *
closest_key(const struct setting_section *section, struct str word)
{
    uint32_t best = UINT32_MAX;
    const char *key = NULL;
    for (size_t i = 0; i < section->row_count; i++) {
        if (is_closer(word, section->rows[i].key, &best)) {
            key = section->rows[i].key;
        }
    }
    return key;
}

/* --- applying a line --- */

struct line {
    struct str section;
    struct str key;
    struct str value;
    const char *where;
    struct setting_error *error;
};

static int
shown(struct str s)
{
    return s.len > VALUE_SHOWN_CHARS ? VALUE_SHOWN_CHARS : (int)s.len;
}

static enum err
refuse(const struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "sub2api.ini:12: [http] backlg: " and the reason. */
static enum err
refuse(const struct line *line, const char *format, ...)
{
    char *text = line->error->text;
    size_t bytes = sizeof(line->error->text);
    int len = snprintf(text, bytes, "%.200s: [%.*s] %.*s: ", line->where, shown(line->section),
                       line->section.data, shown(line->key), line->key.data);
    CHECK(len > 0 && (size_t)len < bytes);
    va_list args;
    va_start(args, format);
    vsnprintf(text + len, bytes - (size_t)len, format, args);
    va_end(args);
    return ERR_BAD;
}

static enum err
refuse_section(const struct line *line, const struct setting_section *sections, size_t count)
{
    const char *meant = closest_section(sections, count, line->section);
    if (meant == NULL) {
        return refuse(line, "unknown section");
    }
    return refuse(line, "unknown section (did you mean [%s]?)", meant);
}

static enum err
refuse_key(const struct line *line, const struct setting_section *section,
           const struct setting_section *sections, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sections[i].row_count; j++) {
            if (str_equal(line->key, str_of(sections[i].rows[j].key))) {
                return refuse(line, "unknown key (it belongs to [%s])", sections[i].name);
            }
        }
    }
    const char *meant = closest_key(section, line->key);
    if (meant == NULL) {
        return refuse(line, "unknown key");
    }
    return refuse(line, "unknown key (did you mean %s?)", meant);
}

static void
add_choices(const struct setting *row, char *text, size_t bytes)
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; row->choices[i] != NULL && len < bytes; i++) {
        int added = snprintf(text + len, bytes - len, "%s%s", i == 0 ? "" : ", ", row->choices[i]);
        CHECK(added >= 0);
        len += (size_t)added;
    }
}

static enum err
refuse_value(const struct line *line, const struct setting *row, const char *reason)
{
    const char *data = line->value.len == 0 ? "" : line->value.data;
    if (row->type == SETTING_CHOICE) {
        char choices[160];
        add_choices(row, choices, sizeof(choices));
        return refuse(line, "\"%.*s\": %s %s", shown(line->value), data, reason, choices);
    }
    if (strcmp(reason, "must be") == 0) {
        char low[NUMBER_BYTES];
        char high[NUMBER_BYTES];
        number_text(row, row->min, low);
        number_text(row, row_max(row), high);
        return refuse(line, "\"%.*s\": %s %s to %s", shown(line->value), data, reason, low, high);
    }
    if (has_control(line->value)) {
        return refuse(line, "%s", reason); /* not shown: it is going to a terminal */
    }
    return refuse(line, "\"%.*s\": %s", shown(line->value), data, reason);
}

/* The row's number over all sections, which is its place in `given`. */
static size_t
row_number(const struct setting_section *sections, const struct setting_section *section,
           const struct setting *row)
{
    size_t number = 0;
    for (const struct setting_section *at = sections; at != section; at++) {
        number += at->row_count;
    }
    return number + (size_t)(row - section->rows);
}

static enum err
apply_row(const struct line *line, const struct setting_section *sections,
          const struct setting_section *section, const struct setting *row, void *config)
{
    bool is_command = strncmp(line->where, "--", 2) == 0;
    size_t number = row_number(sections, section, row);
    CHECK(number < SETTINGS_MAX);
    if (!is_command && row->type != SETTING_LIST && given.is_given[number]) {
        return refuse(line, "is given twice");
    }
    const char *reason =
        parse_field(row, str_trim(line->value), is_command ? SETTING_COMMAND : SETTING_FILE,
                    field_of(section, row, config));
    if (reason != NULL) {
        return refuse_value(line, row, reason);
    }
    given.is_given[number] = given.is_given[number] || !is_command;
    return ERR_OK;
}

enum err
setting_apply(const struct setting_section *sections, size_t count, void *config,
              struct str section, struct str key, struct str value, const char *where,
              struct setting_error *error)
{
    CHECK(where != NULL && error != NULL);
    error->text[0] = '\0';
    if (given.config != config) {
        forget_given(config);
    }
    struct line line = { section, key, value, where, error };
    line.section.data = section.len == 0 ? "" : section.data;
    line.key.data = key.len == 0 ? "" : key.data;
    for (size_t i = 0; i < count; i++) {
        if (!str_equal(section, str_of(sections[i].name))) {
            continue;
        }
        for (size_t j = 0; j < sections[i].row_count; j++) {
            if (str_equal(key, str_of(sections[i].rows[j].key))) {
                return apply_row(&line, sections, &sections[i], &sections[i].rows[j], config);
            }
        }
        return refuse_key(&line, &sections[i], sections, count);
    }
    return refuse_section(&line, sections, count);
}

/* --- printing --- */

/* Blank-separated words in comment lines of at most WRAP_COLUMNS. */
static enum err
print_wrapped(const char *text, struct buf *out)
{
    struct str rest = str_of(text);
    while (rest.len > 0) {
        size_t take = rest.len;
        if (take > WRAP_COLUMNS - 2) {
            const char *blank = memrchr(rest.data, ' ', WRAP_COLUMNS - 1);
            blank = blank == NULL ? memchr(rest.data, ' ', rest.len) : blank;
            take = blank == NULL ? rest.len : (size_t)(blank - rest.data);
        }
        enum err err = buf_printf(out, "# %.*s\n", (int)take, rest.data);
        if (err != ERR_OK) {
            return err;
        }
        rest = str_trim(str_skip(rest, take));
    }
    return ERR_OK;
}

static enum err
print_facts(const struct setting *row, struct buf *out)
{
    char low[NUMBER_BYTES];
    char high[NUMBER_BYTES];
    char facts[512] = "";
    bool is_number = row->type == SETTING_U32 || row->type == SETTING_U64 ||
                     row->type == SETTING_MS || row->type == SETTING_BYTES;
    if (row->type == SETTING_BOOL) {
        snprintf(facts, sizeof(facts), "yes or no");
    } else if (row->type == SETTING_CHOICE) {
        add_choices(row, facts, sizeof(facts));
    } else if (row->type == SETTING_LIST) {
        snprintf(facts, sizeof(facts), "may be given up to %d times", SETTING_LIST_ITEMS_MAX);
    } else if (row->type == SETTING_TEXT) {
        snprintf(facts, sizeof(facts), "up to %zu characters", row->size - 1);
    } else if (is_number && row_max(row) == UINT64_MAX) {
        snprintf(facts, sizeof(facts), "%s or more", number_text(row, row->min, low));
    } else if (is_number) {
        snprintf(facts, sizeof(facts), "%s to %s", number_text(row, row->min, low),
                 number_text(row, row_max(row), high));
    }
    bool has_unit = is_number && row->unit != NULL && row->unit[0] != '\0' &&
                    (row->type == SETTING_U32 || row->type == SETTING_U64);
    return buf_printf(out, "# (%s%s%s%s)\n", facts, has_unit ? " " : "", has_unit ? row->unit : "",
                      row->is_reloadable ? "" : "; a change needs a restart");
}

static enum err
print_list(const struct setting *row, const char *mark, const struct setting_list *list,
           struct buf *out)
{
    enum err err = list->count > 0 ? ERR_OK : buf_printf(out, "%s%s =\n", mark, row->key);
    for (uint32_t i = 0; i < list->count && err == ERR_OK; i++) {
        err = buf_printf(out, "%s%s = %s\n", mark, row->key, list->items[i]);
    }
    return err;
}

static enum err
print_value(const struct setting *row, const char *mark, const void *field, struct buf *out)
{
    char number[NUMBER_BYTES];
    const char *text = "";
    switch (row->type) {
    case SETTING_LIST:
        return print_list(row, mark, field, out);
    case SETTING_TEXT:
        text = field;
        break;
    case SETTING_BOOL:
        text = number_of(row, field) != 0 ? "yes" : "no";
        break;
    case SETTING_CHOICE:
        text = row->choices[number_of(row, field)];
        break;
    case SETTING_U32:
    case SETTING_U64:
    case SETTING_MS:
    case SETTING_BYTES:
        text = number_text(row, number_of(row, field), number);
        break;
    }
    return buf_printf(out, "%s%s =%s%s\n", mark, row->key, text[0] == '\0' ? "" : " ", text);
}

static bool
is_standard(const struct setting *row, const void *field)
{
    _Alignas(16) char scratch[SCRATCH_BYTES];
    CHECK(row->size <= sizeof(scratch));
    set_standard(row, scratch);
    return fields_are_equal(row, field, scratch);
}

static enum err
print_row(const struct setting *row, const void *field, bool with_help, struct buf *out)
{
    if (!with_help) {
        return print_value(row, "", field, out);
    }
    enum err err = buf_printf(out, "\n");
    if (err == ERR_OK) {
        err = print_wrapped(row->help, out);
    }
    if (err == ERR_OK) {
        err = print_facts(row, out);
    }
    if (err != ERR_OK) {
        return err;
    }
    return print_value(row, is_standard(row, field) ? "#" : "", field, out);
}

static enum err
print_head(const struct setting_section *section, bool is_first, bool with_help, struct buf *out)
{
    enum err err = is_first ? ERR_OK : buf_printf(out, with_help ? "\n\n" : "\n");
    if (err == ERR_OK && with_help && section->help != NULL) {
        err = print_wrapped(section->help, out);
    }
    return err == ERR_OK ? buf_printf(out, "[%s]\n", section->name) : err;
}

enum err
setting_print(const struct setting_section *sections, size_t count, const void *config,
              bool with_help, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct setting_section *section = &sections[i];
        enum err err = print_head(section, i == 0, with_help, out);
        for (size_t j = 0; j < section->row_count && err == ERR_OK; j++) {
            const struct setting *row = &section->rows[j];
            err = print_row(row, const_field_of(section, row, config), with_help, out);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

const struct setting *
setting_find_frozen(const struct setting_section *sections, size_t count, const void *old_config,
                    const void *new_config, const char **section_name)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sections[i].row_count; j++) {
            const struct setting *row = &sections[i].rows[j];
            if (!row->is_reloadable &&
                !fields_are_equal(row, const_field_of(&sections[i], row, old_config),
                                  const_field_of(&sections[i], row, new_config))) {
                *section_name = sections[i].name;
                return row;
            }
        }
    }
    return NULL;
}
