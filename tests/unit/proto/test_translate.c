#include "proto/translate.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/codec.h"
#include "proto/walk.h"

/* --- helpers --- */

static struct arena arena;

static void
set_up(void)
{
    arena_init(&arena, 64u * 1024 * 1024);
}

static void
tear_down(void)
{
    arena_reset(&arena);
}

TestSuite(translate, .init = set_up, .fini = tear_down);

static struct translate *
open_body(enum dialect client, struct str body, bool stream)
{
    struct translate_setup setup = { .client = client,
                                     .body = body,
                                     .model = STR("m"),
                                     .stream = stream,
                                     .carrier = { .key = { 1, 2 }, .scope = 3 },
                                     .seed = 5,
                                     .now_s = 1760000000 };
    struct translate *translate = NULL;
    struct hub_problem problem;
    enum err err = translate_open(&arena, &setup, &translate, &problem);
    cr_assert(err == ERR_OK, "%s: %s", dialect_name(client), problem.message);
    return translate;
}

static struct str
encode(struct translate *translate, enum dialect upstream)
{
    struct caps caps;
    caps_default(&caps, upstream);
    struct hub_target target = {
        .dialect = upstream, .model = STR("m"), .caps = &caps, .stream = true
    };
    struct hub_problem problem;
    struct buf body;
    buf_init(&body, UINT32_MAX);
    enum err err = translate_encode(translate, &target, &body, &problem);
    cr_assert(err == ERR_OK, "%s: %s", dialect_name(upstream), problem.message);
    struct str copy = arena_dup(&arena, buf_str(&body));
    buf_fini(&body);
    return copy;
}

static struct str
request_of(enum dialect client, bool stream)
{
    static const char *const bodies[][2] = {
        { "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
          "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"stream\":true,"
          "\"stream_options\":{\"include_usage\":true}}" },
        { "{\"model\":\"m\",\"input\":\"q\"}",
          "{\"model\":\"m\",\"input\":\"q\",\"stream\":true}" },
        { "{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
          "{\"model\":\"m\",\"max_tokens\":9,\"stream\":true,\"messages\":[{\"role\":\"user\","
          "\"content\":\"q\"}]}" },
        { "{\"contents\":[{\"parts\":[{\"text\":\"q\"}]}]}",
          "{\"contents\":[{\"parts\":[{\"text\":\"q\"}]}]}" },
    };
    return str_of(bodies[client][stream]);
}

/* One SSE frame: its name and its data. */
static bool
cut_frame(struct str *stream, struct str *name, struct str *data)
{
    *name = *data = str_make(NULL, 0);
    while (stream->len > 0) {
        struct str line = str_cut(stream, '\n');
        if (line.len == 0) {
            return true;
        }
        if (str_starts(line, STR("event: "))) {
            *name = str_skip(line, 7);
        } else if (str_starts(line, STR("data: "))) {
            *data = str_skip(line, 6);
        }
    }
    return data->len > 0;
}

/* The upstream's stream as the client's answer: a stream, or whole. */
static struct str
translate_stream(enum dialect upstream, struct str stream, enum dialect client, bool wants_stream)
{
    struct translate *translate = open_body(client, request_of(client, wants_stream), wants_stream);
    (void)encode(translate, upstream);
    cr_assert(translate_begin(translate) == ERR_OK);
    translate_forget(translate);
    struct answer *answer = translate_answer(translate);
    struct str name, data;
    while (cut_frame(&stream, &name, &data)) {
        answer_event(answer, name, data);
    }
    answer_end(answer);
    cr_assert(answer->state == ANSWER_DONE, "%s->%s: %s", dialect_name(upstream),
              dialect_name(client), answer->failure.found.message);
    struct str out = arena_dup(&arena, buf_str(&answer->out));
    translate_close(translate);
    return out;
}

/* --- what comes through --- */

#define CHUNK(delta, finish)                                                                  \
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,"       \
    "\"model\":\"u\",\"choices\":[{\"index\":0,\"delta\":" delta ",\"finish_reason\":" finish \
    "}]}\n\n"

/* Reasoning, text with a cut surrogate, two calls that interleave, numbers no double holds. */
static const char rich[] = CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", "null") CHUNK(
    "{\"reasoning_content\":\"let me\"}", "null") CHUNK("{\"content\":\"smile \\ud83d\"}", "null")
    CHUNK("{\"content\":\"\\ude00 \\\"there\\\"\"}", "null") CHUNK(
        "{\"tool_calls\":[{\"index\":0,\"id\":\"a1\",\"type\":\"function\",\"function\":{"
        "\"name\":\"f\",\"arguments\":\"\"}}]}",
        "null")
        CHUNK(
            "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"n\\\":9007199\"}}]}",
            "null")
            CHUNK("{\"tool_calls\":[{\"index\":1,\"id\":\"b2\",\"type\":\"function\",\"function\":{"
                  "\"name\":\"g\",\"arguments\":\"{\\\"x\\\": 1.0,\"}}]}",
                  "null")
                CHUNK(
                    "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"254740993}\"}}]}",
                    "null") CHUNK("{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":"
                                  "\"\\\"y\\\":-0}\"}}]}",
                                  "null")
                    CHUNK("{}", "\"tool_calls\"") "data: "
                                                  "{\"id\":\"c1\",\"object\":\"chat.completion."
                                                  "chunk\",\"created\":1760000000,\"model\":"
                                                  "\"u\",\"choices\":[],\"usage\":{\"prompt_"
                                                  "tokens\":100,\"completion_tokens\":50,"
                                                  "\"total_tokens\":150,\"prompt_tokens_details\":{"
                                                  "\"cached_tokens\":30},"
                                                  "\"completion_tokens_details\":{\"reasoning_"
                                                  "tokens\":10}}}\n\ndata: [DONE]\n\n";

static struct walk
at(struct walk from, const char *name)
{
    return walk_get(from, str_of(name));
}

static void
expect_rich(struct str body, const char *way)
{
    struct walk root;
    cr_assert(walk_parse(body, &arena, &root) == ERR_OK, "%s: no JSON", way);
    struct walk choice = walk_first(at(root, "choices"));
    struct walk message = at(choice, "message");
    struct str text = walk_string(at(message, "content"), &arena);
    cr_expect(str_equal(text, STR("smile \xf0\x9f\x98\x80 \"there\"")), "%s: text %.*s", way,
              STR_ARG(text));
    cr_expect(walk_is_text(at(message, "reasoning_content"), STR("let me")), "%s: reasoning", way);
    struct walk first = walk_first(at(message, "tool_calls"));
    struct walk second = walk_next(first);
    cr_expect(walk_is_text(at(at(first, "function"), "name"), STR("f")), "%s: first", way);
    cr_expect(walk_is_text(at(at(first, "function"), "arguments"), STR("{\"n\":9007199254740993}")),
              "%s: %.*s", way, STR_ARG(walk_raw(at(first, "function"))));
    cr_expect(walk_is_text(at(at(second, "function"), "arguments"), STR("{\"x\": 1.0,\"y\":-0}")),
              "%s: %.*s", way, STR_ARG(walk_raw(at(second, "function"))));
    cr_expect(walk_is_text(at(first, "id"), STR("a1")) && walk_is_text(at(second, "id"), STR("b2")),
              "%s: ids", way);
    cr_expect(walk_is_text(at(choice, "finish_reason"), STR("tool_calls")), "%s: finish", way);
    uint64_t input = 0, output = 0, cached = 0;
    struct walk usage = at(root, "usage");
    cr_expect(walk_u64(at(usage, "prompt_tokens"), &input) && input == 100, "%s: input", way);
    cr_expect(walk_u64(at(usage, "completion_tokens"), &output) && output == 50, "%s: out", way);
    cr_expect(walk_u64(at(at(usage, "prompt_tokens_details"), "cached_tokens"), &cached) &&
                  cached == 30,
              "%s: cached", way);
}

Test(translate, an_answer_survives_every_dialect_and_back)
{
    static const enum dialect others[] = { DIALECT_RESPONSES, DIALECT_ANTHROPIC, DIALECT_GEMINI };
    for (int i = 0; i < 3; i++) {
        struct str there = translate_stream(DIALECT_CHAT, str_of(rich), others[i], true);
        struct str back = translate_stream(others[i], there, DIALECT_CHAT, false);
        expect_rich(back, dialect_name(others[i]));
        for (int k = 0; k < 3; k++) {
            char way[64];
            if (k == i) {
                continue;
            }
            snprintf(way, sizeof way, "%s, %s", dialect_name(others[i]), dialect_name(others[k]));
            struct str further = translate_stream(others[i], there, others[k], true);
            expect_rich(translate_stream(others[k], further, DIALECT_CHAT, false), way);
        }
    }
}

Test(translate, a_stream_without_its_end_is_a_failure_and_a_silent_one_costs_no_head)
{
    struct translate *translate =
        open_body(DIALECT_ANTHROPIC, request_of(DIALECT_ANTHROPIC, true), true);
    (void)encode(translate, DIALECT_CHAT);
    cr_assert(translate_begin(translate) == ERR_OK);
    struct answer *answer = translate_answer(translate);
    cr_expect(answer->state == ANSWER_WAITING && !answer->has_output);
    answer_event(
        answer, STR(""),
        STR("{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}"));
    cr_expect(!answer->has_output, "nothing was said yet");
    answer_end(answer);
    cr_expect(answer->state == ANSWER_FAILED && !answer->has_output);
    translate_close(translate);
}

/* --- requests --- */

static const struct {
    enum dialect dialect;
    const char *body;
} samples[] = {
    { DIALECT_CHAT,
      "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\","
      "\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image_url\",\"image_url\":{"
      "\"url\":\"data:image/png;base64,iVBORw0KGgo=\"}}]},{\"role\":\"assistant\",\"content\":"
      "\"hm\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
      "\"arguments\":\"{\\\"n\\\":1e400}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"a\","
      "\"content\":\"r\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
      "\"parameters\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"number\"}}}}}],"
      "\"tool_choice\":\"required\",\"parallel_tool_calls\":false,\"max_completion_tokens\":77,"
      "\"temperature\":0.30,\"stop\":[\"x\"],\"reasoning_effort\":\"low\",\"vendor\":1}" },
    { DIALECT_RESPONSES,
      "{\"model\":\"m\",\"instructions\":\"S\",\"input\":[{\"role\":\"user\",\"content\":[{"
      "\"type\":"
      "\"input_text\",\"text\":\"look\"}]},{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":"
      "\"f\",\"arguments\":\"{\\\"n\\\":1e400}\"},{\"type\":\"function_call_output\",\"call_id\":"
      "\"a\",\"output\":\"r\"}],\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{"
      "\"type\":\"object\",\"properties\":{}},\"strict\":false}],\"max_output_tokens\":77,"
      "\"vendor\":1}" },
    { DIALECT_ANTHROPIC,
      "{\"model\":\"m\",\"max_tokens\":77,\"system\":\"S\",\"messages\":[{\"role\":\"user\","
      "\"content\":\"look\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":"
      "\"a\",\"name\":\"f\",\"input\":{\"n\":1e400}}]},{\"role\":\"user\",\"content\":[{\"type\":"
      "\"tool_result\",\"tool_use_id\":\"a\",\"content\":\"r\"}]}],\"tools\":[{\"name\":\"f\","
      "\"input_schema\":{\"type\":\"object\"}}],\"vendor\":1}" },
    { DIALECT_GEMINI,
      "{\"systemInstruction\":{\"parts\":[{\"text\":\"S\"}]},\"contents\":[{\"role\":\"user\","
      "\"parts\":[{\"text\":\"look\"}]},{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":"
      "\"f\",\"id\":\"a\",\"args\":{\"n\":1e400}}}]},{\"role\":\"user\",\"parts\":[{"
      "\"functionResponse\":{\"name\":\"f\",\"id\":\"a\",\"response\":{\"output\":\"r\"}}}]}],"
      "\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}],\"generationConfig\":{"
      "\"maxOutputTokens\":77},\"vendor\":1}" },
};

Test(translate, a_request_survives_its_own_dialect_and_every_other)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct translate *first = open_body(samples[i].dialect, str_of(samples[i].body), false);
        struct str same = encode(first, samples[i].dialect);
        struct translate *again = open_body(samples[i].dialect, same, false);
        struct str twice = encode(again, samples[i].dialect);
        cr_expect(str_equal(same, twice), "%s:\n%.*s\n%.*s", dialect_name(samples[i].dialect),
                  STR_ARG(same), STR_ARG(twice));
        for (int other = 0; other < DIALECT_COUNT; other++) {
            struct str there = encode(first, (enum dialect)other);
            cr_expect(memmem(there.data, there.len, "1e400", 5) != NULL, "%s to %s: %.*s",
                      dialect_name(samples[i].dialect), dialect_name((enum dialect)other),
                      STR_ARG(there));
            cr_expect(memmem(there.data, there.len, "look", 4) != NULL);
            cr_expect(memmem(there.data, there.len, "77", 2) != NULL);
        }
        translate_close(first);
        translate_close(again);
    }
}

Test(translate, unknown_members_are_listed_and_refused_in_strict_mode)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct translate *translate = open_body(samples[i].dialect, str_of(samples[i].body), false);
        char text[256];
        struct str dropped = translate_dropped(translate, text, sizeof text);
        cr_expect(memmem(dropped.data, dropped.len, "vendor", 6) != NULL, "%s: %.*s",
                  dialect_name(samples[i].dialect), STR_ARG(dropped));
        translate_close(translate);
        struct translate_setup strict = { .client = samples[i].dialect,
                                          .body = str_of(samples[i].body),
                                          .model = STR("m"),
                                          .is_strict = true };
        struct hub_problem problem;
        cr_expect(translate_open(&arena, &strict, &translate, &problem) == ERR_BAD);
        cr_expect_str_eq(problem.param, "vendor");
    }
}
