/* Embeddings between OpenAI's and Gemini's endpoints. */
#include <criterion/criterion.h>

#include "proto/embedding.h"

static struct arena arena;
static struct buf to;
static struct embedding embedding;
static struct hub_problem problem;

static void
set_up(void)
{
    arena_init(&arena, 1 << 20);
    buf_init(&to, 1 << 20);
    problem = (struct hub_problem){ .status = 0 };
}

static void
tear_down(void)
{
    buf_fini(&to);
    arena_reset(&arena);
}

#define WROTE(want) cr_expect(str_equal(buf_str(&to), STR(want)), "%.*s", STR_ARG(buf_str(&to)))

Test(embedding, of_chat_goes_to_gemini_and_back, .init = set_up, .fini = tear_down)
{
    cr_assert_eq(embedding_to_gemini(STR("{\"input\":[\"a\",\"b\\n\"],\"dimensions\":3,"
                                         "\"encoding_format\":\"base64\"}"),
                                     STR("m"), &arena, &to, &embedding, &problem),
                 ERR_OK);
    WROTE("{\"requests\":[{\"model\":\"models/m\",\"content\":{\"parts\":[{\"text\":\"a\"}]},"
          "\"outputDimensionality\":3},{\"model\":\"models/m\",\"content\":{\"parts\":[{\"text\":"
          "\"b\\n\"}]},\"outputDimensionality\":3}]}");
    cr_expect(embedding.is_base64 && embedding.inputs == 2 && embedding.input_tokens > 0);
    buf_clear(&to);
    embedding.input_tokens = 2;
    cr_assert_eq(embedding_answer_to_chat(&embedding, STR("{\"embeddings\":[{\"values\":[1,-2]}]}"),
                                          STR("mine"), &arena, &to),
                 ERR_OK);
    WROTE("{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":"
          "\"AACAPwAAAMA=\"}],\"model\":\"mine\",\"usage\":{\"prompt_tokens\":2,\"total_tokens\":2}"
          "}");
}

Test(embedding, of_gemini_goes_to_chat_and_back, .init = set_up, .fini = tear_down)
{
    cr_assert_eq(
        embedding_to_chat(STR("{\"content\":{\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
                              "\"output_dimensionality\":3}"),
                          STR("m"), false, &arena, &to, &embedding, &problem),
        ERR_OK);
    WROTE("{\"model\":\"m\",\"input\":\"a\\nb\",\"dimensions\":3}");
    buf_clear(&to);
    cr_assert_eq(embedding_answer_to_gemini(&embedding, STR("{\"data\":[{\"embedding\":[0.5]}]}"),
                                            &arena, &to),
                 ERR_OK);
    WROTE("{\"embedding\":{\"values\":[0.5]}}");
}

Test(embedding, that_cannot_cross_or_is_none_is_refused, .init = set_up, .fini = tear_down)
{
    static const char *const chat[] = { "",
                                        "[]",
                                        "{}",
                                        "{\"input\":[]}",
                                        "{\"input\":[1,2]}",
                                        "{\"input\":[[1]]}",
                                        "{\"input\":7}",
                                        "{\"input\":[\"a\",1]}" };
    static const char *const answers[] = {
        "",
        "[]",
        "{}",
        "{\"embeddings\":7,\"data\":7}",
        "{\"embeddings\":[7],\"data\":[7]}",
        "{\"embeddings\":[{}],\"data\":[{\"embedding\":\"AAAA\"}]}"
    };
    for (size_t i = 0; i < sizeof chat / sizeof chat[0]; i++) {
        problem.status = 0;
        buf_clear(&to);
        cr_expect_eq(
            embedding_to_gemini(str_of(chat[i]), STR("m"), &arena, &to, &embedding, &problem),
            ERR_BAD, "%s", chat[i]);
        cr_expect_eq(problem.status, 400, "%s", chat[i]);
    }
    problem.status = 0;
    buf_clear(&to);
    static const char *const empty[] = { "{}", "{\"content\":{\"parts\":[]}}",
                                         "{\"content\":{\"parts\":[{\"text\":\"\"}]}}", "[]" };
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        cr_expect_eq(
            embedding_to_chat(str_of(empty[i]), STR("m"), false, &arena, &to, &embedding, &problem),
            ERR_BAD, "%s", empty[i]);
    }
    problem = (struct hub_problem){ .status = 0 }; /* the first one stays */
    cr_expect_eq(embedding_to_chat(STR("{\"requests\":[]}"), STR("m"), true, &arena, &to,
                                   &embedding, &problem),
                 ERR_BAD);
    cr_expect_str_eq(problem.param, "requests");
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        buf_clear(&to);
        embedding = (struct embedding){ .is_batch = true };
        cr_expect_eq(
            embedding_answer_to_chat(&embedding, str_of(answers[i]), STR("m"), &arena, &to),
            ERR_BAD, "%s", answers[i]);
        buf_clear(&to);
        cr_expect_eq(embedding_answer_to_gemini(&embedding, str_of(answers[i]), &arena, &to),
                     ERR_BAD, "%s", answers[i]);
    }
}
