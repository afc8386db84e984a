#include "admin/keeper.h"

#include <stdbool.h>
#include <stdlib.h>

#include "admin/adminconf.h"
#include "admin/recall.h"
#include "admin/resolve.h"
#include "admin/warm.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "shm/child.h"
#include "shm/counter.h"
#include "shm/heritage.h"
#include "shm/job.h"
#include "shm/slot.h"
#include "shm/version.h"
#include "shm/wake.h"
#include "store/catalog.h"
#include "store/storeconf.h"
#include "upstream/probe.h"
#include "upstream/reach.h"

#define BEAT_MS 200u
#define CLIENTS_MAX 64u

/* One account test under way. */
struct test {
    struct probe probe;
    struct loop_timer deadline;
    struct loop_task done; /* frees outside the probe's own call */
    struct keeper *keeper;
    struct catalog_view *view;
    uint32_t job;
    bool is_used;
    bool is_ended; /* the job has its result; `done` comes */
};

struct keeper {
    const struct heritage *heritage;
    struct segment *segment;
    uint32_t slot;
    struct loop *loop;
    struct reach *reach;
    struct catalog *catalog;
    struct resolve *resolve;
    struct warm *warm;
    struct recall *recall;
    struct child child;
    bool is_stopping;
    struct loop_timer beat;
    struct test tests[JOBS_MAX];
};

static struct keeper *keeper; /* one a process */

/* --- account tests --- */

/* Deadline and answer may come in one turn: the first one counts. */
static void
end_test(struct test *test, struct str json)
{
    if (test->is_ended) {
        return;
    }
    test->is_ended = true;
    job_finish(test->keeper->segment, test->job, json);
    loop_timer_clear(test->keeper->loop, &test->deadline);
    loop_defer(test->keeper->loop, &test->done);
}

static void
on_tested(struct probe *probe, struct str json)
{
    if (probe_is_ok(probe)) {
        recall_welcome(keeper->reach, &probe->account->account);
    }
    end_test(LIST_OWNER(probe, struct test, probe), json);
}

static void
on_test_done(struct loop_task *task)
{
    struct test *test = LIST_OWNER(task, struct test, done);
    probe_stop(&test->probe);
    catalog_drop(test->keeper->catalog, test->view);
    test->is_used = false;
}

static void
on_test_deadline(struct loop_timer *timer)
{
    struct test *test = LIST_OWNER(timer, struct test, deadline);
    end_test(test, STR("{\"ok\":false,\"line\":\"the provider did not answer in time\"}"));
}

static const struct catalog_account *
find_account(const struct catalog_view *view, uint64_t id)
{
    for (uint32_t i = 0; i < view->account_count; i++) {
        if (view->accounts[i].account.id == id) {
            return &view->accounts[i];
        }
    }
    return NULL;
}

static struct test *
free_test(void)
{
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        if (!keeper->tests[i].is_used) {
            return &keeper->tests[i];
        }
    }
    return NULL;
}

static struct str
wanted_model(const char *options, struct arena *arena)
{
    struct json_value root;
    struct json_value model;
    struct str text = STR("");
    if (json_read(str_of(options), &root, NULL) == ERR_OK && json_get(root, STR("model"), &model) &&
        json_string(model, arena, &text) != ERR_OK) {
        text = STR("");
    }
    return text;
}

static void
start_test(const struct job_view *job)
{
    struct catalog_view *view = NULL;
    enum err err = catalog_view(keeper->catalog, version_catalog(keeper->segment), &view);
    const struct catalog_account *account =
        view == NULL ? NULL : find_account(view, job->account_id);
    struct test *test = free_test();
    if (account == NULL || account->extra == NULL || account->is_broken || test == NULL) {
        const char *why = account == NULL ? "{\"ok\":false,\"line\":\"the account is not there\"}"
                          : test == NULL
                              ? "{\"ok\":false,\"line\":\"too many tests are under way\"}"
                              : "{\"ok\":false,\"line\":\"its credential or URL cannot be used\"}";
        log_event(LOG_WARN, "test", "account_id=%llu err=%s", (unsigned long long)job->account_id,
                  err_name(err));
        job_finish(keeper->segment, job->job, str_of(why));
        return;
    }
    catalog_hold(view);
    test->keeper = keeper;
    test->view = view;
    test->job = job->job;
    test->is_used = true;
    test->is_ended = false;
    test->deadline.on_due = on_test_deadline;
    loop_task_init(&test->done, on_test_done);
    loop_timer_set(keeper->loop, &test->deadline, job->deadline_ms);
    counter_add(keeper->segment, keeper->slot, COUNTER_PROBES, 1);
    struct arena arena;
    arena_init(&arena, 8192);
    probe_start(&test->probe, keeper->reach, account, wanted_model(job->options, &arena),
                on_tested);
    arena_reset(&arena);
}

/* --- work --- */

/* All that may be due: jobs, names, sessions. Cheap when nothing is. */
static void
look(void)
{
    struct job_view job;
    while (job_start(keeper->segment, keeper->slot, &job)) {
        start_test(&job);
    }
    resolve_wanted(keeper->resolve);
    struct catalog_view *view = NULL;
    enum err err = catalog_view(keeper->catalog, version_catalog(keeper->segment), &view);
    if (view == NULL) {
        log_event(LOG_ERROR, "store", "err=%s", err_name(err));
        return;
    }
    for (uint32_t i = 0; i < view->account_count; i++) {
        const struct target *target = view->accounts[i].extra;
        if (target != NULL && !view->accounts[i].account.is_disabled) {
            bool is_direct = target->proxy == TARGET_DIRECT;
            resolve_name(keeper->resolve, str_of(is_direct ? target->host : target->proxy_host));
        }
    }
    warm_look(keeper->warm, view);
    recall_look(keeper->recall, view);
}

static void
on_beat(struct loop_timer *timer)
{
    uint64_t now_ms = loop_now_ms(keeper->loop);
    slot_beat(keeper->segment, keeper->slot, now_ms);
    look();
    log_flush();
    loop_timer_set(keeper->loop, timer, now_ms + BEAT_MS);
}

static void
on_wake(struct child *child)
{
    (void)child;
    wake_clear(keeper->segment, keeper->slot);
    look();
}

/* --- the process --- */

/* Nothing here is a client's: it may stop at once. */
static void
on_drain(struct child *child)
{
    (void)child;
    if (!keeper->is_stopping) {
        keeper->is_stopping = true;
        slot_drain(keeper->segment, keeper->slot);
        loop_stop(keeper->loop);
    }
}

static const struct child_hooks child_hooks = { .on_drain = on_drain, .on_wake = on_wake };

static enum err
open_all(void)
{
    const struct heritage *heritage = keeper->heritage;
    struct catalog_hooks hooks = target_hooks(&keeper->segment->hash_key);
    hooks.accounts = keeper->segment->accounts;
    enum err err = loop_make(CLIENTS_MAX + RESOLVE_CHILDREN + 16, 4 * CLIENTS_MAX, &keeper->loop);
    if (err == ERR_OK) {
        err = child_open(&keeper->child, keeper->loop, heritage, &child_hooks);
    }
    if (err == ERR_OK) {
        err = reach_make(keeper->loop, heritage, CLIENTS_MAX, &keeper->reach);
    }
    if (err == ERR_OK) {
        err = catalog_open(heritage->store->dir, heritage->store->map_bytes, &hooks,
                           &keeper->catalog);
    }
    if (err == ERR_OK) {
        err = resolve_make(keeper->loop, keeper->segment, keeper->slot,
                           heritage->admin->resolve_interval_ms, &keeper->resolve);
    }
    if (err == ERR_OK) {
        err = warm_make(keeper->reach, heritage->admin->session_interval_ms, &keeper->warm);
    }
    if (err == ERR_OK) {
        err = recall_make(keeper->reach, keeper->catalog, heritage->admin->probe_interval_ms,
                          &keeper->recall);
    }
    return err;
}

int
keeper_main(const struct heritage *heritage)
{
    CHECK(heritage->segment != NULL && keeper == NULL);
    keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) {
        return 2;
    }
    keeper->heritage = heritage;
    keeper->segment = heritage->segment;
    keeper->slot = heritage->slot;
    child_enter(heritage);
    enum err err = open_all();
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "start", "why=\"keeper cannot start\" err=%s", err_name(err));
        log_flush();
        return 2;
    }
    version_set_resolving(keeper->segment, true);
    keeper->beat.on_due = on_beat;
    wake_clear(keeper->segment, keeper->slot);
    on_beat(&keeper->beat);
    loop_run(keeper->loop);

    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        if (keeper->tests[i].is_used) {
            end_test(&keeper->tests[i], STR("{\"ok\":false,\"line\":\"the keeper stops\"}"));
        }
    }
    loop_turn(keeper->loop, 0);
    recall_free(keeper->recall);
    warm_free(keeper->warm);
    resolve_free(keeper->resolve);
    reach_free(keeper->reach);
    catalog_close(keeper->catalog);
    slot_leave(keeper->segment, keeper->slot);
    log_flush();
    return 0;
}
