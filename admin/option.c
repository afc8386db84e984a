#include "admin/option.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/num.h"

#define NAME_BYTES_MAX 64u

/* What one line is read into. */
struct reading {
    const struct option_line *line;
    struct buf *out;
    struct jsonw json;
    const char *mark; /* before the next pair of a query */
    const char *argument;
    enum err err;
    char *why;
};

enum err
option_encode(struct buf *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@";
    enum err err = ERR_OK;
    for (; err == ERR_OK && *text != '\0'; text++) {
        unsigned byte = (unsigned char)*text;
        err = strchr(plain, *text) != NULL ? buf_append(out, str_make(text, 1))
                                           : buf_printf(out, "%%%02X", byte);
    }
    return err;
}

static const struct option_row *
find_row(const struct option_row *rows, const char *name)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        if (strcmp(rows->name, name) == 0) {
            return rows;
        }
    }
    return NULL;
}

/* "--account-id" is the member "account_id". */
static void
member_of(const struct option_row *row, char member[NAME_BYTES_MAX])
{
    size_t i = 0;
    for (; row->name[i] != '\0' && i + 1 < NAME_BYTES_MAX; i++) {
        member[i] = row->name[i] == '-' ? '_' : row->name[i];
    }
    member[i] = '\0';
}

static void
put_query(struct reading *reading, const char *member, const char *value)
{
    reading->err = buf_printf(reading->out, "%s%s=", reading->mark, member);
    if (reading->err == ERR_OK) {
        reading->err = option_encode(reading->out, value == NULL ? "1" : value);
    }
    reading->mark = "&";
}

static void
put_member(struct reading *reading, const struct option_row *row, const char *member,
           const char *value)
{
    uint64_t number = 0;
    jsonw_name(&reading->json, member);
    if (value == NULL) {
        jsonw_bool(&reading->json, true);
    } else if (row->type == OPTION_NUMBER && num_u64(str_of(value), &number) == ERR_OK) {
        jsonw_u64(&reading->json, number);
    } else {
        jsonw_text(&reading->json, value);
    }
}

static void
put(struct reading *reading, const struct option_row *row, const char *value)
{
    char member[NAME_BYTES_MAX];
    member_of(row, member);
    if (reading->line->is_query) {
        put_query(reading, member, value);
    } else {
        put_member(reading, row, member, value);
    }
}

static void
refuse(struct reading *reading, const char *before, const char *word, const char *behind)
{
    snprintf(reading->why, OPTION_WHY_BYTES, "%s%s%s", before, word, behind);
    reading->err = ERR_BAD;
}

static void
read_argument(struct reading *reading, const char *word)
{
    if (!reading->line->has_argument || reading->argument != NULL || word[0] == '\0') {
        refuse(reading, "unexpected argument: ", word, "");
        return;
    }
    reading->argument = word;
}

/* One option, and the word behind it when that is its value. Returns the next place. */
static int
read_option(struct reading *reading, int argc, char **argv, int at)
{
    char name[NAME_BYTES_MAX];
    const char *arg = argv[at++];
    struct str rest = str_of(arg + 2);
    struct str head = str_cut(&rest, '=');
    const char *value = rest.data; /* NULL: there is no '=' */
    const struct option_row *row =
        str_copy(name, sizeof name, head) ? find_row(reading->line->rows, name) : NULL;
    bool is_name = row == NULL && reading->line->has_argument && str_equal(head, STR("name"));
    if (row == NULL && !is_name) {
        refuse(reading, "unknown option ", arg, "");
        return at;
    }
    if (row != NULL && row->type == OPTION_SWITCH) {
        if (value != NULL) {
            refuse(reading, "--", name, " takes no value");
        } else {
            put(reading, row, NULL);
        }
        return at;
    }
    if (value == NULL && at < argc) {
        value = argv[at++];
    }
    if (value == NULL) {
        refuse(reading, "--", name, " needs a value");
    } else if (is_name) {
        read_argument(reading, value);
    } else {
        put(reading, row, value);
    }
    return at;
}

static void
read_words(struct reading *reading, int argc, char **argv, int at)
{
    while (reading->err == ERR_OK && at < argc) {
        if (strncmp(argv[at], "--", 2) == 0) {
            at = read_option(reading, argc, argv, at);
        } else {
            read_argument(reading, argv[at++]);
        }
    }
}

enum err
option_read(const struct option_line *line, int argc, char **argv, int at, const char **argument,
            struct buf *out, char why[OPTION_WHY_BYTES])
{
    struct reading reading = { .line = line, .out = out, .mark = "?", .why = why };
    why[0] = '\0';
    if (!line->is_query) {
        jsonw_begin(&reading.json, out);
        jsonw_object(&reading.json);
    }
    read_words(&reading, argc, argv, at);
    if (!line->is_query) {
        jsonw_close(&reading.json);
        enum err ended = jsonw_end(&reading.json);
        reading.err = reading.err == ERR_OK ? ended : reading.err;
    }
    if (reading.err != ERR_OK && why[0] == '\0') {
        refuse(&reading, "the options are too long", "", "");
    }
    *argument = reading.argument;
    return reading.err;
}

void
option_help(const struct option_row *rows)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        char option[NAME_BYTES_MAX + 32];
        snprintf(option, sizeof option, "--%s%s%s", rows->name, rows->value == NULL ? "" : " ",
                 rows->value == NULL ? "" : rows->value);
        printf("      %-22s %s\n", option, rows->help);
    }
}
