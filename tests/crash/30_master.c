/*
 * 30_master.c - the master dies, ends or reloads under load; whoever starts next finds everything.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/crash/crash.h"

/* Longer than a request may wait in a queue (30 s): a shorter grace ends it with 503, rightly. */
#define GRACE_MS 45000u
#define SETTLE_MS 200u /* for what was sent to be received: then the clients only listen */

struct family {
    pid_t pids[CRASH_KINDS];
};

/* The first worker answers before the last one is there. */
static struct family
children(void)
{
    struct family f;
    for (enum crash_kind k = 0; k < CRASH_KINDS; k++) {
        PLAY_CHECK(crashproc_wait(k, 0, CRASH_BACK_MS), "no %s", crashproc_title(k));
        f.pids[k] = crashproc_find(k);
    }
    return f;
}

static void
wait_gone(const struct family *f, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    for (enum crash_kind k = 0; k < CRASH_KINDS; k++) {
        while (f->pids[k] > 0 && play_is_alive(f->pids[k]) && play_now_ms() < end) {
            play_sleep(20);
        }
        PLAY_CHECK(f->pids[k] <= 0 || !play_is_alive(f->pids[k]), "%s outlives its master by %u ms",
                   crashproc_title(k), ms);
    }
}

static void
kill_master(void)
{
    int status;
    kill(play_world.master, SIGKILL);
    waitpid(play_world.master, &status, 0);
    play_world.master = 0;
}

/* Who was being served is served to the end; the next master starts while they still are. */
static void
master_killed(void)
{
    crash_start_load("master");
    for (unsigned i = 0; i < crash_size(2, 60); i++) {
        struct family old = children();
        uint32_t cut = crashload_count(CRASH_CUT);
        crashload_allow(false);
        crashload_run(SETTLE_MS);
        PLAY_CHECK(crashload_running() > 0, "no load");
        kill_master();
        PLAY_CHECK(crashload_finish(GRACE_MS), "requests do not end without a master: %s",
                   crashload_text());
        PLAY_CHECK(crashload_count(CRASH_CUT) == cut, "answers were cut with the master: %s",
                   crashload_text());
        play_start_gateway();
        wait_gone(&old, GRACE_MS + 5000);
        (void)children();
        crashload_allow(true);
        crashload_run(700 + crash_random(500));
    }
    crash_end_load(0);
}

/* All at once, as the kernel does it when memory is out: only the segment and the store are left.
 */
static void
all_killed_and_started_again(void)
{
    crash_start_load("all killed");
    for (unsigned i = 0; i < crash_size(3, 100); i++) {
        struct family old = children();
        crashload_allow(false);
        kill(play_world.master, SIGSTOP); /* It must not start others meanwhile. */
        for (enum crash_kind k = 0; k < CRASH_KINDS; k++) {
            if (old.pids[k] > 0) {
                kill(old.pids[k], SIGKILL);
            }
        }
        crashload_excuse(NULL);
        kill_master();
        PLAY_CHECK(crashload_finish(GRACE_MS), "connections survive: %s", crashload_text());
        play_start_gateway();
        crashload_allow(true);
        crashload_run(700 + crash_random(500));
    }
    crash_end_load(0);
}

/* SIGTERM: what runs ends well, and the exit status is 0. */
static void
stopped_and_started(void)
{
    crash_start_load("stopped");
    for (unsigned i = 0; i < crash_size(2, 60); i++) {
        struct family old = children();
        uint32_t cut = crashload_count(CRASH_CUT);
        crashload_allow(false);
        crashload_run(SETTLE_MS);
        kill(play_world.master, SIGTERM);
        PLAY_CHECK(crashload_finish(GRACE_MS), "requests do not end: %s", crashload_text());
        PLAY_CHECK(crashload_count(CRASH_CUT) == cut, "answers were cut: %s", crashload_text());
        int status = 0;
        uint64_t end = play_now_ms() + GRACE_MS + 10000;
        pid_t done = 0;
        while (done == 0 && play_now_ms() < end) {
            play_sleep(10);
            done = waitpid(play_world.master, &status, WNOHANG);
        }
        PLAY_CHECK(done > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0,
                   "the master ends with %x", (unsigned)status);
        wait_gone(&old, 1000);
        play_start_gateway();
        crashload_allow(true);
        crashload_run(700 + crash_random(500));
    }
    crash_end_load(0);
}

/* A reload waits until the generation before the last is gone, so the file must stay for a while.
 */
static void
reload_wrong_file(void)
{
    char *good = play_read_file(play_world.ini);
    play_write_file(play_world.ini, play_text("%s\n[http]\nno_such_key = 1\n", good));
    kill(play_world.master, SIGHUP);
    uint64_t end = play_now_ms() + 2 * GRACE_MS;
    while (crashproc_log_count("no_such_key") == 0 && play_now_ms() < end) {
        crashload_run(100);
    }
    PLAY_CHECK(crashproc_log_count("no_such_key") > 0, "the wrong file was taken");
}

/* Reloads under load, with files that differ; one of them is wrong. No client may notice. A kept
 * connection may be closed before its next request, as any server may do. */
static void
reloads_in_a_row(void)
{
    static const char *const pings[2][2] = { { "worker.ping_interval=700ms", NULL },
                                             { "worker.ping_interval=900ms", NULL } };
    crash_start_load("reloads");
    unsigned count = crash_size(10, 300);
    for (unsigned i = 0; i < count; i++) {
        play_write_ini(pings[i % 2]);
        kill(play_world.master, SIGHUP);
        crashload_run(100 + crash_random(400));
        if (i == count / 2) {
            reload_wrong_file();
        }
    }
    PLAY_CHECK(crashload_count(CRASH_CUT) + crashload_count(CRASH_ERROR) == 0,
               "clients noticed: %s", crashload_text());
    crash_end_load(crashload_started() / 100);
}

/* Old and new processes die while they change places. */
static void
kills_during_reloads(void)
{
    crash_start_load("reload kills");
    for (unsigned i = 0; i < crash_size(5, 150); i++) {
        kill(play_world.master, SIGHUP);
        crashload_run(crash_random(80));
        (void)crashproc_kill((enum crash_kind)crash_random(CRASH_KINDS));
        crashload_run(300 + crash_random(500));
    }
    crash_end_load(crashload_started() / 100);
}

static const struct play_test tests[] = {
    { "master_killed", master_killed, CRASH_TEST_SECONDS },
    { "all_killed_and_started_again", all_killed_and_started_again, CRASH_TEST_SECONDS },
    { "stopped_and_started", stopped_and_started, CRASH_TEST_SECONDS },
    { "reloads_in_a_row", reloads_in_a_row, CRASH_TEST_SECONDS },
    { "kills_during_reloads", kills_during_reloads, CRASH_TEST_SECONDS },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.queue_per_user=1000", "worker.queue_per_group=1000",
                                        "master.grace=45s", NULL };

PLAY_GROUP(group, "master", tests, settings, crash_prepare)
