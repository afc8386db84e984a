/* Sessions through a real worker: who is known by what, and where the next turn goes. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "shm/gate.h"
#include "shm/health.h"
#include "shm/spell.h"
#include "shm/sticky.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define MODEL "{\"model\":\"gpt-4o\","
#define ASK(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define FIRST MODEL "\"messages\":[" ASK("Why?") "]}"
#define SECOND                                                                               \
    MODEL "\"messages\":[" ASK("Why?") ",{\"role\":\"assistant\",\"content\":\"So.\"}," ASK( \
        "Oh?") "]}"
#define OTHER MODEL "\"messages\":[" ASK("Who?") "]}"
#define ANSWER "{\"id\":\"x\",\"object\":\"chat.completion\",\"choices\":[]}"

/* One account takes one request at a time; the first one to be used is the one used longest ago. */
static void
one_at_a_time(struct account *account)
{
    account->concurrency = 1;
}

static struct mill *
make(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "one", one_at_a_time);
    mill_account(mill, "two", one_at_a_time);
    mill_account(mill, "three", one_at_a_time);
    mill_key(mill, "sk-a", NULL);
    mill_key(mill, "sk-b", NULL);
    return mill;
}

/* A whole request with `fields` (lines with CRLF); its account's id. */
static uint64_t
turn(struct mill *mill, const char *key, const char *path, const char *fields, const char *body,
     const char *answer)
{
    static char text[8192];
    struct ledger_record record;
    int fd = mill_connect(mill);
    snprintf(text, sizeof text,
             "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%sContent-Type: "
             "application/json\r\nContent-Length: %zu\r\n\r\n%s",
             path, key, fields, strlen(body), body);
    mill_send(fd, text);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", answer);
    mill_read(mill, fd, answer);
    close(fd);
    mill_record(mill, &record);
    /* Each account has its own connections; the next request may come from another one. */
    mill_hang_up(mill);
    return record.account_id;
}

static uint64_t
talk(struct mill *mill, const char *key, const char *fields, const char *body)
{
    return turn(mill, key, CHAT, fields, body, ANSWER);
}

static uint32_t
bindings(struct mill *mill)
{
    struct sticky_view view;
    uint64_t cursor = 0;
    uint32_t count = 0;
    while (sticky_next(&mill->test.segment, &cursor, clock_now_ms(), &view)) {
        count++;
    }
    return count;
}

Test(affinity, headers_name_a_session, .timeout = 30)
{
    static const char *const names[] = {
        "X-Claude-Code-Session-Id", "session-id",   "Session_Id", "conversation_id",
        "x-session-affinity",       "x-session-id", "thread-id"
    };
    struct mill *mill = make();
    mill_run(mill);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char fields[128];
        snprintf(fields, sizeof fields, "%s: id-%zu\r\n", names[i], i);
        uint64_t first = talk(mill, "sk-a", fields, FIRST);
        cr_expect_eq(talk(mill, "sk-a", fields, OTHER), first, "%s", names[i]);
        cr_expect_eq(talk(mill, "sk-a", fields, SECOND), first, "%s", names[i]);
    }
    cr_expect_eq(bindings(mill), 7);
    /* The higher rank wins, wherever it stands. */
    uint64_t first = talk(mill, "sk-a", "thread-id: t\r\nx-session-id: s\r\n", FIRST);
    cr_expect_eq(talk(mill, "sk-a", "x-session-id: s\r\nthread-id: u\r\n", FIRST), first);
    cr_expect_eq(bindings(mill), 8);
    mill_stop(mill);
}

Test(affinity, bodies_name_a_session, .timeout = 30)
{
    static const char *const members[] = { "\"prompt_cache_key\":\"p-1\"",
                                           "\"metadata\":{\"user_id\":\"u_account__session_77\"}",
                                           "\"user\":\"u-1\"", "\"safety_identifier\":\"s-1\"" };
    struct mill *mill = make();
    mill_run(mill);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        char bodies[2][256];
        snprintf(bodies[0], 256, MODEL "%s,\"messages\":[" ASK("Why?") "]}", members[i]);
        snprintf(bodies[1], 256, MODEL "%s,\"messages\":[" ASK("Who?") "]}", members[i]);
        uint64_t first = talk(mill, "sk-a", "", bodies[0]);
        cr_expect_eq(talk(mill, "sk-a", "", bodies[1]), first, "%s", members[i]);
    }
    cr_expect_eq(bindings(mill), 4);
    /* Claude Code says the same in a header and in the body. */
    uint64_t first = talk(mill, "sk-a", "x-claude-code-session-id: 77\r\n", FIRST);
    cr_expect_eq(bindings(mill), 4);
    (void)first;
    mill_stop(mill);
}

Test(affinity, the_opening_names_a_session_when_nothing_else_does, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    uint64_t first = talk(mill, "sk-a", "", FIRST);
    cr_expect_neq(talk(mill, "sk-a", "", OTHER), first, "the one used longest ago");
    cr_expect_eq(talk(mill, "sk-a", "", SECOND), first);
    cr_expect_eq(talk(mill, "sk-a", "", SECOND), first);
    cr_expect_eq(bindings(mill), 2);
    /* What is no conversation binds nothing. */
    (void)turn(mill, "sk-a", "/v1/embeddings", "", "{\"model\":\"e\",\"input\":\"text\"}",
               "{\"object\":\"list\",\"data\":[]}");
    cr_expect_eq(bindings(mill), 2);
    mill_stop(mill);
}

Test(affinity, answers_are_bound_by_their_id, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    uint64_t first = turn(mill, "sk-a", "/v1/responses", "", "{\"model\":\"m\",\"input\":\"Why?\"}",
                          "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\"}");
    cr_expect_eq(bindings(mill), 2, "what was said first, and the answer");
    uint64_t second =
        turn(mill, "sk-a", "/v1/responses", "",
             "{\"model\":\"m\",\"input\":\"Oh?\",\"previous_response_id\":\"resp_1\"}",
             "{\"id\":\"resp_2\",\"object\":\"response\",\"status\":\"completed\"}");
    cr_expect_eq(second, first);
    cr_expect_eq(turn(mill, "sk-a", "/v1/responses", "",
                      "{\"model\":\"m\",\"input\":\"Ah?\",\"previous_response_id\":\"resp_2\"}",
                      "{\"id\":\"resp_3\",\"object\":\"response\",\"status\":\"completed\"}"),
                 first);
    mill_stop(mill);
}

Test(affinity, two_keys_never_share_a_session, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    uint64_t first = talk(mill, "sk-a", "session-id: s\r\n", FIRST);
    uint64_t second = talk(mill, "sk-b", "session-id: s\r\n", FIRST);
    cr_expect_neq(second, first, "the one used longest ago");
    cr_expect_eq(talk(mill, "sk-a", "session-id: s\r\n", FIRST), first);
    cr_expect_eq(talk(mill, "sk-b", "session-id: s\r\n", FIRST), second);
    cr_expect_eq(talk(mill, "sk-a", "", FIRST), talk(mill, "sk-a", "", SECOND));
    cr_expect_neq(talk(mill, "sk-b", "", FIRST), talk(mill, "sk-a", "", FIRST));
    mill_stop(mill);
}

Test(affinity, is_off_when_its_time_is_zero, .timeout = 30)
{
    struct mill *mill = make();
    mill->confs.worker.sticky_ms = 0;
    mill_run(mill);
    uint64_t first = talk(mill, "sk-a", "session-id: s\r\n", FIRST);
    cr_expect_neq(talk(mill, "sk-a", "session-id: s\r\n", FIRST), first);
    cr_expect_eq(bindings(mill), 0);
    mill_stop(mill);
}

Test(affinity, a_session_moves_with_the_failover, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    uint64_t first = talk(mill, "sk-a", "session-id: s\r\n", FIRST);
    /* The account refuses its credential; another one answers. */
    int fd = mill_connect(mill);
    mill_send(fd, "POST " CHAT " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-a\r\n"
                  "session-id: s\r\nContent-Type: application/json\r\nContent-Length: 66\r\n\r\n");
    static const char body[] = FIRST;
    _Static_assert(sizeof body - 1 <= 66, "the length above");
    char padded[67];
    memset(padded, ' ', 66);
    memcpy(padded, body, sizeof body - 1);
    padded[66] = '\0';
    mill_send(fd, padded);
    mill_take(mill);
    mill_answer(mill, "401 Unauthorized", "application/json", "{\"error\":{\"message\":\"no\"}}");
    mill_hang_up(mill);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, fd, ANSWER);
    close(fd);
    struct ledger_record record;
    mill_record(mill, &record);
    mill_hang_up(mill);
    cr_expect_neq(record.account_id, first);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(talk(mill, "sk-a", "session-id: s\r\n", FIRST), record.account_id);
    }
    mill_stop(mill);
}

static uint32_t
gate_of(struct mill *mill, uint64_t account_id)
{
    uint32_t gate = GATE_INDEX_NONE;
    cr_assert(gate_peek(&mill->test.segment, GATE_ACCOUNT, account_id, &gate) == ERR_OK);
    return gate;
}

static void
await_waiting(struct mill *mill, uint32_t gate, uint32_t count)
{
    for (int i = 0; i < 500 && gate_waiting(&mill->test.segment, gate) != count; i++) {
        usleep(10000);
    }
    cr_assert_eq(gate_waiting(&mill->test.segment, gate), count);
}

static const struct ledger_record *
await_records(struct mill *mill, uint32_t want)
{
    static struct ledger_record records[8];
    uint32_t count = 0;
    for (int i = 0; i < 5000 && count < want; i++) {
        count += mill_records(mill, records + count, 8 - count);
        usleep(1000);
    }
    cr_assert_eq(count, want);
    return records;
}

static int
ask(struct mill *mill)
{
    int fd = mill_connect(mill);
    char text[512];
    snprintf(text, sizeof text,
             "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-a\r\nsession-id: s\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             CHAT, strlen(FIRST), FIRST);
    mill_send(fd, text);
    return fd;
}

Test(affinity, waits_for_the_account_of_the_session, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    uint64_t first = talk(mill, "sk-a", "session-id: s\r\n", FIRST);
    int one = ask(mill);
    mill_take(mill);
    int two = ask(mill);
    uint32_t gate = gate_of(mill, first);
    await_waiting(mill, gate, 1);
    cr_expect_eq(gate_held(&mill->test.segment, gate), 1, "the others are idle, and yet");
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, one, ANSWER);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, two, ANSWER);
    const struct ledger_record *records = await_records(mill, 2);
    cr_expect(records[0].account_id == first && records[1].account_id == first);
    close(one);
    close(two);
    mill_stop(mill);
}

Test(affinity, waits_no_longer_than_it_may_and_leaves_nothing, .timeout = 30)
{
    struct mill *mill = make();
    mill->confs.worker.queue_bound_ms = 300;
    mill_run(mill);
    uint64_t first = talk(mill, "sk-a", "session-id: s\r\n", FIRST);
    int one = ask(mill);
    mill_take(mill);
    int two = ask(mill);
    int three = ask(mill);
    uint32_t gate = gate_of(mill, first);
    await_waiting(mill, gate, 2);
    close(three); /* hangs up while it waits */
    cr_expect_not_null(strstr(mill_read(mill, two, "queue_timeout"), "HTTP/1.1 429"));
    await_waiting(mill, gate, 0);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, one, ANSWER);
    close(one);
    close(two);
    mill_stop(mill);
}

Test(affinity, leaves_an_account_that_failed_while_it_was_waited_for, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    uint64_t first = talk(mill, "sk-a", "session-id: s\r\n", FIRST);
    int one = ask(mill);
    mill_take(mill);
    int two = ask(mill);
    uint32_t gate = gate_of(mill, first);
    await_waiting(mill, gate, 1);
    mill_answer(mill, "200 OK", "application/json", "{}");
    mill_read(mill, one, "{}");
    /* Whoever of the two is faster: the second is answered, by this account or another. */
    for (uint32_t i = 0; i < mill->test.segment.accounts; i++) {
        struct health_view view;
        health_read(&mill->test.segment, i, &view);
        if (view.account_id == first) {
            health_failure(&mill->test.segment, 0, i, HEALTH_REASON_AUTH, 0, 401, STR("no"),
                           clock_now_ms());
        }
    }
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, two, ANSWER);
    close(one);
    close(two);
    mill_hang_up(mill);
    await_records(mill, 2);
    cr_expect_neq(talk(mill, "sk-a", "session-id: s\r\n", FIRST), first, "it is benched");
    mill_stop(mill);
}

static uint32_t
index_of(struct mill *mill, uint64_t account_id)
{
    for (uint32_t i = 0; i < mill->test.segment.accounts; i++) {
        struct health_view view;
        health_read(&mill->test.segment, i, &view);
        if (view.account_id == account_id) {
            return i;
        }
    }
    cr_assert(false, "no such account");
    return 0;
}

static void
fail_it(struct segment *segment, uint32_t index)
{
    health_failure(segment, 0, index, HEALTH_REASON_AUTH, 0, 401, STR("no"), clock_now_ms());
}
static void
slow_it(struct segment *segment, uint32_t index)
{
    for (int i = 0; i < 40; i++) {
        health_success(segment, index, clock_now_ms(), 9000);
    }
}
/* In use, but more than half of what it does goes wrong. */
static void
spoil_it(struct segment *segment, uint32_t index)
{
    for (int i = 0; i < 20; i++) {
        health_failure(segment, 0, index, HEALTH_REASON_TIMEOUT, 0, 0, STR("no"), clock_now_ms());
    }
    health_reset(segment, index, clock_now_ms());
    atomic_store(&segment->health_rows[index].failure_ppm, 900000);
}
static void
limit_it(struct segment *segment, uint32_t index)
{
    spell_fail(segment, index, STR("gpt-4o"), 0, clock_now_ms());
}

/* The account's slot stays in use all the while: who waits for it does not wait in vain. */
Test(affinity, gives_up_waiting_for_an_account_that_turns_bad, .timeout = 60)
{
    static void (*const ways[])(struct segment * segment, uint32_t index) = { fail_it, slow_it,
                                                                              spoil_it, limit_it };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct mill *mill = make();
        mill->confs.upstream.slow_first_byte_ms = 5000;
        mill->confs.upstream.failing_percent = 50;
        mill_run(mill);
        uint64_t first = talk(mill, "sk-a", "session-id: s\r\n", FIRST);
        int one = ask(mill);
        mill_take(mill);
        int kept = mill_put_aside(mill);
        int two = ask(mill);
        await_waiting(mill, gate_of(mill, first), 1);
        ways[i](&mill->test.segment, index_of(mill, first));
        mill_take(mill); /* another account's */
        await_waiting(mill, gate_of(mill, first), 0);
        mill_answer(mill, "200 OK", "application/json", ANSWER);
        mill_read(mill, two, ANSWER);
        const struct ledger_record *records = await_records(mill, 1);
        cr_expect_neq(records[0].account_id, first, "%zu", i);
        mill_hang_up(mill);
        mill->provider = kept;
        mill_answer(mill, "200 OK", "application/json", ANSWER);
        mill_read(mill, one, ANSWER);
        await_records(mill, 1);
        close(one);
        close(two);
        mill_stop(mill);
    }
}
