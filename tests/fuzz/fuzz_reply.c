/*
 * fuzz_reply.c - any bytes as a provider's answer, streamed or whole, written for any client.
 *
 * The first byte picks the pair and the form; the events of a stream are split by NUL. A client's
 * answer that is whole is JSON.
 */
#include "base/check.h"
#include "base/json.h"
#include "proto/blame.h"
#include "proto/codec.h"
#include "proto/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A client of each dialect; `stream` and what its tools are. */
static struct str
request_of(enum dialect client, bool stream)
{
    switch (client) {
    case DIALECT_CHAT:
        return stream ? STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
                            "\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"f\"}}],"
                            "\"stop\":[\"a\",\"b\",\"c\",\"d\",\"stop\"],\"stream\":true,"
                            "\"stream_options\":{\"include_usage\":true}}")
                      : STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"
                            "\"functions\":[{\"name\":\"f\"}]}");
    case DIALECT_RESPONSES:
        return stream ? STR("{\"model\":\"m\",\"input\":\"q\",\"stream\":true,\"tools\":[{\"type\":"
                            "\"custom\",\"name\":\"f\"}]}")
                      : STR("{\"model\":\"m\",\"input\":\"q\"}");
    case DIALECT_ANTHROPIC:
        return stream ? STR("{\"model\":\"m\",\"max_tokens\":9,\"stream\":true,\"messages\":[{"
                            "\"role\":\"user\",\"content\":\"q\"}]}")
                      : STR("{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
                            "\"content\":\"q\"}]}");
    case DIALECT_GEMINI:
        return STR("{\"contents\":[{\"parts\":[{\"text\":\"q\"}]}]}");
    case DIALECT_COUNT:
        break;
    }
    return STR("{}");
}

static void
feed(struct answer *answer, struct str bytes, bool is_stream)
{
    if (!is_stream) {
        answer_body(answer, bytes);
        return;
    }
    while (bytes.len > 0) {
        answer_event(answer, str_make(NULL, 0), str_cut(&bytes, '\0'));
    }
    answer_end(answer);
}

static void
judge(struct answer *answer, enum dialect client)
{
    CHECK(answer->state == ANSWER_DONE || answer->state == ANSWER_FAILED);
    struct json_value value;
    if (answer->state == ANSWER_DONE && answer->writer == NULL) {
        CHECK(json_read(buf_str(&answer->out), &value, NULL) == ERR_OK);
    }
    if (answer->state == ANSWER_FAILED && answer->has_output) {
        struct blame blame;
        struct error_info info;
        blame_found(client, &answer->failure.found, answer->failure.status, &blame, &info);
        answer_fail(answer, &info);
    }
    bool is_array = answer->plan->shape.is_array && answer->state == ANSWER_DONE;
    CHECK(!is_array || json_read(buf_str(&answer->out), &value, NULL) == ERR_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    enum dialect client = (enum dialect)(data[0] & 3);
    enum dialect upstream = (enum dialect)(data[0] >> 2 & 3);
    bool wants_stream = (data[0] & 16) != 0;
    if (!translate_is_possible(client, upstream) || !translate_is_possible(upstream, client)) {
        return 0;
    }
    struct arena arena;
    arena_init(&arena, 1u << 20);
    struct translate_setup setup = { .client = client,
                                     .body = request_of(client, wants_stream),
                                     .model = STR("m"),
                                     .stream = wants_stream,
                                     .is_array = wants_stream && (data[0] & 64) != 0,
                                     .carrier = { .key = { 1, 2 } } };
    struct translate *translate;
    struct hub_problem problem;
    CHECK(translate_open(&arena, &setup, &translate, &problem) == ERR_OK);
    struct caps caps;
    caps_default(&caps, upstream);
    caps.custom_tools = (data[0] & 128) != 0;
    caps.split_args = (data[0] & 128) != 0;
    struct hub_target target = { .dialect = upstream, .model = STR("m"), .caps = &caps };
    struct buf body;
    buf_init(&body, UINT32_MAX);
    CHECK(translate_encode(translate, &target, &body, &problem) == ERR_OK);
    CHECK(translate_begin(translate) == ERR_OK);
    translate_forget(translate);
    struct answer *answer = translate_answer(translate);
    feed(answer, str_make((const char *)data + 1, size - 1), (data[0] & 32) != 0);
    judge(answer, client);
    buf_fini(&body);
    translate_close(translate);
    arena_reset(&arena);
    return 0;
}
