/*
 * test_turns.c - the order of a conversation.
 */
#include <criterion/criterion.h>

#include "proto/anthropic.h"
#include "proto/carrier.h"
#include "proto/turns.h"
#include "proto/walk.h"

static struct hub_problem problem;
static struct hub_losses losses;
static struct carrier carrier;

static struct hub_request
decoded(struct arena *arena, const char *body)
{
    arena_init(arena, 1 << 20);
    losses = (struct hub_losses){ .problem = &problem };
    problem = (struct hub_problem){ .status = 0 };
    struct hub_request request = {
        .arena = arena,
        .losses = &losses,
        .carrier = &carrier,
        .answers = 1,
        .shape = { .dialect = DIALECT_ANTHROPIC },
    };
    cr_assert_eq(anthin_decode(&request, str_of(body), &problem), ERR_OK);
    return request;
}

#define CALL                                                                              \
    "{\"role\":\"user\",\"content\":\"q\"},"                                              \
    "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":" \
    "\"f\",\"input\":{}},{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"f\",\"input\":{}}]}"

static void
expect_roles(const struct hub_request *request, const enum hub_role *roles, uint32_t count)
{
    cr_assert_eq(request->message_count, count);
    const struct hub_message *at = request->messages;
    for (uint32_t i = 0; i < count; i++, at = at->next) {
        cr_expect_eq(at->role, roles[i], "message %u", i);
    }
}

/* What an agent says behind its tools' results is not lost, whatever the order in its message. */
Test(turns, text_beside_results_stays)
{
    struct arena arena;
    struct hub_request request = decoded(
        &arena, "{\"max_tokens\":1,\"messages\":[" CALL
                ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t2\","
                "\"content\":\"two\"},{\"type\":\"text\",\"text\":\"and\"},{\"type\":"
                "\"tool_result\",\"tool_use_id\":\"t1\",\"content\":\"one\"},{\"type\":\"text\","
                "\"text\":\"next\"}]}]}");
    cr_assert_eq(turns_order(&request, &problem), ERR_OK);
    static const enum hub_role roles[] = { HUB_USER, HUB_ASSISTANT, HUB_TOOL, HUB_USER };
    expect_roles(&request, roles, 4);
    const struct hub_message *tool = request.messages->next->next;
    cr_assert(str_equal(tool->parts->result.call_id, STR("t1")));
    cr_assert(str_equal(tool->parts->next->result.call_id, STR("t2")));
    cr_assert_null(tool->parts->next->next);
    cr_assert_eq(tool->parts->tail, tool->parts->next);
    const struct hub_part *said = request.last->parts;
    cr_assert(str_equal(said->text, STR("and")));
    cr_assert(str_equal(said->next->text, STR("next")));
    cr_assert_null(said->next->next);
    arena_reset(&arena);
}

/* A call that never got its result gets one that says so; in the last turn it is refused. */
Test(turns, missing_results)
{
    struct arena arena;
    struct hub_request request = decoded(
        &arena, "{\"max_tokens\":1,\"messages\":[" CALL
                ",{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":"
                "\"t1\",\"content\":\"one\"},{\"type\":\"text\",\"text\":\"go on\"}]}]}");
    cr_assert_eq(turns_order(&request, &problem), ERR_OK);
    const struct hub_part *second = request.messages->next->next->parts->next;
    cr_assert(second->result.is_error);
    cr_assert(str_equal(second->result.parts->text, STR("[no output recorded]")));
    arena_reset(&arena);
    request = decoded(&arena, "{\"max_tokens\":1,\"messages\":[" CALL "]}");
    cr_assert_eq(turns_order(&request, &problem), ERR_BAD);
    cr_assert_eq(problem.status, 400);
    arena_reset(&arena);
}

/* A result that belongs to no call is still read by the model, as words of the user. */
Test(turns, orphan_becomes_text)
{
    struct arena arena;
    struct hub_request request =
        decoded(&arena, "{\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
                        "\"tool_result\",\"tool_use_id\":\"t9\",\"content\":\"lost\"}]}]}");
    cr_assert_eq(turns_order(&request, &problem), ERR_OK);
    cr_assert_eq(request.messages->role, HUB_USER);
    cr_assert(str_equal(request.messages->parts->text, STR("[tool result t9] lost")));
    arena_reset(&arena);
}
