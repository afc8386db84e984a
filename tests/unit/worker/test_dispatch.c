/* What an account is sent, byte for byte where it is the client's, through a real worker. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/worker/mill.h"

#define CHAT "/v1/chat/completions"
#define TALK "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}], \"x\" : 1.0"

static void
map_models(struct account *account)
{
    snprintf(account->model_map, sizeof account->model_map, "fast=gpt-4o-mini,gem=gemini-2.5-pro");
}

static void
speak_gemini(struct account *account)
{
    account->platform = MODEL_GEMINI;
    map_models(account);
}

static void
speak_anthropic(struct account *account)
{
    account->platform = MODEL_ANTHROPIC;
    snprintf(account->dialects, sizeof account->dialects, "anthropic");
}

static const char *
sent(struct mill *mill, const char *path, const char *body)
{
    int client = mill_connect(mill);
    mill_post(client, path, "k", body);
    mill_take(mill);
    mill_answer(mill, "200 OK", "application/json", "{}");
    mill_read(mill, client, "{}");
    close(client);
    return mill->asked;
}

static bool
has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

Test(dispatch, sends_the_clients_bytes_and_the_accounts_name_of_the_model, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", map_models);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    const char *asked = sent(mill, CHAT, "{ \"model\" : \"gpt-4o\", " TALK " }");
    cr_expect(has(asked, "\r\n\r\n{ \"model\" : \"gpt-4o\", " TALK " }"), "%s", asked);
    asked = sent(mill, CHAT, "{ \"model\" : \"fast\", " TALK " }");
    cr_expect(has(asked, "\r\n\r\n{ \"model\" : \"gpt-4o-mini\", " TALK " }"), "%s", asked);
    struct ledger_record record[2];
    mill_settled(mill);
    cr_assert_eq(mill_records(mill, record, 2), 2);
    cr_expect_str_eq(record[1].model, "fast");
    cr_expect_str_eq(record[1].model_sent, "gpt-4o-mini");
    mill_stop(mill);
}

Test(dispatch, asks_for_the_usage_of_a_stream, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    const char *asked = sent(mill, CHAT, "{\"model\":\"gpt-4o\",\"stream\":true," TALK "}");
    cr_expect(has(asked, "\"stream_options\":{\"include_usage\":true}"), "%s", asked);
    asked = sent(mill, CHAT, "{\"model\":\"gpt-4o\",\"stream\":false," TALK "}");
    cr_expect(!has(asked, "stream_options"), "%s", asked);
    mill_stop(mill);
}

Test(dispatch, puts_a_mapped_name_into_the_path_of_a_gemini_request, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "google", speak_gemini);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    const char *asked =
        sent(mill, "/v1beta/models/gem:generateContent", "{\"contents\":[{\"parts\":[]}]}");
    cr_expect(has(asked, "/models/gemini-2.5-pro:generateContent HTTP/1.1\r\n"), "%s", asked);
    cr_expect(has(asked, "\r\n\r\n{\"contents\":[{\"parts\":[]}]}"), "%s", asked);
    mill_stop(mill);
}

Test(dispatch, of_what_cannot_be_translated_names_the_field, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "claude", speak_anthropic);
    mill_key(mill, "k", NULL);
    mill_run(mill);
    const char *answer = mill_talk(mill, CHAT, "k", "{\"model\":\"m\",\"n\":2," TALK "}");
    cr_expect(mill_is(answer, 400, "invalid_request") || has(answer, "HTTP/1.1 400 "), "%s",
              answer);
    cr_expect(has(answer, "\"param\":\"n\""), "%s", answer);
    mill_stop(mill);
}

static void
map_in_group(struct group *group)
{
    snprintf(group->model_map, sizeof group->model_map, "claude-*=big,claude-haiku=small,big=x");
    snprintf(group->instructions, sizeof group->instructions, "be good");
}

static void
serve_big(struct account *account)
{
    snprintf(account->models, sizeof account->models, "big");
    snprintf(account->model_map, sizeof account->model_map, "big=real-big");
}

/* Before an account is chosen: exact, then the longest glob, and once only. */
Test(dispatch, asks_accounts_for_what_the_group_makes_of_the_model, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", serve_big);
    mill_key(mill, "k", NULL);
    mill_group(mill, map_in_group);
    mill_run(mill);
    const char *asked = sent(mill, CHAT, "{\"model\":\"claude-opus\"," TALK "}");
    cr_expect(has(asked, "{\"model\":\"real-big\"," TALK "}"), "%s", asked);
    struct ledger_record record;
    mill_record(mill, &record);
    cr_expect_str_eq(record.model, "claude-opus");
    cr_expect_str_eq(record.model_sent, "real-big");
    const char *answer = mill_talk(mill, CHAT, "k", "{\"model\":\"claude-haiku\"," TALK "}");
    cr_expect(mill_is(answer, 404, "model_not_found"), "%s", answer);
    cr_expect(has(answer, "'claude-haiku'"), "by the name that was asked for: %s", answer);
    mill_stop(mill);
}

Test(dispatch, gives_the_groups_instructions_to_who_brings_none, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", NULL);
    mill_key(mill, "k", NULL);
    mill_group(mill, map_in_group);
    mill_run(mill);
    const char *asked = sent(mill, "/v1/responses", "{\"model\":\"m\",\"input\":\"x\"}");
    cr_expect(has(asked, "\"input\":\"x\",\"instructions\":\"be good\"}"), "%s", asked);
    asked = sent(mill, "/v1/responses", "{\"model\":\"m\",\"instructions\":\"own\"}");
    cr_expect(has(asked, "{\"model\":\"m\",\"instructions\":\"own\"}"), "%s", asked);
    asked = sent(mill, CHAT, "{\"model\":\"m\"," TALK "}");
    cr_expect(!has(asked, "be good"), "only where responses is spoken: %s", asked);
    int client = mill_connect(mill);
    mill_send(client, "POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
                      "originator: codex_exec\r\nContent-Length: 23\r\n\r\n"
                      "{\"model\":\"m\",\"input\":1}");
    mill_take(mill);
    cr_expect(!has(mill->asked, "be good"), "Codex: %s", mill->asked);
    mill_answer(mill, "200 OK", "application/json", "{}");
    mill_read(mill, client, "{}");
    close(client);
    mill_stop(mill);
}

static void
map_efforts(struct group *group)
{
    snprintf(group->effort_map, sizeof group->effort_map, "high=low");
}

static void
speak_all(struct account *account)
{
    snprintf(account->dialects, sizeof account->dialects, "all");
}

Test(dispatch, maps_efforts_within_a_dialect_too, .timeout = 30)
{
    struct mill *mill = mill_make();
    mill_account(mill, "acme", speak_all);
    mill_key(mill, "k", NULL);
    mill_group(mill, map_efforts);
    mill_run(mill);
    const char *asked =
        sent(mill, CHAT, "{\"model\":\"m\",\"reasoning_effort\": \"high\"," TALK "}");
    cr_expect(has(asked, "{\"model\":\"m\",\"reasoning_effort\": \"low\"," TALK "}"), "%s", asked);
    asked = sent(mill, "/v1/responses",
                 "{\"model\":\"m\",\"input\":\"x\",\"reasoning\":{\"effort\":\"high\"}}");
    cr_expect(has(asked, "\"reasoning\":{\"effort\":\"low\"}}"), "%s", asked);
    asked = sent(mill, "/v1/messages",
                 "{\"model\":\"m\",\"output_config\":{\"effort\":\"high\"}," TALK "}");
    cr_expect(has(asked, "\"output_config\":{\"effort\":\"low\"}," TALK "}"), "%s", asked);
    mill_stop(mill);
}
