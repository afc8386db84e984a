/*
 * 40_reckon.c - ledger == what the provider counted == what every balance lost, whoever fails,
 * leaves or is killed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/crash/reckon.h"

#define CONNS 40u
#define TOPUP 1000000u /* dollars */
#define BACK_MS 20000u
#define GRACE_MS 30000u

/* --- the world --- */

static void
add_accounts(void)
{
    static const char *const platforms[] = { "openai", "anthropic", "gemini" };
    static const char *const groups[] = { "to-openai,native", "to-claude,native",
                                          "to-gemini,native" };
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    for (uint32_t i = 0; i < RECKON_ACCOUNTS; i++) {
        const char *name = reckonplan_accounts[i];
        char *file = play_text("%s/%s.key", play_world.dir, name);
        play_write_file(file, play_text("sk-up-%s", name));
        play_must_ctl("account", "create", name, "--platform", platforms[i / 2], "--base-url", url,
                      "--api-key-file", file, "--group",
                      i < 2 ? "to-openai,to-chat,native" : groups[i / 2], "--multiplier",
                      i % 2 == 0 ? "1" : "0.333333", NULL);
    }
    play_must_ctl("account", "set", reckonplan_accounts[1], "--dialects", "chat", NULL);
}

static void
add_keys(void)
{
    for (uint32_t user = 0; user < RECKON_USERS; user++) {
        for (uint32_t group = 0; group < RECKON_GROUPS; group++) {
            char *file = play_text("%s/key", play_world.dir);
            play_write_file(file, reckonplan_key(group, user));
            play_must_ctl("key", "create",
                          play_text("%s-%s", reckonplan_users[user], reckonplan_groups[group]),
                          "--user", reckonplan_users[user], "--group", reckonplan_groups[group],
                          "--key-file", file, "--quota-day", "1000000", NULL);
        }
    }
}

static void
prepare(void)
{
    static const char *const multipliers[RECKON_GROUPS] = { "1.25", "1", "0.8", "1.100001", "1" };
    uint32_t count = crash_size(1500, RECKON_REQUESTS_MAX);
    reckonplan_begin();
    crash_fake_port = play_world.fake_port;
    for (uint32_t i = 0; i < RECKON_GROUPS; i++) {
        play_must_ctl("group", "create", reckonplan_groups[i], "--multiplier", multipliers[i],
                      NULL);
    }
    add_accounts();
    for (uint32_t i = 0; i < RECKON_USERS; i++) {
        play_must_ctl("user", "create", reckonplan_users[i], NULL);
    }
    play_must_ctl("user", "topup", reckonplan_users[0], "--amount", play_text("%u", TOPUP), NULL);
    play_must_ctl("user", "set", reckonplan_users[1], "--multiplier", "0.75", NULL);
    play_must_ctl("plan", "create", "plan", "--user", reckonplan_users[2], "--group",
                  reckonplan_groups[0], "--month", "1000000", NULL);
    add_keys();
    char *prices = play_text("%s/prices.json", play_world.dir);
    reckonplan_prices(prices, count);
    struct play_run run = play_must_ctl("price", "import", prices, NULL);
    PLAY_NEED(strstr(run.out, "0 rows refused") != NULL, "%.300s", run.out);
    reckonload_begin(CONNS, count);
}

/* --- who dies --- */

static void
kill_one(enum crash_kind kind)
{
    pid_t old = crashproc_find(kind);
    if (kind == CRASH_WORKER_0 || kind == CRASH_WORKER_1) {
        reckonload_killed();
    }
    PLAY_CHECK(old != 0 && kill(old, SIGKILL) == 0, "%s is not there", crashproc_title(kind));
    uint64_t end = play_now_ms() + BACK_MS;
    pid_t now = 0;
    while ((now == 0 || now == old) && play_now_ms() < end) {
        reckonload_run(20);
        now = crashproc_find(kind);
    }
    PLAY_CHECK(now != 0 && now != old, "%s is not replaced", crashproc_title(kind));
}

static void
kill_workers(void)
{
    pid_t first = crashproc_find(CRASH_WORKER_0);
    pid_t second = crashproc_find(CRASH_WORKER_1);
    reckonload_killed();
    if (first > 0 && second > 0) {
        kill(first, SIGKILL);
        kill(second, SIGKILL);
    }
    reckonload_run(500);
}

/* Nobody else dies: who is served is served to the end, and then another master starts. */
static void
kill_master(void)
{
    int status;
    reckonload_allow(false);
    reckonload_run(200);
    kill(play_world.master, SIGKILL);
    waitpid(play_world.master, &status, 0);
    play_world.master = 0;
    PLAY_CHECK(reckonload_finish(GRACE_MS), "requests do not end without a master");
    play_start_gateway();
    reckonload_allow(true);
}

static void
kill_all(void)
{
    int status;
    reckonload_killed();
    kill(play_world.master, SIGSTOP); /* It must not start others meanwhile. */
    for (enum crash_kind k = 0; k < CRASH_KINDS; k++) {
        pid_t pid = crashproc_find(k);
        if (pid > 0) {
            kill(pid, SIGKILL);
        }
    }
    kill(play_world.master, SIGKILL);
    waitpid(play_world.master, &status, 0);
    play_world.master = 0;
    reckonload_allow(false);
    PLAY_CHECK(reckonload_finish(GRACE_MS), "connections survive");
    reckonload_killed();
    play_start_gateway();
    reckonload_allow(true);
}

/* What happens to a provider whose client leaves changes; nobody may notice the change itself. */
static void
reload(unsigned round)
{
    static const char *const ways[2][2] = { { "worker.on_client_gone=drain", NULL },
                                            { "worker.on_client_gone=abort", NULL } };
    play_write_ini(ways[round % 2]);
    kill(play_world.master, SIGHUP);
}

static void
strike(unsigned round)
{
    uint32_t roll = crash_random(100);
    if (roll < 40) {
        kill_one(roll % 2 == 0 ? CRASH_WORKER_0 : CRASH_WORKER_1);
    } else if (roll < 60) {
        kill_one(CRASH_RECORDER);
    } else if (roll < 68) {
        kill_one(CRASH_KEEPER);
    } else if (roll < 80) {
        kill_workers();
    } else if (roll < 88) {
        reload(round);
    } else if (roll < 94) {
        kill_master();
    } else {
        kill_all();
    }
}

/* --- the test --- */

static void
ledger_is_what_was_served(void)
{
    crash_begin("reckon");
    reckonload_run(crash_size(1500, 5000));
    if (!crash_is_full()) {
        kill_one(CRASH_WORKER_0);
        reckonload_run(700);
        kill_one(CRASH_RECORDER);
        reload(0);
        reckonload_run(700);
        kill_one(CRASH_KEEPER);
        kill_all();
        reckonload_run(700);
        kill_master();
        reckonload_run(700);
    }
    uint64_t end = play_now_ms() + crash_size(0, 420000);
    for (unsigned round = 0; play_now_ms() < end; round++) {
        strike(round);
        reckonload_run(300 + crash_random(1200));
    }
    PLAY_CHECK(reckonload_finish(60000), "requests do not end");
    crashbook_check_idle(CRASH_REST_MS);
    reckonbook_check(TOPUP);
    struct play_run run = play_ctl("--json", "ledger", "verify", NULL);
    PLAY_CHECK(run.status == 0 && play_json_is(run.out, "ok", "true"), "ledger verify: %s%s",
               run.out, run.err);
    PLAY_CHECK(crashproc_log_count("last_words=") == 0, "somebody died of a failed check");
}

static const struct play_test tests[] = {
    { "ledger_is_what_was_served", ledger_is_what_was_served, CRASH_TEST_SECONDS },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.queue_per_user=1000",
                                        "worker.queue_per_group=1000",
                                        "worker.sticky_time=0",
                                        "worker.drain_time=5s",
                                        "upstream.first_byte_timeout=4s",
                                        "upstream.idle_timeout=4s",
                                        "master.grace=30s",
                                        NULL };

PLAY_GROUP(group, "reckon", tests, settings, prepare)
