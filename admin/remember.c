#include "admin/remember.h"

#include <stdlib.h>
#include <string.h>

#include "admin/recorder.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "shm/health.h"
#include "shm/version.h"
#include "store/ledger.h"
#include "store/standing.h"

/* Shorter rests are over before a restart is. */
#define LASTING_MS 60000u
/* Rows written in one look; the rest is for the next one. */
#define BATCH_MAX 64u

/* What the store has of an account, by its index. */
struct kept {
    uint64_t account_id; /* 0: there is no row */
    enum health_state state;
    enum health_reason reason;
    uint64_t until_ms; /* monotonic */
};

struct remember {
    struct recorder *recorder;
    struct kept *kept; /* [accounts] */
    struct standing batch[BATCH_MAX];
    uint32_t indexes[BATCH_MAX]; /* of the batch's accounts; UINT32_MAX: a row of nobody */
    struct kept news[BATCH_MAX];
    uint32_t count;
};

/* --- keeping --- */

static bool
is_lasting(const struct health_view *view, uint64_t now_ms)
{
    return view->state == HEALTH_DISABLED ||
           (view->state == HEALTH_COOLING && view->until_ms >= now_ms + LASTING_MS);
}

static void
fill_row(const struct health_view *view, uint64_t now_ms, struct standing *out)
{
    *out = (struct standing){ .account_id = view->account_id, .status = view->last_status };
    if (view->state == HEALTH_COOLING) {
        out->until_wall_ms = clock_wall_ms() + (view->until_ms - now_ms);
    }
    str_copy(out->reason, sizeof out->reason, str_of(health_reason_text(view->reason)));
    memcpy(out->excerpt, view->excerpt, sizeof out->excerpt);
}

static void
add(struct remember *remember, uint32_t index, const struct standing *row, struct kept news)
{
    CHECK(remember->count < BATCH_MAX);
    remember->batch[remember->count] = *row;
    remember->indexes[remember->count] = index;
    remember->news[remember->count++] = news;
}

static void
look_at(struct remember *remember, uint32_t index, uint64_t now_ms)
{
    const struct segment *segment = remember->recorder->segment;
    const struct kept *kept = &remember->kept[index];
    struct health_view view;
    struct standing row;
    health_read(segment, index, &view);
    if (kept->account_id != 0 && kept->account_id != view.account_id) {
        /* The index is another's by now. */
        row = (struct standing){ .account_id = kept->account_id, .is_gone = true };
        add(remember, index, &row, (struct kept){ .account_id = 0 });
        return;
    }
    bool is_same = kept->account_id != 0 && kept->state == view.state &&
                   kept->reason == view.reason && kept->until_ms == view.until_ms;
    /* While somebody asks how it is, what was known stands. */
    if (view.account_id == 0 || is_same || view.state == HEALTH_PROBING) {
        return;
    }
    if (is_lasting(&view, now_ms)) {
        fill_row(&view, now_ms, &row);
        add(remember, index, &row,
            (struct kept){ view.account_id, view.state, view.reason, view.until_ms });
    } else if (kept->account_id != 0) {
        row = (struct standing){ .account_id = kept->account_id, .is_gone = true };
        add(remember, index, &row, (struct kept){ .account_id = 0 });
    }
}

static void
write_batch(struct remember *remember)
{
    struct recorder *recorder = remember->recorder;
    enum err err = standing_put(ledger_kv(recorder->ledger), remember->batch, remember->count);
    for (uint32_t i = 0; i < remember->count && err == ERR_OK; i++) {
        if (remember->indexes[i] != UINT32_MAX) {
            remember->kept[remember->indexes[i]] = remember->news[i];
        }
    }
    remember->count = 0; /* when it failed, the next look finds the same */
}

void
remember_look(struct remember *remember)
{
    uint64_t now_ms = loop_now_ms(remember->recorder->loop);
    CHECK(remember->count == 0);
    uint32_t accounts = version_accounts(remember->recorder->segment);
    for (uint32_t i = 0; i < accounts && remember->count < BATCH_MAX; i++) {
        look_at(remember, i, now_ms);
    }
    write_batch(remember);
}

/* --- giving back --- */

static uint32_t
index_of(const struct segment *segment, uint64_t account_id)
{
    for (uint32_t i = 0; i < version_accounts(segment); i++) {
        if (atomic_load(&segment->health_rows[i].account_id) == account_id) {
            return i;
        }
    }
    return UINT32_MAX;
}

static bool
find_reason(const char *text, enum health_reason *out)
{
    for (uint32_t i = HEALTH_REASON_NONE + 1; i < HEALTH_REASONS; i++) {
        *out = (enum health_reason)i;
        if (strcmp(health_reason_text(*out), text) == 0) {
            return true;
        }
    }
    return false;
}

/* False: the row is of no use any more. */
static bool
give_back(struct remember *remember, const struct standing *row)
{
    struct recorder *recorder = remember->recorder;
    uint32_t index = index_of(recorder->segment, row->account_id);
    uint64_t now_ms = loop_now_ms(recorder->loop);
    uint64_t wall_ms = clock_wall_ms();
    enum health_reason reason;
    if (index == UINT32_MAX || !find_reason(row->reason, &reason) ||
        (row->until_wall_ms != 0 && row->until_wall_ms <= wall_ms)) {
        return false;
    }
    uint64_t rest_ms = row->until_wall_ms == 0 ? 0 : row->until_wall_ms - wall_ms;
    if (health_restore(recorder->segment, recorder->slot, index, reason, rest_ms, row->status,
                       str_of(row->excerpt), now_ms)) {
        log_event(LOG_INFO, "remember", "account=%llu why=\"%s\" for_s=%llu",
                  (unsigned long long)row->account_id, row->reason,
                  (unsigned long long)(rest_ms / 1000));
    }
    /* What the segment says decides at the first look: nothing equals this. */
    remember->kept[index] = (struct kept){ row->account_id, HEALTH_PROBING, HEALTH_REASON_NONE, 0 };
    return true;
}

static enum err
load(struct remember *remember)
{
    struct kv *kv = ledger_kv(remember->recorder->ledger);
    uint64_t cursor = 0;
    struct standing row;
    enum err err;
    while ((err = standing_next(kv, &cursor, &row)) == ERR_OK) {
        if (give_back(remember, &row)) {
            continue;
        }
        row.is_gone = true;
        add(remember, UINT32_MAX, &row, (struct kept){ .account_id = 0 });
        if (remember->count == BATCH_MAX) {
            write_batch(remember);
        }
    }
    write_batch(remember);
    return err == ERR_EOF ? ERR_OK : err;
}

enum err
remember_make(struct recorder *recorder, struct remember **out)
{
    struct remember *remember = calloc(1, sizeof *remember);
    *out = remember;
    if (remember == NULL) {
        return ERR_FULL;
    }
    remember->recorder = recorder;
    remember->kept = calloc(recorder->segment->accounts, sizeof *remember->kept);
    return remember->kept == NULL ? ERR_FULL : load(remember);
}

void
remember_free(struct remember *remember)
{
    if (remember != NULL) {
        free(remember->kept);
        free(remember);
    }
}
