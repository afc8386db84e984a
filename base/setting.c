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
#include "base/settingfield.h"

#define WRAP_COLUMNS 90u
#define VALUE_SHOWN_CHARS 80 /* of a refused value, in the sentence about it */
#define SCRATCH_BYTES 8192u

static struct {
    const void *config;
    bool is_given[SETTINGS_MAX];
} given;

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

/* --- defaults --- */

static void
set_standard(const struct setting *row, void *field)
{
    struct str rest = str_of(row->standard);
    if (row->type != SETTING_LIST) {
        CHECK(settingfield_parse(row, rest, SETTING_STANDARD, field) == NULL);
        return;
    }
    memset(field, 0, sizeof(struct setting_list));
    while (rest.len > 0) {
        struct str item = str_trim(str_cut(&rest, '\n'));
        CHECK(settingfield_parse(row, item, SETTING_STANDARD, field) == NULL);
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
    if (reason == settingfield_bad_choice) {
        char choices[160];
        add_choices(row, choices, sizeof(choices));
        return refuse(line, "\"%.*s\": %s %s", shown(line->value), data, reason, choices);
    }
    if (reason == settingfield_bad_range) {
        char low[SETTINGFIELD_BYTES];
        char high[SETTINGFIELD_BYTES];
        settingfield_number(row, row->min, low);
        settingfield_number(row, settingfield_max(row), high);
        return refuse(line, "\"%.*s\": %s %s to %s", shown(line->value), data, reason, low, high);
    }
    if (settingfield_has_control(line->value)) {
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
        settingfield_parse(row, str_trim(line->value), is_command ? SETTING_COMMAND : SETTING_FILE,
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
    char low[SETTINGFIELD_BYTES];
    char high[SETTINGFIELD_BYTES];
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
    } else if (is_number && settingfield_max(row) == UINT64_MAX) {
        snprintf(facts, sizeof(facts), "%s or more", settingfield_number(row, row->min, low));
    } else if (is_number) {
        snprintf(facts, sizeof(facts), "%s to %s", settingfield_number(row, row->min, low),
                 settingfield_number(row, settingfield_max(row), high));
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
    char number[SETTINGFIELD_BYTES];
    const char *text = "";
    switch (row->type) {
    case SETTING_LIST:
        return print_list(row, mark, field, out);
    case SETTING_TEXT:
        text = field;
        break;
    case SETTING_BOOL:
        text = settingfield_get(row, field) != 0 ? "yes" : "no";
        break;
    case SETTING_CHOICE:
        text = row->choices[settingfield_get(row, field)];
        break;
    case SETTING_U32:
    case SETTING_U64:
    case SETTING_MS:
    case SETTING_BYTES:
        text = settingfield_number(row, settingfield_get(row, field), number);
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
    return settingfield_equal(row, field, scratch);
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
                !settingfield_equal(row, const_field_of(&sections[i], row, old_config),
                                    const_field_of(&sections[i], row, new_config))) {
                *section_name = sections[i].name;
                return row;
            }
        }
    }
    return NULL;
}
