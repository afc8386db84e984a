/* Signatures of one provider, carried through a client of another dialect and back. */
#include <criterion/criterion.h>

#include "proto/carrier.h"

static const struct carrier ours = { .key = { 1, 2 }, .scope = 7 };
static struct arena arena;

static struct str
wrapped(const struct hub_segment *segments)
{
    struct hub_signature signature = { .family = HUB_FAMILY_OPENAI,
                                       .bytes = STR("gAAAA|b.c=="),
                                       .id = STR("rs_1") };
    struct str out;
    arena_init(&arena, 1 << 20);
    cr_assert_eq(carrier_wrap(&ours, &signature, segments, &arena, &out), ERR_OK);
    return out;
}

Test(carrier, brings_a_signature_back_as_it_was)
{
    struct str text = wrapped(NULL);
    struct hub_signature back;
    cr_expect(carrier_is(text));
    cr_assert_eq(carrier_open(&ours, HUB_FAMILY_ANTHROPIC, text, &arena, &back), ERR_OK);
    cr_expect_eq(back.family, HUB_FAMILY_OPENAI);
    cr_expect(str_equal(back.bytes, STR("gAAAA|b.c==")) && str_equal(back.id, STR("rs_1")));
    arena_reset(&arena);
}

Test(carrier, that_was_touched_or_is_of_others_is_nothing)
{
    struct str text = wrapped(NULL);
    struct hub_signature back;
    struct carrier others[] = { { .key = { 1, 3 }, .scope = 7 }, { .key = { 1, 2 }, .scope = 8 } };
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(carrier_open(&others[i], HUB_FAMILY_GEMINI, text, &arena, &back), ERR_OK);
        cr_expect_eq(back.family, HUB_FAMILY_NONE, "carrier %zu", i);
    }
    char copy[256];
    for (size_t i = 4; i < text.len; i++) {
        cr_assert(str_copy(copy, sizeof copy, text));
        copy[i] = copy[i] == 'x' ? 'y' : 'x';
        cr_assert_eq(carrier_open(&ours, HUB_FAMILY_GEMINI, str_of(copy), &arena, &back), ERR_OK);
        cr_expect_eq(back.family, HUB_FAMILY_NONE, "byte %zu: %s", i, copy);
        struct str cut = str_make(text.data, i);
        cr_assert_eq(carrier_open(&ours, HUB_FAMILY_GEMINI, cut, &arena, &back), ERR_OK);
        cr_expect_eq(back.family, HUB_FAMILY_NONE, "cut at %zu", i);
    }
    arena_reset(&arena);
}

Test(carrier, leaves_what_is_native_alone)
{
    struct hub_signature back;
    arena_init(&arena, 1 << 16);
    cr_assert_eq(carrier_open(&ours, HUB_FAMILY_GEMINI, STR("Z3cxLg=="), &arena, &back), ERR_OK);
    cr_expect_eq(back.family, HUB_FAMILY_NONE, "base64 of an empty carrier");
    cr_assert_eq(carrier_open(&ours, HUB_FAMILY_GEMINI, STR("EpwBsig"), &arena, &back), ERR_OK);
    cr_expect(back.family == HUB_FAMILY_GEMINI && str_equal(back.bytes, STR("EpwBsig")));
    cr_assert_eq(carrier_open(&ours, HUB_FAMILY_GEMINI, STR(""), &arena, &back), ERR_OK);
    cr_expect_eq(back.family, HUB_FAMILY_NONE);
    for (int i = HUB_FAMILY_OPENAI; i <= HUB_FAMILY_GATEWAY; i++) {
        cr_expect_eq(carrier_family_parse(str_of(carrier_family_name((enum hub_family)i))), i);
    }
    cr_expect_eq(carrier_family_parse(STR("")), HUB_FAMILY_NONE);
    arena_reset(&arena);
}

Test(carrier, splits_the_text_where_its_segments_were)
{
    struct hub_segment second = { .text = STR("two\n\nlines") };
    struct hub_segment first = { .next = &second, .text = STR("one") };
    struct str text = wrapped(&first);
    struct hub_segment only = { .text = STR("one\n\ntwo\n\nlines") };
    struct hub_reasoning reasoning = { .segments = &only };
    cr_assert_eq(carrier_restore(&ours, HUB_FAMILY_ANTHROPIC, text, &arena, &reasoning), ERR_OK);
    cr_expect(str_equal(reasoning.segments->text, STR("one")));
    cr_expect(str_equal(reasoning.segments->next->text, STR("two\n\nlines")));
    cr_expect_eq(reasoning.signature.family, HUB_FAMILY_OPENAI);
    struct hub_segment changed = { .text = STR("one\n\ntwo") };
    reasoning = (struct hub_reasoning){ .segments = &changed };
    cr_assert_eq(carrier_restore(&ours, HUB_FAMILY_ANTHROPIC, text, &arena, &reasoning), ERR_OK);
    cr_expect_eq(reasoning.segments, &changed, "the client changed it: as it is");
    arena_reset(&arena);
}
