/* The table of the dialects. */
#include <criterion/criterion.h>

#include "proto/codec.h"

Test(codec, has_every_function_of_every_dialect)
{
    for (int i = 0; i < DIALECT_COUNT; i++) {
        const struct codec *codec = codec_of((enum dialect)i);
        cr_expect_eq(codec->dialect, i);
        cr_expect(codec->decode != NULL && codec->encode != NULL);
        cr_expect(codec->read_open != NULL && codec->read_event != NULL &&
                  codec->read_body != NULL && codec->read_end != NULL && codec->read_close != NULL);
        cr_expect(codec->write_open != NULL && codec->write_event != NULL &&
                  codec->write_error != NULL && codec->write_close != NULL &&
                  codec->write_answer != NULL);
        cr_expect_eq(codec->write_count == NULL, i == DIALECT_CHAT, "chat counts nothing");
        cr_expect_eq(codec->read_count == NULL, i == DIALECT_CHAT);
    }
}

/* What is no request of a dialect is refused with a sentence, never taken for an empty one. */
Test(codec, refuses_bodies_that_are_no_request)
{
    static const char *const bodies[] = {
        "",      "null",           "[]", "7",
        "\"x\"", "{\"messages\":", "{}", "{\"messages\":7,\"input\":7,\"contents\":7}"
    };
    for (int i = 0; i < DIALECT_COUNT; i++) {
        for (size_t k = 0; k < sizeof bodies / sizeof bodies[0]; k++) {
            struct arena arena;
            struct hub_problem problem = { .status = 0 };
            struct hub_losses losses = { .problem = &problem };
            struct hub_request request = { .arena = &arena,
                                           .losses = &losses,
                                           .answers = 1,
                                           .shape = { .dialect = (enum dialect)i } };
            arena_init(&arena, 1 << 20);
            enum err err = codec_of((enum dialect)i)->decode(&request, str_of(bodies[k]), &problem);
            cr_expect_eq(err, ERR_BAD, "dialect %d: %s", i, bodies[k]);
            cr_expect(problem.status == 400 && problem.message[0] != '\0', "dialect %d: %s", i,
                      bodies[k]);
            arena_reset(&arena);
        }
    }
}
