/* The list of models that a key can reach. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "upstream/target.h"
#include "worker/models.h"

#define HOW_MANY 3u

struct fixture {
    struct catalog_account accounts[HOW_MANY];
    struct target targets[HOW_MANY];
    struct catalog_brief briefs[HOW_MANY];
    uint32_t order[HOW_MANY];
    struct catalog_group group;
    struct catalog_view view;
    struct catalog_key key;
    struct models_want want;
    struct arena arena;
    struct buf out;
};

/* What the view says of the accounts as they are by now. */
static void
brief(struct fixture *f)
{
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        catalog_brief(&f->accounts[i], target_speaks, &f->briefs[i]);
    }
}

/* Three accounts: chat and responses with a list, anthropic with a mapping, gemini with neither. */
static struct fixture *
begin(void)
{
    static const uint32_t speaks[HOW_MANY] = { DIALECT_BIT(DIALECT_CHAT) |
                                                   DIALECT_BIT(DIALECT_RESPONSES),
                                               DIALECT_BIT(DIALECT_ANTHROPIC),
                                               DIALECT_BIT(DIALECT_GEMINI) };
    struct fixture *f = aligned_alloc(64, (sizeof *f + 63) / 64 * 64);
    cr_assert_not_null(f);
    memset(f, 0, sizeof *f);
    for (uint32_t i = 0; i < HOW_MANY; i++) {
        model_defaults(MODEL_ACCOUNT, &f->accounts[i].account);
        f->targets[i].dialects = speaks[i];
        f->accounts[i].extra = &f->targets[i];
        f->order[i] = i;
    }
    snprintf(f->accounts[0].account.models, LIST_TEXT_BYTES, "gpt-4o, gpt-4*, o1, gpt-4o");
    snprintf(f->accounts[1].account.models, LIST_TEXT_BYTES, "claude-*");
    snprintf(f->accounts[1].account.model_map, LIST_TEXT_BYTES, "fast = claude-haiku, x-*=y");
    f->group = (struct catalog_group){ .accounts = f->order, .account_count = HOW_MANY };
    f->view = (struct catalog_view){ .accounts = f->accounts,
                                     .briefs = f->briefs,
                                     .account_count = HOW_MANY,
                                     .groups = &f->group,
                                     .group_count = 1 };
    f->want = (struct models_want){
        .view = &f->view, .key = &f->key, .shape = DIALECT_CHAT, .speaks = DIALECT_BIT(DIALECT_CHAT)
    };
    arena_init(&f->arena, REQUEST_ARENA_BYTES_MAX);
    buf_init(&f->out, 1u << 20);
    brief(f);
    return f;
}

static void
finish(struct fixture *f)
{
    arena_reset(&f->arena);
    buf_fini(&f->out);
    free(f);
}

static const char *
list(struct fixture *f)
{
    brief(f);
    buf_clear(&f->out);
    cr_assert(models_list(&f->want, &f->arena, &f->out) == ERR_OK);
    return arena_dup(&f->arena, buf_str(&f->out)).data;
}

static bool
lists(struct fixture *f, const char *id)
{
    char member[128];
    snprintf(member, sizeof member, "\"id\":\"%s\"", id);
    return strstr(list(f), member) != NULL;
}

Test(models, lists_plain_names_once_and_no_globs)
{
    struct fixture *f = begin();
    const char *text = list(f);
    const char *first = strstr(text, "\"gpt-4o\"");
    cr_assert_not_null(first);
    cr_expect_null(strstr(first + 1, "\"gpt-4o\""), "%s", text);
    cr_expect(lists(f, "o1") && strchr(text, '*') == NULL, "%s", text);
    cr_expect(lists(f, "fast") && lists(f, "gemini-2.5-pro"), "translated: %s", text);
    cr_expect(!lists(f, "text-embedding-3-small") && !lists(f, "gemini-embedding-001"),
              "embeddings are not: %s", text);
    finish(f);
}

Test(models, lists_the_asked_side_of_mappings)
{
    struct fixture *f = begin();
    f->want.speaks = DIALECT_BIT(DIALECT_ANTHROPIC);
    f->want.shape = DIALECT_ANTHROPIC;
    cr_expect(lists(f, "fast"), "%s", list(f));
    cr_expect(!lists(f, "claude-haiku") && strchr(list(f), '*') == NULL);
    finish(f);
}

Test(models, of_an_account_without_a_list_are_the_usual_ones)
{
    struct fixture *f = begin();
    f->want.speaks = DIALECT_BIT(DIALECT_GEMINI);
    f->want.shape = DIALECT_GEMINI;
    cr_expect(strstr(list(f), "\"name\":\"models/gemini-2.5-pro\"") != NULL, "%s", list(f));
    finish(f);
}

Test(models, obeys_the_lists_of_key_and_group)
{
    struct fixture *f = begin();
    snprintf(f->key.key.models, LIST_TEXT_BYTES, "gpt-*");
    cr_expect(lists(f, "gpt-4o") && !lists(f, "o1"));
    snprintf(f->group.group.models, LIST_TEXT_BYTES, "o1");
    cr_expect(!lists(f, "gpt-4o") && !lists(f, "o1"));
    finish(f);
}

Test(models, leaves_disabled_and_broken_accounts_out)
{
    struct fixture *f = begin();
    f->accounts[0].account.is_disabled = true;
    cr_expect(!lists(f, "gpt-4o"));
    f->accounts[0].account.is_disabled = false;
    f->accounts[0].extra = NULL;
    cr_expect(!lists(f, "gpt-4o"));
    finish(f);
}

Test(models, of_a_key_without_its_group_are_none)
{
    struct fixture *f = begin();
    f->key.group = UINT32_MAX;
    cr_expect(!lists(f, "gpt-4o"));
    finish(f);
}

Test(models, one_is_found_or_gone)
{
    struct fixture *f = begin();
    cr_expect_eq(models_one(&f->want, STR("o1"), &f->arena, &f->out), ERR_OK);
    cr_expect(strstr(arena_dup(&f->arena, buf_str(&f->out)).data, "\"id\":\"o1\"") != NULL);
    cr_expect_eq(models_one(&f->want, STR("gpt-4*"), &f->arena, &f->out), ERR_GONE);
    cr_expect_eq(models_one(&f->want, STR("nothing-x"), &f->arena, &f->out), ERR_GONE);
    finish(f);
}

Test(models, one_is_found_by_a_glob_of_its_account)
{
    struct fixture *f = begin();
    cr_expect_eq(models_one(&f->want, STR("gpt-4.1"), &f->arena, &f->out), ERR_OK);
    cr_expect(strstr(arena_dup(&f->arena, buf_str(&f->out)).data, "\"id\":\"gpt-4.1\"") != NULL);
    snprintf(f->key.key.models, LIST_TEXT_BYTES, "o1");
    cr_expect_eq(models_one(&f->want, STR("gpt-4.1"), &f->arena, &f->out), ERR_GONE);
    finish(f);
}

Test(models, says_when_there_is_no_room)
{
    struct fixture *f = begin();
    struct buf small;
    buf_init(&small, 64);
    cr_expect_eq(models_list(&f->want, &f->arena, &small), ERR_FULL);
    buf_fini(&small);
    struct arena tiny;
    arena_init(&tiny, 1024);
    cr_expect_eq(models_list(&f->want, &tiny, &f->out), ERR_FULL);
    arena_reset(&tiny);
    finish(f);
}

static enum err
one(struct fixture *f, const char *id)
{
    brief(f);
    buf_clear(&f->out);
    return models_one(&f->want, str_of(id), &f->arena, &f->out);
}

/* An account of the reader's dialect that takes every name leaves nothing to translate. */
Test(models, of_another_dialect_are_listed_where_they_are_reached)
{
    struct fixture *f = begin();
    f->want.speaks = DIALECT_BIT(DIALECT_ANTHROPIC);
    f->want.shape = DIALECT_ANTHROPIC;
    cr_expect(lists(f, "gpt-4o") && lists(f, "gemini-2.5-pro"), "%s", list(f));
    cr_expect_eq(one(f, "gpt-4o"), ERR_OK);
    cr_expect(strstr(arena_dup(&f->arena, buf_str(&f->out)).data, "\"type\":\"model\"") != NULL);
    cr_expect_eq(one(f, "gpt-4.1"), ERR_OK, "by a glob of an account that speaks another dialect");
    f->accounts[0].account.is_disabled = true;
    f->accounts[2].account.is_disabled = true;
    cr_expect(!lists(f, "gpt-4o") && one(f, "gpt-4o") == ERR_GONE, "%s", list(f));
    f->accounts[0].account.is_disabled = false;
    snprintf(f->accounts[1].account.models, LIST_TEXT_BYTES, "gpt-4o,claude-*");
    f->accounts[1].account.is_disabled = true;
    cr_expect(!lists(f, "gpt-4o"), "it is claimed by one out of service: %s", list(f));
    finish(f);
}

Test(models, include_what_the_group_maps)
{
    struct fixture *f = begin();
    f->accounts[2].account.is_disabled = true;
    snprintf(f->group.group.model_map, LIST_TEXT_BYTES,
             "claude-haiku-*=gpt-4o,mine=o1,gone=nobody,gpt-5=claude-5");
    f->want.speaks = DIALECT_BIT(DIALECT_ANTHROPIC);
    f->want.shape = DIALECT_ANTHROPIC;
    cr_expect(lists(f, "claude-haiku-4-5") && lists(f, "mine"), "%s", list(f));
    cr_expect(!lists(f, "gone") && !lists(f, "claude-sonnet-5"), "%s", list(f));
    cr_expect(lists(f, "gpt-5"), "within the dialect too: %s", list(f));
    cr_expect_eq(one(f, "claude-haiku-1"), ERR_OK);
    cr_expect_eq(one(f, "gone"), ERR_GONE);
    snprintf(f->group.group.models, LIST_TEXT_BYTES, "o1");
    cr_expect(!lists(f, "mine"), "by the name that is asked for");
    finish(f);
}
