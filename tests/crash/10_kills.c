/*
 * 10_kills.c - kill -9 of one process after the other, and of all workers at once, under load.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/crash/crash.h"

static void
kill_one(enum crash_kind kind)
{
    pid_t old = crashproc_find(kind);
    PLAY_CHECK(crashproc_kill(kind), "%s is not there", crashproc_title(kind));
    crashslots_watch(&old, 1, kind != CRASH_RECORDER);
    PLAY_CHECK(crashproc_wait(kind, old, CRASH_BACK_MS), "%s is not replaced",
               crashproc_title(kind));
    crashbook_check_live(CRASH_BACK_MS);
}

/* At rest now and then: a slot that leaked hides in a system that is never idle. */
static void
rest(void)
{
    PLAY_CHECK(crashload_finish(60000), "requests do not end: %s", crashload_text());
    crashbook_check_idle(CRASH_REST_MS);
    crashload_allow(true);
}

static void
workers_one_by_one(void)
{
    crash_start_load("workers");
    crashload_set_leaving(4);
    for (unsigned i = 0; i < crash_size(7, 250); i++) {
        kill_one(crash_random(2) == 0 ? CRASH_WORKER_0 : CRASH_WORKER_1);
        crashload_run(300 + crash_random(800));
        if (i % 5 == 4) {
            rest();
        }
    }
    crash_end_load(0);
}

static void
recorder_and_keeper(void)
{
    crash_start_load("recorder");
    for (unsigned i = 0; i < crash_size(5, 200); i++) {
        kill_one(crash_random(3) == 0 ? CRASH_KEEPER : CRASH_RECORDER);
        crashload_run(300 + crash_random(800));
    }
    PLAY_CHECK(crashload_count(CRASH_ERROR) + crashload_count(CRASH_CUT) == 0,
               "clients noticed: %s", crashload_text());
    crash_end_load(0);
}

/* Two processes die together: a worker while the recorder that would sweep it dies too. */
static void
everybody_at_random(void)
{
    crash_start_load("everybody");
    crashload_set_leaving(4);
    for (unsigned i = 0; i < crash_size(5, 350); i++) {
        enum crash_kind first = crash_random(CRASH_KINDS);
        enum crash_kind second = crash_random(CRASH_KINDS);
        pid_t old = crashproc_find(first);
        (void)crashproc_kill(first);
        crashload_run(crash_random(60));
        bool has_recorder = first != CRASH_RECORDER && second != CRASH_RECORDER;
        pid_t dead[2] = { old, crashproc_find(second) };
        if (second != first) {
            PLAY_CHECK(crashproc_kill(second), "%s is not there", crashproc_title(second));
            crashslots_watch(dead, 2, has_recorder);
            PLAY_CHECK(crashproc_wait(second, dead[1], CRASH_BACK_MS), "%s is not replaced",
                       crashproc_title(second));
            crashbook_check_live(CRASH_BACK_MS);
        }
        PLAY_CHECK(crashproc_wait(first, old, CRASH_BACK_MS), "%s is not replaced",
                   crashproc_title(first));
        crashload_run(300 + crash_random(600));
        if (i % 10 == 9) {
            rest();
        }
    }
    crash_end_load(0);
}

static void
all_workers_at_once(void)
{
    crash_start_load("all");
    for (unsigned i = 0; i < crash_size(3, 200); i++) {
        pid_t first = crashproc_find(CRASH_WORKER_0);
        pid_t second = crashproc_find(CRASH_WORKER_1);
        PLAY_NEED(first != 0 && second != 0, "a worker is missing");
        kill(first, SIGKILL);
        kill(second, SIGKILL);
        crashload_excuse(NULL);
        crashslots_watch((pid_t[]){ first, second }, 2, true);
        PLAY_CHECK(crashproc_wait(CRASH_WORKER_0, first, CRASH_BACK_MS),
                   "worker 0 is not replaced");
        PLAY_CHECK(crashproc_wait(CRASH_WORKER_1, second, CRASH_BACK_MS),
                   "worker 1 is not replaced");
        crashbook_check_live(CRASH_BACK_MS);
        crashload_run(700 + crash_random(600));
    }
    crash_end_load(0);
}

/* A worker that dies again and again, faster than it is replaced at once. */
static void
one_worker_over_and_over(void)
{
    crash_start_load("over");
    for (unsigned i = 0; i < crash_size(4, 30); i++) {
        (void)crashproc_kill(CRASH_WORKER_0);
        crashload_run(crash_random(300));
    }
    PLAY_CHECK(crashproc_wait(CRASH_WORKER_0, 0, 20000), "worker 0 is not replaced");
    crashbook_check_live(CRASH_BACK_MS);
    crashload_run(500);
    crash_end_load(0);
}

static const struct play_test tests[] = {
    { "workers_one_by_one", workers_one_by_one, CRASH_TEST_SECONDS },
    { "recorder_and_keeper", recorder_and_keeper, CRASH_TEST_SECONDS },
    { "everybody_at_random", everybody_at_random, CRASH_TEST_SECONDS },
    { "all_workers_at_once", all_workers_at_once, CRASH_TEST_SECONDS },
    { "one_worker_over_and_over", one_worker_over_and_over, CRASH_TEST_SECONDS },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.queue_per_user=1000", "worker.queue_per_group=1000",
                                        "master.grace=10s", NULL };

PLAY_GROUP(group, "kills", tests, settings, crash_prepare)
