/* What was learned of accounts' providers is told, kept, and given to the next segment. */
#include "admin/lore.h"
#include "admin/recorder.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/loop.h"
#include "proto/dialect.h"
#include "shm/health.h"
#include "shm/lack.h"
#include "shm/spell.h"
#include "shm/version.h"
#include "store/lesson.h"
#include "tests/unit/shm/testseg.h"
#include "tests/unit/store/tempdir.h"

#define DAY_MS 86400000u

struct house {
    struct testseg test;
    struct recorder recorder;
    struct lore *lore;
};

/* A run of the gateway: accounts 101, 102 and 103 at the indexes 0, 1 and 2. */
static void
begin(struct house *h)
{
    *h = (struct house){ .lore = NULL };
    testseg_make(&h->test, 4, 16, 16, 16);
    h->recorder.segment = &h->test.segment;
    h->recorder.slot = testseg_active(&h->test, SLOT_RECORDER);
    cr_assert_eq(loop_make(8, 8, &h->recorder.loop), ERR_OK);
    cr_assert_eq(ledger_open(tempdir, TEMPDIR_MAP_BYTES, &h->recorder.ledger), ERR_OK);
    for (uint32_t i = 0; i < 3; i++) {
        health_assign(&h->test.segment, i, 101 + i);
    }
    cr_assert_eq(lore_make(&h->recorder, &h->lore), ERR_OK);
}

static void
end(struct house *h)
{
    lore_look(h->lore);
    lore_free(h->lore);
    ledger_close(h->recorder.ledger);
    loop_free(h->recorder.loop);
    segment_close(&h->test.segment);
}

static struct lack_view
look(const struct house *h, uint32_t index, enum dialect dialect)
{
    struct lack_view view;
    lack_read(&h->test.segment, index, dialect, loop_now_ms(h->recorder.loop), &view);
    return view;
}

static void
note(struct house *h, uint32_t index, enum dialect dialect, enum lack_kind kind)
{
    lack_note(&h->test.segment, index, dialect, kind, 404, DAY_MS, loop_now_ms(h->recorder.loop));
}

static void
make_store(void)
{
    tempdir_make();
    ledger_close(tempdir_ledger());
}

TestSuite(lore, .init = make_store, .fini = tempdir_remove);

Test(lore, what_is_proven_survives_a_restart_until_it_is_cleared)
{
    struct house h;
    begin(&h);
    note(&h, 0, DIALECT_RESPONSES, LACK_PROVEN);
    note(&h, 1, DIALECT_RESPONSES, LACK_PROVEN);
    note(&h, 1, DIALECT_ANTHROPIC, LACK_PROVEN);
    note(&h, 2, DIALECT_CHAT, LACK_DOUBTED);
    end(&h);

    begin(&h);
    struct lack_view view = look(&h, 0, DIALECT_RESPONSES);
    cr_expect(view.kind == LACK_PROVEN && view.status == 404);
    cr_expect(view.left_ms > DAY_MS - 60000 && view.left_ms <= DAY_MS + 2000, "as long as before");
    cr_expect_eq(look(&h, 0, DIALECT_CHAT).kind, LACK_NONE);
    cr_expect_eq(look(&h, 1, DIALECT_RESPONSES).kind, LACK_PROVEN);
    cr_expect_eq(look(&h, 1, DIALECT_ANTHROPIC).kind, LACK_PROVEN);
    cr_expect_eq(look(&h, 2, DIALECT_CHAT).kind, LACK_NONE, "a doubt is not kept");
    lack_forget(&h.test.segment, 0);
    lack_clear(&h.test.segment, 1, DIALECT_ANTHROPIC);
    end(&h);

    begin(&h);
    cr_expect_eq(look(&h, 0, DIALECT_RESPONSES).kind, LACK_NONE, "cleared before the restart");
    cr_expect_eq(look(&h, 1, DIALECT_RESPONSES).kind, LACK_PROVEN);
    cr_expect_eq(look(&h, 1, DIALECT_ANTHROPIC).kind, LACK_NONE);
    end(&h);
}

Test(lore, forgets_what_is_over_or_of_nobody)
{
    struct house h;
    begin(&h);
    note(&h, 0, DIALECT_RESPONSES, LACK_PROVEN);
    note(&h, 1, DIALECT_RESPONSES, LACK_PROVEN);
    lore_look(h.lore);
    health_assign(&h.test.segment, 1, 555); /* another account got the index */
    lack_forget(&h.test.segment, 1);
    end(&h);
    begin(&h);
    cr_expect_eq(look(&h, 0, DIALECT_RESPONSES).kind, LACK_PROVEN);
    cr_expect_eq(look(&h, 1, DIALECT_RESPONSES).kind, LACK_NONE);
    end(&h);

    /* Two days later. */
    clock_set_fake(clock_now_ns(), clock_wall_ms() + 2ull * DAY_MS);
    begin(&h);
    cr_expect_eq(look(&h, 0, DIALECT_RESPONSES).kind, LACK_NONE);
    end(&h);
    clock_set_fake(0, 0);
}

static uint64_t
rests_ms(const struct house *h, uint32_t index, const char *model)
{
    return spell_left_ms(&h->test.segment, index, str_of(model), loop_now_ms(h->recorder.loop));
}

Test(lore, a_model_that_rests_does_so_after_a_restart_for_what_is_left)
{
    struct house h;
    begin(&h);
    uint64_t now_ms = loop_now_ms(h.recorder.loop);
    spell_cast(&h.test.segment, 0, STR("gpt"), 300000, now_ms);
    spell_fail(&h.test.segment, 0, STR("gpt-2"), 90000, now_ms);
    spell_fail(&h.test.segment, 1, STR("gpt"), 30000, now_ms);
    spell_cast(&h.test.segment, 2, STR("gpt"), 300000, now_ms);
    note(&h, 0, DIALECT_RESPONSES, LACK_PROVEN);
    lore_look(h.lore);
    spell_forget(&h.test.segment, 2); /* it was reset */
    end(&h);

    clock_set_fake(clock_now_ns(), clock_wall_ms() + 60000);
    begin(&h);
    cr_expect(rests_ms(&h, 0, "gpt") > 230000 && rests_ms(&h, 0, "gpt") <= 242000);
    cr_expect(spell_is_missing(&h.test.segment, 0, STR("gpt"), loop_now_ms(h.recorder.loop)));
    cr_expect(rests_ms(&h, 0, "gpt-2") > 20000 && rests_ms(&h, 0, "gpt-2") <= 32000);
    cr_expect(!spell_is_missing(&h.test.segment, 0, STR("gpt-2"), loop_now_ms(h.recorder.loop)));
    cr_expect_eq(look(&h, 0, DIALECT_RESPONSES).kind, LACK_PROVEN);
    cr_expect_eq(rests_ms(&h, 1, "gpt"), 0, "over meanwhile");
    cr_expect_eq(rests_ms(&h, 2, "gpt"), 0, "cleared before the restart");
    end(&h);
    clock_set_fake(0, 0);
}

/* The recorder alone is a new one, before it could keep what an admin cleared. */
Test(lore, a_segment_in_use_knows_better_than_the_store)
{
    struct house h;
    begin(&h);
    version_set_loaded(&h.test.segment, true);
    spell_cast(&h.test.segment, 0, STR("gpt"), 300000, loop_now_ms(h.recorder.loop));
    note(&h, 0, DIALECT_RESPONSES, LACK_PROVEN);
    lore_look(h.lore);
    spell_forget(&h.test.segment, 0);
    lack_forget(&h.test.segment, 0);
    lore_free(h.lore);
    cr_assert_eq(lore_make(&h.recorder, &h.lore), ERR_OK);
    cr_expect_eq(rests_ms(&h, 0, "gpt"), 0);
    cr_expect_eq(look(&h, 0, DIALECT_RESPONSES).kind, LACK_NONE);
    end(&h);
    begin(&h);
    cr_expect_eq(rests_ms(&h, 0, "gpt"), 0);
    cr_expect_eq(look(&h, 0, DIALECT_RESPONSES).kind, LACK_NONE);
    end(&h);
}

Test(lore, of_too_many_models_those_that_rest_longest_are_kept)
{
    struct house h;
    char model[32];
    begin(&h);
    for (uint32_t i = 1; i <= LESSON_ENTRIES + 8; i++) {
        snprintf(model, sizeof model, "model-%u", i);
        spell_cast(&h.test.segment, 0, str_of(model), i * 100000, loop_now_ms(h.recorder.loop));
    }
    end(&h);
    begin(&h);
    for (uint32_t i = 1; i <= LESSON_ENTRIES + 8; i++) {
        snprintf(model, sizeof model, "model-%u", i);
        cr_expect_eq(rests_ms(&h, 0, model) > 0, i > 8, "%s", model);
    }
    end(&h);
}

Test(lore, says_in_words_what_an_account_lacks)
{
    struct house h;
    char text[LORE_TEXT_BYTES];
    begin(&h);
    uint64_t now_ms = loop_now_ms(h.recorder.loop);
    const struct segment *segment = &h.test.segment;
    struct account account = { .index = 0, .platform = MODEL_OPENAI };
    cr_expect_str_eq(lore_text(segment, &account, now_ms, text), "");
    note(&h, 0, DIALECT_RESPONSES, LACK_PROVEN);
    cr_expect_str_eq(lore_text(segment, &account, now_ms, text),
                     "no /v1/responses (404), asked again in 24 h");
    note(&h, 0, DIALECT_CHAT, LACK_DOUBTED);
    cr_expect_not_null(strstr(lore_text(segment, &account, now_ms, text),
                              "/v1/chat/completions answered 404 like all its endpoints"));
    snprintf(account.dialects, sizeof account.dialects, "gemini");
    cr_expect_str_eq(lore_text(segment, &account, now_ms, text), "", "it is not asked in them");
    account.index = UINT32_MAX;
    cr_expect_str_eq(lore_text(segment, &account, now_ms, text), "");
    end(&h);
}

Test(lore, says_in_json_what_an_account_lacks)
{
    struct house h;
    struct buf out;
    struct jsonw w;
    begin(&h);
    struct account account = { .index = 0, .platform = MODEL_OPENAI };
    note(&h, 0, DIALECT_RESPONSES, LACK_PROVEN);
    buf_init(&out, 4096);
    jsonw_begin(&w, &out);
    jsonw_object(&w);
    lore_put(&w, &h.test.segment, &account, loop_now_ms(h.recorder.loop));
    jsonw_close(&w);
    cr_assert_eq(jsonw_end(&w), ERR_OK);
    struct str said = buf_str(&out);
    struct str want = STR("\"missing\":[{\"dialect\":\"responses\",\"endpoint\":\"/v1/responses\","
                          "\"proven\":true,\"status\":404,\"retry_s\":86");
    cr_expect_not_null(memmem(said.data, said.len, want.data, want.len), "%.*s", STR_ARG(said));
    buf_fini(&out);
    end(&h);
}
