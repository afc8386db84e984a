/*
 * The disjoint buckets of each dialect's reports, whole and streamed, and what each event is.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "proto/usage.h"

/* in_fresh, cache_read, write_5m, write_1h, out_total, out_reasoning */
#define IS(usage, fresh, read, w5, w1, out, reason)                                         \
    cr_expect((usage).in_fresh == (fresh) && (usage).in_cache_read == (read) &&             \
                  (usage).in_cache_write_5m == (w5) && (usage).in_cache_write_1h == (w1) && \
                  (usage).out_total == (out) && (usage).out_reasoning == (reason),          \
              "%lu %lu %lu %lu %lu %lu", (usage).in_fresh, (usage).in_cache_read,           \
              (usage).in_cache_write_5m, (usage).in_cache_write_1h, (usage).out_total,      \
              (usage).out_reasoning)

static struct usage
body(enum dialect dialect, const char *text)
{
    struct usage usage;
    bool is_found = usage_read_body(dialect, str_of(text), &usage);
    cr_expect_eq(is_found, usage.source == USAGE_UPSTREAM);
    return usage;
}

Test(usage, reads_openai_bodies)
{
    struct usage u =
        body(DIALECT_CHAT, "{\"id\":\"c\",\"choices\":[{\"message\":{\"content\":\"\\\"usage\\\":"
                           "{}\"}}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":50,"
                           "\"total_tokens\":150,\"prompt_tokens_details\":{\"cached_tokens\":30,"
                           "\"cache_write_tokens\":20},\"completion_tokens_details\":"
                           "{\"reasoning_tokens\":10}},\"service_tier\":\"priority\"}");
    IS(u, 50, 30, 20, 0, 50, 10);
    cr_assert_str_eq(u.service_tier, "priority");
    u = body(DIALECT_RESPONSES, "{\"usage\":{\"input_tokens\":40,\"input_tokens_details\":"
                                "{\"cached_tokens\":10},\"output_tokens\":16,"
                                "\"output_tokens_details\":{\"reasoning_tokens\":4}}}");
    IS(u, 30, 10, 0, 0, 16, 4);
    u = body(DIALECT_CHAT, "{\"object\":\"list\",\"data\":[{\"embedding\":[0.1]}],\"usage\":"
                           "{\"prompt_tokens\":8,\"total_tokens\":8}}");
    IS(u, 8, 0, 0, 0, 0, 0);
    cr_assert_eq(u.known, USAGE_INPUT | USAGE_OUTPUT);
    u = body(DIALECT_CHAT, "{\"data\":[{\"b64_json\":\"AAAA\"}],\"usage\":{\"input_tokens\":9,"
                           "\"output_tokens\":1056,\"input_tokens_details\":{\"text_tokens\":9},"
                           "\"total_tokens\":1065}}");
    IS(u, 9, 0, 0, 0, 1056, 0);
    u = body(DIALECT_CHAT, "{\"results\":[],\"usage\":{\"total_tokens\":77}}");
    IS(u, 77, 0, 0, 0, 0, 0);
    u = body(DIALECT_CHAT, "{\"text\":\"x\",\"usage\":{\"type\":\"duration\",\"seconds\":3}}");
    cr_assert_eq(u.source, USAGE_NONE);
}

Test(usage, reads_relays_spellings)
{
    struct usage u = body(DIALECT_CHAT, "{\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":1,"
                                        "\"prompt_cache_hit_tokens\":64}}");
    IS(u, 36, 64, 0, 0, 1, 0);
    u = body(DIALECT_CHAT,
             "{\"usage\":{\"input_tokens\":100,\"output_tokens\":2,"
             "\"cached_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":5}}}");
    IS(u, 95, 5, 0, 0, 2, 0);
    u = body(DIALECT_CHAT, "{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,"
                           "\"prompt_tokens_details\":{\"cached_tokens\":18011}}}");
    IS(u, 3, 18011, 0, 0, 5, 0);
    u = body(DIALECT_CHAT, "{\"x_groq\":{\"usage\":{\"prompt_tokens\":\"7\","
                           "\"completion_tokens\":2.0}}}");
    IS(u, 7, 0, 0, 0, 2, 0);
}

Test(usage, ignores_hostile_numbers)
{
    struct usage u = body(DIALECT_CHAT, "{\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":3,"
                                        "\"prompt_tokens_details\":{\"cached_tokens\":1e30}}}");
    IS(u, 0, 0, 0, 0, 3, 0);
    cr_assert_eq(u.known & USAGE_INPUT, 0);
    u = body(DIALECT_CHAT, "{\"usage\":{\"prompt_tokens\":1099511627777,\"completion_tokens\":"
                           "1.5,\"total_tokens\":99999999999999999999}}");
    cr_assert_eq(u.source, USAGE_NONE);
    static const char *const nothing[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"usage\":null}",
        "{\"usage\":{}}",
        "{\"usage\":[1]}",
        "<html>",
        "{\"choices\":[{\"usage\":{\"prompt_tokens\":1}}]}",
    };
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        u = body(DIALECT_CHAT, nothing[i]);
        cr_expect_eq(u.source, USAGE_NONE, "%s", nothing[i]);
        IS(u, 0, 0, 0, 0, 0, 0);
    }
}

Test(usage, reads_anthropic_and_gemini_bodies)
{
    struct usage u = body(
        DIALECT_ANTHROPIC,
        "{\"type\":\"message\",\"content\":[{\"type\":\"tool_use\",\"input\":{\"usage\":"
        "{\"input_tokens\":1}}}],\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":"
        "300,\"cache_read_input_tokens\":18011,\"cache_creation\":{\"ephemeral_5m_input_tokens"
        "\":100,\"ephemeral_1h_input_tokens\":200},\"output_tokens\":5,\"service_tier\":"
        "\"standard\",\"output_tokens_details\":{\"thinking_tokens\":2}}}");
    IS(u, 3, 18011, 100, 200, 5, 2);
    cr_assert_eq(usage_input(&u), 18314);
    cr_assert_str_eq(u.service_tier, "standard");
    u = body(DIALECT_ANTHROPIC, "{\"usage\":{\"input_tokens\":3,\"output_tokens\":1,"
                                "\"cache_creation_input_tokens\":30}}");
    IS(u, 3, 0, 30, 0, 1, 0);
    u = body(DIALECT_GEMINI, "{\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":151,"
                             "\"toolUsePromptTokenCount\":18329,\"candidatesTokenCount\":1089,"
                             "\"thoughtsTokenCount\":1120,\"totalTokenCount\":20689}}");
    IS(u, 18480, 0, 0, 0, 2209, 1120);
    u = body(DIALECT_GEMINI, "{\"usageMetadata\":{\"promptTokenCount\":50,\"thoughtsTokenCount\":"
                             "64,\"totalTokenCount\":114}}");
    IS(u, 50, 0, 0, 0, 64, 64);
    u = body(DIALECT_GEMINI, "{\"usageMetadata\":{\"promptTokenCount\":50,\"candidatesTokenCount\":"
                             "70,\"thoughtsTokenCount\":64,\"totalTokenCount\":120,"
                             "\"cachedContentTokenCount\":20}}");
    IS(u, 30, 20, 0, 0, 70, 64);
    u = body(DIALECT_GEMINI,
             "[{\"usageMetadata\":{\"promptTokenCount\":5,\"totalTokenCount\":5}}\n,"
             "\n{\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":"
             "9,\"totalTokenCount\":14}}]");
    IS(u, 5, 0, 0, 0, 9, 0);
    u = body(DIALECT_GEMINI, "{\"response\":{\"usageMetadata\":{\"promptTokenCount\":20,"
                             "\"candidatesTokenCount\":8,\"totalTokenCount\":28}}}");
    IS(u, 20, 0, 0, 0, 8, 0);
}

Test(usage, finds_the_report_of_a_body_that_is_cut_off)
{
    struct usage u = body(DIALECT_CHAT, "ent\":\"usage\"}}],\"usage\": {\"prompt_tokens\":11,"
                                        "\"completion_tokens\":2},\"system_fing");
    IS(u, 11, 0, 0, 0, 2, 0);
    u = body(DIALECT_GEMINI, "[{\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":"
                             "1}},{\"usageMetadata\":{\"promptTo");
    IS(u, 5, 0, 0, 0, 1, 0);
    u = body(DIALECT_CHAT,
             "{\"choices\":[{\"message\":{\"content\":\"\\\"usage\\\":{\\\"prompt_tok");
    cr_assert_eq(u.source, USAGE_NONE);
}

static struct usage_stream stream;

static uint32_t
feed(const char *name, const char *data)
{
    return usage_event(&stream, str_of(name), str_of(data));
}

#define DELTA(text) \
    "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}"

Test(usage, follows_a_chat_stream)
{
    usage_stream_init(&stream, DIALECT_CHAT);
    cr_expect_eq(feed("", "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                          "\"finish_reason\":null}],\"usage\":null}"),
                 0);
    cr_expect_eq(feed("", DELTA("say \\\"usage\\\":{ \\\\")), USAGE_EVENT_CONTENT);
    cr_expect_eq(feed("", "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{"
                          "\"arguments\":\"{\\\"error\\\":{}}\"}}]}}]}"),
                 USAGE_EVENT_CONTENT);
    cr_expect_eq(feed("", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}"), 0);
    cr_expect_eq(
        feed("", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"error\":null}"),
        USAGE_EVENT_DONE);
    cr_expect_eq(feed("", "{\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":7,"
                          "\"total_tokens\":19}}"),
                 USAGE_EVENT_USAGE | USAGE_EVENT_ONLY);
    cr_expect_eq(feed("", "[DONE]"), USAGE_EVENT_DONE | USAGE_EVENT_END);
    cr_expect_eq(stream.events, 7);
    usage_finish(&stream, 99, true);
    IS(stream.usage, 12, 0, 0, 0, 7, 0);
    cr_expect_eq(stream.usage.source, USAGE_UPSTREAM);
}

Test(usage, tells_a_usage_chunk_from_an_answer_with_usage)
{
    usage_stream_init(&stream, DIALECT_CHAT);
    cr_expect_eq(feed("", "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}],\"usage\":"
                          "{\"prompt_tokens\":1,\"completion_tokens\":1}}"),
                 USAGE_EVENT_USAGE | USAGE_EVENT_CONTENT);
    cr_expect_eq(feed("", "{\"choices\":[ ],\"usage\":{\"prompt_tokens\":1,"
                          "\"completion_tokens\":4}}"),
                 USAGE_EVENT_USAGE | USAGE_EVENT_ONLY);
    cr_expect_eq(feed("", "{\"choices\":null,\"usage\":{\"prompt_tokens\":1,"
                          "\"completion_tokens\":4}}"),
                 USAGE_EVENT_USAGE);
    cr_expect_eq(feed("", "{\"error\":{\"message\":\"boom\"}}"), USAGE_EVENT_FAILED);
    cr_expect_eq(feed("", "{\"error\":\"boom\"}"), USAGE_EVENT_FAILED);
    cr_expect_eq(feed("error", "oops"), USAGE_EVENT_FAILED);
    IS(stream.usage, 1, 0, 0, 0, 4, 0);
}

Test(usage, follows_audio_and_image_streams)
{
    usage_stream_init(&stream, DIALECT_CHAT);
    cr_expect_eq(
        feed("transcript.text.delta", "{\"type\":\"transcript.text.delta\",\"delta\":\"hello\"}"),
        USAGE_EVENT_CONTENT);
    cr_expect_eq(feed("transcript.text.done",
                      "{\"type\":\"transcript.text.done\",\"text\":\"hello\",\"usage\":{\"type\":"
                      "\"tokens\",\"input_tokens\":14,\"output_tokens\":2,\"total_tokens\":16}}"),
                 USAGE_EVENT_DONE | USAGE_EVENT_END | USAGE_EVENT_USAGE);
    IS(stream.usage, 14, 0, 0, 0, 2, 0);
}

Test(usage, follows_a_responses_stream)
{
    usage_stream_init(&stream, DIALECT_RESPONSES);
    cr_expect_eq(feed("response.created", "{\"type\":\"response.created\",\"response\":{\"id\":"
                                          "\"resp_1\",\"usage\":null},\"sequence_number\":0}"),
                 0);
    cr_assert_str_eq(stream.response_id, "resp_1");
    cr_expect_eq(feed("response.output_text.delta", "{\"delta\":\"abcdefgh\"}"),
                 USAGE_EVENT_CONTENT);
    cr_expect_eq(feed("", "{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{\"}"),
                 USAGE_EVENT_CONTENT);
    cr_expect_eq(feed("response.output_text.done", "{\"text\":\"abcdefgh\"}"), 0);
    cr_expect_eq(
        feed("response.incomplete",
             "{\"type\":\"response.incomplete\",\"response\":{\"id\":\"resp_1\",\"output\":[{"
             "\"usage\":{\"input_tokens\":1}}],\"usage\":{\"input_tokens\":40,"
             "\"input_tokens_details\":{\"cached_tokens\":10},\"output_tokens\":16,"
             "\"output_tokens_details\":{\"reasoning_tokens\":4}},\"service_tier\":\"priority\"}}"),
        USAGE_EVENT_DONE | USAGE_EVENT_END | USAGE_EVENT_USAGE);
    IS(stream.usage, 30, 10, 0, 0, 16, 4);
    cr_assert_str_eq(stream.usage.service_tier, "priority");
    usage_stream_init(&stream, DIALECT_RESPONSES);
    cr_expect_eq(feed("response.failed", "{\"response\":{\"id\":\"r\",\"usage\":null,\"error\":{"
                                         "\"code\":\"server_error\"}}}"),
                 USAGE_EVENT_FAILED | USAGE_EVENT_END);
    cr_expect_eq(feed("response.completed", ""), USAGE_EVENT_DONE | USAGE_EVENT_END);
    cr_expect_eq(feed("", "[DONE]"), 0);
}

Test(usage, follows_an_anthropic_stream_by_overwriting)
{
    usage_stream_init(&stream, DIALECT_ANTHROPIC);
    cr_expect_eq(
        feed(
            "message_start",
            "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,"
            "\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":700,\"output_tokens\":"
            "1,\"cache_creation\":{\"ephemeral_5m_input_tokens\":100,\"ephemeral_1h_input_tokens\":"
            "200}}}}"),
        USAGE_EVENT_USAGE);
    cr_expect_eq(
        feed("content_block_start", "{\"content_block\":{\"type\":\"text\",\"text\":\"\"}}"), 0);
    cr_expect_eq(feed("ping", "{\"type\":\"ping\"}"), 0);
    cr_expect_eq(feed("content_block_delta",
                      "{\"type\":\"content_block_delta\",\"delta\":{\"text\":\"x\"}}"),
                 USAGE_EVENT_CONTENT);
    cr_expect_eq(feed("content_block_delta", "{\"delta\":{\"type\":\"signature_delta\"}}"), 0);
    cr_expect_eq(feed("message_delta", "{\"delta\":{\"stop_reason\":null},\"usage\":{"
                                       "\"output_tokens\":10,\"cache_read_input_tokens\":null}}"),
                 USAGE_EVENT_USAGE);
    cr_expect_eq(feed("", "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
                          "\"usage\":{\"output_tokens\":42,\"input_tokens\":6,"
                          "\"cache_creation_input_tokens\":300,\"cache_read_input_tokens\":0}}"),
                 USAGE_EVENT_USAGE | USAGE_EVENT_DONE);
    cr_expect_eq(feed("message_stop", "{\"type\":\"message_stop\"}"),
                 USAGE_EVENT_DONE | USAGE_EVENT_END);
    usage_finish(&stream, 1, true);
    IS(stream.usage, 6, 700, 100, 200, 42, 0);
    cr_expect_eq(stream.usage.source, USAGE_UPSTREAM);
    cr_expect_eq(feed("error", "{\"type\":\"error\"}"), USAGE_EVENT_FAILED | USAGE_EVENT_END);
}

Test(usage, follows_a_gemini_stream)
{
    usage_stream_init(&stream, DIALECT_GEMINI);
    cr_expect_eq(feed("", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}],"
                          "\"usageMetadata\":{\"promptTokenCount\":20,\"thoughtsTokenCount\":30,"
                          "\"totalTokenCount\":50}}"),
                 USAGE_EVENT_CONTENT | USAGE_EVENT_USAGE);
    cr_expect_eq(feed("", "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":"
                          "\"f\",\"args\":{}}}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
                          "\"promptTokenCount\":20,\"candidatesTokenCount\":8}}"),
                 USAGE_EVENT_CONTENT | USAGE_EVENT_USAGE | USAGE_EVENT_DONE);
    IS(stream.usage, 20, 0, 0, 0, 38, 30);
    cr_expect_eq(feed("", "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}"), USAGE_EVENT_DONE);
    cr_expect_eq(feed("", "{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}"),
                 USAGE_EVENT_FAILED);
    usage_stream_init(&stream, DIALECT_GEMINI);
    cr_expect_eq(feed("",
                      "{\"response\":{\"candidates\":[{\"finishReason\":\"STOP\"}],"
                      "\"usageMetadata\":{\"promptTokenCount\":20,\"candidatesTokenCount\":8}}}"),
                 USAGE_EVENT_USAGE | USAGE_EVENT_DONE);
    IS(stream.usage, 20, 0, 0, 0, 8, 0);
}

Test(usage, estimates_what_was_not_said)
{
    usage_stream_init(&stream, DIALECT_CHAT);
    for (int i = 0; i < 10; i++) {
        (void)feed("", DELTA("word"));
    }
    usage_finish(&stream, 33, true);
    IS(stream.usage, 33, 0, 0, 0, 10, 0);
    cr_expect_eq(stream.usage.source, USAGE_ESTIMATED);

    /* Aborted: the 1 of message_start is a placeholder. */
    usage_stream_init(&stream, DIALECT_ANTHROPIC);
    (void)feed("message_start", "{\"message\":{\"usage\":{\"input_tokens\":500,"
                                "\"cache_read_input_tokens\":1000,\"output_tokens\":1}}}");
    (void)feed("content_block_delta",
               "{\"delta\":{\"type\":\"text_delta\",\"text\":\"The quick brown fox jumps over the "
               "lazy dog and keeps running through the forest.\"}}");
    usage_finish(&stream, 9, false);
    IS(stream.usage, 500, 1000, 0, 0, 21, 0);
    cr_expect_eq(stream.usage.source, USAGE_ESTIMATED);

    /* Aborted after a report that covers what was seen. */
    usage_stream_init(&stream, DIALECT_GEMINI);
    (void)feed("", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}],"
                   "\"usageMetadata\":{\"promptTokenCount\":2,\"candidatesTokenCount\":3}}");
    usage_finish(&stream, 9, false);
    IS(stream.usage, 2, 0, 0, 0, 3, 0);
    cr_expect_eq(stream.usage.source, USAGE_PARTIAL);

    usage_stream_init(&stream, DIALECT_RESPONSES);
    usage_finish(&stream, 9, false);
    IS(stream.usage, 0, 0, 0, 0, 0, 0);
    cr_expect_eq(stream.usage.source, USAGE_NONE);

    struct usage usage;
    usage_estimate(&usage, 5, STR("{\"choices\":[{\"message\":{\"content\":\"12345678\"}}]}"));
    IS(usage, 5, 0, 0, 0, 2, 0);
    cr_expect_str_eq(usage_source_name(usage.source), "estimated");
}

/* A body and the same one with a member that sends it the long way say the same. */
Test(usage, reads_a_report_at_the_end_as_the_whole_body_says)
{
    static const char *const members[] = {
        "\"id\":\"x\"",
        "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,\"total_tokens\":13}",
        "\"usage\":{\"input_tokens\":5,\"output_tokens\":2,\"service_tier\":\"inner\"}",
        "\"usage\":{\"prompt_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":3},"
        "\"completion_tokens\":2,\"completion_tokens_details\":{\"reasoning_tokens\":1}}",
        "\"usage\" : { \"input_tokens\" : 8 , \"cache_creation\" : "
        "{\"ephemeral_1h_input_tokens\":6}, \"output_tokens_details\":{\"thinking_tokens\":2}}",
        "\"usage\":null",
        "\"usage\":{}",
        "\"us\\u0061ge\":{\"prompt_tokens\":77,\"input_tokens\":78}",
        "\"x\\\"usage\":{\"prompt_tokens\":66,\"input_tokens\":66}",
        "\"service_tier\":\"flex\"",
        "\"service_tier\":null",
        "\"x_groq\":{\"usage\":{\"prompt_tokens\":31,\"completion_tokens\":32}}",
        "\"response\":{\"usage\":{\"input_tokens\":21},\"usageMetadata\":{\"promptTokenCount\":22}"
        "}",
        "\"usageMetadata\":{\"promptTokenCount\":11,\"candidatesTokenCount\":12,"
        "\"totalTokenCount\":29}",
        "\"choices\":[{\"usage\":{\"prompt_tokens\":55}},{\"text\":\"\\\"usage\\\":{}\"}]",
    };
    uint32_t seed = 5;
    uint32_t found = 0;
    for (int round = 0; round < 20000; round++) {
        char text[1400] = "{";
        size_t len = 1;
        seed = seed * 1103515245u + 12345u;
        uint32_t count = 1 + (seed >> 8) % 5;
        for (uint32_t i = 0; i < count; i++) {
            seed = seed * 1103515245u + 12345u;
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? "," : "",
                                    members[(seed >> 8) % (sizeof members / sizeof members[0])]);
            cr_assert(len < sizeof text - 4);
        }
        seed = seed * 1103515245u + 12345u;
        enum dialect dialect = (enum dialect)((seed >> 8) % DIALECT_COUNT);
        char longer[1500];
        (void)snprintf(longer, sizeof longer, "%s,\"z\":\"usage\",\"y\":\"usageMetadata\"}", text);
        (void)snprintf(text + len, sizeof text - len, "%s", (seed >> 16) % 2 == 0 ? "}" : " } \n");
        struct usage quick;
        struct usage whole;
        bool is_quick = usage_read_body(dialect, str_of(text), &quick);
        bool is_whole = usage_read_body(dialect, str_of(longer), &whole);
        cr_assert_eq(is_quick, is_whole, "%d %s", dialect, text);
        cr_assert_eq(quick.known, whole.known, "%d %s", dialect, text);
        IS(quick, whole.in_fresh, whole.in_cache_read, whole.in_cache_write_5m,
           whole.in_cache_write_1h, whole.out_total, whole.out_reasoning);
        cr_assert_str_eq(quick.service_tier, whole.service_tier, "%d %s", dialect, text);
        found += is_whole;
    }
    cr_assert_gt(found, 5000);
}
