/*
 * 45_drain.c - [worker] on_client_gone = drain: a client that leaves does not cut the provider, so
 * that what the answer cost is still read.
 */
#include "tests/scenario/play.h"

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

static const struct play_test tests[] = {
    { "the_answer_is_read_to_its_end", the_answer_is_read_to_its_end, 0 },
    { "but_not_for_ever", but_not_for_ever, 0 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.on_client_gone=drain", "worker.drain_time=2s",
                                        NULL };

PLAY_GROUP(group, "drain", tests, settings, NULL)
