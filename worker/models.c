#include "worker/models.h"

#include <string.h>

#include "proto/listing.h"
#include "store/match.h"
#include "upstream/target.h"

/* Names on one list; more are left out. */
#define MODELS_MAX 2000u

/* What an account without a list of its own is taken to have. November 2026, from the types of the
 * providers' own SDKs; only for show: any other name is forwarded all the same. */
static const char usual_openai[] =
    "gpt-6-astra,gpt-6.1-sol,gpt-6.1-terra,gpt-6-luna,gpt-5.6-sol,gpt-5.6-terra,gpt-5.6-luna,gpt-5."
    "5,"
    "gpt-5.4,gpt-5.4-mini,gpt-5.4-nano,gpt-5,gpt-5-mini,gpt-4.1,gpt-4.1-mini,gpt-4o,gpt-4o-mini,"
    "text-embedding-3-large,text-embedding-3-small";
static const char usual_anthropic[] =
    "claude-fable-5-2,claude-opus-5-5,claude-sonnet-5-5,claude-haiku-5-5,claude-opus-5,"
    "claude-sonnet-5,claude-opus-4-8,claude-sonnet-4-6,claude-haiku-4-5";
static const char usual_gemini[] =
    "gemini-4-argon,gemini-4-carbon,gemini-3.8-flash,gemini-3.5-flash,gemini-3.5-flash-lite,"
    "gemini-2.5-pro,gemini-2.5-flash,gemini-2.5-flash-lite,gemini-embedding-001";

struct models {
    const struct models_want *want;
    const struct catalog_group *group;
    struct str asked; /* empty: all */
    struct listing_model *rows;
    uint32_t count;
};

static const char *
usual_of(enum dialect shape)
{
    switch (shape) {
    case DIALECT_ANTHROPIC:
        return usual_anthropic;
    case DIALECT_GEMINI:
        return usual_gemini;
    case DIALECT_CHAT:
    case DIALECT_RESPONSES:
    case DIALECT_COUNT:
        return usual_openai;
    }
    return usual_openai;
}

static void
add(struct models *models, struct str id, const struct catalog_account *account)
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
    models->rows[models->count++] =
        (struct listing_model){ .id = id,
                                .owned_by = str_of(model_platform_name(account->account.platform)),
                                .created_s = account->account.created_ms / 1000 };
}

static void
add_account(struct models *models, const struct catalog_account *account)
{
    const char *names = account->account.models;
    /* Globs cannot be listed, but a name that one of them takes can be shown. */
    if (models->asked.len > 0 && names[0] != '\0' && match_globs(names, models->asked)) {
        add(models, models->asked, account);
    }
    struct str rest = str_of(names[0] != '\0' ? names : usual_of(models->want->shape));
    struct str item;
    while (match_next(&rest, &item)) {
        add(models, item, account);
    }
    rest = str_of(account->account.model_map);
    while (match_next(&rest, &item)) {
        add(models, str_trim(str_cut(&item, '=')), account);
    }
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
        const struct catalog_account *account = &want->view->accounts[models->group->accounts[i]];
        const struct target *target = account->extra;
        if (!account->account.is_disabled && target != NULL &&
            (target->dialects & want->speaks) != 0) {
            add_account(models, account);
        }
    }
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
