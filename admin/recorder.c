#include "admin/recorder.h"

#include <stdlib.h>

#include "admin/api.h"
#include "admin/census.h"
#include "admin/drainer.h"
#include "admin/lore.h"
#include "admin/remember.h"
#include "admin/reporter.h"
#include "admin/trial.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "http/server.h"
#include "shm/child.h"
#include "shm/counter.h"
#include "shm/health.h"
#include "shm/heritage.h"
#include "shm/slot.h"
#include "shm/version.h"
#include "shm/wake.h"
#include "store/ledger.h"
#include "store/outcome.h"
#include "store/storeconf.h"

#define BEAT_MS 200u
#define EXIT_BROKEN 3 /* for the master a crash: the slot is swept and another recorder forked */
/* After a failed commit: the disk is full or slow, ask again soon but not at once. */
#define RETRY_MS 500u
#define REMEMBER_INTERVAL_MS 1000u
#define PRUNE_INTERVAL_MS 60000u
#define PRUNE_COUNT 5000u
#define SWEEP_INTERVAL_MS 1000u
#define SWEEP_COUNT                                                               \
    1000u /* outcomes removed in one transaction: many more than come in a second \
           */
#define DAY_MS (24ull * 3600 * 1000)

struct process {
    struct recorder recorder;
    struct child child;
    struct loop_timer commit;
    struct loop_timer beat;
    struct remember *remember;
    struct lore *lore;
    uint64_t remembered_ms;
    uint64_t pruned_ms;
    uint64_t swept_ms;
    bool is_broken; /* the store has to be opened anew, by another process */
};

static struct process *process; /* one a process */

/* --- records --- */

/* The next commit: others may join it, unless a ring could be full before that. */
static void
plan_commit(struct process *its, enum drainer_need need)
{
    struct loop *loop = its->recorder.loop;
    uint32_t wait_ms = need == DRAINER_PRESSED ? 0 : its->recorder.heritage->store->commit_ms;
    loop_timer_set(loop, &its->commit, loop_now_ms(loop) + wait_ms);
}

static void
commit(struct process *its)
{
    struct recorder *recorder = &its->recorder;
    uint64_t count = 0;
    enum err err = drainer_commit(recorder->segment, recorder->ledger, &count);
    if (count > 0) {
        counter_add(recorder->segment, recorder->slot, COUNTER_COMMITS, 1);
        counter_add(recorder->segment, recorder->slot, COUNTER_RECORDS_COMMITTED, count);
    }
    bool is_writable = err == ERR_OK;
    enum drainer_need need = drainer_need(recorder->segment);
    if (is_writable && need != DRAINER_EMPTY) {
        plan_commit(its, need);
    } else if (!is_writable) {
        counter_add(recorder->segment, recorder->slot, COUNTER_COMMIT_FAILURES, 1);
        loop_timer_set(recorder->loop, &its->commit, loop_now_ms(recorder->loop) + RETRY_MS);
    }
    if (is_writable != recorder->is_writable) {
        const char *why = err == ERR_FULL ? "the disk or the map is full" : "the disk fails";
        str_copy(recorder->why_not, sizeof recorder->why_not, str_of(is_writable ? "" : why));
        log_event(is_writable ? LOG_INFO : LOG_ERROR, "store", "writable=%s why=\"%s\"",
                  is_writable ? "yes" : "no", recorder->why_not);
        recorder->is_writable = is_writable;
        version_set_writable(recorder->segment, is_writable);
    }
}

/* LMDB has given up in this process: the next one opens the store anew and finds in the rings what
 * was not committed. Until then no request is admitted. */
static void
give_up_when_broken(struct process *its)
{
    struct recorder *recorder = &its->recorder;
    if (!its->is_broken && ledger_is_broken(recorder->ledger)) {
        its->is_broken = true;
        version_set_writable(recorder->segment, false);
        log_event(LOG_ERROR, "store", "why=\"the store is broken in this process: it ends\"");
        loop_stop(recorder->loop);
    }
}

static void
on_commit(struct loop_timer *timer)
{
    struct process *its = LIST_OWNER(timer, struct process, commit);
    wake_clear(its->recorder.segment, its->recorder.slot);
    drainer_sweep(its->recorder.segment, its->recorder.ledger, its->recorder.slot);
    trial_look(&its->recorder);
    commit(its);
    give_up_when_broken(its);
}

static void
on_wake(struct child *child)
{
    struct process *its = LIST_OWNER(child, struct process, child);
    struct recorder *recorder = &its->recorder;
    wake_clear(recorder->segment, recorder->slot);
    enum drainer_need need = drainer_need(recorder->segment);
    /* After a failure a full ring has to wait as well: the disk is asked again soon enough. */
    if (its->commit.at_ms == 0 || (need == DRAINER_PRESSED && recorder->is_writable)) {
        plan_commit(its, need);
    }
}

static void
prune(struct process *its)
{
    struct recorder *recorder = &its->recorder;
    uint64_t now_ms = loop_now_ms(recorder->loop);
    uint64_t keep_ms = recorder->heritage->store->keep_days * DAY_MS;
    if (now_ms < its->pruned_ms + PRUNE_INTERVAL_MS || keep_ms == 0) {
        return;
    }
    its->pruned_ms = now_ms;
    uint32_t removed = 0;
    uint64_t wall_ms = clock_wall_ms();
    enum err err = wall_ms > keep_ms
                       ? ledger_prune(recorder->ledger, wall_ms - keep_ms, PRUNE_COUNT, &removed)
                       : ERR_OK;
    if (err != ERR_OK || removed > 0) {
        log_event(LOG_INFO, "prune", "records=%u err=%s", removed, err_name(err));
    }
    ledger_check_readers(recorder->ledger);
}

/* Outcomes that nobody will be given any more. What fails is tried again; the log has it. */
static void
sweep_outcomes(struct process *its)
{
    struct recorder *recorder = &its->recorder;
    uint64_t now_ms = loop_now_ms(recorder->loop);
    uint64_t wall_ms = clock_wall_ms();
    uint64_t keep_ms = recorder->heritage->store->idempotency_ms;
    if (now_ms < its->swept_ms + SWEEP_INTERVAL_MS || wall_ms < keep_ms) {
        return;
    }
    its->swept_ms = now_ms;
    uint32_t removed = 0;
    enum err err =
        outcome_sweep(ledger_kv(recorder->ledger), wall_ms - keep_ms, SWEEP_COUNT, &removed);
    if (err != ERR_OK || removed > 0) {
        log_event(LOG_INFO, "prune", "outcomes=%u err=%s", removed, err_name(err));
    }
}

static void
on_beat(struct loop_timer *timer)
{
    struct process *its = LIST_OWNER(timer, struct process, beat);
    struct recorder *recorder = &its->recorder;
    uint64_t now_ms = loop_now_ms(recorder->loop);
    slot_beat(recorder->segment, recorder->slot, now_ms);
    /* A wake that was lost with its sender is made up for here. */
    if (its->commit.at_ms == 0) {
        on_commit(&its->commit);
    }
    if (now_ms >= its->remembered_ms + REMEMBER_INTERVAL_MS) {
        its->remembered_ms = now_ms;
        remember_look(its->remember);
        lore_look(its->lore);
    }
    prune(its);
    sweep_outcomes(its);
    give_up_when_broken(its); /* a change by an admin may have met it */
    log_flush();
    if (recorder->is_draining && server_busy(recorder->server) == 0) {
        loop_stop(recorder->loop);
    }
    loop_timer_set(recorder->loop, timer, now_ms + BEAT_MS);
}

/* --- records of the configuration --- */

void
recorder_changed(struct recorder *recorder)
{
    version_bump_catalog(recorder->segment);
    wake_poke(recorder->segment, slot_of_kind(recorder->segment, SLOT_KEEPER));
}

void
recorder_changed_key(struct recorder *recorder)
{
    version_bump_keys(recorder->segment);
}

/* --- the process --- */

static void
drain(struct process *its)
{
    /* TERM may come twice: from the master, and from whoever signals the whole group. */
    if (its->recorder.is_draining) {
        return;
    }
    its->recorder.is_draining = true;
    slot_drain(its->recorder.segment, its->recorder.slot);
    server_drain(its->recorder.server);
}

/* Also when the master is dead: the workers finish their streams, their records are ours to commit.
 */
static void
on_drain(struct child *child)
{
    drain(LIST_OWNER(child, struct process, child));
}

static const struct child_hooks child_hooks = { .on_drain = on_drain, .on_wake = on_wake };

static enum err
open_all(struct process *its)
{
    struct recorder *recorder = &its->recorder;
    const struct storeconf *conf = recorder->heritage->store;
    uint32_t conns = ADMIN_CONNS_MAX + SERVER_SPARE_CONNS;
    enum err err = loop_make(conns + REPORTS_MAX + 16, 2 * conns + JOBS_MAX + REPORTS_MAX + 16,
                             &recorder->loop);
    if (err == ERR_OK) {
        err = child_open(&its->child, recorder->loop, recorder->heritage, &child_hooks);
    }
    if (err == ERR_OK) {
        err = ledger_open(conf->dir, conf->map_bytes, &recorder->ledger);
    }
    if (err == ERR_OK) {
        err = drainer_load(recorder->segment, recorder->ledger);
    }
    if (err == ERR_OK) {
        err = api_open(recorder);
    }
    return err;
}

int
recorder_main(const struct heritage *heritage)
{
    CHECK(heritage->segment != NULL && process == NULL);
    process = calloc(1, sizeof *process);
    if (process == NULL) {
        return 2;
    }
    struct recorder *recorder = &process->recorder;
    recorder->heritage = heritage;
    recorder->segment = heritage->segment;
    recorder->slot = heritage->slot;
    recorder->is_writable = true;
    recorder->started_wall_ms = clock_wall_ms();
    list_init(&recorder->trials);
    list_init(&recorder->reports);
    child_enter(heritage);
    enum err err = open_all(process);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "start", "why=\"recorder cannot start\" err=%s", err_name(err));
        log_flush();
        return 2;
    }
    trial_reborn(recorder);
    err = census_take(recorder);
    recorder_changed(recorder);
    err = err != ERR_OK ? err : remember_make(recorder, &process->remember);
    err = err != ERR_OK ? err : lore_make(recorder, &process->lore);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "start", "why=\"how accounts stood cannot be read\" err=%s",
                  err_name(err));
        log_flush();
        return 2;
    }
    version_set_writable(recorder->segment, true);
    version_set_loaded(recorder->segment, true);
    process->commit.on_due = on_commit;
    process->beat.on_due = on_beat;
    on_commit(&process->commit);
    on_beat(&process->beat);
    loop_run(recorder->loop);

    if (process->is_broken) {
        log_flush();
        return EXIT_BROKEN;
    }
    reporter_stop(recorder);
    commit(process);
    remember_look(process->remember);
    remember_free(process->remember);
    lore_look(process->lore);
    lore_free(process->lore);
    server_free(recorder->server);
    ledger_close(recorder->ledger);
    slot_leave(recorder->segment, recorder->slot);
    log_flush();
    return 0;
}
