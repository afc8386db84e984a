/* A client whose dialect no account speaks, through a real worker, with the test as the provider:
 * what goes there, what comes back, and what is left when one of them fails. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/dialect.h"
#include "shm/lease.h"
#include "tests/unit/worker/pair.h"

#define MESSAGES "/v1/messages"
#define ASKED                                          \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" \
    "{\"role\":\"user\",\"content\":\"hi\"}]"
#define CHAT_ANSWER                                                                        \
    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"one\","       \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"good\"}," \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3," \
    "\"total_tokens\":8}}"
#define CHAT_WORD                                                                    \
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,"       \
    "\"model\":\"one\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"," \
    "\"content\":\"word\"}}]}\n\n"
#define CHAT_LAST                                                                           \
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,"              \
    "\"model\":\"one\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]" \
    "}\n\ndata: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,"         \
    "\"model\":\"one\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,"                      \
    "\"completion_tokens\":3,\"total_tokens\":8}}\n\ndata: [DONE]\n\n"
#define CHAT_ERROR "data: {\"error\":{\"message\":\"no room\",\"type\":\"server_error\"}}\n\n"

static void
speak_chat(struct account *account)
{
    be_one(account);
    snprintf(account->dialects, sizeof account->dialects, "chat");
}

static void
speak_chat_too(struct account *account)
{
    be_two(account);
    snprintf(account->dialects, sizeof account->dialects, "chat");
}

static void
speak_anthropic(struct account *account)
{
    be_two(account);
    snprintf(account->dialects, sizeof account->dialects, "anthropic");
}

static struct mill *
make_chat(void)
{
    struct mill *mill = mill_make();
    mill->confs.worker.sticky_ms = 0;
    mill_account(mill, "one", speak_chat);
    mill_key(mill, "k", NULL);
    return mill;
}

static int
ask_messages(struct mill *mill, const char *more)
{
    char body[512];
    snprintf(body, sizeof body, ASKED "%s}", more);
    int client = mill_connect(mill);
    mill_post(client, MESSAGES, "k", body);
    mill_take(mill);
    return client;
}

static void
say(struct mill *mill, const char *text)
{
    mill_chunk(mill, text, strlen(text));
}

Test(bridge, an_answer_is_translated_and_its_usage_counted, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill_run(mill);
    int client = ask_messages(mill, "");
    cr_expect(has(mill->asked, "POST /v1/chat/completions HTTP/1.1\r\n"), "%s", mill->asked);
    cr_expect(has(mill->asked, "\"model\":\"one\""), "%s", mill->asked);
    cr_expect(has(mill->asked, "Authorization: Bearer sk-provider\r\n"), "%s", mill->asked);
    mill_answer(mill, "200 OK", "application/json", CHAT_ANSWER);
    mill_read(mill, client, "\"output_tokens\":3");
    close(client);
    cr_expect(has(mill->answer, "\r\nx-protocol-translation: anthropic->chat\r\n"), "%s",
              mill->answer);
    cr_expect(has(mill->answer, "\"type\":\"text\",\"text\":\"good\""), "%s", mill->answer);
    cr_expect(!has(mill->answer, "X-Secret-Header"), "%s", mill->answer);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 5 && record.out_total == 3 && record.source == LEDGER_UPSTREAM);
    cr_expect_eq(record.client_dialect, DIALECT_ANTHROPIC);
    cr_expect_eq(record.upstream_dialect, DIALECT_CHAT);
    mill_stop(mill);
}

Test(bridge, a_stream_is_translated_event_by_event, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill_run(mill);
    int client = ask_messages(mill, ",\"stream\":true");
    mill_begin_stream(mill);
    say(mill, CHAT_WORD);
    mill_read(mill, client, "\"text\":\"word\"");
    cr_expect(has(mill->answer, "event: message_start\n"), "%s", mill->answer);
    cr_expect(has(mill->answer, "\r\nx-protocol-translation: anthropic->chat\r\n"), "%s",
              mill->answer);
    say(mill, CHAT_LAST);
    mill_end_stream(mill);
    mill_read(mill, client, "event: message_stop\n");
    close(client);
    cr_expect(has(mill->answer, "\"output_tokens\":3"), "%s", mill->answer);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.in_fresh == 5 && record.out_total == 3 && record.status == 200);
    cr_expect_eq(record.upstream_dialect, DIALECT_CHAT);
    mill_stop(mill);
}

Test(bridge, the_clients_own_dialect_is_preferred, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill_account(mill, "two", speak_anthropic);
    mill_run(mill);
    int client = ask_messages(mill, "");
    cr_expect(has(mill->asked, "\"model\":\"two\""), "%s", mill->asked);
    cr_expect(has(mill->asked, "POST /v1/messages "), "%s", mill->asked);
    expect_fine(mill, client);
    cr_expect(!has(mill->answer, "x-protocol-translation"), "%s", mill->answer);
    mill_stop(mill);
}

Test(bridge, a_provider_that_fails_before_the_first_word_costs_nothing, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill_account(mill, "two", speak_chat_too);
    mill_run(mill);
    int client = ask_messages(mill, ",\"stream\":true");
    mill_begin_stream(mill);
    say(mill, CHAT_ERROR);
    take_from(mill, "two");
    mill_begin_stream(mill);
    say(mill, CHAT_WORD CHAT_LAST);
    mill_end_stream(mill);
    mill_read(mill, client, "event: message_stop\n");
    close(client);
    cr_expect(!has(mill->answer, "event: error"), "%s", mill->answer);
    mill_stop(mill);
}

Test(bridge, an_error_behind_the_first_word_is_the_clients_last_event, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill_run(mill);
    static const char *const ends[] = { CHAT_ERROR, "" };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int client = ask_messages(mill, ",\"stream\":true");
        mill_begin_stream(mill);
        say(mill, CHAT_WORD);
        mill_read(mill, client, "\"text\":\"word\"");
        if (ends[i][0] != '\0') {
            say(mill, ends[i]);
        }
        mill_hang_up(mill);
        mill_read(mill, client, "event: error\n");
        cr_expect(!has(mill->answer, "message_stop"), "%s", mill->answer);
        close(client);
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect(record.code[0] != '\0');
        forgive(mill);
    }
    mill_stop(mill);
}

Test(bridge, a_refusal_has_the_shape_of_the_clients_dialect, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill_run(mill);
    int client = ask_messages(mill, "");
    mill_answer(mill, "400 Bad Request", "application/json",
                "{\"error\":{\"message\":\"temperature is odd\",\"type\":"
                "\"invalid_request_error\",\"code\":\"invalid_value\"}}");
    mill_read(mill, client, "\"request_id\"");
    close(client);
    cr_expect(has(mill->answer, "HTTP/1.1 400 ") && has(mill->answer, "\"type\":\"error\"") &&
                  has(mill->answer, "temperature is odd"),
              "%s", mill->answer);
    mill_stop(mill);
}

Test(bridge, a_client_that_leaves_takes_the_translation_with_it, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill_run(mill);
    /* Before the answer, in its head, and behind its first word. */
    for (int step = 0; step < 3; step++) {
        int client = ask_messages(mill, ",\"stream\":true");
        if (step > 0) {
            mill_begin_stream(mill);
        }
        if (step > 1) {
            say(mill, CHAT_WORD);
            mill_read(mill, client, "\"text\":\"word\"");
        }
        mill_reset(client);
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect_eq(record.upstream_dialect, DIALECT_CHAT);
        mill_hang_up(mill);
        mill_settled(mill);
        forgive(mill);
    }
    mill_stop(mill);
}

static void
leave_to_drain(struct mill *mill, int client)
{
    const struct segment *segment = &mill->test.segment;
    bool is_draining = false;
    mill_reset(client);
    for (int ms = 0; ms < MILL_WAIT_MS && !is_draining; ms++) {
        for (uint32_t i = 0; i < segment->leases && !is_draining; i++) {
            struct lease_view view;
            is_draining = lease_read(segment, mill->slot, i, &view) == ERR_OK &&
                          view.state == LEASE_HELD && view.action == LEASE_DRAINING;
        }
        usleep(1000);
    }
    cr_assert(is_draining);
}

/* The exact usage is what the operator wants it for; bounded as without translation. */
Test(bridge, is_read_on_without_its_client_where_the_operator_wants_the_usage, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill->confs.worker.on_client_gone = WORKERCONF_DRAIN;
    mill->confs.worker.drain_bytes = 10000;
    mill_run(mill);
    struct ledger_record record;
    /* Behind the first word, before it, and of an answer that is no stream. */
    for (int way = 0; way < 3; way++) {
        int client = ask_messages(mill, way < 2 ? ",\"stream\":true" : "");
        if (way == 0) {
            mill_begin_stream(mill);
            say(mill, CHAT_WORD);
            mill_read(mill, client, "\"text\":\"word\"");
        }
        leave_to_drain(mill, client);
        if (way == 1) {
            mill_begin_stream(mill);
            say(mill, CHAT_WORD);
        }
        if (way < 2) {
            say(mill, CHAT_LAST);
            mill_end_stream(mill);
        } else {
            mill_answer(mill, "200 OK", "application/json", CHAT_ANSWER);
        }
        mill_record(mill, &record);
        cr_expect(record.in_fresh == 5 && record.out_total == 3, "%d: %u", way, record.status);
        cr_expect_eq(record.source, LEDGER_UPSTREAM, "%d", way);
        mill_settled(mill);
    }
    int client = ask_messages(mill, ",\"stream\":true");
    mill_begin_stream(mill);
    say(mill, CHAT_WORD);
    mill_read(mill, client, "\"text\":\"word\"");
    leave_to_drain(mill, client);
    static char much[12000];
    memset(much, 'x', sizeof much);
    memcpy(much, "data: ", 6);
    mill_chunk(mill, much, sizeof much);
    mill_record(mill, &record);
    cr_expect_str_eq(record.code, "client_gone");
    mill_is_left(mill);
    mill_settled(mill);
    mill_stop(mill);
}

static void
be_strict(struct group *group)
{
    group->translate_mode = MODEL_STRICT;
}

static void
map_effort(struct group *group)
{
    snprintf(group->effort_map, sizeof group->effort_map, "high=low");
}

/* What has no counterpart is named; a strict group refuses it instead. */
Test(bridge, what_is_left_out_is_told_or_refused, .timeout = 30)
{
    struct mill *mill = make_chat();
    mill_run(mill);
    int client = ask_messages(mill, ",\"top_k\":5,\"odd_one\":1");
    cr_expect(!has(mill->asked, "top_k"), "%s", mill->asked);
    mill_answer(mill, "200 OK", "application/json", CHAT_ANSWER);
    mill_read(mill, client, "\"output_tokens\":3");
    close(client);
    cr_expect(has(mill->answer, "\r\nx-sub2api-dropped: odd_one,top_k\r\n"), "%s", mill->answer);
    mill_group(mill, be_strict);
    const char *answer = mill_talk(mill, MESSAGES, "k", ASKED ",\"top_k\":5}");
    cr_expect(mill_is(answer, 400, "unsupported_parameter"), "%s", answer);
    cr_expect(has(answer, "top_k"), "%s", answer);
    cr_expect(has(answer, "\r\nx-protocol-translation: anthropic->chat\r\n"), "%s", answer);
    mill_stop(mill);
}

static void
be_old_chat(struct account *account)
{
    speak_chat(account);
    snprintf(account->caps, sizeof account->caps, "max_field=max_tokens,effort=low+high");
}

Test(bridge, knows_what_account_and_group_say_of_requests, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill->confs.worker.sticky_ms = 0;
    mill_account(mill, "one", be_old_chat);
    mill_key(mill, "k", NULL);
    mill_group(mill, map_effort);
    mill_run(mill);
    int client = ask_messages(mill, ",\"output_config\":{\"effort\":\"high\"}");
    cr_expect(has(mill->asked, "\"max_tokens\":9"), "%s", mill->asked);
    cr_expect(has(mill->asked, "\"reasoning_effort\":\"low\""), "%s", mill->asked);
    mill_answer(mill, "200 OK", "application/json", CHAT_ANSWER);
    mill_read(mill, client, "\"output_tokens\":3");
    close(client);
    mill_stop(mill);
}

static void
only_stream(struct account *account)
{
    be_one(account);
    snprintf(account->dialects, sizeof account->dialects, "responses");
    snprintf(account->caps, sizeof account->caps, "must_stream");
}

#define RESPONSES_EVENT(name, more) \
    "event: response." name "\ndata: {\"type\":\"response." name "\"," more "}\n\n"
#define RESPONSES_OBJECT(status, output)                                                     \
    "\"response\":{\"id\":\"r\",\"object\":\"response\",\"created_at\":1,\"model\":\"one\"," \
    "\"status\":\"" status "\",\"output\":[" output "]"

/* Its stream is collected for a client that asked for none; the group's text goes first. */
Test(bridge, an_account_that_only_streams_serves_others_too, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill->confs.worker.sticky_ms = 0;
    mill_account(mill, "one", only_stream);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    int client = ask_messages(mill, "");
    cr_expect(has(mill->asked, "\"stream\":true"), "%s", mill->asked);
    mill_begin_stream(mill);
    say(mill, RESPONSES_EVENT("created", RESPONSES_OBJECT("in_progress", "") "}"));
    say(mill,
        RESPONSES_EVENT(
            "completed",
            RESPONSES_OBJECT(
                "completed",
                "{\"type\":\"message\",\"id\":\"m\",\"role\":\"assistant\","
                "\"status\":\"completed\",\"content\":[{\"type\":"
                "\"output_text\",\"text\":\"whole\",\"annotations\":[]}]}") ",\"usage\":{\"input_"
                                                                            "tokens\":5,\"output_"
                                                                            "tokens\":3}}"));
    mill_end_stream(mill);
    mill_read(mill, client, "\"output_tokens\":3");
    close(client);
    cr_expect(has(mill->answer, "\"text\":\"whole\""), "%s", mill->answer);
    cr_expect(has(mill->answer, "application/json"), "%s", mill->answer);
    mill_stop(mill);
}

/* Half a MiB and a little, of something longer: there is no room to double it. */
static void
say_half(struct mill *mill)
{
    static char part[32768];
    memset(part, 'x', sizeof part);
    mill_say(mill, "300000\r\ndata: {\"id\":\"", 21);
    for (uint32_t i = 0; i < 16; i++) {
        mill_say(mill, part, sizeof part);
    }
}

Test(bridge, an_answer_that_is_kept_comes_out_of_the_pool_of_bodies, .timeout = 60)
{
    struct mill *mill = make_chat();
    mill->confs.http.body_pool_bytes = 1024 * 1024;
    mill_run(mill);
    for (uint32_t i = 0; i < 2; i++) { /* all of it was given back */
        int client = ask_messages(mill, ",\"stream\":true");
        mill_begin_stream(mill);
        say(mill, CHAT_WORD);
        mill_read(mill, client, "\"text\":\"word\"");
        say_half(mill);
        mill_read(mill, client, "event: error\n");
        cr_expect(has(mill->answer, "\"type\":\"overloaded_error\""), "%s", mill->answer);
        cr_expect(has(mill->answer, "has no memory for this answer"), "%s", mill->answer);
        close(client);
        mill_hang_up(mill);
        struct ledger_record record;
        mill_record(mill, &record);
        cr_expect_str_eq(record.code, "overloaded");
        forgive(mill);
    }
    int client = ask_messages(mill, "");
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    mill_say(mill, head, sizeof head - 1);
    say_half(mill);
    cr_expect(mill_is(mill_read(mill, client, "\"}"), 503, "overloaded"), "%s", mill->answer);
    close(client);
    mill_hang_up(mill);
    forgive(mill);
    client = ask_messages(mill, "");
    mill_answer(mill, "200 OK", "application/json", CHAT_ANSWER);
    cr_expect(mill_is(mill_read(mill, client, "\"output_tokens\":3"), 200, NULL), "%s",
              mill->answer);
    close(client);
    mill_stop(mill);
}
