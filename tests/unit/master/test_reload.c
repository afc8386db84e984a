#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/master/house.h"

static char file[] = "/tmp/sub2api-test-XXXXXX";

static void
rewrite(const char *text)
{
    FILE *out = fopen(file, "w");
    cr_assert(out != NULL);
    cr_assert(fputs(text, out) >= 0);
    cr_assert_eq(fclose(out), 0);
}

/* A house whose configuration comes from a file: one worker, a free port. */
static void
build(struct supervise *supervise, const char *more)
{
    house_build(supervise, 1);
    int fd = mkstemp(file);
    cr_assert(fd >= 0);
    close(fd);
    char text[512];
    snprintf(text, sizeof(text),
             "[master]\nworkers=1\ngrace=300ms\nlog_level=error\n%s"
             "[http]\nlisten=127.0.0.1:0\n",
             more);
    rewrite(text);
    supervise->source.file = file;
    struct setting_error error;
    cr_assert_eq(config_load(file, NULL, 0, supervise->ground.config, &error), ERR_OK, "%s",
                 error.text);
}

static void
refused(struct supervise *supervise, const char *text, const char *word)
{
    struct reload reload;
    char why[RELOAD_WHY_BYTES] = "";
    rewrite(text);
    cr_expect_neq(reload_prepare(&supervise->ground, &supervise->source, &reload, why), ERR_OK,
                  "taken: %s", text);
    cr_expect(strstr(why, word) != NULL, "no %s in: %s", word, why);
}

Test(reload, refuses_what_is_wrong_and_says_where)
{
    static struct supervise supervise;
    build(&supervise, "");
    refused(&supervise, "[master]\nworkers=x\n", ":2");
    refused(&supervise, "[store]\ndir=/elsewhere\n", "[store] dir");
    refused(&supervise, "[master]\nworkers=64\n", "workers");
    refused(&supervise, "[upstream]\nca_file=/nowhere.pem\n", "/nowhere.pem");
    refused(&supervise, "[http]\nlisten=127.0.0.1:0\nlisten=nonsense\n", "nonsense");
    unlink(file);
    segment_remove(house_path);
}

Test(reload, exchanges_everything_at_once)
{
    static struct supervise supervise;
    build(&supervise, "");
    struct process_ground *ground = &supervise.ground;
    int kept = ground->sockets.fds[0][0];
    rewrite("[master]\nworkers=2\ngrace=1s\n[http]\nlisten=127.0.0.1:0\n");
    struct reload reload;
    char why[RELOAD_WHY_BYTES] = "";
    cr_assert_eq(reload_prepare(ground, &supervise.source, &reload, why), ERR_OK, "%s", why);
    cr_assert_eq(ground->config->master.grace_ms, 300, "nothing has changed yet");
    reload_commit(ground, &reload);
    cr_assert_eq(ground->config->master.grace_ms, 1000);
    cr_assert_eq(ground->worker_count, 2);
    cr_assert_eq(ground->generation, 2);
    cr_assert_eq(ground->sockets.fds[0][0], kept);
    cr_assert_neq(ground->sockets.fds[1][0], -1);
    unlink(file);
    segment_remove(house_path);
}

Test(reload, brings_a_new_generation_and_ends_the_old, .timeout = 30)
{
    static struct supervise supervise;
    build(&supervise, "");
    pid_t master = house_open(&supervise);
    pid_t worker = house_wait_worker(&supervise, 0, 0);
    pid_t recorder = house_wait_kind(&supervise, SLOT_RECORDER, 0);
    kill(master, SIGHUP);
    pid_t next = house_wait_worker(&supervise, 0, worker);
    house_wait_kind(&supervise, SLOT_RECORDER, recorder);
    for (int i = 0; i < 300 && kill(worker, 0) == 0; i++) {
        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
    }
    cr_assert_neq(kill(worker, 0), 0, "the old worker has ended");
    cr_assert_eq(kill(next, 0), 0);
    kill(master, SIGTERM);
    cr_assert_eq(house_close(master), 0);
    unlink(file);
}

Test(reload, leaves_everything_when_the_file_is_wrong, .timeout = 30)
{
    static struct supervise supervise;
    build(&supervise, "");
    pid_t master = house_open(&supervise);
    pid_t worker = house_wait_worker(&supervise, 0, 0);
    rewrite("[master]\nworkers=none\n");
    kill(master, SIGHUP);
    nanosleep(&(struct timespec){ 0, 300000000 }, NULL);
    cr_assert_eq(house_wait_worker(&supervise, 0, 0), worker);
    kill(master, SIGTERM);
    cr_assert_eq(house_close(master), 0);
    unlink(file);
}
