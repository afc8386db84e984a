/* Copies of answers for who asks again: whole, also when their client left, or none and why. */
#include <criterion/criterion.h>

#include "shm/claim.h"
#include "store/outcome.h"
#include "tests/unit/worker/mill.h"
#include "upstream/handover.h"

#define CHAT "/v1/chat/completions"
#define BODY(more) "{\"model\":\"m\"" more ",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define ANSWER "{\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":40}}"

static struct mill *
make(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    return mill;
}

static int
ask(struct mill *mill, const char *body)
{
    char head[1024];
    int fd = mill_connect(mill);
    snprintf(head, sizeof head,
             "POST " CHAT " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
             "Idempotency-Key: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n"
             "%s",
             strlen(body), body);
    mill_send(fd, head);
    return fd;
}

/* What the store would keep of the one request. */
static void
outcome_of(struct mill *mill, struct outcome *out)
{
    struct segment *segment = &mill->test.segment;
    const void *cells = NULL;
    uint32_t count = 0;
    uint64_t sequence = 0;
    struct str row;
    mill_settled(mill);
    ring_peek(segment, mill->slot, &cells, &count, &sequence);
    cr_assert_eq(count, 1);
    cr_assert_eq(handover_row(segment, mill->slot, sequence, cells, &row), ERR_OK);
    cr_assert_eq(outcome_read(row, out), ERR_OK);
}

Test(carbon, goes_on_when_the_client_leaves)
{
    struct mill *mill = make();
    struct outcome outcome;
    int fd = ask(mill, BODY(""));
    mill_take(mill);
    mill_reset(fd);
    mill_counts(mill, COUNTER_REQUESTS, 0);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    outcome_of(mill, &outcome);
    cr_expect(outcome.state == OUTCOME_KEPT && outcome.status == 200);
    cr_expect(str_equal(outcome.body, STR(ANSWER)));
    cr_expect(str_equal_nocase(outcome.fields, STR("Content-Type: application/json\r\n")), "%.*s",
              STR_ARG(outcome.fields));
    mill_stop(mill);
}

Test(carbon, an_answer_that_breaks_off_is_not_kept)
{
    struct mill *mill = make();
    struct outcome outcome;
    int fd = ask(mill, BODY(""));
    mill_take(mill);
    const char half[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: 1000\r\n\r\n{\"choices\":[";
    mill_say(mill, half, sizeof half - 1);
    mill_read(mill, fd, "{\"choices\":[");
    mill_hang_up(mill);
    mill_read(mill, fd, NULL);
    close(fd);
    outcome_of(mill, &outcome);
    cr_expect_eq(outcome.state, OUTCOME_CUT);
    cr_expect_eq(outcome.body.len, 0);
    mill_stop(mill);
}

Test(carbon, of_a_stream_there_is_none)
{
    struct mill *mill = make();
    struct outcome outcome;
    static const char events[] =
        "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":40}}\n\n"
        "data: [DONE]\n\n";
    int fd = ask(mill, BODY(",\"stream\":true"));
    mill_take(mill);
    mill_begin_stream(mill);
    mill_chunk(mill, events, sizeof events - 1);
    mill_end_stream(mill);
    mill_read(mill, fd, "[DONE]");
    close(fd);
    outcome_of(mill, &outcome);
    cr_expect_eq(outcome.state, OUTCOME_STREAM);
    mill_stop(mill);
}
