/* An answer on its way: what the worker sees of it while it comes. */
#include <criterion/criterion.h>

#include "proto/answer.h"

static struct arena arena;
static struct hub_plan plan;
static struct answer answer;

static void
begin(bool stream)
{
    arena_init(&arena, 1 << 20);
    plan = (struct hub_plan){
        .arena = &arena,
        .upstream = DIALECT_CHAT,
        .shape = { .dialect = DIALECT_ANTHROPIC, .stream = stream, .model = STR("m") }
    };
    caps_default(&plan.caps, DIALECT_CHAT);
    answer_init(&answer);
    cr_assert_eq(answer_begin(&answer, &plan), ERR_OK);
}

static void
end(void)
{
    answer_fini(&answer);
    arena_reset(&arena);
}

static bool
wrote(const char *what)
{
    struct str out = buf_str(&answer.out);
    return out.len > 0 && memmem(out.data, out.len, what, strlen(what)) != NULL;
}

#define CHUNK(delta, finish)                                                            \
    "{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"u\"," \
    "\"choices\":"                                                                      \
    "[{\"index\":0,\"delta\":" delta ",\"finish_reason\":" finish "}]}"

Test(answer, waits_runs_and_is_done)
{
    begin(true);
    answer_event(&answer, STR(""), STR(CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", "null")));
    cr_expect(answer.state == ANSWER_WAITING && !answer.has_output && buf_len(&answer.out) == 0);
    answer_event(&answer, STR(""), STR(CHUNK("{\"content\":\"hello\"}", "null")));
    cr_expect(answer.state == ANSWER_RUNNING && wrote("message_start") && wrote("hello"));
    answer_event(&answer, STR(""), STR(CHUNK("{}", "\"stop\"")));
    answer_event(&answer, STR(""), STR("[DONE]"));
    answer_end(&answer);
    cr_expect(answer.state == ANSWER_DONE && wrote("end_turn") && wrote("message_stop"));
    size_t bytes = buf_len(&answer.out);
    answer_event(&answer, STR(""), STR("nonsense"));
    answer_lose(&answer);
    cr_expect(answer.state == ANSWER_DONE && buf_len(&answer.out) == bytes,
              "nothing comes behind it");
    end();
}

Test(answer, that_fails_at_once_costs_no_byte_and_may_begin_again)
{
    begin(true);
    answer_event(&answer, STR(""), STR(CHUNK("{\"role\":\"assistant\"}", "null")));
    answer_event(&answer, STR(""), STR("{\"error\":{\"message\":\"busy\",\"code\":\"x\"}}"));
    cr_expect(answer.state == ANSWER_FAILED && !answer.has_output && buf_len(&answer.out) == 0);
    cr_expect_str_eq(answer.failure.found.message, "busy");
    cr_expect_not(answer.failure.is_ours);
    cr_assert_eq(answer_begin(&answer, &plan), ERR_OK);
    cr_expect_eq(answer.state, ANSWER_WAITING);
    answer_event(&answer, STR(""), STR("{\"id\":"));
    cr_expect(answer.state == ANSWER_FAILED && answer.failure.found.kind == ERROR_SERVER);
    cr_assert_eq(answer_begin(&answer, &plan), ERR_OK);
    answer_lose(&answer);
    cr_expect(answer.state == ANSWER_FAILED && answer.failure.is_ours, "a bound of ours");
    end();
}

Test(answer, that_breaks_off_ends_with_an_error_in_the_client_s_words)
{
    begin(true);
    answer_event(&answer, STR(""), STR(CHUNK("{\"content\":\"half\"}", "null")));
    answer_end(&answer);
    cr_expect(answer.state == ANSWER_FAILED && answer.has_output && !wrote("message_stop"));
    struct error_info info = { .status = 502,
                               .code = "upstream_error",
                               .message = STR("it broke") };
    answer_fail(&answer, &info);
    cr_expect(answer.state == ANSWER_DONE && !answer.is_torn);
    cr_expect(wrote("event: error") && wrote("it broke"));
    end();
}

Test(answer, is_begun_for_a_client_that_waits_too_long)
{
    begin(true);
    answer_flush(&answer);
    cr_expect(answer.state == ANSWER_RUNNING && answer.has_output && wrote("message_start"));
    size_t bytes = buf_len(&answer.out);
    answer_flush(&answer);
    cr_expect_eq(buf_len(&answer.out), bytes, "once");
    end();
}

Test(answer, in_one_piece_comes_when_it_is_done)
{
    begin(false);
    answer_event(&answer, STR(""), STR(CHUNK("{\"content\":\"hello\"}", "null")));
    answer_flush(&answer);
    cr_expect(!answer.has_output && buf_len(&answer.out) == 0);
    answer_event(&answer, STR(""), STR(CHUNK("{}", "\"length\"")));
    answer_event(&answer, STR(""), STR("[DONE]"));
    answer_end(&answer);
    cr_expect(answer.state == ANSWER_DONE && wrote("\"text\":\"hello\"") && wrote("max_tokens"));
    end();
    begin(false);
    answer_body(&answer, STR("{\"choices\":[]}"));
    cr_expect(answer.state == ANSWER_FAILED && !answer.has_output);
    end();
}
