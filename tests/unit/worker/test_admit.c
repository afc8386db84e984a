/* From a whole body to an account: rules, limits, and places in queues, through a real worker whose
 * limits are reached because another worker (the test) holds the places. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "shm/budget.h"
#include "shm/version.h"
#include "shm/window.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define PLAIN "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STREAMED \
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define FINE "{\"fine\":1}"

static bool
has(const char *answer, const char *text)
{
    return strstr(answer, text) != NULL;
}

static int
ask(struct mill *mill, const char *key, const char *body)
{
    int client = mill_connect(mill);
    mill_post(client, CHAT, key, body);
    return client;
}

/* The provider answers the next request; this client is the one who gets it. */
static void
serve(struct mill *mill, int client)
{
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", FINE);
    cr_expect(mill_is(mill_read(mill, client, FINE), 200, NULL), "%s", mill->answer);
    close(client);
}

/* Refused on a connection that goes on: what the client has heard by then. */
static const char *
refusal(struct mill *mill, const char *key, const char *body)
{
    int client = ask(mill, key, body);
    mill_read(mill, client, "}}");
    close(client);
    return mill->answer;
}

/* --- the body and the rules --- */

Test(admit, refuses_a_body_it_cannot_read)
{
    static const struct {
        const char *path;
        const char *body;
        const char *code;
    } rows[] = {
        { CHAT, "{\"model\":", "invalid_json" },
        { CHAT, "[]", "invalid_request" },
        { CHAT, "{\"messages\":[]}", "missing_model" },
        { CHAT, "{\"model\":\"m\",\"model\":\"n\"}", NULL },
        { "/v1/messages", "no", NULL },
        { "/v1beta/models/%00:generateContent", "{\"contents\":[]}", NULL },
    };
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *answer = mill_talk(mill, rows[i].path, "k", rows[i].body);
        cr_expect(mill_is(answer, 400, rows[i].code), "%s: %s", rows[i].body, answer);
        cr_expect(!has(answer, "x-should-retry"), "%s", answer);
    }
    int client = mill_connect(mill);
    mill_send(client, "POST " CHAT " HTTP/1.1\r\nHost: x\r\napi-key: k\r\nContent-Length: 4\r\n"
                      "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b-");
    cr_expect(mill_is(mill_read(mill, client, "}}"), 415, "unsupported_media_type"), "%s",
              mill->answer);
    close(client);
    mill_settled(mill);
    struct ledger_record records[1];
    cr_expect_eq(mill_records(mill, records, 1), 0);
    mill_stop(mill);
}

static void
break_every_rule(struct key *key)
{
    snprintf(key->models, sizeof key->models, "other");
    key->input_tokens_max = 1;
    key->rpm = 1;
    key->quota_tokens = 1;
    key->concurrency = 1;
}
static void
allow_model(struct key *key)
{
    key->models[0] = '\0';
}
static void
allow_input(struct key *key)
{
    key->input_tokens_max = 0;
}
static void
allow_minute(struct key *key)
{
    key->rpm = 0;
}
static void
allow_quota(struct key *key)
{
    key->quota_tokens = 0;
}
static void
allow_slot(struct key *key)
{
    key->concurrency = 0;
}

/* Another worker has used up the key's minute. */
static void
use_minute(struct mill *mill, uint32_t gate)
{
    uint64_t left_ms = WINDOW_MS - clock_now_ms() % WINDOW_MS;
    if (left_ms < 5000) {
        usleep((useconds_t)left_ms * 1000); /* not across a minute's turn */
    }
    uint64_t retry_ms = 0;
    struct window_want want = { .limit_requests = 0 };
    cr_assert(window_take(&mill->test.segment, mill->other, gate, &want, clock_now_ms(),
                          &retry_ms) == ERR_OK);
}

/* Who breaks several rules hears of the first: from what cannot change to what passes by itself. */
Test(admit, checks_in_this_order, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill->confs.worker.queue_per_user = 0;
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", break_every_rule);
    mill_run(mill);
    uint32_t gate = mill_gate(mill, GATE_KEY, "k");
    use_minute(mill, gate);
    mill_occupy(mill, gate);
    cr_expect(mill_is(refusal(mill, "k", "{\"model\":3}"), 400, NULL), "%s", mill->answer);
    cr_expect(mill_is(refusal(mill, "k", PLAIN), 403, "model_not_allowed"), "%s", mill->answer);
    mill_change_key(mill, "k", allow_model);
    cr_expect(mill_is(refusal(mill, "k", PLAIN), 412, "input_too_large"), "%s", mill->answer);
    mill_change_key(mill, "k", allow_input);
    cr_expect(mill_is(refusal(mill, "k", PLAIN), 429, "rate_limit_exceeded"), "%s", mill->answer);
    mill_change_key(mill, "k", allow_minute);
    cr_expect(mill_is(refusal(mill, "k", PLAIN), 412, "quota_exhausted"), "%s", mill->answer);
    mill_change_key(mill, "k", allow_quota);
    cr_expect(mill_is(refusal(mill, "k", PLAIN), 429, "concurrency_limit_exceeded"), "%s",
              mill->answer);
    mill_change_key(mill, "k", allow_slot);
    serve(mill, ask(mill, "k", PLAIN));
    mill_settled(mill);
    mill_stop(mill);
}

/* --- queues --- */

static void
one_slot_key(struct key *key)
{
    key->concurrency = 1;
    key->rpm = 1000;
    key->quota_tokens = 1000000;
}
static void
one_slot_user(struct user *user)
{
    user->concurrency = 1;
}
static void
one_slot_group(struct group *group)
{
    group->concurrency = 1;
}
static void
one_slot_account(struct account *account)
{
    account->concurrency = 1;
}

/* Everybody's limit is one; nobody's place is taken yet. */
static struct mill *
make_narrow(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", one_slot_account);
    mill_key(mill, "k", one_slot_key);
    mill_user(mill, one_slot_user);
    mill_group(mill, one_slot_group);
    return mill;
}

static const struct {
    enum gate_kind kind;
    enum gate_kind queue; /* where those stand who wait for it */
    const char *name;
    const char *noun; /* as a refusal calls it */
} places[] = { { GATE_KEY, GATE_KEY, "k", "slot of the key" },
               { GATE_USER, GATE_USER, "joe", "slot of the user" },
               { GATE_GROUP, GATE_GROUP, "all", "slot of the group" },
               { GATE_ACCOUNT, GATE_POOL, "acme", "slot of the account" } };
#define PLACES (sizeof places / sizeof places[0])

static uint32_t
queue_of(struct mill *mill, size_t i)
{
    return mill_gate(mill, places[i].queue, i == 3 ? "all" : places[i].name);
}

Test(admit, waits_at_each_gate_until_a_place_is_free, .timeout = 30)
{
    struct mill *mill = make_narrow();
    mill_run(mill);
    for (size_t i = 0; i < PLACES; i++) {
        uint32_t gate = mill_gate(mill, places[i].kind, places[i].name);
        mill_occupy(mill, gate);
        int client = ask(mill, "k", PLAIN);
        mill_waits(mill, queue_of(mill, i), 1);
        mill_vacate(mill, gate);
        serve(mill, client);
        mill_settled(mill);
        cr_expect_eq(gate_held(&mill->test.segment, gate), 0, "%s", places[i].noun);
    }
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_QUEUED), PLACES);
    mill_stop(mill);
}

/* 429, which limit it was, and when to come again. */
static bool
is_limited(const char *answer, const char *code, const char *noun)
{
    return mill_is(answer, 429, code) && has(answer, noun) && has(answer, "\r\nretry-after: ") &&
           !has(answer, "x-should-retry: false");
}

/* Nothing was used up by who got no further than a queue. */
static void
expect_nothing_used(struct mill *mill)
{
    struct segment *segment = &mill->test.segment;
    struct ledger_record records[1];
    mill_settled(mill);
    for (uint32_t gate = 0; gate < segment->gates; gate++) {
        struct window_view window;
        struct budget_view budget;
        window_read(segment, gate, clock_now_ms(), &window);
        budget_read(segment, gate, clock_wall_ms(), &budget);
        cr_expect(window.requests == 0 && window.tokens == 0 && budget.charged.tokens == 0,
                  "gate %u", gate);
    }
    cr_expect_eq(mill_records(mill, records, 1), 0);
}

Test(admit, refuses_who_waited_too_long, .timeout = 30)
{
    struct mill *mill = make_narrow();
    mill->confs.worker.queue_user_ms = 50;
    mill->confs.worker.queue_account_ms = 50;
    mill_run(mill);
    for (size_t i = 0; i < PLACES; i++) {
        uint32_t gate = mill_gate(mill, places[i].kind, places[i].name);
        mill_occupy(mill, gate);
        const char *answer = refusal(mill, "k", PLAIN);
        cr_expect(is_limited(answer, "queue_timeout", places[i].noun), "%s", answer);
        mill_vacate(mill, gate);
        expect_nothing_used(mill);
    }
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_REFUSED_QUEUE), PLACES);
    serve(mill, ask(mill, "k", PLAIN));
    mill_stop(mill);
}

/* One limit of one, at this place. */
static struct mill *
make_limited(size_t i)
{
    struct mill *mill = mill_make();
    mill->confs.worker.queue_per_user = 1;
    mill->confs.worker.queue_per_group = 2;
    mill_account(mill, "acme", places[i].kind == GATE_ACCOUNT ? one_slot_account : NULL);
    mill_key(mill, "k", places[i].kind == GATE_KEY ? one_slot_key : NULL);
    if (places[i].kind == GATE_USER) {
        mill_user(mill, one_slot_user);
    } else if (places[i].kind == GATE_GROUP) {
        mill_group(mill, one_slot_group);
    }
    mill_run(mill);
    return mill;
}

Test(admit, refuses_who_finds_the_queue_full, .timeout = 30)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct mill *mill = make_limited(i);
        uint32_t gate = mill_gate(mill, places[i].kind, places[i].name);
        uint32_t room = places[i].kind == GATE_KEY || places[i].kind == GATE_USER ? 1 : 2;
        int clients[2];
        mill_occupy(mill, gate);
        for (uint32_t c = 0; c < room; c++) {
            clients[c] = ask(mill, "k", PLAIN);
            mill_waits(mill, queue_of(mill, i), c + 1);
        }
        const char *answer = refusal(mill, "k", PLAIN);
        cr_expect(is_limited(answer, "queue_full", places[i].noun), "%s", answer);
        mill_waits(mill, queue_of(mill, i), room); /* the others keep their places */
        mill_vacate(mill, gate);
        for (uint32_t c = 0; c < room; c++) {
            serve(mill, clients[c]);
        }
        mill_settled(mill);
        mill_stop(mill);
    }
}

Test(admit, lets_nobody_wait_where_queues_are_off, .timeout = 30)
{
    struct mill *mill = make_narrow();
    mill->confs.worker.queue_per_user = 0;
    mill->confs.worker.queue_per_group = 0;
    mill_run(mill);
    static const char *const nouns[] = { "The key's limit of 1 ", "The user's limit of 1 ",
                                         "The group's limit of 1 ", "The account's limit" };
    for (size_t i = 0; i < PLACES; i++) {
        uint32_t gate = mill_gate(mill, places[i].kind, places[i].name);
        mill_occupy(mill, gate);
        const char *answer = refusal(mill, "k", PLAIN);
        cr_expect(is_limited(answer, "concurrency_limit_exceeded", nouns[i]), "%s", answer);
        mill_vacate(mill, gate);
        expect_nothing_used(mill);
    }
    mill_stop(mill);
}

static int
ask_for(struct mill *mill, const char *word)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", word);
    return ask(mill, "k", body);
}

Test(admit, serves_in_the_order_of_arrival, .timeout = 30)
{
    struct mill *mill = make_narrow();
    mill_run(mill);
    static const char *const words[] = { "first", "second", "third", "fourth" };
    uint32_t gate = mill_gate(mill, GATE_KEY, "k");
    int clients[4];
    mill_occupy(mill, gate);
    for (uint32_t i = 0; i < 4; i++) {
        clients[i] = ask_for(mill, words[i]);
        mill_waits(mill, gate, i + 1);
    }
    mill_vacate(mill, gate);
    for (uint32_t i = 0; i < 4; i++) {
        mill_take(mill);
        cr_expect(has(mill->asked, words[i]), "%u: %s", i, mill->asked);
        mill_answer(mill, "200 OK", "application/json", FINE);
        mill_read(mill, clients[i], FINE);
        close(clients[i]);
    }
    mill_settled(mill);
    mill_stop(mill);
}

Test(admit, a_streaming_client_hears_comments_while_it_waits, .timeout = 30)
{
    struct mill *mill = make_narrow();
    mill->confs.worker.ping_interval_ms = 30;
    mill->confs.worker.queue_user_ms = 500;
    mill_run(mill);
    uint32_t gate = mill_gate(mill, GATE_KEY, "k");
    mill_occupy(mill, gate);
    int client = ask(mill, "k", STREAMED);
    mill_read(mill, client, ": ping\n\n");
    cr_expect(mill_is(mill->answer, 200, NULL) && has(mill->answer, "text/event-stream"), "%s",
              mill->answer);
    /* Its answer has begun: the refusal is the stream's last event. */
    mill_read(mill, client, "\r\n0\r\n\r\n");
    cr_expect(has(mill->answer, "data: {\"error\":") && has(mill->answer, "queue_timeout"), "%s",
              mill->answer);
    close(client);
    client = ask(mill, "k", STREAMED);
    mill_read(mill, client, ": ping\n\n");
    mill_vacate(mill, gate);
    mill_take(mill);
    mill_answer(mill, "200 OK", "text/event-stream", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n");
    mill_read(mill, client, "\r\n0\r\n\r\n");
    cr_expect(has(mill->answer, "data: {\"choices\":[]}\n\n"), "%s", mill->answer);
    cr_expect(has(mill->answer, "data: [DONE]\n\n"), "%s", mill->answer);
    close(client);
    mill_settled(mill);
    mill_stop(mill);
}

static void
disable_key(struct key *key)
{
    key->is_disabled = true;
}

Test(admit, a_key_that_is_revoked_while_it_waits_gets_nothing, .timeout = 30)
{
    struct mill *mill = make_narrow();
    mill_run(mill);
    uint32_t gate = mill_gate(mill, GATE_KEY, "k");
    mill_occupy(mill, gate);
    int client = ask(mill, "k", PLAIN);
    mill_waits(mill, gate, 1);
    mill_change_key(mill, "k", disable_key);
    mill_vacate(mill, gate);
    cr_expect(mill_is(mill_read(mill, client, "}}"), 401, "invalid_api_key"), "%s", mill->answer);
    close(client);
    expect_nothing_used(mill);
    mill_stop(mill);
}

/* --- what is shared by all --- */

Test(admit, refuses_when_every_lease_is_out, .timeout = 30)
{
    struct mill *mill = make_narrow();
    mill->confs.worker.queue_per_user = 100;
    mill_run(mill);
    uint32_t gate = mill_gate(mill, GATE_KEY, "k");
    uint32_t leases = mill->test.segment.leases;
    int clients[64];
    cr_assert_lt(leases, 64);
    mill_occupy(mill, gate);
    for (uint32_t i = 0; i < leases; i++) {
        clients[i] = ask(mill, "k", PLAIN);
    }
    mill_waits(mill, gate, leases);
    const char *answer = refusal(mill, "k", PLAIN);
    cr_expect(mill_is(answer, 503, "overloaded") && has(answer, "[shm] leases") &&
                  has(answer, "\r\nretry-after: "),
              "%s", answer);
    mill_vacate(mill, gate);
    for (uint32_t i = 0; i < leases; i++) {
        serve(mill, clients[i]);
    }
    mill_settled(mill);
    mill_stop(mill);
}

/* Without a recorder the ring fills: then no request is admitted whose record would be lost. */
Test(admit, refuses_when_it_could_not_write_down_what_was_used, .timeout = 60)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    uint32_t cells = mill->test.segment.ring_cells;
    for (uint32_t i = 0; i < cells; i++) {
        serve(mill, ask(mill, "k", PLAIN));
    }
    mill_settled(mill);
    const char *answer = refusal(mill, "k", PLAIN);
    cr_expect(mill_is(answer, 503, "overloaded") && has(answer, "cannot record") &&
                  has(answer, "\r\nretry-after: "),
              "%s", answer);
    static struct ledger_record records[256];
    cr_assert_lt(cells, 256);
    cr_expect_eq(mill_records(mill, records, 256), cells, "not one is missing");
    serve(mill, ask(mill, "k", PLAIN));
    mill_stop(mill);
}

Test(admit, refuses_when_the_table_of_limits_is_full)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    uint32_t gate = 0;
    uint64_t id = 1000;
    while (gate_find(&mill->test.segment, GATE_KEY, id, &gate) == ERR_OK) {
        id++;
        cr_assert_lt(id, 100000);
    }
    const char *answer = refusal(mill, "k", PLAIN);
    cr_expect(mill_is(answer, 503, "overloaded") && has(answer, "[shm] gates"), "%s", answer);
    mill_settled(mill);
    struct ledger_record records[1];
    cr_expect_eq(mill_records(mill, records, 1), 0);
    mill_stop(mill);
}
