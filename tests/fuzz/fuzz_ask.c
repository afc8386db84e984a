/*
 * fuzz_ask.c - any bytes as a client's request: decoded, put in order, encoded for every other
 * dialect. What comes out is JSON, and the same a second time.
 *
 * The first byte picks the client's dialect and what the accounts can do.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "proto/codec.h"
#include "proto/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encode(struct translate *translate, enum dialect upstream, uint8_t choices)
{
    struct caps caps;
    caps_default(&caps, upstream);
    caps.custom_tools = (choices & 4) != 0;
    caps.reasoning_in_history = (choices & 8) != 0;
    caps.json_schema = (choices & 16) != 0;
    caps.thinking = (choices & 32) != 0 ? CAPS_ADAPTIVE : CAPS_MANUAL;
    caps.sig_required = (choices & 64) != 0;
    caps.mid_system = (choices & 128) != 0;
    struct hub_target target = {
        .dialect = upstream, .model = STR("m"), .caps = &caps, .stream = true
    };
    struct buf bodies[2];
    enum err errs[2];
    for (int i = 0; i < 2; i++) {
        struct hub_problem problem;
        buf_init(&bodies[i], UINT32_MAX);
        errs[i] = translate_encode(translate, &target, &bodies[i], &problem);
        CHECK(errs[i] == ERR_OK || errs[i] == ERR_BAD || errs[i] == ERR_FULL);
        CHECK(errs[i] != ERR_BAD || problem.status == 400);
    }
    CHECK(errs[0] == errs[1]);
    if (errs[0] == ERR_OK) {
        struct json_value value;
        CHECK(json_read(buf_str(&bodies[0]), &value, NULL) == ERR_OK);
        CHECK(str_equal(buf_str(&bodies[0]), buf_str(&bodies[1])));
    }
    buf_fini(&bodies[0]);
    buf_fini(&bodies[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct arena arena;
    arena_init(&arena, 1u << 20);
    enum dialect client = (enum dialect)(data[0] & 3);
    struct translate_setup setup = { .client = client,
                                     .body = str_make((const char *)data + 1, size - 1),
                                     .model = STR("m"),
                                     .carrier = { .key = { 1, 2 } } };
    struct translate *translate;
    struct hub_problem problem;
    enum err err = translate_open(&arena, &setup, &translate, &problem);
    CHECK(err != ERR_BAD || problem.status == 400);
    for (int upstream = 0; upstream < DIALECT_COUNT && err == ERR_OK; upstream++) {
        if (translate_is_possible(client, (enum dialect)upstream)) {
            encode(translate, (enum dialect)upstream, data[0]);
        }
    }
    if (err == ERR_OK) {
        translate_close(translate);
    }
    arena_reset(&arena);
    return 0;
}
