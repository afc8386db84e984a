/*
 * option.h - the options of one verb, by its table of rows: "--name value" and "--name=value" to
 * the query or the JSON object that the admin API wants. A name's dashes become underscores there.
 *
 * Users, keys, groups and accounts have so many options that theirs come from the tables of
 * store/model.h (form.h).
 *
 * Runs in: sub2apictl.
 */
#ifndef ADMIN_OPTION_H
#define ADMIN_OPTION_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

#define OPTION_WHY_BYTES 320

enum option_type {
    OPTION_TEXT,
    OPTION_NUMBER, /* in JSON a number; what is none stays text, and the gateway says why not */
    OPTION_SWITCH, /* stands alone: 1 in a query, true in JSON */
};

/* A table ends with a row without a name. */
struct option_row {
    const char *name;
    enum option_type type;
    const char *value; /* as the help calls it; NULL = a switch */
    const char *help;
};

struct option_line {
    const struct option_row *rows; /* NULL = it takes none */
    bool has_argument;             /* one word without dashes, or --name WORD */
    bool is_query;                 /* else a JSON object */
};

/*
 * Reads argv from `at` on and appends "?a=1&b=2" (nothing when there is none) or a JSON object.
 * *argument is the word without dashes, NULL when there is none; it lives as long as argv.
 * ERR_BAD with a sentence in why: an unknown option, a missing value, a word too many.
 */
MUST_CHECK enum err option_read(const struct option_line *line, int argc, char **argv, int at,
                                const char **argument, struct buf *out, char why[OPTION_WHY_BYTES]);

/* Percent-encoded, as it may stand in a query or between the slashes of a path. */
MUST_CHECK enum err option_encode(struct buf *out, const char *text);

/* One line of help an option. */
void option_help(const struct option_row *rows);

#endif
