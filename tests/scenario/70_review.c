/*
 * 70_review.c - providers and clients that do what none should: answers that break off at the worst
 * moment, lengths that lie, and what one account's failure may do to another.
 *
 * The provider is a script here: whole bytes that are sent once a request has come.
 */
#include "tests/scenario/play.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum then { CLOSE, RESET, HANG, AGAIN };

#define PLAIN "sk-upstream-plain"

/* A provider that answers every request with these bytes; AGAIN keeps the connection. */
struct script {
    const char *bytes;
    size_t len;
    enum then then;
    unsigned wait_ms; /* before the bytes */
};

static pid_t scripts[16];
static size_t script_count;

/* Reads one request; 0: the client left. */
static size_t
read_request(int fd)
{
    static char head[1 << 20];
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, head + len, sizeof head - 1 - len)) > 0) {
        len += (size_t)n;
        head[len] = '\0';
        char *end = strstr(head, "\r\n\r\n");
        char *length = strcasestr(head, "content-length:");
        size_t body = length == NULL ? 0 : (size_t)atoll(length + 15);
        if (end != NULL && len >= (size_t)(end - head) + 4 + body) {
            return len;
        }
    }
    return 0;
}

static void
write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n <= 0) {
            return;
        }
        data += n;
        len -= (size_t)n;
    }
}

static void
serve(int listener, const struct script *script)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fork() != 0) {
            close(fd);
            continue;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(listener);
        while (read_request(fd) > 0) {
            usleep(script->wait_ms * 1000);
            write_all(fd, script->bytes, script->len);
            if (script->then == RESET) {
                usleep(50000);
                struct linger none = { 1, 0 };
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
            }
            if (script->then == HANG) {
                pause();
            }
            if (script->then != AGAIN) {
                break;
            }
        }
        _exit(0);
    }
}

static uint16_t
start(const struct script *script)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PLAY_NEED(bind(fd, (struct sockaddr *)&at, size) == 0 && listen(fd, 64) == 0, "bind");
    getsockname(fd, (struct sockaddr *)&at, &size);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(fd, script);
    }
    close(fd);
    PLAY_NEED(script_count < sizeof scripts / sizeof scripts[0], "too many scripts");
    scripts[script_count++] = pid;
    return ntohs(at.sin_port);
}

static void
stop_scripts(void)
{
    while (script_count > 0) {
        kill(scripts[--script_count], SIGKILL);
        waitpid(scripts[script_count], NULL, 0);
    }
}

/* An account of its own for some models. */
static void
account(const char *name, const char *key, uint16_t port, const char *model, const char *priority)
{
    char *secret = play_text("%s/%s.key", play_world.dir, name);
    play_write_file(secret, key);
    play_must_ctl("account", "add", "--name", name, "--platform", "openai", "--base-url",
                  play_text("http://127.0.0.1:%u", port), "--api-key-file", secret, "--models",
                  model, "--priority", priority, NULL);
}

static struct script
text_script(const char *bytes, enum then then)
{
    return (struct script){ .bytes = bytes, .len = strlen(bytes), .then = then };
}

static char *
chat(const char *model)
{
    return play_text("{\"model\":\"%s\",\"stream\":true,"
                     "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
                     model);
}

#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define EVENT "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
#define DONE                                                                                     \
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n" \
    "\n"                                                                                         \
    "data: [DONE]\n\n"

static void
check_alive(const char *what)
{
    char *log = play_read_file(play_world.log);
    PLAY_CHECK(strstr(log, "CHECK") == NULL && strstr(log, "AddressSanitizer") == NULL &&
                   strstr(log, "runtime error") == NULL,
               "%s: a worker died: %s", what,
               strstr(log, "CHECK") != NULL ? strstr(log, "CHECK")
               : strlen(log) > 3000         ? log + strlen(log) - 3000
                                            : log);
}

/* The provider says 200 and then nothing: the request must not go on with what it gave back. */
static void
a_head_without_a_body(void)
{
    struct script bad = text_script(SSE_HEAD "Transfer-Encoding: chunked\r\n\r\n", RESET);
    account("head-1", PLAIN, start(&bad), "head-only", "1");
    account("head-2", PLAIN, play_world.fake_port, "head-only", "2");
    struct play_answer a = play_post("/v1/chat/completions", chat("head-only"));
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    PLAY_CHECK(a.body != NULL && strstr(a.body, "\"error\"") != NULL, "no error event: [%s]",
               a.body);
    check_alive("a head without a body");
    stop_scripts();
}

/* An event stream with a length leaves no room for an error event or a comment. */
static void
a_stream_with_a_length(void)
{
    struct script cut = text_script(SSE_HEAD "Content-Length: 500\r\n\r\n" EVENT, CLOSE);
    account("length-cut", PLAIN, start(&cut), "length-cut", "1");
    struct play_answer a = play_post("/v1/chat/completions", chat("length-cut"));
    PLAY_CHECK(a.status == 200 && a.whole, "%d whole %d", a.status, a.whole);
    PLAY_CHECK(a.body != NULL && strstr(a.body, "\"error\"") != NULL, "no error event: [%s]",
               a.body);
    check_alive("an error event behind a length");

    struct script slow = text_script(SSE_HEAD "Content-Length: 500\r\n\r\n" EVENT, HANG);
    account("length-slow", PLAIN, start(&slow), "length-slow", "1");
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", chat("length-slow"));
    play_write(c, text, strlen(text));
    a = play_read_head(c, 3000);
    PLAY_CHECK(a.status == 200, "%d", a.status);
    char *event = play_event(c, 3000);
    PLAY_CHECK(event != NULL && strncmp(event, "data:", 5) == 0, "%s", event);
    event = play_event(c, 3000);
    PLAY_CHECK(event != NULL && event[0] == ':', "no comment: %s", event);
    play_close(c);
    check_alive("a comment inside a length");

    /* Whole, with the usage chunk that we asked for and hide. */
    static const char usage[] = "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                                "\"completion_tokens\":4,\"total_tokens\":7}}\n\n";
    char *body = play_text("%sdata: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},"
                           "\"finish_reason\":\"stop\"}]}\n\n%sdata: [DONE]\n\n",
                           EVENT, usage);
    char *whole = play_text("%sContent-Length: %zu\r\n\r\n%s", SSE_HEAD, strlen(body), body);
    struct script good = text_script(whole, AGAIN);
    account("length-good", PLAIN, start(&good), "length-good", "1");
    a = play_post("/v1/chat/completions", chat("length-good"));
    PLAY_CHECK(a.status == 200 && a.whole && strstr(a.body, "[DONE]") != NULL, "%d whole %d [%s]",
               a.status, a.whole, a.body);
    PLAY_CHECK(strstr(a.body, "prompt_tokens") == NULL, "the hidden chunk is seen: %s", a.body);
    stop_scripts();
}

/* What the first account's provider says about waiting is not the second one's. */
static void
a_retry_after_is_its_own_accounts(void)
{
    struct script limited = text_script("HTTP/1.1 500 Internal Server Error\r\n"
                                        "Retry-After: 3000\r\nContent-Length: 0\r\n\r\n",
                                        AGAIN);
    struct script dead = text_script("", RESET);
    account("wait-1", PLAIN, start(&limited), "wait-model", "1");
    account("wait-2", PLAIN, start(&dead), "wait-model", "2");
    for (unsigned i = 0; i < 2; i++) {
        struct play_answer a = play_post("/v1/chat/completions", chat("wait-model"));
        PLAY_CHECK(a.status == 502, "%d %s", a.status, a.body);
        PLAY_CHECK(play_field(&a, "retry-after") == NULL, "retry-after of another: %s", a.head);
    }
    struct play_run shown = play_must_ctl("--json", "account", "show", "wait-2", NULL);
    uint64_t cooling_ms = play_json_number(shown.out, "cooling_ms");
    PLAY_CHECK(cooling_ms <= 120000, "benched for long: %s", shown.out);
    stop_scripts();
}

/* Every byte arrives, however slowly it is read. */
static void
a_slow_reader_misses_nothing(void)
{
    size_t pieces = 12000;
    size_t size = 1000;
    size_t room = pieces * (size + 20) + 1000;
    char *body = play_memory(room);
    size_t len = 0;
    for (size_t i = 0; i < pieces; i++) {
        len += (size_t)snprintf(body + len, room - len, "data: %06zu", i);
        memset(body + len, 'a' + (int)(i % 26), size);
        len += size;
        body[len++] = '\n';
        body[len++] = '\n';
    }
    len += (size_t)snprintf(body + len, room - len, "%s", DONE);
    char *bytes = play_memory(len + 1000);
    size_t head = (size_t)snprintf(bytes, 1000, "%s", SSE_HEAD "Connection: close\r\n\r\n");
    memcpy(bytes + head, body, len);
    struct script script = { .bytes = bytes, .len = head + len, .then = CLOSE };
    account("slow", PLAIN, start(&script), "slow-reader", "1");
    struct play_conn *c = play_open(play_world.port);
    int small = 65536;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    char *text = play_post_text("/v1/chat/completions",
                                "{\"model\":\"slow-reader\",\"stream\":true,"
                                "\"stream_options\":{\"include_usage\":true},"
                                "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}");
    play_write(c, text, strlen(text));
    struct play_answer a = play_read_head(c, 5000);
    PLAY_CHECK(a.status == 200, "%d", a.status);
    play_sleep(1000);
    uint64_t end = play_now_ms() + 20000;
    while (play_now_ms() < end && play_more(c, 2000)) {
    }
    PLAY_CHECK(c->ended, "not ended, broken %d, %zu of %zu bytes", c->broken, c->body.len, len);
    size_t same = 0;
    while (same < len && same < c->body.len && c->body.data[same] == body[same]) {
        same++;
    }
    PLAY_CHECK(c->body.len == len && same == len, "%zu bytes of %zu, equal to %zu", c->body.len,
               len, same);
    stop_scripts();
}

/* Who waits for another account after a failure is not in the way of those who have not failed. */
static void
a_waiter_is_no_plug(void)
{
    account("plug-1", "fake-first1-status500", play_world.fake_port, "plug-b", "1");
    account("plug-2", "fake-n2-gap6000", play_world.fake_port, "plug-*", "2");
    play_must_ctl("account", "set", "plug-2", "--concurrency", "1", NULL);
    struct play_conn *holder = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", chat("plug-a"));
    play_write(holder, text, strlen(text));
    PLAY_CHECK(play_read_head(holder, 3000).status == 200, "the slot is not taken");
    struct play_conn *failed = play_open(play_world.port);
    text = play_post_text("/v1/chat/completions", chat("plug-b"));
    play_write(failed, text, strlen(text));
    PLAY_CHECK(play_log_has("account=plug-1", 3000), "the first account has not failed");
    play_sleep(100);
    struct play_answer a = play_post("/v1/chat/completions", chat("plug-b"));
    PLAY_CHECK(a.status == 200 && a.ms < 3000, "%d after %llu ms: %s", a.status,
               (unsigned long long)a.ms, a.body);
    play_close(failed);
    play_close(holder);
}

/* Silent handshakes of one provider are that provider's fault. */
static void
a_silent_handshake_blames_its_own(void)
{
    struct script silent = text_script("", HANG);
    char *secret = play_text("%s/upstream.key", play_world.dir);
    play_must_ctl("account", "add", "--name", "silent", "--platform", "openai", "--base-url",
                  play_text("https://127.0.0.1:%u", start(&silent)), "--api-key-file", secret,
                  "--models", "silent-tls", "--tls-insecure", NULL);
    struct play_conn *conns[5];
    char *text =
        play_post_text("/v1/chat/completions", "{\"model\":\"silent-tls\",\"messages\":[]}");
    for (size_t i = 0; i < 5; i++) {
        conns[i] = play_open(play_world.port);
        play_write(conns[i], text, strlen(text));
    }
    for (size_t i = 0; i < 5; i++) {
        struct play_answer a = play_read(conns[i], 12000);
        PLAY_CHECK(a.status == 504, "%d %s", a.status, a.body);
        play_close(conns[i]);
    }
    PLAY_CHECK(!play_log_has("resolve: no answer in time", 0), "handshakes that wait for others");
    stop_scripts();
}

/* A request that was refused in a queue has not used up its minute. */
static void
a_refusal_costs_no_minute(void)
{
    play_must_ctl("key", "set", "scenario", "--rpm", "3", "--concurrency", "1", NULL);
    struct play_conn *holder = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions", chat("fake-n2-gap2500"));
    play_write(holder, text, strlen(text));
    PLAY_CHECK(play_read_head(holder, 3000).status == 200, "the slot is not taken");
    for (unsigned i = 0; i < 4; i++) {
        struct play_answer a = play_post("/v1/chat/completions", chat("fake-n1"));
        PLAY_CHECK(a.status == 429 &&
                       play_json_is(a.body, "error.code", "concurrency_limit_exceeded"),
                   "%u: %d %s", i, a.status, a.body);
    }
    while (play_event(holder, 4000) != NULL) {
    }
    play_close(holder);
    play_sleep(200);
    struct play_answer a = play_post("/v1/chat/completions", chat("fake-n1"));
    PLAY_CHECK(a.status == 200, "%d %s", a.status, a.body);
    play_must_ctl("key", "set", "scenario", "--rpm", "0", "--concurrency", "0", NULL);
}

static void
models_by_a_key_in_the_query(void)
{
    struct play_answer a =
        play_request(play_world.port, "GET", "/v1/models?pageSize=5&key=" PLAY_KEY, NULL, "", 0);
    PLAY_CHECK(a.status == 200 && play_json(a.body, "models.0.name") != NULL, "%d %s", a.status,
               a.body);
    a = play_request(play_world.port, "GET", "/v1/models?monkey=" PLAY_KEY, NULL, "", 0);
    PLAY_CHECK(a.status == 401 && play_json_is(a.body, "error.code", "missing_api_key"), "%d %s",
               a.status, a.body);
}

/* [worker] on_client_gone = drain, and the client leaves before the answer begins. */
static void
drained_before_the_head(bool is_half)
{
    play_fake_reset();
    const char *model = is_half ? "fake-slowhead1500-in321-out54" : "fake-slowhead1200-in123-out45";
    struct play_conn *c = play_open(play_world.port);
    char *text = play_post_text("/v1/chat/completions",
                                play_text("{\"model\":\"%s\",\"messages\":[{\"role\":\"user\","
                                          "\"content\":\"hello\"}]}",
                                          model));
    play_write(c, text, strlen(text));
    PLAY_CHECK(play_fake_wait("open", 1, 3000), "the request did not arrive");
    if (is_half) {
        play_close(c);
    } else {
        play_reset(c);
    }
    PLAY_CHECK(play_fake_wait("finished", 1, 5000), "the provider was cut");
    PLAY_CHECK(play_log_has(play_text("model=%s", model), 3000), "no log line");
    char *line = strstr(play_read_file(play_world.log), play_text("model=%s", model));
    line = play_text("%.*s", (int)strcspn(line, "\n"), line);
    PLAY_CHECK(strstr(line, is_half ? "in=321" : "in=123") != NULL, "no usage: %s", line);
    check_alive("a drained answer");
}

static void
a_client_that_resets_is_drained(void)
{
    drained_before_the_head(false);
}

static void
a_client_that_closes_is_drained(void)
{
    drained_before_the_head(true);
}

static void
prepare(void)
{
    play_standard();
    play_must_ctl("account", "set", "openai", "--models", "fake-*", NULL);
}

static const struct play_test tests[] = {
    { "a_head_without_a_body", a_head_without_a_body, 0 },
    { "a_stream_with_a_length", a_stream_with_a_length, 0 },
    { "a_retry_after_is_its_own_accounts", a_retry_after_is_its_own_accounts, 0 },
    { "a_slow_reader_misses_nothing", a_slow_reader_misses_nothing, 40 },
    { "a_waiter_is_no_plug", a_waiter_is_no_plug, 0 },
    { "a_silent_handshake_blames_its_own", a_silent_handshake_blames_its_own, 0 },
    { "a_refusal_costs_no_minute", a_refusal_costs_no_minute, 0 },
    { "models_by_a_key_in_the_query", models_by_a_key_in_the_query, 0 },
    { NULL, NULL, 0 },
};

static const struct play_test drain_tests[] = {
    { "a_client_that_resets_is_drained", a_client_that_resets_is_drained, 0 },
    { "a_client_that_closes_is_drained", a_client_that_closes_is_drained, 0 },
    { NULL, NULL, 0 },
};

static const char *const settings[] = { "worker.ping_interval=500ms",
                                        "worker.queue_per_user=0",
                                        "master.workers=1",
                                        "upstream.resolve_timeout=2s",
                                        "upstream.handshake_timeout=3s",
                                        "upstream.connect_timeout=1s",
                                        NULL };
static const char *const drain_settings[] = { "worker.on_client_gone=drain", "master.workers=1",
                                              NULL };

PLAY_GROUP(group, "review", tests, settings, prepare)
PLAY_GROUP(drain_group, "review_drain", drain_tests, drain_settings, NULL)
