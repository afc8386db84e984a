/*
 * 45_drain.c - [worker] on_client_gone = drain: a client that leaves does not cut the provider, so
 * that what the answer cost is still read. And what a gateway that stops says to whom.
 */
#include "tests/scenario/play.h"

#include <signal.h>
#include <string.h>

#define STREAM(model)                                                            \
    "{\"model\":\"" model "\",\"stream\":true,\"messages\":[{\"role\":\"user\"," \
    "\"content\":\"hello\"}]}"

static void
leave(const char *body)
{
    play_fake_reset();
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", body);
    play_write(c, text, strlen(text));
    struct play_answer a = play_read_head(c, 3000);
    PLAY_NEED(a.status == 200, "%d", a.status);
    PLAY_NEED(play_event(c, 3000) != NULL, "no event");
    play_close(c);
}

static void
the_answer_is_read_to_its_end(void)
{
    leave(STREAM("fake-n15-gap50-in123-out45"));
    PLAY_CHECK(play_fake_wait("finished", 1, 5000), "the provider was cut");
    PLAY_CHECK(play_fake_stat("aborted") == 0, "the provider was cut");
    PLAY_CHECK(play_log_has("fake-n15-gap50-in123-out45", 3000), "no log line");
    char *log = play_read_file(play_world.log);
    char *line = strstr(log, "fake-n15-gap50-in123-out45");
    PLAY_NEED(line != NULL, "no log line");
    line = play_text("%.*s", (int)strcspn(line, "\n"), line);
    PLAY_CHECK(strstr(line, "123") != NULL && strstr(line, "=45") != NULL, "no usage: %s", line);
}

static void
but_not_for_ever(void)
{
    leave(STREAM("fake-n100-gap300"));
    PLAY_CHECK(play_fake_wait("open", 0, 5000), "drain_time is 2 s, the stream takes 30");
    PLAY_CHECK(play_fake_stat("aborted") == 1, "it was not cut");
}

/* Sends the rest while it waits, as a client does that does not look at what comes. */
static void
is_told(struct play_conn *c, const char *what)
{
    struct play_answer a = play_read(c, 6000);
    PLAY_CHECK(a.status == 503 && a.whole && play_json_is(a.body, "error.code", "draining"),
               "%s: %d whole %d %s", what, a.status, a.whole, a.body);
    char *retry = play_field(&a, "retry-after");
    PLAY_CHECK(retry != NULL, "%s: it is not told when to come back: %s", what, a.head);
}

static void
who_still_sends_at_the_end_is_answered(void)
{
    static const char *const rests[] = {
        "Content-Length: 100000\r\n\r\n{\"model\":",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"m",
        "Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n",
        "X-Half",
    };
    enum { COUNT = sizeof(rests) / sizeof(rests[0]) };
    struct play_conn *conns[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        conns[i] = play_open(play_world.port);
        play_print(conns[i],
                   "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                   "Authorization: Bearer %s\r\nContent-Type: application/json\r\n%s",
                   play_world.key, rests[i]);
    }
    play_sleep(300);
    kill(play_world.master, SIGTERM);
    play_sleep(500);
    play_print(conns[0], "%s", play_repeat('x', 1000)); /* still sending */
    for (size_t i = 0; i < COUNT; i++) {
        is_told(conns[i], rests[i]);
    }
    int status = play_stop_gateway(15000);
    PLAY_CHECK(status == 0, "exit status %d", status);
}

static const struct play_test tests[] = {
    { "the_answer_is_read_to_its_end", the_answer_is_read_to_its_end, 0 },
    { "but_not_for_ever", but_not_for_ever, 0 },
    { "who_still_sends_at_the_end_is_answered", who_still_sends_at_the_end_is_answered, 0 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.on_client_gone=drain", "worker.drain_time=2s",
                                        "master.grace=2s", NULL };

PLAY_GROUP(group, "drain", tests, settings, NULL)
