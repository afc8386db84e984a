/* The process: how it starts, beats, makes room and ends. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "shm/lease.h"
#include "shm/version.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define PLAIN "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STREAMED \
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define FINE "{\"fine\":1}"
#define DELTA "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
#define DONE "data: [DONE]\n\n"

static void
narrow_key(struct key *key)
{
    key->concurrency = 1;
}

static struct mill *
begin(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_key(mill, "narrow", narrow_key);
    mill_keep_log(mill);
    return mill;
}

static bool
has(const char *answer, const char *text)
{
    return strstr(answer, text) != NULL;
}

static void
await_state(struct mill *mill, enum slot_state state)
{
    for (int i = 0; i < MILL_WAIT_MS && slot_state(&mill->test.segment, mill->slot) != state; i++) {
        usleep(1000);
    }
    cr_assert_eq(slot_state(&mill->test.segment, mill->slot), state, "%s",
                 slot_state_text(slot_state(&mill->test.segment, mill->slot)));
}

/* It has ended by itself, in good order, and holds nothing. */
static void
expect_left(struct mill *mill)
{
    int status = 0;
    cr_assert_eq(waitpid(mill->pid, &status, 0), mill->pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
    cr_expect_eq(slot_state(&mill->test.segment, mill->slot), SLOT_LEFT);
    cr_expect_eq(lease_count(&mill->test.segment, mill->slot), 0);
    cr_expect(gate_is_clean(&mill->test.segment, mill->slot));
    mill_free(mill);
}

/* --- living --- */

Test(worker, enters_its_slot_and_beats, .timeout = 30)
{
    struct mill *mill = begin();
    mill_run(mill);
    await_state(mill, SLOT_ACTIVE);
    struct slot_view first;
    struct slot_view later;
    slot_read(&mill->test.segment, mill->slot, &first);
    cr_expect_eq(first.pid, (uint32_t)mill->pid);
    for (int i = 0; i < MILL_WAIT_MS; i++) {
        slot_read(&mill->test.segment, mill->slot, &later);
        if (first.heartbeat_ms != 0 && later.heartbeat_ms > first.heartbeat_ms) {
            break;
        }
        first.heartbeat_ms = first.heartbeat_ms == 0 ? later.heartbeat_ms : first.heartbeat_ms;
        usleep(1000);
    }
    cr_expect_gt(later.heartbeat_ms, first.heartbeat_ms, "an idle worker lives, too");
    mill_stop(mill);
}

static int
code_of(struct mill *mill)
{
    int status = 0;
    cr_assert_eq(waitpid(mill->pid, &status, 0), mill->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* 2 tells the master to try again later and not at once. */
Test(worker, does_not_start_without_its_store)
{
    struct mill *mill = begin();
    snprintf(mill->confs.store.dir, sizeof mill->confs.store.dir, "/nowhere/at/all");
    mill_run(mill);
    cr_expect_eq(code_of(mill), 2);
    mill_log(mill, "worker cannot start");
    cr_expect_neq(slot_state(&mill->test.segment, mill->slot), SLOT_LEFT);
    mill_free(mill);
}

/* --- ending --- */

Test(worker, leaves_at_once_when_it_has_nothing_to_do, .timeout = 30)
{
    struct mill *mill = begin();
    mill->grace_ms = 20000;
    mill_run(mill);
    await_state(mill, SLOT_ACTIVE);
    int idle = mill_connect(mill);
    mill_send(idle, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    mill_read(mill, idle, "}");
    cr_assert_eq(kill(mill->pid, SIGTERM), 0);
    mill_read(mill, idle, NULL); /* a kept connection without a request is closed */
    cr_expect_str_eq(mill->answer, "");
    close(idle);
    mill_log(mill, "act=stop");
    cr_expect(!has(mill->log, "grace is over"), "%s", mill->log);
    expect_left(mill);
}

static int
begin_stream(struct mill *mill)
{
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", STREAMED);
    mill_take(mill);
    mill_begin_stream(mill);
    mill_chunk(mill, DELTA, strlen(DELTA));
    mill_read(mill, client, "hello");
    return client;
}

/* SIGTERM, or the master's death: what is under way ends in peace. */
Test(worker, finishes_what_is_under_way, .timeout = 30)
{
    for (int is_orphan = 0; is_orphan < 2; is_orphan++) {
        struct mill *mill = begin();
        mill_run(mill);
        int client = begin_stream(mill);
        if (is_orphan != 0) {
            close(mill->life[1]);
        } else {
            cr_assert_eq(kill(mill->pid, SIGTERM), 0);
        }
        await_state(mill, SLOT_DRAINING);
        mill_chunk(mill, DONE, strlen(DONE));
        mill_end_stream(mill);
        mill_read(mill, client, NULL);
        cr_expect(has(mill->answer, DONE) && has(mill->answer, "\r\n0\r\n\r\n"), "%s",
                  mill->answer);
        close(client);
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect(record.status == 200 && record.code[0] == '\0');
        expect_left(mill);
    }
}

Test(worker, ends_what_outlives_the_grace, .timeout = 30)
{
    struct mill *mill = begin();
    mill->grace_ms = 100;
    mill_run(mill);
    int stream = begin_stream(mill);
    uint32_t gate = mill_gate(mill, GATE_KEY, "narrow");
    mill_occupy(mill, gate);
    int waiter = mill_connect(mill);
    mill_post(waiter, CHAT, "narrow", PLAIN);
    mill_waits(mill, gate, 1);
    cr_assert_eq(kill(mill->pid, SIGTERM), 0);
    mill_read(mill, stream, NULL);
    cr_expect(has(mill->answer, "data: {\"error\":") && has(mill->answer, "\"draining\""), "%s",
              mill->answer);
    mill_read(mill, waiter, NULL);
    cr_expect(mill_is(mill->answer, 503, "draining") && has(mill->answer, "\r\nretry-after: "),
              "%s", mill->answer);
    close(stream);
    close(waiter);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect_str_eq(record.code, "draining");
    mill_log(mill, "grace is over");
    expect_left(mill);
}

Test(worker, stops_where_it_stands_when_told_firmly)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = begin_stream(mill);
    cr_assert_eq(kill(mill->pid, SIGQUIT), 0);
    cr_expect_eq(code_of(mill), 0);
    struct segment *segment = &mill->test.segment;
    cr_expect(!slot_reap(segment, mill->slot), "it holds a request: the recorder sees to it");
    cr_expect_eq(lease_count(segment, mill->slot), 1);
    close(client);
    mill_free(mill);
}

/* --- no new work --- */

/* A head of which the end is missing, so that the connection is not idle when the worker drains. */
static int
begin_head(struct mill *mill)
{
    int client = mill_connect(mill);
    mill_send(client, "POST " CHAT " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n");
    return client;
}

static void
end_head(int client)
{
    char rest[256];
    snprintf(rest, sizeof rest, "Content-Length: %zu\r\n\r\n%s", strlen(PLAIN), PLAIN);
    mill_send(client, rest);
}

Test(worker, refuses_new_requests_while_the_service_stops, .timeout = 30)
{
    struct mill *mill = begin();
    mill_run(mill);
    int stream = begin_stream(mill); /* keeps it from leaving */
    int client = begin_head(mill);
    usleep(50000);
    version_set_draining(&mill->test.segment, true);
    cr_assert_eq(kill(mill->pid, SIGTERM), 0);
    await_state(mill, SLOT_DRAINING);
    end_head(client);
    mill_read(mill, client, NULL);
    cr_expect(mill_is(mill->answer, 503, "draining") && has(mill->answer, "\r\nretry-after: 1\r\n"),
              "%s", mill->answer);
    cr_expect(strcasestr(mill->answer, "\r\nconnection: close\r\n") != NULL, "%s", mill->answer);
    close(client);
    mill_chunk(mill, DONE, strlen(DONE));
    mill_end_stream(mill);
    mill_read(mill, stream, NULL);
    close(stream);
    expect_left(mill);
}

/* A reload: the next generation takes new connections, but only this one hears the old ones. */
Test(worker, serves_what_comes_on_its_connections_while_it_only_makes_room, .timeout = 30)
{
    struct mill *mill = begin();
    mill_run(mill);
    int stream = begin_stream(mill);
    int client = begin_head(mill);
    usleep(50000);
    version_set_generation(&mill->test.segment, 2);
    cr_assert_eq(kill(mill->pid, SIGTERM), 0);
    await_state(mill, SLOT_DRAINING);
    int provider = mill_put_aside(mill);
    end_head(client);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", FINE);
    mill_read(mill, client, NULL);
    cr_expect(mill_is(mill->answer, 200, NULL) && has(mill->answer, FINE), "%s", mill->answer);
    close(client);
    mill_hang_up(mill);
    mill->provider = provider;
    mill_chunk(mill, DONE, strlen(DONE));
    mill_end_stream(mill);
    mill_read(mill, stream, NULL);
    close(stream);
    expect_left(mill);
}
