/*
 * 40_streaming.c - streams: the same bytes, at once, bounded, and ended honestly.
 */
#include "tests/scenario/play.h"

#include <stdlib.h>
#include <string.h>

static char *
chat(const char *model, const char *more)
{
    return play_text("{\"model\":\"%s\",\"stream\":true,%s"
                     "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
                     model, more);
}

static char *
messages(const char *model)
{
    return play_text("{\"model\":\"%s\",\"max_tokens\":9,\"stream\":true,"
                     "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
                     model);
}

static char *
responses(const char *model)
{
    return play_text("{\"model\":\"%s\",\"stream\":true,\"input\":\"hello\"}", model);
}

#define GEMINI "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hello\"}]}]}"
#define USAGE "\"stream_options\":{\"include_usage\":true},"

static void
compare(const char *target, const char *body)
{
    struct play_answer a = play_post(target, body);
    struct play_answer direct =
        play_request(play_world.fake_port, "POST", target, "Content-Type: application/json\r\n",
                     body, strlen(body));
    PLAY_CHECK(a.status == 200 && a.whole, "%s %s: %d whole %d", target, body, a.status, a.whole);
    PLAY_CHECK(a.body_len == direct.body_len && memcmp(a.body, direct.body, a.body_len) == 0,
               "%s %s: the bytes differ: [%.400s] direct [%.400s]", target, body, a.body,
               direct.body);
}

static void
same_bytes_as_the_provider(void)
{
    static const char *const models[] = { "fake-n20",
                                          "fake-n3-reason",
                                          "fake-n5-comment",
                                          "fake-n5-crlf",
                                          "fake-n3-burst",
                                          "fake-n4-drip3",
                                          "fake-n3-nousage",
                                          "fake-n2-length",
                                          "fake-n6-eofbody",
                                          "fake-n30-gap5",
                                          "fake-size300000",
                                          "fake-n3-cached",
                                          "fake-n4-bigchunk100000" };
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        compare("/v1/chat/completions", chat(models[i], USAGE));
        compare("/v1/messages", messages(models[i]));
        compare("/v1/responses", responses(models[i]));
        char *path = play_text("/v1beta/models/%s:streamGenerateContent", models[i]);
        compare(path, GEMINI);
        compare(play_text("%s?alt=sse", path), GEMINI);
    }
}

static void
tools_stream_too(void)
{
    static const char tools[] =
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":{"
        "\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}],";
    compare("/v1/chat/completions", chat("fake-n3-tool", play_text("%s%s", USAGE, tools)));
}

/* Each piece must be here before the next is sent. */
static void
nothing_is_held_back(void)
{
    const char *const targets[] = { "/v1/chat/completions", "/v1/messages", "/v1/responses" };
    const char *const bodies[] = { chat("fake-n3-gap1000", USAGE), messages("fake-n3-gap1000"),
                                   responses("fake-n3-gap1000") };
    for (size_t i = 0; i < 3; i++) {
        struct play_conn *c = play_open(play_world.port);
        char *text = play_post_text(targets[i], bodies[i]);
        uint64_t start = play_now_ms();
        play_write(c, text, strlen(text));
        struct play_answer a = play_read_head(c, 3000);
        PLAY_CHECK(a.status == 200, "%s: %d", targets[i], a.status);
        char *buffering = play_field(&a, "x-accel-buffering");
        PLAY_CHECK(buffering != NULL && strcmp(buffering, "no") == 0, "x-accel-buffering: %s",
                   buffering);
        unsigned pieces = 0;
        for (char *event; (event = play_event(c, 3000)) != NULL;) {
            uint64_t ms = play_now_ms() - start;
            char *at = strstr(event, " t0000");
            if (strstr(event, "\"You said: hello\"") != NULL && pieces == 0) {
                PLAY_CHECK(ms < 900, "%s: the first piece after %llu ms", targets[i],
                           (unsigned long long)ms);
                pieces = 1;
            } else if (at != NULL && pieces == (unsigned)atoi(at + 2) - 1) {
                pieces++;
                uint64_t due = (pieces - 1) * 1000;
                PLAY_CHECK(ms >= due - 50 && ms < due + 900, "%s: piece %u after %llu ms",
                           targets[i], pieces, (unsigned long long)ms);
            }
        }
        PLAY_CHECK(pieces == 3 && c->ended, "%s: %u pieces, ended %d", targets[i], pieces,
                   c->ended);
    }
}

static void
usage_is_asked_for_and_hidden(void)
{
    play_fake_reset();
    char *body = chat("fake-n3", "");
    struct play_answer a = play_post("/v1/chat/completions", body);
    struct play_answer direct =
        play_request(play_world.fake_port, "POST", "/v1/chat/completions",
                     "Content-Type: application/json\r\n", body, strlen(body));
    char *seen = play_fake_requests();
    PLAY_CHECK(strstr(play_json(seen, "requests.0.body"), "\"include_usage\":true") != NULL,
               "include_usage was not asked for: %s", seen);
    PLAY_CHECK(strstr(a.body, "prompt_tokens") == NULL, "the hidden chunk is seen: %s", a.body);
    PLAY_CHECK(strstr(a.body, "\"choices\":[]") == NULL, "an empty chunk is seen: %s", a.body);
    PLAY_CHECK(strstr(a.body, "data: [DONE]\n\n") != NULL, "no [DONE]: %s", a.body);
    PLAY_CHECK(strstr(a.body, " t00003") != NULL && direct.whole, "text is missing: %s", a.body);
    PLAY_CHECK(play_log_has("in=11", 3000) || play_log_has("input=11", 500),
               "the usage is not in the log");
    a = play_post("/v1/chat/completions",
                  chat("fake-n3", "\"stream_options\":{\"include_usage\":false},"));
    PLAY_CHECK(a.status == 200 && strstr(a.body, "prompt_tokens") == NULL, "asked not to: %s",
               a.body);
}

/* The log line of the request for this model. */
static const char *
log_line(const char *model)
{
    char *name = play_text("model=%s ", model);
    PLAY_NEED(play_log_has(name, 3000), "no log line for %s", model);
    char *log = play_read_file(play_world.log);
    char *at = strstr(log, name);
    while (at > log && at[-1] != '\n') {
        at--;
    }
    return play_text("%.*s", (int)strcspn(at, "\n"), at);
}

static void
check_usage(const char *target, const char *body, const char *model, const char *const *wanted)
{
    struct play_answer a = play_post(target, body);
    PLAY_NEED(a.status == 200 && a.whole, "%s: %d", target, a.status);
    const char *line = log_line(model);
    for (size_t i = 0; wanted[i] != NULL; i++) {
        PLAY_CHECK(strstr(line, wanted[i]) != NULL, "%s %s: no %s in %s", target, model, wanted[i],
                   line);
    }
}

#define COUNTED "-in100-cached30-write20-write1h5-out50-reason10"

/* Input in the log is what neither came from a cache nor went into one. */
static void
usage_of_every_dialect_is_counted(void)
{
    static const char *const openai[] = { " cached=30 ", " out=50 ", " reasoning=10 ",
                                          " usage=upstream", NULL };
    static const char *const anthropic[] = {
        " in=45 ",         " cached=30 ", " cache_5m=20 ", " cache_1h=5 ", " out=50 ",
        " usage=upstream", NULL
    };
    static const char *const gemini[] = { " in=70 ",        " cached=30 ",     " out=50 ",
                                          " reasoning=10 ", " usage=upstream", NULL };
    static const char text[] = "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
    check_usage("/v1/chat/completions", chat("fake-n3" COUNTED, ""), "fake-n3" COUNTED, openai);
    check_usage("/v1/chat/completions", play_text("{\"model\":\"fake-n2%s\",%s", COUNTED, text),
                "fake-n2" COUNTED, openai);
    check_usage("/v1/responses", responses("fake-n4" COUNTED), "fake-n4" COUNTED, openai);
    check_usage("/v1/responses",
                play_text("{\"model\":\"fake-n5%s\",\"input\":\"hello\"}", COUNTED),
                "fake-n5" COUNTED, openai);
    check_usage("/v1/messages", messages("fake-n6" COUNTED), "fake-n6" COUNTED, anthropic);
    check_usage("/v1/messages",
                play_text("{\"model\":\"fake-n7%s\",\"max_tokens\":9,%s", COUNTED, text),
                "fake-n7" COUNTED, anthropic);
#define PLAIN "-in100-cached30-out50-reason10"
    check_usage("/v1beta/models/fake-n8" PLAIN ":streamGenerateContent?alt=sse", GEMINI,
                "fake-n8" PLAIN, gemini);
    check_usage("/v1beta/models/fake-n9" PLAIN ":streamGenerateContent", GEMINI, "fake-n9" PLAIN,
                gemini);
    check_usage("/v1beta/models/fake-n1" PLAIN ":generateContent", GEMINI, "fake-n1" PLAIN, gemini);
#undef PLAIN
}

static void
client_leaves(const char *model, bool with_reset)
{
    play_fake_reset();
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", chat(model, ""));
    play_write(c, text, strlen(text));
    PLAY_NEED(play_fake_wait("open", 1, 3000), "%s: not forwarded", model);
    play_sleep(150);
    uint64_t start = play_now_ms();
    if (with_reset) {
        play_reset(c);
    } else {
        play_close(c);
    }
    bool ended = play_fake_wait("open", 0, 5000);
    PLAY_CHECK(ended && play_now_ms() - start < 5000, "%s: the provider was cut after %llu ms",
               model, (unsigned long long)(play_now_ms() - start));
    PLAY_CHECK(play_fake_stat("aborted") == 1, "%s: aborted %llu", model,
               (unsigned long long)play_fake_stat("aborted"));
}

static void
client_gone_ends_the_upstream(void)
{
    client_leaves("fake-n100-gap100", false);
    client_leaves("fake-n100-gap100", true);
    client_leaves("fake-hang-stream", false);
    client_leaves("fake-hang", false);
    client_leaves("fake-slowhead20000", true);
}

/* Codex closes as soon as it has read response.completed: a finished request. */
static void
leaving_after_the_last_event_is_no_abort(void)
{
    play_fake_reset();
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/responses", responses("fake-n3"));
    play_write(c, text, strlen(text));
    struct play_answer a = play_read_head(c, 3000);
    PLAY_NEED(a.status == 200, "%d", a.status);
    char *event;
    while ((event = play_event(c, 3000)) != NULL && strstr(event, "response.completed") == NULL) {
    }
    PLAY_CHECK(event != NULL, "no response.completed");
    play_close(c);
    PLAY_CHECK(play_fake_wait("finished", 1, 2000), "the provider's answer was cut");
    struct play_answer next = play_post("/v1/responses", responses("fake-n3"));
    PLAY_CHECK(next.status == 200, "afterwards: %d %s", next.status, next.body);
}

/* 200 MB to a client that reads nothing: little of it may leave the provider. */
static void
slow_reader_slows_the_provider(void)
{
    play_fake_reset();
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", chat("fake-n2000-bigchunk100000", ""));
    play_write(c, text, strlen(text));
    play_sleep(1500);
    uint64_t first = play_fake_stat("bytes_sent");
    play_sleep(700);
    uint64_t later = play_fake_stat("bytes_sent");
    PLAY_CHECK(first > 50000, "nothing flows: %llu", (unsigned long long)first);
    PLAY_CHECK(later < 30000000, "%llu bytes left the provider", (unsigned long long)later);
    PLAY_CHECK(later - first < 2000000, "it still flows: %llu more",
               (unsigned long long)(later - first));
    /* Reading a part lets as much flow again; then everything else goes on as before. */
    struct play_answer head = play_read_head(c, 2000);
    PLAY_CHECK(head.status == 200, "%d", head.status);
    uint64_t end = play_now_ms() + 5000;
    while (c->body.len < 10000000 && play_now_ms() < end && play_more(c, 1000)) {
    }
    PLAY_CHECK(c->body.len >= 10000000, "only %zu bytes came on reading", c->body.len);
    play_close(c);
    PLAY_CHECK(play_fake_wait("open", 0, 3000), "the provider still sends");
    struct play_answer a = play_post("/v1/chat/completions", chat("fake-n3", ""));
    PLAY_CHECK(a.status == 200, "afterwards: %d", a.status);
}

static void
silence_is_filled_with_comments(void)
{
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", chat("fake-n2-gap1800", ""));
    play_write(c, text, strlen(text));
    struct play_answer a = play_read_head(c, 3000);
    PLAY_CHECK(a.status == 200, "%d", a.status);
    unsigned comments = 0;
    unsigned events = 0;
    for (char *event; (event = play_event(c, 4000)) != NULL;) {
        comments += event[0] == ':' ? 1 : 0;
        events += strncmp(event, "data: ", 6) == 0 ? 1 : 0;
    }
    PLAY_CHECK(comments >= 2 && comments <= 6, "%u comments in 1.8 s, ping_interval is 500 ms",
               comments);
    PLAY_CHECK(events >= 4 && c->ended, "%u events, ended %d", events, c->ended);
}

static void
expect_in(const char *target, const char *body, const char *wanted, const char *never)
{
    struct play_answer a = play_post(target, body);
    PLAY_CHECK(a.status == 200, "%s: %d %s", body, a.status, a.body);
    PLAY_CHECK(strstr(a.body, "You said: hello") != NULL, "%s: the text is lost: %s", body, a.body);
    PLAY_CHECK(strstr(a.body, wanted) != NULL || !a.whole, "%s: no %s: %s", body, wanted, a.body);
    PLAY_CHECK(never == NULL || strstr(a.body, never) == NULL, "%s: has %s: %s", body, never,
               a.body);
}

/* A stream that breaks is marked or cut, never ended as if it were whole. */
static void
broken_streams_are_marked(void)
{
    static const char *const models[] = { "fake-n6-cut3", "fake-n6-eof3", "fake-n6-badchunk3" };
    for (size_t i = 0; i < 3; i++) {
        expect_in("/v1/chat/completions", chat(models[i], ""), "\"error\"",
                  "\"finish_reason\":\"stop\"");
        expect_in("/v1/messages", messages(models[i]), "event: error", "message_stop");
        expect_in("/v1/responses", responses(models[i]), "response.failed", "response.completed");
        char *path = play_text("/v1beta/models/%s:streamGenerateContent?alt=sse", models[i]);
        expect_in(path, GEMINI, "\"error\"", "\"finishReason\":\"STOP\"");
    }
}

static void
error_events_pass(void)
{
    expect_in("/v1/chat/completions", chat("fake-n6-errstream3", ""), "second line",
              "\"finish_reason\":\"stop\"");
    expect_in("/v1/messages", messages("fake-n6-errstream3"), "event: error", "message_stop");
    expect_in("/v1/responses", responses("fake-n6-errstream3"), "response.failed",
              "response.completed");
}

static void
silent_streams_end(void)
{
    uint64_t start = play_now_ms();
    struct play_answer a = play_post("/v1/messages", messages("fake-n6-hang2"));
    uint64_t ms = play_now_ms() - start;
    PLAY_CHECK(a.status == 200, "%d", a.status);
    PLAY_CHECK(ms >= 2000 && ms < 9000, "after %llu ms, idle_timeout is 3 s",
               (unsigned long long)ms);
    PLAY_CHECK(strstr(a.body, "event: error") != NULL || !a.whole, "no error: %s", a.body);
    PLAY_CHECK(play_fake_wait("open", 0, 3000), "the provider's connection stays");
}

/* Before the first byte was delivered a failure is a real error, or the next account's chance. */
static void
failure_before_the_first_byte(void)
{
    struct play_answer a = play_post("/v1/chat/completions", chat("fake-status400", ""));
    PLAY_CHECK(a.status == 400 && strstr(a.body, "fake error 400") != NULL, "%d %s", a.status,
               a.body);
    char *type = play_field(&a, "content-type");
    PLAY_CHECK(type != NULL && strstr(type, "application/json") != NULL, "type %s", type);
    a = play_post("/v1/chat/completions", chat("fake-first1-cut0", ""));
    PLAY_CHECK(a.status == 200 || a.status == 502 || a.status == 503, "%d %s", a.status, a.body);
}

#define MANY 100

static void
many_streams_at_a_time(void)
{
    struct play_conn *conns[MANY];
    char *text = play_post_text("/v1/chat/completions", chat("fake-n10-gap50", ""));
    for (size_t i = 0; i < MANY; i++) {
        conns[i] = play_open(play_world.port);
        play_write(conns[i], text, strlen(text));
    }
    struct play_answer first = play_read(conns[0], 15000);
    unsigned good = 0;
    for (size_t i = 1; i < MANY; i++) {
        struct play_answer a = play_read(conns[i], 15000);
        good += a.status == 200 && a.whole && a.body_len == first.body_len &&
                        memcmp(a.body, first.body, a.body_len) == 0
                    ? 1
                    : 0;
    }
    PLAY_CHECK(first.status == 200 && good == MANY - 1, "%u of %d streams are right", good + 1,
               MANY);
}

static const struct play_test tests[] = {
    { "same_bytes_as_the_provider", same_bytes_as_the_provider, 90 },
    { "tools_stream_too", tools_stream_too, 0 },
    { "nothing_is_held_back", nothing_is_held_back, 0 },
    { "usage_is_asked_for_and_hidden", usage_is_asked_for_and_hidden, 0 },
    { "usage_of_every_dialect_is_counted", usage_of_every_dialect_is_counted, 0 },
    { "client_gone_ends_the_upstream", client_gone_ends_the_upstream, 0 },
    { "leaving_after_the_last_event_is_no_abort", leaving_after_the_last_event_is_no_abort, 0 },
    { "slow_reader_slows_the_provider", slow_reader_slows_the_provider, 0 },
    { "silence_is_filled_with_comments", silence_is_filled_with_comments, 0 },
    { "broken_streams_are_marked", broken_streams_are_marked, 60 },
    { "error_events_pass", error_events_pass, 0 },
    { "silent_streams_end", silent_streams_end, 0 },
    { "failure_before_the_first_byte", failure_before_the_first_byte, 0 },
    { "many_streams_at_a_time", many_streams_at_a_time, 60 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.ping_interval=500ms", "upstream.idle_timeout=3s",
                                        NULL };

PLAY_GROUP(group, "streaming", tests, settings, NULL)
