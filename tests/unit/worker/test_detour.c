/* A provider that does not have an endpoint, through a real worker with the test as the provider:
 * the same account is asked in another dialect at once, and what was found is known from then on.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/dialect.h"
#include "shm/lack.h"
#include "tests/unit/worker/pair.h"

#define RESPONSES "/v1/responses"
#define MESSAGES "/v1/messages"
#define GEMINI "/v1beta/models/m:generateContent"
#define ASKED_RESPONSES "{\"model\":\"m\",\"input\":\"hi\"}"
#define ASKED_MESSAGES                                 \
    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[" \
    "{\"role\":\"user\",\"content\":\"hi\"}]}"
#define ASKED_GEMINI "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]}"
#define CHAT_ANSWER                                                                        \
    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"one\","       \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"good\"}," \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3," \
    "\"total_tokens\":8}}"
#define RESPONSES_ANSWER                                                                    \
    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"completed\"," \
    "\"model\":\"one\",\"output\":[{\"type\":\"message\",\"id\":\"msg_1\",\"role\":"        \
    "\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\","        \
    "\"text\":\"good\",\"annotations\":[]}]}],\"usage\":{\"input_tokens\":5,"               \
    "\"output_tokens\":3,\"total_tokens\":8}}"
#define NOTHING "{\"detail\":\"Not Found\"}"

/* As an account of OpenAI's platform does. */
static void
speak_both(struct account *account)
{
    be_one(account);
    snprintf(account->dialects, sizeof account->dialects, "chat,responses");
}

static void
speak_both_too(struct account *account)
{
    be_two(account);
    snprintf(account->dialects, sizeof account->dialects, "chat,responses");
}

static struct mill *
make(bool has_two)
{
    struct mill *mill = mill_make();
    mill->confs.worker.sticky_ms = 0;
    mill_account(mill, "one", speak_both);
    if (has_two) {
        mill_account(mill, "two", speak_both_too);
    }
    mill_key(mill, "k", NULL);
    return mill;
}

static int
ask_at(struct mill *mill, const char *path, const char *body)
{
    int client = mill_connect(mill);
    mill_post(client, path, "k", body);
    return client;
}

/* The provider is asked at this path. */
static void
take_at(struct mill *mill, const char *path)
{
    char line[128];
    snprintf(line, sizeof line, "POST %s HTTP/1.1", path);
    mill_take(mill);
    cr_assert(has(mill->asked, line), "not at %s: %s", path, mill->asked);
}

static void
say_nothing_there(struct mill *mill)
{
    mill_answer(mill, "404 Not Found", "application/json", NOTHING);
}

static void
answer_chat(struct mill *mill, int client, const char *text)
{
    mill_answer(mill, "200 OK", "application/json", CHAT_ANSWER);
    cr_expect(mill_is(mill_read(mill, client, text), 200, NULL), "%s", mill->answer);
    cr_expect(has(mill->answer, "good"), "%s", mill->answer);
    close(client);
}

static enum lack_kind
lack_of(struct mill *mill, uint32_t account, enum dialect dialect)
{
    struct lack_view view;
    lack_read(&mill->test.segment, account, dialect, clock_now_ms(), &view);
    return view.kind;
}

/* The account is not one that rests, and nothing was billed for the attempt that found it out. */
static void
expect_no_blame(struct mill *mill)
{
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect(record.status == 200 && record.attempt == 0 && record.is_last == 1, "%u %u",
              record.status, record.attempt);
    cr_expect_eq(record.upstream_dialect, DIALECT_CHAT);
    cr_expect_eq(health_of(mill, ONE).streak, 0);
    cr_expect_eq(health_of(mill, ONE).state, HEALTH_OK);
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_SWITCHES), 0);
    cr_expect_eq(counter_of(&mill->test.segment, mill->slot, COUNTER_UPSTREAM_FAILURES), 0);
}

Test(detour, the_request_that_finds_out_is_answered_and_the_next_one_knows, .timeout = 30)
{
    struct mill *mill = make(false);
    mill_keep_log(mill);
    mill_run(mill);
    int client = ask_at(mill, RESPONSES, ASKED_RESPONSES);
    take_at(mill, RESPONSES);
    say_nothing_there(mill);
    take_at(mill, CHAT);
    cr_expect(has(mill->asked, "\"model\":\"one\"") && has(mill->asked, "hi"), "%s", mill->asked);
    answer_chat(mill, client, "}}");
    cr_expect(has(mill->answer, "x-protocol-translation: responses->chat"), "%s", mill->answer);
    expect_no_blame(mill);
    cr_expect(has(mill_log(mill, "act=detour"), "missing=responses status=404 then=chat"), "%s",
              mill->log);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_RESPONSES), LACK_PROVEN);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_CHAT), LACK_NONE);
    client = ask_at(mill, RESPONSES, ASKED_RESPONSES);
    take_at(mill, CHAT);
    answer_chat(mill, client, "}}");
    mill_stop(mill);
}

/* Whatever a gateway in front of nothing says; each client in its own way. */
Test(detour, other_pages_and_statuses_say_the_same, .timeout = 60)
{
    static const struct {
        const char *status;
        const char *type;
        const char *body;
    } said[] = {
        { "404 Not Found", "text/html", "<html><h1>404 Not Found</h1></html>" },
        { "404 Not Found", "text/plain", "404 page not found\n" },
        { "404 Not Found", "text/plain", "" },
        { "405 Method Not Allowed", "application/json", "{\"detail\":\"Method Not Allowed\"}" },
        { "501 Not Implemented", "application/json", "{\"error\":{\"message\":\"no\"}}" },
    };
    struct mill *mill = make(false);
    mill_run(mill);
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        int client = ask_at(mill, RESPONSES, ASKED_RESPONSES);
        take_at(mill, RESPONSES);
        mill_answer(mill, said[i].status, said[i].type, said[i].body);
        take_at(mill, CHAT);
        answer_chat(mill, client, "}}");
        expect_no_blame(mill);
        cr_expect_eq(lack_of(mill, ONE, DIALECT_RESPONSES), LACK_PROVEN, "%s", said[i].status);
        lack_forget(&mill->test.segment, ONE);
    }
    mill_stop(mill);
}

/* Translated already, and turned to the account's other dialect. */
Test(detour, translated_requests_take_it_too, .timeout = 60)
{
    static const struct {
        const char *path;
        const char *body;
        const char *pair;
    } ways[] = { { MESSAGES, ASKED_MESSAGES, "anthropic->responses" },
                 { GEMINI, ASKED_GEMINI, "gemini->responses" } };
    struct mill *mill = make(false);
    mill_run(mill);
    for (size_t i = 0; i < 2; i++) {
        int client = ask_at(mill, ways[i].path, ways[i].body);
        take_at(mill, CHAT);
        say_nothing_there(mill);
        take_at(mill, RESPONSES);
        mill_answer(mill, "200 OK", "application/json", RESPONSES_ANSWER);
        cr_expect(mill_is(mill_read(mill, client, "\"usage"), 200, NULL), "%s", mill->answer);
        cr_expect(has(mill->answer, "good") && has(mill->answer, ways[i].pair), "%s", mill->answer);
        close(client);
        cr_expect_eq(lack_of(mill, ONE, DIALECT_CHAT), LACK_PROVEN);
        lack_forget(&mill->test.segment, ONE);
    }
    mill_stop(mill);
}

Test(detour, a_model_that_is_not_there_is_another_matter, .timeout = 30)
{
    static const char body[] = "{\"error\":{\"message\":\"The model `one` does not exist\","
                               "\"type\":\"invalid_request_error\",\"code\":\"model_not_found\"}}";
    struct mill *mill = make(false);
    mill_run(mill);
    int client = ask_at(mill, RESPONSES, ASKED_RESPONSES);
    take_at(mill, RESPONSES);
    mill_answer(mill, "404 Not Found", "application/json", body);
    cr_expect(mill_is(mill_read(mill, client, "}}"), 404, "model_not_found"), "%s", mill->answer);
    close(client);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_RESPONSES), LACK_NONE);
    /* One that says it of chat shows that chat is there, but nobody was served: of the other one
     * it may be said because of the model, too. */
    client = ask_at(mill, RESPONSES, ASKED_RESPONSES);
    take_at(mill, RESPONSES);
    say_nothing_there(mill);
    take_at(mill, CHAT);
    mill_answer(mill, "404 Not Found", "application/json", body);
    cr_expect(mill_is(mill_read(mill, client, "}}"), 404, "model_not_found"), "%s", mill->answer);
    close(client);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_RESPONSES), LACK_DOUBTED);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_CHAT), LACK_NONE);
    mill_stop(mill);
}

/* A URL that is wrong, or a name of a model that the provider answers with the same page. */
Test(detour, what_every_endpoint_says_is_no_lesson, .timeout = 30)
{
    struct mill *mill = make(false);
    mill_run(mill);
    for (int i = 0; i < 2; i++) {
        int client = ask_at(mill, RESPONSES, ASKED_RESPONSES);
        take_at(mill, RESPONSES);
        say_nothing_there(mill);
        take_at(mill, CHAT);
        say_nothing_there(mill);
        cr_expect(mill_is(mill_read(mill, client, "}"), 404, NULL), "%s", mill->answer);
        close(client);
        cr_expect_eq(lack_of(mill, ONE, DIALECT_RESPONSES), LACK_DOUBTED);
        cr_expect_eq(lack_of(mill, ONE, DIALECT_CHAT), LACK_DOUBTED);
        cr_expect_eq(health_of(mill, ONE).state, HEALTH_OK);
    }
    int client = ask(mill, PLAIN);
    take_at(mill, CHAT);
    expect_fine(mill, client);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_CHAT), LACK_NONE, "an answer ends the doubt");
    mill_stop(mill);
}

Test(detour, another_account_is_asked_when_one_has_no_endpoint_at_all, .timeout = 30)
{
    struct mill *mill = make(true);
    mill_run(mill);
    int client = ask(mill, PLAIN);
    take_from(mill, "one");
    say_nothing_there(mill);
    take_at(mill, RESPONSES);
    say_nothing_there(mill);
    take_from(mill, "two");
    expect_fine(mill, client);
    cr_expect_eq(health_of(mill, ONE).state, HEALTH_OK);
    cr_expect_eq(health_of(mill, ONE).streak, 0);
    mill_stop(mill);
}

/* What is missing is asked for when nothing else is left: it may have come. */
Test(detour, what_was_missing_may_have_come, .timeout = 30)
{
    struct mill *mill = make(false);
    mill_run(mill);
    lack_note(&mill->test.segment, ONE, DIALECT_RESPONSES, LACK_PROVEN, 404, 3600000,
              clock_now_ms());
    int client = ask(mill, PLAIN);
    take_at(mill, CHAT);
    say_nothing_there(mill);
    take_at(mill, RESPONSES);
    mill_answer(mill, "200 OK", "application/json", RESPONSES_ANSWER);
    cr_expect(mill_is(mill_read(mill, client, "}}"), 200, NULL), "%s", mill->answer);
    close(client);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_RESPONSES), LACK_NONE);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_CHAT), LACK_PROVEN);
    mill_stop(mill);
}

Test(detour, nothing_is_learned_when_that_is_switched_off, .timeout = 30)
{
    struct mill *mill = make(false);
    mill->confs.upstream.endpoint_retry_ms = 0;
    mill_run(mill);
    for (int i = 0; i < 2; i++) {
        int client = ask_at(mill, RESPONSES, ASKED_RESPONSES);
        take_at(mill, RESPONSES);
        say_nothing_there(mill);
        take_at(mill, CHAT);
        answer_chat(mill, client, "}}");
        cr_expect_eq(lack_of(mill, ONE, DIALECT_RESPONSES), LACK_NONE);
    }
    mill_stop(mill);
}

/* Embeddings and the like have endpoints of their own: theirs tell nothing of the dialect's. */
Test(detour, other_endpoints_teach_nothing_and_are_not_held_up, .timeout = 30)
{
    static const char body[] = "{\"model\":\"m\",\"input\":\"hi\"}";
    struct mill *mill = make(false);
    mill_run(mill);
    int client = ask_at(mill, "/v1/embeddings", body);
    take_at(mill, "/v1/embeddings");
    say_nothing_there(mill);
    cr_expect(mill_is(mill_read(mill, client, "}"), 404, NULL), "%s", mill->answer);
    close(client);
    cr_expect_eq(lack_of(mill, ONE, DIALECT_CHAT), LACK_NONE);
    lack_note(&mill->test.segment, ONE, DIALECT_CHAT, LACK_PROVEN, 404, 3600000, clock_now_ms());
    client = ask_at(mill, "/v1/embeddings", body);
    take_at(mill, "/v1/embeddings");
    expect_fine(mill, client);
    mill_stop(mill);
}
