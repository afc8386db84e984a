/* The one exit of a request: what is written down, charged, counted and logged, exactly once, also
 * when the worker dies in the middle of it. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "shm/budget.h"
#include "shm/health.h"
#include "shm/lease.h"
#include "shm/window.h"
#include "tests/unit/worker/mill.h"
#include "upstream/orphan.h"

#define CHAT "/v1/chat/completions"
#define PLAIN "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STREAMED \
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define DELTA "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
#define FULL_USAGE                                                                         \
    "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":40,\"prompt_tokens_details\":" \
    "{\"cached_tokens\":60},\"completion_tokens_details\":{\"reasoning_tokens\":30}}"
#define ANSWER "{\"choices\":[]," FULL_USAGE "}"

static void
limited_key(struct key *key)
{
    key->quota_tokens = 100000;
    key->rpm = 1000;
}

static void
be_mapped(struct account *account)
{
    snprintf(account->model_map, sizeof account->model_map, "m=sent");
    account->rpm = 1000;
}

static struct mill *
make(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", be_mapped);
    mill_key(mill, "k", limited_key);
    return mill;
}

static bool
has(const char *answer, const char *text)
{
    return strstr(answer, text) != NULL;
}

/* A whole request with this answer of the provider. */
static void
talk(struct mill *mill, const char *status, const char *answer)
{
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    mill_answer(mill, status, "application/json", answer);
    mill_read(mill, client, "}");
    close(client);
}

static struct budget_view
budget_of(struct mill *mill)
{
    struct budget_view view;
    budget_read(&mill->test.segment, mill_gate(mill, GATE_KEY, "k"), clock_wall_ms(), &view);
    return view;
}

static uint64_t
tokens_of(struct mill *mill, enum gate_kind kind, const char *name)
{
    struct window_view view;
    window_read(&mill->test.segment, mill_gate(mill, kind, name), clock_now_ms(), &view);
    return view.tokens;
}

static void
avoid_the_turn(void)
{
    uint64_t left_ms = WINDOW_MS - clock_now_ms() % WINDOW_MS;
    if (left_ms < 5000) {
        usleep((useconds_t)left_ms * 1000);
    }
}

/* --- what is written down --- */

Test(settle, writes_down_what_a_request_was)
{
    struct mill *mill = make();
    mill_run(mill);
    uint64_t before_ms = clock_wall_ms();
    talk(mill, "200 OK", ANSWER);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect_eq(record.version, LEDGER_RECORD_VERSION);
    cr_expect(record.key_id != 0 && record.user_id != 0 && record.group_id != 0);
    cr_expect(record.account_id != 0 && record.attempt == 0 && record.is_last == 1);
    cr_expect(record.status == 200 && record.code[0] == '\0' && record.is_stream == 0);
    cr_expect_str_eq(record.model, "m");
    cr_expect_str_eq(record.model_sent, "sent");
    cr_expect_str_eq(record.address, "127.0.0.1");
    cr_expect(record.start_wall_ms >= before_ms && record.start_wall_ms <= clock_wall_ms());
    cr_expect_eq(record.in_fresh, 40, "what was not cached: %lu", record.in_fresh);
    cr_expect_eq(record.in_cache_read, 60);
    cr_expect(record.out_total == 40 && record.out_reasoning == 30);
    cr_expect_eq(record.source, LEDGER_UPSTREAM);
    cr_expect_eq(record.bytes_out, strlen(ANSWER));
    cr_expect_gt(record.bytes_in, strlen(PLAIN), "with the head");
    char id[64];
    cr_assert_eq(sscanf(strstr(mill->answer, "x-request-id: "), "x-request-id: %60s", id), 1);
    cr_expect_str_eq(record.request_id, id, "what the client was told");
    mill_stop(mill);
}

Test(settle, writes_down_what_was_seen_of_a_stream_that_broke)
{
    struct mill *mill = make();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", STREAMED);
    mill_take(mill);
    mill_begin_stream(mill);
    mill_chunk(mill, DELTA, strlen(DELTA));
    mill_read(mill, client, "hello");
    mill_hang_up(mill);
    mill_read(mill, client, "\r\n0\r\n\r\n");
    close(client);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.is_stream == 1 && record.status == 200 && record.source == LEDGER_ESTIMATED);
    cr_expect_str_eq(record.code, "upstream_error");
    cr_expect(record.in_fresh > 0 && record.out_total > 0, "it was paid for upstream");
    mill_settled(mill);
    mill_stop(mill);
}

/* --- quotas and minutes --- */

Test(settle, charges_what_was_used_and_gives_the_rest_back, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    avoid_the_turn();
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    struct budget_view budget = budget_of(mill);
    cr_expect(budget.reserved.tokens > 0 && budget.charged.tokens == 0,
              "an estimate is held meanwhile");
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, client, ANSWER);
    close(client);
    mill_settled(mill);
    budget = budget_of(mill);
    cr_expect(budget.reserved.tokens == 0 && budget.charged.tokens == 140, "%lu",
              budget.charged.tokens);
    cr_expect_eq(tokens_of(mill, GATE_KEY, "k"), 140);
    cr_expect_eq(tokens_of(mill, GATE_USER, "joe"), 140);
    cr_expect_eq(tokens_of(mill, GATE_GROUP, "all"), 140);
    cr_expect_eq(tokens_of(mill, GATE_ACCOUNT, "acme"), 140);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect_eq(budget_of(mill).charged.tokens, 0, "once stored it is the recorder's to count");
    mill_stop(mill);
}

Test(settle, a_failed_request_costs_no_token_but_counts_as_one, .timeout = 30)
{
    struct mill *mill = make();
    mill_run(mill);
    avoid_the_turn();
    talk(mill, "500 Internal Server Error", "{}");
    talk(mill, "400 Bad Request", "{}");
    mill_settled(mill);
    struct budget_view budget = budget_of(mill);
    cr_expect(budget.reserved.tokens == 0 && budget.charged.tokens == 0, "%lu",
              budget.charged.tokens);
    cr_expect_eq(tokens_of(mill, GATE_KEY, "k"), 0);
    struct window_view window;
    window_read(&mill->test.segment, mill_gate(mill, GATE_KEY, "k"), clock_now_ms(), &window);
    cr_expect_eq(window.requests, 2, "it reached an account");
    mill_stop(mill);
}

/* --- counters --- */

Test(settle, counts_answers_by_what_the_client_got)
{
    struct mill *mill = make();
    mill_run(mill);
    talk(mill, "200 OK", ANSWER);
    talk(mill, "400 Bad Request", "{}");
    talk(mill, "500 Internal Server Error", "{}");
    (void)mill_talk(mill, CHAT, "nobody", PLAIN);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", STREAMED);
    mill_take(mill);
    mill_reset(client);
    mill_is_left(mill);
    mill_counts(mill, COUNTER_REQUESTS, 5);
    const struct segment *segment = &mill->test.segment;
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_ANSWERED_2XX), 1);
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_ANSWERED_4XX), 2);
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_ANSWERED_5XX), 1);
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_CLIENT_GONE), 1);
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_STREAMS), 1);
    uint64_t left = (strlen(STREAMED) + 3) / 4; /* its provider had it: estimated */
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_TOKENS_IN), 100 + left);
    cr_expect_eq(counter_of(segment, mill->slot, COUNTER_TOKENS_OUT), 40);
    cr_expect_geq(counter_of(segment, mill->slot, COUNTER_BYTES_OUT), strlen(ANSWER));
    cr_expect_gt(counter_of(segment, mill->slot, COUNTER_BYTES_IN), 4 * strlen(PLAIN));
    mill_stop(mill);
}

/* --- the account --- */

/* The one request that tries a benched account says nothing about it when its client leaves. */
Test(settle, a_probe_that_nobody_waits_for_leaves_its_turn_to_the_next)
{
    struct mill *mill = make();
    mill_account(mill, "other", be_mapped);
    mill->confs.worker.sticky_ms = 0;
    mill_run(mill);
    struct segment *segment = &mill->test.segment;
    uint64_t ago_ms = clock_now_ms() - 10000;
    health_failure(segment, mill->other, 0, HEALTH_REASON_RATE_LIMITED, 1000, 429, STR(""), ago_ms);
    health_failure(segment, mill->other, 1, HEALTH_REASON_RATE_LIMITED, 1000000, 429, STR(""),
                   ago_ms);
    struct health_view view;
    for (int i = 0; i < 3; i++) {
        int client = mill_connect(mill);
        mill_post(client, CHAT, "k", PLAIN);
        mill_take(mill);
        health_read(segment, 0, &view);
        cr_assert_eq(view.state, HEALTH_PROBING);
        mill_reset(client);
        mill_is_left(mill);
        mill_settled(mill);
        health_read(segment, 0, &view);
        cr_expect(view.state == HEALTH_COOLING && view.until_ms <= clock_now_ms(), "due at once");
    }
    mill_stop(mill);
}

/* --- the log --- */

static uint32_t
lines_of(const char *log, const char *act)
{
    uint32_t count = 0;
    for (const char *at = strstr(log, act); at != NULL; at = strstr(at + 1, act)) {
        count++;
    }
    return count;
}

Test(settle, logs_a_line_a_request_with_what_there_is_to_say)
{
    struct mill *mill = make();
    mill->confs.worker.log_requests = WORKERCONF_LOG_ALL;
    mill_keep_log(mill);
    mill_run(mill);
    talk(mill, "200 OK", ANSWER);
    mill_log(mill, "act=request");
    cr_expect(has(mill->log, " endpoint=chat status=200 key=k account=acme model=m sent=sent "),
              "%s", mill->log);
    cr_expect(has(mill->log, " stream=0 ms=") && has(mill->log, " attempts=1 "), "%s", mill->log);
    cr_expect(has(mill->log, " in=40 cached=60 out=40 reasoning=30 usage=upstream "), "%s",
              mill->log);
    cr_expect(has(mill->log, " client=127.0.0.1\n"), "%s", mill->log);
    talk(mill, "200 OK", "{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}");
    mill_log(mill, " in=3 out=4 usage=upstream "); /* nothing about what is zero */
    (void)mill_talk(mill, CHAT, "sk-nobody-knows-this-key", PLAIN);
    mill_log(mill, " endpoint=chat status=401 code=invalid_api_key\n");
    (void)mill_ask(mill, "GET", "/v1/unheard_of?key=secret-in-a-query", "");
    mill_log(mill, " status=404 code=not_found\n");
    cr_expect_eq(lines_of(mill->log, "act=request"), 4, "%s", mill->log);
    cr_expect(!has(mill->log, "nobody-knows") && !has(mill->log, "secret-in-a-query") &&
                  !has(mill->log, "sk-provider"),
              "%s", mill->log);
    mill_stop(mill);
}

Test(settle, logs_only_errors_or_nothing_where_that_is_wanted)
{
    for (uint32_t wanted = WORKERCONF_LOG_ERRORS; wanted <= WORKERCONF_LOG_NONE; wanted++) {
        struct mill *mill = make();
        mill->confs.worker.log_requests = wanted;
        mill_keep_log(mill);
        mill_run(mill);
        talk(mill, "200 OK", ANSWER);
        (void)mill_talk(mill, CHAT, "nobody", PLAIN);
        cr_assert_eq(kill(mill->pid, SIGTERM), 0);
        cr_assert_eq(waitpid(mill->pid, NULL, 0), mill->pid);
        mill_log(mill, "act=stop"); /* all of it was written by then */
        bool is_told = wanted == WORKERCONF_LOG_ERRORS;
        cr_expect_eq(lines_of(mill->log, "act=request"), is_told ? 1 : 0, "%s", mill->log);
        cr_expect_eq(has(mill->log, "status=401"), is_told);
        mill_free(mill);
    }
}

/* --- dying in the middle of it --- */

static bool
bill(const struct lease_view *lease, void *record, void *context)
{
    (void)context;
    return orphan_bill(lease, record);
}

/* Wherever the worker dies, the books get the request once: from itself or from who comes after. */
Test(settle, a_death_in_it_bills_the_request_exactly_once, .timeout = 60)
{
    static const struct {
        const char *point;
        uint32_t by_itself;
    } rows[] = { { "exchange.before_send=kill", 0 }, { "settle.before_record=kill", 0 },
                 { "lease.after_note=kill", 0 },     { "ring.before_publish=kill", 0 },
                 { "ring.after_publish=kill", 1 },   { "lease.after_push=kill", 1 },
                 { "settle.after_record=kill", 1 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mill *mill = make();
        mill->fault = rows[i].point;
        mill_run(mill);
        int client = mill_connect(mill);
        mill_post(client, CHAT, "k", PLAIN);
        if (i > 0) {
            mill_take(mill);
            mill_answer(mill, "200 OK", "application/json", ANSWER);
        }
        int status = 0;
        cr_assert_eq(waitpid(mill->pid, &status, 0), mill->pid);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s", rows[i].point);
        close(client);
        struct segment *segment = &mill->test.segment;
        static struct ledger_record records[4];
        cr_assert(!slot_reap(segment, mill->slot));
        uint32_t own = mill_records(mill, records, 4);
        cr_expect_eq(own, rows[i].by_itself, "%s", rows[i].point);
        cr_expect_eq(lease_orphans(segment, mill->slot, bill, NULL) > 0,
                     own == 0 || i == 4 || i == 5, "%s", rows[i].point);
        uint32_t all = own + mill_records(mill, records + own, 4 - own);
        cr_expect_eq(all, 1, "%s: %u records", rows[i].point, all);
        cr_expect_eq(slot_sweep(segment, mill->slot), ERR_OK);
        cr_expect(lease_count(segment, mill->slot) == 0 && gate_is_clean(segment, mill->slot));
        cr_expect_eq(budget_of(mill).reserved.tokens, 0);
        mill_free(mill);
    }
}
