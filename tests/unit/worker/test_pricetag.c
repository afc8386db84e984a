/* Answers that say what they cost: whole with their head, or longer than may wait and without. */
#include <criterion/criterion.h>

#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define BODY "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define ANSWER "{\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":40}}"

static struct mill *
make(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill->confs.worker.cost_header = true;
    mill_run(mill);
    return mill;
}

static int
ask(struct mill *mill)
{
    int fd = mill_connect(mill);
    mill_post(fd, CHAT, "k", BODY);
    mill_take(mill);
    return fd;
}

/* 100 tokens at 2.5 and 40 at 10 dollars a million: the table that comes with the program. */
Test(pricetag, the_head_waits_for_the_cost)
{
    struct mill *mill = make();
    struct ledger_record record;
    int fd = ask(mill);
    mill_answer(mill, "200 OK", "application/json", ANSWER);
    mill_read(mill, fd, "}}");
    mill_record(mill, &record);
    cr_expect_eq(record.cost_nano, 650000);
    cr_expect_eq(record.bytes_out, sizeof ANSWER - 1);
    cr_expect(strstr(mill->answer, "\r\nx-sub2api-cost: 0.00065\r\n") != NULL, "%s", mill->answer);
    cr_expect(strstr(mill->answer, "\r\n\r\n" ANSWER) != NULL, "%s", mill->answer);
    close(fd);
    mill_stop(mill);
}

Test(pricetag, an_answer_that_breaks_off_has_reached_nobody)
{
    struct mill *mill = make();
    struct ledger_record record;
    const char half[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: 1000\r\n\r\n{\"choices\":[";
    int fd = ask(mill);
    mill_say(mill, half, sizeof half - 1);
    mill_hang_up(mill);
    mill_read(mill, fd, "}}");
    cr_expect(mill_is(mill->answer, 502, "upstream_error"), "%s", mill->answer);
    mill_record(mill, &record);
    cr_expect(record.cost_nano == 0 && record.status == 502, "%u", record.status);
    close(fd);
    mill_stop(mill);
}

Test(pricetag, a_long_answer_goes_out_without)
{
    static char body[2 * COST_HOLD_BYTES_MAX];
    struct mill *mill = make();
    struct ledger_record record;
    char head[128];
    int fd = ask(mill);
    memset(body, ' ', sizeof body);
    memcpy(body + sizeof body - (sizeof ANSWER - 1), ANSWER, sizeof ANSWER - 1);
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             sizeof body);
    mill_say(mill, head, strlen(head));
    mill_say(mill, body, sizeof body);
    mill_read(mill, fd, "}}");
    cr_expect(strstr(mill->answer, "x-sub2api-cost") == NULL);
    mill_record(mill, &record);
    cr_expect_eq(record.cost_nano, 650000);
    cr_expect_eq(record.bytes_out, sizeof body);
    close(fd);
    mill_stop(mill);
}
