/* A provider's answer on its way to the client, through a real worker. */
#include <criterion/criterion.h>
#include <sys/socket.h>

#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define STREAMED \
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STREAMED_WITH_USAGE                                                                       \
    "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":[" \
    "{\"role\":\"user\",\"content\":\"hi\"}]}"
#define PLAIN "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

#define DELTA "data: {\"choices\":[{\"delta\":{\"content\":\"h\\u00e9\"}}]}\n\n"
#define FINISH "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n"
#define DONE "data: [DONE]\n\n"

static struct mill *
begin(void)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    return mill;
}

/* The body of a chunked answer, unframed, in place. */
static const char *
unchunked(char *answer)
{
    char *from = strstr(answer, "\r\n\r\n");
    cr_assert_not_null(from);
    from += 4;
    char *body = from;
    char *to = from;
    for (;;) {
        char *line_end = strstr(from, "\r\n");
        cr_assert_not_null(line_end, "framing: %s", from);
        size_t count = strtoul(from, NULL, 16);
        if (count == 0) {
            *to = '\0';
            return body;
        }
        memmove(to, line_end + 2, count);
        to += count;
        from = line_end + 2 + count + 2;
    }
}

/* The whole stream in two pieces, cut at `cut`; what the client got. */
static const char *
stream_cut_at(struct mill *mill, int client, const char *body, const char *stream, size_t cut)
{
    mill_post(client, CHAT, "k", body);
    mill_take(mill);
    mill_begin_stream(mill);
    if (cut > 0) {
        mill_chunk(mill, stream, cut);
        usleep(500);
    }
    if (cut < strlen(stream)) {
        mill_chunk(mill, stream + cut, strlen(stream) - cut);
    }
    mill_end_stream(mill);
    mill_read(mill, client, "\r\n0\r\n\r\n");
    return unchunked(mill->answer);
}

Test(stream, hides_the_usage_chunk_we_asked_for_at_every_cut, .timeout = 120)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    static const char stream[] = DELTA FINISH USAGE DONE;
    struct ledger_record record;
    for (size_t cut = 0; cut < sizeof stream; cut++) {
        const char *got = stream_cut_at(mill, client, STREAMED, stream, cut);
        cr_assert_str_eq(got, DELTA FINISH DONE, "cut at %zu: %s", cut, got);
        mill_record(mill, &record);
        cr_assert(record.in_fresh == 7 && record.out_total == 5 &&
                      record.source == LEDGER_UPSTREAM && record.code[0] == '\0',
                  "cut at %zu", cut);
    }
    cr_expect(strstr(mill->asked, "\"include_usage\":true") != NULL, "%s", mill->asked);
    close(client);
    mill_stop(mill);
}

Test(stream, shows_the_usage_chunk_to_a_client_that_asked_for_it)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    static const char stream[] = DELTA FINISH USAGE DONE;
    for (size_t cut = 0; cut < sizeof stream; cut += 29) {
        cr_expect_str_eq(stream_cut_at(mill, client, STREAMED_WITH_USAGE, stream, cut), stream);
    }
    close(client);
    mill_stop(mill);
}

Test(stream, passes_comments_and_odd_line_ends_byte_for_byte)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    static const char stream[] = ": hello\r\n\r\nevent: x\r\ndata: {\"a\":1}\r\n\r\n" DELTA
                                 "id: 9\ndata: one\ndata: two\n\n" FINISH DONE;
    for (size_t cut = 0; cut < sizeof stream; cut += 13) {
        cr_expect_str_eq(stream_cut_at(mill, client, STREAMED_WITH_USAGE, stream, cut), stream);
    }
    close(client);
    mill_stop(mill);
}

Test(stream, ends_a_broken_stream_with_an_error_event)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", STREAMED);
    mill_take(mill);
    mill_begin_stream(mill);
    mill_chunk(mill, DELTA "data: {\"cut", strlen(DELTA "data: {\"cut"));
    mill_read(mill, client, "cut");
    mill_hang_up(mill);
    mill_read(mill, client, "\r\n0\r\n\r\n");
    cr_expect(strstr(mill->answer, "\n\ndata: {\"error\":") != NULL, "%s", mill->answer);
    cr_expect(strstr(mill->answer, "upstream_error") != NULL);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect_str_eq(record.code, "upstream_error");
    cr_expect(record.status == 200 && record.source != LEDGER_UPSTREAM);
    close(client);
    mill_stop(mill);
}

Test(stream, says_so_when_a_stream_ends_before_its_last_event)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    const char *got = stream_cut_at(mill, client, STREAMED, DELTA, 0);
    cr_expect(strstr(got, DELTA) == got && strstr(got, "\"error\"") != NULL, "%s", got);
    close(client);
    mill_stop(mill);
}

Test(stream, sends_comments_while_the_provider_is_silent)
{
    struct mill *mill = begin();
    mill->confs.worker.ping_interval_ms = 50;
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", STREAMED);
    mill_take(mill);
    mill_read(mill, client, ": ping\n\n");
    cr_expect(strstr(mill->answer, "200 OK") != NULL);
    mill_begin_stream(mill);
    mill_chunk(mill, "data: {\"half", 12);
    mill_read(mill, client, "half");
    usleep(200000);
    static const char rest[] = "\":1}\n\n" FINISH DONE;
    mill_chunk(mill, rest, sizeof rest - 1);
    mill_end_stream(mill);
    mill_read(mill, client, "\r\n0\r\n\r\n");
    cr_expect(strstr(mill->answer, ": ping") == NULL, "never inside of an event: %s", mill->answer);
    close(client);
    mill_stop(mill);
}

Test(stream, passes_a_plain_answer_and_reads_its_usage)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    cr_expect(strstr(mill->asked, "Authorization: Bearer sk-provider\r\n") != NULL);
    cr_expect(strstr(mill->asked, PLAIN) != NULL, "the client's bytes: %s", mill->asked);
    static const char answer[] =
        "{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4},\"x\":1}";
    mill_answer(mill, "200 OK", "application/json", answer);
    mill_read(mill, client, "\"x\":1}");
    cr_expect(strstr(mill->answer, answer) != NULL);
    cr_expect(strstr(mill->answer, "\r\nx-request-id: req_") != NULL, "%s", mill->answer);
    cr_expect(strcasestr(mill->answer, "x-secret-header") == NULL, "%s", mill->answer);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 3 && record.out_total == 4);
    cr_expect(record.status == 200 && !record.is_stream);
    close(client);
    mill_stop(mill);
}

Test(stream, reads_usage_from_the_end_of_a_long_answer)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    static char answer[200000];
    size_t used = (size_t)snprintf(answer, sizeof answer, "{\"choices\":[{\"text\":\"");
    memset(answer + used, 'x', 150000);
    used += 150000;
    snprintf(answer + used, sizeof answer - used,
             "\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}");
    mill_answer(mill, "200 OK", "application/json", answer);
    mill_read(mill, client, "\"completion_tokens\":4}}");
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 3 && record.out_total == 4);
    cr_expect_eq(record.bytes_out, strlen(answer));
    close(client);
    mill_stop(mill);
}

Test(stream, passes_the_clients_own_mistakes_unchanged)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", STREAMED);
    mill_take(mill);
    mill_answer(mill, "422 Unprocessable Entity", "application/json", "{\"error\":\"odd\"}");
    mill_read(mill, client, "{\"error\":\"odd\"}");
    cr_expect(strstr(mill->answer, "HTTP/1.1 422 ") == mill->answer, "%s", mill->answer);
    close(client);
    mill_stop(mill);
}

/* Servers that check what they are sent repeat it in their refusal, however long it is. */
Test(stream, passes_a_long_refusal_whole)
{
    struct mill *mill = begin();
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    static char answer[200000];
    memset(answer, 'x', sizeof answer - 1);
    memcpy(answer, "{\"detail\":\"", 11);
    memcpy(answer + sizeof answer - 6, "end\"}", 5);
    mill_answer(mill, "422 Unprocessable Entity", "application/json", answer);
    mill_read(mill, client, "end\"}");
    cr_expect(mill_is(mill->answer, 422, NULL));
    cr_expect(strstr(mill->answer, answer) != NULL, "%.300s", mill->answer);
    close(client);
    mill_stop(mill);
}

/* Says more and more of an error answer until the worker hangs up; false: it listened to it all. */
static bool
say_without_end(struct mill *mill, const char *status)
{
    char head[128];
    static char piece[16384];
    memset(piece, 'x', sizeof piece);
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "f00000\r\n{\"message\":\"",
                          status);
    mill_say(mill, head, (size_t)length);
    for (int i = 0; i < 800; i++) {
        if (send(mill->provider, piece, sizeof piece, MSG_NOSIGNAL) < 0) {
            mill_hang_up(mill);
            return true;
        }
    }
    return false;
}

Test(stream, hears_no_refusal_without_an_end, .timeout = 30)
{
    struct mill *mill = begin();
    mill_account(mill, "other", NULL);
    mill_run(mill);
    int client = mill_connect(mill);
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    cr_expect(say_without_end(mill, "400 Bad Request"));
    mill_read(mill, client, "}}");
    cr_expect(mill_is(mill->answer, 400, "upstream_rejected"), "%s", mill->answer);
    cr_expect(strstr(mill->answer, "\"message\":\"\"") == NULL, "%s", mill->answer);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.status == 400 && record.attempt == 0);
    /* An account's fault is no other thing for being long. */
    mill_post(client, CHAT, "k", PLAIN);
    mill_take(mill);
    cr_expect(say_without_end(mill, "500 Internal Server Error"));
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", "{\"x\":1}");
    mill_read(mill, client, "{\"x\":1}");
    cr_expect(mill_is(mill->answer, 200, NULL), "%s", mill->answer);
    mill_record(mill, &record);
    cr_expect(record.status == 200 && record.attempt == 1);
    close(client);
    mill_stop(mill);
}
