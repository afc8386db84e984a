/* A report's numbers into disjoint buckets: each spelling, hostile numbers, a text that goes on. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/report.h"

/* An object that begins here; what stands behind it is nobody's. */
static struct json_value
object(const char *text)
{
    return (struct json_value){ .kind = JSON_OBJECT, .raw = str_of(text) };
}

#define IS(usage, fresh, read, w5, w1, out, reason)                                         \
    cr_expect((usage).in_fresh == (fresh) && (usage).in_cache_read == (read) &&             \
                  (usage).in_cache_write_5m == (w5) && (usage).in_cache_write_1h == (w1) && \
                  (usage).out_total == (out) && (usage).out_reasoning == (reason),          \
              "%lu %lu %lu %lu %lu %lu", (usage).in_fresh, (usage).in_cache_read,           \
              (usage).in_cache_write_5m, (usage).in_cache_write_1h, (usage).out_total,      \
              (usage).out_reasoning)

static struct usage
openai(const char *text, bool is_report)
{
    struct usage usage = { 0 };
    cr_expect_eq(report_openai(&usage, object(text), NULL), is_report, "%s", text);
    return usage;
}

Test(report, openai_in_every_spelling_of_a_number)
{
    IS(openai("{\"prompt_tokens\":12,\"completion_tokens\":3}", true), 12, 0, 0, 0, 3, 0);
    IS(openai("{\"prompt_tokens\":12.0,\"completion_tokens\":\"3\"}", true), 12, 0, 0, 0, 3, 0);
    IS(openai("{\"\\u0070rompt_tokens\":12,\"completion_tokens\":3}", true), 12, 0, 0, 0, 3, 0);
    IS(openai("{\"input_tokens\":12,\"output_tokens\":3}", true), 12, 0, 0, 0, 3, 0);
    IS(openai("{\"prompt_tokens\":1,\"prompt_tokens\":12,\"output_tokens\":3}", true), 12, 0, 0, 0,
       3, 0);
}

Test(report, openai_makes_of_a_total_what_is_not_said)
{
    IS(openai("{\"total_tokens\":15}", true), 15, 0, 0, 0, 0, 0);
    IS(openai("{\"total_tokens\":15,\"completion_tokens\":3}", true), 12, 0, 0, 0, 3, 0);
    IS(openai("{\"total_tokens\":15,\"prompt_tokens\":12}", true), 12, 0, 0, 0, 3, 0);
    IS(openai("{\"total_tokens\":1,\"prompt_tokens\":12}", true), 12, 0, 0, 0, 0, 0);
}

Test(report, openai_subtracts_what_came_from_the_cache_but_never_below_nothing)
{
    IS(openai("{\"prompt_tokens\":100,\"completion_tokens\":1,\"prompt_tokens_details\":"
              "{\"cached_tokens\":60,\"cache_write_tokens\":30}}",
              true),
       10, 60, 30, 0, 1, 0);
    IS(openai("{\"prompt_tokens\":100,\"completion_tokens\":1,\"prompt_tokens_details\":"
              "{\"cached_tokens\":60,\"cache_write_tokens\":70}}",
              true),
       0, 60, 70, 0, 1, 0);
    /* More cached than asked: counted apart, as Anthropic does. */
    IS(openai("{\"prompt_tokens\":100,\"completion_tokens\":1,\"cache_read_input_tokens\":500}",
              true),
       100, 500, 0, 0, 1, 0);
    /* Chat's details go before those of responses; null is as good as nothing. */
    IS(openai("{\"prompt_tokens\":9,\"completion_tokens\":9,\"input_tokens_details\":"
              "{\"cached_tokens\":5},\"prompt_tokens_details\":{\"cached_tokens\":2},"
              "\"completion_tokens_details\":{\"reasoning_tokens\":4}}",
              true),
       7, 2, 0, 0, 9, 4);
}

Test(report, tells_sounds_and_pictures_apart)
{
    struct usage usage =
        openai("{\"prompt_tokens\":100,\"completion_tokens\":50,\"prompt_tokens_details\":"
               "{\"cached_tokens\":0,\"audio_tokens\":40},\"completion_tokens_details\":"
               "{\"reasoning_tokens\":5,\"audio_tokens\":30}}",
               true);
    cr_expect(usage.in_audio == 40 && usage.out_audio == 30 && usage.in_fresh == 100);
    usage = openai("{\"input_tokens\":60,\"output_tokens\":1000,\"input_tokens_details\":"
                   "{\"text_tokens\":10,\"image_tokens\":50}}",
                   true);
    cr_expect(usage.in_image == 50 && usage.in_audio == 0 && usage.out_audio == 0);
    struct usage_gemini last = { .known = 0 };
    usage = (struct usage){ .source = USAGE_NONE };
    cr_expect(report_gemini(&usage, &last,
                            object("{\"promptTokenCount\":39,\"promptTokensDetails\":"
                                   "[{\"modality\":\"TEXT\",\"tokenCount\":7},{\"modality\":"
                                   "\"AUDIO\",\"tokenCount\":32}],\"totalTokenCount\":39}"),
                            NULL));
    cr_expect(usage.in_audio == 32 && usage.in_fresh == 39);
    cr_expect(report_gemini(&usage, &last, object("{\"totalTokenCount\":50}"), NULL));
    cr_expect_eq(usage.in_audio, 32, "what is not said again stays");
}

Test(report, hostile_numbers_are_as_if_they_were_not_there)
{
    static const char *const bad[] = { "-1",     "1.5",  "1e30",   "1099511627777",
                                       "null",   "true", "\"-1\"", "\"\"",
                                       "\"1 \"", "[1]",  "{}",     "99999999999999999999999" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[200];
        struct usage usage = { 0 };
        snprintf(text, sizeof(text), "{\"prompt_tokens\":%s,\"completion_tokens\":%s}", bad[i],
                 bad[i]);
        cr_expect_not(report_openai(&usage, object(text), NULL), "%s", text);
        snprintf(text, sizeof(text), "{\"input_tokens\":%s,\"output_tokens\":%s}", bad[i], bad[i]);
        cr_expect_not(report_anthropic(&usage, object(text), true, NULL), "%s", text);
        struct usage_gemini last = { .known = 0 };
        snprintf(text, sizeof(text), "{\"promptTokenCount\":%s}", bad[i]);
        cr_expect_not(report_gemini(&usage, &last, object(text), NULL), "%s", text);
        IS(usage, 0, 0, 0, 0, 0, 0);
        cr_expect_eq(usage.known, 0);
    }
    /* The greatest that counts. */
    struct usage most = openai("{\"prompt_tokens\":1099511627776,\"completion_tokens\":0}", true);
    cr_expect_eq(most.in_fresh, USAGE_TOKENS_MAX);
}

Test(report, what_is_no_report_says_so)
{
    static const char *const texts[] = { "{}", "{\"seconds\":3}", "{\"prompt_tokens\":1", "{" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        openai(texts[i], false);
    }
    struct usage usage = { 0 };
    struct json_value array = { .kind = JSON_ARRAY, .raw = STR("[]") };
    struct usage_gemini last = { .known = 0 };
    cr_expect_not(report_openai(&usage, array, NULL));
    cr_expect_not(report_anthropic(&usage, array, true, NULL));
    cr_expect_not(report_gemini(&usage, &last, array, NULL));
}

/* The object may be the beginning of a text; the rest is told only when the object is whole. */
Test(report, tells_what_stands_behind_it)
{
    struct usage usage = { 0 };
    struct str rest = STR("as it was");
    cr_expect(report_openai(&usage, object("{\"prompt_tokens\":1},\"next\":2}"), &rest));
    cr_expect(str_equal(rest, STR(",\"next\":2}")));
    rest = STR("as it was");
    cr_expect_not(report_openai(&usage, object("{\"prompt_tokens\":1,\"next\":"), &rest));
    cr_expect(str_equal(rest, STR("as it was")));
}

Test(report, anthropic_keeps_what_a_later_report_does_not_say)
{
    struct usage usage = { 0 };
    cr_expect(report_anthropic(&usage,
                               object("{\"input_tokens\":10,\"cache_read_input_tokens\":20,"
                                      "\"cache_creation_input_tokens\":7,\"cache_creation\":"
                                      "{\"ephemeral_5m_input_tokens\":3,"
                                      "\"ephemeral_1h_input_tokens\":4},\"output_tokens\":1,"
                                      "\"service_tier\":\"priority\"}"),
                               false, NULL));
    IS(usage, 10, 20, 3, 4, 1, 0);
    cr_expect_eq(usage.known & USAGE_OUTPUT, 0, "a placeholder is no count");
    cr_expect_str_eq(usage.service_tier, "priority");
    /* Relays repeat the input side as zeros, providers leave it out. */
    cr_expect(report_anthropic(&usage,
                               object("{\"input_tokens\":0,\"cache_read_input_tokens\":null,"
                                      "\"output_tokens\":55,\"output_tokens_details\":"
                                      "{\"thinking_tokens\":9}}"),
                               true, NULL));
    IS(usage, 10, 20, 3, 4, 55, 9);
    cr_expect_neq(usage.known & USAGE_OUTPUT, 0);
    cr_expect_str_eq(usage.service_tier, "priority");
}

Test(report, gemini_keeps_the_last_of_each_count)
{
    struct usage usage = { 0 };
    struct usage_gemini last = { .known = 0 };
    cr_expect(report_gemini(&usage, &last,
                            object("{\"promptTokenCount\":50,\"totalTokenCount\":50}"), NULL));
    IS(usage, 50, 0, 0, 0, 0, 0);
    cr_expect(report_gemini(&usage, &last,
                            object("{\"candidatesTokenCount\":7,\"thoughtsTokenCount\":5,"
                                   "\"totalTokenCount\":62}"),
                            NULL));
    IS(usage, 50, 0, 0, 0, 12, 5);
    cr_expect(report_gemini(&usage, &last,
                            object("{\"cachedContentTokenCount\":20,\"candidatesTokenCount\":12,"
                                   "\"totalTokenCount\":62}"),
                            NULL));
    IS(usage, 30, 20, 0, 0, 12, 5);
}

Test(report, a_tier_is_a_plain_string_that_fits)
{
    struct usage usage = { 0 };
    report_tier(&usage, (struct json_value){ .kind = JSON_STRING, .raw = STR("\"flex\"") });
    cr_expect_str_eq(usage.service_tier, "flex");
    report_tier(&usage, (struct json_value){ .kind = JSON_NULL, .raw = STR("null") });
    report_tier(&usage, (struct json_value){
                            .kind = JSON_STRING, .is_escaped = true, .raw = STR("\"\\u0066\"") });
    cr_expect_str_eq(usage.service_tier, "flex");
    report_tier(&usage, (struct json_value){
                            .kind = JSON_STRING,
                            .raw = STR("\"a-tier-with-a-name-that-is-longer-than-any-of-them\"") });
    cr_expect_lt(strlen(usage.service_tier), USAGE_TIER_BYTES);
}
