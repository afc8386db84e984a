/* Requests with an Idempotency-Key: claimed before anything else, handed over with the record, and
 * let go when nothing was billed. */
#include <criterion/criterion.h>

#include "shm/claim.h"
#include "store/outcome.h"
#include "tests/unit/worker/mill.h"
#include "upstream/handover.h"

#define CHAT "/v1/chat/completions"
#define PLAIN "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define OTHER "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"ho\"}]}"
#define ANSWER "{\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":40}}"

static struct mill *
make(uint32_t wait_ms)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill->confs.worker.idempotency_wait_ms = wait_ms;
    mill_run(mill);
    return mill;
}

static int
ask(struct mill *mill, const char *name, const char *body)
{
    char head[1024];
    int fd = mill_connect(mill);
    snprintf(head, sizeof head,
             "POST " CHAT " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n%s\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             name, strlen(body), body);
    mill_send(fd, head);
    return fd;
}

static const char *
talk(struct mill *mill, const char *name, const char *body)
{
    int fd = ask(mill, name, body);
    const char *answer = mill_read(mill, fd, "}}");
    close(fd);
    return answer;
}

Test(repeat, one_at_a_time_and_another_request_never)
{
    struct mill *mill = make(0);
    int first = ask(mill, "Idempotency-Key: a", PLAIN);
    mill_take(mill);
    cr_expect(strstr(mill->asked, "dempotency") == NULL, "the provider sees it: %s", mill->asked);
    cr_expect(mill_is(talk(mill, "Idempotency-Key: a", PLAIN), 409, "idempotency_conflict"));
    cr_expect(strstr(mill->answer, "retry-after: 1") != NULL, "%s", mill->answer);
    cr_expect(mill_is(talk(mill, "Idempotency-Key: a", OTHER), 422, "idempotency_key_reused"));
    cr_expect(strstr(mill->answer, "x-should-retry: false") != NULL, "%s", mill->answer);
    cr_expect_eq(claim_count(&mill->test.segment), 1);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, first, "}}");
    close(first);
    mill_counts(mill, COUNTER_REPEATS_REFUSED, 2);
    /* Until its record is in the store it is still under way: nobody commits here. */
    cr_expect(mill_is(talk(mill, "Idempotency-Key: a", PLAIN), 409, "idempotency_conflict"));
    mill_stop(mill);
}

Test(repeat, the_record_carries_what_the_store_will_keep)
{
    struct mill *mill = make(0);
    struct segment *segment = &mill->test.segment;
    int fd = ask(mill, "Idempotency-Key: a", PLAIN);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, fd, "}}");
    close(fd);
    mill_settled(mill);
    const void *cells = NULL;
    uint32_t count = 0;
    uint64_t sequence = 0;
    ring_peek(segment, mill->slot, &cells, &count, &sequence);
    cr_assert_eq(count, 1);
    const struct ledger_record *record = cells;
    struct outcome outcome;
    struct str row;
    cr_expect_eq(record->outcome, OUTCOME_KEPT);
    cr_assert_eq(handover_row(segment, mill->slot, sequence, record, &row), ERR_OK);
    cr_assert_eq(outcome_read(row, &outcome), ERR_OK);
    cr_expect(outcome.status == 200 && str_equal(outcome.body, STR(ANSWER)));
    cr_expect(str_equal_nocase(outcome.fields, STR("Content-Type: application/json\r\n")), "%.*s",
              STR_ARG(outcome.fields));
    cr_expect_str_eq(outcome.request_id, record->request_id);
    handover_release(segment, mill->slot, sequence, record, 1);
    cr_expect_eq(claim_count(segment), 0);
    mill_stop(mill);
}

Test(repeat, what_was_refused_or_failed_for_free_lets_go)
{
    struct mill *mill = make(0);
    struct segment *segment = &mill->test.segment;
    int fd = ask(mill, "Idempotency-Key: a", PLAIN);
    mill_take(mill);
    mill_answer(mill, "400 Bad Request", "application/json",
                "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}");
    mill_read(mill, fd, "}}");
    close(fd);
    mill_settled(mill);
    cr_expect_eq(claim_count(segment), 0);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect_eq(record.outcome, OUTCOME_NONE);
    mill_stop(mill);
}

Test(repeat, malformed_keys_are_refused)
{
    static const char *const odd[] = { "Idempotency-Key:", "Idempotency-Key: \xc3\xa4",
                                       "Idempotency-Key: a\r\nidempotency-key: a" };
    struct mill *mill = make(0);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        cr_expect(mill_is(talk(mill, odd[i], PLAIN), 400, "invalid_idempotency_key"), "%s",
                  mill->answer);
    }
    cr_expect_eq(claim_count(&mill->test.segment), 0);
    mill_stop(mill);
}

/* The first one lets go without a bill: who waited for it is served in its place. */
Test(repeat, who_waits_takes_over)
{
    struct mill *mill = make(MILL_WAIT_MS);
    int first = ask(mill, "Idempotency-Key: a", PLAIN);
    mill_take(mill);
    int second = ask(mill, "Idempotency-Key: a", PLAIN);
    mill_answer(mill, "400 Bad Request", "application/json",
                "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}");
    cr_expect(mill_is(mill_read(mill, first, "}}"), 400, NULL));
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    cr_expect(mill_is(mill_read(mill, second, "}}"), 200, NULL));
    close(first);
    close(second);
    mill_stop(mill);
}
