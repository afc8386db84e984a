/*
 * test_respecho.c - what an answer repeats of its request.
 */
#include <criterion/criterion.h>

#include "base/limits.h"
#include "proto/respecho.h"

static struct str
echo_of(struct arena *arena, struct str body)
{
    struct walk root;
    struct str echo;
    cr_assert_eq(walk_parse(body, arena, &root), ERR_OK);
    cr_assert_eq(respecho_make(arena, root, &echo), ERR_OK);
    return echo;
}

Test(respecho, values_and_defaults_on_one_line)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct str echo = echo_of(
        &arena, STR("{\"instructions\": \"a \\\" b\\n\",\n \"tools\": [ {\n\"x\" : 1 } ]}"));
    struct walk root;
    cr_assert_eq(walk_parse(echo, &arena, &root), ERR_OK);
    cr_expect(str_equal(walk_raw(walk_get(root, STR("tools"))), STR("[{\"x\":1}]")));
    cr_expect(str_equal(walk_raw(walk_get(root, STR("instructions"))), STR("\"a \\\" b\\n\"")));
    cr_expect(str_equal(walk_raw(walk_get(root, STR("tool_choice"))), STR("\"auto\"")));
    cr_expect(str_equal(walk_raw(walk_get(root, STR("temperature"))), STR("1")));
    cr_expect_null(memchr(echo.data, '\n', echo.len));
    arena_reset(&arena);
}

/* An agent's tools are tens of kilobytes, and every opening and terminal event would repeat them.
 */
Test(respecho, long_values_give_way)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *text = arena_alloc(&arena, 40000);
    memset(text, 'x', 40000);
    struct str body = arena_printf(
        &arena, "{\"tools\":[\"%.39000s\"],\"instructions\":\"%.15000s\",\"user\":\"u\"}", text,
        text);
    struct str echo = echo_of(&arena, body);
    struct walk root;
    cr_assert_eq(walk_parse(echo, &arena, &root), ERR_OK);
    cr_expect_leq(echo.len, HUB_ECHO_BYTES_MAX);
    cr_expect(str_equal(walk_raw(walk_get(root, STR("tools"))), STR("[]")));
    cr_expect_eq(walk_raw(walk_get(root, STR("instructions"))).len, 15002);
    cr_expect(walk_is_text(walk_get(root, STR("user")), STR("u")));
    arena_reset(&arena);
}
