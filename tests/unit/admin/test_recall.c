/* Benched accounts asked by the keeper: who, how often, what brings them back. */
#include "admin/recall.h"
#include "shm/health.h"
#include "tests/unit/store/tempdir.h"
#include "tests/unit/upstream/yard.h"

#define INTERVAL_MS 30000u
#define HOUR_MS 3600000u
#define ENTRIES 6u

struct fixture {
    struct yard yard;
    struct segment *segment;
    struct catalog *catalog;
    struct catalog_account entries[ENTRIES];
    struct catalog_view view;
    struct recall *recall;
};

static void
begin(struct fixture *f, uint32_t interval_ms)
{
    struct catalog_hooks hooks = { .context = NULL };
    memset(f, 0, sizeof *f);
    tempdir_make();
    ledger_close(tempdir_ledger());
    yard_begin(&f->yard);
    f->yard.conf.bench_ms_max = 2 * HOUR_MS;
    f->segment = &f->yard.test.segment;
    cr_assert(catalog_open(tempdir, TEMPDIR_MAP_BYTES, &hooks, &f->catalog) == ERR_OK);
    snprintf(f->yard.account.dialects, sizeof f->yard.account.dialects, "chat");
    yard_retarget(&f->yard);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        f->entries[i].account = f->yard.account;
        f->entries[i].account.index = i;
        f->entries[i].account.id = 100 + i;
        snprintf(f->entries[i].account.name, NAME_BYTES, "account-%u", i);
        f->entries[i].secret = STR("sk-very-secret");
        f->entries[i].extra = f->yard.target;
        health_assign(f->segment, i, 100 + i);
    }
    f->view = (struct catalog_view){ .references = 1, .accounts = f->entries, .account_count = 1 };
    cr_assert(recall_make(f->yard.reach, f->catalog, interval_ms, &f->recall) == ERR_OK);
}

static void
finish(struct fixture *f)
{
    recall_free(f->recall);
    cr_expect_eq(f->view.references, 1, "a view is let go");
    catalog_close(f->catalog);
    yard_finish(&f->yard);
    tempdir_remove();
}

static uint64_t
now(const struct fixture *f)
{
    return loop_now_ms(f->yard.near.loop);
}

/* It failed that long ago, and its provider said how long it shall rest from then. */
static void
bench(struct fixture *f, uint32_t index, enum health_reason reason, uint64_t ago_ms,
      uint64_t rest_ms)
{
    for (int i = 0; i < 3; i++) {
        health_failure(f->segment, 0, index, reason, rest_ms, 0, STR("boom"), now(f) - ago_ms);
    }
}

static struct health_view
look(const struct fixture *f, uint32_t index)
{
    struct health_view view;
    health_read(f->segment, index, &view);
    return view;
}

static void
serve(struct fixture *f, const char *expect, const char *answer)
{
    char text[512];
    YARD_UNTIL(&f->yard, near_has_got(&f->yard.near, expect));
    near_some_turns(&f->yard.near);
    buf_clear(&f->yard.near.got);
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}", answer);
    near_say(&f->yard.near, str_of(text));
}

static struct health_view
await_end(struct fixture *f)
{
    YARD_UNTIL(&f->yard, look(f, 0).state != HEALTH_PROBING && f->view.references == 1);
    near_some_turns(&f->yard.near);
    return look(f, 0);
}

#define LIST "GET /v1/models HTTP/1.1\r\n"
#define CHAT "POST /v1/chat/completions HTTP/1.1\r\n"

Test(recall, brings_back_an_account_that_serves_again)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    bench(&f, 0, HEALTH_REASON_RATE_LIMITED, 31000, HOUR_MS);
    recall_look(f.recall, &f.view);
    cr_expect_eq(look(&f, 0).state, HEALTH_PROBING, "the claim");
    cr_expect_eq(yard_count(&f.yard, COUNTER_PROBES), 1);
    serve(&f, LIST, "200 OK");
    serve(&f, CHAT, "200 OK");
    struct health_view view = await_end(&f);
    cr_expect(view.state == HEALTH_OK && view.streak == 0);
    cr_expect(view.probe_found == HEALTH_FOUND_WELL && view.probe_status == 200);
    cr_expect(view.probed_ms != 0 && view.probe_misses == 0);
    finish(&f);
}

Test(recall, renews_the_bench_and_spends_no_tokens)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    bench(&f, 0, HEALTH_REASON_SERVER_ERROR, 31000, HOUR_MS);
    uint64_t until_ms = look(&f, 0).until_ms;
    recall_look(f.recall, &f.view);
    serve(&f, LIST, "429 Too Many\r\nRetry-After: 7000");
    struct health_view view = await_end(&f);
    cr_expect(view.state == HEALTH_COOLING && view.reason == HEALTH_REASON_RATE_LIMITED);
    cr_expect(view.until_ms >= until_ms + 3000000, "the provider's new word");
    cr_expect(view.probe_misses == 1 && view.probe_status == 429 && view.last_status == 429);
    cr_expect_str_eq(view.excerpt, "HTTP 429");
    cr_expect(!near_has_got(&f.yard.near, "POST"));
    recall_look(f.recall, &f.view);
    cr_expect_eq(look(&f, 0).state, HEALTH_COOLING, "the next wait begins now");
    finish(&f);
}

Test(recall, waits_twice_as_long_after_each_time_in_vain)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    for (uint32_t misses = 0; misses <= RECALL_DOUBLINGS_MAX + 1; misses++) {
        uint32_t doublings = misses < RECALL_DOUBLINGS_MAX ? misses : RECALL_DOUBLINGS_MAX;
        uint64_t wait_ms = (uint64_t)INTERVAL_MS << doublings;
        for (int is_due = 0; is_due <= 1; is_due++) {
            health_reset(f.segment, 0, 1);
            uint64_t ended_ms = now(&f) - wait_ms + (is_due ? 0 : 1000);
            health_failure(f.segment, 0, 0, HEALTH_REASON_RATE_LIMITED, 8 * HOUR_MS, 429, STR(""),
                           ended_ms);
            for (uint32_t i = 0; i < misses; i++) {
                struct health_finding none = { .account_id = 100 };
                cr_assert(health_recall(f.segment, 0, ended_ms, &none.until_ms));
                health_recalled(f.segment, 0, 0, &none, ended_ms);
            }
            recall_look(f.recall, &f.view);
            cr_expect_eq(look(&f, 0).state, is_due ? HEALTH_PROBING : HEALTH_COOLING,
                         "%u misses, due %d", misses, is_due);
            if (is_due) {
                recall_free(f.recall);
                cr_assert(recall_make(f.yard.reach, f.catalog, INTERVAL_MS, &f.recall) == ERR_OK);
            }
        }
    }
    finish(&f);
}

Test(recall, takes_any_answer_of_who_could_not_be_reached)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    bench(&f, 0, HEALTH_REASON_CONNECT, 31000, HOUR_MS);
    recall_look(f.recall, &f.view);
    serve(&f, LIST, "401 No");
    struct health_view view = await_end(&f);
    cr_expect(view.state == HEALTH_OK && view.probe_status == 401);
    cr_expect(!near_has_got(&f.yard.near, "POST"));
    finish(&f);
}

/* The credential was refused: the dialect's own endpoint must take it. */
static struct health_view
of_refused(struct fixture *f, const char *list, const char *chat)
{
    begin(f, INTERVAL_MS);
    bench(f, 0, HEALTH_REASON_AUTH, 31000, HOUR_MS);
    recall_look(f->recall, &f->view);
    serve(f, LIST, list);
    serve(f, CHAT, chat);
    return await_end(f);
}

Test(recall, asks_the_dialect_of_who_was_refused)
{
    struct fixture f;
    struct health_view view = of_refused(&f, "200 OK", "401 No");
    cr_expect(view.state == HEALTH_COOLING && view.reason == HEALTH_REASON_AUTH);
    cr_expect(view.probe_found == HEALTH_FOUND_ILL && view.streak == 2);
    finish(&f);
    view = of_refused(&f, "403 No", "404 No such model");
    cr_expect(view.state == HEALTH_OK, "the key is taken, the model is another matter");
    finish(&f);
    view = of_refused(&f, "404 Not Found", "403 No");
    cr_expect(view.state == HEALTH_COOLING && view.reason == HEALTH_REASON_FORBIDDEN);
    finish(&f);
}

Test(recall, leaves_as_it_is_what_an_answer_says_nothing_about)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    bench(&f, 0, HEALTH_REASON_RATE_LIMITED, 31000, HOUR_MS);
    uint64_t until_ms = look(&f, 0).until_ms;
    recall_look(f.recall, &f.view);
    serve(&f, LIST, "200 OK");
    serve(&f, CHAT, "404 No such model");
    struct health_view view = await_end(&f);
    cr_expect(view.state == HEALTH_COOLING && view.until_ms == until_ms);
    cr_expect(view.reason == HEALTH_REASON_RATE_LIMITED);
    cr_expect(view.probe_found == HEALTH_FOUND_NOTHING && view.probe_status == 404);
    finish(&f);
}

Test(recall, notes_that_nobody_is_there)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    close(f.yard.near.listen_fd);
    bench(&f, 0, HEALTH_REASON_RATE_LIMITED, 31000, HOUR_MS);
    recall_look(f.recall, &f.view);
    struct health_view view = await_end(&f);
    cr_expect(view.state == HEALTH_COOLING && view.reason == HEALTH_REASON_CONNECT);
    cr_expect(view.probe_found == HEALTH_FOUND_ILL && view.probe_status == 0);
    finish(&f);
}

Test(recall, passes_over_who_need_not_be_asked)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    f.view.account_count = ENTRIES;
    bench(&f, 0, HEALTH_REASON_RATE_LIMITED, 29000, HOUR_MS); /* not yet */
    bench(&f, 1, HEALTH_REASON_RATE_LIMITED, 40000, 35000);   /* its time is up */
    bench(&f, 2, HEALTH_REASON_RATE_LIMITED, 40000, HOUR_MS);
    f.entries[2].account.is_disabled = true;
    bench(&f, 3, HEALTH_REASON_RATE_LIMITED, 40000, HOUR_MS);
    f.entries[3].is_broken = true;
    bench(&f, 4, HEALTH_REASON_RATE_LIMITED, 40000, HOUR_MS);
    f.entries[4].account.id = 999; /* the index is another's */
    recall_look(f.recall, &f.view);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        cr_expect_neq(look(&f, i).state, HEALTH_PROBING, "%u", i);
    }
    cr_expect_eq(yard_count(&f.yard, COUNTER_PROBES), 0);
    finish(&f);
    begin(&f, 0);
    bench(&f, 0, HEALTH_REASON_RATE_LIMITED, 40000, HOUR_MS);
    recall_look(f.recall, &f.view);
    cr_expect_eq(look(&f, 0).state, HEALTH_COOLING, "0 is never");
    finish(&f);
}

Test(recall, asks_a_few_at_a_time_and_all_in_turn)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    f.view.account_count = ENTRIES;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        bench(&f, i, HEALTH_REASON_CONNECT, 31000, HOUR_MS);
    }
    recall_look(f.recall, &f.view);
    recall_look(f.recall, &f.view);
    uint32_t probing = 0;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        probing += look(&f, i).state == HEALTH_PROBING ? 1 : 0;
    }
    cr_expect_eq(probing, RECALL_VISITS);
    cr_expect_eq(f.view.references, 1 + RECALL_VISITS);
    /* What is given up rests on as it did; the next look begins behind it. */
    recall_free(f.recall);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct health_view view = look(&f, i);
        cr_expect(view.state == HEALTH_COOLING && view.until_ms > now(&f) + HOUR_MS / 2, "%u", i);
        cr_expect_eq(view.probe_misses, i < RECALL_VISITS ? 1 : 0, "%u", i);
    }
    cr_assert(recall_make(f.yard.reach, f.catalog, INTERVAL_MS, &f.recall) == ERR_OK);
    recall_look(f.recall, &f.view);
    cr_expect(look(&f, 4).state == HEALTH_PROBING && look(&f, 5).state == HEALTH_PROBING);
    cr_expect_eq(look(&f, 0).state, HEALTH_COOLING);
    finish(&f);
}

Test(recall, never_asks_beside_another_keeper)
{
    struct fixture f;
    struct recall *other = NULL;
    begin(&f, INTERVAL_MS);
    cr_assert(recall_make(f.yard.reach, f.catalog, INTERVAL_MS, &other) == ERR_OK);
    bench(&f, 0, HEALTH_REASON_CONNECT, 31000, HOUR_MS);
    recall_look(f.recall, &f.view);
    recall_look(other, &f.view);
    cr_expect_eq(yard_count(&f.yard, COUNTER_PROBES), 1);
    serve(&f, LIST, "200 OK");
    cr_expect_eq(await_end(&f).state, HEALTH_OK);
    recall_free(other);
    finish(&f);
}

Test(recall, welcomes_who_passed_an_admins_test)
{
    struct fixture f;
    begin(&f, INTERVAL_MS);
    bench(&f, 0, HEALTH_REASON_RATE_LIMITED, 1000, HOUR_MS);
    recall_welcome(f.yard.reach, &f.entries[0].account);
    cr_expect(look(&f, 0).state == HEALTH_OK && look(&f, 0).probe_found == HEALTH_FOUND_WELL);
    health_disable(f.segment, 0, 2, HEALTH_REASON_AUTH, 401, STR("no"), now(&f));
    f.view.account_count = 3;
    recall_look(f.recall, &f.view);
    cr_expect_eq(look(&f, 2).state, HEALTH_DISABLED, "nobody asks a stopped one by itself");
    recall_welcome(f.yard.reach, &f.entries[2].account);
    cr_expect_eq(look(&f, 2).state, HEALTH_OK);
    recall_welcome(f.yard.reach, &f.entries[1].account);
    cr_expect(look(&f, 1).probed_ms == 0, "who does not rest was not asked");
    finish(&f);
}
