/* The life of a request, however it ends: from each state everything is given back, once. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "shm/lease.h"
#include "shm/version.h"
#include "tests/unit/worker/mill.h"
#include "worker/relay.h"

#define CHAT "/v1/chat/completions"
#define PLAIN "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STREAMED \
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define FINE "{\"fine\":1}"
#define DELTA "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n"
#define DONE "data: [DONE]\n\n"

static void
narrow_key(struct key *key)
{
    key->concurrency = 1;
    key->quota_tokens = 1000000;
}

/* A key with one slot and a quota, so that there is something to give back everywhere. */
static struct mill *
make(void)
{
    struct mill *mill = mill_make();
    mill->confs.worker.half_close_ms = 50;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", narrow_key);
    return mill;
}

static bool
has(const char *answer, const char *text)
{
    return strstr(answer, text) != NULL;
}

/* How far a request gets before it ends. */
enum how_far { WAITS, SENT, STREAMS, HOW_FAR };

static int
begin(struct mill *mill, enum how_far how_far)
{
    uint32_t gate = mill_gate(mill, GATE_KEY, "k");
    int client = mill_connect(mill);
    if (how_far == WAITS) {
        mill_occupy(mill, gate);
        mill_post(client, CHAT, "k", STREAMED);
        mill_waits(mill, gate, 1);
        return client;
    }
    mill_post(client, CHAT, "k", STREAMED);
    mill_take(mill);
    if (how_far == STREAMS) {
        mill_begin_stream(mill);
        mill_chunk(mill, DELTA, strlen(DELTA));
        mill_read(mill, client, "hello");
    }
    return client;
}

/* Nothing is held any more, there is this one record (NULL: none), and the next request is served
 * as if nothing had been. */
static void
expect_end(struct mill *mill, enum how_far how_far, const char *code, int status)
{
    if (how_far != WAITS) {
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect_str_eq(record.code, code);
        cr_expect_eq(record.status, status, "%u", record.status);
        mill_is_left(mill);
    } else {
        mill_waits(mill, mill_gate(mill, GATE_KEY, "k"), 0);
        mill_vacate(mill, mill_gate(mill, GATE_KEY, "k"));
    }
    mill_settled(mill);
    struct ledger_record more[1];
    cr_expect_eq(mill_records(mill, more, 1), 0);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", FINE);
    cr_expect(mill_is(mill_read(mill, client, FINE), 200, NULL), "%s", mill->answer);
    close(client);
    mill_record(mill, more);
    mill_hang_up(mill);
}

/* --- the client leaves --- */

Test(relay, gives_everything_back_when_its_client_resets, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    for (enum how_far i = WAITS; i < HOW_FAR; i++) {
        mill_reset(begin(mill, i));
        expect_end(mill, i, "client_gone", 499);
    }
    mill_counts(mill, COUNTER_CLIENT_GONE, HOW_FAR);
    mill_stop(mill);
}

/* A FIN may mean that the client left, or that it has nothing more to say. */
Test(relay, takes_a_client_for_gone_some_time_after_its_fin, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    for (enum how_far i = WAITS; i <= SENT; i++) {
        int client = begin(mill, i);
        shutdown(client, SHUT_WR);
        expect_end(mill, i, "client_gone", 499);
        close(client);
    }
    mill_stop(mill);
}

Test(relay, serves_a_client_that_only_closed_its_side, .timeout = 30)
{
    struct mill *mill = make();
    mill->confs.worker.half_close_ms = 20000;
    mill_run(mill);
    for (enum how_far i = WAITS; i < HOW_FAR; i++) {
        int client = begin(mill, i);
        shutdown(client, SHUT_WR);
        if (i == WAITS) {
            mill_vacate(mill, mill_gate(mill, GATE_KEY, "k"));
            mill_take(mill);
        }
        if (i != STREAMS) {
            mill_begin_stream(mill);
        }
        mill_chunk(mill, USAGE DONE, strlen(USAGE DONE));
        mill_end_stream(mill);
        mill_read(mill, client, NULL);
        cr_expect(has(mill->answer, DONE), "%s", mill->answer);
        close(client);
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect(record.status == 200 && record.code[0] == '\0' && record.out_total == 5);
        mill_hang_up(mill);
    }
    mill_settled(mill);
    mill_stop(mill);
}

/* The one request under way. */
static struct lease_view
under_way(struct mill *mill)
{
    const struct segment *segment = &mill->test.segment;
    for (uint32_t i = 0; i < segment->leases; i++) {
        struct lease_view view;
        if (lease_read(segment, mill->slot, i, &view) == ERR_OK && view.state == LEASE_HELD) {
            return view;
        }
    }
    cr_assert(false, "no request is under way");
    return (struct lease_view){ .number = 0 };
}

/* Its client left, and the worker knows it. */
static void
leave_to_drain(struct mill *mill, int client)
{
    mill_reset(client);
    for (int i = 0; i < MILL_WAIT_MS && under_way(mill).action != LEASE_DRAINING; i++) {
        usleep(1000);
    }
}

Test(relay, reads_on_without_its_client_where_the_operator_wants_the_usage, .timeout = 30)
{
    struct mill *mill = make();
    mill->confs.worker.on_client_gone = WORKERCONF_DRAIN;
    mill_run(mill);
    struct ledger_record record;
    leave_to_drain(mill, begin(mill, STREAMS));
    mill_chunk(mill, USAGE DONE, strlen(USAGE DONE));
    mill_end_stream(mill);
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 7 && record.out_total == 5 && record.source == LEDGER_UPSTREAM);
    mill_settled(mill);
    /* Also when the answer had not begun: it was asked for, and will be billed. */
    leave_to_drain(mill, begin(mill, SENT));
    mill_begin_stream(mill);
    mill_chunk(mill, DELTA USAGE DONE, strlen(DELTA USAGE DONE));
    mill_end_stream(mill);
    mill_record(mill, &record);
    cr_expect(record.out_total == 5 && record.status == 499, "%u", record.status);
    cr_expect_str_eq(record.code, "client_gone");
    mill_settled(mill);
    mill_hang_up(mill);
    /* Not from a queue: nothing was asked for. */
    mill_reset(begin(mill, WAITS));
    expect_end(mill, WAITS, NULL, 0);
    mill_stop(mill);
}

Test(relay, reads_on_within_bounds, .timeout = 30)
{
    struct mill *mill = make();
    mill->confs.worker.on_client_gone = WORKERCONF_DRAIN;
    mill->confs.worker.drain_bytes = 1000;
    mill->confs.worker.drain_ms = 20000;
    mill_run(mill);
    static char much[4000];
    memset(much, 'x', sizeof much);
    memcpy(much, "data: ", 6);
    leave_to_drain(mill, begin(mill, STREAMS));
    mill_chunk(mill, much, sizeof much);
    expect_end(mill, STREAMS, "client_gone", 499);
    mill_stop(mill);

    mill = make();
    mill->confs.worker.on_client_gone = WORKERCONF_DRAIN;
    mill->confs.worker.drain_ms = 50;
    mill_run(mill);
    mill_reset(begin(mill, STREAMS)); /* and the provider says nothing more */
    expect_end(mill, STREAMS, "client_gone", 499);
    mill_stop(mill);
}

/* Who left after the last event has had all: neither an error nor a cut connection. */
Test(relay, a_client_may_leave_after_the_last_event)
{
    struct mill *mill = make();
    mill_run(mill);
    int client = begin(mill, STREAMS);
    mill_chunk(mill, USAGE DONE, strlen(USAGE DONE));
    mill_read(mill, client, "[DONE]");
    mill_reset(client);
    usleep(20000);
    mill_end_stream(mill);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.status == 200 && record.code[0] == '\0', "%u %s", record.status, record.code);
    mill_settled(mill);
    mill_stop(mill);
}

Test(relay, forgets_a_client_that_leaves_while_it_sends)
{
    struct mill *mill = make();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_send(client, "POST " CHAT " HTTP/1.1\r\nHost: x\r\napi-key: k\r\n"
                      "Content-Length: 1000\r\n\r\n{\"model\":");
    usleep(20000);
    mill_reset(client);
    mill_counts(mill, COUNTER_CLIENT_GONE, 1);
    mill_settled(mill);
    struct ledger_record records[1];
    cr_expect_eq(mill_records(mill, records, 1), 0);
    mill_stop(mill);
}

/* --- the provider falls silent --- */

Test(relay, ends_a_stream_of_which_nothing_more_comes, .timeout = 30)
{
    struct mill *mill = make();
    mill->confs.upstream.idle_ms = 100;
    mill_run(mill);
    int client = begin(mill, STREAMS);
    mill_read(mill, client, "\r\n0\r\n\r\n");
    cr_expect(has(mill->answer, "data: {\"error\":") && has(mill->answer, "\"upstream_timeout\""),
              "%s", mill->answer);
    close(client);
    expect_end(mill, STREAMS, "upstream_timeout", 200);
    mill_stop(mill);
}

/* --- the operator ends it --- */

Test(relay, is_ended_by_the_operator_wherever_it_is, .timeout = 30)
{
    static const int statuses[] = { 0, 503, 200 };
    struct mill *mill = make();
    mill_keep_log(mill);
    mill_run(mill);
    for (enum how_far i = WAITS; i < HOW_FAR; i++) {
        int client = begin(mill, i);
        cr_assert_eq(lease_want_end(&mill->test.segment, under_way(mill).number), ERR_OK);
        mill_read(mill, client, i == STREAMS ? "\r\n0\r\n\r\n" : "}}");
        cr_expect(i == STREAMS || mill_is(mill->answer, 503, "killed"), "%s", mill->answer);
        cr_expect(has(mill->answer, "\"code\":\"killed\""), "%s", mill->answer);
        close(client);
        expect_end(mill, i, "killed", statuses[i]);
    }
    mill_log(mill, "act=kill req=req_");
    cr_expect(has(mill->log, "state=\"waiting\"") && has(mill->log, "state=\"attempt\"") &&
                  has(mill->log, "state=\"streaming\""),
              "%s", mill->log);
    cr_expect_eq(lease_want_end(&mill->test.segment, 12345), ERR_GONE);
    mill_stop(mill);
}

/* --- the key changes its mind --- */

static void
disable_key(struct key *key)
{
    key->is_disabled = true;
}

Test(relay, looks_the_key_up_again_behind_the_body)
{
    struct mill *mill = make();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_send(client, "POST " CHAT " HTTP/1.1\r\nHost: x\r\napi-key: k\r\nExpect: 100-continue\r\n"
                      "Content-Length: 62\r\n\r\n");
    mill_read(mill, client, "100 Continue\r\n\r\n");
    mill_change_key(mill, "k", disable_key);
    mill_send(client, PLAIN "        ");
    cr_expect(mill_is(mill_read(mill, client, "}}"), 401, "invalid_api_key"), "%s", mill->answer);
    close(client);
    mill_settled(mill);
    mill_stop(mill);
}

Test(relay, an_unknown_key_never_gets_to_send_a_body)
{
    struct mill *mill = make();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_send(client, "POST " CHAT " HTTP/1.1\r\nHost: x\r\napi-key: nobody\r\n"
                      "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
    mill_read(mill, client, NULL); /* the connection ends: a body would be taken for a request */
    cr_expect(mill_is(mill->answer, 401, "invalid_api_key"), "%s", mill->answer);
    cr_expect(!has(mill->answer, "100 Continue"), "%s", mill->answer);
    close(client);
    mill_stop(mill);
}

/* --- one connection, many requests --- */

Test(relay, goes_on_after_each_kind_of_answer_on_one_connection)
{
    struct mill *mill = make();
    mill_run(mill);
    int client = mill_connect(mill);
    for (int i = 0; i < 3; i++) {
        mill_send(client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        cr_expect(mill_is(mill_read(mill, client, "}"), 200, NULL), "%s", mill->answer);
        mill_post(client, CHAT, "k", "{}");
        cr_expect(mill_is(mill_read(mill, client, "}}"), 400, "missing_model"), "%s", mill->answer);
        mill_post(client, CHAT, "k", PLAIN);
        mill_take(mill);
        mill_answer(mill, "200 OK", "application/json", FINE);
        cr_expect(mill_is(mill_read(mill, client, FINE), 200, NULL), "%s", mill->answer);
        mill_post(client, CHAT, "k", STREAMED);
        mill_take(mill);
        mill_begin_stream(mill);
        mill_chunk(mill, DELTA USAGE DONE, strlen(DELTA USAGE DONE));
        mill_end_stream(mill);
        cr_expect(mill_is(mill_read(mill, client, "\r\n0\r\n\r\n"), 200, NULL), "%s", mill->answer);
    }
    close(client);
    mill_counts(mill, COUNTER_REQUESTS, 12);
    mill_settled(mill);
    mill_stop(mill);
}

Test(relay, refuses_what_is_not_http_in_the_dialect_of_the_path)
{
    static const struct {
        const char *text;
        int status;
        const char *shape;
    } rows[] = {
        { "POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nContent-Length: "
          "99999999999\r\n\r\n",
          413, "\"type\":\"error\"" },
        { "POST " CHAT " HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nContent-Encoding: br\r\n"
          "Content-Length: 2\r\n\r\n{}",
          415, "\"param\":" },
        { "POST " CHAT " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          400, "\"error\":" },
        { "nonsense\r\n\r\n", 400, "\"error\":" },
    };
    struct mill *mill = make();
    mill_run(mill);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int client = mill_connect(mill);
        mill_send(client, rows[i].text);
        mill_read(mill, client, NULL);
        cr_expect(mill_is(mill->answer, rows[i].status, NULL), "%s: %s", rows[i].text,
                  mill->answer);
        cr_expect(has(mill->answer, rows[i].shape), "%s", mill->answer);
        cr_expect(has(mill->answer, "\r\nx-request-id: req_"), "%s", mill->answer);
        close(client);
    }
    mill_counts(mill, COUNTER_REFUSED_HTTP, sizeof rows / sizeof rows[0]);
    mill_settled(mill);
    mill_stop(mill);
}

Test(relay, names_each_state)
{
    for (int a = RELAY_HEAD; a <= RELAY_SETTLED; a++) {
        const char *text = relay_state_text((enum relay_state)a);
        cr_expect(text[0] != '\0' && strcmp(text, "unknown") != 0);
        for (int b = a + 1; b <= RELAY_SETTLED; b++) {
            cr_expect_str_neq(text, relay_state_text((enum relay_state)b));
        }
    }
}
