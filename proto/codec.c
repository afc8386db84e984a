/*
 * codec.c - the table of the four dialects (see codec.h).
 */
#include "proto/codec.h"

#include "base/check.h"
#include "proto/anthropic.h"
#include "proto/chat.h"
#include "proto/gemini.h"
#include "proto/responses.h"

static const struct codec codecs[DIALECT_COUNT] = {
    [DIALECT_CHAT] = { .dialect = DIALECT_CHAT,
                       .decode = chatin_decode,
                       .encode = chatout_encode,
                       .read_open = chatread_open,
                       .read_event = chatread_event,
                       .read_body = chatread_body,
                       .read_end = chatread_end,
                       .read_close = chatread_close,
                       .write_open = chatwrite_open,
                       .write_event = chatwrite_event,
                       .write_error = chatwrite_error,
                       .write_close = chatwrite_close,
                       .write_answer = chatwrite_answer },
    [DIALECT_RESPONSES] = { .dialect = DIALECT_RESPONSES,
                            .is_serial = true,
                            .decode = respin_decode,
                            .encode = respout_encode,
                            .read_open = respread_open,
                            .read_event = respread_event,
                            .read_body = respread_body,
                            .read_end = respread_end,
                            .read_close = respread_close,
                            .write_open = respwrite_open,
                            .write_event = respwrite_event,
                            .write_error = respwrite_error,
                            .write_close = respwrite_close,
                            .write_held = respwrite_held,
                            .write_answer = respwrite_answer,
                            .write_count = respwrite_count,
                            .read_count = respread_count },
    [DIALECT_ANTHROPIC] = { .dialect = DIALECT_ANTHROPIC,
                            .is_serial = true,
                            .decode = anthin_decode,
                            .encode = anthout_encode,
                            .read_open = anthread_open,
                            .read_event = anthread_event,
                            .read_body = anthread_body,
                            .read_end = anthread_end,
                            .read_close = anthread_close,
                            .write_open = anthwrite_open,
                            .write_event = anthwrite_event,
                            .write_error = anthwrite_error,
                            .write_close = anthwrite_close,
                            .write_answer = anthwrite_answer,
                            .write_count = anthwrite_count,
                            .read_count = anthread_count },
    [DIALECT_GEMINI] = { .dialect = DIALECT_GEMINI,
                         .is_serial = true,
                         .decode = gemin_decode,
                         .encode = gemout_encode,
                         .read_open = gemread_open,
                         .read_event = gemread_event,
                         .read_body = gemread_body,
                         .read_end = gemread_end,
                         .read_close = gemread_close,
                         .write_open = gemwrite_open,
                         .write_event = gemwrite_event,
                         .write_error = gemwrite_error,
                         .write_close = gemwrite_close,
                         .write_answer = gemwrite_answer,
                         .write_count = gemwrite_count,
                         .read_count = gemread_count },
};

const struct codec *
codec_of(enum dialect dialect)
{
    CHECK(dialect < DIALECT_COUNT);
    return &codecs[dialect];
}
