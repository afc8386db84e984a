/*
 * setting.h - the table of settings that each folder exports, and what reads and prints them.
 *
 * An ini section has its folder's name, so a setting leads to its code. A row says everything:
 * sub2api.ini is generated from the rows, --check prints effective values from them, --set and the
 * ini reader write through them. No setting is read any other way.
 *
 * Runs in: master (parses, freezes before fork); read-only in the children.
 */
#ifndef BASE_SETTING_H
#define BASE_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum setting_type {
    SETTING_BOOL,   /* bool; yes/no, true/false, on/off, 1/0 */
    SETTING_U32,    /* uint32_t; min..max */
    SETTING_U64,    /* uint64_t; min..max */
    SETTING_MS,     /* uint32_t milliseconds; "500ms", "30s", "5m", "2h", bare number = seconds */
    SETTING_BYTES,  /* uint64_t; "64k", "16m", "1g", bare number = bytes */
    SETTING_TEXT,   /* char[size] */
    SETTING_CHOICE, /* uint32_t index into `choices` */
    SETTING_LIST,   /* struct setting_list: the key may be given several times */
};

#define SETTING_LIST_ITEMS_MAX 16
#define SETTING_LIST_ITEM_BYTES 256

/* Who gave a list's items: a later source replaces what an earlier one gave, the same one adds. */
enum setting_source { SETTING_STANDARD, SETTING_FILE, SETTING_COMMAND };

struct setting_list {
    uint32_t count;
    enum setting_source source;
    char items[SETTING_LIST_ITEMS_MAX][SETTING_LIST_ITEM_BYTES];
};

struct setting {
    const char *key;
    enum setting_type type;
    size_t offset;              /* in the folder's settings struct */
    size_t size;                /* of the field (SETTING_TEXT) */
    uint64_t min;               /* numbers, ms, bytes */
    uint64_t max;               /* 0 with a min of 0: whatever the type holds */
    const char *standard;       /* the default, as one would write it in the ini; a list's: lines */
    const char *unit;           /* for a person: "requests", "" */
    const char *const *choices; /* NULL-terminated, SETTING_CHOICE only */
    bool is_reloadable;         /* false: a change needs a restart, and reload says so */
    const char *help;           /* one or more sentences, wrapped by the printer */
};

/* One section: [name], its rows, and where its struct lies inside the whole configuration. */
struct setting_section {
    const char *name;
    const struct setting *rows;
    size_t row_count;
    size_t offset; /* of the folder's settings struct in struct config (master/config.h) */
    const char *help;
};

/* A refused line: file (or "--set"), line number (0 for --set) and a sentence. */
struct setting_error {
    char text[512];
};

/* Every row at its standard. A row whose standard is not valid is a bug and ends the process. */
void setting_defaults(const struct setting_section *sections, size_t count, void *config);

/*
 * `where` is "sub2api.ini:12" or "--set" (anything that starts with "--" is the command line, which
 * wins over the file). ERR_BAD with error filled: unknown section or key, bad value, a key given
 * twice in the file that is no list. The first line of a list replaces its default, the next ones
 * add, an empty one empties it; --set then replaces what the file gave.
 */
MUST_CHECK enum err setting_apply(const struct setting_section *sections, size_t count,
                                  void *config, struct str section, struct str key,
                                  struct str value, const char *where, struct setting_error *error);

/*
 * The effective values as an ini that reads back to the same; with_help adds each row's help, range
 * and default as comments, and comments out the rows that stand at their default. ERR_FULL: `out`.
 */
MUST_CHECK enum err setting_print(const struct setting_section *sections, size_t count,
                                  const void *config, bool with_help, struct buf *out);

/* First row that differs between two configurations and may not change at reload; NULL: none. */
const struct setting *
setting_find_frozen(const struct setting_section *sections, size_t count, const void *old_config,
                    const void *new_config, const char **section_name);

#endif
