#include "upstream/roster.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "store/match.h"

/* Smaller groups are compared at each choice: that takes no longer than to look them up. */
#define REMEMBERED_FROM 8u
#define WAYS 8u /* that a roster may stand in */
#define SETS (ROSTERS / WAYS)
#define WORDS ((ACCOUNTS_MAX + 63u) / 64u)

_Static_assert(ROSTERS % WAYS == 0 && (SETS & (SETS - 1)) == 0, "a set is found by a mask");

struct entry {
    uint64_t hash;
    uint64_t serial; /* of the snapshot; 0 = unused */
    uint64_t used;   /* when last, by the count of look-ups */
    uint32_t group;
    enum dialect dialect;
    uint32_t count;
    enum select_result others;
    size_t model_bytes;
    char model[MODEL_NAME_BYTES];
};

/* Pages are there once they were used: a process with small groups never touches them. */
static struct entry entries[ROSTERS];
static uint64_t bits_of[ROSTERS][WORDS];
static uint64_t scratch[WORDS];
static uint64_t lookups;

static bool
serves_model(const struct account *account, struct str model)
{
    if (model.len == 0 || match_globs(account->models, model)) {
        return true;
    }
    /* The list may name what is asked for or what is sent. */
    struct str sent = match_mapped(account->model_map, model);
    return sent.data != model.data;
}

enum select_result
roster_judge(const struct catalog_brief *brief, const struct account *record, enum dialect dialect,
             struct str model)
{
    /* What it could serve comes before whether it may: a disabled account that speaks the dialect
     * says "nothing is available now", not "nobody has this model". */
    if ((brief->dialects & DIALECT_BIT(dialect)) == 0) {
        return SELECT_DIALECT;
    }
    if (brief->has_models && !serves_model(record, model)) {
        return SELECT_MODEL;
    }
    if (brief->is_disabled) {
        return SELECT_DISABLED;
    }
    return brief->is_broken ? SELECT_BROKEN : SELECT_OK;
}

/* Compares: the group's bits, how many are set, and of the others the most telling reason. */
static void
call_roll(const struct select_want *want, uint64_t *bits, struct roster *out)
{
    const struct catalog_view *view = want->view;
    const struct catalog_group *group = &view->groups[want->group];
    CHECK(group->account_count <= ACCOUNTS_MAX);
    *out = (struct roster){ .bits = bits, .places = group->account_count, .others = SELECT_NONE };
    memset(bits, 0, (group->account_count + 63) / 64 * sizeof bits[0]);
    for (uint32_t i = 0; i < group->account_count; i++) {
        uint32_t at = group->accounts[i];
        enum select_result result = roster_judge(&view->briefs[at], &view->accounts[at].account,
                                                 want->dialect, want->model);
        if (result == SELECT_OK) {
            bits[i / 64] |= 1ull << (i % 64);
            out->count++;
        } else {
            out->others = select_more_telling(out->others, result);
        }
    }
}

static bool
is_of(const struct entry *entry, uint64_t hash, const struct select_want *want)
{
    return entry->hash == hash && entry->serial == want->view->serial &&
           entry->group == want->group && entry->dialect == want->dialect &&
           str_equal(str_make(entry->model, entry->model_bytes), want->model);
}

/* The want's own, or the one of its set that was asked for longest ago. */
static struct entry *
entry_for(const struct select_want *want, uint64_t hash)
{
    struct entry *set = &entries[(hash & (SETS - 1)) * WAYS];
    struct entry *oldest = set;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (is_of(&set[i], hash, want)) {
            return &set[i];
        }
        if (set[i].used < oldest->used) {
            oldest = &set[i];
        }
    }
    return oldest;
}

static void
remember(struct entry *entry, const struct select_want *want, uint64_t hash,
         const struct roster *roster)
{
    *entry = (struct entry){ .hash = hash,
                             .serial = want->view->serial,
                             .group = want->group,
                             .dialect = want->dialect,
                             .count = roster->count,
                             .others = roster->others,
                             .model_bytes = want->model.len };
    if (want->model.len > 0) {
        memcpy(entry->model, want->model.data, want->model.len);
    }
}

void
roster_find(const struct select_want *want, struct roster *out)
{
    CHECK(want->group < want->view->group_count);
    const struct catalog_view *view = want->view;
    uint32_t places = view->groups[want->group].account_count;
    /* A view without a serial is somebody's own, who may change it. */
    if (view->serial == 0 || places < REMEMBERED_FROM || want->model.len > MODEL_NAME_BYTES) {
        call_roll(want, scratch, out);
        return;
    }
    uint64_t hash = hash_bytes(&want->segment->hash_key, want->model);
    hash = hash_u64(&want->segment->hash_key,
                    hash ^ view->serial << 32 ^ (uint64_t)want->group << 4 ^ want->dialect);
    struct entry *entry = entry_for(want, hash);
    uint64_t *bits = bits_of[entry - entries];
    if (is_of(entry, hash, want)) {
        *out = (struct roster){ bits, places, entry->count, entry->others };
    } else {
        call_roll(want, bits, out);
        remember(entry, want, hash, out);
    }
    entry->used = ++lookups;
}
