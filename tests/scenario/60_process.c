/*
 * 60_process.c - the processes: their titles, reload, drain, and what a kill -9 of each one costs.
 */
#include "tests/scenario/play.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define STREAM                                                                         \
    "{\"model\":\"fake-n30-gap100\",\"stream\":true,\"messages\":[{\"role\":\"user\"," \
    "\"content\":\"hello\"}]}"
#define CHAT "{\"model\":\"fake-n3\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"
#define STREAMS 16

static pid_t
wait_process(const char *title, pid_t other_than, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    for (;;) {
        pid_t pid = play_process(title);
        if ((pid != 0 && pid != other_than) || play_now_ms() >= end) {
            return pid;
        }
        play_sleep(20);
    }
}

static struct play_conn *
start_stream(void)
{
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", STREAM);
    play_write(c, text, strlen(text));
    struct play_answer a = play_read_head(c, 5000);
    PLAY_NEED(a.status == 200, "a stream: %d", a.status);
    return c;
}

/* True when the stream came to its end with all its pieces. */
static bool
finishes(struct play_conn *c, unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    while (!c->ended && !c->broken && play_now_ms() < end) {
        (void)play_more(c, (unsigned)(end - play_now_ms()));
        if (c->closed && !c->ended) {
            break;
        }
    }
    return c->ended && !c->broken && strstr(c->body.data, " t00030") != NULL &&
           strstr(c->body.data, "[DONE]") != NULL;
}

static bool
answers(unsigned ms)
{
    uint64_t end = play_now_ms() + ms;
    for (;;) {
        struct play_conn *c = play_open(play_world.port);
        if (c->fd >= 0) {
            char *text = play_post_text("/v1/chat/completions", CHAT);
            play_write(c, text, strlen(text));
            struct play_answer a = play_read(c, 3000);
            play_close(c);
            if (a.status == 200) {
                return true;
            }
        }
        if (play_now_ms() >= end) {
            return false;
        }
        play_sleep(50);
    }
}

static void
titles_tell_what_runs(void)
{
    static const char *const titles[] = { "sub2api: master", "sub2api: worker 0",
                                          "sub2api: worker 1", "sub2api: recorder",
                                          "sub2api: keeper" };
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        PLAY_CHECK(wait_process(titles[i], 0, 3000) != 0, "nothing is called %s", titles[i]);
    }
    PLAY_CHECK(play_process("sub2api: master") == play_world.master, "the master has another id");
}

static void
a_killed_worker_is_replaced(void)
{
    struct play_conn *streams[STREAMS];
    for (size_t i = 0; i < STREAMS; i++) {
        streams[i] = start_stream();
    }
    pid_t worker = play_process("sub2api: worker 0");
    PLAY_NEED(worker != 0, "no worker 0");
    kill(worker, SIGKILL);
    PLAY_CHECK(answers(3000), "nobody answers after the kill");
    pid_t fresh = wait_process("sub2api: worker 0", worker, 5000);
    PLAY_CHECK(fresh != 0 && fresh != worker, "worker 0 was not replaced");
    unsigned whole = 0;
    for (size_t i = 0; i < STREAMS; i++) {
        bool fine = finishes(streams[i], 8000);
        whole += fine ? 1 : 0;
        PLAY_CHECK(fine || strstr(streams[i]->body.data, "[DONE]") == NULL,
                   "a cut stream ends as if it were whole");
    }
    PLAY_CHECK(whole > 0, "the other worker's streams broke too");
    PLAY_CHECK(play_fake_wait("open", 0, 5000), "the dead worker's requests still run");
    struct play_run run = play_must_ctl("--json", "top", NULL);
    for (int i = 0; i < 40 && strstr(run.out, "fake-n30-gap100") != NULL; i++) {
        play_sleep(100);
        run = play_must_ctl("--json", "top", NULL);
    }
    PLAY_CHECK(strstr(run.out, "fake-n30-gap100") == NULL, "dead requests stay in top: %s",
               run.out);
}

static void
all_workers_killed_at_once(void)
{
    pid_t first = play_process("sub2api: worker 0");
    pid_t second = play_process("sub2api: worker 1");
    PLAY_NEED(first != 0 && second != 0, "workers are missing");
    kill(first, SIGKILL);
    kill(second, SIGKILL);
    PLAY_CHECK(answers(5000), "nobody answers after 5 s");
    PLAY_CHECK(wait_process("sub2api: worker 0", first, 5000) != first, "worker 0");
    PLAY_CHECK(wait_process("sub2api: worker 1", second, 5000) != second, "worker 1");
}

static void
helpers_killed_under_a_stream(void)
{
    static const char *const titles[] = { "sub2api: recorder", "sub2api: keeper" };
    for (size_t i = 0; i < 2; i++) {
        struct play_conn *c = start_stream();
        pid_t pid = play_process(titles[i]);
        PLAY_NEED(pid != 0, "no %s", titles[i]);
        kill(pid, SIGKILL);
        PLAY_CHECK(answers(3000), "nobody answers without the %s", titles[i]);
        pid_t fresh = wait_process(titles[i], pid, 8000);
        PLAY_CHECK(fresh != 0 && fresh != pid, "the %s was not replaced", titles[i]);
        PLAY_CHECK(finishes(c, 8000), "the stream broke with the %s", titles[i]);
    }
    uint64_t end = play_now_ms() + 8000;
    struct play_run run = play_ctl("status", NULL);
    while (run.status != 0 && play_now_ms() < end) {
        play_sleep(100);
        run = play_ctl("status", NULL);
    }
    PLAY_CHECK(run.status == 0, "the admin socket stays dead: %s", run.err);
}

/* A slot that a dead worker held must be free again. */
static void
slots_come_back(void)
{
    play_must_ctl("account", "set", "openai", "--concurrency", "2", NULL);
    play_sleep(200);
    struct play_conn *a = start_stream();
    struct play_conn *b = start_stream();
    kill(play_process("sub2api: worker 0"), SIGKILL);
    kill(play_process("sub2api: worker 1"), SIGKILL);
    PLAY_CHECK(answers(6000), "the slots of dead workers stay taken");
    play_close(a);
    play_close(b);
    play_must_ctl("account", "set", "openai", "--concurrency", "0", NULL);
}

static void
reload_with_a_good_file(void)
{
    pid_t before = play_process("sub2api: worker 0");
    struct play_conn *c = start_stream();
    static const char *const more[] = { "worker.ping_interval=700ms", NULL };
    play_write_ini(more);
    kill(play_world.master, SIGHUP);
    pid_t after = wait_process("sub2api: worker 0", before, 8000);
    PLAY_CHECK(after != 0, "no worker 0 after the reload");
    for (int i = 0; i < 20; i++) {
        PLAY_CHECK(answers(0), "request %d during the reload failed", i);
    }
    PLAY_CHECK(finishes(c, 8000), "the stream broke at the reload");
    struct play_run run = play_ctl("reload", NULL);
    PLAY_CHECK(run.status == 0, "sub2apictl reload: %d %s", run.status, run.err);
    PLAY_CHECK(answers(3000), "nobody answers after the reload");
}

static void
reload_with_a_bad_file(void)
{
    char *good = play_read_file(play_world.ini);
    play_write_file(play_world.ini, play_text("%s\n[http]\nno_such_key = 1\n", good));
    struct play_conn *c = start_stream();
    kill(play_world.master, SIGHUP);
    PLAY_CHECK(play_log_has("no_such_key", 5000), "the log does not say why");
    PLAY_CHECK(answers(3000), "nobody answers");
    struct play_run run = play_ctl("reload", NULL);
    PLAY_CHECK(run.status != 0, "sub2apictl reload takes a bad file: %s", run.out);
    PLAY_CHECK(strstr(play_text("%s%s", run.out, run.err), "no_such_key") != NULL, "why: %s%s",
               run.out, run.err);
    PLAY_CHECK(finishes(c, 8000), "the stream broke");
    play_write_file(play_world.ini, good);
}

/* None waits. A connection may be reset while the worker without a stream goes. */
static void
is_turned_away(const char *text)
{
    struct play_answer a = { .status = 0 };
    for (unsigned i = 0; i < 20 && a.status == 0; i++) {
        struct play_conn *c = play_open(play_world.port);
        uint64_t begin = play_now_ms();
        play_write(c, text, strlen(text));
        a = play_read(c, 1500);
        PLAY_NEED(play_now_ms() - begin < 1400, "a new connection waits while draining");
        play_close(c);
        play_sleep(50);
    }
    PLAY_CHECK(a.status == 503 && play_json_is(a.body, "error.code", "draining"),
               "a new request while draining: %d %s", a.status, a.body);
}

static void
sigterm_drains(void)
{
    struct play_conn *c = start_stream();
    struct play_conn *kept = play_open(play_world.port);
    play_print(kept, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    struct play_answer ready = play_read(kept, 3000);
    PLAY_CHECK(ready.status == 200, "readyz before: %d %s", ready.status, ready.body);
    kill(play_world.master, SIGTERM);
    play_sleep(300);
    play_print(kept, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    ready = play_read(kept, 2000);
    PLAY_CHECK(ready.status == 503 || ready.status == 0, "readyz while draining: %d", ready.status);
    is_turned_away("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    is_turned_away(play_post_text("/v1/chat/completions", CHAT));
    PLAY_CHECK(finishes(c, 8000), "the running stream was cut");
    int status = play_stop_gateway(15000);
    PLAY_CHECK(status == 0, "exit status %d", status);
}

static void
what_was_stored_is_there_again(void)
{
    /* The gateway was stopped by the test before and started again with the same directory. */
    struct play_run run = play_must_ctl("account", "list", NULL);
    PLAY_CHECK(strstr(run.out, "openai") != NULL, "accounts are lost: %s", run.out);
    PLAY_CHECK(answers(5000), "the key is lost");
}

static void
a_killed_master(void)
{
    struct play_conn *c = start_stream();
    pid_t worker = play_process("sub2api: worker 0");
    kill(play_world.master, SIGKILL);
    PLAY_CHECK(finishes(c, 8000), "the stream was cut with the master");
    uint64_t end = play_now_ms() + 15000;
    while (play_is_alive(worker) && play_now_ms() < end) {
        play_sleep(50);
    }
    PLAY_CHECK(!play_is_alive(worker), "a worker outlives its master by 15 s");
}

static const struct play_test tests[] = {
    { "titles_tell_what_runs", titles_tell_what_runs, 0 },
    { "a_killed_worker_is_replaced", a_killed_worker_is_replaced, 60 },
    { "all_workers_killed_at_once", all_workers_killed_at_once, 0 },
    { "helpers_killed_under_a_stream", helpers_killed_under_a_stream, 60 },
    { "slots_come_back", slots_come_back, 60 },
    { "reload_with_a_good_file", reload_with_a_good_file, 60 },
    { "reload_with_a_bad_file", reload_with_a_bad_file, 60 },
    { "sigterm_drains", sigterm_drains, 60 },
    { "what_was_stored_is_there_again", what_was_stored_is_there_again, 60 },
    { "a_killed_master", a_killed_master, 60 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "master.grace=8s", NULL };

PLAY_GROUP(group, "process", tests, settings, NULL)
