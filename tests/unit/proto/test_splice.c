/*
 * Only what must change changes; the result is what the wanted request looks like.
 */
#include <criterion/criterion.h>

#include "base/json.h"
#include "proto/splice.h"

/* The pieces in one text; static, for one comparison. */
static struct str
joined(const struct splice *splice)
{
    static char text[65536];
    size_t len = 0;
    for (uint32_t i = 0; i < splice->count; i++) {
        cr_assert_gt(splice->pieces[i].len, 0);
        memcpy(text + len, splice->pieces[i].data, splice->pieces[i].len);
        len += splice->pieces[i].len;
    }
    cr_assert_eq(len, splice->bytes);
    return str_make(text, len);
}

static void
check(enum endpoint endpoint, const char *body, const char *model, bool include_usage,
      const char *expected)
{
    struct peek peek;
    struct peek_error error;
    struct splice splice;
    struct arena arena;
    arena_init(&arena, 65536);
    cr_assert_eq(peek_json(endpoint, str_of(body), &peek, &error), ERR_OK, "%s", body);
    struct splice_want want = { .model = str_of(model), .include_usage = include_usage };
    cr_assert_eq(splice_make(str_of(body), &peek, &want, &arena, &splice), ERR_OK);
    struct str got = joined(&splice);
    cr_expect(str_equal(got, str_of(expected)), "%.*s\n%s", STR_ARG(got), expected);
    cr_expect_eq(splice.is_changed, strcmp(body, expected) != 0);
    struct json_value top;
    cr_expect_eq(json_read(got, &top, NULL), ERR_OK);
    arena_reset(&arena);
}

Test(splice, leaves_a_body_alone_when_nothing_is_wanted)
{
    check(ENDPOINT_CHAT, "{\"model\":\"a\",\"n\":1.0}", NULL, false, "{\"model\":\"a\",\"n\":1.0}");
    check(ENDPOINT_CHAT, "{\"model\":\"a\",\"stream_options\":{\"include_usage\":true}}", NULL,
          true, "{\"model\":\"a\",\"stream_options\":{\"include_usage\":true}}");
    check(ENDPOINT_CHAT, "{\"model\":\"a\",\"stream_options\":3}", NULL, true,
          "{\"model\":\"a\",\"stream_options\":3}");
}

Test(splice, exchanges_the_model)
{
    check(ENDPOINT_CHAT, " {\"x\":1e400, \"model\" : \"\\u0061\" ,\"y\":\"\\/\"}\n", "org/b", false,
          " {\"x\":1e400, \"model\" : \"org/b\" ,\"y\":\"\\/\"}\n");
    check(ENDPOINT_CHAT, "{\"model\":\"a\"}", "q\"\\\x01", false,
          "{\"model\":\"q\\\"\\\\\\u0001\"}");
    check(ENDPOINT_MODERATIONS, "{\"input\":\"a\"}", "m", false,
          "{\"input\":\"a\",\"model\":\"m\"}");
    check(ENDPOINT_MODERATIONS, "{ }", "m", false, "{\"model\":\"m\" }");
    check(ENDPOINT_MODERATIONS, "{\"model\":null,\"input\":1}", "m", false,
          "{\"model\":\"m\",\"input\":1}");
}

Test(splice, asks_for_usage_in_every_form)
{
    check(ENDPOINT_CHAT, "{\"model\":\"a\" }", NULL, true,
          "{\"model\":\"a\",\"stream_options\":{\"include_usage\":true} }");
    check(ENDPOINT_CHAT, "{\"stream_options\":null,\"model\":\"a\"}", NULL, true,
          "{\"stream_options\":{\"include_usage\":true},\"model\":\"a\"}");
    check(ENDPOINT_CHAT, "{\"stream_options\":{ },\"model\":\"a\"}", NULL, true,
          "{\"stream_options\":{\"include_usage\":true},\"model\":\"a\"}");
    check(ENDPOINT_CHAT, "{\"stream_options\":{\"x\":1},\"model\":\"a\"}", NULL, true,
          "{\"stream_options\":{\"include_usage\":true,\"x\":1},\"model\":\"a\"}");
    check(ENDPOINT_CHAT, "{\"model\":\"a\",\"stream_options\":{\"x\":1,\"include_usage\":false}}",
          NULL, true, "{\"model\":\"a\",\"stream_options\":{\"x\":1,\"include_usage\":true}}");
}

Test(splice, does_both_in_either_order)
{
    check(ENDPOINT_CHAT, "{\"model\":\"a\",\"stream_options\":null}", "b", true,
          "{\"model\":\"b\",\"stream_options\":{\"include_usage\":true}}");
    check(ENDPOINT_CHAT, "{\"stream_options\":null,\"model\":\"a\"}", "b", true,
          "{\"stream_options\":{\"include_usage\":true},\"model\":\"b\"}");
    check(ENDPOINT_MODERATIONS, "{}", "b", true,
          "{\"model\":\"b\",\"stream_options\":{\"include_usage\":true}}");
    check(ENDPOINT_MODERATIONS, "{\"a\":1}", "b", true,
          "{\"a\":1,\"model\":\"b\",\"stream_options\":{\"include_usage\":true}}");
}

#define TYPE STR("multipart/form-data; boundary=b")
#define HEAD "--b\r\nContent-Disposition: form-data; name="

Test(splice, exchanges_the_field_of_a_form)
{
    static const struct {
        const char *body;
        const char *expected;
    } cases[] = {
        { HEAD "\"model\"\r\n\r\nold\r\n--b--", HEAD "\"model\"\r\n\r\nnew\r\n--b--" },
        { HEAD "\"image\"; filename=\"i\"\r\n\r\n\x00\xff\r\n--b--", HEAD
          "\"model\"\r\n\r\nnew\r\n" HEAD "\"image\"; filename=\"i\"\r\n\r\n\x00\xff\r\n--b--" },
    };
    for (size_t i = 0; i < 2; i++) {
        struct peek peek;
        struct peek_error error;
        struct splice splice;
        struct arena arena;
        arena_init(&arena, 65536);
        struct str body = str_of(cases[i].body);
        if (i == 1) {
            body.len = sizeof(HEAD "\"image\"; filename=\"i\"\r\n\r\n\x00\xff\r\n--b--") - 1;
        }
        cr_assert_eq(peek_multipart(ENDPOINT_IMAGES_EDITS, body, TYPE, &peek, &error), ERR_OK);
        struct splice_want want = { .model = STR("new"), .include_usage = true };
        cr_assert_eq(splice_make(body, &peek, &want, &arena, &splice), ERR_OK);
        struct str got = joined(&splice);
        size_t grown = i == 0 ? 0 : sizeof(HEAD "\"model\"\r\n\r\nnew\r\n") - 1;
        cr_assert_eq(got.len, body.len + grown);
        cr_assert_eq(memcmp(got.data, cases[i].expected, got.len), 0);
        want.model = STR("a\r\nb");
        cr_assert_eq(splice_make(body, &peek, &want, &arena, &splice), ERR_BAD);
        arena_reset(&arena);
    }
}

Test(splice, tells_a_full_arena)
{
    struct peek peek;
    struct peek_error error;
    struct splice splice;
    struct arena arena;
    arena_init(&arena, 1);
    struct str body = STR("{\"model\":\"a\"}");
    struct splice_want want = { .model = STR("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
                                .include_usage = true };
    cr_assert_eq(peek_json(ENDPOINT_CHAT, body, &peek, &error), ERR_OK);
    cr_assert_eq(splice_make(body, &peek, &want, &arena, &splice), ERR_FULL);
    arena_reset(&arena);
}

/* Gemini's bodies name the model again; what else looks like it stays. */
Test(splice, renames_the_model_in_geminis_bodies)
{
    static const struct {
        enum endpoint endpoint;
        const char *body;
        const char *expected;
    } rows[] = {
        { ENDPOINT_GEMINI_BATCH_EMBED,
          "{\"requests\":[ {\"model\":\"models/a\",\"content\":{\"parts\":[{\"text\":\"model\"}]}},"
          "{\"content\":{\"model\":\"models/a\"},\"model\" : \"models/a\"}, 3, {}]}",
          "{\"requests\":[ "
          "{\"model\":\"models/b\\\"-2\",\"content\":{\"parts\":[{\"text\":\"model\"}]}"
          "},{\"content\":{\"model\":\"models/a\"},\"model\" : \"models/b\\\"-2\"}, 3, {}]}" },
        { ENDPOINT_GEMINI_EMBED, "{\"model\":\"models/a\",\"content\":{\"parts\":[]}}",
          "{\"model\":\"models/b\\\"-2\",\"content\":{\"parts\":[]}}" },
        { ENDPOINT_GEMINI_COUNT,
          "{\"generateContentRequest\":{\"model\":\"models/a\",\"contents\":[]}}",
          "{\"generateContentRequest\":{\"model\":\"models/b\\\"-2\",\"contents\":[]}}" },
        { ENDPOINT_GEMINI_GENERATE, "{\"contents\":[{\"parts\":[{\"text\":\"models/a\"}]}]}",
          "{\"contents\":[{\"parts\":[{\"text\":\"models/a\"}]}]}" },
        { ENDPOINT_GEMINI_BATCH_EMBED, "{\"requests\":{\"model\":1},\"model\":null}",
          "{\"requests\":{\"model\":1},\"model\":null}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct peek peek;
        struct peek_error error;
        struct splice splice;
        struct arena arena;
        arena_init(&arena, 65536);
        struct str body = str_of(rows[i].body);
        cr_assert_eq(peek_json(rows[i].endpoint, body, &peek, &error), ERR_OK, "%zu", i);
        struct splice_want want = { .model = STR("b\"-2"), .is_gemini = true };
        cr_assert_eq(splice_make(body, &peek, &want, &arena, &splice), ERR_OK);
        struct str got = joined(&splice);
        cr_expect(str_equal(got, str_of(rows[i].expected)), "%.*s", STR_ARG(got));
        cr_expect_eq(splice.is_changed, strcmp(rows[i].body, rows[i].expected) != 0);
        arena_reset(&arena);
    }
    struct peek peek;
    struct peek_error error;
    struct splice splice;
    struct arena small;
    arena_init(&small, 64);
    struct str body = str_of(rows[0].body);
    cr_assert_eq(peek_json(rows[0].endpoint, body, &peek, &error), ERR_OK);
    struct splice_want want = { .model = STR("b"), .is_gemini = true };
    cr_expect_eq(splice_make(body, &peek, &want, &small, &splice), ERR_FULL);
    arena_reset(&small);
}

/* Only where the body says none: absent, null or empty. */
Test(splice, adds_instructions)
{
    static const struct {
        const char *body;
        const char *expected;
    } rows[] = {
        { "{\"model\":\"a\",\"input\":\"x\"}",
          "{\"model\":\"b\",\"input\":\"x\",\"instructions\":\"be \\\"good\\\"\"}" },
        { "{\"instructions\" : null,\"model\":\"a\",\"input\":\"x\"}",
          "{\"instructions\" : \"be \\\"good\\\"\",\"model\":\"b\",\"input\":\"x\"}" },
        { "{\"model\":\"a\",\"instructions\":\"\",\"input\":\"x\"}",
          "{\"model\":\"b\",\"instructions\":\"be \\\"good\\\"\",\"input\":\"x\"}" },
        { "{\"model\":\"a\",\"instructions\":\"mine\",\"input\":\"x\"}",
          "{\"model\":\"b\",\"instructions\":\"mine\",\"input\":\"x\"}" },
    };
    struct arena arena;
    arena_init(&arena, 65536);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct peek peek;
        struct peek_error error;
        struct splice splice;
        struct str body = str_of(rows[i].body);
        cr_assert_eq(peek_json(ENDPOINT_RESPONSES, body, &peek, &error), ERR_OK, "%zu", i);
        struct splice_want want = { .model = STR("b"), .instructions = STR("be \"good\"") };
        cr_assert_eq(splice_make(body, &peek, &want, &arena, &splice), ERR_OK);
        struct str got = joined(&splice);
        cr_expect(str_equal(got, str_of(rows[i].expected)), "%.*s", STR_ARG(got));
    }
    arena_reset(&arena);
}

/* The word alone, beside the model and the instructions. */
Test(splice, exchanges_an_effort)
{
    static const struct {
        enum endpoint endpoint;
        const char *path;
        const char *body;
        const char *expected;
    } rows[] = {
        { ENDPOINT_CHAT, "reasoning_effort",
          "{\"reasoning_effort\" : \"high\",\"model\":\"a\",\"x\":\"high\"}",
          "{\"reasoning_effort\" : \"xhigh\",\"model\":\"b\",\"x\":\"high\"}" },
        { ENDPOINT_RESPONSES, "reasoning.effort",
          "{\"model\":\"a\",\"reasoning\":{\"summary\":\"auto\",\"effort\":\"none\"},\"input\":1}",
          "{\"model\":\"b\",\"reasoning\":{\"summary\":\"auto\",\"effort\":\"low\"},\"input\":1,"
          "\"instructions\":\"i\"}" },
        { ENDPOINT_CHAT, "reasoning_effort", "{\"model\":\"a\",\"reasoning_effort\":\"low\"}",
          "{\"model\":\"b\",\"reasoning_effort\":\"low\"}" },
        { ENDPOINT_CHAT, "reasoning_effort", "{\"model\":\"a\",\"reasoning_effort\":7}",
          "{\"model\":\"b\",\"reasoning_effort\":7}" },
        { ENDPOINT_CHAT, "", "{\"model\":\"a\",\"reasoning_effort\":\"high\"}",
          "{\"model\":\"b\",\"reasoning_effort\":\"high\"}" },
    };
    struct arena arena;
    arena_init(&arena, 65536);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct peek peek;
        struct peek_error error;
        struct splice splice;
        struct str body = str_of(rows[i].body);
        cr_assert_eq(peek_json(rows[i].endpoint, body, &peek, &error), ERR_OK, "%zu", i);
        struct splice_want want = { .model = STR("b"),
                                    .effort_map = STR("high=xhigh,none=low"),
                                    .effort_path = str_of(rows[i].path) };
        want.instructions = rows[i].endpoint == ENDPOINT_RESPONSES ? STR("i") : STR("");
        cr_assert_eq(splice_make(body, &peek, &want, &arena, &splice), ERR_OK);
        struct str got = joined(&splice);
        cr_expect(str_equal(got, str_of(rows[i].expected)), "%.*s", STR_ARG(got));
    }
    arena_reset(&arena);
}
