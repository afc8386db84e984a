/*
 * 97_carrier.c - what a provider signed goes through a client of another dialect and back, also
 * when the gateway was started anew in between.
 */
#include "tests/scenario/play.h"

#include <string.h>

#define SIGNED "ZmFrZS1zaWduYXR1cmUtb3BhcXVlLWJ5dGVz" /* as the fake signs its thinking */

static struct play_answer
ask(const char *input)
{
    return play_post(
        "/v1/responses",
        play_text("{\"model\":\"fake-reason\",\"store\":false,\"include\":["
                  "\"reasoning.encrypted_content\"],\"reasoning\":{\"effort\":\"high\"},"
                  "\"input\":%s}",
                  input));
}

#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"

static void
a_conversation_goes_on_after_a_restart(void)
{
    struct play_answer a = ask("[" USER("hello") "]");
    PLAY_NEED(a.status == 200, "%d %s", a.status, a.body);
    char *carried = play_json(a.body, "output.0.encrypted_content");
    PLAY_NEED(carried != NULL && strstr(carried, SIGNED) == NULL, "%s", a.body);
    PLAY_NEED(play_stop_gateway(20000) == 0, "it does not stop");
    play_start_gateway();
    PLAY_NEED(play_wait_ready(20000), "it is not ready");
    play_fake_reset();
    a = ask(play_text(
        "[" USER(
            "hello") ",{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],"
                     "\"encrypted_content\":\"%s\"},{\"type\":\"message\",\"role\":\"assistant\","
                     "\"content\":[{\"type\":\"output_text\",\"text\":\"hi\"}]}," USER("more") "]",
        carried));
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    PLAY_CHECK(strstr(play_fake_requests(), SIGNED) != NULL, "the signature is lost: %s",
               play_fake_requests());
}

static const struct play_test tests[] = {
    { "a_conversation_goes_on_after_a_restart", a_conversation_goes_on_after_a_restart, 60 },
    { NULL, NULL, 0 },
};

static void
prepare(void)
{
    play_standard();
    play_must_ctl("account", "remove", "openai", NULL);
    play_must_ctl("account", "remove", "gemini", NULL);
}

PLAY_GROUP(group, "carrier", tests, NULL, prepare)
