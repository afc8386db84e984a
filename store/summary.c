#include "store/summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"

#define DAY_HOURS 24u

static const char *const texts[SUMMARY_BYS] = {
#define SUMMARY_TEXT(name, text) text,
    SUMMARY_BY_ROWS(SUMMARY_TEXT)
#undef SUMMARY_TEXT
};

bool
summary_by_of(struct str text, enum summary_by *out)
{
    for (uint32_t i = 0; i < SUMMARY_BYS; i++) {
        if (str_equal(text, str_of(texts[i]))) {
            *out = (enum summary_by)i;
            return true;
        }
    }
    return false;
}

const char *
summary_by_text(enum summary_by by)
{
    CHECK((uint32_t)by < SUMMARY_BYS);
    return texts[by];
}

static uint64_t
id_of(enum summary_by by, const struct rollup_row *row)
{
    switch (by) {
    case SUMMARY_USER:
        return row->user_id;
    case SUMMARY_KEY:
        return row->key_id;
    case SUMMARY_GROUP:
        return row->group_id;
    case SUMMARY_ACCOUNT:
        return row->account_id;
    case SUMMARY_MODEL:
        return 0;
    case SUMMARY_DAY:
        return row->hour / DAY_HOURS * DAY_HOURS * ROLLUP_HOUR_MS;
    case SUMMARY_HOUR:
        return row->hour * ROLLUP_HOUR_MS;
    }
    return 0;
}

static uint64_t
hash_of(uint64_t id, const char *model)
{
    uint64_t hash = id * 0x9e3779b97f4a7c15ull ^ 0xcbf29ce484222325ull;
    for (const char *at = model; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3ull;
    }
    return hash ^ hash >> 29;
}

static uint32_t *
find_cell(const struct summary *summary, uint64_t id, const char *model)
{
    uint32_t mask = summary->cell_count - 1;
    uint32_t at = (uint32_t)hash_of(id, model) & mask;
    for (;;) { /* half of the cells are empty */
        uint32_t line = summary->cells[at];
        if (line == 0 || (summary->lines[line - 1].id == id &&
                          strcmp(summary->lines[line - 1].model, model) == 0)) {
            return &summary->cells[at];
        }
        at = (at + 1) & mask;
    }
}

/* Twice the lines, and cells for them. */
static enum err
grow(struct summary *summary)
{
    uint32_t room = summary->room == 0 ? 64 : 2 * summary->room;
    struct summary_line *lines = realloc(summary->lines, room * sizeof(*lines));
    if (lines == NULL) {
        return ERR_FULL;
    }
    summary->lines = lines;
    uint32_t *cells = calloc(2ull * room, sizeof(*cells));
    if (cells == NULL) {
        return ERR_FULL;
    }
    free(summary->cells);
    summary->cells = cells;
    summary->cell_count = 2 * room;
    summary->room = room;
    for (uint32_t i = 0; i < summary->count; i++) {
        *find_cell(summary, lines[i].id, lines[i].model) = i + 1;
    }
    return ERR_OK;
}

static enum err
add_row(void *context, const struct rollup_row *row)
{
    struct summary *summary = context;
    uint64_t id = id_of(summary->by, row);
    const char *model = summary->by == SUMMARY_MODEL ? row->model : "";
    rollup_sum(&summary->all, &row->sums);
    uint32_t *cell = find_cell(summary, id, model);
    if (*cell == 0) {
        if (summary->count == SUMMARY_LINES_MAX) {
            rollup_sum(&summary->rest, &row->sums);
            return ERR_OK;
        }
        if (summary->count == summary->room) {
            enum err err = grow(summary);
            if (err != ERR_OK) {
                return err;
            }
            cell = find_cell(summary, id, model);
        }
        struct summary_line *line = &summary->lines[summary->count++];
        *line = (struct summary_line){ .id = id };
        memcpy(line->model, model, strlen(model) + 1);
        *cell = summary->count;
    }
    rollup_sum(&summary->lines[*cell - 1].sums, &row->sums);
    return ERR_OK;
}

static int
by_time(const void *a, const void *b)
{
    uint64_t left = ((const struct summary_line *)a)->id;
    uint64_t right = ((const struct summary_line *)b)->id;
    return left < right ? -1 : left > right;
}

/* The dearest first; of equals the busiest. */
static int
by_cost(const void *a, const void *b)
{
    const struct rollup_sums *left = &((const struct summary_line *)a)->sums;
    const struct rollup_sums *right = &((const struct summary_line *)b)->sums;
    if (left->cost_nano != right->cost_nano) {
        return left->cost_nano > right->cost_nano ? -1 : 1;
    }
    if (left->attempts != right->attempts) {
        return left->attempts > right->attempts ? -1 : 1;
    }
    return by_time(a, b);
}

enum err
summary_make(struct kv_txn *txn, enum summary_by by, uint64_t from_ms, uint64_t to_ms,
             struct summary *out)
{
    *out = (struct summary){ .by = by };
    uint64_t from = from_ms / ROLLUP_HOUR_MS;
    uint64_t to = to_ms / ROLLUP_HOUR_MS + (to_ms % ROLLUP_HOUR_MS != 0 ? 1 : 0);
    if (from > UINT32_MAX || to > UINT32_MAX) {
        return ERR_BAD;
    }
    enum err err = grow(out);
    err = err != ERR_OK ? err : rollup_each(txn, (uint32_t)from, (uint32_t)to, add_row, out);
    if (err == ERR_OK) {
        bool is_time = by == SUMMARY_DAY || by == SUMMARY_HOUR;
        qsort(out->lines, out->count, sizeof(*out->lines), is_time ? by_time : by_cost);
    }
    return err;
}

void
summary_free(struct summary *summary)
{
    free(summary->lines);
    free(summary->cells);
    *summary = (struct summary){ .count = 0 };
}
