/*
 * lore.c - see lore.h.
 *
 * Runs in: recorder.
 */
#include "admin/lore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/recorder.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/loop.h"
#include "proto/dialect.h"
#include "shm/health.h"
#include "shm/lack.h"
#include "store/ledger.h"
#include "store/lesson.h"
#include "upstream/target.h"

/* Rows written in one look; the rest is for the next one. */
#define BATCH_MAX 64u

_Static_assert(LACK_DIALECTS == DIALECT_COUNT && LESSON_ENTRIES == DIALECT_COUNT,
               "a word and an entry for each dialect");

/* What the store has of an account, by its index. */
struct kept {
    uint64_t account_id; /* 0: there is no row */
    uint64_t until_ms[DIALECT_COUNT];
};

struct lore {
    struct recorder *recorder;
    struct kept *kept; /* [accounts] */
    struct lesson batch[BATCH_MAX];
    struct kept news[BATCH_MAX];
    uint32_t indexes[BATCH_MAX]; /* of the batch's accounts; UINT32_MAX: a row of nobody */
    uint32_t count;
};

/* --- keeping --- */

static void
add(struct lore *lore, uint32_t index, const struct lesson *row, const struct kept *news)
{
    CHECK(lore->count < BATCH_MAX);
    lore->batch[lore->count] = *row;
    lore->indexes[lore->count] = index;
    lore->news[lore->count++] = *news;
}

/* What is proven of the account now; as a row and as what is remembered of that. */
static void
read_words(const struct lore *lore, uint32_t index, uint64_t account_id, struct lesson *row,
           struct kept *news)
{
    const struct recorder *recorder = lore->recorder;
    uint64_t now_ms = loop_now_ms(recorder->loop);
    *row = (struct lesson){ .account_id = account_id };
    *news = (struct kept){ .account_id = 0 };
    for (uint32_t i = 0; i < DIALECT_COUNT && account_id != 0; i++) {
        struct lack_view view;
        lack_read(recorder->segment, index, i, now_ms, &view);
        if (view.kind != LACK_PROVEN) {
            continue;
        }
        struct lesson_entry *entry = &row->entries[row->count++];
        str_copy(entry->dialect, sizeof entry->dialect, str_of(dialect_name((enum dialect)i)));
        entry->status = view.status;
        entry->until_wall_ms = clock_wall_ms() + view.left_ms;
        news->account_id = account_id;
        news->until_ms[i] = now_ms + view.left_ms;
    }
}

static void
look_at(struct lore *lore, uint32_t index)
{
    const struct kept *kept = &lore->kept[index];
    uint64_t id = atomic_load(&lore->recorder->segment->health_rows[index].account_id);
    struct lesson row;
    struct kept news;
    read_words(lore, index, id, &row, &news);
    if (memcmp(&news, kept, sizeof news) == 0) {
        return;
    }
    if (kept->account_id != 0 && kept->account_id != id) {
        /* The index is another's by now; that one's own row comes with the next look. */
        row = (struct lesson){ .account_id = kept->account_id };
        news = (struct kept){ .account_id = 0 };
    }
    add(lore, index, &row, &news);
}

static void
write_batch(struct lore *lore)
{
    struct kv *kv = ledger_kv(lore->recorder->ledger);
    enum err err = lesson_put(kv, lore->batch, lore->count);
    for (uint32_t i = 0; i < lore->count && err == ERR_OK; i++) {
        if (lore->indexes[i] != UINT32_MAX) {
            lore->kept[lore->indexes[i]] = lore->news[i];
        }
    }
    lore->count = 0; /* when it failed, the next look finds the same */
}

void
lore_look(struct lore *lore)
{
    CHECK(lore->count == 0);
    for (uint32_t i = 0; i < lore->recorder->segment->accounts && lore->count < BATCH_MAX; i++) {
        look_at(lore, i);
    }
    write_batch(lore);
}

/* --- giving back --- */

static uint32_t
index_of(const struct segment *segment, uint64_t account_id)
{
    for (uint32_t i = 0; i < segment->accounts; i++) {
        if (atomic_load(&segment->health_rows[i].account_id) == account_id) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void
give_entry(struct lore *lore, uint32_t index, const struct lesson_entry *entry)
{
    struct segment *segment = lore->recorder->segment;
    uint64_t now_ms = loop_now_ms(lore->recorder->loop);
    uint64_t wall_ms = clock_wall_ms();
    enum dialect dialect;
    struct lack_view view;
    if (!dialect_parse(str_of(entry->dialect), &dialect) || entry->until_wall_ms <= wall_ms) {
        return;
    }
    lack_read(segment, index, dialect, now_ms, &view);
    if (view.kind == LACK_NONE) {
        lack_note(segment, index, dialect, LACK_PROVEN, entry->status,
                  entry->until_wall_ms - wall_ms, now_ms);
    }
}

static enum err
load(struct lore *lore)
{
    struct kv *kv = ledger_kv(lore->recorder->ledger);
    uint64_t cursor = 0;
    struct lesson row;
    enum err err;
    while ((err = lesson_next(kv, &cursor, &row)) == ERR_OK) {
        uint32_t index = index_of(lore->recorder->segment, row.account_id);
        if (index != UINT32_MAX) {
            for (uint32_t i = 0; i < row.count; i++) {
                give_entry(lore, index, &row.entries[i]);
            }
            /* The first look compares: no word ends at this time. */
            lore->kept[index] = (struct kept){ row.account_id, { UINT64_MAX } };
            continue;
        }
        row.count = 0;
        add(lore, UINT32_MAX, &row, &(struct kept){ .account_id = 0 });
        if (lore->count == BATCH_MAX) {
            write_batch(lore);
        }
    }
    write_batch(lore);
    return err == ERR_EOF ? ERR_OK : err;
}

enum err
lore_make(struct recorder *recorder, struct lore **out)
{
    struct lore *lore = calloc(1, sizeof *lore);
    *out = lore;
    if (lore == NULL) {
        return ERR_FULL;
    }
    lore->recorder = recorder;
    lore->kept = calloc(recorder->segment->accounts, sizeof *lore->kept);
    return lore->kept == NULL ? ERR_FULL : load(lore);
}

void
lore_free(struct lore *lore)
{
    if (lore != NULL) {
        free(lore->kept);
        free(lore);
    }
}

/* --- telling --- */

/* "23 h", "5 min", "12 s" */
static void
span_text(uint64_t ms, char out[32])
{
    uint64_t s = (ms + 999) / 1000;
    if (s >= 2 * 3600) {
        snprintf(out, 32, "%" PRIu64 " h", s / 3600);
    } else if (s >= 120) {
        snprintf(out, 32, "%" PRIu64 " min", s / 60);
    } else {
        snprintf(out, 32, "%" PRIu64 " s", s);
    }
}

/* Only of dialects that the account speaks: of others nothing is asked. */
static bool
is_shown(const struct segment *segment, const struct account *account, uint32_t dialect,
         uint64_t now_ms, struct lack_view *out)
{
    bool is_asked = account->index < segment->accounts &&
                    (target_dialects(account) & DIALECT_BIT(dialect)) != 0;
    if (is_asked) {
        lack_read(segment, account->index, dialect, now_ms, out);
    }
    return is_asked && out->kind != LACK_NONE;
}

const char *
lore_text(const struct segment *segment, const struct account *account, uint64_t now_ms,
          char out[LORE_TEXT_BYTES])
{
    struct lack_view view;
    char span[32];
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < DIALECT_COUNT && used + 1 < LORE_TEXT_BYTES; i++) {
        if (!is_shown(segment, account, i, now_ms, &view)) {
            continue;
        }
        span_text(view.left_ms, span);
        int length =
            view.kind == LACK_PROVEN
                ? snprintf(out + used, LORE_TEXT_BYTES - used, "%sno %s (%u), asked again in %s",
                           used == 0 ? "" : "; ", dialect_endpoint((enum dialect)i), view.status,
                           span)
                : snprintf(out + used, LORE_TEXT_BYTES - used,
                           "%s%s answered %u like all its endpoints: is the base URL right?",
                           used == 0 ? "" : "; ", dialect_endpoint((enum dialect)i), view.status);
        used += length > 0 ? (size_t)length : 0;
    }
    return out;
}

void
lore_put(struct jsonw *w, const struct segment *segment, const struct account *account,
         uint64_t now_ms)
{
    struct lack_view view;
    char text[LORE_TEXT_BYTES];
    jsonw_put_text(w, "lacks", lore_text(segment, account, now_ms, text));
    jsonw_name(w, "missing");
    jsonw_array(w);
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        if (!is_shown(segment, account, i, now_ms, &view)) {
            continue;
        }
        jsonw_object(w);
        jsonw_put_text(w, "dialect", dialect_name((enum dialect)i));
        jsonw_put_text(w, "endpoint", dialect_endpoint((enum dialect)i));
        jsonw_put_bool(w, "proven", view.kind == LACK_PROVEN);
        jsonw_put_u64(w, "status", view.status);
        jsonw_put_u64(w, "retry_s", (view.left_ms + 999) / 1000);
        jsonw_close(w);
    }
    jsonw_close(w);
}
