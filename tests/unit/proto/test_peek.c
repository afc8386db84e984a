/*
 * What is found in bodies as real clients send them, and what is refused.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/estimate.h"
#include "proto/peek.h"

static struct peek peek;
static struct peek_error error;

static enum err
look(enum endpoint endpoint, const char *body)
{
    error = (struct peek_error){ .status = 0 };
    return peek_json(endpoint, str_of(body), &peek, &error);
}

static bool
is_span(const char *body, struct peek_span span, const char *text)
{
    return str_equal(str_make(body + span.offset, span.bytes), str_of(text));
}

Test(peek, reads_a_chat_body)
{
    const char *body =
        "{ \"messages\":[{\"role\":\"user\",\"content\":\"model: \\\"x\\\"\"}],\n"
        "  \"model\" : \"gpt-5\", \"stream\":true,\"max_tokens\":64,\"max_completion_tokens\":128,"
        "\"stream_options\":{\"include_obfuscation\":false, \"include_usage\": false},"
        "\"service_tier\":\"flex\",\"user\":\"u-1\"  }";
    cr_assert_eq(look(ENDPOINT_CHAT, body), ERR_OK);
    cr_assert_str_eq(peek.model, "gpt-5");
    cr_assert(is_span(body, peek.model_span, "\"gpt-5\""));
    cr_assert(peek.stream && peek.has_stream);
    cr_assert_eq(peek.output_tokens_max, 128);
    cr_assert_eq(peek.usage, PEEK_USAGE_OFF);
    cr_assert(is_span(body, peek.include_usage, "false"));
    cr_assert_str_eq(peek.service_tier, "flex");
    cr_assert_eq(peek.session_kind, PEEK_SESSION_USER);
    cr_assert_str_eq(peek.session, "u-1");
    cr_assert(str_equal(str_make(body + peek.members_end, 3), STR("  }")));
    cr_assert_eq(peek.input_tokens, estimate_tokens(str_of(body)));
}

Test(peek, reads_the_other_dialects)
{
    cr_assert_eq(look(ENDPOINT_RESPONSES,
                      "{\"model\":\"gpt-5.5\",\"stream\":true,\"input\":[],\"max_output_tokens\":"
                      "2e3,\"prompt_cache_key\":\"0199-abc\",\"user\":\"u\","
                      "\"previous_response_id\":\"resp_1\"}"),
                 ERR_OK);
    cr_assert_eq(peek.output_tokens_max, 2000);
    cr_assert_eq(peek.session_kind, PEEK_SESSION_CACHE_KEY);
    cr_assert_str_eq(peek.session, "0199-abc");
    cr_assert_str_eq(peek.previous_response, "resp_1");
    cr_assert_eq(look(ENDPOINT_GEMINI_STREAM,
                      "{\"contents\":[],\"generationConfig\":{\"maxOutputTokens\":9}}"),
                 ERR_OK);
    cr_assert_eq(peek.output_tokens_max, 9);
    cr_assert_str_eq(peek.model, "");
    cr_assert_eq(look(ENDPOINT_GEMINI_GENERATE,
                      "{\"generation_config\":{\"max_output_tokens\":\"x\"},\"Model\":1}"),
                 ERR_OK);
    cr_assert_eq(peek.output_tokens_max, 0);
}

/* What decides about the price of an answer besides its tokens. */
Test(peek, finds_how_many_answers_are_asked_for_and_how_fast)
{
    cr_assert_eq(look(ENDPOINT_CHAT, "{\"model\":\"m\",\"messages\":[]}"), ERR_OK);
    cr_expect(peek.answers == 1 && peek.service_tier[0] == '\0');
    cr_assert_eq(look(ENDPOINT_IMAGES_GENERATIONS, "{\"model\":\"m\",\"n\":4}"), ERR_OK);
    cr_expect_eq(peek.answers, 4);
    cr_assert_eq(look(ENDPOINT_CHAT, "{\"model\":\"m\",\"n\":1e9}"), ERR_OK);
    cr_expect_eq(peek.answers, PEEK_ANSWERS_MAX);
    cr_assert_eq(look(ENDPOINT_CHAT, "{\"model\":\"m\",\"n\":\"x\"}"), ERR_OK);
    cr_expect_eq(peek.answers, 1);
    cr_expect_eq(look(ENDPOINT_CHAT, "{\"model\":\"m\",\"n\":1,\"n\":9}"), ERR_BAD, "which?");
    cr_assert_eq(look(ENDPOINT_GEMINI_GENERATE, "{\"generationConfig\":{\"candidateCount\":3}}"),
                 ERR_OK);
    cr_expect_eq(peek.answers, 3);
    cr_assert_eq(
        look(ENDPOINT_MESSAGES, "{\"model\":\"m\",\"service_tier\":\"auto\",\"speed\":\"fast\"}"),
        ERR_OK);
    cr_expect_str_eq(peek.service_tier, "fast");
    cr_assert_eq(look(ENDPOINT_MESSAGES, "{\"model\":\"m\",\"speed\":\"standard\"}"), ERR_OK);
    cr_expect_str_eq(peek.service_tier, "");
}

Test(peek, finds_the_session_of_claude_code)
{
    cr_assert_eq(look(ENDPOINT_MESSAGES,
                      "{\"model\":\"claude\",\"max_tokens\":32000,\"metadata\":{\"user_id\":"
                      "\"{\\\"device_id\\\":\\\"d\\\",\\\"account_uuid\\\":\\\"\\\","
                      "\\\"session_id\\\":\\\"6f2c-11\\\"}\"},\"user\":\"later\"}"),
                 ERR_OK);
    cr_assert_eq(peek.session_kind, PEEK_SESSION_USER_ID);
    cr_assert_str_eq(peek.session, "6f2c-11");
    cr_assert_eq(look(ENDPOINT_MESSAGES, "{\"model\":\"claude\",\"metadata\":{\"user_id\":"
                                         "\"user_abc_account__session_6f2c-12\"}}"),
                 ERR_OK);
    cr_assert_str_eq(peek.session, "6f2c-12");
    cr_assert_eq(
        look(ENDPOINT_MESSAGES, "{\"model\":\"claude\",\"metadata\":{\"user_id\":\"plain\"}}"),
        ERR_OK);
    cr_assert_str_eq(peek.session, "plain");
    cr_assert_eq(look(ENDPOINT_MESSAGES,
                      "{\"model\":\"claude\",\"metadata\":{\"user_id\":7},\"user\":\"\","
                      "\"safety_identifier\":\"s\"}"),
                 ERR_OK);
    cr_assert_eq(peek.session_kind, PEEK_SESSION_SAFETY_ID);
}

Test(peek, keeps_long_sessions_apart_by_their_digest)
{
    char body[2][8192];
    char id[4000];
    char first[SESSION_TEXT_BYTES];
    memset(id, 'a', sizeof id);
    for (int i = 0; i < 2; i++) {
        id[sizeof id - 1] = (char)('a' + i);
        (void)snprintf(body[i], sizeof body[i], "{\"model\":\"m\",\"user\":\"%.*s\"}",
                       (int)sizeof id, id);
        cr_assert_eq(look(ENDPOINT_CHAT, body[i]), ERR_OK);
        cr_assert_eq(strlen(peek.session), 64);
        if (i == 0) {
            memcpy(first, peek.session, sizeof first);
        }
    }
    cr_assert_str_neq(first, peek.session);
    cr_assert_eq(look(ENDPOINT_CHAT, "{\"model\":\"m\",\"user\":\"a\\u0000b\"}"), ERR_OK);
    cr_assert_eq(strlen(peek.session), 64);
}

Test(peek, understands_every_form_of_stream_options)
{
    static const struct {
        const char *body;
        enum peek_usage usage;
    } cases[] = {
        { "{\"model\":\"m\"}", PEEK_USAGE_ABSENT },
        { "{\"model\":\"m\",\"stream_options\":null}", PEEK_USAGE_NULL },
        { "{\"model\":\"m\",\"stream_options\":{ }}", PEEK_USAGE_EMPTY },
        { "{\"model\":\"m\",\"stream_options\":{\"a\":1}}", PEEK_USAGE_UNSAID },
        { "{\"model\":\"m\",\"stream_options\":{\"include_usage\":null}}", PEEK_USAGE_OFF },
        { "{\"model\":\"m\",\"stream_options\":{\"a\":1,\"include_usag\\u0065\":true}}",
          PEEK_USAGE_ON },
        { "{\"model\":\"m\",\"stream_options\":[]}", PEEK_USAGE_ODD },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(look(ENDPOINT_CHAT, cases[i].body), ERR_OK);
        cr_expect_eq(peek.usage, cases[i].usage, "%s: %d", cases[i].body, peek.usage);
    }
}

Test(peek, refuses_with_a_code_and_the_field)
{
    static const struct {
        const char *body;
        const char *code;
        const char *param;
    } cases[] = {
        { "", "invalid_json", NULL },
        { "{\"model\":\"m\",}", "invalid_json", NULL },
        { "model=m", "invalid_json", NULL },
        { "{\"model\":\"m\"} x", "invalid_json", NULL },
        { "[]", "invalid_request", NULL },
        { "\"model\"", "invalid_request", NULL },
        { "{}", "missing_model", "model" },
        { "{\"model\":null}", "missing_model", "model" },
        { "{\"model\":\"\"}", "missing_model", "model" },
        { "{\"model\":7}", "invalid_request", "model" },
        { "{\"model\":[\"m\"]}", "invalid_request", "model" },
        { "{\"model\":\"a\\nb\"}", "invalid_request", "model" },
        { "{\"model\":\"m\",\"model\":\"n\"}", "invalid_request", "model" },
        { "{\"model\":\"m\",\"\\u006dodel\":\"n\"}", "invalid_request", "model" },
        { "{\"Model\":\"n\",\"model\":\"m\"}", "invalid_request", "model" },
        { "{\"MODEL\":\"n\"}", "invalid_request", "model" },
        { "{\"model\":\"m\",\"\xc5\xbftream\":true}", "invalid_request", "stream" },
        { "{\"model\":\"m\",\"max_to\xe2\x84\xaa"
          "ens\":1}",
          "invalid_request", "max_tokens" },
        { "{\"model\":\"m\",\"stream\":\"true\"}", "invalid_request", "stream" },
        { "{\"model\":\"m\",\"stream\":1}", "invalid_request", "stream" },
        { "{\"model\":\"m\",\"stream\":true,\"stream\":false}", "invalid_request", "stream" },
        { "{\"model\":\"m\",\"max_tokens\":1,\"max_tokens\":2}", "invalid_request", "max_tokens" },
        { "{\"model\":\"m\",\"stream_options\":{\"include_usage\":true,\"include_usage\":false}}",
          "invalid_request", "stream_options" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(look(ENDPOINT_CHAT, cases[i].body), ERR_BAD, "%s", cases[i].body);
        cr_expect_eq(error.status, 400);
        cr_expect_str_eq(error.code, cases[i].code, "%s", cases[i].body);
        cr_expect_str_eq(error.param == NULL ? "" : error.param,
                         cases[i].param == NULL ? "" : cases[i].param, "%s", cases[i].body);
        cr_expect_neq(error.message[0], '\0');
    }
    char body[600];
    (void)snprintf(body, sizeof body, "{\"model\":\"%0*d\"}", MODEL_NAME_BYTES, 0);
    cr_assert_eq(look(ENDPOINT_CHAT, body), ERR_BAD);
    cr_assert_str_eq(error.param, "model");
    cr_assert_eq(look(ENDPOINT_CHAT, "{\"model\":\"m\",\"stream\":null,\"x\":\"\\ud800\"}"),
                 ERR_OK);
    cr_assert_not(peek.has_stream);
    cr_assert_eq(look(ENDPOINT_CHAT, "{\"\\u006dodel\":\"a\\/b\"}"), ERR_OK);
    cr_assert_str_eq(peek.model, "a/b");
}

Test(peek, tells_where_the_json_breaks)
{
    cr_assert_eq(look(ENDPOINT_CHAT, "{\"model\":\"m\" \"a\"}"), ERR_BAD);
    cr_assert_not_null(strstr(error.message, "byte 13"), "%s", error.message);
}

Test(peek, takes_an_endpoints_default_model)
{
    cr_assert_eq(look(ENDPOINT_MODERATIONS, "{\"input\":\"x\"}"), ERR_OK);
    cr_assert_str_eq(peek.model, "omni-moderation-latest");
    cr_assert_eq(peek.model_span.bytes, 0);
    cr_assert_eq(look(ENDPOINT_MODERATIONS, "{}"), ERR_OK);
    cr_assert(!peek.has_members && peek.members_end == 1);
}

#define TYPE "multipart/form-data; boundary=----b0"
#define FIELD(name, text) \
    "------b0\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"
#define FILE_PART                                                                           \
    "------b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model.wav\"\r\n" \
    "Content-Type: audio/wav\r\n\r\nRIFF\r\n\r\n--\r\n------b\r\nname=\"model\"\r\n"

static enum err
look_form(const char *body, const char *type)
{
    error = (struct peek_error){ .status = 0 };
    return peek_multipart(ENDPOINT_AUDIO_TRANSCRIPTIONS, str_of(body), str_of(type), &peek, &error);
}

Test(peek, reads_forms)
{
    const char *body = FILE_PART FIELD("prompt", "hello there") FIELD("model", "whisper-1")
        FIELD("stream", "true") "------b0--\r\n";
    cr_assert_eq(look_form(body, TYPE), ERR_OK);
    cr_assert_str_eq(peek.model, "whisper-1");
    cr_assert(is_span(body, peek.model_span, "whisper-1"));
    cr_assert(peek.stream && peek.is_multipart);
    cr_assert_eq(peek.input_tokens, 3);
    cr_assert_eq(look_form(body, "Multipart/Form-Data ; charset=x; BOUNDARY=\"----b0\""), ERR_OK);
    body = FILE_PART "------b0--";
    cr_assert_eq(peek_multipart(ENDPOINT_IMAGES_EDITS, str_of(body), STR(TYPE), &peek, &error),
                 ERR_OK);
    cr_assert_str_eq(peek.model, "dall-e-2");
}

Test(peek, refuses_forms_that_can_be_read_in_two_ways)
{
    static const struct {
        const char *body;
        const char *type;
    } cases[] = {
        { FIELD("model", "a") "------b0--", "application/json" },
        { FIELD("model", "a") "------b0--", "multipart/form-data" },
        { FIELD("model", "a") "------b0--", "multipart/form-data; boundary=" },
        { FIELD("model", "a") "------b0--", "multipart/form-data; boundary=\"----b0" },
        { FIELD("model", "a") "------b0--", TYPE "; boundary=c" },
        { FIELD("model", "a") "------b0--", "multipart/form-data; boundary=----b" },
        { "x" FIELD("model", "a") "------b0--", TYPE },
        { FIELD("model", "a"), TYPE },
        { FIELD("model", "a") "------b0", TYPE },
        { FIELD("model", "a") FIELD("model", "b") "------b0--", TYPE },
        { FIELD("Model", "a") "------b0--", TYPE },
        { FIELD("model\"; name=\"x", "a") "------b0--", TYPE },
        { FIELD("model\"; name*=\"x", "a") "------b0--", TYPE },
        { FIELD("model\"; filename=\"x", "a") "------b0--", TYPE },
        { FIELD("mo\\del", "a") "------b0--", TYPE },
        { FIELD("model", "") "------b0--", TYPE },
        { FIELD("model", "a\nb") "------b0--", TYPE },
        { FIELD("prompt", "a") "------b0--", TYPE },
        { FIELD("model", "a") FIELD("stream", "yes") "------b0--", TYPE },
        { "------b0\nContent-Disposition: form-data; name=\"model\"\n\na\n------b0--", TYPE },
        { "------b0\r\nContent-Disposition: form-data; name=\"model\"\n\r\n\r\na\r\n------b0--",
          TYPE },
        { "------b0\r\nX: y\r\n\r\na\r\n------b0--", TYPE },
        { "------b0\r\nContent-Disposition: form-data; name=\"model\"\r\n"
          "Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n------b0--",
          TYPE },
        { "", TYPE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(look_form(cases[i].body, cases[i].type), ERR_BAD, "case %zu", i);
        cr_expect_neq(error.message[0], '\0');
    }
}

/* Cut anywhere, a form is refused and nothing behind its end is read. */
Test(peek, refuses_forms_cut_anywhere)
{
    const char *body = FILE_PART FIELD("model", "whisper-1") "------b0--";
    for (size_t len = 0; len < strlen(body); len++) {
        char *cut = malloc(len == 0 ? 1 : len);
        memcpy(cut, body, len);
        cr_assert_eq(peek_multipart(ENDPOINT_AUDIO_TRANSLATIONS, str_make(cut, len), STR(TYPE),
                                    &peek, &error),
                     ERR_BAD, "%zu", len);
        free(cut);
    }
}
