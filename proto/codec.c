/*
 * codec.c - the table of the four dialects (see codec.h).
 */
#include "proto/codec.h"

#include "base/check.h"
#include "proto/chat.h"

static const struct codec codecs[DIALECT_COUNT] = {
    [DIALECT_CHAT] = { .dialect = DIALECT_CHAT, .decode = chatin_decode, .encode = chatout_encode },
    [DIALECT_RESPONSES] = { .dialect = DIALECT_RESPONSES, .is_serial = true },
    [DIALECT_ANTHROPIC] = { .dialect = DIALECT_ANTHROPIC, .is_serial = true },
    [DIALECT_GEMINI] = { .dialect = DIALECT_GEMINI, .is_serial = true },
};

const struct codec *
codec_of(enum dialect dialect)
{
    CHECK(dialect < DIALECT_COUNT);
    return &codecs[dialect];
}
