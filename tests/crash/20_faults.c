/*
 * 20_faults.c - processes that abort at named points (base/fault.h), again and again, under load.
 *
 * A process started in the place of a dead one counts its passages anew, so it dies at the same
 * point after a while. The numbers are such that each life achieves something, and mostly lasts
 * longer than CHILD_QUICK_MS: who dies sooner, again and again, is started later and later, and the
 * test would mostly wait.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/crash.h"

#define SPEC_BYTES 1000u
#define PARTS 2u
#define PART_POINTS 5u /* at once: more, and the rare ones never have their turn */
#define TURN_MS 400u

/* What must happen beside the load, so that the point is reached. */
enum need { NEED_NOTHING, NEED_KILLS, NEED_TESTS, NEED_RELOADS };

struct point {
    const char *name;
    uint32_t least; /* passages before it acts, at least; as many again are drawn */
    enum need need;
};

/* Of workers: a request passes most of them once or twice. */
static const struct point worker_points[] = {
    { "gate.after_add", 1500, NEED_NOTHING },     { "gate.before_back", 20, NEED_NOTHING },
    { "gate.after_back", 20, NEED_NOTHING },      { "gate.after_sub", 1500, NEED_NOTHING },
    { "gate.after_sum", 1500, NEED_NOTHING },     { "gate.before_baton", 100, NEED_NOTHING },
    { "gate.before_pass", 100, NEED_NOTHING },    { "gate.after_publish", 100, NEED_NOTHING },
    { "gate.after_leave", 5, NEED_NOTHING },      { "gate.after_turn", 100, NEED_NOTHING },
    { "budget.after_add", 150, NEED_NOTHING },    { "budget.after_charge", 150, NEED_NOTHING },
    { "lease.before_held", 150, NEED_NOTHING },   { "lease.after_held", 150, NEED_NOTHING },
    { "lease.mid_edit", 1200, NEED_NOTHING },     { "lease.after_note", 150, NEED_NOTHING },
    { "lease.after_push", 150, NEED_NOTHING },    { "ring.before_publish", 150, NEED_NOTHING },
    { "ring.after_publish", 150, NEED_NOTHING },  { "settle.before_record", 150, NEED_NOTHING },
    { "settle.after_record", 150, NEED_NOTHING }, { "exchange.before_send", 150, NEED_NOTHING },
    { "wake.before_bell", 100, NEED_NOTHING },    { "round.after_giving", 100, NEED_NOTHING },
    { "gate.before_try", 100, NEED_NOTHING },     { "gate.before_check", 100, NEED_NOTHING },
};

/* Of the recorder, the keeper, and those who leave. */
static const struct point other_points[] = {
    { "ring.before_free", 30, NEED_NOTHING },    { "drainer.after_commit", 30, NEED_NOTHING },
    { "drainer.before_free", 30, NEED_NOTHING }, { "ledger.before_commit", 30, NEED_NOTHING },
    { "ledger.after_commit", 30, NEED_NOTHING }, { "drainer.after_orphans", 5, NEED_KILLS },
    { "slot.between_sweeps", 5, NEED_KILLS },    { "slot.before_free", 5, NEED_KILLS },
    { "gate.mid_clear", 70, NEED_KILLS },        { "gate.mid_sweep", 70, NEED_KILLS },
    { "lease.after_notes", 5, NEED_KILLS },      { "names.mid_put", 3, NEED_NOTHING },
    { "job.before_asked", 2, NEED_TESTS },       { "job.after_running", 2, NEED_TESTS },
    { "job.before_done", 2, NEED_TESTS },        { "slot.before_left", 1, NEED_RELOADS },
};

#define WORKER_POINTS (sizeof(worker_points) / sizeof(worker_points[0]))
#define OTHER_POINTS (sizeof(other_points) / sizeof(other_points[0]))

static void
restart(const char *spec)
{
    PLAY_CHECK(play_stop_gateway(30000) >= 0, "the gateway does not stop");
    if (play_world.master > 0) {
        kill(play_world.master, SIGKILL);
        play_sleep(500);
    }
    if (spec == NULL) {
        unsetenv("SUB2API_FAULT");
    } else {
        setenv("SUB2API_FAULT", spec, 1);
    }
    play_start_gateway();
    unsetenv("SUB2API_FAULT"); /* Not for the commands. */
}

static void
put_point(char *spec, const struct point *point)
{
    size_t len = strlen(spec);
    PLAY_NEED(len + 80 < SPEC_BYTES, "too many points at once");
    snprintf(spec + len, SPEC_BYTES - len, "%s%s:%u=abort", len > 0 ? "," : "", point->name,
             point->least + crash_random(point->least));
}

static void
provoke(enum need need)
{
    switch (need) {
    case NEED_NOTHING:
        break;
    case NEED_KILLS:
        (void)crashproc_kill(crash_random(2) == 0 ? CRASH_WORKER_0 : CRASH_WORKER_1);
        break;
    case NEED_TESTS:
        (void)play_ctl("account", "test", "first", NULL); /* It may well fail. */
        break;
    case NEED_RELOADS:
        kill(play_world.master, SIGHUP);
        break;
    }
}

static void
begin(const char *spec)
{
    restart(spec);
    crashload_begin(CRASH_CONNS);
    crashload_set_leaving(4);
    crashbook_begin();
    crashload_excuse_cuts();
    crashproc_mark_log();
}

static void
run_turns(unsigned ms, const bool needs[4])
{
    uint64_t end = play_now_ms() + ms;
    while (play_now_ms() < end) {
        crashload_run(TURN_MS + crash_random(TURN_MS));
        enum need need = (enum need)crash_random(4);
        if (needs[need]) {
            provoke(need);
        }
    }
}

/* One point by itself, until it has struck often enough. */
static void
run_alone(const struct point *point)
{
    char spec[SPEC_BYTES] = "";
    put_point(spec, point);
    begin(spec);
    uint64_t end = play_now_ms() + 60000;
    uint32_t deaths = 0;
    bool needs[4] = { false };
    needs[point->need] = true;
    while (deaths < 20 && play_now_ms() < end) {
        run_turns(1000, needs);
        deaths = crashproc_log_count("signal=ABRT");
    }
    crash_end_load(CRASH_CONNS * 100);
    fprintf(stderr, "note %s: %u deaths\n", spec, deaths);
    PLAY_CHECK(deaths > 0, "nobody passed %s", spec);
}

/* Several at once: each process dies of what it meets first. */
static void
run_together(const struct point *points, size_t count, unsigned ms)
{
    char spec[SPEC_BYTES] = "";
    bool needs[4] = { false };
    for (size_t i = 0; i < count; i++) {
        put_point(spec, &points[i]);
        needs[points[i].need] = true;
    }
    begin(spec);
    run_turns(ms, needs);
    uint32_t deaths = crashproc_log_count("signal=ABRT");
    /* A draw of rare points, or a busy machine: on until one has struck. */
    for (uint32_t more = 0; deaths == 0 && more < 45; more++) {
        run_turns(1000, needs);
        deaths = crashproc_log_count("signal=ABRT");
    }
    crash_end_load(CRASH_CONNS * 100);
    fprintf(stderr, "note %zu points: %u deaths\n", count, deaths);
    PLAY_CHECK(deaths > 0, "nobody passed %s", spec);
}

static void
run_points(const char *name, const struct point *points, size_t count)
{
    const char *only = getenv("CRASH_POINT");
    crash_begin(name);
    if (crash_is_full() || only != NULL) {
        for (size_t i = 0; i < count; i++) {
            if (only == NULL || strcmp(only, points[i].name) == 0) {
                run_alone(&points[i]);
            }
        }
        return;
    }
    uint32_t at = crash_random((uint32_t)count);
    for (uint32_t part = 0; part < PARTS; part++) {
        struct point drawn[PART_POINTS];
        for (size_t used = 0; used < PART_POINTS; at++) {
            const struct point *point = &points[at % count];
            if (point->need != NEED_RELOADS) { /* It takes all processes with it: alone only. */
                drawn[used++] = *point;
            }
        }
        run_together(drawn, PART_POINTS, 3500);
    }
}

static void
workers_abort_at_named_points(void)
{
    run_points("worker points", worker_points, WORKER_POINTS);
}

static void
others_abort_at_named_points(void)
{
    run_points("other points", other_points, OTHER_POINTS);
}

/* Ends what the tests before began: also proves that a run after faults starts clean. */
static void
without_faults_nobody_dies(void)
{
    restart(NULL);
    crash_start_load("no faults");
    crashload_run(1000);
    crash_end_load(0);
    PLAY_CHECK(crashload_count(CRASH_CUT) + crashload_count(CRASH_ERROR) == 0, "%s",
               crashload_text());
    PLAY_CHECK(crashproc_log_count("signal=") == 0, "a process died");
}

static const struct play_test tests[] = {
    { "workers_abort_at_named_points", workers_abort_at_named_points, CRASH_TEST_SECONDS },
    { "others_abort_at_named_points", others_abort_at_named_points, CRASH_TEST_SECONDS },
    { "without_faults_nobody_dies", without_faults_nobody_dies, CRASH_TEST_SECONDS },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.queue_per_user=1000", "worker.queue_per_group=1000",
                                        "master.grace=10s", "admin.resolve_interval=1s", NULL };

PLAY_GROUP(group, "faults", tests, settings, crash_prepare)
