/*
 * 88_queue.c - who waits is served in the order of arrival, over all workers, each once; and one
 * key that floods does not push others back. Order is what the provider saw, never a time.
 */
#include "tests/scenario/play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HERD 2000u
#define BATCH 20u /* arrive together; the next ones only when all of them wait */
#define FLOOD 300u
#define OTHERS 10u
#define ARRIVE_MS 60000u
#define SERVE_MS 240000u

static const char *const settings[] = {
    "worker.queue_per_user=5000",    "worker.queue_per_group=5000", "worker.queue_user_time=15m",
    "worker.queue_account_time=15m", "http.conns_per_address=4000", NULL
};

static struct play_conn *holder;
static struct play_conn *waiters[HERD];
static unsigned order[HERD]; /* by the provider */

/* --- what the gates say --- */

static char *
read_slots(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    static const char ask[] = "GET /v1/slots HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", play_world.socket);
    static char text[262144];
    size_t len = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PLAY_NEED(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "admin: %s",
              strerror(errno));
    PLAY_NEED(write(fd, ask, sizeof(ask) - 1) == sizeof(ask) - 1, "admin: write");
    for (ssize_t n = 1; n > 0 && len<sizeof(text) - 1; len += n> 0 ? (size_t)n : 0) {
        n = read(fd, text + len, sizeof(text) - 1 - len);
    }
    close(fd);
    text[len] = '\0';
    return text;
}

/* Of the gate of this kind that has most of it. */
static unsigned
gate_most(const char *kind, const char *member)
{
    const char *text = read_slots();
    char *mark = play_text("\"kind\":\"%s\"", kind);
    char *name = play_text("\"%s\":", member);
    unsigned most = 0;
    for (const char *p = text; (p = strstr(p, mark)) != NULL; p++) {
        const char *value = strstr(p, name);
        unsigned number = value == NULL ? 0 : (unsigned)atoi(value + strlen(name));
        most = number > most ? number : most;
    }
    return most;
}

static void
wait_for(const char *kind, const char *member, unsigned count)
{
    uint64_t end = play_now_ms() + ARRIVE_MS;
    while (gate_most(kind, member) != count && play_now_ms() < end) {
        play_sleep(1);
    }
    PLAY_NEED(gate_most(kind, member) == count, "%u %s at the %s's gate, not %u",
              gate_most(kind, member), member, kind, count);
}

/* --- requests --- */

/* Each begins another conversation. */
static struct play_conn *
ask(const char *key, const char *model, unsigned number)
{
    char *body = play_text("{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":"
                           "\"m-q%06u\"}]}",
                           model, number);
    struct play_conn *c = play_open(play_world.port);
    play_print(c,
               "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               key, strlen(body), body);
    return c;
}

/* The account's only place is held by one that never ends. */
static void
hold(void)
{
    play_must_ctl("account", "set", "openai", "--concurrency", "1", NULL);
    holder = ask(play_world.key, "fake-hang", 999999);
    PLAY_NEED(play_fake_wait("open", 1, 10000), "nobody holds the place");
}

/* Into `order`, less `first`, as the provider was asked, each once; how many there are. */
static unsigned
read_order(unsigned first, unsigned total)
{
    char *text = play_read_file(play_text("%s/fake0.log", play_world.dir));
    bool *seen = play_memory(total);
    unsigned count = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *mark = strstr(line, "-q");
        unsigned number = mark == NULL ? 0 : (unsigned)strtoul(mark + 2, NULL, 10);
        number -= first;
        if (mark == NULL || number >= total) {
            continue; /* the holder, and what other tests asked */
        }
        PLAY_CHECK(!seen[number], "request %u was sent twice", number);
        seen[number] = true;
        order[count++] = number;
    }
    return count;
}

static void
read_answers(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct play_answer a = play_read(waiters[i], SERVE_MS);
        PLAY_NEED(a.status == 200 && a.whole, "waiter %u got %d: %.300s", i, a.status,
                  a.body == NULL ? "" : a.body);
    }
}

/* --- tests --- */

/* All wait at the group's pool; batches are served one after the other, nobody twice. */
static void
herd_is_served_in_order(void)
{
    struct rlimit files;
    PLAY_NEED(getrlimit(RLIMIT_NOFILE, &files) == 0, "rlimit");
    files.rlim_cur = files.rlim_max;
    PLAY_NEED(files.rlim_max > HERD + 100 && setrlimit(RLIMIT_NOFILE, &files) == 0,
              "%u connections need more files", HERD);
    hold();
    for (unsigned i = 0; i < HERD; i++) {
        waiters[i] = ask(play_world.key, i % 5 == 0 ? "fake-n1" : "fake-n1-usage", i);
        if (i % BATCH == BATCH - 1) {
            wait_for("pool", "waiting", i + 1);
        }
    }
    play_reset(holder);
    read_answers(HERD);
    unsigned count = read_order(0, HERD);
    PLAY_CHECK(count == HERD, "%u of %u were sent", count, HERD);
    unsigned inversions = 0;
    for (unsigned i = 1; i < count; i++) {
        inversions += order[i] / BATCH < order[i - 1] / BATCH ? 1 : 0;
    }
    PLAY_CHECK(inversions == 0, "%u times somebody was served before an earlier one", inversions);
    wait_for("account", "held", 0);
    wait_for("pool", "waiting", 0);
}

static void
make_key(unsigned number, char *out, size_t size)
{
    char *file = play_text("%s/key%u", play_world.dir, number);
    snprintf(out, size, "sk-fair-%02u-0123456789abcdefghijABCDEFGHIJ", number);
    play_write_file(file, out);
    play_must_ctl("key", "create", play_text("fair%u", number), "--user", "tester", "--key-file",
                  file, NULL);
}

/* Of a limited key, those beyond its limit wait at its own gate, and stand in nobody's way: of ten
 * others, that come when the flood is there already, each has before it those others that came
 * before it, and one of the flood. */
static void
flood_of_one_key_delays_nobody(void)
{
    char flood[64];
    char others[OTHERS][64];
    make_key(OTHERS, flood, sizeof(flood));
    play_must_ctl("key", "set", play_text("fair%u", OTHERS), "--concurrency", "1", NULL);
    for (unsigned i = 0; i < OTHERS; i++) {
        make_key(i, others[i], sizeof(others[i]));
    }
    hold();
    unsigned first = HERD;
    for (unsigned i = 0; i < FLOOD; i++) {
        waiters[i] = ask(flood, "fake-n1", first + i);
    }
    wait_for("key", "waiting", FLOOD - 1);
    wait_for("pool", "waiting", 1);
    for (unsigned i = 0; i < OTHERS; i++) {
        waiters[FLOOD + i] = ask(others[i], "fake-n1", first + FLOOD + i);
        wait_for("pool", "waiting", 2 + i);
    }
    play_reset(holder);
    read_answers(FLOOD + OTHERS);
    unsigned count = read_order(first, FLOOD + OTHERS);
    PLAY_CHECK(count == FLOOD + OTHERS, "%u of %u were sent", count, FLOOD + OTHERS);
    unsigned expected = FLOOD;
    for (unsigned i = 0; i < count; i++) {
        if (order[i] >= FLOOD) {
            PLAY_CHECK(order[i] == expected, "other %u instead of %u", order[i], expected);
            PLAY_CHECK(i <= expected - FLOOD + 1, "before other %u are %u", order[i], i);
            expected++;
        }
    }
}

/* Without limits of their own all stand in one queue, and who comes has those before him who came
 * before him, and nobody else: the flood that goes on behind him is none of his business. */
static void
flood_behind_is_served_behind(void)
{
    char key[64];
    make_key(OTHERS + 1, key, sizeof(key));
    hold();
    unsigned first = HERD + FLOOD + OTHERS;
    for (unsigned i = 0; i < FLOOD; i++) {
        bool is_other = i % 30 == 29;
        waiters[i] = ask(is_other ? key : play_world.key, "fake-n1", first + i);
        if (is_other || i % 30 == 28) {
            wait_for("pool", "waiting", i + 1);
        }
    }
    play_reset(holder);
    read_answers(FLOOD);
    unsigned count = read_order(first, FLOOD);
    PLAY_CHECK(count == FLOOD, "%u of %u were sent", count, FLOOD);
    for (unsigned i = 29; i < count; i += 30) {
        PLAY_CHECK(order[i] == i, "at place %u stands %u", i, order[i]);
    }
}

/* Waiting began before there was a second account. */
static void
waits_for_an_account_that_is_added(void)
{
    char *secret = play_text("%s/fresh.key", play_world.dir);
    char *url = play_text("http://127.0.0.1:%u", play_world.fake_port);
    play_write_file(secret, "sk-fresh-secret-ABCDwxyz\n");
    hold();
    waiters[0] = ask(play_world.key, "fake-n1", 900000);
    wait_for("pool", "waiting", 1);
    play_must_ctl("account", "add", "--name", "fresh", "--platform", "openai", "--base-url", url,
                  "--api-key-file", secret, NULL);
    read_answers(1);
    play_must_ctl("account", "remove", "fresh", NULL);
    play_reset(holder);
    wait_for("account", "held", 0);
}

static const struct play_test tests[] = {
    { "waits_for_an_account_that_is_added", waits_for_an_account_that_is_added, 60 },
    { "flood_of_one_key_delays_nobody", flood_of_one_key_delays_nobody, 120 },
    { "flood_behind_is_served_behind", flood_behind_is_served_behind, 120 },
    { "herd_is_served_in_order", herd_is_served_in_order, 400 },
    { NULL, NULL, 0 },
};

PLAY_GROUP(group, "queue", tests, settings, NULL)
