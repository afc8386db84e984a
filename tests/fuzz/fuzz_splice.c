/*
 * Any accepted body with every change: the result is valid, says what was wanted, and is the
 * original where nothing was wanted. Every other member stays byte for byte.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "proto/splice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMBERS_MAX 64

struct members {
    struct json_member items[MEMBERS_MAX];
    uint32_t count;
};

static bool
on_member(void *context, const struct json_member *member)
{
    struct members *members = context;
    if (!json_name_is(member, STR("model")) && !json_name_is(member, STR("stream_options")) &&
        members->count < MEMBERS_MAX) {
        members->items[members->count++] = *member;
    }
    return true;
}

static void
check_same(struct str before, struct str after)
{
    static struct members a;
    static struct members b;
    a.count = 0;
    b.count = 0;
    CHECK(json_scan(before, on_member, &a, NULL, NULL) == ERR_OK);
    CHECK(json_scan(after, on_member, &b, NULL, NULL) == ERR_OK);
    CHECK(a.count == b.count);
    for (uint32_t i = 0; i < a.count; i++) {
        CHECK(str_equal(a.items[i].name, b.items[i].name));
        CHECK(str_equal(a.items[i].value.raw, b.items[i].value.raw));
    }
}

static void
check(struct str body, const struct peek *peek, const struct splice_want *want)
{
    struct arena arena;
    struct splice splice;
    arena_init(&arena, 1 << 16);
    CHECK(splice_make(body, peek, want, &arena, &splice) == ERR_OK);
    char *joined = malloc(splice.bytes + 1);
    size_t len = 0;
    for (uint32_t i = 0; i < splice.count; i++) {
        CHECK(splice.pieces[i].len > 0);
        memcpy(joined + len, splice.pieces[i].data, splice.pieces[i].len);
        len += splice.pieces[i].len;
    }
    CHECK(len == splice.bytes);
    struct str after = str_make(joined, len);
    struct peek again;
    struct peek_error error;
    CHECK(peek_json(ENDPOINT_MODERATIONS, after, &again, &error) == ERR_OK);
    CHECK(splice.is_changed || str_equal(body, after));
    CHECK(str_equal(str_of(again.model), want->model.len > 0 ? want->model : str_of(peek->model)));
    CHECK(!want->include_usage || again.usage == PEEK_USAGE_ON || again.usage == PEEK_USAGE_ODD);
    CHECK(want->include_usage || again.usage == peek->usage);
    CHECK(again.stream == peek->stream && again.output_tokens_max == peek->output_tokens_max);
    check_same(body, after);
    free(joined);
    arena_reset(&arena);
}

/* A valid body stays valid, and is as long as its pieces say. */
static void
check_gemini(struct str body, const struct peek *peek)
{
    struct arena arena;
    struct splice splice;
    arena_init(&arena, 1u << 20);
    struct splice_want want = { .model = STR("b\"/c"), .is_gemini = true };
    enum err err = splice_make(body, peek, &want, &arena, &splice);
    CHECK(err == ERR_OK || err == ERR_FULL);
    if (err == ERR_OK && splice.is_changed) {
        struct json_value top;
        CHECK(splice.count == 1 && splice.bytes == splice.pieces[0].len);
        CHECK(json_read(splice.pieces[0], &top, NULL) == ERR_OK);
    }
    arena_reset(&arena);
}

/* What a group adds: valid, and the instructions are there. */
static void
check_group(struct str body, const struct peek *peek, struct str path)
{
    struct arena arena;
    struct splice splice;
    static char joined[1u << 20];
    size_t len = 0;
    arena_init(&arena, 1u << 20);
    struct splice_want want = { .model = STR("b"),
                                .instructions = STR("be \"good\""),
                                .effort_map = STR("high=low,low=high,none=max"),
                                .effort_path = path };
    CHECK(splice_make(body, peek, &want, &arena, &splice) == ERR_OK);
    for (uint32_t i = 0; i < splice.count && splice.bytes <= sizeof joined; i++) {
        memcpy(joined + len, splice.pieces[i].data, splice.pieces[i].len);
        len += splice.pieces[i].len;
    }
    struct json_value top;
    struct json_value said;
    if (len > 0) {
        CHECK(json_read(str_make(joined, len), &top, NULL) == ERR_OK);
        CHECK(json_get(top, STR("instructions"), &said));
        CHECK(said.kind != JSON_NULL && !json_string_is(said, STR("")));
    }
    arena_reset(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    memcpy(copy, data, size);
    struct str body = str_make(copy, size);
    struct peek peek;
    struct peek_error error;
    if (peek_json(ENDPOINT_MODERATIONS, body, &peek, &error) == ERR_OK) {
        for (uint32_t i = 0; i < 4; i++) {
            struct splice_want want = { .model = (i & 1) != 0 ? STR("a\"\\b/c") : STR(""),
                                        .include_usage = (i & 2) != 0 };
            check(body, &peek, &want);
        }
    }
    if (peek_json(ENDPOINT_RESPONSES, body, &peek, &error) == ERR_OK) {
        check_group(body, &peek, STR("reasoning.effort"));
        check_group(body, &peek, STR("reasoning_effort"));
    }
    if (peek_json(ENDPOINT_GEMINI_BATCH_EMBED, body, &peek, &error) == ERR_OK) {
        check_gemini(body, &peek);
    }
    free(copy);
    return 0;
}
