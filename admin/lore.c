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
#include "base/hash.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/loop.h"
#include "proto/dialect.h"
#include "shm/health.h"
#include "shm/lack.h"
#include "shm/spell.h"
#include "shm/version.h"
#include "store/ledger.h"
#include "store/lesson.h"
#include "upstream/target.h"

/* Rows written in one look; the rest is for the next one. */
#define BATCH_MAX 64u

_Static_assert(LACK_DIALECTS == DIALECT_COUNT && LESSON_ENTRIES > DIALECT_COUNT,
               "a word and an entry for each dialect");
_Static_assert(SPELL_MODEL_BYTES <= LESSON_NAME_BYTES, "a model's name fits");

#define NONE UINT32_MAX

/* What the store has of an account, by its index. */
struct kept {
    uint64_t account_id; /* 0: there is no row */
    uint64_t print;      /* a hash of the entries */
};

struct lore {
    struct recorder *recorder;
    struct kept *kept; /* [accounts] */
    struct lesson batch[BATCH_MAX];
    struct kept news[BATCH_MAX];
    uint32_t indexes[BATCH_MAX]; /* of the batch's accounts; NONE: a row of nobody */
    uint32_t count;
    uint32_t next; /* the account that the next look begins with */

    /* The spells that hold now, by account. */
    uint32_t *first; /* [accounts] into `spells`; NONE: it has none */
    bool is_any;     /* else all are NONE */
    uint32_t spell_count;
    struct spell_view spells[SPELLS];
    uint32_t next_spell[SPELLS]; /* of the same account */
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

/* The entry's end is that of the monotonic clock: the other one is set while we look. */
static void
mix(const struct lore *lore, const struct lesson_entry *entry, uint64_t until_ms, struct kept *news)
{
    const struct hash_key *key = &lore->recorder->segment->hash_key;
    uint64_t name = hash_bytes(key, str_of(entry->name));
    news->print = hash_u64(key, news->print ^ name);
    news->print = hash_u64(key, news->print ^ until_ms);
    news->print = hash_u64(key, news->print ^ ((uint64_t)entry->kind << 32 | entry->number));
}

static struct lesson_entry
make_entry(enum lesson_kind kind, const char *name, uint32_t number, uint64_t left_ms)
{
    struct lesson_entry entry = { .kind = (uint32_t)kind,
                                  .number = number,
                                  .until_wall_ms = clock_wall_ms() + left_ms };
    str_copy(entry.name, sizeof entry.name, str_of(name));
    return entry;
}

static void
read_lacks(const struct lore *lore, uint32_t index, uint64_t now_ms, struct lesson *row,
           struct kept *news)
{
    for (uint32_t i = 0; i < DIALECT_COUNT; i++) {
        struct lack_view view;
        lack_read(lore->recorder->segment, index, i, now_ms, &view);
        if (view.kind == LACK_PROVEN) {
            struct lesson_entry *entry = &row->entries[row->count++];
            *entry = make_entry(LESSON_ENDPOINT, dialect_name((enum dialect)i), view.status,
                                view.left_ms);
            mix(lore, entry, now_ms + view.left_ms, news);
        }
    }
}

/* Where this one goes: at the end, or in place of the model that rests for the shortest time. */
static struct lesson_entry *
place_for(struct lesson *row, const struct lesson_entry *entry)
{
    if (row->count < LESSON_ENTRIES) {
        return &row->entries[row->count++];
    }
    struct lesson_entry *least = &row->entries[LESSON_ENTRIES - 1];
    for (uint32_t i = 0; i < LESSON_ENTRIES; i++) {
        struct lesson_entry *at = &row->entries[i];
        if (at->kind == LESSON_MODEL && at->until_wall_ms < least->until_wall_ms) {
            least = at;
        }
    }
    return least->until_wall_ms < entry->until_wall_ms ? least : NULL;
}

static void
read_spells(const struct lore *lore, uint32_t index, uint64_t now_ms, struct lesson *row,
            struct kept *news)
{
    for (uint32_t i = lore->first[index]; i != NONE; i = lore->next_spell[i]) {
        const struct spell_view *view = &lore->spells[i];
        struct lesson_entry entry =
            make_entry(LESSON_MODEL, view->model, view->failures, view->left_ms);
        struct lesson_entry *at = place_for(row, &entry);
        if (at != NULL) {
            *at = entry;
        }
        mix(lore, &entry, now_ms + view->left_ms, news);
    }
}

/* What is known of the account now; as a row and as what is remembered of that. */
static void
read_words(const struct lore *lore, uint32_t index, uint64_t account_id, struct lesson *row,
           struct kept *news)
{
    uint64_t now_ms = loop_now_ms(lore->recorder->loop);
    row->account_id = account_id;
    row->count = 0;
    *news = (struct kept){ .account_id = account_id };
    if (account_id != 0) {
        read_lacks(lore, index, now_ms, row, news);
        read_spells(lore, index, now_ms, row, news);
    }
    if (row->count == 0) {
        *news = (struct kept){ .account_id = 0 };
    }
}

static void
look_at(struct lore *lore, uint32_t index)
{
    const struct kept *kept = &lore->kept[index];
    uint64_t id = atomic_load(&lore->recorder->segment->health_rows[index].account_id);
    static struct lesson row;
    struct kept news;
    read_words(lore, index, id, &row, &news);
    if (news.account_id == kept->account_id && news.print == kept->print) {
        return;
    }
    if (kept->account_id != 0 && kept->account_id != id) {
        /* The index is another's by now; that one's own row comes with the next look. */
        row.account_id = kept->account_id;
        row.count = 0;
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
        if (lore->indexes[i] != NONE) {
            lore->kept[lore->indexes[i]] = lore->news[i];
        }
    }
    lore->count = 0; /* when it failed, the next look finds the same */
}

/* All spells that hold, by account, in the order of the table. */
static void
collect_spells(struct lore *lore)
{
    const struct segment *segment = lore->recorder->segment;
    uint64_t now_ms = loop_now_ms(lore->recorder->loop);
    bool is_any = spell_any(segment, now_ms);
    if (is_any || lore->is_any) {
        memset(lore->first, 0xff, segment->accounts * sizeof lore->first[0]);
    }
    lore->is_any = is_any;
    lore->spell_count = 0;
    for (uint32_t i = 0; i < SPELLS && is_any; i++) {
        struct spell_view *view = &lore->spells[lore->spell_count];
        if (spell_read(segment, i, now_ms, view)) {
            lore->next_spell[lore->spell_count] = lore->first[view->account];
            lore->first[view->account] = lore->spell_count++;
        }
    }
}

void
lore_look(struct lore *lore)
{
    uint32_t accounts = lore->recorder->segment->accounts;
    CHECK(lore->count == 0);
    collect_spells(lore);
    /* Where the last one stopped: rests that come and go all the time hide nobody's. */
    for (uint32_t i = 0; i < accounts && lore->count < BATCH_MAX; i++) {
        look_at(lore, lore->next);
        lore->next = (lore->next + 1) % accounts;
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
    return NONE;
}

static void
give_endpoint(struct lore *lore, uint32_t index, const struct lesson_entry *entry, uint64_t left_ms)
{
    struct segment *segment = lore->recorder->segment;
    uint64_t now_ms = loop_now_ms(lore->recorder->loop);
    enum dialect dialect;
    if (dialect_parse(str_of(entry->name), &dialect)) {
        lack_note(segment, index, dialect, LACK_PROVEN, entry->number, left_ms, now_ms);
    }
}

static void
give_model(struct lore *lore, uint32_t index, const struct lesson_entry *entry, uint64_t left_ms)
{
    struct spell_view view = { .account = index, .failures = entry->number, .left_ms = left_ms };
    str_copy(view.model, sizeof view.model, str_of(entry->name));
    spell_restore(lore->recorder->segment, &view, loop_now_ms(lore->recorder->loop));
}

static void
give_row(struct lore *lore, uint32_t index, const struct lesson *row)
{
    uint64_t wall_ms = clock_wall_ms();
    for (uint32_t i = 0; i < row->count; i++) {
        const struct lesson_entry *entry = &row->entries[i];
        if (entry->until_wall_ms <= wall_ms) {
            continue;
        }
        uint64_t left_ms = entry->until_wall_ms - wall_ms;
        if (entry->kind == LESSON_ENDPOINT) {
            give_endpoint(lore, index, entry, left_ms);
        } else if (entry->kind == LESSON_MODEL) {
            give_model(lore, index, entry, left_ms);
        }
    }
}

static enum err
load(struct lore *lore)
{
    struct kv *kv = ledger_kv(lore->recorder->ledger);
    bool is_new = !version_is_loaded(lore->recorder->segment);
    uint64_t cursor = 0;
    static struct lesson row;
    enum err err;
    while ((err = lesson_next(kv, &cursor, &row)) == ERR_OK) {
        uint32_t index = index_of(lore->recorder->segment, row.account_id);
        if (index != NONE) {
            if (is_new) {
                give_row(lore, index, &row);
            }
            /* The first look compares: nothing is known of what the row says. */
            lore->kept[index] = (struct kept){ .account_id = row.account_id };
            continue;
        }
        row.count = 0;
        add(lore, NONE, &row, &(struct kept){ .account_id = 0 });
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
    lore->first = calloc(recorder->segment->accounts, sizeof *lore->first);
    lore->is_any = true; /* nothing is set to NONE yet */
    return lore->kept == NULL || lore->first == NULL ? ERR_FULL : load(lore);
}

void
lore_free(struct lore *lore)
{
    if (lore != NULL) {
        free(lore->kept);
        free(lore->first);
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
