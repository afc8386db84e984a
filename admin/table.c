#include "admin/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/money.h"
#include "base/num.h"

#define CELLS_BYTES_MAX (64u * 1024 * 1024)
#define GAP 2u
#define RANK_SCALE 9u /* digits after the point that sorting looks at: dollars have so many */

struct cell {
    struct str text;
    bool is_number;
};

struct row {
    struct cell cells[TABLE_COLUMNS_MAX];
    uint64_t rank;   /* the sort member's number */
    struct str word; /* its text, when it is none */
};

struct rows {
    struct arena arena;
    const struct table_column *columns;
    uint32_t column_count;
    const char *sort_by;
    struct row **items;
    uint32_t count;
    enum err err;
};

/* Characters, not bytes: columns line up for UTF-8 too. */
static uint32_t
width_of(struct str text)
{
    uint32_t width = 0;
    for (size_t i = 0; i < text.len; i++) {
        width += ((unsigned char)text.data[i] & 0xc0u) != 0x80u;
    }
    return width;
}

/* What is shown of a value; control bytes become '?'. */
static struct cell
cell_of(struct json_value value, struct arena *arena)
{
    struct cell cell = { STR("-"), false };
    if (value.kind == JSON_NULL) {
        return cell;
    }
    if (value.kind == JSON_TRUE || value.kind == JSON_FALSE) {
        cell.text = value.kind == JSON_TRUE ? STR("yes") : STR("no");
        return cell;
    }
    if (value.kind != JSON_STRING) {
        return (struct cell){ value.raw, value.kind == JSON_NUMBER };
    }
    struct str text;
    if (json_string(value, arena, &text) != ERR_OK) {
        return cell;
    }
    struct str copy = arena_dup(arena, text);
    char *bytes = arena_alloc_raw(arena, copy.len + 1);
    if (copy.data == NULL || bytes == NULL) {
        return cell;
    }
    for (size_t i = 0; i < copy.len; i++) {
        unsigned char c = (unsigned char)copy.data[i];
        unsigned char next = i + 1 < copy.len ? (unsigned char)copy.data[i + 1] : 0;
        /* U+0080 to U+009F too: to some terminals U+009B is an escape by itself. */
        bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
        bytes[i] = (c < 0x20 || c == 0x7f || is_c1) ? '?' : (char)c;
        if (is_c1) {
            bytes[++i] = ' ';
        }
    }
    return (struct cell){ copy.len == 0 ? STR("-") : str_make(bytes, copy.len), false };
}

static bool
on_item(void *context, const struct json_member *element)
{
    struct rows *rows = context;
    if (rows->count == TABLE_ROWS_MAX) {
        return false;
    }
    struct row *row = arena_alloc(&rows->arena, sizeof *row);
    if (row == NULL) {
        rows->err = ERR_FULL;
        return false;
    }
    struct json_value value;
    for (uint32_t i = 0; i < rows->column_count; i++) {
        row->cells[i].text = STR("-");
        if (json_get_path(element->value, str_of(rows->columns[i].member), &value)) {
            row->cells[i] = cell_of(value, &rows->arena);
        }
    }
    if (rows->sort_by != NULL && json_get_path(element->value, str_of(rows->sort_by), &value) &&
        money_read(value.raw, RANK_SCALE, UINT64_MAX, &row->rank, NULL) != ERR_OK) {
        row->rank = 0;
        row->word = cell_of(value, &rows->arena).text;
    }
    rows->items[rows->count++] = row;
    return true;
}

static int
by_rank(const void *a, const void *b)
{
    const struct row *left = *(struct row *const *)a;
    const struct row *right = *(struct row *const *)b;
    if (left->rank != right->rank) {
        return left->rank < right->rank ? 1 : -1;
    }
    size_t shorter = left->word.len < right->word.len ? left->word.len : right->word.len;
    int order = shorter == 0 ? 0 : memcmp(left->word.data, right->word.data, shorter);
    return order != 0 ? order
                      : (left->word.len > right->word.len) - (left->word.len < right->word.len);
}

static enum err
pad(struct buf *out, uint32_t count)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
        err = buf_append(out, STR(" "));
    }
    return err;
}

static enum err
put_cell(struct buf *out, const struct cell *cell, uint32_t width, bool is_last)
{
    uint32_t space = width - width_of(cell->text);
    enum err err = cell->is_number ? pad(out, space) : ERR_OK;
    if (err == ERR_OK) {
        err = buf_append(out, cell->text);
    }
    if (err == ERR_OK && !is_last) {
        err = pad(out, GAP + (cell->is_number ? 0 : space));
    }
    return err;
}

static enum err
put_rows(const struct rows *rows, struct buf *out)
{
    uint32_t widths[TABLE_COLUMNS_MAX];
    struct row titles = { .rank = 0 };
    for (uint32_t c = 0; c < rows->column_count; c++) {
        titles.cells[c].text = str_of(rows->columns[c].title);
        widths[c] = width_of(titles.cells[c].text);
        for (uint32_t r = 0; r < rows->count; r++) {
            uint32_t width = width_of(rows->items[r]->cells[c].text);
            widths[c] = width > widths[c] ? width : widths[c];
            titles.cells[c].is_number |= rows->items[r]->cells[c].is_number;
        }
    }
    enum err err = ERR_OK;
    for (uint32_t r = 0; err == ERR_OK && r <= rows->count; r++) {
        const struct row *row = r == 0 ? &titles : rows->items[r - 1];
        for (uint32_t c = 0; err == ERR_OK && c < rows->column_count; c++) {
            err = put_cell(out, &row->cells[c], widths[c], c + 1 == rows->column_count);
        }
        err = err == ERR_OK ? buf_append(out, STR("\n")) : err;
    }
    return err;
}

enum err
table_sorted(struct str json, const struct table_columns *columns, const char *sort_by,
             struct buf *out)
{
    struct json_value root;
    struct json_value items;
    if (columns->count > TABLE_COLUMNS_MAX || json_read(json, &root, NULL) != ERR_OK ||
        !json_get(root, STR("items"), &items) || items.kind != JSON_ARRAY) {
        return ERR_BAD;
    }
    struct rows rows = { .columns = columns->items,
                         .column_count = columns->count,
                         .sort_by = sort_by };
    arena_init(&rows.arena, CELLS_BYTES_MAX);
    rows.items = calloc(TABLE_ROWS_MAX, sizeof(struct row *));
    enum err err = rows.items == NULL ? ERR_FULL : json_scan_array(items, on_item, &rows);
    if (err == ERR_OK) {
        err = rows.err;
    }
    if (err == ERR_OK && sort_by != NULL) {
        qsort(rows.items, rows.count, sizeof(struct row *), by_rank);
    }
    if (err == ERR_OK) {
        err = rows.count == 0 ? buf_append(out, STR("(none)\n")) : put_rows(&rows, out);
    }
    arena_reset(&rows.arena);
    free(rows.items);
    return err;
}

bool
table_has(const struct table_columns *columns, const char *member)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        if (strcmp(columns->items[i].member, member) == 0) {
            return true;
        }
    }
    return false;
}

enum err
table_list(struct str json, const struct table_columns *columns, struct buf *out)
{
    return table_sorted(json, columns, NULL, out);
}

/* --- one object --- */

struct lines {
    struct arena arena;
    struct buf *out;
    uint32_t indent;
    enum err err;
};

static bool
on_member(void *context, const struct json_member *member)
{
    struct lines *lines = context;
    if (member->value.kind == JSON_ARRAY) {
        return true;
    }
    bool is_object = member->value.kind == JSON_OBJECT;
    struct cell cell =
        is_object ? (struct cell){ STR(""), false } : cell_of(member->value, &lines->arena);
    if (lines->err == ERR_OK) {
        lines->err = pad(lines->out, lines->indent);
    }
    if (lines->err == ERR_OK) {
        lines->err = buf_append(lines->out, member->name);
    }
    uint32_t column = lines->indent + width_of(member->name);
    if (lines->err == ERR_OK) {
        lines->err = pad(lines->out, is_object ? 0 : column < 24 ? 24 - column : 1);
    }
    if (lines->err == ERR_OK) {
        lines->err = buf_append(lines->out, cell.text);
    }
    if (lines->err == ERR_OK) {
        lines->err = buf_append(lines->out, STR("\n"));
    }
    if (is_object && lines->err == ERR_OK && lines->indent < 8) {
        lines->indent += 2;
        enum err err = json_scan_object(member->value, on_member, lines);
        lines->err = lines->err == ERR_OK ? err : lines->err;
        lines->indent -= 2;
    }
    return lines->err == ERR_OK;
}

enum err
table_object(struct str json, struct buf *out)
{
    struct json_value root;
    if (json_read(json, &root, NULL) != ERR_OK || root.kind != JSON_OBJECT) {
        return ERR_BAD;
    }
    struct lines lines = { .out = out };
    arena_init(&lines.arena, CELLS_BYTES_MAX);
    enum err err = json_scan_object(root, on_member, &lines);
    arena_reset(&lines.arena);
    return err == ERR_OK ? lines.err : err;
}
