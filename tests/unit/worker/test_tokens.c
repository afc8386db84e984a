/* What an answer has used so far, as others see it in the lease while it is under way. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "shm/lease.h"
#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define PLAIN "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STREAMED \
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define DELTA                                                                                   \
    "data: {\"choices\":[{\"delta\":{\"content\":\"some forty characters of text, more or less" \
    "\"}}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":99}}\n\n"
#define DONE "data: [DONE]\n\n"

static struct mill *
begin(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    return mill;
}

/* The tokens of the one request under way, once `out` is above `above`. */
static struct lease_tokens
await_tokens(struct mill *mill, uint64_t above)
{
    const struct segment *segment = &mill->test.segment;
    for (int i = 0; i < MILL_WAIT_MS; i++) {
        for (uint32_t lease = 0; lease < segment->leases; lease++) {
            struct lease_view view;
            if (lease_read(segment, mill->slot, lease, &view) == ERR_OK &&
                view.data.tokens.out > above) {
                return view.data.tokens;
            }
        }
        usleep(1000);
    }
    cr_assert(false, "no tokens above %lu came", above);
    return (struct lease_tokens){ .out = 0 };
}

static int
begin_stream(struct mill *mill)
{
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", STREAMED);
    mill_take(mill);
    mill_begin_stream(mill);
    mill_chunk(mill, DELTA, strlen(DELTA));
    return client;
}

Test(tokens, are_estimated_until_the_provider_says_them)
{
    struct mill *mill = begin();
    int client = begin_stream(mill);
    struct lease_tokens tokens = await_tokens(mill, 0);
    cr_expect(tokens.is_estimated == 1 && tokens.in_fresh > 0);
    mill_chunk(mill, DELTA, strlen(DELTA));
    tokens = await_tokens(mill, tokens.out); /* they grow with the text */
    cr_expect(tokens.is_estimated == 1 && tokens.out < 99, "%lu", tokens.out);
    mill_chunk(mill, USAGE, strlen(USAGE));
    tokens = await_tokens(mill, 98);
    cr_expect(tokens.in_fresh == 7 && tokens.out == 99 && tokens.is_estimated == 0);
    mill_chunk(mill, DONE, strlen(DONE));
    mill_end_stream(mill);
    mill_read(mill, client, DONE);
    close(client);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 7 && record.out_total == 99 && record.source == LEDGER_UPSTREAM);
    mill_stop(mill);
}

Test(tokens, of_an_answer_that_names_none_are_estimated_and_counted_as_missing)
{
    struct mill *mill = begin();
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json",
                "{\"choices\":[{\"message\":{\"content\":\"a few words of an answer\"}}]}");
    mill_read(mill, client, "answer\"}}]}");
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.in_fresh > 0 && record.out_total > 0 && record.source == LEDGER_ESTIMATED);
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_USAGE_MISSING), 1);
    /* Counting tokens is no use of any. */
    mill_post(client, "/v1/messages/count_tokens", "k", PLAIN);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", "{\"input_tokens\":12}");
    mill_read(mill, client, "{\"input_tokens\":12}");
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 0 && record.out_total == 0 && record.source == LEDGER_NONE);
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_USAGE_MISSING), 1);
    close(client);
    mill_stop(mill);
}

/* A provider that fails in the middle has not said what it used, whatever it said before. */
Test(tokens, of_a_stream_that_fails_are_those_that_passed)
{
    struct mill *mill = begin();
    static const char early[] =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":0}}\n\n";
    static const char failed[] = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    int client = begin_stream(mill);
    mill_chunk(mill, early, strlen(early));
    mill_chunk(mill, failed, strlen(failed));
    mill_end_stream(mill);
    mill_read(mill, client, "overloaded");
    close(client);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 7 && record.out_total >= 10, "%lu", record.out_total);
    cr_expect_eq(record.source, LEDGER_ESTIMATED);
    mill_stop(mill);
}

/* Its provider has all of it and will bill it: so does the ledger. */
Test(tokens, of_a_request_whose_client_left_before_the_answer_are_its_input)
{
    struct mill *mill = begin();
    struct ledger_record record;
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    mill_reset(client);
    mill_record(mill, &record);
    cr_expect_str_eq(record.code, "client_gone");
    cr_expect(record.in_fresh > 0 && record.out_total == 0 && record.source == LEDGER_ESTIMATED);
    mill_is_left(mill);
    mill_hang_up(mill);
    /* Counting tokens costs nothing, whoever leaves. */
    client = mill_connect(mill);
    mill_post(client, "/v1/messages/count_tokens", "k", PLAIN);
    mill_take(mill);
    mill_reset(client);
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 0 && record.source == LEDGER_NONE);
    mill_stop(mill);
}

/* What is billed for a request whose worker died is what stands there. */
Test(tokens, outlive_the_worker)
{
    struct mill *mill = begin();
    int client = begin_stream(mill);
    uint64_t out = await_tokens(mill, 0).out;
    cr_assert_eq(kill(mill->pid, SIGKILL), 0);
    cr_assert_eq(waitpid(mill->pid, NULL, 0), mill->pid);
    struct lease_tokens tokens = await_tokens(mill, 0);
    cr_expect(tokens.out >= out && tokens.is_estimated == 1);
    close(client);
    mill_free(mill);
}
