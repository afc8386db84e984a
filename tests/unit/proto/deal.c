/*
 * deal.c - one translation in a test (see deal.h).
 */
#include "deal.h"

#include <string.h>

#include "proto/walk.h"

static struct str
quoted(struct arena *arena, const char *json)
{
    size_t len = strlen(json);
    char *text = arena_alloc(arena, len + 1);
    cr_assert_not_null(text);
    for (size_t i = 0; i < len; i++) {
        text[i] = json[i] == '\'' ? '"' : json[i];
    }
    return str_make(text, len);
}

static void
open_as(struct deal *deal, enum dialect client, enum dialect upstream, const char *json,
        enum deal_form form)
{
    *deal = (struct deal){ .client = client, .upstream = upstream };
    arena_init(&deal->arena, 1 << 22);
    buf_init(&deal->body, 1 << 22);
    buf_init(&deal->seen, 1 << 22);
    caps_default(&deal->caps, upstream);
    struct translate_setup setup = { .client = client,
                                     .body = quoted(&deal->arena, json),
                                     .model = STR("m"),
                                     .stream = form != DEAL_WHOLE,
                                     .is_array = form == DEAL_ARRAY,
                                     .carrier = { .key = { 1, 2 }, .scope = 7 },
                                     .seed = 5,
                                     .now_s = 1760000000 };
    enum err err = translate_open(&deal->arena, &setup, &deal->translate, &deal->problem);
    cr_assert(err == ERR_OK || err == ERR_BAD);
}

void
deal_open(struct deal *deal, enum dialect client, enum dialect upstream, const char *json)
{
    open_as(deal, client, upstream, json, DEAL_FRAMES);
}

bool
deal_encode(struct deal *deal)
{
    cr_assert_not_null(deal->translate, "%s", deal->problem.message);
    struct hub_target target = {
        .dialect = deal->upstream, .model = STR("up"), .caps = &deal->caps, .stream = true
    };
    buf_clear(&deal->body);
    enum err err = translate_encode(deal->translate, &target, &deal->body, &deal->problem);
    cr_assert(err == ERR_OK || err == ERR_BAD);
    return err == ERR_OK;
}

void
deal_ask(struct deal *deal, enum dialect client, enum dialect upstream, const char *json)
{
    deal_open(deal, client, upstream, json);
    cr_assert(deal_encode(deal), "%s", deal->problem.message);
}

void
deal_gemini(struct deal *deal, enum dialect upstream, const char *json, enum deal_form form)
{
    open_as(deal, DIALECT_GEMINI, upstream, json, form);
    cr_assert(deal_encode(deal), "%s", deal->problem.message);
}

static void
take(struct deal *deal)
{
    struct answer *answer = translate_answer(deal->translate);
    cr_assert_eq(buf_append(&deal->seen, buf_str(&answer->out)), ERR_OK);
    buf_clear(&answer->out);
}

void
deal_stream(struct deal *deal, const char *const *events)
{
    cr_assert_eq(translate_begin(deal->translate), ERR_OK);
    struct answer *answer = translate_answer(deal->translate);
    for (size_t i = 0; events[i] != NULL && answer->state < ANSWER_DONE; i++) {
        struct walk root;
        struct str data = quoted(&deal->arena, events[i]);
        struct str name = STR("");
        if (walk_parse(data, &deal->arena, &root) == ERR_OK) {
            name = walk_string(walk_get(root, STR("type")), &deal->arena);
        }
        answer_event(answer, name, data);
        take(deal);
    }
    if (answer->state < ANSWER_DONE) {
        answer_end(answer);
        take(deal);
    }
}

void
deal_whole(struct deal *deal, const char *json)
{
    cr_assert_eq(translate_begin(deal->translate), ERR_OK);
    answer_body(translate_answer(deal->translate), quoted(&deal->arena, json));
    take(deal);
}

void
deal_fini(struct deal *deal)
{
    if (deal->translate != NULL) {
        translate_close(deal->translate);
    }
    buf_fini(&deal->body);
    buf_fini(&deal->seen);
    arena_reset(&deal->arena);
}

uint32_t
deal_count(const struct buf *text, const char *piece)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct str wanted = quoted(&arena, piece);
    struct str rest = buf_str(text);
    uint32_t count = 0;
    while (rest.len > 0) {
        const char *at = memmem(rest.data, rest.len, wanted.data, wanted.len);
        if (at == NULL) {
            break;
        }
        count++;
        rest = str_skip(rest, (size_t)(at - rest.data) + wanted.len);
    }
    arena_reset(&arena);
    return count;
}
