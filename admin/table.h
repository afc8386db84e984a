/*
 * table.h - JSON lists as aligned columns, JSON objects as "name  value" lines.
 *
 * Widths follow the content; numbers stand to the right. Control bytes never reach the terminal.
 *
 * Runs in: sub2apictl.
 */
#ifndef ADMIN_TABLE_H
#define ADMIN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define TABLE_COLUMNS_MAX 24u
#define TABLE_ROWS_MAX 20000u

struct table_column {
    const char *member; /* "totals.requests": a path */
    const char *title;
};

struct table_columns {
    const struct table_column *items;
    uint32_t count; /* TABLE_COLUMNS_MAX at most */
};

/* {"items":[{...}]} as a table; "(none)" when empty. ERR_BAD: not that. */
MUST_CHECK enum err
table_list(struct str json, const struct table_columns *columns, struct buf *out);

/* Whether a column shows this member. */
bool table_has(const struct table_columns *columns, const char *member);

/* Orders the items by one member while printing: numbers largest first, texts from A on. NULL = as
 * they come. */
MUST_CHECK enum err table_sorted(struct str json, const struct table_columns *columns,
                                 const char *sort_by, struct buf *out);

/* One object: every member that is no object or array, then those of its objects, indented. */
MUST_CHECK enum err table_object(struct str json, struct buf *out);

#endif
