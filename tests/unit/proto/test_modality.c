/* Gemini's tokens by modality. */
#include "proto/modality.h"

#include <criterion/criterion.h>

static uint64_t
audio_of(const char *text)
{
    struct json_value value;
    cr_assert_eq(json_read(str_of(text), &value, NULL), ERR_OK, "%s", text);
    return modality_audio(value, 99);
}

Test(modality, sounds_are_told_apart)
{
    cr_expect_eq(audio_of("[{\"modality\":\"TEXT\",\"tokenCount\":7},"
                          "{\"modality\":\"AUDIO\",\"tokenCount\":32}]"),
                 32);
    cr_expect_eq(audio_of("[{\"tokenCount\":5,\"modality\":\"AUDIO\"}]"), 5);
    cr_expect_eq(audio_of("[{\"modality\":\"IMAGE\",\"tokenCount\":258}]"), 0);
    cr_expect_eq(audio_of("[]"), 0);
}

Test(modality, what_is_no_list_says_nothing)
{
    cr_expect_eq(audio_of("null"), 99);
    cr_expect_eq(audio_of("{\"modality\":\"AUDIO\",\"tokenCount\":5}"), 99);
    cr_expect_eq(audio_of("[1,null,{}]"), 0);
    cr_expect_eq(audio_of("[{\"modality\":\"AUDIO\"}]"), 0);
    cr_expect_eq(audio_of("[{\"modality\":\"AUDIO\",\"tokenCount\":-5}]"), 0);
    cr_expect_eq(audio_of("[{\"modality\":\"AUDIO\",\"tokenCount\":99999999999999}]"), 0);
}
