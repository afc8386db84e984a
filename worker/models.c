#include "worker/models.h"

#include <string.h>

#include "proto/listing.h"
#include "store/match.h"
#include "upstream/roster.h"

/* Names on one list; more are left out. */
#define MODELS_MAX 2000u

/* What an account without a list of its own is taken to have. November 2026, from the types of the
 * providers' own SDKs; only for show: any other name is forwarded all the same. */
static const char usual_openai[] =
    "gpt-6-astra,gpt-6.1-sol,gpt-6.1-terra,gpt-6-luna,gpt-5.6-sol,gpt-5.6-terra,gpt-5.6-luna,gpt-5."
    "5,"
    "gpt-5.4,gpt-5.4-mini,gpt-5.4-nano,gpt-5,gpt-5-mini,gpt-4.1,gpt-4.1-mini,gpt-4o,gpt-4o-mini";
static const char usual_anthropic[] =
    "claude-fable-5-2,claude-opus-5-5,claude-sonnet-5-5,claude-haiku-5-5,claude-opus-5,"
    "claude-sonnet-5,claude-opus-4-8,claude-sonnet-4-6,claude-haiku-4-5";
static const char usual_gemini[] =
    "gemini-4-argon,gemini-4-carbon,gemini-3.8-flash,gemini-3.5-flash,gemini-3.5-flash-lite,"
    "gemini-2.5-pro,gemini-2.5-flash,gemini-2.5-flash-lite";

#define OPENAI (DIALECT_BIT(DIALECT_CHAT) | DIALECT_BIT(DIALECT_RESPONSES))

/* By what an account speaks. Embeddings are not translated: they are there for who speaks the same.
 */
static const struct usual {
    uint32_t dialects;
    const char *names;
    const char *embeddings;
} usuals[] = {
    { OPENAI, usual_openai, "text-embedding-3-large,text-embedding-3-small" },
    { DIALECT_BIT(DIALECT_ANTHROPIC), usual_anthropic, "" },
    { DIALECT_BIT(DIALECT_GEMINI), usual_gemini, "gemini-embedding-001" },
};
#define USUALS (sizeof usuals / sizeof usuals[0])

struct models {
    const struct models_want *want;
    const struct catalog_group *group;
    struct str asked; /* empty: all */
    /* Each name that was looked at, once; without an owner: not reachable. */
    struct listing_model *rows;
    uint32_t count;
};

/* --- who serves a name --- */

static enum select_result
judge(const struct models *models, uint32_t place, enum dialect dialect, struct str wanted)
{
    const struct catalog_view *view = models->want->view;
    uint32_t at = models->group->accounts[place];
    return roster_judge(&view->briefs[at], &view->accounts[at].account, dialect, wanted);
}

/* The first account that speaks the dialect for the model; NULL: none. */
static const struct catalog_account *
find_server(const struct models *models, enum dialect dialect, struct str wanted,
            bool with_disabled)
{
    for (uint32_t i = 0; i < models->group->account_count; i++) {
        enum select_result result = judge(models, i, dialect, wanted);
        if (result == SELECT_OK ||
            (with_disabled && (result == SELECT_DISABLED || result == SELECT_BROKEN))) {
            return &models->want->view->accounts[models->group->accounts[i]];
        }
    }
    return NULL;
}

/* As bridge_choose() goes: who speaks a dialect of the list's readers has the model to himself. */
static const struct catalog_account *
find_owner(const struct models *models, struct str wanted)
{
    for (int own = 0; own < DIALECT_COUNT; own++) {
        if ((models->want->speaks & DIALECT_BIT(own)) == 0) {
            continue;
        }
        const struct catalog_account *owner = find_server(models, (enum dialect)own, wanted, false);
        bool is_taken =
            owner != NULL || find_server(models, (enum dialect)own, wanted, true) != NULL;
        for (int other = 0; other < DIALECT_COUNT && !is_taken && owner == NULL; other++) {
            owner = find_server(models, (enum dialect)other, wanted, false);
        }
        if (owner != NULL) {
            return owner;
        }
    }
    return NULL;
}

/* --- names --- */

static void
add(struct models *models, struct str id)
{
    if (id.len == 0 || memchr(id.data, '*', id.len) != NULL ||
        memchr(id.data, '?', id.len) != NULL || models->count == MODELS_MAX ||
        !match_globs(models->want->key->key.models, id) ||
        !match_globs(models->group->group.models, id)) {
        return;
    }
    for (uint32_t i = 0; i < models->count; i++) {
        if (str_equal(models->rows[i].id, id)) {
            return;
        }
    }
    struct listing_model *row = &models->rows[models->count++];
    const struct catalog_account *owner =
        find_owner(models, match_mapped(models->group->group.model_map, id));
    *row = (struct listing_model){ .id = id };
    if (owner != NULL) {
        row->owned_by = str_of(model_platform_name(owner->account.platform));
        row->created_s = owner->account.created_ms / 1000;
    }
}

static void
add_list(struct models *models, const char *names)
{
    struct str rest = str_of(names);
    struct str item;
    while (match_next(&rest, &item)) {
        add(models, item);
    }
}

static void
add_account(struct models *models, const struct account *account, uint32_t dialects)
{
    const char *names = account->models;
    /* Globs cannot be listed, but a name that one of them takes can be shown. */
    if (models->asked.len > 0 && names[0] != '\0' && match_globs(names, models->asked)) {
        add(models, models->asked);
    }
    add_list(models, names);
    for (size_t i = 0; names[0] == '\0' && i < USUALS; i++) {
        if ((dialects & usuals[i].dialects) != 0) {
            add_list(models, usuals[i].names);
            bool is_same = (dialects & usuals[i].dialects & models->want->speaks) != 0;
            add_list(models, is_same ? usuals[i].embeddings : "");
        }
    }
    struct str rest = str_of(account->model_map);
    struct str item;
    while (match_next(&rest, &item)) {
        add(models, str_trim(str_cut(&item, '=')));
    }
}

/* The usual names that a glob on the left side of the group's mapping takes. */
static void
add_taken(struct models *models, struct str pattern)
{
    for (size_t i = 0; i < USUALS; i++) {
        struct str rest = str_of(usuals[i].names);
        struct str item;
        while (match_next(&rest, &item)) {
            if (match_glob(pattern, item)) {
                add(models, item);
            }
        }
    }
}

static void
add_group(struct models *models)
{
    const char *map = models->group->group.model_map;
    struct str rest = str_of(map);
    struct str item;
    if (models->asked.len > 0 && match_mapped(map, models->asked).data != models->asked.data) {
        add(models, models->asked);
    }
    while (match_next(&rest, &item)) {
        struct str pattern = str_trim(str_cut(&item, '='));
        add(models, pattern);
        add_taken(models, pattern);
    }
}

/* Only those that can be reached stay. */
static void
sift(struct models *models)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < models->count; i++) {
        if (models->rows[i].owned_by.len > 0) {
            models->rows[kept++] = models->rows[i];
        }
    }
    models->count = kept;
}

static enum err
collect(struct models *models, struct arena *arena)
{
    const struct models_want *want = models->want;
    models->rows = arena_alloc_raw(arena, sizeof *models->rows * MODELS_MAX);
    if (models->rows == NULL) {
        return ERR_FULL;
    }
    if (want->key->group >= want->view->group_count) {
        return ERR_OK;
    }
    models->group = &want->view->groups[want->key->group];
    for (uint32_t i = 0; i < models->group->account_count; i++) {
        uint32_t at = models->group->accounts[i];
        const struct catalog_brief *brief = &want->view->briefs[at];
        if (!brief->is_disabled && !brief->is_broken) {
            add_account(models, &want->view->accounts[at].account, brief->dialects);
        }
    }
    add_group(models);
    sift(models);
    return ERR_OK;
}

enum err
models_list(const struct models_want *want, struct arena *arena, struct buf *out)
{
    struct models models = { .want = want };
    enum err err = collect(&models, arena);
    if (err != ERR_OK) {
        return err;
    }
    struct listing_page page = { 0 };
    listing_page_read(want->query, &page);
    return listing_write(out, want->shape, models.rows, models.count, &page);
}

enum err
models_one(const struct models_want *want, struct str id, struct arena *arena, struct buf *out)
{
    struct models models = { .want = want, .asked = id };
    enum err err = collect(&models, arena);
    if (err != ERR_OK) {
        return err;
    }
    for (uint32_t i = 0; i < models.count; i++) {
        if (str_equal(models.rows[i].id, id)) {
            return listing_write_one(out, want->shape, &models.rows[i]);
        }
    }
    return ERR_GONE;
}
